from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mammoscan.data.pneumonia import index_images
from mammoscan.params import PhantomParams
from mammoscan.phantoms.pneumonia import plan_films, write_phantom


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom(folder, PhantomParams(patients=60, seed=3, workers=2))
    return folder


@pytest.fixture(scope="module")
def images(folder: Path) -> pd.DataFrame:
    images, rejected = index_images(folder)
    assert rejected.empty
    return images


def test_it_has_the_folders_names_and_patients_of_the_published_set(images: pd.DataFrame) -> None:
    assert images["patient_id"].nunique() == 60
    assert set(images["published"]) == {"train", "val", "test"}
    assert images.groupby("published")["label"].nunique().eq(2).all()
    assert images.groupby("patient_id")["label"].nunique().eq(1).all()
    assert {"bacteria", "virus", "none"} == set(images["germ"])


def test_some_patients_stand_in_train_and_val_but_none_of_the_test_part_elsewhere(
    images: pd.DataFrame,
) -> None:
    parts = images.groupby("patient_id")["published"].agg(lambda found: "+".join(sorted(set(found))))
    assert (parts == "train+val").sum() >= 3
    assert set(parts) <= {"train", "val", "test", "train+val"}


def test_it_has_exact_copies_of_training_films_in_val(folder: Path, images: pd.DataFrame) -> None:
    contents = Counter((folder / source).read_bytes() for source in images["source"])
    assert sum(count - 1 for count in contents.values()) == 2


def test_sizes_vary_a_few_films_are_colour_and_some_lie_on_their_side(folder: Path) -> None:
    opened = [Image.open(path) for path in folder.rglob("*.jpeg")]
    assert {image.format for image in opened} == {"JPEG"}
    assert len({image.size for image in opened}) > 50
    modes = Counter(image.mode for image in opened)
    assert 0 < modes["RGB"] < modes["L"] / 5
    assert any(image.getexif().get(0x0112) == 6 for image in opened)


def test_the_seed_decides_every_byte_and_the_threads_none(tmp_path: Path) -> None:
    written = []
    for name, seed, workers in (("a", 3, 1), ("b", 3, 4), ("c", 4, 1)):
        (tmp_path / name).mkdir()
        write_phantom(tmp_path / name, PhantomParams(patients=8, seed=seed, workers=workers))
        written.append(
            {
                path.relative_to(tmp_path / name): path.read_bytes()
                for path in (tmp_path / name).rglob("*.jpeg")
            }
        )
    assert written[0] == written[1]
    assert not set(written[0].values()) & set(written[2].values())


def test_an_opacity_brightens_the_lungs_on_average_but_not_always() -> None:
    films = plan_films(400, 0)
    ill = np.array(["/Opacity/" in film.name for film in films])
    strength = np.array([film.look.strength for film in films])
    assert strength[ill].mean() > 2 * strength[~ill].mean()
    assert strength[ill].min() < strength[~ill].max()


@pytest.mark.parametrize("patients", [8, 12])
def test_a_tiny_phantom_has_both_labels_in_every_part(patients: int) -> None:
    films = plan_films(patients, 1)
    assert {film.name.rpartition("/")[0] for film in films} >= {
        f"{part}/{label}" for part in ("train", "test") for label in ("Normal", "Opacity")
    }
    assert len({film.name for film in films}) == len(films)
