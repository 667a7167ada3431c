"""A synthetic stand-in for BreaKHis: the same tree, names, sizes and stains, and no patients."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mammoscan.params import PhantomParams
from mammoscan.phantoms.histology import Look, develop_slide, draw_stain, paint_tissue

GENERATOR = 2
"""Version of the drawing; raise it with any change of the pixels, so that older files are drawn anew."""

MAGNIFICATIONS = (40, 100, 200, 400)
# Height and width; a few published images lack four rows.
SHAPE, CUT_SHAPE = (460, 700), (456, 700)
IMAGES = 2
"""Images of a patient at each magnification; the published set has some twenty-five."""
LISTED_IMAGES = 5
"""Images of a patient in the phantom of the set at 400X, of which the table lists all but the first."""
# Means of the latent severity of benign and malignant tumours, and its spread.
SEVERITY, SPREAD = 1.3, 0.85
# Frequency of each type, and how its density, radius, order and lumen differ from its label's.
KINDS = {
    "benign": (
        ("A", "adenosis", 4, (1.1, 1.0, 1.1, 0.9)),
        ("F", "fibroadenoma", 10, (0.85, 1.0, 0.8, 0.8)),
        ("PT", "phyllodes_tumor", 3, (1.25, 1.05, 0.8, 0.9)),
        ("TA", "tubular_adenoma", 7, (1.1, 0.95, 1.2, 1.0)),
    ),
    "malignant": (
        ("DC", "ductal_carcinoma", 38, (1.0, 1.05, 1.0, 1.0)),
        ("LC", "lobular_carcinoma", 5, (0.95, 0.9, 0.6, 0.9)),
        ("MC", "mucinous_carcinoma", 9, (0.8, 1.0, 1.1, 1.3)),
        ("PC", "papillary_carcinoma", 6, (1.05, 1.0, 1.4, 1.1)),
    ),
}


@dataclass(frozen=True)
class Slide:
    """One slide of a case."""

    label: str
    kind: int
    number: str
    patient: int


def write_phantom(
    folder: Path, params: PhantomParams, progress: Callable[[int, int], None] | None = None
) -> None:
    """Write a phantom of BreaKHis in the published tree.

    Two or three images of each patient at each magnification, 29 % of the patients benign. As in the published set
    one case has two slides (letters AB and CD), one malignant case stands under two tumour types, one patient lacks
    a magnification, numbers have gaps, and one image is four rows short. The files depend on ``patients`` and
    ``seed`` alone.

    Args:
        folder: Where to write; made if missing.
        params: Size, seed and number of threads.
        progress: Called with the images done and the images in all.
    """
    slides = plan_slides(params)
    jobs = [
        (slide, magnification, number)
        for position, slide in enumerate(slides)
        for magnification in MAGNIFICATIONS
        if position != len(slides) - 1 or magnification != 400
        for number in range(IMAGES + (magnification == 40 and position % 3 == 0))
    ]
    _write_all(folder, params, jobs, progress)


def write_listed_phantom(
    folder: Path, params: PhantomParams, progress: Callable[[int, int], None] | None = None
) -> None:
    """Write a phantom of the set at 400X: the tree, and beside it ``dataset.csv``, which lists most of its images."""
    jobs = [(slide, 400, number) for slide in plan_slides(params) for number in range(LISTED_IMAGES)]
    _write_all(folder, params, jobs, progress)
    rows = [f"{name_file(*job).as_posix()},{job[0].label}" for job in jobs if job[2]]
    (folder / "dataset.csv").write_text("\n".join(["path,label", *rows]) + "\n", encoding="ascii")


def plan_slides(params: PhantomParams) -> list[Slide]:
    """Return the slides of all patients; a third of them, at least four, are benign."""
    rng = np.random.default_rng([params.seed, 1])
    benign = max(round(params.patients * 24 / 82), min(7, params.patients // 2))
    numbers = rng.choice(np.arange(2500, 29999), params.patients, replace=False)
    slides = []
    for patient, number in enumerate(numbers.tolist()):
        label = "benign" if patient < benign else "malignant"
        kinds = KINDS[label]
        shares = np.array([kind[2] for kind in kinds])
        # Every type occurs before any is drawn twice.
        first = patient if label == "benign" else patient - benign
        kind = first if first < len(kinds) else int(rng.choice(len(kinds), p=shares / shares.sum()))
        slides.append(Slide(label, kind, str(number), patient))
    case, mixed = slides[0], slides[benign]
    twins = [
        Slide(case.label, case.kind, f"{case.number}{letters}", case.patient) for letters in ("AB", "CD")
    ]
    return [
        *twins,
        *slides[1 : benign + 1],
        Slide(mixed.label, 1, mixed.number, mixed.patient),
        *slides[benign + 1 :],
    ]


def name_file(slide: Slide, magnification: int, number: int) -> Path:
    """Return an image's path in the published tree."""
    code, kind, *_ = KINDS[slide.label][slide.kind]
    stem = f"SOB_{slide.label[0].upper()}_{code}"
    place = (
        Path("BreaKHis_v1/histology_slides/breast") / slide.label / "SOB" / kind / f"{stem}_14-{slide.number}"
    )
    sequence = 1 + 3 * number + (slide.patient + number) % 3
    return place / f"{magnification}X" / f"{stem}-14-{slide.number}-{magnification}-{sequence:03d}.png"


def draw_photograph(slide: Slide, magnification: int, number: int, seed: int) -> np.ndarray:
    """Draw one photograph, uint8 ``[H, W, 3]``."""
    case = np.random.default_rng([seed, 2, slide.patient])
    stain = draw_stain(case)
    look = draw_look(case, slide.label, KINDS[slide.label][slide.kind][3], magnification)
    rng = np.random.default_rng(
        [seed, 3, slide.patient, slide.kind, len(slide.number), magnification, number]
    )
    shape = CUT_SHAPE if (slide.patient, magnification, number) == (1, 100, 1) else SHAPE
    # Painted at half the size and enlarged: much faster, and as soft as a photograph through a microscope.
    small = develop_slide(rng, *paint_tissue(rng, (shape[0] // 2, shape[1] // 2), look), stain)
    return np.asarray(Image.fromarray(small).resize(shape[::-1], Image.Resampling.BILINEAR))


def draw_look(
    rng: np.random.Generator, label: str, factors: tuple[float, float, float, float], magnification: int
) -> Look:
    """Draw the appearance of a case: its severity overlaps with the other label's, and each sign with its severity."""
    severity = rng.normal(SEVERITY if label == "malignant" else -SEVERITY, SPREAD)
    signs = severity + rng.normal(0, 0.5, 5)
    density, radius, order, lumen = factors
    # At 400X a nucleus is some 26 pixels across, 13 of the painted ones; at 40X it must still be drawn.
    pixels = {40: 1.1, 100: 2.0, 200: 3.6, 400: 6.5}[magnification]
    return Look(
        density=float(3.6 * density * np.exp(0.35 * signs[0])),
        radius=float(pixels * radius * np.exp(0.12 * signs[1])),
        variety=float(np.clip(0.42 + 0.21 * signs[2], 0.05, 0.95)),
        order=float(np.clip((0.48 - 0.22 * signs[3]) * order, 0.05, 0.9)),
        lumen=float(np.clip((0.45 - 0.13 * signs[4]) * lumen, 0.1, 0.75)),
    )


def _write_all(
    folder: Path,
    params: PhantomParams,
    jobs: list[tuple[Slide, int, int]],
    progress: Callable[[int, int], None] | None,
) -> None:
    def write(job: tuple[Slide, int, int]) -> None:
        path = folder / name_file(*job)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_photograph(*job, params.seed)).save(path, compress_level=1)

    with ThreadPoolExecutor(params.workers) as pool:
        for done, _ in enumerate(pool.map(write, jobs), 1):
            if progress:
                progress(done, len(jobs))
