"""How a data set is made ready, and how images are cut out of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from mammoscan.params.base import Block


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


class PackParams(Block):
    """How image files become one packed array.

    ``size`` is the network's: ``[height, width]``, or one number for a square; images are stretched to it, as the
    articles did. ``channels`` is 1 (grey) or 3 (colour). ``limit`` takes a seeded sample of that many images, spread
    evenly over labels and patients; the report says so. ``workers`` decode at a time and change nothing.
    """

    size: tuple[int, int]
    channels: Literal[1, 3] = 3
    limit: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0)
    workers: int = Field(4, ge=1, le=64)

    @field_validator("size", mode="before")
    @classmethod
    def _one_number_is_a_square(cls, value: Any) -> Any:
        return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("size")
    @classmethod
    def _is_a_size(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not all(8 <= side <= 4096 for side in value):
            raise ValueError(f"size is {list(value)}, expected 8 to 4096 pixels a side")
        return value
