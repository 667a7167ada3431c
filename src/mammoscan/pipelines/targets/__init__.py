"""Studies that predict a number or an ordered level: the same way from images to a report, with measures of error."""

from mammoscan.pipelines.targets.pipeline import create_pipeline

__all__ = ["create_pipeline"]
