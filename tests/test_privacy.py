"""With `privacy.hash_ids` nothing that leaves the machine names a sample, a patient, a file or a folder."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.privacy import KEY_FILE, Pseudonyms
from projects import Project

FOLDER = "/data/films of Mrs Smith"


@pytest.fixture
def hashes() -> Pseudonyms:
    return Pseudonyms(b"key")


class TestHashes:
    def test_a_hash_needs_the_key_and_is_the_same_each_time(self, hashes: Pseudonyms) -> None:
        assert hashes.hash("smith") == Pseudonyms(b"key").hash("smith")
        assert hashes.hash("smith") != Pseudonyms(b"other").hash("smith")
        assert hashes.hash(hashes.hash("smith")) == hashes.hash("smith")
        assert hashes.hash(None) is None

    def test_the_columns_of_a_table_that_name_somebody_are_hashed(self, hashes: Pseudonyms) -> None:
        table = pd.DataFrame({"sample_id": ["a1"], "patient_id": ["7"], "label": ["benign"], "fold": [3]})
        hashed = hashes.hash_table(table)
        assert hashed.loc[0, ["label", "fold"]].tolist() == ["benign", 3]
        assert hashed.loc[0, "sample_id"] == hashes.hash("a1")
        assert hashed.loc[0, "patient_id"] == hashes.hash("7")

    def test_what_was_learnt_is_found_in_texts_as_whole_words(self, hashes: Pseudonyms) -> None:
        hashes.learn_table(
            pd.DataFrame({"source": ["deep/smith_01.png"], "patient_id": ["smith"], "row": [1]})
        )
        hashes.learn([FOLDER])
        text = f"{FOLDER}/deep/smith_01.png, smith_01 and smith; smithy, blacksmith and 17 stay"
        scrubbed = hashes.scrub(text)
        for name in ("Mrs", "smith_01", "smith;"):
            assert name not in scrubbed
        assert scrubbed.endswith("smithy, blacksmith and 17 stay")

    def test_a_files_copy_is_scrubbed_and_the_file_stays(self, hashes: Pseudonyms, tmp_path: Path) -> None:
        file = tmp_path / "predictions.csv"
        pd.DataFrame({"sample_id": ["a1"], "p": [0.1]}).to_csv(file, index=False)
        (tmp_path / "out").mkdir()
        copy = hashes.scrub_file(file, tmp_path / "out")
        assert pd.read_csv(copy).loc[0].tolist() == [hashes.hash("a1"), 0.1]
        assert "a1" in file.read_text()

    def test_the_key_is_made_once_for_its_owner_only(self, tmp_path: Path) -> None:
        first, again = Pseudonyms.open(tmp_path), Pseudonyms.open(tmp_path)
        assert first.hash("smith") == again.hash("smith")
        assert (tmp_path / KEY_FILE).stat().st_mode & 0o077 == 0
        (tmp_path / KEY_FILE).write_text("no key")
        with pytest.raises(MammoscanError, match="delete it to get a new one"):
            Pseudonyms.open(tmp_path)


@pytest.mark.slow
def test_nothing_that_leaves_the_machine_names_anybody(project: Project) -> None:
    run = project.run_pipeline("mias", "--params", "privacy.hash_ids=true")
    record = run.read_json("mias.raw")
    names = {path.stem for path in Path(record["folder"]).glob("mdb*.pgm")} | {
        record["folder"],
        str(project.folder),
    }
    patients = set(pd.read_parquet(run.find_file("mias.samples"))["patient_id"])
    found = []
    reports = run.find_file("mias.report").parent
    leaving = [path for root in (project.folder / "mlartifacts", reports) for path in root.rglob("*")]
    # The package's own code lists the published files' digests.
    leaving = [path for path in leaving if path.is_file() and "code" not in path.parts]
    assert any(path.name == "predictions.csv" for path in leaving)
    assert any(path.name == "card.json" for path in leaving)
    for path in leaving:
        content = path.read_bytes()
        # MLflow's own description of a model holds the address of its artifacts.
        addresses = {str(project.folder)} if path.name == "MLmodel" else set()
        if path.suffix != ".parquet":
            found += [(path.name, name) for name in names - addresses if name.encode() in content]
        if path.suffix == ".csv":
            found += [(path.name, name) for name in patients if f",{name}," in content.decode()]
    assert found == []
    database = sqlite3.connect(project.tracking_uri.removeprefix("sqlite:///"))
    for table, columns in (
        ("params", "value"),
        ("tags", "value"),
        ("inputs", "source_id"),
        ("datasets", "dataset_source"),
    ):
        for (value,) in database.execute(f"select {columns} from {table}"):
            assert not [name for name in names if name in str(value)], (table, value)
    kept = json.dumps(record)
    assert record["folder"] in kept  # on this machine all names stay


def test_by_default_names_stay(hashes: Pseudonyms) -> None:
    assert hashes.scrub("smith") == "smith"
