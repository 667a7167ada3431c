"""One figure a file: data in, a matplotlib Figure out."""

from mammoscan.figures.ablation import draw_ablation
from mammoscan.figures.calibration import draw_calibration
from mammoscan.figures.class_counts import draw_class_counts
from mammoscan.figures.confusion_matrix import draw_confusion_matrix
from mammoscan.figures.experiment_chart import draw_experiment_chart
from mammoscan.figures.metric_intervals import draw_metric_intervals
from mammoscan.figures.place_map import draw_place_map
from mammoscan.figures.precision_recall import draw_precision_recall
from mammoscan.figures.reliability import draw_reliability
from mammoscan.figures.roc import draw_roc
from mammoscan.figures.sample_sheet import draw_sample_sheet
from mammoscan.figures.scan_map import draw_scan_map
from mammoscan.figures.scan_sheet import draw_scan_sheet
from mammoscan.figures.topology import draw_topology
from mammoscan.figures.training_curves import draw_training_curves
from mammoscan.figures.trials import draw_trials
from mammoscan.figures.views import draw_views
from mammoscan.figures.wrong_gallery import draw_wrong_gallery

__all__ = [
    "draw_ablation",
    "draw_calibration",
    "draw_class_counts",
    "draw_confusion_matrix",
    "draw_experiment_chart",
    "draw_metric_intervals",
    "draw_place_map",
    "draw_precision_recall",
    "draw_reliability",
    "draw_roc",
    "draw_sample_sheet",
    "draw_scan_map",
    "draw_scan_sheet",
    "draw_topology",
    "draw_training_curves",
    "draw_trials",
    "draw_views",
    "draw_wrong_gallery",
]
