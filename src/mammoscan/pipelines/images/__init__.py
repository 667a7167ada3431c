"""From a folder of image files to samples and pixels: the same for every data set of that kind."""

from mammoscan.pipelines.images.pipeline import (
    create_data_pipeline,
    create_own_data_pipeline,
    create_samples_pipeline,
)

__all__ = ["create_data_pipeline", "create_own_data_pipeline", "create_samples_pipeline"]
