"""A trained model in a form that needs no TensorFlow."""

from mammoscan.pipelines.export.pipeline import create_pipeline

__all__ = ["create_pipeline"]
