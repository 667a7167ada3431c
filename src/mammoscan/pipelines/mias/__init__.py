"""From the raw files of mini-MIAS to samples and pixels."""

from mammoscan.pipelines.mias.pipeline import (
    FIGURES,
    create_data_pipeline,
    create_figures_pipeline,
    create_samples_pipeline,
)

__all__ = ["FIGURES", "create_data_pipeline", "create_figures_pipeline", "create_samples_pipeline"]
