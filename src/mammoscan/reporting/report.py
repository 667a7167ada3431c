"""One self-contained HTML page from a study's results."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
from markupsafe import Markup

from mammoscan.figures.style import MODEL_NAMES, STAMPS, name_model
from mammoscan.number_format import format_share, is_number
from mammoscan.reporting import verdicts
from mammoscan.reporting.captions import CAPTIONS
from mammoscan.reporting.cells import pick_gallery
from mammoscan.reporting.division import Division, find_division, name_division
from mammoscan.reporting.embed import embed_png, embed_text, measure_png
from mammoscan.reporting.facts import Picture, ReportContent
from mammoscan.reporting.render import FOLDER, MEASURES, name_measure, render_page, say, say_alternative
from mammoscan.safe_text import defuse_formula

NUMBER_COLUMNS = ("Model", "Measure", "Value", "Low", "High", "Interval")


def build_report(content: ReportContent) -> str:
    """Return the report as one HTML page that needs no other file and no network; its script only folds and copies.

    Args:
        content: All that it says; sections without content are left out.
    """
    division = find_division(content.protocol, content.data.patients_known, content.audit)
    if not content.data.patients_known:
        # Groups of images that look alike are no patients.
        content = replace(
            content, metrics={name: {**rows, "patients": None} for name, rows in content.metrics.items()}
        )
    measures = content.metrics.get("cnn", {})
    measure = measures.get(content.headline) or {}
    chance = verdicts.find_chance(content.metrics, content.headline)
    leaking = content.protocol == "author" or verdicts.find_leak(content.audit)
    tone = verdicts.find_tone(measure, chance, leaking)
    verdict = say("verdict", tone, measure, chance)
    # Above chance is no praise where a simple model does as well.
    best = verdicts.find_best_baseline(content.metrics, content.headline)
    if tone == "good" and _is_matched(best, measure):
        tone = "doubt"
    sentence = say(
        "headline", content.headline, measures, content.unit, division, content.level, content.audit
    )
    numbers = _tabulate_numbers(content)
    script = (FOLDER / "report.js").read_text(encoding="utf-8")
    return render_page(
        "report.html.j2",
        content=content,
        script=Markup(script),
        script_hash="sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        gallery=pick_gallery(content.cells),
        silent=list_silences(content, division),
        roc_alt=say_alternative("roc", content),
        number_columns=NUMBER_COLUMNS,
        number_rows=numbers,
        numbers_csv=_write_csv(numbers),
        checklist_file=embed_text(content.checklist, "text/markdown") if content.checklist else "",
        methods_text=say("methods", content, sentence, division),
        citation_text=say("citation", content),
        banner=(STAMPS.get(content.data.kind, ""), say("banner", content.data.kind)),
        headline={
            "name": name_measure(content.headline),
            "measure": measure,
            "shown": f"{measure['value']:.2f}" if is_number(measure.get("value")) else "–",
            "bar": _scale_bar(measure, chance),
            "tone": tone,
            "sentence": sentence,
            "meaning": say("meaning", content.headline, measure.get("value"), content.positive),
            "verdict": verdict,
            "baselines": verdicts.say_baselines(content.metrics, content.headline, content.difference),
        },
        folds=verdicts.say_folds(measures),
        calibration_measures={
            name_measure(key): value
            for key, value in content.calibration.get("cnn", {}).items()
            if isinstance(value, Mapping)
        },
        subgroup_rows=_tabulate_subgroups(content),
        protocol=say("protocol", division, content.folds, content.audit, content.headline),
        division=name_division(division, content.audit),
        data=say("score_table" if division == "scores" else "data", content.data),
        duration=say("duration", content.seconds) if content.seconds is not None else "",
        pictures={
            name: embed_picture(name, picture, _say_numbers(content, name))
            for name, picture in content.figures.items()
        },
        known=list(CAPTIONS),
        placed=[name for section in content.sections.values() for name in section.figures],
        models=_order_models(content.metrics),
        measure_rows=_tabulate_measures(content),
        audit_rows=_tabulate_audit(content.audit),
        classification_rows=_tabulate_classification(content.classification),
        count_table=_tabulate_counts(content.counts),
        counted="each class's images in a training side, the mean of the folds"
        if content.folds > 1
        else "each class's images",
        left_out="Images that were left out"
        if content.data.unit == "images"
        else "Rows of the notes that became no sample",
        parameters=_flatten(content.parameters),
        experiment_measures=_list_measures(content.experiments),
        ablation_measures=_list_measures(content.ablation),
    )


def _is_matched(best: tuple[str, Mapping[str, Any]] | None, measure: Mapping[str, Any]) -> bool:
    return best is not None and is_number(measure.get("value")) and best[1]["value"] >= measure["value"]


def _scale_bar(measure: Mapping[str, Any], chance: float | None) -> dict[str, float | None] | None:
    """Return the headline's place on a scale from 0 to 1 in percent, or None where it has no interval."""
    if not all(is_number(measure.get(key)) for key in ("value", "low", "high")):
        return None
    places = {key: 100 * min(1.0, max(0.0, float(measure[key]))) for key in ("value", "low", "high")}
    return {**places, "chance": None if chance is None else 100 * chance}


def embed_picture(name: str, picture: bytes | Picture, numbers: str = "") -> dict[str, Any]:
    """Return what a page needs to show a picture within itself: its data, size and words.

    Args:
        name: The figure's name.
        picture: Its PNG, or a picture with words of its own.
        numbers: What its text alternative says besides the caption.
    """
    whole = picture if isinstance(picture, Picture) else Picture(picture)
    caption = whole.caption or CAPTIONS.get(name, name.replace("_", " ").capitalize())
    width, height = measure_png(whole.png)
    return {
        "uri": embed_png(whole.png),
        "caption": caption,
        "alt": whole.alt or f"{caption} {numbers}".strip(),
        "width": width,
        "height": height,
    }


def _say_numbers(content: ReportContent, name: str) -> str:
    """Return the numbers of a figure for those who cannot see it; of a section's own figure, its first table."""
    for section in content.sections.values():
        if name in section.figures and section.tables:
            return say_alternative("table", content, section.tables[0])
    return say_alternative(name, content)


def _tabulate_numbers(content: ReportContent) -> list[list[str]]:
    """Return one row per model and measure, with enough digits to calculate with."""
    rows = []
    for model in _order_models(content.metrics):
        for name, measure in content.metrics[model].items():
            if isinstance(measure, Mapping) and "value" in measure:
                ends = (measure.get(key) for key in ("value", "low", "high"))
                values = [f"{float(end):.6g}" if is_number(end) else "" for end in ends]  # type: ignore[arg-type]
                rows.append([name_model(model), name_measure(name), *values, str(measure.get("method", ""))])
    return rows


def _write_csv(rows: Sequence[Sequence[str]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(NUMBER_COLUMNS)
    writer.writerows([[defuse_formula(cell) for cell in row] for row in rows])
    return embed_text(file.getvalue(), "text/csv")


def list_silences(content: ReportContent, division: Division) -> list[str]:
    """Return what the headline does not say, in at most three sentences."""
    found = [say("silence_data", content.data.kind), say("silence_protocol", division)]
    return [sentence for sentence in [*found, *content.limits] if sentence][:3]


def _order_models(metrics: Mapping[str, Any]) -> list[str]:
    known = [model for model in MODEL_NAMES if model in metrics]
    return known + [model for model in metrics if model not in known]


def _tabulate_measures(content: ReportContent) -> list[dict[str, Any]]:
    """Return a row a measure that any model has, the known ones first."""
    present = dict.fromkeys(
        name
        for measures in content.metrics.values()
        for name, measure in measures.items()
        if isinstance(measure, Mapping) and "value" in measure
    )
    meanings = {key: meaning.format(positive=content.positive) for key, _, meaning in MEASURES}
    ordered = [key for key in meanings if key in present] + [key for key in present if key not in meanings]
    return [
        {
            "name": name_measure(key),
            "meaning": meanings.get(key, ""),
            "cells": [content.metrics[model].get(key) for model in _order_models(content.metrics)],
        }
        for key in ordered
    ]


def _tabulate_audit(audit: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    names = (
        ("exact", "is there byte for byte"),
        ("near", "is there or nearly so (brightness, compression, size, crop, slight turn)"),
        ("views", "is there as it is, turned or mirrored"),
        ("region", "has another image of its region there"),
        ("source", "has another image of its scan there"),
        ("patient", "has another image of its patient there"),
    )
    # Where every image is a file of its own, these two only say so.
    left_out = ("region", "source") if audit.get("sources", -1) == audit.get("images") else ()
    return [
        (name, int(audit[key]["count"]), format_share(audit[key]["share"], audit.get("test_images")))
        for key, name in names
        if isinstance(audit.get(key), Mapping) and key not in left_out
    ]


def _tabulate_classification(report: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Return the rows of scikit-learn's report: precision, recall, F1 and number of samples."""
    rows = []
    for name, row in report.items():
        if isinstance(row, Mapping):
            values = [f"{row[key]:.2f}" for key in ("precision", "recall", "f1-score")]
            rows.append((name, [*values, f"{int(row['support']):,}"]))
        elif is_number(row):
            rows.append((name, ["", "", f"{row:.2f}", ""]))
    return rows


def _tabulate_subgroups(content: ReportContent) -> list[dict[str, Any]]:
    """Return the network's headline measure in each subgroup, by all that divides them so that it can be measured."""
    table = content.subgroups
    if table is None or table.empty:
        return []
    chosen = table[(table["model"] == "cnn") & (table["metric"] == content.headline)]
    # Within a tumour type, for one, all images have one label: then there is nothing to tell.
    chosen = chosen[chosen["value"].notna().groupby(chosen["by"]).transform("any")]
    # A table has NaN where there is no remark.
    rows = [{str(key): value for key, value in row.items()} for row in chosen.to_dict("records")]
    return [row | {"note": note if isinstance(note := row.get("note"), str) else ""} for row in rows]


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return parameters as texts by their dotted names, as they are written in a configuration."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        elif value is None or isinstance(value, bool):
            flat[f"{prefix}{key}"] = {None: "null", True: "true", False: "false"}[value]
        elif isinstance(value, list | tuple):
            flat[f"{prefix}{key}"] = ", ".join(map(str, value)) or "none"
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat


def _tabulate_counts(counts: pd.DataFrame | None) -> dict[str, Any] | None:
    if counts is None or counts.empty:
        return None
    return {"columns": [str(column) for column in counts.columns], "rows": counts.to_numpy().tolist()}


def _list_measures(rows: Any) -> list[str]:
    return list(
        dict.fromkeys(key for row in rows for key, value in row.items() if isinstance(value, Mapping))
    )
