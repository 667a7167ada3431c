"""What a person reads of a run in MLflow."""

from __future__ import annotations

from mammoscan.tracking.headline import describe_headline, write_description
from records import make_dataset_record


def measure(value: float | None) -> dict[str, float | None]:
    return {"value": value, "low": None if value is None else value - 0.1, "high": 0.8}


METRICS = {
    "cnn": {"auc": measure(0.7), "patients": 80},
    "majority": {"auc": measure(0.5)},
    "texture": {"auc": measure(0.6)},
}


def test_the_columns_are_text_with_the_interval_and_the_best_baseline() -> None:
    columns = describe_headline(METRICS, make_dataset_record(kind="real"))
    assert columns == {
        "headline_auc": "0.70 [0.60, 0.80]",
        "patients": "80",
        "baseline": "texture 0.60 [0.50, 0.80]",
    }


def test_a_phantoms_run_says_so_in_the_list_and_on_its_page() -> None:
    record = make_dataset_record(kind="phantom")
    columns = describe_headline(METRICS, record)
    assert columns["headline_auc"].startswith("PHANTOM ")
    page = write_description(columns, record, report=True)
    assert "no number here says anything of patients" in page
    assert "report.html" in page


def test_what_is_not_defined_is_said_to_be() -> None:
    columns = describe_headline({"cnn": {"auc": measure(None), "patients": 3}}, None)
    assert columns == {"headline_auc": "not defined", "patients": "3"}
