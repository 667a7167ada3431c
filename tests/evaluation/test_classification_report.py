import numpy as np
from sklearn.metrics import classification_report, confusion_matrix

from mammoscan.evaluation.classification_report import report_classification, tabulate_confusion
from mammoscan.params import ThresholdParams


def test_report_has_scikit_learns_shape_at_the_studys_threshold(make_predictions, question, evaluation):
    table = make_predictions()
    found = report_classification(
        table, question, evaluation.model_copy(update={"threshold": ThresholdParams(at=0.3)})
    )
    decided = np.where(table["p_malignant"] >= 0.3, "malignant", "benign")
    expected = classification_report(table["label"], decided, output_dict=True)
    assert found["json"] == expected
    assert "malignant" in found["text"]
    rows = found["table"].set_index("label")
    assert rows.loc["malignant", "recall"] == expected["malignant"]["recall"]
    assert rows.loc["accuracy", "f1-score"] == expected["accuracy"]
    assert rows.loc["accuracy", "support"] == len(table)


def test_confusion_matrix_counts_and_row_percents(make_predictions, question, evaluation):
    table = make_predictions()
    found = tabulate_confusion(table, question, evaluation)
    decided = np.where(table["p_malignant"] >= 0.5, "malignant", "benign")
    expected = confusion_matrix(table["label"], decided, labels=["benign", "malignant"])
    np.testing.assert_array_equal(found["counts"], expected)
    assert found["percent"].loc["benign"].sum() == 100
    assert found["percent"].loc["benign", "malignant"] == 100 * expected[0, 1] / expected[0].sum()


def test_the_network_is_reported_unless_another_model_is_asked(make_predictions, question, evaluation):
    import pandas as pd

    table = make_predictions()
    opposite = table.assign(model="majority", p_benign=table["p_malignant"], p_malignant=table["p_benign"])
    both = pd.concat([opposite, table])
    assert tabulate_confusion(both, question, evaluation)["counts"].equals(
        tabulate_confusion(table, question, evaluation)["counts"]
    )
    other = tabulate_confusion(both, question, evaluation, "majority")["counts"]
    assert not other.equals(tabulate_confusion(table, question, evaluation)["counts"])


def test_a_label_without_samples_has_no_percents(make_predictions, three_labels, evaluation):
    table = make_predictions().assign(p_normal=0.0)
    found = tabulate_confusion(table, three_labels, evaluation)
    assert found["counts"].loc["normal"].sum() == 0
    assert found["percent"].loc["normal"].isna().all()
    assert report_classification(table, three_labels, evaluation)["json"]["normal"]["support"] == 0
