"""Where the nodes of a run are computed, besides Kedro's own runners."""

from mammoscan.runners.dask import DaskRunner

__all__ = ["DaskRunner"]
