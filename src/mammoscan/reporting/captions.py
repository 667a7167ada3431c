"""The words under each figure, and what is told to a reader who cannot see it."""

from __future__ import annotations

CAPTIONS: dict[str, str] = {
    "metric_intervals": "The network beside the simple baselines, on the same folds. A bar is a 95 % interval.",
    "roc": "ROC curves: how many are found, against how many false alarms that costs.",
    "precision_recall": "Precision and recall: how often a warning is right, against how many are found.",
    "confusion_matrix": "Confusion matrix: counts, and percentages of each true label.",
    "reliability": "Calibration: how often a stated probability comes true, and how many samples bear it.",
    "wrong_gallery": "Wrong predictions, the most confident first, with the probability given to the wrong answer.",
    "class_counts": "Samples of each class, before and after balancing.",
    "scan_sheet": "Scans with their regions marked.",
    "sample_sheet": "Samples as the network sees them, by label.",
    "views": "The views of one image.",
    "place_map": "Where in the breast the samples lie, by label.",
    "topology": "The network's layers with their output shapes and parameters.",
    "training_curves": "Loss and accuracy over the epochs, fold by fold.",
    "ablation": "The measure as published, and with each flaw taken away.",
    "experiment_chart": "Recall and precision of the article's experiments, beside its claims.",
}

# (measure, name, what it means in a few words)
MEASURES: tuple[tuple[str, str, str], ...] = (
    ("auc", "AUC", "how well it ranks; 0.5 is chance"),
    ("accuracy", "Accuracy", "share that is right"),
    ("sensitivity", "Sensitivity", "share of {positive} that is found"),
    ("recall", "Recall", "share of {positive} that is found"),
    ("specificity", "Specificity", "share of the others that is left alone"),
    ("precision", "Precision", "share of its {positive} that is right"),
    ("f1", "F1", "sensitivity and precision in one"),
    ("average_precision", "Average precision", "area under the precision-recall curve"),
    ("brier", "Brier score", "error of the probabilities; 0 is best"),
    ("log_loss", "Log loss", "error of the probabilities; 0 is best"),
    ("calibration_error", "Calibration error", "how far stated probabilities are off; 0 is best"),
)


def name_measure(measure: str) -> str:
    """Return a measure's name for a reader."""
    for key, name, _ in MEASURES:
        if key == measure:
            return name
    return measure.replace("_", " ").capitalize()
