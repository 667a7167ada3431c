"""Images a second in training: the article's set-up, plain fit, our engine, and PyTorch where it is installed.

One command, all contenders in one process, interleaved, so that whatever else the machine does hits all alike; "a core
s" is images a second of processor time, which neighbours disturb least::

    python benchmarks/training.py --images 80 180 600 3000 --rounds 5
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mammoscan.models import build_network
from mammoscan.params import MachineParams, Recipe
from mammoscan.training.devices import choose_device
from mammoscan.training.engines import open_engine
from mammoscan.training.setup import TrainingSetup

SIZE = 48
Epochs = Callable[[int], None]


def make_data(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, SIZE, SIZE, 1), dtype=np.uint8), rng.integers(0, 2, count).astype(
        "int32"
    )


def prepare_article(pixels: np.ndarray, targets: np.ndarray, batch: int) -> Epochs:
    """Keras' fit on a Python generator of float images, the model saved after each epoch."""
    import keras

    model = build_network("small_cnn", pixels.shape[1:], 2, seed=0)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    images, answers = pixels.astype("float32") / 255, np.eye(2, dtype="float32")[targets]
    rng = np.random.default_rng(0)

    def generate() -> Any:
        while True:
            order = rng.permutation(len(images))
            for first in range(0, len(order), batch):
                rows = order[first : first + batch]
                yield images[rows], answers[rows]

    file = Path(tempfile.mkdtemp()) / "model.keras"
    save = keras.callbacks.ModelCheckpoint(file, monitor="loss")
    steps = -(-len(images) // batch)
    return lambda epochs: model.fit(
        generate(), steps_per_epoch=steps, epochs=epochs, callbacks=[save], verbose=0
    )


def prepare_plain(pixels: np.ndarray, targets: np.ndarray, batch: int, jit: Any) -> Epochs:
    """Keras' fit on arrays; ``auto`` is its default, which is XLA."""
    model = build_network("small_cnn", pixels.shape[1:], 2, seed=0)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=jit)
    images = pixels.astype("float32") / 255
    return lambda epochs: model.fit(images, targets, batch_size=batch, epochs=epochs, verbose=0)


def prepare_engine(
    pixels: np.ndarray, targets: np.ndarray, batch: int, engine: str, precision: str, views: bool
) -> Epochs:
    """The project's engine, without its outer loop."""
    count = len(targets)
    setup = TrainingSetup(
        pixels=pixels,
        targets=targets,
        weights=np.ones(count, "float32"),
        training_rows=np.arange(count),
        validation_rows=np.arange(0),
        outputs=2,
        recipe=Recipe(epochs=1, batch_size=batch),
        precision=precision,
        random_views=views,
        device=choose_device(MachineParams()),
        deterministic=False,
    )
    opened = open_engine(setup, engine)
    return lambda epochs: [opened.run_epoch(epoch) for epoch in range(1, epochs + 1)]


def prepare_torch(
    pixels: np.ndarray, targets: np.ndarray, batch: int, precision: str, compiled: bool
) -> Epochs:
    """The same network in PyTorch, channels last, the data kept as one tensor."""
    import torch
    from torch import nn

    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convs = nn.ModuleList([nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3), nn.Conv2d(64, 64, 3)])
            self.dense, self.last = nn.Linear(64, 64), nn.Linear(6400, 2)
            self.drop, self.pool = nn.Dropout(0.25), nn.MaxPool2d(2)

        def forward(self, x: Any) -> Any:
            x = torch.relu(self.convs[0](x))
            x = self.pool(torch.relu(self.convs[1](x)))
            x = self.drop(self.pool(torch.relu(self.convs[2](x))))
            x = self.drop(torch.relu(self.dense(x.permute(0, 2, 3, 1))))
            return self.last(x.flatten(1))

    model = Net().to(memory_format=torch.channels_last)
    optimizer, loss_of = torch.optim.Adam(model.parameters(), 1e-3), nn.CrossEntropyLoss()
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    answers = torch.from_numpy(targets.astype("int64"))

    def step(x: Any, y: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            return loss_of(model(x).float(), y)

    run = torch.compile(step) if compiled else step

    def train(epochs: int) -> None:
        model.train()
        for _ in range(epochs):
            for rows in torch.randperm(len(images)).split(batch):
                x = (images[rows].float() / 255).to(memory_format=torch.channels_last)
                optimizer.zero_grad(set_to_none=True)
                run(x, answers[rows]).backward()
                optimizer.step()

    return train


def list_contenders(torch_too: bool) -> dict[str, Callable[..., Epochs]]:
    found: dict[str, Callable[..., Epochs]] = {
        "article: fit, generator, checkpoint": prepare_article,
        "plain fit (XLA, Keras' default)": lambda *a: prepare_plain(*a, jit="auto"),
        "plain fit, jit_compile=False": lambda *a: prepare_plain(*a, jit=False),
        "engine fit": lambda *a: prepare_engine(*a, "fit", "float32", False),
        "engine float32": lambda *a: prepare_engine(*a, "auto", "float32", False),
        "engine float32, eight views": lambda *a: prepare_engine(*a, "auto", "float32", True),
        "engine bfloat16": lambda *a: prepare_engine(*a, "auto", "bfloat16", False),
    }
    if torch_too:
        for precision in ("float32", "bfloat16"):
            for compiled in (False, True):
                name = f"PyTorch {precision} {'compiled' if compiled else 'eager'}"
                found[name] = lambda *a, p=precision, c=compiled: prepare_torch(*a, p, c)
    return found


def measure(
    images: int, rounds: int, seconds: float, batch: int, contenders: dict[str, Any]
) -> list[dict[str, Any]]:
    pixels, targets = make_data(images)
    runs, first, epochs = {}, {}, {}
    for name, prepare in contenders.items():
        began = time.perf_counter()
        runs[name] = prepare(pixels, targets, batch)
        runs[name](1)
        first[name] = time.perf_counter() - began
        began = time.perf_counter()
        runs[name](1)
        epochs[name] = max(1, round(seconds / (time.perf_counter() - began)))
    rates: dict[str, list[float]] = {name: [] for name in runs}
    per_core: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            began, busy = time.perf_counter(), time.process_time()
            run(epochs[name])
            rates[name].append(images * epochs[name] / (time.perf_counter() - began))
            per_core[name].append(images * epochs[name] / (time.process_time() - busy))
    base = rates[next(iter(runs))]
    return [
        {
            "images": images,
            "name": name,
            "first_seconds": round(first[name], 2),
            "median": round(statistics.median(found)),
            "min": round(min(found)),
            "max": round(max(found)),
            "per_core_second": round(statistics.median(per_core[name])),
            # Each round against its own neighbour in time, so that a busy machine cancels out.
            "ratio": round(statistics.median(f / b for f, b in zip(found, base, strict=True)), 2),
        }
        for name, found in rates.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, nargs="+", default=[80, 180, 600, 3000], help="images an epoch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each contender in each round, about")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--torch", action="store_true", help="PyTorch too; it must be installed")
    parser.add_argument("--json", type=Path, help="write the rows there as well")
    words = parser.parse_args()
    device = choose_device(MachineParams())
    print(f"{device.name}, {device.cores} cores, {device.kind}")
    rows = []
    for images in words.images:
        found = measure(images, words.rounds, words.seconds, words.batch_size, list_contenders(words.torch))
        rows += found
        print(
            f"\n{images} images {'images/s':>34} {'min to max':>14} {'ratio':>6} {'a core s':>9} {'first s':>8}"
        )
        for row in found:
            spread = f"{row['min']} to {row['max']}"
            print(
                f"{row['name']:36} {row['median']:>10} {spread:>14} {row['ratio']:>6} "
                f"{row['per_core_second']:>9} {row['first_seconds']:>8}"
            )
    if words.json:
        words.json.write_text(json.dumps({"device": dict(device), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
