"""What ``mammoscan new`` finds in a folder, settles and writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image

from mammoscan import new_study
from mammoscan.commands import main
from mammoscan.errors import MammoscanError
from mammoscan.new_study import (
    AmbiguousError,
    Wishes,
    choose_folds,
    examine_images,
    expect_width,
    write_block,
)
from mammoscan.own_studies import fill_in_studies, register_own_studies
from mammoscan.params import ImagesParams, PackParams, Question, SplitParams
from pictures import encode_dicom


def write_film(path: Path, seed: int, colour: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (24, 20, 3) if colour else (24, 20)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(path)


def write_films(folder: Path, patients: int = 12, labels: tuple[str, str] = ("NORMAL", "PNEUMONIA")) -> Path:
    for patient in range(patients):
        for number in range(2):
            write_film(folder / labels[patient % 2] / f"person{patient}_{number}.png", 10 * patient + number)
    return folder


def examine(images: Path | None = None, **words: object):
    given = {
        "name": "lungs",
        "images": None if images is None else str(images),
        "patient_from": "unknown",
    } | words
    return examine_images(Wishes(**given), Path("nowhere"))


class TestLooking:
    def test_class_folders_are_counted_by_label_and_patient(self, tmp_path: Path) -> None:
        found = examine(write_films(tmp_path), patient_from=r"path:(person\d+)")
        assert found.params.label_from == "folder"
        assert found.counts == {"NORMAL": (12, 6), "PNEUMONIA": (12, 6)}
        assert (found.positive, found.folds, found.decoded) == ("PNEUMONIA", 5, 24)
        assert found.formats == {".png": 24}
        assert "channels" not in found.pack

    def test_a_train_val_test_tree_is_divided_anew_and_said(self, tmp_path: Path) -> None:
        for part in ("train", "val", "test"):
            write_film(tmp_path / part / "ill" / f"{part}.png", len(part))
            write_film(tmp_path / part / "well" / f"{part}.png", 7 + len(part))
            write_film(tmp_path / part / "well" / f"{part}2.png", 17 + len(part))
        found = examine(tmp_path)
        assert set(found.labels) == {"ill", "well"}
        assert any("a published split; the study divides the patients anew" in note for note in found.notes)

    def test_labels_may_stand_above_a_folder_for_each_patient(self, tmp_path: Path) -> None:
        for patient in range(30):
            for number in range(2):
                write_film(
                    tmp_path / ("ill", "well")[patient % 2] / f"P{patient}" / f"{number}.png",
                    2 * patient + number,
                )
        found = examine(tmp_path, patient_from="folder")
        assert found.params.label_from == "folder:2"
        assert found.counts == {"well": (30, 15), "ill": (30, 15)}

    def test_whom_images_are_of_is_asked_with_what_was_tried(self, tmp_path: Path) -> None:
        with pytest.raises(
            AmbiguousError, match=r"finds 12 patients in 24 of 24 images .*--patients unknown"
        ) as caught:
            examine(write_films(tmp_path), patient_from=None)
        best = caught.value.candidates[0]
        assert (best.patients, best.matched, best.examples[0]) == (12, 24, "person0")

    def test_a_doubled_folder_is_found_by_content_and_said(self, tmp_path: Path) -> None:
        write_films(tmp_path / "chest_xray")
        write_films(tmp_path / "chest_xray" / "chest_xray")
        found = examine(tmp_path)
        assert len(found.chosen) == 24
        assert (
            "24 files are exact copies of others, 24 of them in chest_xray/: one of each is kept."
            in found.notes
        )

    def test_colour_and_bits_follow_from_the_images(self, tmp_path: Path) -> None:
        write_films(tmp_path / "grey")
        for place, file in enumerate(sorted((tmp_path / "grey").rglob("*.png"))):
            values = np.random.default_rng(place).integers(0, 4000, (20, 20)).astype(np.uint16)
            Image.fromarray(values).save(file)
        assert examine(tmp_path / "grey").pack == {"levels": 4096}
        for patient in range(8):
            write_film(tmp_path / "colour" / ("a", "b")[patient % 2] / f"{patient}.png", patient, colour=True)
        assert examine(tmp_path / "colour").pack == {"channels": 3}

    def test_what_cannot_be_read_is_counted_with_its_reason(self, tmp_path: Path) -> None:
        write_films(tmp_path)
        (tmp_path / "NORMAL" / "person0_0.png").write_bytes(b"words")
        (tmp_path / "readme.txt").write_text("words")
        found = examine(tmp_path)
        assert found.unreadable[0][0] == "NORMAL/person0_0.png"
        assert found.index.rejected["source"].tolist() == ["readme.txt"]

    def test_dicom_has_its_patients_in_a_tag(self, tmp_path: Path) -> None:
        for number in range(12):
            content = encode_dicom(
                np.random.default_rng(number).integers(0, 256, (20, 20), dtype=np.uint8),
                PatientID=f"P{number // 2}",
                StudyDescription=("well", "ill")[number // 2 % 2],
            )
            (tmp_path / f"IM{number:04d}").write_bytes(content)
        found = examine(tmp_path, label_from="tag:StudyDescription", patient_from=None)
        assert found.params.patient_from == "tag:PatientID"
        assert found.counts == {"well": (6, 3), "ill": (6, 3)}

    def test_a_table_says_where_files_labels_and_patients_are(self, tmp_path: Path) -> None:
        write_films(tmp_path / "films")
        rows = [
            {
                "File": str(file),
                "Finding": file.parent.name == "PNEUMONIA",
                "Patient_ID": file.name.split("_")[0],
            }
            for file in sorted((tmp_path / "films").rglob("*.png"))
        ]
        pd.DataFrame(rows).to_csv(tmp_path / "labels.csv", index=False)
        found = examine(table=str(tmp_path / "labels.csv"), patient_from=None)
        assert found.params.source == str(tmp_path / "films")
        assert found.params.table == str(tmp_path / "labels.csv")
        assert (found.params.image_column, found.params.label_from) == ("File", "column:Finding")
        assert found.counts == {"False": (12, 6), "True": (12, 6)}
        assert found.positive == "True"

    def test_the_tables_of_a_hugging_face_image_folder_are_found(self, tmp_path: Path) -> None:
        for part in ("train", "test"):
            lines = ["file_name,label"]
            for number in range(6):
                write_film(tmp_path / part / f"{number}.png", len(part) * 10 + number)
                lines.append(f"{number}.png,{('well', 'ill')[number % 2]}")
            (tmp_path / part / "metadata.csv").write_text("\n".join(lines))
        found = examine(tmp_path)
        assert (found.params.table, found.params.label_from) == ("metadata.csv", "column:label")
        assert found.counts == {"well": (6, 6), "ill": (6, 6)}

    def test_many_labels_are_taken_and_a_map_joins_some(self, tmp_path: Path) -> None:
        for number in range(12):
            write_film(tmp_path / f"grade{number % 4}" / f"{number}.png", number)
        assert list(examine(tmp_path).labels) == ["grade1", "grade2", "grade3", "grade0"]
        joined = examine(tmp_path, labels="low=grade0,grade1;high=grade2,grade3", positive="high")
        assert joined.counts == {"low": (6, 6), "high": (6, 6)}

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ({"labels": "a=gone;b=NORMAL"}, "no image is labelled gone for a; found: NORMAL"),
            ({"labels": "NORMAL"}, "1 labels found .* expected 2 to 20"),
            ({"positive": "ill"}, "--positive is 'ill', expected one of: NORMAL, PNEUMONIA"),
            ({"name": "Lungs"}, "'Lungs' cannot be a study's name"),
            ({"name": "mias"}, "a study of this name comes with Mammoscan"),
            ({"label_from": "column:x"}, "label_from is 'column:x', but images.table names no table"),
        ],
    )
    def test_what_cannot_be_a_study_is_one_line(
        self, tmp_path: Path, words: dict[str, str], message: str
    ) -> None:
        with pytest.raises(MammoscanError, match=message):
            examine(write_films(tmp_path), **words)

    def test_a_folder_without_images_or_labels_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(MammoscanError, match="holds no image file"):
            examine(tmp_path)
        write_film(tmp_path / "a.png", 0)
        with pytest.raises(MammoscanError, match="no folder names the labels"):
            examine(tmp_path)


class TestSettling:
    @pytest.mark.parametrize(
        ("patients", "folds"), [(2, 2), (3, 3), (4, 4), (5, 5), (9, 5), (10, 10), (20, 10), (21, 5), (500, 5)]
    )
    def test_folds_follow_from_the_patients_of_the_rarest_label(self, patients: int, folds: int) -> None:
        assert choose_folds({"a": 1000, "b": patients}) == folds

    def test_a_label_of_one_patient_is_refused(self) -> None:
        with pytest.raises(MammoscanError, match=r"label 'b' has 1 patient\(s\), expected at least 2"):
            choose_folds({"a": 9, "b": 1})

    def test_the_interval_is_that_of_hanley_and_mcneil(self) -> None:
        # Their paper of 1982: an area of 0.893 of 51 ill and 58 well has a standard error of 0.032.
        counts = {"well": (58, 58), "ill": (51, 51)}
        assert expect_width(0.893, counts, "ill") == pytest.approx(2 * 1.96 * 0.032, abs=0.003)

    def test_two_patients_of_a_label_leave_none_to_choose_the_epoch(self, tmp_path: Path) -> None:
        wishes = Wishes("lungs", str(write_films(tmp_path, patients=4)), patient_from=r"path:(person\d+)")
        found = examine_images(wishes, tmp_path)
        block = yaml.safe_load(write_block(found, wishes, "x"))["lungs"]
        assert block["split"] == {"folds": 2, "validation_fraction": 0.0}
        assert block["training"] == {"patience": None}


class TestWriting:
    def test_the_block_is_short_and_whole_once_it_is_filled_in(self, tmp_path: Path) -> None:
        wishes = Wishes("lungs", str(write_films(tmp_path)), patient_from=r"path:(person\d+)")
        found = examine_images(wishes, tmp_path)
        text = write_block(found, wishes, "mammoscan new lungs")
        assert len(text.splitlines()) <= 12
        blocks = fill_in_studies(yaml.safe_load(text))
        assert ImagesParams.model_validate(blocks["lungs"]["images"]) == found.params
        assert Question.model_validate(blocks["lungs"]["question"]).positive == "PNEUMONIA"
        assert SplitParams.model_validate(blocks["lungs"]["split"]).folds == 5
        PackParams.model_validate(blocks["lungs"]["pack"])

    @pytest.fixture
    def project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        (tmp_path / "conf" / "base").mkdir(parents=True)
        (tmp_path / "pyproject.toml").write_text(
            '[tool.kedro]\npackage_name = "mammoscan"\nproject_name = "x"\nkedro_init_version = "1.0"\n'
        )
        monkeypatch.chdir(tmp_path)
        yield tmp_path
        register_own_studies(tmp_path / "nothing")

    def test_one_command_writes_a_page_and_one_file(self, project: Path) -> None:
        films = write_films(project / "films")
        words = ["new", "lungs", "--images", str(films), "--patients", r"(person\d+)"]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.output
        page = (project / "data" / "08_reporting" / "lungs" / "images.html").read_text()
        assert "<h1>lungs: 24 images</h1>" in page
        assert page.count("data:image/png;base64,") == 2
        file = project / "conf" / "base" / "parameters_lungs.yml"
        assert yaml.safe_load(file.read_text())["lungs"]["images"]["patient_from"] == r"path:(person\d+)"
        assert "24 images" in result.output
        assert "expected 95 % interval of the AUC" in result.output
        again = CliRunner().invoke(main, words)
        assert "is there already; pass --replace" in again.output
        assert CliRunner().invoke(main, [*words, "--replace"]).exit_code == 0

    def test_looking_writes_no_study(self, project: Path) -> None:
        films = write_films(project / "films")
        words = ["new", "lungs", "--images", str(films), "--patients", "unknown", "--look"]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.output
        assert "patients unknown: images will be kept apart" in result.output
        assert not (project / "conf" / "base" / "parameters_lungs.yml").exists()
        assert (
            "Images kept apart; patients unknown."
            in (project / "data" / "08_reporting" / "lungs" / "images.html").read_text()
        )

    def test_names_of_files_cannot_write_into_the_page(self, project: Path) -> None:
        films = write_films(project / "films")
        (films / "<b>x.txt").write_text("x")
        words = [
            "new",
            "lungs",
            "--images",
            str(films),
            "--patients",
            "unknown",
            "--labels",
            "<i>=NORMAL;ill=PNEUMONIA",
        ]
        assert CliRunner().invoke(main, words).exit_code == 0
        page = (project / "data" / "08_reporting" / "lungs" / "images.html").read_text()
        assert "<i>" not in page
        assert "&lt;i&gt;" in page


def test_a_bare_text_for_patients_is_a_regular_expression() -> None:
    assert new_study.read_patients(r"(p\d+)_") == r"path:(p\d+)_"
    for way in ("unknown", "tag:PatientID", "folder:2", "column:who", None):
        assert new_study.read_patients(way) == way


class TestNumbersAndLevels:
    @staticmethod
    def write_table(folder: Path, values: list[object]) -> Path:
        for number, _ in enumerate(values):
            write_film(folder / f"{number}.png", number)
        names = [f"{number}.png" for number, _ in enumerate(values)]
        pd.DataFrame(
            {"path": names, "age": values, "who": [f"p{number}" for number, _ in enumerate(values)]}
        ).to_csv(folder / "films.csv", index=False)
        return folder / "films.csv"

    def examine_table(self, folder: Path, values: list[object], **words: object):
        table = self.write_table(folder, values)
        return examine(table=str(table), label_from="column:age", patient_from="column:who", **words)

    def write(self, found: new_study.Findings, **words: object) -> dict:
        wishes = Wishes(name="lungs", **words)
        return yaml.safe_load(write_block(found, wishes, "mammoscan new lungs"))["lungs"]

    def test_many_different_numbers_are_a_number(self, tmp_path: Path) -> None:
        found = self.examine_table(tmp_path, [30 + number / 2 for number in range(30)])
        assert (found.kind, list(found.labels)) == (
            "numbers",
            ["lowest third", "middle third", "highest third"],
        )
        assert any("--question labels asks about labels" in note for note in found.notes)
        block = self.write(found, measured_in="years")
        assert block["question"] == {"kind": "numbers", "quantity": "age", "measured_in": "years"}
        lines = new_study.describe_findings(found)
        assert "numbers from 30 to 44.5, mean 37.25, standard deviation 4.4" in lines
        assert not any("AUC" in line for line in lines)
        new_study.write_page(found, "lungs", "", tmp_path / "page.html")
        assert "Hanley" not in (tmp_path / "page.html").read_text()

    def test_few_numbers_are_labels_unless_the_option_says_otherwise(self, tmp_path: Path) -> None:
        values = [0, 1, 2, 3] * 6
        assert self.examine_table(tmp_path / "a", list(values)).kind == "classes"
        found = self.examine_table(tmp_path / "b", list(values), question="levels")
        assert (found.kind, list(found.labels)) == ("levels", ["0", "1", "2", "3"])
        assert self.write(found)["question"]["levels"] == ["0", "1", "2", "3"]
        assert self.examine_table(tmp_path / "c", list(values), question="number").kind == "numbers"

    def test_levels_stand_in_the_order_that_is_given(self, tmp_path: Path) -> None:
        values = ["mild", "none", "severe"] * 6
        found = self.examine_table(tmp_path / "a", list(values), levels="none<mild<severe")
        assert (found.kind, list(found.labels)) == ("levels", ["none", "mild", "severe"])
        with pytest.raises(
            MammoscanError, match="the order of mild, none, severe is not clear: pass --levels"
        ):
            self.examine_table(tmp_path / "b", list(values), question="levels")
        with pytest.raises(
            MammoscanError, match="no image has worse, expected 3 to 20 of: mild, none, severe"
        ):
            self.examine_table(tmp_path / "c", list(values), levels="none<mild<worse")
