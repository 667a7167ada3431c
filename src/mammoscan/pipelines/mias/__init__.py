"""From the raw files of mini-MIAS to samples and pixels."""

from mammoscan.pipelines.mias.pipeline import create_data_pipeline, create_samples_pipeline

__all__ = ["create_data_pipeline", "create_samples_pipeline"]
