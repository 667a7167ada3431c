"""Repeat a study's cross-validation with other splits and other seeds: ``split.repeats``."""

from mammoscan.pipelines.repeats.pipeline import PARTS, SECTIONS, create_pipeline

__all__ = ["PARTS", "SECTIONS", "create_pipeline"]
