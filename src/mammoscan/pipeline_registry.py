"""The pipelines that ``kedro run --pipeline`` knows; ``kedro run`` alone runs ``mias``."""

from __future__ import annotations

import difflib

from kedro.pipeline import Pipeline

from mammoscan.errors import MammoscanError
from mammoscan.pipelines import author, mias, modelling, reporting
from mammoscan.studies import ABLATION, EXPERIMENTS, SIDE_CLAIM, STUDIES


class Registry(dict[str, Pipeline]):
    """The pipelines by name; an unknown name is one line and not a traceback."""

    def __missing__(self, name: str) -> Pipeline:
        """Refuse a name that no pipeline has."""
        near = difflib.get_close_matches(name, self, n=1)
        known = f"did you mean {near[0]}?" if near else f"expected one of: {', '.join(sorted(self))}"
        raise MammoscanError(f"--pipeline {name}: there is no such pipeline; {known}")


def create_study(name: str) -> Pipeline:
    """Return one study without its data set: samples, modelling and measuring."""
    study = STUDIES[name]
    return (
        mias.create_samples_pipeline(study)
        + modelling.create_pipeline(study)
        + reporting.create_measuring(study)
    )


def register_pipelines() -> dict[str, Pipeline]:
    """Return every pipeline by its name."""
    data = mias.create_data_pipeline("mias")
    ablation = sum(
        (create_study(f"mias_author.{name}") for name in (*ABLATION, SIDE_CLAIM)), start=Pipeline([])
    )
    experiments = sum((create_study(f"mias_author_all.{name}") for name in EXPERIMENTS), start=Pipeline([]))
    pipelines = {
        name: data
        + create_study(name)
        + mias.create_figures_pipeline(STUDIES[name])
        + reporting.create_page(STUDIES[name], mias.FIGURES)
        for name in ("mias", "mias_normal")
    }
    pipelines["mias_author"] = data + create_study("mias_author") + ablation + author.create_ablation_page()
    pipelines["mias_author_all"] = data + experiments + author.create_experiments_page()
    return Registry({"__default__": pipelines["mias"], **pipelines})
