"""The studies, and the typed parameters that each of their blocks must satisfy.

A study's *record* holds what the graph must know before any parameter is read: its data set, its protocol and
its number of folds. Everything else is a parameter: a block of ``conf/base/parameters_<study>.yml`` that one of
the classes below checks before the first node runs.
"""

from __future__ import annotations

from mammoscan.params.base import Block
from mammoscan.params.dataset import (
    AllowModified,
    CropParams,
    PackParams,
    PhantomParams,
    ScanGridParams,
    Source,
    UnpackLimit,
)
from mammoscan.params.evaluation import EvaluationParams, Question, ScanReading, ThresholdParams
from mammoscan.params.images import ImagesParams
from mammoscan.params.others import AuditParams, EvaluateParams, ExternalParams
from mammoscan.params.protocol import BalanceParams, SplitParams, ViewParams
from mammoscan.params.search import Choices, NumberRange, SearchParams, apply_values, read_values
from mammoscan.params.targets import TargetQuestion
from mammoscan.params.training import (
    AugmentationParams,
    MachineParams,
    NetworkParams,
    PhaseParams,
    PlateauParams,
    Recipe,
)
from mammoscan.params.usage import CompareParams, ExportParams, PredictParams, PrivacyParams, SubsamplesParams

__all__ = [
    "AllowModified",
    "AuditParams",
    "AugmentationParams",
    "BalanceParams",
    "Block",
    "Choices",
    "CompareParams",
    "CropParams",
    "EvaluateParams",
    "EvaluationParams",
    "ExportParams",
    "ExternalParams",
    "ImagesParams",
    "MachineParams",
    "NetworkParams",
    "NumberRange",
    "PackParams",
    "PhantomParams",
    "PhaseParams",
    "PlateauParams",
    "PredictParams",
    "PrivacyParams",
    "Question",
    "Recipe",
    "ScanGridParams",
    "ScanReading",
    "SearchParams",
    "Source",
    "SplitParams",
    "SubsamplesParams",
    "TargetQuestion",
    "ThresholdParams",
    "UnpackLimit",
    "ViewParams",
    "apply_values",
    "read_values",
]
