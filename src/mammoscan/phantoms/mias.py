"""A synthetic stand-in for mini-MIAS: the same files, formats and notes, and no patients.

Writing a scan as the portable graymap that mini-MIAS uses.

The text files of a mini-MIAS phantom: ``Info.txt`` in the published grammar, and a licence.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from mammoscan.errors import MammoscanError
from mammoscan.params import PhantomParams
from mammoscan.phantoms.breast import SCAN
from mammoscan.phantoms.lesions import Region
from mammoscan.phantoms.mias_plan import ScanPlan, plan_scans
from mammoscan.phantoms.mias_scan import draw_scan


def make_header(height: int, width: int) -> bytes:
    """Return the header in exactly the published form."""
    return f"P5\n{width} {height}\n255\n".encode("ascii")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it, so that a file of this name is always whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.write_bytes(content)
    temporary.replace(path)


def write_pgm(path: Path, scan: np.ndarray) -> None:
    """Write a uint8 scan as binary PGM, whole or not at all."""
    write_whole(path, make_header(*scan.shape) + scan.tobytes())


RULE = "=" * 65

PREAMBLE = """\
              MAMMOSCAN PHANTOM
              In the layout of the MIAS MiniMammographic Database



THIS IS A SYNTHETIC PHANTOM: computer-made drawings, no patients, no
mammograms. It must never be used to judge a method for use on people.

It has the layout, the file format and the notes of the mini-MIAS set
(200 micron pixel edge, every image 1024 pixels x 1024 pixels), with
places, radii and pictures of its own. See Licence.txt.

{patients} patients, {scans} scans, seed {seed}.

{rule}

INFORMATION:

This file lists the films in the phantom and provides
appropriate details as follows:

1st column: Reference number.

2nd column: Character of background tissue:
                F - Fatty
                G - Fatty-glandular
                D - Dense-glandular

3rd column: Class of abnormality present:
                CALC - Calcification
                CIRC - Well-defined/circumscribed masses
                SPIC - Spiculated masses
                MISC - Other, ill-defined masses
                ARCH - Architectural distortion
                ASYM - Asymmetry
                NORM - Normal

4th column: Severity of abnormality;
                B - Benign
                M - Malignant

5th,6th columns: x,y image-coordinates of centre of abnormality.

7th column: Approximate radius (in pixels) of a circle enclosing
\t    the abnormality.

NOTES
=====
1) The list is arranged in pairs of films, where each pair
   represents the two breasts of a single patient.

2) The size of ALL the images is 1024 pixels x 1024 pixels.

3) When calcifications are present, centre locations and radii
   apply to clusters rather than individual calcifications.
   Coordinate system origin is the bottom-left corner.

4) In some cases calcifications are widely distributed throughout
   the image rather than concentrated at a single site. In these
   cases centre locations and radii are inappropriate and have
   been omitted.

{rule}
"""

LICENCE = """\
                     MAMMOSCAN PHANTOM

                     LICENCE

These images and notes are synthetic: a program drew them from a random
seed. They show no person and contain nothing of any real mammogram.

They are free of any rights: use, change and pass them on as you like,
for any purpose, without asking. There is no warranty of any kind. Do
not present them as medical images.
"""


def write_notes(scans: list[ScanPlan], seed: int) -> str:
    """Return the text of ``Info.txt`` for a plan.

    Args:
        scans: The plan, in the order of the rows.
        seed: The seed it was drawn from, which the preamble states.
    """
    preamble = PREAMBLE.format(patients=len(scans) // 2, scans=len(scans), seed=seed, rule=RULE)
    spread = 0
    rows = []
    for scan in scans:
        start = f"{scan.name} {scan.tissue}"
        if not scan.regions:
            rows.append(f"{start} NORM ")
        for region in scan.regions:
            # Of the published rows with this note only the first ends in a blank.
            blank = " " if region.state == "spread" and spread == 0 else ""
            spread += region.state == "spread"
            rows.append(f"{start} {region.kind} {region.severity}{_write_place(region)}{blank}")
    return "\n".join([preamble, *rows, "", RULE, ""])


def _write_place(region: Region) -> str:
    if region.state == "spread":
        return " *NOTE 3*"
    if region.state == "unplaced":
        return ""
    return f" {region.column} {SCAN - region.row} {region.radius}"


GENERATOR = 3
"""Version of the drawing; raise it with any change of the pixels, so that older files are drawn anew."""
MARKER = ".phantom.json"
"""Names the phantom that the files of a folder belong to; written first, so that files without it are not ours."""
NOTES = "Info.txt"


def write_phantom(
    folder: Path, params: PhantomParams, progress: Callable[[int, int], None] | None = None
) -> None:
    """Write a phantom of mini-MIAS: scans ``mdb001.pgm``…, ``Info.txt`` and ``Licence.txt``.

    The files depend on ``patients`` and ``seed`` alone, not on ``workers``. ``Info.txt`` comes last, so a folder
    that has it is complete. A call after an interruption keeps the scans that are there; a call for another seed
    or size replaces the phantom.

    At 161 patients it has every count of the published notes: 330 rows on 322 scans, 207 of them normal, 119 regions
    with coordinates (68 benign, 51 malignant) on 111 scans of 104 patients, three ``*NOTE 3*`` rows, an abnormal row
    without coordinates and eight further rows, one of which gives its scan the other severity. Other sizes keep
    the proportions. At any size there are all six classes, both severities on at least four patients each, a region
    of radius 3 and one of 197, regions at a border, a scan with three rows and one with both severities, a
    ``*NOTE 3*`` row, a row without coordinates and normal scans. From 24 patients on, every class has both
    severities, and four or more scans of calcifications each.

    Args:
        folder: Where to write; made if missing.
        params: Size, seed and number of processes.
        progress: Called with the scans done and the scans in all.

    Raises:
        MammoscanError: The folder holds scans or notes that no phantom left there.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _claim_folder(folder, params)
    plans = plan_scans(params.patients, params.seed)
    whole = len(make_header(SCAN, SCAN)) + SCAN * SCAN
    missing = [plan for plan in plans if not _has_size(folder / f"{plan.name}.pgm", whole)]
    done = len(plans) - len(missing)
    if progress:
        progress(done, len(plans))
    write = partial(_write_scan, folder, params.seed)
    if params.workers == 1 or len(missing) < 2:
        _count_all(map(write, missing), done, len(plans), progress)
    else:
        # Spawned, not forked: a fork would copy locks held by TensorFlow's threads.
        context, workers = get_context("spawn"), min(params.workers, len(missing))
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_ignore_interrupt) as pool:
            try:
                _count_all(pool.map(write, missing, chunksize=4), done, len(plans), progress)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    write_whole(folder / "Licence.txt", LICENCE.encode("ascii"))
    write_whole(folder / NOTES, write_notes(plans, params.seed).encode("ascii"))


def _ignore_interrupt() -> None:
    # Ctrl-C reaches the whole process group; the parent cancels the rest, and a worker that died would hang it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _count_all(
    written: Iterable[None], done: int, total: int, progress: Callable[[int, int], None] | None
) -> None:
    for count, _ in enumerate(written, done + 1):
        if progress:
            progress(count, total)


def _write_scan(folder: Path, seed: int, plan: ScanPlan) -> None:
    write_pgm(folder / f"{plan.name}.pgm", draw_scan(plan, seed))


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _claim_folder(folder: Path, params: PhantomParams) -> None:
    """Mark the folder as this phantom's; remove another phantom's files and refuse to touch any other file."""
    marker = folder / MARKER
    mark = json.dumps({"generator": GENERATOR, "patients": params.patients, "seed": params.seed})
    own = [*(folder / name for name in (NOTES, "Licence.txt")), *sorted(folder.glob("mdb*.pgm"))]
    own = [path for path in own if path.exists()]
    if own and not marker.exists():
        raise MammoscanError(
            f"{folder}: found {own[0].name}, which no phantom left there (no {MARKER}); expected an empty folder; "
            "give the phantom a folder of its own"
        )
    if marker.exists() and marker.read_text(encoding="ascii") != mark:
        for path in own:
            path.unlink()
    for path in folder.glob(".*.part"):
        path.unlink(missing_ok=True)
    write_whole(marker, mark.encode("ascii"))
