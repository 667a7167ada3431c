import numpy as np
import pandas as pd
import pytest

from mammoscan.evaluation.leak_audit import audit_leaks, hash_views
from mammoscan.imaging.views import make_views


@pytest.fixture
def toy():
    """Six images: a, its copy, its quarter turn, another of the same patient, and two strangers."""
    rng = np.random.default_rng(0)
    a, d, e, f = rng.integers(0, 256, (4, 5, 5, 1)).astype(np.uint8)
    pixels = np.stack([a, a, np.rot90(a), d, e, f])
    samples = pd.DataFrame(
        {
            "sample_id": list("abcdef"),
            "patient_id": ["p1", "p1", "p1", "p1", "p2", "p3"],
            "source": ["s1", "s1", "s1", "s2", "s3", "s4"],
            "region_id": ["r1", "r1", "r1", "r2", "r3", "r4"],
        }
    )
    return samples, pixels


def make_folds(*columns):
    table = {"sample_id": list("abcdef"), "row": range(6)}
    return pd.DataFrame(table | {f"fold_{k}": roles for k, roles in enumerate(columns)})


def test_a_toy_worked_by_hand_gives_its_counts(toy):
    folds = make_folds(["train", "test", "test", "test", "test", "train"])
    audit = audit_leaks(*toy, folds, epoch_chosen_on="test")
    assert audit["test_images"] == 4
    assert (audit["images"], audit["distinct"], audit["distinct_up_to_views"]) == (6, 5, 4)
    assert audit["exact"] == {"count": 1, "share": 0.25, "shared": 1}
    assert audit["views"] == {"count": 2, "share": 0.5, "shared": 1}
    assert audit["region"] == {"count": 2, "share": 0.5, "shared": 1}
    assert audit["source"] == {"count": 2, "share": 0.5, "shared": 1}
    assert audit["patient"] == {"count": 3, "share": 0.75, "shared": 1}
    assert audit["epoch_chosen_on_test"] is True
    assert "1 (25 %) are byte for byte in the training set" in audit["sentence"]
    assert "chose the epoch" in audit["sentence"]


def test_validation_counts_as_training_side_and_folds_add_up(toy):
    folds = make_folds(
        ["test", "validation", "out", "out", "out", "train"], ["train", "test", "out", "out", "test", "train"]
    )
    audit = audit_leaks(*toy, folds)
    assert audit["test_images"] == 3
    assert audit["images"] == 4
    assert audit["exact"]["count"] == 2
    assert audit["exact"]["shared"] == 1


def test_where_every_image_is_a_file_of_its_own_no_scan_is_spoken_of(toy):
    samples, pixels = toy
    samples = samples.assign(source=list("abcdef"), region_id=list("abcdef"))
    leaking, apart = (
        audit_leaks(samples, pixels, make_folds(roles))
        for roles in (["train", "test", "test", "test", "test", "train"], ["train"] * 4 + ["test", "train"])
    )
    assert leaking["sources"] == leaking["images"] == 6
    assert "scan" not in leaking["sentence"] + apart["sentence"]
    assert "and 3 (75 %) have an image of their patient there" in leaking["sentence"]
    assert "copies or their patients were seen" in apart["sentence"]


def test_patients_kept_apart_are_said_to_be_so(toy):
    audit = audit_leaks(*toy, make_folds(["train"] * 4 + ["test", "train"]))
    assert audit["sentence"].startswith("None of the 1 test images")
    assert "epoch" not in audit["sentence"]
    assert all(audit[name]["count"] == 0 for name in ("exact", "views", "region", "source", "patient"))


def test_all_eight_views_share_a_key_and_other_images_of_equal_histogram_do_not():
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (10, 6, 6, 3)).astype(np.uint8)
    views = make_views(images).reshape(80, 6, 6, 3)
    keys = hash_views(views).reshape(10, 8)
    assert (keys == keys[:, :1]).all()
    assert len(set(keys[:, 0])) == 10
    shuffled = rng.permutation(images.reshape(10, 36, 3), axis=1).reshape(images.shape)
    assert not set(hash_views(np.concatenate([images, shuffled]))[:10]) & set(
        hash_views(np.concatenate([images, shuffled]))[10:]
    )


def test_oblong_images_are_compared_by_the_four_views_that_keep_their_shape():
    image = np.random.default_rng(2).integers(0, 256, (4, 6, 1)).astype(np.uint8)
    keys = hash_views(np.stack([image, image[:, ::-1], image[::-1], image[::-1, ::-1], np.roll(image, 1, 0)]))
    assert len(set(keys[:4])) == 1
    assert keys[4] != keys[0]


def test_twelve_stored_views_hold_eight_distinct_images_that_leak(article_samples):
    from mammoscan.imaging.views import AUTHOR_VIEWS

    rng = np.random.default_rng(3)
    scans = article_samples["source"].nunique()
    views = make_views(rng.integers(0, 256, (scans, 8, 8, 1)).astype(np.uint8))
    pixels = views[:, [k for _, k in AUTHOR_VIEWS]].reshape(-1, 8, 8, 1)
    roles = np.where(rng.random(len(pixels)) < 0.25, "test", "train")
    folds = pd.DataFrame(
        {"sample_id": article_samples["sample_id"], "row": range(len(pixels)), "fold_0": roles}
    )
    audit = audit_leaks(article_samples, pixels, folds)
    assert (audit["images"], audit["distinct"], audit["distinct_up_to_views"]) == (3828, 2552, 319)
    # Eight of twelve images have one twin, which is in training three times of four.
    assert audit["exact"]["share"] == pytest.approx(8 / 12 * 0.75, abs=0.05)
    assert audit["views"]["share"] > 0.99


def test_what_the_validation_side_has_seen_of_training_is_counted_and_said(toy):
    audit = audit_leaks(*toy, make_folds(["train", "validation", "train", "validation", "test", "train"]))
    assert audit["patient"]["count"] == 0
    assert audit["validation"]["patient"] == {"count": 2, "share": 1.0, "shared": 1}
    assert audit["validation"]["exact"] == {"count": 1, "share": 0.5, "shared": 1}
    assert "1 patient is in both the training and the validation side: 2 of the images" in audit["sentence"]
    assert "chose the epoch 1 are exact copies of training images" in audit["sentence"]


def test_an_exact_copy_counts_as_a_near_one_too(toy):
    audit = audit_leaks(*toy, make_folds(["train", "test", "test", "test", "test", "train"]))
    assert audit["near"]["count"] >= audit["exact"]["count"] == 1
