"""The Kedro datasets that kedro-datasets lacks."""

from mammoscan.datasets.array import ArrayDataset, ArrayFile, ArrayStream
from mammoscan.datasets.bundle import Bundle, BundleDataset
from mammoscan.datasets.figure import FigureDataset
from mammoscan.datasets.folder import FolderDataset
from mammoscan.datasets.keras_model import KerasModelDataset
from mammoscan.datasets.record import RecordDataset
from mammoscan.datasets.record_log import RecordLogDataset
from mammoscan.datasets.run_info import RunInfoDataset
from mammoscan.datasets.whole_file import CSVDataset, JSONDataset, ParquetDataset, TextDataset

__all__ = [
    "ArrayDataset",
    "ArrayFile",
    "ArrayStream",
    "Bundle",
    "BundleDataset",
    "CSVDataset",
    "FigureDataset",
    "FolderDataset",
    "JSONDataset",
    "KerasModelDataset",
    "ParquetDataset",
    "RecordDataset",
    "RecordLogDataset",
    "RunInfoDataset",
    "TextDataset",
]
