from __future__ import annotations

from collections.abc import Callable

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.graph import (
    DATASET_ENTRIES,
    FOLDS,
    REPORT,
    RUN_ENTRIES,
    join_boxes,
    prefix_entry,
    rename_entries,
)
from mammoscan.pipelines.mias_scan import nodes
from mammoscan.studies import Study

NAME = "mias_scan"
# What the study of windows has, all of it or each fold by itself.
STUDY_ENTRIES = (
    "samples",
    *(f"params:{name}" for name in ("question", "crop", "training", "evaluation")),
)
FOLD_ENTRIES = ("model", "rows")


def create_pipeline(study: Study) -> Pipeline:
    """Return what reads whole scans with the folds' networks of a study of windows, and measures the findings.

    Args:
        study: Says whether a window is normal; its folds' models and rows are inputs.
    """
    tables = {
        f"{kind}_{number}": f"fold_{number}.{entry}"
        for kind, entry in (("findings", "findings"), ("scans", "scans_read"))
        for number in range(study.folds)
    }
    measuring = [
        Node(
            nodes.gather_findings,
            {"samples": "samples", "question": "params:question", **tables},
            ["findings", "matched_regions", "scans_read"],
            name="gather_findings",
        ),
        Node(
            nodes.measure_findings,
            ["findings", "matched_regions", "scans_read", "params:evaluation"],
            "froc",
            name="measure_findings",
        ),
    ]
    page = [
        Node(nodes.draw_froc, ["raw", "froc"], "froc_figure", name="draw_froc"),
        Node(
            nodes.draw_findings,
            ["raw", "scans", "findings", "matched_regions", "froc"],
            "findings_figure",
            name="draw_findings",
        ),
        Node(
            nodes.write_froc_page,
            ["raw", "froc", "froc_figure", "findings_figure"],
            "report",
            name="write_froc_page",
        ),
    ]
    folds = [_create_fold(study, number) for number in range(study.folds)]
    whole = rename_entries(measuring, _name_entries(study), "") + rename_entries(
        page, _name_entries(study), REPORT
    )
    return sum(folds, start=whole)


def _create_fold(study: Study, number: int) -> Pipeline:
    node = Node(
        nodes.read_scans,
        [
            *("model", "samples", "rows", "raw", "scans", "params:question", "params:crop"),
            *("params:training", "params:reading", "params:train"),
        ],
        ["findings", "scans_read"],
        name="read_scans",
    )
    return rename_entries([node], _name_entries(study, number), join_boxes(FOLDS, f"fold_{number}"))


def _name_entries(study: Study, fold: int | None = None) -> Callable[[str], str]:
    def name_entry(name: str) -> str:
        if name in RUN_ENTRIES:
            return name
        if name in DATASET_ENTRIES:
            return prefix_entry(name, study.dataset)
        if name in STUDY_ENTRIES:
            return prefix_entry(name, study.name)
        own = "" if fold is None else f".fold_{fold}"
        return prefix_entry(
            name, f"{study.name if name in FOLD_ENTRIES else NAME}{'' if name.startswith('params:') else own}"
        )

    return name_entry
