"""Tables of truth and scores, as people have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mammoscan.data.score_table import ScoreTable, ask_question, find_table, read_labels, read_scores
from mammoscan.errors import MammoscanError
from mammoscan.params import EvaluateParams


def make_rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample_id": ["a", "b", "c", "d"],
            "patient_id": ["1", "1", "2", "3"],
            "label": ["well", "ill", "ill", "well"],
            "p_well": [0.9, 0.25, 0.4, 0.5],
            "p_ill": [0.1, 0.75, 0.6, 0.5],
            "site": ["north", "north", "south", "south"],
        }
    )


def read(folder: Path, rows: pd.DataFrame, **wishes: Any) -> ScoreTable:
    file = folder / "scores.csv"
    rows.to_csv(file, index=False)
    params = EvaluateParams.model_validate({"predictions": str(file), "evaluation": {}, **wishes})
    return read_scores(file, params, ask_question(file, read_labels(file, params), params))


def test_a_table_with_a_column_per_label_needs_no_option(tmp_path: Path) -> None:
    found = read(tmp_path, make_rows())
    assert found.predictions["p_ill"].tolist() == [0.1, 0.75, 0.6, 0.5]
    assert found.predictions["patient_id"].tolist() == ["1", "1", "2", "3"]
    assert set(found.predictions["model"]) == {"cnn"}
    assert set(found.predictions["fold"]) == {0}


def test_numbers_are_read_to_the_bit_as_the_catalog_reads_them(tmp_path: Path) -> None:
    rows = make_rows()
    rows["p_ill"] = np.random.default_rng(0).random(4)
    rows["p_well"] = 1 - rows["p_ill"]
    found = read(tmp_path, rows).predictions
    catalog = pd.read_csv(tmp_path / "scores.csv")
    assert (found["p_ill"] == catalog["p_ill"]).all()
    assert (found["p_well"] == catalog["p_well"]).all()


def test_one_column_of_scores_is_the_positive_labels(tmp_path: Path) -> None:
    rows = make_rows()[["label", "p_ill"]].rename(columns={"label": "truth", "p_ill": "score"})
    rows["score"] *= 100
    found = read(tmp_path, rows, truth="truth", score="score", score_max=100, patient=None, positive="ill")
    np.testing.assert_allclose(found.predictions["p_ill"], [0.1, 0.75, 0.6, 0.5])
    np.testing.assert_allclose(found.predictions["p_well"], [0.9, 0.25, 0.4, 0.5])
    assert found.predictions["sample_id"].tolist() == ["row 1", "row 2", "row 3", "row 4"]


def test_a_truth_in_numbers_counts_the_labels(tmp_path: Path) -> None:
    found = read(tmp_path, make_rows().assign(label=[0, 1, 1, 0]))
    assert found.predictions["label"].tolist() == ["well", "ill", "ill", "well"]
    assert found.notes == ("The truth is written in numbers, which count the labels: 0 is well, 1 is ill.",)


def test_outputs_before_softmax_become_probabilities(tmp_path: Path) -> None:
    rows = make_rows().assign(p_well=[2.0, 0.0, 1.0, 0.0], p_ill=[0.0, 0.0, 3.0, 1.0])
    found = read(tmp_path, rows, logits=True).predictions
    np.testing.assert_allclose(found["p_well"] + found["p_ill"], 1)
    assert found["p_ill"].iloc[1] == 0.5


def test_rows_without_a_truth_are_left_out_and_counted(tmp_path: Path) -> None:
    found = read(tmp_path, make_rows().assign(label=["well", "", "ill", "well"]))
    assert len(found.predictions) == 3
    assert found.rejected.to_dict("records") == [{"source": "line 3", "reason": "no truth"}]


def test_subgroups_come_along_once_per_image(tmp_path: Path) -> None:
    rows = make_rows()
    both = pd.concat([rows.assign(model="cnn"), rows.assign(model="rule")])
    found = read(tmp_path, both, subgroups=["site"])
    assert found.samples["site"].tolist() == ["north", "north", "south", "south"]
    assert found.predictions["model"].tolist() == ["cnn"] * 4 + ["rule"] * 4


@pytest.mark.parametrize(
    ("change", "wishes", "line"),
    [
        ({}, {"truth": "finding"}, r"no column 'finding'; found sample_id, patient_id, .*evaluate.truth"),
        ({}, {"patient": "person"}, r"no column 'person'; .*evaluate.patient .*null where patients"),
        ({}, {"subgroups": ["age"]}, r"no column 'age'; .*evaluate.subgroups"),
        ({}, {"positive": "sick"}, r"evaluate.positive is 'sick', expected one of: well, ill"),
        ({}, {"scores": "q_{label}"}, r"0 columns of scores called q_<label>; found .*evaluate.score"),
        ({"p_ill": ["0.1", "x", "0.6", "0.5"]}, {}, r"line 3: p_ill is 'x', expected a number"),
        ({"p_ill": [0.1, 0.8, 0.6, 0.5]}, {}, r"line 3: the scores of the labels sum to 1.05, expected 1"),
        ({"p_ill": [10, 75, 60, 50]}, {}, r"scores go from 0.25 to 75, expected 0 to 1; .*score_max"),
        (
            {"label": ["well", "sick", "ill", "ill"]},
            {},
            r"line 3: label is 'sick', expected one of: well, ill",
        ),
        ({"patient_id": ["1", "", "2", "3"]}, {}, r"line 3: column patient_id is empty"),
        ({"sample_id": ["a", "b", "a", "d"]}, {}, r"line 4: a stands there again"),
        ({"model": ["a", "b", "a", "b"]}, {}, r"the models a, b, expected one of them to be called cnn"),
        ({"label": ["a", "b", "c", "a"]}, {"score": "p_ill"}, r"holds 3 labels \(a, b, c\), expected two"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    tmp_path: Path, change: dict[str, Any], wishes: dict[str, Any], line: str
) -> None:
    with pytest.raises(MammoscanError, match=line) as error:
        read(tmp_path, make_rows().assign(**change), **wishes)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_one_line() -> None:
    with pytest.raises(MammoscanError, match=r"evaluate.predictions: found nothing, expected a table"):
        find_table("evaluate.predictions", None)
    with pytest.raises(MammoscanError, match=r"evaluate.against is x.csv: there is no such file"):
        find_table("evaluate.against", "x.csv")
