"""The text files of a mini-MIAS phantom: ``Info.txt`` in the published grammar, and a licence."""

from __future__ import annotations

from mammoscan.phantoms.anatomy import SCAN
from mammoscan.phantoms.plan import ScanPlan
from mammoscan.phantoms.region import Region

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
