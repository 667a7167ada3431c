"""The command ``mammoscan``. A module ``mammoscan.cli`` would be taken by Kedro for commands of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mammoscan import __version__

if TYPE_CHECKING:
    from mammoscan.serving.classifier import Classifier, Runtime


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="mammoscan %(version)s")
def main() -> None:
    """Use the models that `kedro run` trains."""


@main.command(context_settings={"show_default": True})
@click.option("--study", required=True, help="The study whose model answers, e.g. mias.")
@click.option(
    "--model", default="latest", help="latest, an MLflow run's id, models:/… or a packaged model's folder."
)
@click.option("--host", default="127.0.0.1", help="Where to listen. 0.0.0.0 lets other machines in.")
@click.option("--port", default=8000, type=click.IntRange(0, 65535), help="0 takes any free one.")
@click.option("--runtime", default="keras", type=click.Choice(["keras", "onnx"]), help="What computes.")
@click.option("--max-images", default=32, type=click.IntRange(1), help="Most images of one request.")
@click.option(
    "--max-megabytes", default=64.0, type=click.FloatRange(0, min_open=True), help="Of one request."
)
@click.option("--max-megapixels", default=50.0, type=click.FloatRange(0, min_open=True), help="Of one image.")
@click.option("--max-seconds", default=60.0, type=click.FloatRange(0, min_open=True), help="For one request.")
@click.option(
    "--max-waiting", default=128, type=click.IntRange(1), help="Images at one time; more get status 503."
)
@click.option("--batch", default=16, type=click.IntRange(1), help="Most images of one call of the model.")
def serve(
    study: str,
    model: str,
    host: str,
    port: int,
    runtime: Runtime,
    max_images: int,
    max_megabytes: float,
    max_megapixels: float,
    max_seconds: float,
    max_waiting: int,
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
    )
    listener = take_port(host, port)
    classifier = open_classifier(study, model, runtime)

    from mammoscan.serving.app import create_app

    def announce() -> None:
        card = classifier.card
        about = f"{card.study}, model {card.run_id}, trained on {card.data} data, protocol {card.protocol}"
        click.echo(f"Mammoscan listens on {name_address(listener)} ({about}). Ctrl-C ends it.")
        if not is_private(listener):
            click.echo("Every machine that reaches this one can use it: there is no password.", err=True)

    run_server(create_app(classifier, limits), listener, limits.seconds, announce)


def open_classifier(study: str, model: str, runtime: Runtime) -> Classifier:
    """Find, load and warm up a model, so that the first who asks waits no longer than the others."""
    import numpy as np

    from mammoscan.errors import MammoscanError
    from mammoscan.serving.model_files import find_model

    folder = find_model(study, model)
    from mammoscan.serving.classifier import Classifier

    classifier = Classifier.load(folder, runtime)
    found = classifier.card.study
    if found != study:
        raise MammoscanError(
            f"--model {model}: it is of study {found}, expected {study}; pass --study {found}"
        )
    # The second call has another number of images: after it the program is compiled for any number.
    for images in (1, 2):
        classifier.classify(np.zeros((images, *classifier.shape), np.uint8))
    return classifier


if __name__ == "__main__":
    main()
