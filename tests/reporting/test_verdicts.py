import pytest

from mammoscan.reporting.render import say
from mammoscan.reporting.verdicts import (
    find_best_baseline,
    find_chance,
    find_leak,
    find_tone,
    say_baselines,
    say_folds,
    say_worth,
)
from records import make_dataset_record


def measure(value, low=None, high=None):
    return {"value": value, "low": low, "high": high}


def test_the_headline_tells_value_interval_amount_and_that_patients_were_new():
    measures = {"auc": measure(0.7234, 0.61, 0.82), "samples": 1190, "patients": 104}

    assert say("headline", "auc", measures, "regions", "patients") == (
        "AUC 0.72 (95 % interval 0.61 to 0.82) on 1,190 regions of 104 patients, each measured by a network "
        "that had not seen that patient."
    )


def test_the_authors_headline_claims_nothing_about_new_patients():
    sentence = say("headline", "recall", {"recall": measure(0.97), "samples": 60}, "images", "article")

    assert sentence == "Recall 0.97 on 60 images, divided the way the article did."


def test_a_headline_that_was_not_measured_says_so():
    assert (
        say("headline", "auc", {"auc": measure(None)}, "images", "patients") == "AUC could not be measured."
    )


@pytest.mark.parametrize(
    ("metric", "part"),
    [
        ("auc", "72 times in 100"),
        ("accuracy", "right 72 times"),
        ("sensitivity", "72 of 100 malignant"),
        ("f1", ""),
    ],
)
def test_the_meaning_of_a_measure_is_told_in_plain_words(metric, part):
    sentence = say("meaning", metric, 0.72, "malignant")

    assert part in sentence
    assert bool(sentence) == bool(part)


def test_what_is_not_a_number_means_nothing():
    assert say("meaning", "auc", None, "malignant") == ""


@pytest.mark.parametrize(
    ("low", "high", "leaking", "tone", "part"),
    [
        (0.61, 0.82, False, "good", "there is a signal"),
        (0.61, 0.82, True, "doubt", "no proof of skill"),
        (0.5, 0.82, False, "nothing", "This says nothing yet: the interval includes chance (0.50)"),
        (0.42, 0.6, True, "nothing", "This says nothing yet"),
        (0.2, 0.4, False, "worse", "swapped labels"),
        (None, None, False, "unknown", "not measured"),
    ],
)
def test_the_verdict_against_chance(low, high, leaking, tone, part):
    found = find_tone(measure(0.5, low, high), 0.5, leaking)
    sentence = say("verdict", found, measure(0.5, low, high), 0.5)

    assert found == tone
    assert part in sentence


def test_too_few_patients_say_nothing_however_good_the_number():
    few = measure(1.0, 1.0, 1.0) | {"note": "too few patients"}
    tone = find_tone(few, 0.5)
    sentence = say("verdict", tone, few, 0.5)

    assert tone == "nothing"
    assert "too few patients" in sentence


def test_without_a_chance_level_there_is_no_verdict():
    assert find_tone(measure(0.5, 0.4, 0.6), None) == "unknown"


def test_chance_is_a_half_for_the_auc_and_else_what_the_majority_reaches():
    metrics = {"majority": {"auc": measure(0.44), "accuracy": measure(0.57)}}

    assert find_chance(metrics, "auc") == 0.5
    assert find_chance(metrics, "accuracy") == 0.57
    assert find_chance({}, "accuracy") is None


def models(cnn, texture, metadata=0.52):
    return {
        "cnn": {"auc": cnn},
        "texture": {"auc": measure(texture)},
        "metadata": {"auc": measure(metadata)},
        "majority": {"auc": measure(0.99)},
    }


def test_the_best_baseline_is_never_the_one_that_only_guesses():
    assert find_best_baseline(models(measure(0.7), 0.66), "auc")[0] == "texture"
    assert find_best_baseline(models(measure(0.7), 0.66, 0.69), "auc")[0] == "metadata"
    assert find_best_baseline({"cnn": {"auc": measure(0.7)}}, "auc") is None


@pytest.mark.parametrize(
    ("cnn", "texture", "difference", "part"),
    [
        (measure(0.7, 0.6, 0.8), 0.70, None, "nothing here needs a network"),
        (measure(0.7, 0.6, 0.8), 0.65, None, "is not certain"),
        (measure(0.7, 0.6, 0.8), 0.55, None, "below the network's whole interval"),
        (measure(0.7), 0.55, None, "is not certain"),
        (measure(0.7, 0.6, 0.8), 0.65, measure(0.05, 0.01, 0.09), "leads by 0.05 [0.01, 0.09]"),
        (measure(0.7, 0.6, 0.8), 0.55, measure(0.15, -0.01, 0.3), "may be no lead at all"),
    ],
)
def test_the_network_is_weighed_against_the_best_baseline(cnn, texture, difference, part):
    sentence = say_baselines(models(cnn, texture), "auc", difference)

    assert part in sentence
    assert "texture baseline" in sentence


def test_without_baselines_nothing_is_said_of_them():
    assert say_baselines({"cnn": {"auc": measure(0.7)}}, "auc") == ""


def test_the_protocol_is_told():
    assert "no patient is on both sides" in say("protocol", "patients", 5)
    assert "5 folds" in say("protocol", "patients", 5)
    assert "do not tell how the network does on new patients" in " ".join(
        say("protocol", "article", 1).split()
    )


AUDIT = {"views": {"count": 59, "share": 59 / 60, "shared": 9}, "epoch_chosen_on_test": True}


def test_the_worth_of_an_authors_number_names_its_flaws_and_the_honest_number():
    sentence = say_worth(AUDIT, measure(0.95, 0.9, 0.99), measure(0.54, 0.44, 0.64))

    assert sentence.startswith("98 % of the test images are also in the training set")
    assert "chose the epoch" in sentence
    assert "AUC goes from 0.95 to 0.54 [0.44, 0.64], which says nothing yet." in sentence


def test_an_honest_number_above_chance_is_not_belittled():
    sentence = say_worth(AUDIT, measure(0.95), measure(0.7, 0.6, 0.8))

    assert sentence.endswith("goes from 0.95 to 0.70 [0.60, 0.80].")


def test_an_honest_number_without_interval_is_given_as_it_is():
    assert say_worth({}, measure(0.95), measure(0.7)).endswith("to 0.70.")


def test_without_flaws_the_worth_says_that_none_was_found():
    assert say_worth({"views": {"count": 0, "share": 0.0}}, measure(0.7), None) == (
        "No leak was found in this division."
    )


@pytest.mark.parametrize(("count", "leak"), [(0, False), (1, True)])
def test_a_leak_is_any_shared_image_scan_or_patient(count, leak):
    assert find_leak({"exact": {"count": 0}, "patient": {"count": count}, "sentence": "x"}) is leak


def test_each_folds_auc_is_told_where_there_are_several():
    folds = {"fold_auc": {"values": {"fold_0": 0.7, "fold_1": None}, "mean": 0.7, "spread": None}}

    assert say_folds(folds) == "AUC of each fold by itself: 0.70, not defined."
    assert say_folds({"fold_auc": {"values": {"fold_0": 0.7}}}) == ""
    assert say_folds({}) == ""


def test_the_data_are_called_what_they_are():
    assert say("data", make_dataset_record(kind="phantom")).startswith(
        "Synthetic stand-in: 322 scans of 161 patients"
    )
    assert "322 scans of 161 patients, every file as published" in say("data", make_dataset_record())
    own = say("data", make_dataset_record(verified=False, patients_known=False))
    assert own.startswith("322 scans; patients unknown")
    assert "every file as published" not in own
    modified = say("data", make_dataset_record(kind="modified", changed=["mdb001.pgm"], missing=["a", "b"]))
    assert "1 scans differ" in modified
    assert "2 are missing" in modified


@pytest.mark.parametrize(("seconds", "text"), [(42.4, "42 s"), (171.4, "2 min 51 s"), (7322, "2 h 2 min")])
def test_a_duration_is_told_as_a_person_says_it(seconds, text):
    assert say("duration", seconds) == text
