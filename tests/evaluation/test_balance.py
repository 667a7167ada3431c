import pandas as pd
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.evaluation.balance import balance_rows, balance_samples, count_classes
from mammoscan.params import BalanceParams


def count(samples: pd.DataFrame) -> dict:
    return samples.groupby(["group", "severity"]).size().to_dict()


def test_class_balance_of_the_articles_3828_images_leaves_1280(article_samples):
    assert len(article_samples) == 3828
    kept = balance_samples(article_samples, BalanceParams(method="class"))
    counts = count(kept)
    assert len(kept) == 1280
    assert counts[("NORM", "normal")] == 224
    assert counts[("CALC", "benign")] == counts[("CALC", "malignant")] == 120
    assert counts[("CIRC", "benign")] == counts[("CIRC", "malignant")] == 48
    assert counts[("ARCH", "benign")] == counts[("ARCH", "malignant")] == 108


def test_full_balance_leaves_672_that_is_48_and_48_a_class_and_96_normals(article_samples):
    kept = balance_samples(article_samples, BalanceParams(method="full"))
    assert len(kept) == 672
    counts = count(kept)
    assert counts.pop(("NORM", "normal")) == 96
    assert set(counts.values()) == {48}
    assert len(counts) == 12


def test_calcifications_alone_are_240_and_96_where_all_classes_set_the_size(article_samples):
    calc = article_samples[article_samples["group"] == "CALC"]
    full = BalanceParams(method="full")
    assert len(balance_samples(calc, BalanceParams(method="class"))) == 240
    assert len(balance_samples(calc, full)) == 240
    kept = balance_samples(calc, full, reference=article_samples)
    assert len(kept) == 96
    together = balance_samples(article_samples, full)
    pd.testing.assert_frame_equal(kept, together[together["group"] == "CALC"])


def test_normals_are_left_whole_when_no_other_class_is_there(article_samples):
    normals = article_samples[article_samples["group"] == "NORM"]
    for method in ("class", "full"):
        assert len(balance_samples(normals, BalanceParams(method=method))) == len(normals)


def test_images_are_cut_not_scans(article_samples):
    kept = balance_samples(article_samples, BalanceParams(method="class"))
    circ = kept[(kept["group"] == "CIRC") & (kept["severity"] == "benign")]
    views = circ.groupby("source").size()
    assert ((views > 0) & (views < 12)).any()


def test_order_and_columns_stay_and_the_seed_decides(article_samples):
    first, again, other = (
        balance_samples(article_samples, BalanceParams(method="class", seed=s)) for s in (1, 1, 2)
    )
    assert first.index.is_monotonic_increasing
    assert list(first.columns) == list(article_samples.columns)
    pd.testing.assert_frame_equal(first, again)
    assert not first.index.equals(other.index)


def test_none_passes_through(article_samples):
    assert balance_samples(article_samples, BalanceParams()) is article_samples


def test_a_class_with_one_severity_only_is_cut_to_nothing_and_counted(article_samples):
    lone = article_samples[(article_samples["group"] != "CIRC") | (article_samples["severity"] == "benign")]
    kept = balance_samples(lone, BalanceParams(method="class"))
    assert "CIRC" not in set(kept["group"])
    table = count_classes(lone, kept).set_index(["group", "severity"])
    assert table.loc[("CIRC", "benign")].tolist() == [228, 0]
    assert table.loc[("CALC", "malignant")].tolist() == [120, 120]
    # The smallest class that is left sets the full balance.
    assert count(balance_samples(lone, BalanceParams(method="full")))[("ASYM", "benign")] == 72


def test_nothing_left_is_an_error(article_samples):
    lone = article_samples[article_samples["severity"] != "malignant"]
    lone = pd.concat(
        [lone[lone["group"] == "CALC"], lone[lone["group"] == "ARCH"].assign(severity="malignant")]
    )
    with pytest.raises(MammoscanError, match=r"no group holds each of \['benign', 'malignant'\]"):
        balance_samples(lone, BalanceParams(method="class"))


def test_data_without_severity_or_group_are_balanced_by_label():
    samples = pd.DataFrame({"sample_id": list("abcdefg"), "label": ["x"] * 5 + ["y"] * 2})
    kept = balance_samples(samples, BalanceParams(method="class"))
    assert kept["label"].value_counts().to_dict() == {"x": 2, "y": 2}
    assert count_classes(samples, kept)["label"].tolist() == ["x", "y"]


def test_only_training_rows_of_a_fold_are_balanced(article_samples):
    roles = ["train", "test", "train", "validation"]
    rows = pd.DataFrame(
        {
            "sample_id": article_samples["sample_id"],
            "row": range(len(article_samples)),
            "role": [roles[k % 4] for k in range(len(article_samples))],
        }
    ).iloc[::-1]
    kept = balance_rows(rows, article_samples, BalanceParams(method="class"))
    for role in ("test", "validation"):
        assert (kept["role"] == role).sum() == (rows["role"] == role).sum()
    training = article_samples.iloc[kept.loc[kept["role"] == "train", "row"]]
    counts = count(training)
    assert counts[("CIRC", "benign")] == counts[("CIRC", "malignant")] == 24
    assert kept["row"].is_monotonic_decreasing
    assert (article_samples["sample_id"].iloc[kept["row"]].to_numpy() == kept["sample_id"].to_numpy()).all()


class TestLabels:
    SAMPLES = pd.DataFrame(
        {
            "sample_id": [f"s{number}" for number in range(30)],
            "label": ["benign"] * 10 + ["malignant"] * 20,
            "group": ["A", "F"] * 15,
        }
    )

    @pytest.mark.parametrize(("most", "left"), [(None, 10), (4, 4), (1250, 10)])
    def test_every_label_is_cut_to_the_smallest_or_to_the_number_asked_for(
        self, most: int | None, left: int
    ) -> None:
        kept = balance_samples(self.SAMPLES, BalanceParams(method="label", most=most))
        assert kept["label"].value_counts().to_dict() == {"benign": left, "malignant": left}
        assert kept.index.is_monotonic_increasing

    def test_the_seed_decides_which_images_are_left(self) -> None:
        one, again, other = (
            list(balance_samples(self.SAMPLES, BalanceParams(method="label", most=4, seed=seed))["sample_id"])
            for seed in (0, 0, 1)
        )
        assert one == again
        assert one != other

    def test_a_number_without_that_method_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"balance\.most is 5 with the method none"):
            BalanceParams(method="none", most=5)
