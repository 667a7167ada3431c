"""What a recipe is worth among the training patients of one fold.

The trials of a search, kept by Optuna in a file so that an interrupted search goes on.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.evaluation.balance import balance_rows
from mammoscan.evaluation.splits import divide_samples, split_folds
from mammoscan.inference.predict import predict_probabilities
from mammoscan.params import (
    BalanceParams,
    Choices,
    MachineParams,
    NumberRange,
    Question,
    Recipe,
    SearchParams,
    SplitParams,
    ViewParams,
)
from mammoscan.training.engines.base import EngineError
from mammoscan.training.setup import TrainingData
from mammoscan.training.train import train_network
from mammoscan.training.validation import score_probabilities

if TYPE_CHECKING:
    import optuna


STORAGE = "trials.db"
OWN, CHOSEN = "own recipe", "chosen"

# Takes a trial's values; returns what it reached, and what is told of it besides.
Evaluate = Callable[[dict[str, Any]], tuple[float, dict[str, Any]]]


class DivergedError(Exception):
    """A trial whose training cannot go on: its recipe is bad, the search is not."""


def require_optuna() -> None:
    """Refuse a search without the package that does it."""
    if importlib.util.find_spec("optuna") is None:
        raise MammoscanError('search: found no package optuna, expected it; pip install "mammoscan[search]"')


def name_search(described: dict[str, Any]) -> str:
    """Return the name under which trials are kept: searches of other data or ranges have others."""
    return hashlib.sha256(json.dumps(described, sort_keys=True, default=str).encode()).hexdigest()[:16]


def open_search(folder: Path, name: str, search: SearchParams) -> optuna.Study:
    """Open the trials of that name, or begin them.

    A trial that a killed process left half-way is given up; it will be repeated.
    """
    require_optuna()
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # It logs each step of making its tables.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name=name,
        storage=f"sqlite:///{folder / STORAGE}",
        direction="minimize" if search.measure == "loss" else "maximize",
        load_if_exists=True,
    )
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    return study


def run_trials(
    study: optuna.Study,
    search: SearchParams,
    own: dict[str, Any],
    evaluate: Evaluate,
    *,
    fold: int = 0,
    on_trial: Callable[[int, optuna.trial.FrozenTrial], None] | None = None,
) -> None:
    """Run the trials that are still to do.

    What a trial tries depends on the seed and on the trials that ended before it, not on when the process began: an
    interrupted search tries the same as one that was not.

    Args:
        study: Those that have ended.
        search: How many there shall be, and the ranges.
        own: The study's own values, which are tried first where the ranges hold them.
        evaluate: What a trial reaches. ``DivergedError`` ends the trial without a value.
        fold: Each draws other values.
        on_trial: Called after each trial with its place and itself.
    """
    import optuna

    ranges = search.list_ranges()
    distributions = {key: distribute(values) for key, values in ranges.items()}
    tries_own = all(values.holds(own[key]) for key, values in ranges.items())
    while (done := len(list_ended(study))) < search.trials:
        seed = int(np.random.default_rng([search.seed, fold, done]).integers(2**32))
        study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=search.startup + tries_own)
        if done == 0 and tries_own and not study.get_trials(False, (optuna.trial.TrialState.WAITING,)):
            study.enqueue_trial(own)
        trial = study.ask(distributions)
        trial.set_user_attr(OWN, done == 0 and tries_own)
        started = time.time()
        try:
            value, facts = evaluate(dict(trial.params))
        except DivergedError as error:
            trial.set_user_attr("note", str(error))
            ended = study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            for key, fact in facts.items():
                trial.set_user_attr(key, fact)
            trial.set_user_attr("seconds", round(time.time() - started, 1))
            ended = study.tell(trial, value)
        if on_trial is not None:
            on_trial(done, ended)


def list_ended(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that ended, with or without a value, in their order."""
    import optuna

    ended = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return study.get_trials(deepcopy=False, states=ended)


def distribute(values: NumberRange | Choices) -> optuna.distributions.BaseDistribution:
    """Return a range in Optuna's terms."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, Choices):
        return CategoricalDistribution(values.choices)
    if values.whole:
        return IntDistribution(round(values.low), round(values.high), log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)


def tabulate_trials(study: optuna.Study, fold: int, keys: list[str]) -> pd.DataFrame:
    """Return a row a trial: its value, its recipe, what it took, and whether it is the best one."""
    ended = list_ended(study)
    valued = [trial for trial in ended if trial.value is not None]
    if not valued:
        raise MammoscanError(
            f"search, fold {fold + 1}: {len(ended)} trials ended and none with a value, expected at least one; "
            "lower search.ranges.learning_rate"
        )
    best = study.best_trial.number
    told = ("seconds", "best_epochs", "note", OWN)
    return pd.DataFrame(
        [
            {"fold": fold, "trial": place, "value": trial.value}
            | {key: trial.params[key] for key in keys}
            | {key.replace(" ", "_"): trial.user_attrs.get(key) for key in told}
            | {CHOSEN: trial.number == best}
            for place, trial in enumerate(ended)
        ]
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
                validation = sides.get("validation", np.empty(0, dtype=int))
                data = TrainingData(self._pixels, self._targets, sides["train"], validation, self._labels)
                model, history = train_network(data, recipe, self._machine, views)
            except EngineError as error:
                raise DivergedError(str(error)) from error
            answers.append(
                predict_probabilities(
                    model, self._pixels, sides["test"], recipe=recipe, views=views, machine=self._machine
                )
            )
            asked.append(sides["test"])
            epochs.append(history.best_epoch)
        scores = score_probabilities(np.concatenate(answers), self._targets[np.concatenate(asked)])
        return scores[f"val_{self._measure}"], {"best_epochs": " ".join(map(str, epochs))}
