"""Measure, draw and write the report: the same for every study."""

from mammoscan.pipelines.reporting.pipeline import create_measuring, create_page

__all__ = ["create_measuring", "create_page"]
