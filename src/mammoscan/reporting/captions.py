"""The words under each figure, and what is told to a reader who cannot see it."""

from __future__ import annotations

CAPTIONS: dict[str, str] = {
    "metric_intervals": "The network is worth its trouble where its bar lies to the right of the simple "
    "models' bars and of the chance line.",
    "roc": "A curve that hugs the upper left corner finds much with few false alarms; "
    "the dotted line is guessing.",
    "precision_recall": "Further right, more cases are found; higher up, fewer of the warnings are false.",
    "confusion_matrix": "A row holds all samples that truly bear a label; "
    "what lies off the diagonal is wrong.",
    "reliability": "Below the dotted line probabilities are stated too high, above it too low. "
    "The bars below say how many samples bear each probability.",
    "calibration": "The same samples on both sides: calibration moves the probabilities, not their order.",
    "wrong_gallery": "The mistakes that the network was surest of: "
    "look here for a pattern, or for a wrong label. The bright places speak most for what was said (Grad-CAM); "
    "where they lie beside the finding, the network judged something else.",
    "class_counts": "How many samples of each class there were to learn from.",
    "scan_sheet": "Scans as they were read, with the annotated regions as rings.",
    "sample_sheet": "What the network was shown. "
    "What brightness or blur alone tells about the label, it will find.",
    "views": "Turned and mirrored copies of one image.",
    "probability_map": "Left of each pair what was marked, right of it what the network said.",
    "place_map": "If the clouds differ from label to label, place alone tells something about the label.",
    "topology": "The layers from input to output.",
    "training_curves": "Where the two curves part, "
    "the network goes on learning its training images by heart.",
    "compared_roc": "A curve that hugs the upper left corner finds much with few false alarms; "
    "the dotted line is guessing.",
    "compared_training": "Where a bold curve turns up while its thin one falls, that run learns by heart.",
    "ablation": "How far the number falls when one flaw of the procedure is taken away.",
    "experiment_chart": "The article's experiments repeated, with the claims that it made for them.",
}

# (measure, name, what it means in a few words)
MEASURES: tuple[tuple[str, str, str], ...] = (
    ("auc", "AUC", "how well it ranks; 0.5 is chance"),
    ("auc_within_folds", "AUC within folds", "the same, comparing only what one network judged"),
    ("auc_macro", "AUC, mean of labels", "each label against the others"),
    ("accuracy", "Accuracy", "share that is right"),
    ("balanced_accuracy", "Balanced accuracy", "mean of the shares found of each label"),
    ("sensitivity", "Sensitivity", "share of {positive} that is found"),
    ("recall", "Recall", "share of {positive} that is found"),
    ("specificity", "Specificity", "share of the others that is left alone"),
    ("precision", "Precision", "share of its {positive} that is right"),
    ("f1", "F1", "sensitivity and precision in one"),
    ("macro_f1", "F1, mean of labels", "the same, each label counting alike"),
    ("average_precision", "Average precision", "area under the precision-recall curve"),
    ("brier", "Brier score", "error of the probabilities; 0 is best"),
    ("log_loss", "Log loss", "error of the probabilities; 0 is best"),
    ("ece", "Calibration error", "how far stated probabilities are off; 0 is best"),
)


def name_measure(measure: str) -> str:
    """Return a measure's name for a reader."""
    for key, name, _ in MEASURES:
        if key == measure:
            return name
    return measure.replace("_", " ").capitalize()
