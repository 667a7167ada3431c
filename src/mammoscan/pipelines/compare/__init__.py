"""Finished runs side by side."""

from mammoscan.pipelines.compare.pipeline import create_pipeline

__all__ = ["create_pipeline"]
