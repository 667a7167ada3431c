"""Figures: data in, a matplotlib Figure out."""

from __future__ import annotations

from mammoscan.figures.agreement import draw_agreement
from mammoscan.figures.calibration import draw_calibration, draw_reliability
from mammoscan.figures.class_counts import draw_class_counts, draw_severity_counts
from mammoscan.figures.confusion_matrix import draw_confusion_matrix
from mammoscan.figures.decision_curve import draw_decision_curve
from mammoscan.figures.error_gallery import draw_answer_gallery, draw_wrong_gallery
from mammoscan.figures.image_grids import draw_augmented, draw_sample_sheet, draw_views
from mammoscan.figures.interval_charts import draw_ablation, draw_experiment_chart, draw_metric_intervals
from mammoscan.figures.place_map import draw_place_map
from mammoscan.figures.roc_curves import draw_precision_recall, draw_roc
from mammoscan.figures.sample_flow import draw_sample_flow
from mammoscan.figures.scans import draw_scan, draw_scan_map, draw_scan_sheet
from mammoscan.figures.search_trials import draw_trials
from mammoscan.figures.topology import draw_topology
from mammoscan.figures.training_curves import draw_training_curves

__all__ = [
    "draw_ablation",
    "draw_agreement",
    "draw_answer_gallery",
    "draw_augmented",
    "draw_calibration",
    "draw_class_counts",
    "draw_confusion_matrix",
    "draw_decision_curve",
    "draw_experiment_chart",
    "draw_metric_intervals",
    "draw_place_map",
    "draw_precision_recall",
    "draw_reliability",
    "draw_roc",
    "draw_sample_flow",
    "draw_sample_sheet",
    "draw_scan",
    "draw_scan_map",
    "draw_scan_sheet",
    "draw_severity_counts",
    "draw_topology",
    "draw_training_curves",
    "draw_trials",
    "draw_views",
    "draw_wrong_gallery",
]
