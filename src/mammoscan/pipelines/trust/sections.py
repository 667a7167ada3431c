"""The report's section on what an answer of the final model is worth."""

from __future__ import annotations

from typing import Any

from mammoscan.evaluation.alarms import AS_IS
from mammoscan.studies import Question

# (key, name, as a share)
OPERATION = (
    ("sensitivity", "Sensitivity: share of {positive} that is found"),
    ("specificity", "Specificity: share of the others that is left alone"),
    ("ppv", "Right when it says {positive}, at a prevalence of {prevalence}"),
    ("npv", "Right when it says the other, at a prevalence of {prevalence}"),
    ("recalled", "Share called {positive}, at a prevalence of {prevalence}"),
    ("recalls_per_found", "Number needed to recall: called {positive} for one that is"),
)


def write_trust_section(trust: dict[str, Any], question: Question) -> dict[str, Any]:
    """Say what temperature, threshold and the check for strange images are, and what each is worth."""
    tables = [_tabulate_calibration(trust)]
    if trust["threshold"] is not None:
        tables.append(_tabulate_operation(trust, question))
    tables.append(_tabulate_alarms(trust))
    return {
        "title": "Can it be trusted?",
        "paragraphs": [
            _say_calibration(trust),
            *([_say_threshold(trust, question)] if trust["threshold"] is not None else []),
            _say_familiar(trust, question),
        ],
        "tables": tables,
        "figures": ["calibration"],
    }


def say_rule(trust: dict[str, Any], positive: str) -> str:
    """Return by which rule the threshold was chosen."""
    at = trust["at"]
    return {
        "fixed": f"fixed at {at:g}",
        "sensitivity": f"the highest that finds at least {100 * at:g} % of {positive}",
        "youden": "the one with the largest sum of sensitivity and specificity",
        "cost": f"the cheapest where a miss is worth {at:g} false alarms and {_percent(trust['prevalence'])} are "
        f"{positive}",
    }[trust["rule"]]


def _say_calibration(trust: dict[str, Any]) -> str:
    temperature = trust["temperature"]
    if abs(temperature - 1) < 0.05:
        effect = "leaves the probabilities nearly as the network states them"
    elif temperature > 1:
        effect = "brings them nearer to even odds: the network is surer of itself than it is right"
    else:
        effect = "takes them farther from even odds: the network is less sure of itself than it is right"
    return (
        f"The final model's probabilities are calibrated by one temperature, {temperature:.2f}, which {effect}. It was "
        f"fitted on the {trust['samples']:,} out-of-fold predictions of {trust['patients']:,} patients, and on nothing "
        "else. Measured there it would flatter itself a little; the figures below are cross-fitted instead: each fold "
        f"is judged by the temperature of the other folds ({_say_range(trust['fold_temperatures'])})."
    )


def _say_threshold(trust: dict[str, Any], question: Question) -> str:
    rule = say_rule(trust, question.positive)
    chosen = (
        f"From a calibrated probability of {trust['threshold']:.2f} on, the final model says {question.positive}. "
        f"The rule: {rule}."
    )
    if trust["rule"] == "fixed":
        return chosen
    return (
        f"{chosen} The costs below are cross-fitted too: each fold is decided by the threshold that the other folds "
        f"give ({_say_range(trust['fold_thresholds'])}), so a rule that promises a sensitivity need not keep it. The "
        "intervals hold these thresholds as they are. The other sections of this report decide at even odds."
    )


def _say_familiar(trust: dict[str, Any], question: Question) -> str:
    return (
        "With every answer the model says whether the image looks like those that it was trained on: by its grey "
        "levels (means, spread, black, white, roughness), and by what the network makes of it before its last layer. "
        "Each is a distance from the training images, and a warning is given beyond the distance within which "
        f"{100 * trust['familiar_share']:g} % of them lie. Fitted on each fold's training side and tried on its test "
        f"side, it warned of {_percent(trust['alarms'][AS_IS]['value'])} of the {question.unit} without need. No "
        "warning does not mean that an image is suitable."
    )


def _tabulate_calibration(trust: dict[str, Any]) -> dict[str, Any]:
    sides = trust["calibration"]
    names = (("brier", "Brier score, 0 is best"), ("ece", "Calibration error, 0 is best"))
    return {
        "caption": "What calibration does, cross-fitted",
        "columns": ["", "before", "after"],
        "rows": [[name, sides["before"][key], sides["after"][key]] for key, name in names],
    }


def _tabulate_operation(trust: dict[str, Any], question: Question) -> dict[str, Any]:
    words = {"positive": question.positive, "prevalence": _percent(trust["prevalence"])}
    ways = trust["operation"]
    return {
        "caption": "What deciding costs, cross-fitted, with intervals over patients",
        "columns": ["", "at the chosen threshold", "at even odds, not calibrated"],
        "rows": [
            [name.format(**words), ways["chosen"][key], ways["even_odds"][key]] for key, name in OPERATION
        ],
    }


def _tabulate_alarms(trust: dict[str, Any]) -> dict[str, Any]:
    names = {AS_IS: "held-out images (false alarms)", "inverted": "the same inverted", "noise": "noise"}
    return {
        "caption": "Share of images that the model says it does not know",
        "columns": ["Images", "Number", "Share warned of"],
        "rows": [
            [names.get(shown, shown), measured["samples"], measured]
            for shown, measured in trust["alarms"].items()
        ],
    }


def _say_range(values: dict[str, float]) -> str:
    low, high = min(values.values()), max(values.values())
    return f"{low:.2f}" if round(low, 2) == round(high, 2) else f"{low:.2f} to {high:.2f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.3g} %"
