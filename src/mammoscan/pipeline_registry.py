"""The pipelines that ``kedro run --pipeline`` knows; ``kedro run`` alone runs ``mias``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from types import ModuleType

from kedro.pipeline import Pipeline

from mammoscan.errors import MammoscanError
from mammoscan.pipelines import (
    audit,
    author,
    compare,
    evaluate,
    export,
    external,
    images,
    lockbox,
    mias,
    mias_scan,
    modelling,
    predict,
    repeats,
    reporting,
    search,
    subsamples,
    targets,
    tissue,
    trust,
)
from mammoscan.pipelines.graph import VARIANTS
from mammoscan.plugins import load_extensions
from mammoscan.studies import ABLATION, EXPERIMENTS, SIDE_CLAIM, STUDIES, Study

# Data sets with a road of their own from files to samples; every other one is a folder of image files.
ROADS: dict[str, ModuleType] = {"mias": mias}
# Studies of image files with figures or sections of their own.
OWN_PAGES: dict[str, tissue.OwnPage] = {**tissue.PAGES}


class Registry(dict[str, Pipeline]):
    """The pipelines by name; an unknown name is one line and not a traceback."""

    def __missing__(self, name: str) -> Pipeline:
        """Refuse a name that no pipeline has."""
        near = difflib.get_close_matches(name, self, n=1)
        known = f"did you mean {near[0]}?" if near else f"expected one of: {', '.join(sorted(self))}"
        raise MammoscanError(f"--pipeline {name}: there is no such pipeline; {known}")


def create_study(name: str, box: str = "", parts: Iterable[str] = ()) -> Pipeline:
    """Return one study without its data set: samples, modelling and measuring.

    Args:
        name: The study.
        box: The box of the graph that holds it; none for the study that a pipeline is named for.
        parts: Entries that its page gathers from the folds.
    """
    study = STUDIES[name]
    return (
        ROADS.get(study.dataset, images).create_samples_pipeline(study, box)
        + modelling.create_pipeline(study, box, parts)
        + reporting.create_measuring(study, box)
    )


def create_variants(article: str, names: Iterable[str]) -> Pipeline:
    """Return the variants of an article's study, all in one box and each in a box of its own in it."""
    return sum(
        (
            create_study(f"{article}.{name}", f"{VARIANTS}.{name}")
            + author.create_results(STUDIES[f"{article}.{name}"], f"{VARIANTS}.{name}")
            for name in names
        ),
        start=Pipeline([]),
    )


def list_parts(study: Study) -> tuple[str, ...]:
    """Return what a study's page gathers from its folds."""
    return reporting.PARTS if study.protocol == "author" else (*reporting.PARTS, *trust.PARTS, *repeats.PARTS)


def create_page(study: Study, figures: Iterable[str] = (), sections: Iterable[str] = ()) -> Pipeline:
    """Return a study's page, with what an answer of its final model is worth, and that model's card."""
    if study.protocol == "author":
        return trust.create_card(study) + reporting.create_page(study, figures, sections)
    page = reporting.create_page(
        study, (*figures, *trust.FIGURES), (*sections, *trust.SECTIONS, *repeats.SECTIONS)
    )
    return trust.create_trust(study) + repeats.create_pipeline(study) + trust.create_card(study) + page


def create_image_study(study: Study, data: Pipeline) -> Pipeline:
    """Return a study of image files, with its page and what is its own on it."""
    whole = data + create_study(study.name, parts=list_parts(study))
    own = OWN_PAGES.get(study.name)
    if own is None:
        return whole + create_page(study)
    return whole + own.create_pipeline(study) + create_page(study, own.figures, own.sections)


def create_search(study: Study, own: Study) -> Pipeline:
    """Return a search for the recipe of another study on its data, beside which its score is set."""
    return (
        create_study(own.name, own.name).to_outputs(
            f"{own.name}.predictions", f"{own.name}.metrics", f"{own.name}.histories"
        )
        + mias.create_samples_pipeline(study)
        + search.create_pipeline(study, own, reporting.PARTS)
        + reporting.create_measuring(study)
        + reporting.create_page(study, search.FIGURES, search.SECTIONS)
    )


def register_pipelines() -> dict[str, Pipeline]:
    """Return every pipeline by its name."""
    load_extensions()
    data = mias.create_data_pipeline("mias")
    first, *others = EXPERIMENTS
    pipelines = {
        name: data
        + create_study(name, parts=list_parts(STUDIES[name]))
        + mias.create_figures_pipeline(STUDIES[name])
        + create_page(STUDIES[name], mias.FIGURES)
        for name in ("mias", "mias_normal")
    }
    networks = [f"mias_normal.fold_{number}.model" for number in range(STUDIES["mias_normal"].folds)]
    pipelines["mias_scan"] = (data + create_study("mias_normal")).to_outputs(
        *networks
    ) + mias_scan.create_pipeline(STUDIES["mias_normal"])
    pipelines["mias_search"] = data + create_search(STUDIES["mias_search"], STUDIES["mias"])
    pipelines["mias_author"] = (
        data
        + create_study("mias_author")
        + create_variants("mias_author", (*ABLATION, SIDE_CLAIM))
        + author.create_ablation_page()
        + trust.create_card(STUDIES["mias_author"])
    )
    pipelines["mias_author_all"] = (
        data
        + create_study(f"mias_author_all.{first}")
        + create_variants("mias_author_all", others)
        + author.create_experiments_page()
    )
    image_studies = [study for study in STUDIES.values() if study.dataset not in ROADS]
    folders = {
        study.dataset: (
            images.create_own_data_pipeline(study.name)
            if study.own_images
            else images.create_data_pipeline(study.dataset)
        )
        for study in image_studies
    }
    for study in image_studies:
        pipelines[study.name] = (
            create_image_study(study, folders[study.dataset])
            if study.kind == "classes"
            else folders[study.dataset] + targets.create_pipeline(study)
        )
    for study in STUDIES.values():
        if (
            study.protocol == "patient"
            and study.kind == "classes"
            and study.name in pipelines
            and study.name != "mias_search"
        ):
            pipelines[f"{study.name}_lockbox"] = lockbox.create_pipeline(study)
    pipelines["subsamples"] = subsamples.create_pipeline()
    pipelines["predict"] = predict.create_pipeline()
    pipelines["export"] = export.create_pipeline()
    pipelines["compare"] = compare.create_pipeline()
    pipelines["audit"] = audit.create_pipeline()
    pipelines["external"] = external.create_pipeline()
    pipelines["evaluate"] = evaluate.create_pipeline()
    return Registry({"__default__": pipelines["mias"], **pipelines})
