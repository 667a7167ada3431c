"""How a data set is made ready, and how images are cut out of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mammoscan.studies.block import Block


class PhantomParams(Block):
    """How much of the synthetic stand-in is made, and from which seed."""

    patients: int = Field(161, ge=8, le=5000)
    seed: int = Field(7, ge=0)
    workers: int = Field(2, ge=1, le=64)


class ScanGridParams(Block):
    """The grid on which scans are standardised once, and from which windows are cut."""

    size: int = Field(192, ge=32, le=1024)
    margin: int = Field(2, ge=0, description="grid pixels by which the breast mask is grown")


class CropParams(Block):
    """How a region becomes an image.

    ``window`` cuts a fixed physical window from the standardised grid; ``radius`` is the articles' own crop of the
    square of the annotated radius out of the raw scan, resized.
    """

    kind: Literal["window", "radius"]
    size: int = Field(48, ge=8, le=512)
    normals_per_scan: int = Field(3, ge=1, le=20)
    seed: int = Field(0, ge=0)
