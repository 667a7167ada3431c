"""The data set of a run as MLflow keeps it: its source, fingerprint, columns and counts."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
from mlflow.data.http_dataset_source import HTTPDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.data.sources import LocalArtifactDatasetSource
from mlflow.types import ColSpec, DataType, Schema

from mammoscan.records.dataset import DatasetRecord


class DatasetInput(MetaDataset):
    """A data set that MLflow knows by its record and by the table of its samples, and not by its pixels."""

    def __init__(self, record: DatasetRecord, samples: pd.DataFrame | None) -> None:
        """Describe a data set.

        Args:
            record: What was found at its source.
            samples: One row per sample; None where the run has not come so far.
        """
        # Only the published files are what lies at the address.
        source = (
            HTTPDatasetSource(record.address)
            if record.kind == "real" and record.address
            else LocalArtifactDatasetSource(record.folder)
        )
        self._profile = describe_counts(record, samples)
        super().__init__(
            source,
            name=f"{record.dataset} ({record.kind})",
            digest=record.fingerprint[:16],
            schema=None if samples is None else describe_columns(samples),
        )

    def to_dict(self) -> dict[str, str]:
        """Return what MLflow keeps, the profile included."""
        return super().to_dict() | {"profile": json.dumps(self._profile)}


def describe_counts(record: DatasetRecord, samples: pd.DataFrame | None) -> dict[str, Any]:
    """Return how much there is of what; MLflow shows ``num_rows`` itself."""
    counts: dict[str, Any] = {record.unit: record.images, "patients": record.patients}
    if samples is not None:
        counts = {"num_rows": len(samples)} | counts | {"sample_patients": samples["patient_id"].nunique()}
        counts["samples_per_label"] = samples["label"].value_counts(sort=False).to_dict()
    return counts


def describe_columns(samples: pd.DataFrame) -> Schema:
    """Return the columns of a table of samples; ``label`` is what the network answers."""
    return Schema([ColSpec(_name_type(dtype), name=str(name)) for name, dtype in samples.dtypes.items()])


def _name_type(dtype: Any) -> DataType:
    if pd.api.types.is_bool_dtype(dtype):
        return DataType.boolean
    if pd.api.types.is_integer_dtype(dtype):
        return DataType.long
    return DataType.double if pd.api.types.is_float_dtype(dtype) else DataType.string
