import numpy as np
import pandas as pd
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.evaluation.splits import (
    check_folds,
    divide_samples,
    find_lockbox_rows,
    find_used_rows,
    split_folds,
)
from mammoscan.params import SplitParams

FIVE = [f"fold_{k}" for k in range(5)]


def stands_on_one_side(roles: pd.Series, units: pd.Series) -> pd.Series:
    return (pd.crosstab(units.to_numpy(), roles.to_numpy()) > 0).sum(axis=1) == 1


def test_every_patient_is_test_in_exactly_one_fold_and_stands_on_one_side_of_each(make_samples):
    samples = make_samples()
    folds = divide_samples(samples, SplitParams(), 5)
    assert list(folds.columns) == ["sample_id", "row", *FIVE]
    assert folds["sample_id"].tolist() == samples["sample_id"].tolist()
    assert folds["row"].tolist() == list(range(len(samples)))
    for fold in FIVE:
        assert stands_on_one_side(folds[fold], samples["patient_id"]).all()
    assert ((folds[FIVE] == "test").sum(axis=1) == 1).all()


def test_folds_hold_labels_and_groups_in_even_numbers(make_samples):
    samples = make_samples(patients=100, views=1)
    folds = divide_samples(samples, SplitParams(), 5)
    for column, slack in (("label", 2), ("group", 4)):
        for level in samples[column].unique():
            counts = [int(((folds[f] == "test") & (samples[column] == level)).sum()) for f in FIVE]
            assert max(counts) - min(counts) <= slack, (level, counts)


def test_validation_takes_its_share_of_training_patients_and_both_labels(make_samples):
    samples = make_samples(patients=100, views=1)
    folds = divide_samples(samples, SplitParams(validation_fraction=0.2), 5)
    for fold in FIVE:
        patients = samples.groupby(folds[fold])["patient_id"].nunique()
        assert patients["validation"] / (patients["validation"] + patients["train"]) == pytest.approx(
            0.2, abs=0.04
        )
        assert samples.loc[folds[fold] == "validation", "label"].nunique() == 2


@pytest.mark.parametrize("split", [SplitParams(choose_epoch_on="test"), SplitParams(validation_fraction=0)])
def test_no_validation_is_taken_where_none_is_wanted(make_samples, split):
    folds = divide_samples(make_samples(), split, 5)
    assert set(folds[FIVE].to_numpy().ravel()) == {"train", "test"}


def test_same_seed_same_folds_and_another_seed_others(make_samples):
    samples = make_samples()
    first, again, other = (divide_samples(samples, SplitParams(seed=s), 5) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_order_of_samples_does_not_change_who_is_tested_when(make_samples):
    samples = make_samples()
    shuffled = samples.sample(frac=1, random_state=3)
    first = divide_samples(samples, SplitParams(), 5).set_index("sample_id")[FIVE]
    second = divide_samples(shuffled, SplitParams(), 5).set_index("sample_id")[FIVE]
    pd.testing.assert_frame_equal(first, second.loc[first.index])


def test_240_images_divided_as_images_give_60_test_images_of_both_labels_evenly():
    samples = pd.DataFrame(
        {"sample_id": [f"i{k}" for k in range(240)], "label": ["benign", "malignant"] * 120}
    )
    split = SplitParams(together="image", choose_epoch_on="test")
    folds = divide_samples(samples, split, 1)
    test = folds["fold_0"] == "test"
    assert test.sum() == 60
    assert samples.loc[test, "label"].value_counts().to_dict() == {"benign": 30, "malignant": 30}
    # A draw, not every fourth image.
    assert len(set(np.diff(np.flatnonzero(test)))) > 3
    assert not folds.equals(divide_samples(samples, split.model_copy(update={"seed": 1}), 1))


def test_images_in_folds_give_every_fold_its_turn_and_an_even_size():
    samples = pd.DataFrame({"sample_id": [f"i{k:03}" for k in range(103)], "label": ["a"] * 50 + ["b"] * 53})
    folds = divide_samples(samples, SplitParams(together="image", validation_fraction=0), 5)
    assert sorted((folds[FIVE] == "test").sum()) == [20, 20, 21, 21, 21]
    assert ((folds[FIVE] == "test").sum(axis=1) == 1).all()


def test_regions_stay_whole_while_their_patients_may_be_divided(make_samples):
    samples = make_samples()
    folds = divide_samples(samples, SplitParams(together="region"), 1)
    assert stands_on_one_side(folds["fold_0"], samples["region_id"]).all()
    assert not stands_on_one_side(folds["fold_0"], samples["patient_id"]).all()
    units = samples.groupby(folds["fold_0"])["region_id"].nunique()
    assert units["test"] / units.sum() == pytest.approx(0.25, abs=0.02)


def test_samples_outside_the_pool_are_out_of_every_fold(make_samples):
    samples = make_samples()
    pool = samples["sample_id"][::2]
    folds = divide_samples(samples, SplitParams(together="image"), 1, pool=set(pool))
    assert set(folds.loc[~folds["sample_id"].isin(pool), "fold_0"]) == {"out"}
    rows = split_folds(folds)["fold_0"]
    assert rows["sample_id"].tolist() == pool.tolist()
    assert samples["sample_id"].iloc[rows["row"]].tolist() == rows["sample_id"].tolist()


@pytest.mark.slow
def test_a_rare_label_reaches_every_fold():
    labels = ["rare"] * 5 + ["common"] * 60
    for seed in range(20):
        samples = pd.DataFrame(
            {"sample_id": [f"{k}_{j}" for k in range(65) for j in range(2)], "label": np.repeat(labels, 2)}
        )
        samples["patient_id"] = samples["sample_id"].str.split("_").str[0]
        folds = divide_samples(samples, SplitParams(seed=seed), 5)
        for fold in FIVE:
            rare = (folds[fold] == "test") & (samples["label"] == "rare")
            assert len(set(samples.loc[rare, "patient_id"])) == 1


def test_patients_of_very_unequal_size_still_make_folds_of_about_one_size():
    for seed in (0, 1, 2, 4, 7):
        sizes = np.ceil(np.random.default_rng(seed).lognormal(2.5, 1.3, 60)).astype(int)
        assert 0.09 < sizes.max() / sizes.sum() < 0.2
        samples = pd.DataFrame({"patient_id": np.repeat([f"p{k}" for k in range(60)], sizes)})
        samples["sample_id"] = [f"s{k}" for k in range(len(samples))]
        samples["label"] = np.where(np.arange(len(samples)) % 3 == 0, "b", "a")
        folds = divide_samples(samples, SplitParams(), 5)
        assert (folds[FIVE] == "test").mean().to_numpy() == pytest.approx(0.2, abs=0.01)


def test_too_few_patients_of_a_class_are_named_with_how_many_are_needed():
    samples = pd.DataFrame({"sample_id": list("abcdefghij"), "label": ["x"] * 7 + ["y"] * 3})
    samples["patient_id"] = samples["sample_id"]
    with pytest.raises(MammoscanError, match=r"label 'y': 3 patients found, 5 needed for 5 fold") as caught:
        divide_samples(samples, SplitParams(), 5)
    assert "\n" not in str(caught.value)


def test_one_label_alone_cannot_be_divided():
    samples = pd.DataFrame({"sample_id": list("abc"), "patient_id": list("abc"), "label": "x"})
    with pytest.raises(MammoscanError, match="at least two"):
        divide_samples(samples, SplitParams(), 3)


def test_a_sample_without_its_unit_is_named(make_samples):
    samples = make_samples()
    samples.loc[4, "patient_id"] = None
    with pytest.raises(MammoscanError, match=f"{samples['sample_id'][4]} has no patient_id"):
        divide_samples(samples, SplitParams(), 5)
    with pytest.raises(MammoscanError, match="no column region_id"):
        divide_samples(samples.drop(columns="region_id"), SplitParams(together="region"), 5)


def test_a_given_table_replaces_the_drawn_one_in_whatever_order_its_rows_are(make_samples):
    samples = make_samples()
    drawn = divide_samples(samples, SplitParams(seed=9), 5)
    given = drawn.drop(columns="row").sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(divide_samples(samples, SplitParams(), 5, given=given), drawn)


@pytest.fixture
def folds_and_samples(make_samples):
    samples = make_samples()
    return divide_samples(samples, SplitParams(), 5), samples


def refuse(folds, samples, match, split=None):
    with pytest.raises(MammoscanError, match=match) as caught:
        check_folds(folds, samples, split or SplitParams())
    assert "\n" not in str(caught.value)


def test_a_missing_an_unknown_and_a_misplaced_sample_are_refused(folds_and_samples):
    folds, samples = folds_and_samples
    name = samples["sample_id"].iloc[3]
    refuse(folds.drop(index=3), samples, f"{name} is missing")
    refuse(pd.concat([folds, folds.iloc[[0]].assign(sample_id="q")]), samples, "q is not a sample")
    refuse(pd.concat([folds, folds.iloc[[0]]]), samples, "is there twice")
    refuse(folds.iloc[::-1], samples, "another order")
    with pytest.raises(MammoscanError, match=f"{name} is missing"):
        divide_samples(samples, SplitParams(), 5, given=folds.drop(index=3))


def test_a_given_table_of_another_number_of_folds_is_refused(folds_and_samples):
    folds, samples = folds_and_samples
    with pytest.raises(MammoscanError, match="for a study of 4 fold"):
        divide_samples(samples, SplitParams(), 4, given=folds)
    with pytest.raises(MammoscanError, match="expected sample_id"):
        divide_samples(samples, SplitParams(), 5, given=folds.drop(columns="sample_id"))
    refuse(folds[["sample_id", "row"]], samples, "expected sample_id, row, fold_0")


def test_an_unknown_role_is_refused(folds_and_samples):
    folds, samples = folds_and_samples
    refuse(folds.replace({"fold_1": {"test": "Test"}}), samples, "fold_1 holds the role 'Test'")


def test_a_patient_on_both_sides_is_named_with_the_fold(folds_and_samples):
    folds, samples = folds_and_samples
    row = np.flatnonzero(folds["fold_2"] == "test")[0]
    folds.loc[row, "fold_2"] = "train"
    patient = samples["patient_id"].iloc[row]
    refuse(folds, samples, f"patient {patient} is in test and train of fold_2")
    # The same table is fine where only images must stay whole.
    check_folds(folds, samples, SplitParams(together="image"))


def test_a_patient_tested_twice_is_refused(folds_and_samples):
    folds, samples = folds_and_samples
    patient = samples.loc[folds["fold_0"] == "test", "patient_id"].iloc[0]
    folds.loc[samples["patient_id"] == patient, "fold_3"] = "test"
    refuse(folds, samples, f"patient {patient} is test in fold_3 and in an earlier fold")


@pytest.mark.parametrize("side", ["test", "train"])
def test_a_fold_that_lacks_a_label_is_named_with_the_patients_found(folds_and_samples, side):
    folds, samples = folds_and_samples
    folds.loc[(folds["fold_4"] == side) & (samples["label"] == "malignant"), "fold_4"] = "out"
    refuse(folds, samples, rf"fold_4 has no 'malignant' in {side}: patients found 0, needed 1")


def test_a_fold_without_validation_rows_is_refused_where_validation_chooses_the_epoch(folds_and_samples):
    folds, samples = folds_and_samples
    bare = folds.replace({"fold_0": {"validation": "train"}})
    refuse(bare, samples, "fold_0 has no validation row")
    check_folds(bare, samples, SplitParams(choose_epoch_on="test"))


class TestPublished:
    SPLIT = SplitParams(folds=1, together="published")

    @staticmethod
    def make(published):
        count = len(published)
        return pd.DataFrame(
            {
                "sample_id": [f"s{n}" for n in range(count)],
                "patient_id": [f"p{n}" for n in range(count)],
                "region_id": [f"s{n}" for n in range(count)],
                "label": ["a", "b"] * (count // 2),
                "group": ["a", "b"] * (count // 2),
                "published": published,
            }
        )

    def test_the_published_folders_are_the_division(self):
        samples = self.make(["train"] * 4 + ["val"] * 2 + ["test"] * 2)
        folds = divide_samples(samples, self.SPLIT, 1)
        assert folds["fold_0"].tolist() == ["train"] * 4 + ["validation"] * 2 + ["test"] * 2
        pooled = divide_samples(samples, self.SPLIT, 1, pool=set(samples["sample_id"]) - {"s0"})
        assert pooled["fold_0"].tolist()[0] == "out"

    def test_a_missing_validation_side_is_drawn_from_the_training_patients_and_said(self, caplog):
        samples = self.make(["train"] * 20 + ["test"] * 4).assign(
            patient_id=[f"p{n // 4}" for n in range(20)] + ["q"] * 4
        )
        with caplog.at_level("WARNING", logger="mammoscan"):
            folds = divide_samples(samples, self.SPLIT, 1)
        roles = folds["fold_0"]
        assert roles.value_counts().to_dict() == {"train": 16, "validation": 4, "test": 4}
        assert len(set(samples["patient_id"][roles == "validation"])) == 1
        assert (
            "no validation images were published: 4 of 20 training images, those of 1 patients" in caplog.text
        )

    @pytest.mark.parametrize(
        ("samples", "folds", "said"),
        [
            (
                ["train", "train", "none", "val", "test", "test"],
                1,
                "s2 is published in 'none', expected one of",
            ),
            (["train"] * 6, 2, "which is a single split, but the study has 2 folds"),
            (None, 1, "no column published"),
        ],
    )
    def test_a_set_without_such_a_division_is_refused(self, samples, folds, said):
        table = self.make(samples or ["train"] * 6)
        with pytest.raises(MammoscanError, match=said):
            divide_samples(table if samples else table.drop(columns="published"), self.SPLIT, folds)


def test_a_class_with_one_patient_is_refused_with_the_patients_found_and_needed():
    samples = pd.DataFrame(
        {
            "sample_id": [f"s{n}" for n in range(12)],
            "patient_id": ["p0"] * 2 + [f"p{n}" for n in range(1, 11)],
            "region_id": [f"s{n}" for n in range(12)],
            "label": ["rare"] * 2 + ["common"] * 10,
            "group": ["x"] * 12,
        }
    )
    with pytest.raises(MammoscanError, match=r"label 'rare': 1 patients found, 5 needed for 5 fold"):
        divide_samples(samples, SplitParams(folds=5, together="patient"), 5)


class TestLockbox:
    def test_nobody_is_set_aside_by_default(self, make_samples):
        samples = make_samples()
        pd.testing.assert_frame_equal(
            divide_samples(samples, SplitParams(), 5), divide_samples(samples, SplitParams(lockbox=0), 5)
        )
        assert len(find_lockbox_rows(divide_samples(samples, SplitParams(), 5))) == 0

    def test_whole_patients_of_every_label_are_set_aside_in_every_fold(self, make_samples):
        samples = make_samples(patients=100, views=2)
        folds = divide_samples(samples, SplitParams(lockbox=0.2), 5)
        locked = samples.iloc[find_lockbox_rows(folds)]
        assert locked["patient_id"].nunique() == pytest.approx(20, abs=2)
        assert set(locked["label"]) == set(samples["label"])
        rest = samples.iloc[find_used_rows(folds)]
        assert not set(locked["patient_id"]) & set(rest["patient_id"])
        assert len(locked) + len(rest) == len(samples)
        assert ((folds[FIVE] == "lockbox").sum(axis=1).isin([0, 5])).all()
        for rows in split_folds(folds).values():
            assert not set(rows["row"]) & set(find_lockbox_rows(folds))

    def test_the_folds_seed_and_number_leave_the_lockbox_as_it_is_and_its_own_seed_draws_another(
        self, make_samples
    ):
        samples = make_samples(patients=100, views=1)

        def draw(folds: int = 5, **changes: int) -> list[int]:
            return list(
                find_lockbox_rows(divide_samples(samples, SplitParams(lockbox=0.2, **changes), folds))
            )

        assert draw() == draw(seed=7) == draw(folds=3)
        assert draw() != draw(lockbox_seed=1)

    def test_a_given_table_may_hold_a_lockbox_but_not_a_second_one(self, make_samples):
        samples = make_samples(patients=100, views=2)
        folds = divide_samples(samples, SplitParams(lockbox=0.2), 5)
        again = divide_samples(samples, SplitParams(), 5, given=folds)
        assert list(find_lockbox_rows(again)) == list(find_lockbox_rows(folds))
        with pytest.raises(
            MammoscanError, match=r"lockbox is 0.2 and split.file is set, expected one of the two"
        ):
            divide_samples(samples, SplitParams(lockbox=0.2), 5, given=folds)

    @pytest.mark.parametrize("names", [FIVE[:1], FIVE])
    def test_a_patient_who_is_only_partly_in_the_lockbox_is_refused(self, make_samples, names):
        samples = make_samples(patients=100, views=2)
        folds = divide_samples(samples, SplitParams(lockbox=0.2), 5)
        row = find_lockbox_rows(folds)[0]
        folds.loc[folds["row"] == row, names] = "train"
        patient = samples.iloc[row]["patient_id"]
        with pytest.raises(MammoscanError, match=f"patient {patient} is in the lockbox and also train"):
            check_folds(folds, samples, SplitParams())

    def test_a_lockbox_without_one_of_the_labels_is_refused(self, make_samples):
        samples = make_samples(patients=100, views=1)
        first = samples["patient_id"].iloc[0]
        rare = samples.assign(label=np.where(samples["patient_id"] == first, "rare", samples["label"]))
        with pytest.raises(MammoscanError, match=r"lockbox is 0.01: no patient with the label"):
            divide_samples(rare, SplitParams(lockbox=0.01), 5)

    def test_images_cannot_be_set_aside(self):
        with pytest.raises(
            ValueError, match=r"split.lockbox is 0.2 with together image, expected .* patient"
        ):
            SplitParams(lockbox=0.2, together="image")
