"""Opening the lockbox: the test of the final model on patients that nothing before has seen."""

from mammoscan.pipelines.lockbox.pipeline import create_pipeline

__all__ = ["create_pipeline"]
