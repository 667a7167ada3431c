"""What only the studies of stained tissue report: patients beside images, maps of slides, the articles' claims."""

from mammoscan.pipelines.tissue.pipeline import PAGES, OwnPage

__all__ = ["PAGES", "OwnPage"]
