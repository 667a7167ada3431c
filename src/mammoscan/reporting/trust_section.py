"""The report's section on what an answer of the final model is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mammoscan.evaluation.calibration import COLDEST, HOTTEST
from mammoscan.evaluation.out_of_distribution import AS_IS
from mammoscan.number_format import format_measure, format_share, is_number, state_share
from mammoscan.params import Question
from mammoscan.records.section import Section
from mammoscan.reporting.render import name_measure

# (key, name, as a share)
OPERATION = (
    ("sensitivity", "Sensitivity: share of {positive} that is found"),
    ("specificity", "Specificity: share of the others that is left alone"),
    ("ppv", "Right when it says {positive}, at a prevalence of {prevalence}"),
    ("npv", "Right when it says the other, at a prevalence of {prevalence}"),
    ("recalled", "Share called {positive}, at a prevalence of {prevalence}"),
    ("recalls_per_found", "Number needed to recall: called {positive} for one that is"),
)


CALIBRATION = ("brier", "slope", "intercept", "ece", "ece_if_calibrated")


def write_trust_section(trust: dict[str, Any], question: Question) -> Section:
    """Say what temperature, threshold and the out-of-distribution check are, and what each is worth."""
    tables = [_tabulate_calibration(trust)]
    if trust["threshold"] is not None:
        tables.append(_tabulate_operation(trust, question))
    tables.append(_tabulate_out_of_distribution(trust))
    section = {
        "title": "Can it be trusted?",
        "paragraphs": [
            _say_calibration(trust),
            *([_say_threshold(trust, question)] if trust["threshold"] is not None else []),
            _say_out_of_distribution(trust, question),
        ],
        "tables": tables,
        "figures": ["calibration"],
    }
    return Section.model_validate(section)


def say_rule(trust: Mapping[str, Any], positive: str) -> str:
    """Return by which rule the threshold was chosen."""
    at = trust["at"]
    return {
        "fixed": f"fixed at {at:g}",
        "sensitivity": f"the highest that finds at least {100 * at:g} % of {positive}",
        "youden": "the one with the largest sum of sensitivity and specificity",
        "cost": f"the cheapest where a miss is worth {at:g} false alarms and {state_share(trust['prevalence'])} are "
        f"{positive}",
    }[trust["rule"]]


def _say_calibration(trust: dict[str, Any]) -> str:
    fitted, change = trust["fitted_temperature"], trust["log_loss_change"]
    temperature = format_measure(fitted)
    basis = (
        f"One temperature was fitted on the {trust['samples']:,} out-of-fold predictions of {trust['patients']:,} "
        f"patients: {temperature}.{_say_degenerate(fitted['value'])}"
    )
    crossed = f"changes the log loss by {format_measure(change, 3)}, each fold measured with that of the other folds"
    if trust["temperature"] == 1:
        return (
            f"{basis} It {crossed}: no clear gain, so the final model states its probabilities as they are "
            f"(temperature 1). {say_slope(trust['calibration']['before'])}"
        )
    effect = (
        "brings them nearer to even odds: the networks were surer of themselves than they were right"
        if trust["temperature"] > 1
        else "takes them farther from even odds: the networks were less sure of themselves than they were right"
    )
    return (
        f"{basis} It {crossed}: a clear gain, so it goes with the final model. It {effect}. "
        f"{say_slope(trust['calibration']['after'])} It was fitted on other networks than the one that it goes with: "
        "those of the folds, which learnt from fewer patients."
    )


def _say_degenerate(temperature: float | None) -> str:
    """Say that a temperature at the end of the searched range is none; nothing for any other."""
    if temperature is None or COLDEST * 1.05 < temperature < HOTTEST / 1.05:
        return ""
    meaning = (
        "no temperature helps, because the probabilities say hardly anything about the labels"
        if temperature > 1
        else "the predictions are all but perfect, too few mistakes to fit it to"
    )
    return f" It is degenerate, at the end of the range from {COLDEST:g} to {HOTTEST:g} that was searched: {meaning}."


def say_slope(calibration: dict[str, Any]) -> str:
    """Say what the calibration slope and the calibration error tell of the probabilities as they are given."""
    slope, error, band = (calibration[key] for key in ("slope", "ece", "ece_if_calibrated"))
    said = []
    if is_number(slope["low"]) and is_number(slope["high"]):
        found = f"The calibration slope is {format_measure(slope)}"
        if slope["high"] < 1:
            said.append(f"{found}: the probabilities are too extreme.")
        elif slope["low"] > 1:
            said.append(f"{found}: the probabilities are not extreme enough.")
        elif slope["low"] <= 0:
            said.append(
                f"{found}: it includes 1, that of calibrated probabilities, and 0, that of scores that say nothing."
            )
        else:
            said.append(f"{found}, which includes 1, that of calibrated probabilities.")
    beyond = error["value"] > band["high"]
    said.append(
        f"The calibration error is {error['value']:.2f}; calibrated probabilities would show "
        f"{band['low']:.2f} to {band['high']:.2f} here, so it is {'more than' if beyond else 'no more than'} chance "
        "explains."
    )
    return " ".join(said)


def _say_threshold(trust: dict[str, Any], question: Question) -> str:
    rule, on_these, operation = (
        say_rule(trust, question.positive),
        trust["operation"]["on_these"],
        trust["operation"],
    )
    chosen = (
        f"From a probability of {trust['threshold']:.2f} on, the final model says {question.positive}. "
        f"The rule: {rule}."
    )
    if trust["rule"] == "fixed":
        return chosen
    return (
        f"{chosen} On these patients, by whom it was chosen, the sensitivity is "
        f"{format_share(on_these['sensitivity'])} and the specificity {format_share(on_these['specificity'])}; "
        f"expected on new ones, with intervals over patients, are {say_share(operation['chosen']['sensitivity'])} and "
        f"{say_share(operation['chosen']['specificity'])}. For that, each fold was decided by the threshold of the "
        f"other folds ({say_range(trust['fold_thresholds'])}), and the threshold was chosen again in each resample "
        "of the patients. The other sections of this report decide at even odds."
    )


def say_share(measure: dict[str, Any]) -> str:
    """Return a share in per cent with its interval."""
    if not (is_number(measure["low"]) and is_number(measure["high"])):
        return format_share(measure["value"])
    return f"{format_share(measure['value'])} ({format_share(measure['low'])} to {format_share(measure['high'])})"


def _say_out_of_distribution(trust: dict[str, Any], question: Question) -> str:
    return (
        "With every answer the model says whether the image is out of distribution, that is, unlike those that it was "
        "trained on: by its grey levels (means, spread, black, white, roughness), and by its embedding, the values "
        "before the network's last layer. Each is a distance from the training images, and an image is flagged "
        f"beyond the distance within which {100 * trust['in_distribution_share']:g} % of them lie. Fitted on each "
        "fold's training side and tried on its test side, it wrongly flagged "
        f"{format_share(trust['out_of_distribution'][AS_IS]['value'])} of the {question.unit}. An image that is not "
        "flagged may be unsuitable all the same."
    )


def _tabulate_calibration(trust: dict[str, Any]) -> dict[str, Any]:
    sides = trust["calibration"]
    return {
        "caption": "What the fitted temperature does, cross-fitted",
        "columns": ["", "as the networks state them", "with the temperature"],
        "rows": [[name_measure(key), sides["before"][key], sides["after"][key]] for key in CALIBRATION],
    }


def _tabulate_operation(trust: dict[str, Any], question: Question) -> dict[str, Any]:
    words = {"positive": question.positive, "prevalence": state_share(trust["prevalence"])}
    ways = trust["operation"]
    return {
        "caption": "What deciding costs on new patients, cross-fitted",
        "columns": ["", "at the chosen threshold", "at even odds, not calibrated"],
        "rows": [
            [name.format(**words), ways["chosen"][key], ways["even_odds"][key]] for key, name in OPERATION
        ],
    }


def _tabulate_out_of_distribution(trust: dict[str, Any]) -> dict[str, Any]:
    names = {AS_IS: "held-out images (flagged wrongly)", "inverted": "the same inverted", "noise": "noise"}
    return {
        "caption": "Share of images flagged as out of distribution",
        "columns": ["Images", "Number", "Share flagged"],
        "rows": [
            [names.get(shown, shown), measured["samples"], measured]
            for shown, measured in trust["out_of_distribution"].items()
        ],
    }


def say_range(values: dict[str, float]) -> str:
    """Return the range of the folds' thresholds."""
    low, high = min(values.values()), max(values.values())
    return f"{low:.2f}" if round(low, 2) == round(high, 2) else f"{low:.2f} to {high:.2f}"
