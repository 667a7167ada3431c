"""The command ``mammoscan``; ``mammoscan.cli`` is what Kedro takes for commands of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mammoscan import __version__

if TYPE_CHECKING:
    from mammoscan.serving.classifier import Classifier, Runtime

SHOW_DEFAULTS = {"show_default": True}
FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="mammoscan %(version)s")
def main() -> None:
    """Use the models that `kedro run` trains."""


@main.command(context_settings=SHOW_DEFAULTS)
@click.option("--study", required=True, help="The study whose model answers, e.g. mias.")
@click.option(
    "--model", default="latest", help="latest, an MLflow run's id, models:/… or a packaged model's folder."
)
@click.option("--host", default="127.0.0.1", help="Where to listen. 0.0.0.0 lets other machines in.")
@click.option("--port", default=8000, type=click.IntRange(0, 65535), help="0 takes any free one.")
@click.option("--runtime", default="keras", type=click.Choice(["keras", "onnx"]), help="What computes.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="A host name of the service; repeatable.")
@click.option(
    "--require-signature", type=FILE, metavar="KEY", help="Public key that must have signed the model."
)
@click.option("--feedback", type=FILE, help="CSV file for ratings of answers. [default: none are kept]")
@click.option("--max-images", default=32, type=click.IntRange(1), help="In one request.")
@click.option(
    "--max-megabytes", default=64.0, type=click.FloatRange(0, min_open=True), help="Of one request."
)
@click.option("--max-megapixels", default=50.0, type=click.FloatRange(0, min_open=True), help="Of one image.")
@click.option("--max-seconds", default=60.0, type=click.FloatRange(0, min_open=True), help="For one request.")
@click.option(
    "--max-waiting", default=128, type=click.IntRange(1), help="Images at one time; more get status 503."
)
@click.option("--max-connections", default=512, type=click.IntRange(1), help="Open at one time.")
@click.option("--batch", default=16, type=click.IntRange(1), help="Maximum images in one call of the model.")
def serve(
    study: str,
    model: str,
    host: str,
    port: int,
    runtime: Runtime,
    allow_host: tuple[str, ...],
    require_signature: Path | None,
    feedback: Path | None,
    max_images: int,
    max_megabytes: float,
    max_megapixels: float,
    max_seconds: float,
    max_waiting: int,
    max_connections: int,
    batch: int,
) -> None:
    """Serve a study's model: a web page at /, and POST /predict for programs."""
    from mammoscan.serving.limits import ServiceLimits
    from mammoscan.serving.server import is_private, name_address, run_server, take_port

    limits = ServiceLimits(
        images=max_images,
        megabytes=max_megabytes,
        megapixels=max_megapixels,
        seconds=max_seconds,
        waiting=max(max_waiting, max_images),
        batch=batch,
        connections=max_connections,
    )
    listener = take_port(host, port)
    classifier = open_classifier(study, model, runtime, require_signature)

    from mammoscan.serving.app import create_app

    def announce() -> None:
        card = classifier.card
        about = f"{card.study}, model {card.run_id}, trained on {card.data} data, protocol {card.protocol}"
        click.echo(f"Mammoscan listens on {name_address(listener)} ({about}). Ctrl-C ends it.")
        if not is_private(listener):
            click.echo("Every machine that reaches this one can use it: there is no password.", err=True)

    app = create_app(classifier, limits, allowed_hosts=(*allow_host, host), feedback=feedback)
    run_server(app, listener, limits, announce)


@main.command(context_settings=SHOW_DEFAULTS)
@click.argument("name")
@click.option("--images", metavar="PATH", help="Folder of images, a .zip or .tar.gz, or an http(s) address.")
@click.option(
    "--table", metavar="FILE", help="CSV, TSV, Parquet, JSON Lines or Excel table: one row per image."
)
@click.option("--image", metavar="COLUMN", help="The table's column of paths.")
@click.option("--label", metavar="COLUMN", help="The table's column of labels.")
@click.option("--patient", metavar="COLUMN", help="The table's column of patients.")
@click.option(
    "--label-from", metavar="WAY", help="folder, folder:2, path:REGEX, column:NAME or tag:NAME (DICOM)."
)
@click.option(
    "--patients",
    metavar="WAY",
    help="A regular expression on the path, folder:2, column:NAME, tag:NAME, or unknown.",
)
@click.option(
    "--labels", metavar="MAP", help="Which labels, and what the data call them: 'normal=0;ill=1,2'."
)
@click.option(
    "--question",
    type=click.Choice(["labels", "number", "levels"]),
    help="What is predicted; levels are labels in an order. [default: labels, or a number where there are many]",
)
@click.option("--levels", metavar="ORDER", help="The levels, the lowest first: 'low<middle<high'.")
@click.option("--measured-in", default="", metavar="UNIT", help="The unit of a number, e.g. years.")
@click.option("--positive", metavar="LABEL", help="The label whose recall matters.")
@click.option(
    "--recipe",
    default="laptop",
    type=click.Choice(["laptop", "pretrained"]),
    help="What is trained, and at which size.",
)
@click.option("--folds", type=click.IntRange(2, 20), help="[default: 2 to 10, by the number of patients]")
@click.option("--replace", is_flag=True, help="Write over the study's file.")
@click.option("--look", is_flag=True, help="Look at the images and write the page, but no study.")
def new(
    name: str,
    images: str | None,
    table: str | None,
    image: str | None,
    label: str | None,
    patient: str | None,
    label_from: str | None,
    patients: str | None,
    labels: str | None,
    question: str | None,
    levels: str | None,
    measured_in: str,
    positive: str | None,
    recipe: str,
    folds: int | None,
    replace: bool,
    look: bool,
) -> None:
    """Make a study NAME of your own images: look at them, and write its one file of parameters."""
    import sys

    from mammoscan import new_study
    from mammoscan.errors import MammoscanError
    from mammoscan.plugins import load_extensions
    from mammoscan.resolvers import find_project_root

    load_extensions()
    root = Path(find_project_root())
    file = root / "conf" / "base" / f"parameters_{name}.yml"
    if file.exists() and not (replace or look):
        raise MammoscanError(
            f"{file} is there already; pass --replace to write it anew, or choose another name"
        )
    wishes = new_study.Wishes(
        name=name,
        images=images,
        table=table,
        image_column=image,
        label_from=label_from or (f"column:{label}" if label else None),
        patient_from=new_study.read_patients(patients) or (f"column:{patient}" if patient else None),
        labels=labels,
        positive=positive,
        recipe=recipe,
        folds=folds,
        question=question,
        levels=levels,
        measured_in=measured_in,
    )
    folder = root / "data" / "01_raw" / name
    words = ["new", name, *sys.argv[3:]] if sys.argv[1:3] == ["new", name] else ["new", *sys.argv[2:]]
    try:
        found = new_study.examine_images(wishes, folder)
    except new_study.AmbiguousError as error:
        if not sys.stdin.isatty() or not error.candidates:
            raise
        wishes = new_study.ask_for_patients(wishes, error.candidates)
        words += ["--patients", str(wishes.patient_from)]
        found = new_study.examine_images(wishes, folder)
    block = new_study.write_block(found, wishes, new_study.quote_command(words))
    page = root / "data" / "08_reporting" / name / "images.html"
    new_study.write_page(found, name, block, page)
    for line in new_study.describe_findings(found):
        click.echo(line)
    click.echo(f"page: {page}")
    if look:
        return
    file.write_text(block, encoding="utf-8")
    click.echo(f"study: {file}")
    click.echo(f"run it: kedro run --pipeline {name}")


@main.command(context_settings=SHOW_DEFAULTS)
@click.option("--model", required=True, help="An MLflow run's id, models:/… or a packaged model's folder.")
@click.option("--source", required=True, metavar="PATH", help="Folder, archive, address or table of images.")
@click.option("--images", type=FOLDER, help="Where --source is a table, the folder of its images.")
@click.option("--image", "image_column", metavar="COLUMN", help="The table's column of paths.")
@click.option("--label-from", metavar="WAY", help="folder, folder:2, path:REGEX, column:NAME or tag:NAME.")
@click.option("--patients", metavar="WAY", help="A regular expression, folder:2, column:NAME or tag:NAME.")
@click.option("--labels", metavar="MAP", help="What they call the model's labels: 'Opacity=PNEUMONIA+1'.")
@click.option(
    "--subgroup", "subgroups", multiple=True, metavar="COLUMN", help="Measure within its values, too."
)
@click.option("--env", help="Kedro's environment.")
def external(env: str | None, patients: str | None, **wishes: Any) -> None:
    """Test a finished model on labelled images that it was not trained on.

    \b
    mammoscan external --model RUN --source ~/films --patients '(person[0-9]+)'

    The report sets the result beside the model's own test. It is the pipeline `kedro run --pipeline external`.
    """  # noqa: D301
    from mammoscan.new_study import read_patients
    from mammoscan.run_pipeline import run_pipeline

    values = {name: value for name, value in wishes.items() if value not in (None, ())}
    values |= {
        name: str(Path(values[name]).expanduser().resolve())
        for name in ("model", "source", "images")
        if name in values and Path(values[name]).expanduser().exists()
    }
    if patients:
        values["patient_from"] = read_patients(patients)
    run_pipeline("external", values, env)


@main.command(context_settings=SHOW_DEFAULTS)
@click.option(
    "--table", type=FILE, required=True, help="The division: CSV, TSV, Parquet, … one row per image."
)
@click.option("--images", type=FOLDER, help="What its paths count from. [default: its folder]")
@click.option("--image", metavar="COLUMN", help="The path. [default: path]")
@click.option("--side", metavar="COLUMN", help="train, val, test, or the fold's number. [default: side]")
@click.option("--patient", metavar="COLUMN", help="The patient, or unknown. [default: patient_id]")
@click.option("--label", metavar="COLUMN", help="The label. [default: label, if there]")
@click.option(
    "--repair",
    type=click.Choice(["move", "drop"]),
    help="How it is corrected: together on one side, or out of training. [default: move]",
)
@click.option("--title", help="Of the page. [default: the table's name]")
@click.option("--env", help="Kedro's environment.")
def audit(env: str | None, patient: str | None, **wishes: Any) -> None:
    """Say what the sides of a division share, copied or nearly so, and write a corrected one.

    \b
    mammoscan audit --table split.csv --images ~/films --side set --patient person

    Nothing is trained, and no file is changed. It is the pipeline `kedro run --pipeline audit`.
    """  # noqa: D301
    from mammoscan.run_pipeline import run_pipeline

    values = {name: value for name, value in wishes.items() if value is not None}
    values |= {name: str(values[name].resolve()) for name in ("table", "images") if name in values}
    if patient:
        values["patient"] = None if patient == "unknown" else patient
    run_pipeline("audit", values, env)


@main.command(context_settings=SHOW_DEFAULTS)
@click.option("--predictions", type=FILE, required=True, help="Table of truth and scores: CSV, Parquet, …")
@click.option("--against", type=FILE, help="A second such table, to be compared with the first.")
@click.option("--truth", metavar="COLUMN", help="The true label. [default: label]")
@click.option("--score", metavar="COLUMN", help="The positive label's score, of two labels.")
@click.option("--scores", metavar="PATTERN", help="A column per label instead. [default: p_{label}]")
@click.option(
    "--score-max", type=click.FloatRange(0, min_open=True), help="What means certainty. [default: 1]"
)
@click.option("--logits", is_flag=True, help="The scores are outputs before softmax.")
@click.option("--labels", metavar="A,B", help="The labels, the positive one last.")
@click.option("--positive", metavar="LABEL", help="The label whose recall matters. [default: the last]")
@click.option("--patient", metavar="COLUMN", help="The patient, or unknown. [default: patient_id]")
@click.option("--sample", metavar="COLUMN", help="The image's name. [default: sample_id, or the row]")
@click.option("--fold", metavar="COLUMN", help="The fold. [default: fold, if there]")
@click.option(
    "--model", metavar="COLUMN", help="The model, where there are several. [default: model, if there]"
)
@click.option(
    "--subgroup", "subgroups", multiple=True, metavar="COLUMN", help="Measure within its values, too."
)
@click.option(
    "--threshold", type=click.FloatRange(0, 1, True, True), help="From which score on. [default: 0.5]"
)
@click.option("--title", help="Of the report. [default: the file's name]")
@click.option("--env", help="Kedro's environment.")
def evaluate(env: str | None, labels: str | None, patient: str | None, **wishes: Any) -> None:
    """Report on any model's scores: intervals, calibration, thresholds, subgroups, two models side by side.

    \b
    mammoscan evaluate --predictions scores.csv --truth finding --score p --patient patient_id
    mammoscan evaluate --predictions ours.csv --against theirs.csv

    It needs neither images nor TensorFlow, and is the pipeline `kedro run --pipeline evaluate`.
    """  # noqa: D301
    from mammoscan.run_pipeline import run_pipeline

    threshold = wishes.pop("threshold")
    values = {name: value for name, value in wishes.items() if value not in (None, (), False)}
    values |= {name: str(values[name].resolve()) for name in ("predictions", "against") if name in values}
    if labels:
        values["labels"] = [label.strip() for label in labels.split(",")]
    if patient:
        values["patient"] = None if patient == "unknown" else patient
    if threshold is not None:
        values["evaluation"] = {"threshold": {"rule": "fixed", "at": threshold}}
    run_pipeline("evaluate", values, env)


def open_classifier(study: str, model: str, runtime: Runtime, public_key: Path | None = None) -> Classifier:
    """Find, load and warm up a model, so that the first request takes no longer than the others."""
    import numpy as np

    from mammoscan.errors import MammoscanError
    from mammoscan.serving.model_files import find_model
    from mammoscan.serving.signature import check_signature

    folder = find_model(study, model)
    if public_key is not None:
        check_signature(folder, public_key)
    from mammoscan.serving.classifier import Classifier

    classifier = Classifier.load(folder, runtime)
    found = classifier.card.study
    if found != study:
        raise MammoscanError(
            f"--model {model}: it is of study {found}, expected {study}; pass --study {found}"
        )
    if classifier.card.target is not None:
        raise MammoscanError(
            f"serve: the model of {study} predicts {classifier.card.target.quantity}, and the service answers with "
            f"labels only; use kedro run --pipeline predict --params predict.study={study},predict.images=<folder>"
        )
    # The second call has another number of images: after it the program is compiled for any number.
    for images in (1, 2):
        classifier.classify(np.zeros((images, *classifier.shape), np.uint8))
    return classifier


@main.command(context_settings=SHOW_DEFAULTS)
@click.argument("run", required=False)
@click.option("--study", help="Only this study's. [default: all]")
@click.option("--last", default=20, type=click.IntRange(1), help="How many, the newest first.")
def runs(run: str | None, study: str | None, last: int) -> None:
    """List what was run: id, time, study, data, headline and report.

    With RUN, an MLflow run's id or its first characters, list its trainings, also while they go on: status, epoch,
    losses, accuracies and the AUC of each fold's test side.
    """
    from mammoscan.errors import MammoscanError
    from mammoscan.serving.model_files import read_tracking_uri
    from mammoscan.tracking.summaries import SCORES, list_summaries, list_trainings

    uri = read_tracking_uri()
    found = [one for one in list_summaries(uri, study) if one.id.startswith(run or "")]
    if run and not found:
        raise MammoscanError(f"runs: found no run {run}, expected one of those that mammoscan runs lists")
    if not found:
        click.echo(f"no run of {study}" if study else "no run yet: kedro run --pipeline mias")
    for one in found[: 1 if run else last]:
        headline = one.headline or one.status
        click.echo(
            f"{one.id}  {one.started:%Y-%m-%d %H:%M}  {one.study:<20} {one.data:<8} {one.protocol:<7}  {headline}"
        )
        if one.report:
            click.echo(f"{'':34}{one.report}")
    if run:
        click.echo(
            f"{'training':<24} {'status':<9} {'epoch':>5} " + " ".join(f"{name:>12}" for name in SCORES)
        )
        for training in list_trainings(uri, found[0].id):
            scores = (f"{training.scores[name]:.3f}" if name in training.scores else "-" for name in SCORES)
            row = " ".join(f"{score:>12}" for score in scores)
            click.echo(f"{training.name:<24} {training.status:<9} {training.epoch:>5} {row}")


@main.command("open")
@click.argument("run", required=False)
@click.option("--study", help="The newest report of this study. [default: of any]")
@click.option("--print", "only_print", is_flag=True, help="Print where it lies, and open nothing.")
@click.option("--pdf", type=FILE, help="Write it to this PDF file by Chromium, and open nothing.")
def open_report(run: str | None, study: str | None, only_print: bool, pdf: Path | None) -> None:
    """Open the newest report in the browser, or that of RUN, an MLflow run's id or its first characters."""
    from mammoscan.errors import MammoscanError
    from mammoscan.serving.model_files import read_tracking_uri
    from mammoscan.tracking.summaries import list_summaries

    found = [one for one in list_summaries(read_tracking_uri(), study) if one.report]
    found = [one for one in found if one.id.startswith(run or "")]
    if not found:
        named = f"run {run}" if run else f"a run of {study}" if study else "any run"
        raise MammoscanError(
            f"open: found no report of {named}, expected one of those that mammoscan runs lists"
        )
    report = found[0].report
    assert report is not None
    if pdf is not None:
        from mammoscan.reporting.pdf import print_pdf

        click.echo(print_pdf(report, pdf))
        return
    click.echo(report)
    if not only_print:
        click.launch(report.as_uri())


@main.command(context_settings=SHOW_DEFAULTS)
@click.option("--host", default="127.0.0.1", help="Where to listen. 0.0.0.0 lets other machines in.")
@click.option("--port", default=5000, type=click.IntRange(0, 65535), help="0 takes any free one.")
@click.option("--no-browser", is_flag=True, help="Print the address, and open nothing.")
def ui(host: str, port: int, no_browser: bool) -> None:
    """Open MLflow's pages on the runs: headline, curves while they train, parameters, two side by side."""
    from mammoscan.serving.model_files import read_tracking_uri
    from mammoscan.serving.server import take_port
    from mammoscan.tracking.ui import show_runs

    with take_port(host, port) as free:
        port = free.getsockname()[1]

    def announce(address: str) -> None:
        click.echo(f"{address}\nCtrl-C ends it.")
        if not no_browser:
            click.launch(address)

    show_runs(read_tracking_uri(), host, port, announce)


@main.command(context_settings=SHOW_DEFAULTS)
@click.option("--study", help="Only this study's runs. [default: all]")
@click.option("--keep", default=3, type=click.IntRange(0), help="Newest runs of each study that are kept.")
@click.option("--yes", is_flag=True, help="Delete without asking.")
def clean(study: str | None, keep: int, yes: bool) -> None:
    """Show what old runs take on the disk, and delete them if you agree.

    Deleted are MLflow runs and their files: reports, tables, models. A run whose model is registered is kept, and so
    is everything in the data folder.
    """
    from mammoscan.serving.model_files import read_tracking_uri
    from mammoscan.tracking.summaries import delete_runs, list_summaries

    uri, kept, old = read_tracking_uri(), dict[str, int](), []
    for run in list_summaries(uri, study, with_children=True):
        kept[run.study] = kept.get(run.study, 0) + 1
        if kept[run.study] > keep and not run.registered and run.status != "running":
            old.append(run)
    sizes = [run.measure_bytes() for run in old]
    for run, size in zip(old, sizes, strict=True):
        click.echo(
            f"{run.id}  {run.started:%Y-%m-%d %H:%M}  {run.study:<20} {size / 1e6:8.1f} MB  {run.headline}"
        )
    if not old:
        click.echo("nothing to delete")
    elif yes or click.confirm(f"delete these {len(old)} runs ({sum(sizes) / 1e6:.1f} MB)?"):
        delete_runs(uri, old)
        click.echo(f"deleted {len(old)} runs, {sum(sizes) / 1e6:.1f} MB")


@main.command()
def version() -> None:
    """Print the versions that a question or a report of an error should name."""
    import importlib.metadata
    import platform

    click.echo(f"mammoscan {__version__}, Python {platform.python_version()}, {platform.platform()}")
    for name in ("kedro", "keras", "tensorflow", "jax", "onnxruntime", "mlflow", "numpy", "pandas"):
        try:
            click.echo(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            click.echo(f"{name} is not installed")


@main.command()
@click.argument("folder", type=FOLDER, required=False)
@click.option("--key", type=FILE, help="Private key to sign with. [default: only the digests are written]")
@click.option("--new-key", type=FILE, help="Write a new private key here, and its public key beside it.")
def sign(folder: Path | None, key: Path | None, new_key: Path | None) -> None:
    """Bind a packaged model's files by their digests, and sign them (Ed25519).

    FOLDER holds network.keras and card.json. `serve --require-signature` and predict.require_signature take the
    public key and refuse a model that is not signed by it.

    \b
    mammoscan sign --new-key hospital.pem
    mammoscan sign --key hospital.pem path/of/the/model
    mammoscan serve --study mias --model path/of/the/model --require-signature hospital.pub.pem
    """  # noqa: D301
    from mammoscan.serving.manifest import write_manifest
    from mammoscan.serving.model_files import find_files
    from mammoscan.serving.signature import make_key, sign_manifest

    if new_key is not None:
        click.echo(f"private key: {new_key} (keep it to yourself); public key: {make_key(new_key)}")
        key = key or new_key
    elif folder is None:
        raise click.UsageError("name the folder of a packaged model, or --new-key")
    if folder is not None:
        inside = find_files(folder)
        click.echo(f"digests: {write_manifest(inside)}")
        if key is not None:
            click.echo(f"signature: {sign_manifest(inside, key)}")


@main.command()
@click.argument("pipeline")
@click.option("--env", help="The environment that it was run in, as in kedro run --env.")
@click.option("--params", default="", help="What stood behind --params of the run.")
def track(pipeline: str, env: str | None, params: str) -> None:
    """Send a finished run's results to MLflow from disk, where its tracking was lost."""
    from mammoscan.cli import read_params
    from mammoscan.tracking.resend import send_run

    values = read_params(click.get_current_context(), params) if params else {}
    click.echo(f"MLflow run {send_run(Path.cwd(), pipeline, env, values)}")


if __name__ == "__main__":
    main()
