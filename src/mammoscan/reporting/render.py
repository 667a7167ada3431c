"""Fills the templates: the pages, the model's card, and the sentences that they share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined
from markupsafe import Markup

from mammoscan.figures.style import NOTICE, name_model
from mammoscan.number_format import (
    choose_digits,
    format_fixed,
    format_measure,
    format_share,
    is_number,
    state_share,
)

FOLDER = Path(__file__).parent / "templates"

# (measure, name, what it means in a few words)
MEASURES: tuple[tuple[str, str, str], ...] = (
    ("auc", "AUC", "how well each network ranks the samples that it was tested on; 0.5 is chance"),
    ("auc_pooled", "AUC, folds pooled", "the same over all samples, though different networks scored them"),
    ("auc_macro", "AUC, mean of labels", "each label against the others"),
    ("accuracy", "Accuracy", "share of right answers"),
    ("balanced_accuracy", "Balanced accuracy", "mean of the labels' recalls"),
    ("sensitivity", "Sensitivity", "share of {positive} that is found"),
    ("recall", "Recall", "share of {positive} that is found"),
    ("specificity", "Specificity", "share of the others that is left alone"),
    ("precision", "Precision", "share of its {positive} answers that is right"),
    ("f1", "F1", "sensitivity and precision in one"),
    ("macro_f1", "F1, mean of labels", "the same, each label counting alike"),
    ("average_precision", "Average precision", "area under the precision-recall curve"),
    ("kappa", "Kappa, quadratic weights", "agreement beyond chance; far errors weigh more"),
    ("within_one", "At most one level off", "share of answers"),
    ("r2", "R²", "share of the variance that is explained; the mean explains none"),
    ("mae", "Mean absolute error", "in the unit of what is predicted; 0 is best"),
    ("rmse", "Root mean squared error", "the same, large errors weigh more"),
    ("icc", "Intraclass correlation", "ICC(2,1): absolute agreement with the truth; 1 is best"),
    ("correlation", "Correlation", "Pearson's; blind to answers that are all too high or too low"),
    ("bias", "Bias", "predicted less true, on average"),
    ("limit_low", "Lower limit of agreement", "95 % of the differences lie above it and below the next"),
    ("limit_high", "Upper limit of agreement", "Bland and Altman's"),
    ("brier", "Brier score", "error of the probabilities; 0 is best"),
    ("log_loss", "Log loss", "error of the probabilities; 0 is best"),
    ("slope", "Calibration slope", "1 is best; below 1 the probabilities are too extreme"),
    ("intercept", "Calibration intercept", "0 is best; below 0 the probabilities are too high"),
    ("ece", "Calibration error", "how far the probabilities are off; 0 is best"),
    (
        "ece_if_calibrated",
        "Calibration error of calibrated probabilities",
        "what chance alone shows with these scores",
    ),
)


def name_measure(measure: str) -> str:
    """Return a measure's name for a reader."""
    names = {key: name for key, name, _ in MEASURES}
    return names.get(measure, measure.replace("_", " ").capitalize())


@cache
def load_environment(escape: bool) -> Environment:
    """Return what all templates share: an unknown name is an error."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        measure=_format_cell,
        count=lambda value: f"{int(value):,}",
        # A number that was estimated: two digits are all that it bears.
        round_up=lambda value: int(-(-value // (step := 10 ** max(0, len(str(int(value))) - 2))) * step),
        fixed=format_fixed,
        choose_digits=choose_digits,
        quantile=lambda values, share: float(np.quantile(values, share)),
        percent=format_share,
        stated=state_share,
    )
    environment.tests["finite"] = lambda value: not isinstance(value, Undefined) and is_number(value)
    environment.globals.update(
        name_measure=name_measure,
        name_model=name_model,
        notice=NOTICE,
        style=Markup((FOLDER / "report.css").read_text(encoding="utf-8")),
    )
    return environment


def _format_cell(value: Any) -> Any:
    """Return a measure with its interval, a number with two decimals, and anything else as it is."""
    if isinstance(value, Mapping):
        return format_measure(value)
    return format_fixed(value) if isinstance(value, float) else value


def render_page(name: str, **values: Any) -> str:
    """Return an HTML page; whatever fills it is escaped."""
    return load_environment(escape=True).get_template(name).render(**values)


def render_text(name: str, **values: Any) -> str:
    """Return plain text or Markdown."""
    return load_environment(escape=False).get_template(name).render(**values)


def say(sentence: str, *values: Any, **named: Any) -> str:
    """Return one of the sentences in ``sentences.j2``, e.g. ``say("protocol", "patient", 5)``."""
    macro = getattr(load_environment(escape=False).get_template("sentences.j2").module, sentence)
    return " ".join(str(macro(*values, **named)).split())


def say_paragraphs(section: str, **values: Any) -> tuple[str, ...]:
    """Return the paragraphs of one of the sections in ``sections.j2``."""
    macro = getattr(load_environment(escape=False).get_template("sections.j2").module, section)
    paragraphs = re.split(r"\n\s*\n", str(macro(**values)))
    return tuple(" ".join(text.split()) for text in paragraphs if text.strip())


def say_alternative(figure: str, *values: Any) -> str:
    """Return the numbers of a figure in words, for its text alternative; nothing for a figure without any."""
    macro = getattr(load_environment(escape=False).get_template("alternatives.j2").module, figure, None)
    return " ".join(str(macro(*values)).split()) if macro else ""
