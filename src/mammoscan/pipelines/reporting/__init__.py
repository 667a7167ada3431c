"""Measure, draw and write the report: the same for every study."""

from mammoscan.pipelines.reporting.pipeline import PARTS, create_measuring, create_page

__all__ = ["PARTS", "create_measuring", "create_page"]
