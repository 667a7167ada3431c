"""The words under each figure."""

from __future__ import annotations

CAPTIONS: dict[str, str] = {
    "metric_intervals": "The network is worth its trouble where it leads the simple models. Bars that overlap do not "
    "decide that: the paired difference in the summary does.",
    "agreement": "Left, answers on the dotted line are right. Right, Bland and Altman's figure: the line in the middle "
    "is the mean difference, the dashed ones hold 95 % of the differences; the bands are their intervals.",
    "roc": "A curve that hugs the upper left corner finds much with few false alarms; "
    "the dotted line is guessing.",
    "precision_recall": "Further right, more cases are found; higher up, fewer of the warnings are false.",
    "confusion_matrix": "A row holds all samples that truly bear a label; "
    "what lies off the diagonal is wrong.",
    "reliability": "Below the dotted line probabilities are stated too high, above it too low. "
    "The bars below say how many samples bear each probability.",
    "calibration": "The same samples on both sides: calibration moves the probabilities, not their order.",
    "sample_flow": "From what was found to the sides of each fold; what left on the way stands at the right.",
    "decision_curve": "Deciding by the model is worth it where its curve lies above both calling all and calling "
    "none. Further right, a false alarm costs more.",
    "wrong_gallery": "The mistakes that the network was surest of: "
    "look here for a pattern, or for a wrong label. The bright places speak most for what was said (Grad-CAM); "
    "where they lie beside the finding, the network judged something else.",
    "answer_gallery": "Right answers and wrong ones alike, from the least to the most likely.",
    "class_counts": "How many samples of each class there were to learn from.",
    "scan_sheet": "Scans as they were read, with the annotated regions as rings.",
    "sample_sheet": "What the network was shown. "
    "What brightness or blur alone tells about the label, it will find.",
    "views": "Turned and mirrored copies of one image.",
    "augmented": "Training images are changed at random, anew in each epoch: they are harder to learn by heart.",
    "probability_map": "Left of each pair what was marked, right of it what the network said.",
    "place_map": "If the clouds differ from label to label, place alone tells something about the label.",
    "froc": "Higher up, more of the marked regions are found; further right, at the price of more false findings.",
    "findings": "At two false findings per scan. Rings are marked regions, squares findings.",
    "severity_counts": "How many images of each class and severity there are, and how many either balancing leaves.",
    "topology": "The layers from input to output.",
    "training_curves": "Where the two curves part, "
    "the network goes on learning its training images by heart.",
    "compared_roc": "A curve that hugs the upper left corner finds much with few false alarms; "
    "the dotted line is guessing.",
    "compared_training": "Where a bold curve turns up while its thin one falls, that run learns by heart.",
    "ablation": "How far the number falls when one flaw of the procedure is taken away.",
    "experiment_chart": "The article's experiments repeated, with the claims that it made for them.",
}
