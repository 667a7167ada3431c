"""What ``predict`` shows first, and of what it says nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mammoscan.pipelines.predict.nodes import choose_shown
from mammoscan.reporting.prediction_gallery import build_gallery
from mammoscan.serving.batch import NO_ANSWER, find_out_of_distribution, withhold_answers
from mammoscan.serving.classifier import OUT_OF_DISTRIBUTION_WARNING
from services import CARD

NEGATIVE, POSITIVE = CARD.labels


@pytest.fixture
def answers() -> pd.DataFrame:
    """Eight usable files, two of them suspicious and unlike the training, and a broken one."""
    shares = [0.99, 0.98, 0.9, 0.8, 0.7, 0.3, 0.2, 0.1, np.nan]
    names = ["black", "noise", *"abcdef", "broken"]
    warnings: list[list[str]] = [[f"{OUT_OF_DISTRIBUTION_WARNING}: grey levels"] for _ in range(2)]
    warnings += [["grey from colour"], *([] for _ in range(6))]
    return pd.DataFrame(
        {
            "file": [f"{name}.png" for name in names],
            "label": [None if np.isnan(share) else POSITIVE if share > 0.5 else NEGATIVE for share in shares],
            f"p_{NEGATIVE}": [1 - share for share in shares],
            f"p_{POSITIVE}": shares,
            "warnings": warnings,
            "error": [*[None] * 8, "broken.png cannot be read"],
        }
    )


def show(answers: pd.DataFrame, count: int = 300) -> tuple[list[str], str]:
    chosen = choose_shown(answers, CARD, count)
    regions = pd.DataFrame(columns=["file"])
    page = build_gallery(CARD, answers, chosen, find_out_of_distribution(chosen), regions, {})
    return [name.removesuffix(".png") for name in chosen["file"]], page


def test_images_unlike_the_training_are_not_ranked_with_the_suspicious_ones(answers: pd.DataFrame) -> None:
    names, page = show(answers)
    assert names == [*"abcdef", "black", "noise"]
    ranked, apart = page.split("<h2>Images unlike those of the training (2)</h2>")
    assert "a.png" in ranked
    assert "black.png" not in ranked
    assert "black.png" in apart
    assert "a.png" not in apart


def test_they_take_a_fifth_of_a_short_gallery(answers: pd.DataFrame) -> None:
    assert show(answers, 5)[0] == ["a", "b", "c", "d", "black"]
    assert show(answers, 0)[0] == []


def test_without_any_there_is_no_second_section(answers: pd.DataFrame) -> None:
    answers["warnings"] = [[] for _ in range(len(answers))]
    names, page = show(answers)
    assert names[:2] == ["black", "noise"]
    assert "unlike those of the training" not in page


def test_a_model_can_abstain(answers: pd.DataFrame) -> None:
    withheld = withhold_answers(answers, CARD)
    table = withheld.set_index("file")
    assert table.loc["black.png", ["label", f"p_{NEGATIVE}", f"p_{POSITIVE}"]].isna().all()
    assert table.loc["black.png", "warnings"][-1] == NO_ANSWER
    assert table.loc["a.png", "label"] == POSITIVE
    assert table.loc["a.png", "warnings"] == ["grey from colour"]
    assert answers["label"].notna().sum() == 8
    names, page = show(withheld)
    assert set(names[-2:]) == {"black", "noise"}
    assert "2 unlike those of the training got no answer" in page
    assert page.count("<p>no answer</p>") == 2
