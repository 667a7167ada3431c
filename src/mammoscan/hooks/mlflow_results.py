"""What a run sends to MLflow when it has ended: numbers, files, data set, model and headline."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlflow
from kedro.io import CatalogProtocol

from mammoscan.hooks.privacy import PRIVACY
from mammoscan.hooks.provenance_notes import find_file
from mammoscan.records.card import Card
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.history import History
from mammoscan.seals import RUN_VARIABLE, read_seal
from mammoscan.studies import STUDIES
from mammoscan.tracking.child_runs import STAMPS, log_batch, open_child
from mammoscan.tracking.dataset_input import DatasetInput
from mammoscan.tracking.flatten import find_models, flatten_metrics, format_intervals, list_fold_auc
from mammoscan.tracking.headline import (
    AUC,
    INTERVALS,
    NETWORK,
    RECIPE,
    describe_headline,
    describe_recipe,
    find_headline,
    link_curves,
    write_description,
)
from mammoscan.tracking.live import STARTED_VARIABLE, find_variant
from mammoscan.tracking.machine import describe_machines

logger = logging.getLogger("mammoscan")


def name_study(entry: str) -> str:
    """Return the study or data set to which a catalog entry belongs: the longest known name before a dot."""
    known = [
        name for name in (*STUDIES, *(s.dataset for s in STUDIES.values())) if entry.startswith(f"{name}.")
    ]
    return max(known, key=len, default=entry.split(".")[0])


def find_variants(entries: Iterator[str] | set[str]) -> dict[str, str]:
    """Return the studies that a run measures or trains beside its own, and how each is called within the run."""
    studies = {name_study(name) for name in entries if name.endswith((".history", ".metrics"))}
    variants = {study: find_variant(study) for study in sorted(studies & set(STUDIES))}
    return {study: variant for study, variant in variants.items() if variant}


def is_of_this_run(file: Path) -> bool:
    """Return whether a file holds what this run wrote there."""
    seal = read_seal(file)
    return seal is not None and (seal.run or "") in os.environ.get(RUN_VARIABLE, "").split(",")


@dataclass
class _Sent:
    """What one run in MLflow, the one that was started or a variant's, was sent."""

    run_id: str
    files: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)


class RunResults:
    """The files that a run left, and the MLflow runs that they go to."""

    def __init__(
        self, main: str, made: set[str], catalog: CatalogProtocol, records: list[DatasetRecord]
    ) -> None:
        """Take what was run.

        Args:
            main: The pipeline's name.
            made: The entries that the run made.
            catalog: Of the run.
            records: Of the data sets.
        """
        run = mlflow.active_run()
        assert run is not None
        self._root, self._experiment = run.info.run_id, run.info.experiment_id
        self._client = mlflow.MlflowClient()
        self._main, self._made, self._catalog, self._records = main, sorted(made), catalog, records
        kinds = {record.kind for record in records}
        self._kind = next((kind for kind in (*STAMPS, "real") if kind in kinds), None)
        self._trainings: list[str] = []
        self._sent = {main: _Sent(self._root)}
        for study, variant in find_variants(made).items():
            self._sent[study] = _Sent(open_child(self._client, self._root, variant))

    def send(self) -> None:
        """Send everything."""
        self._log_data()
        histories = list(self._read_histories())
        mlflow.set_tags(describe_machines(history for _, _, history in histories))
        # MLflow ties later metrics to a model by itself; of earlier ones it reads each whole history first.
        version = self._log_model()
        fold_auc: dict[tuple[str, str], float] = {}
        for name in self._made:
            track = (
                (getattr(self._catalog.get(name), "metadata", None) or {}).get("mammoscan", {}).get("track")
            )
            file = find_file(self._catalog, name)
            if not track or file is None or not file.is_file():
                continue
            if not is_of_this_run(file):
                logger.warning("%s was changed while the run went on: it is not sent to MLflow", file)
                continue
            study = name_study(name)
            sent = self._sent.get(study, self._sent[self._main])
            folder = None if study in self._sent else study
            mlflow.log_artifact(str(file), artifact_path=folder, run_id=sent.run_id)
            if folder is None:
                sent.files.append(file.name)
            if track == "metrics":
                metrics = find_models(json.loads(file.read_text(encoding="utf-8")))
                self._send_metrics(study, sent, metrics)
                fold_auc |= {(study, fold): auc for fold, auc in list_fold_auc(metrics).items()}
        self._send_trainings(histories, fold_auc)
        self._send_headlines(version)
        mlflow.log_metric("seconds", time.time() - float(os.environ[STARTED_VARIABLE]))

    def _read_histories(self) -> Iterator[tuple[str, str, History]]:
        """Yield the study, the training's name (``fold_0``) and the history of each training of this run."""
        for name in self._made:
            file = find_file(self._catalog, name) if name.endswith(".history") else None
            if file is not None and file.is_file():
                study = name_study(name)
                part = name.removeprefix(f"{study}.").removesuffix(".history")
                yield study, part, History.model_validate_json(file.read_text(encoding="utf-8"))

    def _log_data(self) -> None:
        """Log the data set with the columns and counts of its samples."""
        for record in self._records:
            studies = [name for name, study in STUDIES.items() if study.dataset == record.dataset]
            files = {f"{study}.samples": find_file(self._catalog, f"{study}.samples") for study in studies}
            name = next(
                (name for name, file in files.items() if name in self._made and file is not None), None
            )
            samples = None if name is None else self._catalog.load(name)
            mlflow.log_input(DatasetInput(record, samples), context="training")

    def _send_metrics(self, study: str, sent: _Sent, metrics: Mapping[str, Any]) -> None:
        # Through the active run, MLflow ties the numbers to its model.
        mlflow.log_metrics(flatten_metrics(metrics), run_id=sent.run_id)
        if find_headline(metrics.get(NETWORK, {})) is not None:
            sent.columns |= describe_headline(metrics, self._kind)
        recipe = f"params:{study}.training"
        if recipe in self._catalog:
            sent.columns[RECIPE] = describe_recipe(self._catalog.load(recipe))
        log_batch(self._client, sent.run_id, tags=sent.columns | {INTERVALS: format_intervals(metrics)})

    def _send_trainings(
        self, histories: list[tuple[str, str, History]], fold_auc: dict[tuple[str, str], float]
    ) -> None:
        """Write to each training's own run how it ended and what its fold is worth on its test side."""
        for study, part, history in histories:
            variant = find_variant(study)
            child = open_child(self._client, self._root, "/".join(word for word in (variant, part) if word))
            self._trainings.append(child)
            # What does not change while it trains are parameters: MLflow draws a chart of each metric.
            facts = {
                "epochs": len(history.epochs),
                "images": history.images,
                "weights": history.parameters,
                "network": history.network,
            }
            metrics = {"best_epoch": history.best_epoch, "seconds": history.seconds}
            if (study, part) in fold_auc:
                metrics["auc"] = fold_auc[study, part]
            log_batch(self._client, child, params=facts, metrics=metrics)
            self._client.set_terminated(child, "FINISHED")

    def _send_headlines(self, version: str | None) -> None:
        """Say the headline on top of each run's page, and of the model that was registered."""
        parts = {
            find_variant(study).replace("_", " "): sent.columns[AUC]
            for study, sent in self._sent.items()
            if study != self._main and AUC in sent.columns
        }
        for study, sent in self._sent.items():
            of = parts if study == self._main else {}
            curves = link_curves(self._experiment, self._trainings) if study == self._main else ""
            text = write_description(sent.run_id, self._kind, sent.columns, of, sent.files, curves)
            if sent.columns or of:
                log_batch(self._client, sent.run_id, tags={"mlflow.note.content": text})
        if version is not None:
            from mammoscan.serving.log_model import describe_version

            describe_version(version, self._sent[self._main].columns, self._root)

    def _log_model(self) -> str | None:
        """Log the model that a run hands on: the final one, or the single one of an article's procedure.

        Returns:
            The address of its registered version; None where it is not registered.
        """
        study = STUDIES.get(self._main)
        if study is None:
            return None
        entry = f"{self._main}.final.model" if study.protocol == "patient" else f"{self._main}.fold_0.model"
        network = find_file(self._catalog, entry)
        if entry not in self._made or network is None or not network.is_file():
            return None
        card = find_file(self._catalog, f"{self._main}.card")
        if f"{self._main}.card" not in self._made or card is None or not card.is_file():
            return None
        from mammoscan.serving.log_model import log_model
        from mammoscan.serving.model_files import MODEL_CARD, OUT_OF_DISTRIBUTION, TRAINING_FINGERPRINT

        entries = {
            OUT_OF_DISTRIBUTION: "final.out_of_distribution",
            TRAINING_FINGERPRINT: "final.training_fingerprint",
            MODEL_CARD: "model_card",
        }
        paths = {file: find_file(self._catalog, f"{self._main}.{entry}") for file, entry in entries.items()}
        with tempfile.TemporaryDirectory() as folder:
            files = {file: path for file, path in paths.items() if path is not None and path.is_file()}
            if PRIVACY.pseudonyms is not None:
                files = {
                    name: PRIVACY.pseudonyms.scrub_file(path, Path(folder)) for name, path in files.items()
                }
            content = PRIVACY.scrub(card.read_text(encoding="utf-8"))
            return log_model(network, Card.model_validate_json(content), files)
