"""A synthetic stand-in for the chest X-rays: the same folders, names and JPEG files, and no patients.

What a made-up chest film looks like: body, lungs, ribs, heart, and opacities in the lungs.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from mammoscan.params import PhantomParams

RIBS = 8


@dataclass(frozen=True)
class ChestLook:
    """How one film is drawn.

    Attributes:
        height: Of the film in pixels.
        width: Of the film in pixels.
        strength: Brightness of the opacities, 0 for none and 1 for white lungs.
        patches: How many opacities.
        exposure: How much brighter the whole film is.
        noise: Deviation of its grain, of a range of 1.
    """

    height: int
    width: int
    strength: float
    patches: int
    exposure: float
    noise: float


def draw_chest(look: ChestLook, seed: list[int]) -> np.ndarray:
    """Draw a film.

    Args:
        look: What is to be seen.
        seed: Decides shapes and grain; the first two numbers (phantom and patient) the build of the body.

    Returns:
        uint8 ``[height, width]``.
    """
    build, rng = np.random.default_rng([*seed[:2], 1]), np.random.default_rng([*seed, 2])
    height, width = look.height, look.width
    y, x = np.meshgrid(
        np.linspace(-1, 1, height, dtype=np.float32),
        np.linspace(-1, 1, width, dtype=np.float32),
        indexing="ij",
    )
    x, y = x + np.float32(rng.normal(0, 0.03)), y + np.float32(rng.normal(0, 0.04))
    tall, wide = build.uniform(0.62, 0.8), build.uniform(0.3, 0.38)
    apart = build.uniform(0.4, 0.48)
    body = _soften(1.15 - np.hypot(x / 0.95, (y - 0.25) / 1.5), 0.12)
    lungs = np.maximum(
        _soften(1 - np.hypot((x + apart - 0.06 * y) / wide, y / tall), 0.18),
        _soften(1 - np.hypot((x - apart + 0.06 * y) / (0.9 * wide), y / tall), 0.18),
    )
    heart = _soften(1 - np.hypot((x - 0.14) / 0.34, (y - 0.42) / 0.4), 0.25)
    spine = np.exp(-((x / 0.09) ** 2))
    ribs = _draw_ribs(x, y, build)
    film = 0.08 + body * (0.5 + 0.14 * spine + 0.1 * ribs) - lungs * (0.36 - 0.02 * ribs) * (1 - 0.75 * heart)
    film += 0.05 * _draw_cloud(rng, 7, height, width) * body
    film += lungs * look.strength * _draw_opacities(rng, look.patches, apart, x, y)
    film += look.exposure + look.noise * _draw_cloud(rng, 90, height, width)
    return np.clip(np.rint(255 * film), 0, 255).astype(np.uint8)


def _draw_opacities(
    rng: np.random.Generator, patches: int, apart: float, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Cloudy patches of 0 to about 0.7, each in one of the lungs."""
    cloud = 0.75 + 0.25 * _draw_cloud(rng, 14, *x.shape)
    total = np.zeros_like(x)
    for _ in range(patches):
        side = apart * rng.choice([-1, 1]) + rng.normal(0, 0.08)
        place, size = rng.uniform(-0.35, 0.5), rng.uniform(0.14, 0.3)
        total = np.maximum(total, np.exp(-(((x - side) / size) ** 2) - ((y - place) / (1.2 * size)) ** 2))
    return 0.6 * total * cloud


def _draw_ribs(x: np.ndarray, y: np.ndarray, build: np.random.Generator) -> np.ndarray:
    bend, phase = build.uniform(0.5, 0.9), build.uniform(0, 2 * np.pi)
    return 0.5 + 0.5 * np.sin(RIBS * np.pi * (y + bend * (np.abs(x) - 0.45) ** 2) + phase)


def _draw_cloud(rng: np.random.Generator, cells: int, height: int, width: int) -> np.ndarray:
    small = Image.fromarray(rng.standard_normal((cells, cells), dtype=np.float32))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def _soften(distance: np.ndarray, softness: float) -> np.ndarray:
    return np.clip(distance / softness, 0, 1)


GENERATOR = 1
"""Version of the drawing; raise it with any change of the pixels."""
# Shares of the published parts, and of patients with pneumonia, as in the published set.
PARTS = (("train", 0.72), ("val", 0.18), ("test", 0.10))
OPACITY_SHARE = 0.6
# Of the patients with several films, how many have some in train and some in val.
SHARED_BETWEEN_PARTS = 0.25
COLOUR_SHARE = 0.05
EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Film:
    """One file that is going to be written.

    Attributes:
        name: Its path, relative to the data set's folder.
        patient: Position of its patient.
        number: Position among that patient's films.
        look: How it is drawn.
        quality: Of the JPEG.
        colour: Whether the grey image is written as three channels.
        turned: Whether it is stored on its side, with the EXIF mark that says so.
    """

    name: str
    patient: int
    number: int
    look: ChestLook
    quality: int
    colour: bool
    turned: bool


def write_phantom(
    folder: Path, params: PhantomParams, progress: Callable[[int, int], None] | None = None
) -> None:
    """Write a phantom: ``train``, ``val`` and ``test``, each with ``Normal`` and ``Opacity``.

    About six in ten patients have an opacity, brighter patches in a lung that some normal films have faintly too.
    As in the real set, films of opacity tend to be smaller and wider, a few are stored as colour, and some
    patients stand in train and val. Two files are exact copies of another, two are copies at another size, each of
    them in another part than the original.

    Args:
        folder: An empty folder.
        params: Number of patients, seed, number of threads; the last changes nothing.
        progress: Called with the films done and the films in all.
    """
    films = plan_films(params.patients, params.seed)
    for name in {film.name.rpartition("/")[0] for film in films}:
        (folder / name).mkdir(parents=True, exist_ok=True)

    def write(film: Film) -> None:
        image = draw_chest(film.look, [params.seed, film.patient, film.number])
        (folder / film.name).write_bytes(_encode_film(film, image))

    with ThreadPoolExecutor(params.workers) as pool:
        for done, _ in enumerate(pool.map(write, films), 1):
            if progress:
                progress(done, len(films))
    _write_copies(folder, films)


def plan_films(patients: int, seed: int) -> list[Film]:
    """Decide every film's patient, label, part, name and look.

    Args:
        patients: How many.
        seed: Of the draw.
    """
    rng = np.random.default_rng([seed, 0])
    ill = np.zeros(patients, dtype=bool)
    ill[rng.permutation(patients)[: round(OPACITY_SHARE * patients)]] = True
    parts = _assign_parts(ill, rng)
    films: list[Film] = []
    serial = 0
    for patient in range(patients):
        count = int(rng.choice([1, 2, 3], p=[0.6, 0.28, 0.12]))
        strength = float(rng.uniform(0.3, 1.0)) if ill[patient] else 0.0
        germ = "bacteria" if rng.random() < 0.65 else "virus"
        shared = parts[patient] == "train" and count > 1 and rng.random() < SHARED_BETWEEN_PARTS
        for number in range(count):
            serial += 1
            part = "val" if shared and number == count - 1 else parts[patient]
            # A person may have been ill twice, from either germ.
            other = number > 0 and rng.random() < 0.15
            name = (
                f"person{patient + 1}_{'virus' if other else germ}_{serial}"
                if ill[patient]
                else _name_normal(patient, number, count)
            )
            label = "Opacity" if ill[patient] else "Normal"
            films.append(
                Film(
                    name=f"{part}/{label}/{name}.jpeg",
                    patient=patient,
                    number=number,
                    look=_draw_look(strength, rng),
                    quality=int(rng.integers(70, 93)),
                    colour=bool(rng.random() < COLOUR_SHARE),
                    turned=serial % 97 == 5,
                )
            )
    return films


def _assign_parts(ill: np.ndarray, rng: np.random.Generator) -> list[str]:
    """Assign every patient a part, with the same shares for each label and no part left empty."""
    parts = [""] * len(ill)
    for kind in (False, True):
        some = rng.permutation(np.flatnonzero(ill == kind))
        ends = np.round(np.cumsum([share for _, share in PARTS]) * len(some)).astype(int)
        ends = np.minimum(ends, [len(some) - 2, len(some) - 1, len(some)])
        start = 0
        for (part, _), end in zip(PARTS, ends, strict=True):
            for patient in some[start:end]:
                parts[patient] = part
            start = int(end)
    return parts


def _name_normal(patient: int, number: int, count: int) -> str:
    start = f"NORMAL2-IM-{patient + 1:04d}" if patient % 2 else f"IM-{patient + 1:04d}"
    return f"{start}-0001-{number + 1:04d}" if count > 1 else f"{start}-0001"


def _draw_look(strength: float, rng: np.random.Generator) -> ChestLook:
    ill = strength > 0
    height = int(rng.integers(240, 420) - (25 if ill else 0))
    aspect = float(rng.normal(1.38 if ill else 1.3, 0.13))
    return ChestLook(
        height=height,
        width=int(height * np.clip(aspect, 0.95, 1.9)),
        # Faint shadows of vessels and folds, which healthy children have too.
        strength=float(max(strength * rng.uniform(0.7, 1.2), rng.uniform(0.0, 0.3))),
        patches=int(rng.integers(1, 4)),
        exposure=float(rng.normal(0, 0.06)),
        noise=float(rng.uniform(0.01, 0.05)),
    )


def _encode_film(film: Film, image: np.ndarray) -> bytes:
    picture = Image.fromarray(image)
    if film.colour:
        picture = picture.convert("RGB")
    exif = Image.Exif()
    if film.turned:
        picture = picture.transpose(Image.Transpose.ROTATE_90)
        exif[EXIF_ORIENTATION] = 6
    stream = io.BytesIO()
    picture.save(stream, format="JPEG", quality=film.quality, exif=exif)
    return stream.getvalue()


def _write_copies(folder: Path, films: list[Film]) -> None:
    """Copy four training films into val under new names of the same patients, two of them at another size."""
    training = [film for film in films if film.name.startswith("train/") and not film.turned]
    kinds = [[film for film in training if f"/{label}/" in film.name] for label in ("Normal", "Opacity")]
    originals = [film for pair in zip(*kinds, strict=False) for film in pair][:4]
    for position, film in enumerate(originals):
        name = film.name.replace("train/", "val/").removesuffix(".jpeg")
        target = folder / f"{name}{'-0009' if '/Normal/' in name else '9'}.jpeg"
        if position < 2:
            target.write_bytes((folder / film.name).read_bytes())
            continue
        with Image.open(folder / film.name) as image:
            small = np.asarray(image.convert("L").resize((image.width * 4 // 5, image.height * 4 // 5)))
        target.write_bytes(_encode_film(replace(film, quality=60), small))
