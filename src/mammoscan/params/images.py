"""Where the images of a study of one's own are, and where their labels and patients come from."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from mammoscan.params.base import Block

Way = Literal["folder", "path", "column", "tag", "unknown"]
LABEL_WAYS = ("folder", "path", "column", "tag")
PATIENT_WAYS = ("folder", "path", "column", "tag", "unknown")


class ImagesParams(Block):
    """The images of a study that ``mammoscan new`` made."""

    source: str = Field(
        description="where the images are: a folder, a `.tar.gz` or `.zip`, or an http(s) address"
    )
    table: str | None = Field(
        None,
        description="a CSV, TSV, Parquet or Excel table with one row per image, relative to `source`; a bare name that "
        "stands in several folders is all of them",
    )
    image_column: str = Field("path", description="the table's column with the images' paths")
    label_from: str = Field(
        "folder",
        description="`folder` is the folder of the file, `folder:2` the one above; `column:NAME`, `tag:NAME` (DICOM) "
        "or `path:REGEX`, whose first group is the label",
    )
    patient_from: str = Field(
        description="`column:NAME`, `tag:PatientID`, `path:REGEX`, `folder:2`, or `unknown`: then images are kept "
        "apart, near copies together, and every report says that patients are unknown"
    )
    unpack_limit_gb: float = Field(8.0, gt=0, description="largest size in GB that an archive may unpack to")
    citation: str = Field("", description="what to cite")
    licence: str = Field("", description="what may be done with the images")
    design: str = Field(
        "",
        description="how the images were collected, e.g. retrospectively, where and when; for the checklist",
    )
    reference_standard: str = Field("", description="who set the labels, and how; for the checklist")

    @property
    def patients_known(self) -> bool:
        """Whether anything says whom an image is of."""
        return self.patient_from != "unknown"

    @field_validator("label_from", "patient_from")
    @classmethod
    def _is_a_way(cls, value: str, info: object) -> str:
        name = getattr(info, "field_name", "label_from")
        ways = LABEL_WAYS if name == "label_from" else PATIENT_WAYS
        way, argument = split_way(value)
        if way not in ways or (way in ("column", "tag", "path") and not argument):
            raise ValueError(
                f"{name} is {value!r}, expected one of: "
                + ", ".join(f"{each}:…" if each in ("column", "tag", "path") else each for each in ways)
            )
        if way == "folder" and argument and not (argument.isdigit() and int(argument) >= 1):
            raise ValueError(
                f"{name} is {value!r}, expected folder:1, folder:2, … counted upwards from the file"
            )
        if way == "path":
            try:
                re.compile(argument)
            except re.error as error:
                raise ValueError(f"{name} is {value!r}, which is no regular expression ({error})") from error
        return value

    @model_validator(mode="after")
    def _columns_need_a_table(self) -> ImagesParams:
        for name in ("label_from", "patient_from"):
            if split_way(getattr(self, name))[0] == "column" and self.table is None:
                raise ValueError(f"{name} is {getattr(self, name)!r}, but images.table names no table")
        return self


def split_way(value: str) -> tuple[str, str]:
    """Split ``column:patient_id`` into the way and its argument."""
    way, _, argument = value.partition(":")
    return way, argument
