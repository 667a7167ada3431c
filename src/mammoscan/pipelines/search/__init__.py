"""A search for a better recipe, inside each fold's training patients."""

from mammoscan.pipelines.search.pipeline import FIGURES, SECTIONS, create_pipeline

__all__ = ["FIGURES", "SECTIONS", "create_pipeline"]
