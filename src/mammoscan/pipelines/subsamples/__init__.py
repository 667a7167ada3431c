"""The article's subsamples of mini-MIAS as image files."""

from mammoscan.pipelines.subsamples.pipeline import create_pipeline

__all__ = ["create_pipeline"]
