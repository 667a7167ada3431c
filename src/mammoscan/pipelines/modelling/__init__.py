"""Divide, balance, train, predict: the same for every study."""

from mammoscan.pipelines.modelling.pipeline import create_pipeline

__all__ = ["create_pipeline"]
