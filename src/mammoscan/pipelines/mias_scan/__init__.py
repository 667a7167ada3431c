"""Whole mammograms: what the networks of mias_normal find on the scans of patients that they did not see."""

from mammoscan.pipelines.mias_scan.pipeline import create_pipeline

__all__ = ["create_pipeline"]
