"""The studies, and the typed parameters that each of their blocks must satisfy.

A study's *record* holds what the graph must know before any parameter is read: its data set, its protocol and
its number of folds. Everything else is a parameter: a block of ``conf/base/parameters_<study>.yml`` that one of
the classes below checks before the first node runs.
"""

from mammoscan.studies.block import Block
from mammoscan.studies.comparison import CompareParams
from mammoscan.studies.data import CropParams, PackParams, PhantomParams, ScanGridParams
from mammoscan.studies.protocol import BalanceParams, SplitParams, ViewParams
from mammoscan.studies.question import EvaluationParams, Question, ThresholdParams
from mammoscan.studies.records import ABLATION, EXPERIMENTS, SIDE_CLAIM, STUDIES, Study, register_study
from mammoscan.studies.search import Choices, NumberRange, SearchParams, apply_values, read_values
from mammoscan.studies.serving import ExportParams, PredictParams
from mammoscan.studies.training import (
    AugmentationParams,
    MachineParams,
    NetworkParams,
    PhaseParams,
    PlateauParams,
    Recipe,
)

__all__ = [
    "ABLATION",
    "EXPERIMENTS",
    "SIDE_CLAIM",
    "STUDIES",
    "AugmentationParams",
    "BalanceParams",
    "Block",
    "Choices",
    "CompareParams",
    "CropParams",
    "EvaluationParams",
    "ExportParams",
    "MachineParams",
    "NetworkParams",
    "NumberRange",
    "PackParams",
    "PhantomParams",
    "PhaseParams",
    "PlateauParams",
    "PredictParams",
    "Question",
    "Recipe",
    "ScanGridParams",
    "SearchParams",
    "SplitParams",
    "Study",
    "ThresholdParams",
    "ViewParams",
    "apply_values",
    "read_values",
    "register_study",
]
