"""What the sides of somebody else's division share, and a division that shares nothing."""

from mammoscan.pipelines.audit.pipeline import create_pipeline

__all__ = ["create_pipeline"]
