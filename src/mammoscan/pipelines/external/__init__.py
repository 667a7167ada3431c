"""A finished model on labelled images that it was not trained on."""

from mammoscan.pipelines.external.pipeline import create_pipeline

__all__ = ["create_pipeline"]
