"""Asking a trained network: many crops at once, and one crop alone.

One command, all contenders in one process, taking turns; ONNX Runtime and OpenVINO where they are installed
(``pip install onnx onnxruntime openvino tf2onnx``)::

    python benchmarks/inference.py --images 3000 --rounds 5
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mammoscan.inference.predict import predict_probabilities
from mammoscan.models import build_network
from mammoscan.params import MachineParams, Recipe, ViewParams
from mammoscan.training.devices import choose_device

SHAPE = (48, 48, 1)
Ask = Callable[[np.ndarray], np.ndarray]


def ask_ours(precision: str) -> Ask:
    """The project's own batch prediction."""
    model = build_network("small_cnn", SHAPE, 2, seed=0, precision=precision)
    recipe, views = Recipe(epochs=1), ViewParams(training="none", prediction=False)

    def ask(pixels: np.ndarray) -> np.ndarray:
        rows = np.arange(len(pixels))
        return predict_probabilities(model, pixels, rows, recipe=recipe, views=views, machine=MachineParams())

    return ask


def ask_keras(batch_size: int) -> Ask:
    """``keras.predict`` as people call it: float images in, Keras' own batch unless told otherwise."""
    model = build_network("small_cnn", SHAPE, 2, seed=0)
    return lambda pixels: model.predict(pixels.astype("float32") / 255, batch_size=batch_size, verbose=0)


def ask_directly() -> Ask:
    """``model(x)``, eager."""
    model = build_network("small_cnn", SHAPE, 2, seed=0)
    return lambda pixels: np.asarray(model(pixels.astype("float32") / 255, training=False))


def export_onnx() -> Path:
    """Write the network as ONNX."""
    model = build_network("small_cnn", SHAPE, 2, seed=0)
    model(np.zeros((1, *SHAPE), "float32"))
    path = Path(tempfile.mkdtemp()) / "network.onnx"
    model.export(path, format="onnx", verbose=False)
    return path


def ask_onnx(path: Path, batch_size: int = 256) -> Ask:
    """ONNX Runtime on the processor."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def ask(pixels: np.ndarray) -> np.ndarray:
        parts = range(0, len(pixels), batch_size)
        return np.concatenate(
            [
                session.run(None, {name: pixels[at : at + batch_size].astype("float32") / 255})[0]
                for at in parts
            ]
        )

    return ask


def ask_openvino(path: Path, precision: str, many: bool, batch_size: int = 64) -> Ask:
    """OpenVINO on the processor, for throughput or for latency."""
    import openvino

    hint = "THROUGHPUT" if many else "LATENCY"
    model = openvino.Core().compile_model(
        str(path), "CPU", {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": hint}
    )
    if not many:
        return lambda pixels: model(pixels.astype("float32") / 255)[0]

    def ask(pixels: np.ndarray) -> np.ndarray:
        found: dict[int, np.ndarray] = {}
        queue = openvino.AsyncInferQueue(model)
        queue.set_callback(lambda request, at: found.update({at: request.get_output_tensor().data.copy()}))
        for at in range(0, len(pixels), batch_size):
            queue.start_async([pixels[at : at + batch_size].astype("float32") / 255], at)
        queue.wait_all()
        return np.concatenate([found[at] for at in sorted(found)])

    return ask


def list_contenders(many: bool) -> dict[str, Ask]:
    found: dict[str, Ask] = {"keras.predict": ask_keras(32)}
    if many:
        found["keras.predict, batch 256"] = ask_keras(256)
    else:
        found["model(x)"] = ask_directly()
    found |= {"Mammoscan float32": ask_ours("float32"), "Mammoscan bfloat16": ask_ours("bfloat16")}
    has = {name: importlib.util.find_spec(name) for name in ("onnx", "tf2onnx", "onnxruntime", "openvino")}
    if has["onnx"] and has["tf2onnx"]:
        path = export_onnx()
        if has["onnxruntime"]:
            found["ONNX Runtime float32"] = ask_onnx(path)
        if has["openvino"]:
            found["OpenVINO float32"] = ask_openvino(path, "f32", many)
            found["OpenVINO bfloat16"] = ask_openvino(path, "bf16", many)
    return found


def measure(
    contenders: dict[str, Ask], pixels: np.ndarray, rounds: int, repeats: int
) -> list[dict[str, Any]]:
    reference = contenders["keras.predict"](pixels)
    rows = {}
    for name, ask in contenders.items():
        ask(pixels)
        rows[name] = {"name": name, "difference": float(np.abs(ask(pixels) - reference).max()), "seconds": []}
    for _ in range(rounds):
        for name, ask in contenders.items():
            began = time.perf_counter()
            for _ in range(repeats):
                ask(pixels)
            rows[name]["seconds"].append((time.perf_counter() - began) / repeats)
    base = rows["keras.predict"]["seconds"]
    for row in rows.values():
        # Each round against its own neighbour in time, so that a busy machine cancels out.
        row["ratio"] = statistics.median(b / s for b, s in zip(base, row["seconds"], strict=True))
    return list(rows.values())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=50, help="of one crop in each round")
    words = parser.parse_args()
    device = choose_device(MachineParams())
    print(f"{device.name}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    pixels = np.random.default_rng(0).integers(0, 256, (words.images, *SHAPE), dtype=np.uint8)
    for many, shown in ((True, pixels), (False, pixels[:1])):
        rows = measure(list_contenders(many), shown, words.rounds, 1 if many else words.repeats)
        unit = "images/s" if many else "ms"
        print(
            f"\n{f'{len(shown):,} images':26} {unit:>9} {'min to max':>18} {'ratio':>6} {'largest difference':>19}"
        )
        for row in rows:
            values = [len(shown) / s if many else 1000 * s for s in row["seconds"]]
            digits = 0 if many else 2
            spread = f"{min(values):,.{digits}f} to {max(values):,.{digits}f}"
            print(
                f"{row['name']:26} {statistics.median(values):>9,.{digits}f} {spread:>18} {row['ratio']:>6.1f} "
                f"{row['difference']:>19.1e}"
            )


if __name__ == "__main__":
    main()
