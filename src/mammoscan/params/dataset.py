"""Where a data set comes from, and how images are cut out of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from mammoscan.params.base import Block

Source = Annotated[
    str,
    Field(
        description="where the data set is: `phantom`, a folder, a `.tar.gz` or `.zip`, or an http(s) address"
    ),
]
AllowModified = Annotated[
    bool,
    Field(
        description="go on although scans differ from the published checksums; the data are then called modified"
    ),
]
UnpackLimit = Annotated[float, Field(gt=0, description="largest size in GB that an archive may unpack to")]


class PhantomParams(Block):
    """The phantom, the synthetic stand-in for a data set."""

    patients: int = Field(161, ge=8, le=5000, description="number of synthetic patients")
    seed: int = Field(7, ge=0, description="seed of the phantom")
    workers: int = Field(2, ge=1, le=64, description="processes that draw it; the result is the same")


class ScanGridParams(Block):
    """The grid on which scans are standardised once, and from which windows are cut."""

    size: int = Field(
        192, ge=32, le=1024, description="side in pixels to which a scan of 1024 pixels is reduced"
    )
    margin: int = Field(
        2, ge=0, description="grid pixels by which the breast mask is grown before standardising"
    )


class CropParams(Block):
    """How a region of a scan becomes an image."""

    kind: Literal["window", "radius"] = Field(
        description="`window` cuts a window of fixed physical size from the standardised grid; `radius` is the "
        "article's crop: the square of the annotated radius from the raw scan, resized"
    )
    size: int = Field(
        48,
        ge=8,
        le=512,
        description="side of the image in pixels; 48 on a grid of 192 are 256 pixels of the scan",
    )
    scales: tuple[float, ...] = Field(
        (1,),
        description="sides of the windows that become the image's channels, as multiples of `size` on the grid: "
        "`[1, 0.5, 2]` shows the same place at three scales, each of `size` pixels; 1 comes first",
    )
    normals_per_scan: int = Field(3, ge=1, le=20, description="regions drawn in each normal scan")
    seed: int = Field(0, ge=0, description="seed for the places of these regions")

    @field_validator("scales", mode="before")
    @classmethod
    def _the_grids_own_comes_first(cls, value: Any) -> Any:
        # Figures, audits and simple models that look at one channel look at the window of the grid itself.
        return (
            sorted(value, key=lambda scale: (scale != 1, scale)) if isinstance(value, list | tuple) else value
        )

    @model_validator(mode="after")
    def _scales_suit_the_crop(self) -> CropParams:
        known = 1 in self.scales and len(set(self.scales)) == len(self.scales) <= 8
        if not known or not all(0.125 <= scale <= 8 for scale in self.scales):
            raise ValueError(
                f"crop.scales is {list(self.scales)}, expected up to eight different numbers from 0.125 to 8, with 1 "
                "among them"
            )
        if len(self.scales) > 1 and self.kind != "window":
            raise ValueError(
                f"crop.scales is {list(self.scales)} and crop.kind is {self.kind}, expected [1]: several scales are "
                "cut from grids; set crop.kind to window"
            )
        return self


class PackParams(Block):
    """How image files become one packed array."""

    size: tuple[int, int] = Field(
        description="height and width to which each image is stretched, 8 to 4096 each; one number is a square"
    )
    channels: Literal[1, 3] = Field(3, description="1 is grey, 3 is colour")
    levels: int | None = Field(
        None,
        ge=256,
        le=65536,
        description="grey levels of 16-bit files that hold fewer: 4096 for 12 bits; null means 65,536, and files that "
        "use less than a sixteenth of them are rejected",
    )
    limit: int | None = Field(
        None,
        ge=1,
        description="take a random sample of this many images, spread evenly over labels and patients; the report "
        "says so",
    )
    seed: int = Field(0, ge=0, description="seed of that sample")
    workers: int = Field(
        4, ge=1, le=64, description="images decoded at the same time; the result is the same"
    )

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
