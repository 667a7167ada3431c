"""What a trained model says of images that it was not trained on."""

from mammoscan.pipelines.predict.pipeline import create_pipeline

__all__ = ["create_pipeline"]
