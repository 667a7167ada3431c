import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_info

from mammoscan.errors import MammoscanError
from mammoscan.evaluation import baselines
from mammoscan.evaluation.baselines import predict_baselines
from mammoscan.evaluation.metadata_features import build_features, reject_label_leaks
from mammoscan.evaluation.splits import divide_samples
from mammoscan.evaluation.texture_features import describe_textures
from mammoscan.params import EvaluationParams, Question, SplitParams


@pytest.fixture
def data(make_samples):
    """Samples whose radius hints at the label and whose malignant images are rougher."""
    samples = make_samples(patients=80, views=1)
    rng = np.random.default_rng(4)
    malignant = (samples["label"] == "malignant").to_numpy()
    samples["radius"] = rng.normal(40, 10, len(samples)) + 20 * malignant
    samples["tissue"] = rng.choice(list("FGD"), len(samples))
    samples["target"] = malignant.astype(int)
    roughness = np.where(malignant, 60, 30)[:, None, None, None]
    pixels = np.clip(128 + roughness * rng.normal(size=(len(samples), 16, 16, 1)), 0, 255).astype(np.uint8)
    return samples, pixels, divide_samples(samples, SplitParams(), 4)


@pytest.fixture
def with_metadata():
    return EvaluationParams(resamples=20, metadata_columns=("radius", "tissue", "group"))


def measure_area(predictions, model):
    part = predictions[predictions["model"] == model]
    return roc_auc_score(part["label"] == "malignant", part["p_malignant"])


def test_each_model_predicts_each_test_sample_once_in_its_own_fold(data, question, with_metadata):
    samples, _, folds = data
    found = predict_baselines(*data, question, with_metadata)
    assert list(found["model"].unique()) == ["majority", "metadata", "texture"]
    for _, part in found.groupby("model"):
        assert sorted(part["sample_id"]) == sorted(samples["sample_id"])
        for fold, rows in part.groupby("fold"):
            assert set(rows["sample_id"]) == set(folds.loc[folds[f"fold_{fold}"] == "test", "sample_id"])
    np.testing.assert_allclose(found[["p_benign", "p_malignant"]].sum(axis=1), 1)
    known = samples.set_index("sample_id").loc[found["sample_id"]]
    assert (known["label"].to_numpy() == found["label"].to_numpy()).all()
    assert (known["patient_id"].to_numpy() == found["patient_id"].to_numpy()).all()
    assert (known["target"].to_numpy() == found["target"].to_numpy()).all()


def test_signals_in_metadata_and_texture_are_found_and_noise_is_not(data, question, with_metadata):
    samples, pixels, folds = data
    found = predict_baselines(samples, pixels, folds, question, with_metadata)
    assert measure_area(found, "metadata") > 0.8
    assert measure_area(found, "texture") > 0.95
    noise = np.random.default_rng(1).integers(0, 256, pixels.shape).astype(np.uint8)
    blind = with_metadata.model_copy(update={"metadata_columns": ("tissue",)})
    found = predict_baselines(samples, noise, folds, question, blind)
    assert 0.3 < measure_area(found, "texture") < 0.7
    assert 0.3 < measure_area(found, "metadata") < 0.7


def test_majority_gives_the_training_sides_frequencies(data, question, with_metadata):
    samples, _, folds = data
    found = predict_baselines(*data, question, with_metadata)
    for fold, rows in found[found["model"] == "majority"].groupby("fold"):
        training = samples.loc[(folds[f"fold_{fold}"] != "test").to_numpy(), "label"]
        assert set(rows["p_malignant"]) == {(training == "malignant").mean()}


def test_test_labels_do_not_change_what_is_predicted(data, question, with_metadata):
    samples, pixels, folds = data
    one = folds[["sample_id", "row", "fold_0"]]
    test = (one["fold_0"] == "test").to_numpy()
    swapped = samples.copy()
    swapped.loc[test, "label"] = swapped.loc[test, "label"].map(
        {"benign": "malignant", "malignant": "benign"}
    )
    first, second = (predict_baselines(s, pixels, one, question, with_metadata) for s in (samples, swapped))
    pd.testing.assert_series_equal(first["p_malignant"], second["p_malignant"])


def test_without_metadata_columns_that_model_is_left_out_and_same_seed_gives_same_bits(
    data, question, evaluation
):
    first, second = (predict_baselines(*data, question, evaluation) for _ in range(2))
    assert set(first["model"]) == {"majority", "texture"}
    pd.testing.assert_frame_equal(first, second)


def test_samples_that_are_out_are_neither_learnt_from_nor_predicted(data, question, with_metadata):
    samples, pixels, folds = data
    out = folds.assign(fold_0=folds["fold_0"].where(folds.index % 3 != 0, "out"))[
        ["sample_id", "row", "fold_0"]
    ]
    found = predict_baselines(samples, pixels, out, question, with_metadata)
    part = found[found["model"] == "metadata"]
    assert part["sample_id"].tolist() == out.loc[out["fold_0"] == "test", "sample_id"].tolist()


def test_a_class_of_two_patients_is_still_fitted(question, evaluation):
    samples = pd.DataFrame({"sample_id": list("abcdefgh"), "label": ["benign", "malignant"] * 4})
    samples["patient_id"] = [f"p{k}" for k in (0, 1, 2, 3, 0, 1, 4, 5)]
    folds = pd.DataFrame(
        {"sample_id": samples["sample_id"], "row": range(8), "fold_0": ["train"] * 6 + ["test"] * 2}
    )
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3)).astype(np.uint8)
    assert len(predict_baselines(samples, pixels, folds, question, evaluation)) == 4


@pytest.mark.parametrize(
    "column", ["label", "target", "severity", "patient_id", "source", "region_id", "sample_id"]
)
def test_columns_that_name_the_label_or_the_sample_are_refused(data, question, column):
    params = EvaluationParams(metadata_columns=("tissue", column))
    with pytest.raises(MammoscanError, match=f"metadata_columns: {column} defines the label"):
        predict_baselines(*data, question, params)


def test_the_abnormality_class_is_refused_only_where_normal_is_an_answer(data, question, three_labels):
    samples = data[0]
    reject_label_leaks(samples, ("group",), question)
    with pytest.raises(MammoscanError, match="group defines the label"):
        reject_label_leaks(samples, ("group",), three_labels)


def test_a_column_whose_values_tell_the_label_is_refused_whatever_its_name(data, question):
    samples = data[0]
    code = samples["label"].map({"benign": 3, "malignant": 8})
    with pytest.raises(MammoscanError, match="grade defines the label"):
        reject_label_leaks(samples.assign(grade=code), ("grade",), question)
    with pytest.raises(MammoscanError, match=r"biopsy defines the label \(whether it is missing alone"):
        reject_label_leaks(
            samples.assign(biopsy=samples["radius"].where(samples["label"] == "malignant")),
            ("biopsy",),
            question,
        )
    noisy = code.mask(samples.index < 10, 3)
    reject_label_leaks(samples.assign(grade=noisy), ("grade", "radius", "tissue"), question)


def test_an_unknown_column_is_named(data, question):
    with pytest.raises(MammoscanError, match="no column age"):
        reject_label_leaks(data[0], ("age",), question)


def test_metadata_features_know_only_the_training_side():
    samples = pd.DataFrame({"size": [1.0, 3.0, None, 100.0], "kind": ["a", None, "b", "c"]})
    training = np.array([True, True, False, False])
    features = build_features(samples, ("size", "kind"), training)
    # size with the training median, its absence, then the kinds known from training: a and missing.
    np.testing.assert_array_equal(features, [[1, 0, 1, 0], [3, 0, 0, 1], [2, 1, 0, 0], [100, 0, 0, 0]])


@pytest.mark.parametrize("shape", [(5, 48, 48, 1), (3, 50, 50, 3), (2, 300, 280, 1), (2, 8, 8, 1)])
def test_texture_features_are_finite_and_do_not_depend_on_the_other_images(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    pixels[-1] = 7
    everything = describe_textures(pixels, np.arange(shape[0]))
    assert np.isfinite(everything).all()
    np.testing.assert_allclose(
        describe_textures(pixels, np.array([1])), everything[1:2], rtol=1e-4, atol=1e-6
    )


def test_the_question_of_abnormality_runs_with_place_and_tissue(data):
    samples, pixels, folds = data
    asked = Question(text="?", about="abnormality", labels=("benign", "malignant"), positive="malignant")
    found = predict_baselines(samples, pixels, folds, asked, EvaluationParams(metadata_columns=("tissue",)))
    assert "metadata" in set(found["model"])


def test_a_fit_runs_on_one_thread(data, question, with_metadata, monkeypatch):
    fit, seen = LogisticRegression.fit, set()

    def note_threads(self, *args, **kwargs):
        seen.update(pool["num_threads"] for pool in threadpool_info())
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(LogisticRegression, "fit", note_threads)
    predict_baselines(*data, question, with_metadata)
    assert seen == {1}


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    """Ten trees say what a hundred do, sooner."""
    monkeypatch.setattr(baselines, "TREES", 10)


def test_trees_are_taken_where_no_straight_line_divides(data, question):
    samples, pixels, folds = data
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, len(samples)))
    label = np.where(first * second > 0, "malignant", "benign")
    samples = samples.assign(
        label=label, target=(label == "malignant").astype(int), radius=first, depth=second
    )
    found = predict_baselines(
        samples, pixels, folds, question, EvaluationParams(metadata_columns=("radius", "depth"))
    )
    assert measure_area(found, "metadata") > 0.7


def test_a_penalty_stronger_than_the_former_strongest_is_tried(data, question, monkeypatch):
    tried = set()
    fit = LogisticRegression.fit

    def note_strength(self, *args, **kwargs):
        tried.add(self.C)
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(LogisticRegression, "fit", note_strength)
    predict_baselines(*data, question, EvaluationParams(metadata_columns=()))
    assert min(tried) <= 1e-5


def test_texture_is_taken_at_three_scales(data):
    _, pixels, _ = data
    rows = np.arange(3)
    alone = describe_textures(pixels[:, 4:12, 4:12], rows)
    assert describe_textures(pixels, rows).shape[1] == 3 * alone.shape[1]
    channels = np.concatenate([pixels, pixels[::-1], pixels], axis=3)
    assert describe_textures(channels, rows, apart=True).shape[1] == 3 * alone.shape[1]
