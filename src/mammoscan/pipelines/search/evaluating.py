"""What a recipe is worth among the training patients of one fold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mammoscan.evaluation.balance import balance_rows
from mammoscan.evaluation.splits import divide_samples, split_folds
from mammoscan.learning.engines.interface import EngineError
from mammoscan.learning.fit import train_network
from mammoscan.learning.predict import predict_probabilities
from mammoscan.learning.scoring import score_probabilities
from mammoscan.pipelines.search.trials import DivergedError
from mammoscan.studies import (
    BalanceParams,
    MachineParams,
    Question,
    Recipe,
    SearchParams,
    SplitParams,
    ViewParams,
)


class InnerFolds:
    """A fold's training patients, divided once more; every trial is measured on the same division."""

    def __init__(
        self,
        samples: pd.DataFrame,
        pixels: np.ndarray,
        rows: pd.DataFrame,
        question: Question,
        split: SplitParams,
        balance: BalanceParams,
        machine: MachineParams,
        search: SearchParams,
    ) -> None:
        """Divide the rows that train or validate; those that test are left out.

        Args:
            samples: All samples.
            pixels: Their images.
            rows: The outer fold's rows.
            question: The labels.
            split: What stays together, and the share that chooses the epoch.
            balance: How an inner training side is made even.
            machine: On what it is computed.
            search: The number of inner folds, the measure and the seed.
        """
        self.rows = rows[rows["role"].isin(["train", "validation"])]
        inner = split.model_copy(update={"folds": search.inner_folds, "seed": search.seed, "file": None})
        folds = divide_samples(samples, inner, search.inner_folds, pool=set(self.rows["sample_id"]))
        self._folds = [balance_rows(part, samples, balance) for part in split_folds(folds).values()]
        self._targets = samples["target"].to_numpy()
        self._pixels, self._labels = pixels, len(question.labels)
        self._machine = machine.model_copy(update={"resume": False})
        self._measure = search.measure

    def evaluate(self, recipe: Recipe, views: ViewParams) -> tuple[float, dict[str, Any]]:
        """Train on each inner fold and measure the answers on all inner test sides together.

        Returns:
            The measure, and the best epoch of each inner fold.
        """
        answers, asked, epochs = [], [], []
        for rows in self._folds:
            sides = {role: part["row"].to_numpy(dtype=int) for role, part in rows.groupby("role")}
            try:
                model, history = train_network(
                    self._pixels,
                    self._targets,
                    sides["train"],
                    sides.get("validation", np.empty(0, dtype=int)),
                    n_labels=self._labels,
                    recipe=recipe,
                    machine=self._machine,
                    views=views,
                )
            except EngineError as error:
                raise DivergedError(str(error)) from error
            answers.append(
                predict_probabilities(
                    model, self._pixels, sides["test"], recipe=recipe, views=views, machine=self._machine
                )
            )
            asked.append(sides["test"])
            epochs.append(history["best_epoch"])
        scores = score_probabilities(np.concatenate(answers), self._targets[np.concatenate(asked)])
        return scores[f"val_{self._measure}"], {"best_epochs": " ".join(map(str, epochs))}
