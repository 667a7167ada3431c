"""What each figure says."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from sklearn.metrics import roc_auc_score

from histories import make_epoch, make_history
from mammoscan.figures.calibration import draw_reliability
from mammoscan.figures.class_counts import draw_class_counts, draw_severity_counts
from mammoscan.figures.confusion_matrix import draw_confusion_matrix
from mammoscan.figures.error_gallery import draw_answer_gallery, draw_wrong_gallery, find_wrong, pick_cells
from mammoscan.figures.heat import overlay_heat
from mammoscan.figures.image_grids import (
    draw_augmented,
    draw_sample_sheet,
    draw_views,
    pick_spread,
    wrap_caption,
)
from mammoscan.figures.interval_charts import (
    draw_ablation,
    draw_experiment_chart,
    draw_metric_intervals,
    find_limits,
)
from mammoscan.figures.roc_curves import draw_precision_recall, draw_roc
from mammoscan.figures.scans import draw_scan_sheet
from mammoscan.figures.slide_map import draw_probability_map
from mammoscan.figures.style import NOTICE, pick_ink
from mammoscan.figures.topology import draw_topology, format_shape
from mammoscan.figures.training_curves import draw_training_curves
from mammoscan.imaging.views import AUTHOR_VIEWS
from mammoscan.number_format import format_measure
from mammoscan.params import Question

COUNTS = pd.DataFrame(
    {"group": ["CALC"] * 2, "severity": ["benign", "malignant"], "before": [145, 121], "after": [120, 120]}
)


def test_the_confusion_matrix_shows_counts_and_row_percentages(read_texts):
    texts = read_texts(draw_confusion_matrix([[3, 1], [0, 0]], ("benign", "malignant"), ""))

    assert {"3", "1", "75 %", "25 %", "benign\n(n = 4)"} <= set(texts)
    assert texts.count("no cases") == 2


def test_the_roc_legend_gives_the_area_of_each_curve_but_none_for_the_majority(
    predictions, question, read_texts
):
    texts = read_texts(draw_roc(predictions, question, ""))

    network = predictions[predictions["model"] == "cnn"]
    area = roc_auc_score(network["label"] == "malignant", network["p_malignant"])
    assert f"Network: {area:.2f}" in texts
    assert not any("Majority" in text for text in texts)


def test_the_roc_legend_gives_the_measured_interval_where_there_is_one(predictions, question, read_texts):
    metrics = {"cnn": {"auc": {"value": 0.871, "low": 0.8, "high": 0.95}}}

    assert "Network: 0.87 [0.80, 0.95]" in read_texts(draw_roc(predictions, question, "", metrics))


@pytest.mark.parametrize("draw", [draw_roc, draw_precision_recall])
def test_curves_of_one_label_alone_say_that_there_is_none(draw, predictions, question, read_texts):
    alone = predictions[predictions["label"] == "benign"]

    assert any("do not hold both answers" in text for text in read_texts(draw(alone, question, "")))


def test_the_chance_of_precision_and_recall_is_the_share_of_positives(predictions, question, read_texts):
    benign = predictions["label"] == "benign"
    fewer = pd.concat(
        [predictions[benign], predictions[~benign & predictions["sample_id"].str.contains("1_")]]
    )
    share = (fewer[fewer["model"] == "cnn"]["label"] == "malignant").mean()

    assert f"Chance: {share:.2f}" in read_texts(draw_precision_recall(fewer, question, ""))


def test_training_curves_name_the_epoch_that_was_kept_and_what_chose_it(read_texts):
    histories = {0: make_history(8, 3), "fold_1": make_history(8, 4), "final": make_history(8, 5)}

    texts = read_texts(draw_training_curves(histories, "", chosen_on="test"))

    assert {"Fold 1: epoch 3 of 8", "Fold 2: epoch 4 of 8", "Final: epoch 5 of 8", "test"} <= set(texts)


def test_a_wild_epoch_does_not_flatten_the_loss_curve():
    epochs = [make_epoch(n, loss=1000.0 if n == 100 else 1.0) for n in range(1, 101)]

    figure = draw_training_curves({"a": make_history(epochs)}, "")

    assert figure.axes[0].get_ylim()[1] < 2


def test_training_curves_leave_out_what_is_not_finite():
    epochs = [make_epoch(1, loss=float("nan"), accuracy=float("nan"))]

    figure = draw_training_curves({"a": make_history(epochs)}, "")

    assert figure.axes[0].get_ylim() == (0.0, 1.0)


def test_class_counts_show_both_bars_only_where_balancing_changed_something(read_texts):
    counts = pd.DataFrame({"group": ["CALC"], "severity": ["benign"], "before": [1440], "after": [120]})

    changed, same = (
        read_texts(draw_class_counts(table, "")) for table in (counts, counts.assign(after=1440))
    )

    assert {"1,440", "120", "before", "after", "CALC · benign"} <= set(changed)
    assert "before" not in same
    assert same.count("1,440") == 1


def test_class_counts_that_are_means_are_rounded_and_say_so(read_texts):
    counts = pd.DataFrame(
        {"group": ["idc", "a_b"], "label": ["idc", "c"], "before": [0.8, 3.0], "after": [0.8, 3.0]}
    )
    texts = read_texts(draw_class_counts(counts, ""))
    assert {"1", "3", "idc", "a b · c"} <= set(texts)
    assert any("rounded means of the folds" in text for text in texts)


def test_severities_stand_before_and_after_either_balancing(read_texts):
    rows = [("CALC", "benign", 144, 120), ("CALC", "malignant", 120, 120), ("NORM", "normal", 2484, 224)]
    counts = pd.DataFrame(rows, columns=["group", "severity", "before", "after"])
    figure = draw_severity_counts(counts, counts.assign(after=[48, 48, 96]), "")
    texts = read_texts(figure)
    assert {"before: 2,748", "class-balanced: 464", "fully balanced: 192"} <= set(texts)
    assert {"144", "2,484", "224", "96", "benign", "malignant", "normal", "CALC", "NORM"} <= set(texts)
    assert texts.count("48") == 2


def test_augmented_images_stand_under_the_plain_ones_with_what_was_changed(pixels, read_texts):
    figure = draw_augmented(pixels[:3], 255 - pixels[:3], "", "mirrored left to right")
    assert len(figure.axes) == 6
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    np.testing.assert_array_equal(shown[0], 255 - shown[3])
    assert any("mirrored left to right" in text for text in read_texts(figure))


def test_class_counts_take_the_names_from_the_index_where_no_column_has_them(read_texts):
    counts = pd.DataFrame({"before": [7], "after": [7]}, index=["benign"])

    assert "benign" in read_texts(draw_class_counts(counts, ""))


def test_a_scan_is_captioned_with_its_regions_and_these_are_rings_in_place(samples, pixels, read_texts):
    two = pd.concat(
        [samples.iloc[[0]], samples.iloc[[0]].assign(group="MISC", severity="malignant", radius=None)]
    )
    two = two.assign(row=512.0, column=256.0)

    figure = draw_scan_sheet(pixels[:1, ..., 0], ["mdb000.pgm"], two, "")

    assert "mdb000\nCALC benign\nMISC malignant" in read_texts(figure)
    (ring,) = figure.axes[0].patches
    assert tuple(ring.center) == (4.0, 8.0)
    assert len(figure.axes[0].lines) == 1


def test_a_scan_without_coordinates_or_without_regions_is_shown_unmarked(samples, pixels, read_texts):
    blank = samples.iloc[[0]].assign(row=None, column=None, group="NORM", severity="normal")

    figure = draw_scan_sheet(pixels[:2, ..., 0], ["mdb000.pgm", "mdb999.pgm"], blank, "")

    assert {"mdb000\nNORM", "mdb999\nno region"} <= set(read_texts(figure))
    assert not figure.axes[0].patches


def test_a_scan_of_many_kinds_of_regions_says_how_many_more(samples, pixels, read_texts):
    many = samples.iloc[:6].assign(source="mdb000.pgm")

    texts = read_texts(draw_scan_sheet(pixels[:1, ..., 0], ["mdb000.pgm"], many, ""))

    assert "mdb000\nCALC benign\nand 5 other kinds" in texts


def test_a_limited_scan_sheet_takes_scans_of_every_class(samples, pixels, read_texts):
    texts = read_texts(draw_scan_sheet(pixels[..., 0], list(samples["source"]), samples, "", limit=4))

    captions = [text for text in texts if text.startswith("mdb")]
    assert {caption.split("\n")[1].split()[0] for caption in captions} == {"CALC", "CIRC", "SPIC", "ASYM"}


def test_samples_are_grouped_by_label_and_a_region_is_shown_once(samples, pixels, read_texts):
    twice = pd.concat([samples, samples], ignore_index=True)

    figure = draw_sample_sheet(np.concatenate([pixels, pixels]), twice, "", limit=30)

    assert "benign: 20 of 40 images, 20 patients" in read_texts(figure)
    assert len(figure.axes) == 40


@pytest.mark.slow
def test_colour_images_are_shown_in_colour(samples):
    pixels = np.zeros((len(samples), 8, 8, 3), dtype=np.uint8)
    pixels[..., 0] = 255

    figure = draw_sample_sheet(pixels, samples, "")

    assert figure.axes[0].images[0].get_array().shape == (8, 8, 3)


def test_the_authors_twelve_views_mark_the_four_that_repeat(pixels, read_texts):
    figure = draw_views(pixels[0], "", AUTHOR_VIEWS)

    texts = read_texts(figure)
    assert sum("\n= " in text for text in texts) == 4
    assert any("12 images, of which 8 are distinct" in text for text in texts)
    repeat = next(axes for axes in figure.axes if any("\n= " in text.get_text() for text in axes.texts))
    name = repeat.texts[0].get_text().split("\n= ")[1]
    original = next(axes for axes in figure.axes if axes.texts[0].get_text() == name)
    np.testing.assert_array_equal(repeat.images[0].get_array(), original.images[0].get_array())


def test_the_gallery_shows_the_most_confident_mistakes_first_with_truth(
    samples, pixels, predictions, question, read_texts
):
    figure = draw_wrong_gallery(pixels, predictions, samples, question, "", limit=2)

    captions = [axes.texts[0].get_text() for axes in figure.axes]
    assert captions == [
        "said benign 0.99\nis malignant\nmdb039_0_rotated",
        "said malignant 0.80\nis benign\nmdb038_0_rotated",
    ]
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), pixels[39, ..., 0])
    assert any("2 of 4 wrong among 40" in text and NOTICE in text for text in read_texts(figure))


def test_the_gallery_says_so_when_nothing_is_wrong_or_nothing_was_predicted(
    samples, pixels, predictions, question, read_texts
):
    right = predictions[~predictions["sample_id"].isin(samples["sample_id"][-4:])]

    none = read_texts(draw_wrong_gallery(pixels, right, samples, question, ""))
    empty = read_texts(draw_wrong_gallery(pixels, right.iloc[:0], samples, question, ""))

    assert "Network: none of the 36 predictions is wrong." in none
    assert "Network: no predictions." in empty


def test_the_threshold_decides_what_is_wrong(predictions, question):
    network = predictions[predictions["model"] == "cnn"]

    strict = find_wrong(network, question, threshold=0.95)

    assert (strict["said"] == "benign").all()
    assert len(strict) == 20


def test_of_three_labels_the_most_probable_is_what_was_said():
    question = Question(
        text="?", about="severity_or_normal", labels=("benign", "malignant", "normal"), positive="malignant"
    )
    rows = {"sample_id": ["a", "b"], "label": ["benign", "normal"]}
    rows |= {"p_benign": [0.4, 0.4], "p_malignant": [0.35, 0.5], "p_normal": [0.25, 0.1]}

    wrong = find_wrong(pd.DataFrame(rows), question)

    assert wrong[["sample_id", "said", "confidence"]].values.tolist() == [["b", "malignant", 0.5]]


def test_the_topology_gives_shapes_and_parameters(read_texts):
    layers = [{"name": "d", "type": "Dense", "output_shape": (None, 10, 64), "parameters": 4160}]

    texts = read_texts(draw_topology(layers, ""))

    assert {"Dense", "10 × 64", "4,160"} <= set(texts)


def test_the_middle_of_a_very_deep_network_is_one_box_that_keeps_its_parameters(read_texts):
    layers = [{"name": f"l{n}", "type": "Conv2D", "output_shape": (n,), "parameters": 1} for n in range(700)]

    texts = read_texts(draw_topology(layers, ""))

    assert {"… 661 layers …", "661", "l699"} <= set(texts)
    assert "l30" not in texts


@pytest.mark.parametrize(
    ("shape", "text"),
    [((None, 48, 48, 1), "48 × 48 × 1"), ([6400], "6400"), ((None, None, 3), "any × 3"),
     ("as told", "as told"), ([(None, 2), (None, 3)], "2, 3"), (None, "")],
)  # fmt: skip
def test_a_shape_is_told_without_its_batch(shape, text):
    assert format_shape(shape) == text


def test_the_forest_plot_gives_each_models_interval_and_chance(read_texts):
    measures = {"value": 0.76, "low": 0.68, "high": 0.84}

    texts = read_texts(draw_metric_intervals({"texture": {"auc": measures}, "cnn": {"auc": measures}}, ""))

    assert {"Network", "Texture baseline", "0.76 [0.68, 0.84]", "chance 0.5"} <= set(texts)


def test_a_measure_that_is_not_defined_is_named_so_and_not_drawn(read_texts):
    figure = draw_metric_intervals(
        {"cnn": {"precision": {"value": None, "low": None, "high": None}}}, "", metric="precision"
    )

    assert "not defined" in read_texts(figure)
    assert not figure.axes[0].lines


def test_calibration_skips_empty_bins(read_texts):
    bins = [
        {"from": 0.0, "to": 0.5, "samples": 8, "predicted": 0.3, "observed": 0.25, "low": 0.1, "high": 0.4},
        {
            "from": 0.5,
            "to": 1.0,
            "samples": 0,
            "predicted": None,
            "observed": None,
            "low": None,
            "high": None,
        },
    ]

    figure = draw_reliability(bins, "")

    assert "8" in read_texts(figure)
    assert len(figure.axes[1].patches) == 1


def test_the_closing_chart_marks_what_the_article_claimed(read_texts):
    row = {"experiment": "Calcifications", "recall": {"value": 0.85}, "precision": {"value": None}}

    claimed = read_texts(draw_experiment_chart([row | {"claimed_recall": 0.97}], ""))
    silent = read_texts(draw_experiment_chart([row], ""))

    assert {"recall 0.85", "precision not defined", "claimed by the article"} <= set(claimed)
    assert "claimed by the article" not in silent


def test_the_ablation_keeps_its_order_and_skips_what_was_not_measured(read_texts):
    rows = [{"name": "as published", "accuracy": {"value": 0.9}}, {"name": "not run", "accuracy": None}]

    texts = read_texts(draw_ablation(rows, "", metric="accuracy"))

    assert "as published" in texts
    assert "not run" not in texts


@pytest.mark.parametrize(
    ("measure", "text"),
    [
        ({"value": 0.123456789, "low": 0.1, "high": 0.2}, "0.12 [0.10, 0.20]"),
        ({"value": 0.5}, "0.50"),
        ({"value": float("nan")}, "not defined"),
    ],
)
def test_a_measure_is_written_with_two_decimals(measure, text):
    assert format_measure(measure) == text


def test_the_scale_holds_all_intervals_and_chance():
    low, high = find_limits([{"value": 0.93, "low": 0.88, "high": 1.0}])

    assert low <= 0.5
    assert high >= 1.0


def test_a_long_caption_is_wrapped_and_nothing_of_it_is_cut():
    name = "SOB_M_DC-14-2523-400-001.png.in.a.long.folder"
    text = wrap_caption(f"ductal carcinoma\n{name}", 6)

    assert max(map(len, text.split("\n"))) < 25
    assert "".join(text.split("\n")[1:]).replace(" ", "") == name


def test_a_pick_is_spread_evenly():
    assert pick_spread(10, 5) == [0, 2, 4, 6, 8]
    assert pick_spread(3, 5) == [0, 1, 2]


def test_an_explanation_stands_beside_its_own_wrong_image_and_no_gap_beside_another(
    pixels, samples, predictions, question, read_texts
):
    wrong = find_wrong(predictions[predictions["model"] == "cnn"], question)
    heats = {(name, 0): np.full((16, 16), k, np.uint8) for k, name in enumerate(wrong["sample_id"])}
    del heats[wrong["sample_id"].iloc[-1], 0]
    figure = draw_wrong_gallery(pixels, predictions, samples, question, "", heats=heats)
    # Without an explanation an image is left out.
    assert len(figure.axes) == 2 * (len(wrong) - 1) + 1
    assert all(axes.images for axes in figure.axes[:-1])
    assert any(f"{len(wrong) - 1} of {len(wrong)} wrong" in text for text in read_texts(figure))
    bare = draw_wrong_gallery(pixels, predictions, samples, question, "", heats={("another", 0): 0})
    assert len(bare.axes) == len(wrong)
    assert "the image's strongest" in figure.axes[-1].get_xlabel()
    for k, name in enumerate(wrong["sample_id"].iloc[:-1]):
        image, explained = figure.axes[2 * k], figure.axes[2 * k + 1]
        shown = np.asarray(image.images[0].get_array())
        np.testing.assert_array_equal(
            explained.images[0].get_array(), overlay_heat(shown, np.full((16, 16), k, np.uint8))
        )
        assert name in image.texts[0].get_text().replace("\n", "")


def test_heat_shows_on_pink_tissue_as_on_grey():
    pink = np.full((4, 4, 3), (230, 150, 190), np.uint8)
    cold, hot = (overlay_heat(pink, np.full((4, 4), heat, np.uint8))[0, 0].astype(int) for heat in (0, 255))

    assert abs(cold.max() - cold.min()) < 10
    assert np.abs(hot - cold).max() > 100


def test_a_gallery_of_nine_shows_right_and_wrong_with_per_cent_and_truth(
    samples, pixels, predictions, question
):
    figure = draw_answer_gallery(pixels, predictions, samples, question, "")

    captions = [axes.texts[0].get_text() for axes in figure.axes]
    assert len(captions) == 9
    assert all(
        re.fullmatch(r"(?:\d+|< 1|> 99) % malignant, (right|wrong)\ntrue: \w+", text) for text in captions
    )
    assert {"right", "wrong"} == {re.search("right|wrong", text)[0] for text in captions}
    shares = [float(text.split(" %")[0]) for text in captions]
    assert shares == sorted(shares)


def test_each_cell_has_its_most_confident_answers(predictions, question):
    picked = pick_cells(predictions, question, limit=3)

    assert (picked.groupby(["label", "said"]).size() <= 3).all()
    assert set(zip(picked["label"], picked["said"], strict=True)) == {
        (true, said) for true in question.labels for said in question.labels
    }
    for _, cell in picked.groupby(["label", "said"]):
        assert cell["confidence"].is_monotonic_decreasing


def test_a_backbone_is_one_box_and_the_target_the_last(read_texts):
    def layer(kind, part, parameters):
        return {"name": kind, "part": part, "type": kind, "output_shape": (8, 8, 4), "parameters": parameters}

    layers = [
        layer("Input", "", 0),
        *(layer(kind, "backbone", 10) for kind in ("Conv2D", "Add", "Conv2D")),
        layer("Dense", "head", 5),
    ]
    texts = read_texts(draw_topology(layers, "", labels=("benign", "malignant")))

    # Names equal the types here, but the backbone and the target have names of their own.
    assert sorted(set(texts) & {"Input", "Backbone", "Conv2D", "Add", "Dense", "Target"}) == [
        "Backbone",
        "Dense",
        "Input",
        "Target",
    ]
    assert {"3 layers", "30", "benign or malignant"} <= set(texts)


def test_branches_outside_a_backbone_are_one_box_too(read_texts):
    layers = [
        {"name": kind, "type": kind, "output_shape": (8, 8, 4), "parameters": 1}
        for kind in ("Input", "Conv2D", "Conv2D", "Add", "Dense")
    ]
    texts = read_texts(draw_topology(layers, ""))

    assert "Branches" in texts
    assert "Conv2D" not in texts


@pytest.mark.parametrize("share", np.linspace(0, 1, 21))
def test_a_count_can_be_read_on_every_shade(share):
    def luminance(colour):
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return float(np.dot((0.2126, 0.7152, 0.0722), parts))

    ground = LinearSegmentedColormap.from_list("shades", ["#ffffff", "#b7d7ea", "#0072B2"])(share)
    dark, light = sorted((luminance(ground), luminance(pick_ink(ground))))
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_classes_that_the_loss_weighs_are_not_said_to_be_unbalanced(read_texts):
    same = COUNTS.assign(after=COUNTS["before"])

    assert any("no balancing" in text for text in read_texts(draw_class_counts(same, "")))
    weighted = read_texts(draw_class_counts(same, "", weighted=True))
    assert not any("no balancing" in text for text in weighted)
    assert any("weighs rare classes more" in text for text in weighted)


def test_means_of_counts_are_whole_numbers(read_texts):
    texts = read_texts(draw_class_counts(COUNTS.assign(after=COUNTS["before"] / 3), ""))

    assert not any(re.fullmatch(r"\d+\.\d+", text) for text in texts)


def test_a_slide_map_tells_the_negative_label_from_no_patch():
    places = pd.DataFrame(
        {"patient_id": "1", "x": [0, 100], "y": 0, "is_positive": [False, True], "probability": [0.1, 0.9]}
    )
    figure = draw_probability_map(places, "", positive="idc", side=50)

    truth, _ = (axes.images[0] for axes in figure.axes[:2])
    negative, missing = (to_rgb(truth.to_rgba(value)) for value in (0.0, np.ma.masked))
    assert np.abs(np.subtract(negative, missing)).max() > 0.4
    assert [text.get_text() for text in figure.legends[0].texts] == ["idc", "not idc", "no patch"]
