from __future__ import annotations

import pandas as pd
import pytest

from mammoscan.data.image_selection import choose_images, choose_targets, sample_images
from mammoscan.errors import MammoscanError
from mammoscan.params import PackParams, Question, TargetQuestion

PACK = PackParams(size=8)


def make_images(count: int = 12) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample_id": [f"s{n}" for n in range(count)],
            "patient_id": [f"p{n // 2}" for n in range(count)],
            "source": [f"f{n}.png" for n in range(count)],
            "label": ["well", "ill", "odd"] * (count // 3),
            "group": ["x", "y"] * (count // 2),
            "magnification": [40, 100, 200, 400] * (count // 4),
        }
    )


def ask(**more) -> Question:
    return Question(text="?", **{"labels": ("well", "ill"), "positive": "ill", **more})


NONE = pd.DataFrame({"source": ["z"], "reason": ["broken"]})


def test_every_image_is_chosen_or_left_out_with_a_reason() -> None:
    images = make_images()
    chosen, rejected = choose_images(images, NONE, ask(), PACK)
    assert list(chosen["target"]) == [("well", "ill").index(label) for label in chosen["label"]]
    assert {*chosen["source"], *rejected["source"]} == {*images["source"], "z"}
    assert set(rejected["reason"]) == {"broken", "labelled odd: the question is about well and ill only"}


def test_another_column_can_be_asked_about() -> None:
    chosen, _ = choose_images(make_images(), NONE, ask(about="group", labels=("y", "x"), positive="y"), PACK)
    assert list(chosen["label"]) == ["x", "y"] * 6
    assert list(chosen["target"]) == [1, 0] * 6


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ({"magnification": 400}, {400}),
        ({"magnification": "400"}, {400}),
        ({"magnification": (40, 100)}, {40, 100}),
        ({"magnification": "all"}, {40, 100, 200, 400}),
    ],
)
def test_where_keeps_images_by_a_column(where, kept) -> None:
    chosen, rejected = choose_images(make_images(24), NONE, ask(where=where), PACK)
    assert set(chosen["magnification"]) == kept
    if kept == {400}:
        assert "magnification 40: the question is about 400 only" in set(rejected["reason"])


def test_groups_leave_the_others_out() -> None:
    chosen, rejected = choose_images(make_images(), NONE, ask(groups=("x",)), PACK)
    assert set(chosen["group"]) == {"x"}
    assert "of group y: the question is about x only" in set(rejected["reason"])


def test_a_label_without_an_image_and_an_unknown_column_are_refused() -> None:
    with pytest.raises(
        MammoscanError, match=r"label 'cold': no image found, expected some \(labels found: ill"
    ):
        choose_images(make_images(), NONE, ask(labels=("ill", "cold")), PACK)
    with pytest.raises(MammoscanError, match=r"question\.where names the column 'zoom', expected one of"):
        choose_images(make_images(), NONE, ask(where={"zoom": 1}), PACK)


def test_a_limit_takes_a_seeded_sample_with_the_shares_of_the_whole_and_says_so() -> None:
    images = make_images(1200)
    limited = PackParams(size=8, limit=200)
    chosen, rejected = choose_images(images, NONE, ask(), limited)
    assert len(chosen) == 200
    assert chosen["label"].value_counts().to_dict() == {"well": 100, "ill": 100}
    assert chosen["patient_id"].nunique() > 150
    assert chosen["source"].str[1:-4].astype(int).is_monotonic_increasing
    assert (rejected["reason"] == "not in the sample of 200 images that pack.limit asks for").sum() == 600
    again, _ = choose_images(images, NONE, ask(), limited)
    assert again.equals(chosen)
    other, _ = choose_images(images, NONE, ask(), PackParams(size=8, limit=200, seed=1))
    assert set(other["sample_id"]) != set(chosen["sample_id"])


def test_a_sample_keeps_the_shares_of_unequal_labels() -> None:
    images = make_images(1200).assign(label=["ill"] * 900 + ["well"] * 300)
    assert sample_images(images, 100, 0)["label"].value_counts().to_dict() == {"ill": 75, "well": 25}


def index_numbers(values: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "source": [f"{n}.png" for n in range(len(values))],
            "label": values,
            "patient_id": range(len(values)),
        }
    )


AGE = TargetQuestion(kind="numbers", text="How old?")


def test_numbers_are_read_and_named_by_their_third() -> None:
    chosen, left_out = choose_targets(index_numbers(["40", " 50.5", "x", "60", "", "nan"]), NONE, AGE, PACK)
    assert chosen["target"].tolist() == [40, 50.5, 60]
    assert chosen["label"].tolist() == ["lowest third", "middle third", "highest third"]
    assert left_out["reason"].tolist()[1] == "found x, expected a number"
    assert len(left_out) == 4


def test_numbers_of_which_many_are_equal_have_fewer_parts() -> None:
    chosen, _ = choose_targets(index_numbers(["0"] * 8 + ["3", "7"]), NONE, AGE, PACK)
    assert chosen["label"].tolist() == ["lower part"] * 8 + ["higher part"] * 2
    with pytest.raises(MammoscanError, match="all images have the number 5, expected different ones"):
        choose_targets(index_numbers(["5"] * 4), NONE, AGE, PACK)
    with pytest.raises(MammoscanError, match=r"no image has a number in label \(found: old, young\)"):
        choose_targets(index_numbers(["old", "young"]), NONE, AGE, PACK)


def test_levels_become_their_places() -> None:
    grade = TargetQuestion(kind="levels", text="Which grade?", levels=("low", "middle", "high"))
    chosen, left_out = choose_targets(index_numbers(["high", "low", "middle", "?"]), NONE, grade, PACK)
    assert chosen["target"].tolist() == [2, 0, 1]
    assert left_out["reason"].tolist()[1:] == ["found ?, expected one of the levels low, middle, high"]
    with pytest.raises(MammoscanError, match="level 'middle': no image found"):
        choose_targets(index_numbers(["high", "low"]), NONE, grade, PACK)
