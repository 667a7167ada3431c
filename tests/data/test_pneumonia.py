from __future__ import annotations

from pathlib import Path

import pytest

from mammoscan.data.image_dataset import find_image_set
from mammoscan.data.image_folder import find_data_folder
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
    assert reasons["covid/person1_virus_1.jpeg"].startswith("not in a folder Normal, Opacity")


def test_the_data_set_is_found_by_its_name() -> None:
    known = find_image_set("pneumonia")
    assert known.licence == "CC BY 4.0"
    assert any("counts as one" in sentence or "count as one" in sentence for sentence in known.limits)


def write_kaggle(folder: Path) -> None:
    """Kaggle's names: NORMAL and PNEUMONIA, and what a Mac leaves in an archive."""
    for part, number in (("train", 1), ("val", 2), ("test", 3)):
        for place, name in (
            ("NORMAL", f"IM-000{number}-0001.jpeg"),
            ("PNEUMONIA", f"person{number}_virus_{number}.jpeg"),
        ):
            (folder / part / place).mkdir(parents=True, exist_ok=True)
            (folder / part / place / name).write_text(f"{part} {name}")
            (folder / part / place / ".DS_Store").touch()


def test_kaggles_tree_is_taken_with_its_clutter_and_its_double(tmp_path: Path) -> None:
    tree = tmp_path / "chest_xray"
    write_kaggle(tree)
    write_kaggle(tree / "chest_xray")
    write_kaggle(tree / "__MACOSX" / "chest_xray")
    (tree / "__MACOSX" / "chest_xray" / "train" / "NORMAL" / "._IM-0001-0001.jpeg").touch()
    images, rejected = index_images(find_data_folder(tmp_path))
    assert images["label"].value_counts().to_dict() == {"Normal": 3, "Opacity": 3}
    assert images["published"].value_counts().to_dict() == {"train": 2, "val": 2, "test": 2}
    assert not images["source"].str.contains("chest_xray|MACOSX").any()
    reasons = dict(zip(rejected["source"], rejected["reason"], strict=True))
    assert len(reasons) == 6
    name = "train/NORMAL/IM-0001-0001.jpeg"
    assert reasons[f"chest_xray/{name}"] == f"an exact copy of {name}, which is kept"


def test_films_of_one_name_but_another_content_are_all_kept(tmp_path: Path) -> None:
    write_kaggle(tmp_path)
    write_kaggle(tmp_path / "more")
    (tmp_path / "more" / "val" / "NORMAL" / "IM-0002-0001.jpeg").write_text("another film")
    images, rejected = index_images(tmp_path)
    assert (len(images), len(rejected)) == (7, 5)
