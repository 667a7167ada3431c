from __future__ import annotations

from pathlib import Path

import pytest

from mammoscan.data.image_dataset import find_image_set
from mammoscan.data.pneumonia import index_images


@pytest.mark.parametrize(
    ("name", "patient", "germ"),
    [
        ("person123_bacteria_456.jpeg", "person123", "bacteria"),
        ("person123_virus_7.jpeg", "person123", "virus"),
        ("IM-0115-0001.jpeg", "IM-0115", "none"),
        ("NORMAL2-IM-0501-0001-0002.jpeg", "NORMAL2-IM-0501", "none"),
        ("IM-0629-0001-0001.jpeg", "IM-0629", "none"),
    ],
)
def test_the_name_tells_the_patient_whatever_the_germ(
    tmp_path: Path, name: str, patient: str, germ: str
) -> None:
    file = tmp_path / "train" / "Opacity" / name
    file.parent.mkdir(parents=True)
    file.touch()
    images, _ = index_images(tmp_path)
    [row] = images.to_dict("records")
    assert row == {
        "sample_id": f"train/Opacity/{name}",
        "patient_id": patient,
        "source": f"train/Opacity/{name}",
        "label": "Opacity",
        "group": "Opacity",
        "germ": germ,
        "published": "train",
    }


def test_other_folders_and_names_are_rejected_and_a_set_without_parts_is_taken(tmp_path: Path) -> None:
    for name in ("NORMAL/IM-0001-0001.jpeg", "NORMAL/film.jpeg", "covid/person1_virus_1.jpeg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    images, rejected = index_images(tmp_path)
    assert images[["label", "published"]].values.tolist() == [["Normal", "none"]]
    reasons = dict(zip(rejected["source"], rejected["reason"], strict=True))
    assert reasons["NORMAL/film.jpeg"].startswith("no patient in its name")
    assert reasons["covid/person1_virus_1.jpeg"].startswith("in no folder Normal or Opacity")


def test_the_data_set_is_found_by_its_name() -> None:
    known = find_image_set("pneumonia")
    assert known.licence == "CC BY 4.0"
    assert any("counts as one" in sentence or "count as one" in sentence for sentence in known.limits)
