"""One finding of a phantom: what its row of the notes says, and the shape that hides its severity."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Region:
    """One row of ``Info.txt``.

    Attributes:
        kind: Class of abnormality.
        severity: ``B`` or ``M``.
        state: ``placed``, ``unplaced`` (no coordinates in the notes) or ``spread`` (``*NOTE 3*``).
        row: Row of the centre, origin top-left.
        column: Column of the centre.
        radius: Radius that the notes state.
        pull: Share of the strokes around the centre that point at it; the rest lie around it.
        form: What the specks of a calcification are.
        bed: How much brighter the tissue is that a calcification lies in.
    """

    kind: str
    severity: str
    state: str = "placed"
    row: int = 0
    column: int = 0
    radius: int = 0
    pull: float = 0.5
    form: str = "points"
    bed: float = 0.0
