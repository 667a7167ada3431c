"""The report of a table of truth and scores, whatever model they are of."""

from mammoscan.pipelines.evaluate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
