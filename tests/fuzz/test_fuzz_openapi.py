"""The service answers as its own OpenAPI document says, to whatever the document allows and forbids."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from services import run_service

# Bytes that the document allows are hardly ever an image, and then rightly refused.
LEFT_OUT = [positive_data_acceptance]
CASES = 40


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_one_that_the_document_promises(tmp_path: Path, mode: GenerationMode) -> None:
    found: Counter[tuple[str, int]] = Counter()
    with run_service(feedback=tmp_path / "ratings.csv") as service:
        schema = schemathesis.openapi.from_url(f"{service.address}/openapi.json")
        operations = [result.ok() for result in schema.get_all_operations()]
        for operation in operations:

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=CASES,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            def ask(case: schemathesis.Case) -> None:
                answer = case.call()
                found[case.operation.label, answer.status_code] += 1
                case.validate_response(answer, excluded_checks=LEFT_OUT)

            # What takes nothing has nothing that the document forbids.
            with contextlib.suppress(Unsatisfiable):
                ask()
    wanted = {o.label for o in operations if mode is GenerationMode.POSITIVE or o.label.startswith("POST")}
    assert {label for label, _ in found} >= wanted
    assert not [key for key in found if key[1] >= 500]
    assert sum(found.values()) > len(operations)
