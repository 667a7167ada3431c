"""A small version of benchmarks/coverage.py: what intervals promise holds on simulated data."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def coverage() -> ModuleType:
    spec = importlib.util.spec_from_file_location("coverage_benchmark", ROOT / "benchmarks" / "coverage.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_without_a_signal_none_is_said(coverage: ModuleType) -> None:
    # A bootstrap of the out-of-fold scores says "signal" or "below chance" in about one of seven of these data sets.
    found = coverage.simulate_training(coverage.Case(100, 0.5, 0.5), 0.0, 120, 50, seed=3)
    assert found["signal is said"] + found["below chance is said"] <= 0.09
    assert found["covers the procedure's AUC"] >= 0.91
    assert found["signal would be said of given networks"] > found["signal is said"]


@pytest.mark.slow
@pytest.mark.parametrize(("prevalence", "auc"), [(0.1, 0.8), (0.5, 0.95)])
def test_intervals_cover_the_truth(coverage: ModuleType, prevalence: float, auc: float) -> None:
    outcomes: dict[str, list[tuple[bool, bool]]] = {}
    for name, covered, noted in coverage.simulate_given(coverage.Case(50, prevalence, auc), 40, 50, seed=2):
        outcomes.setdefault(name, []).append((covered, noted))
    shares = {
        name: np.mean([covered for covered, _ in found])
        for name, found in outcomes.items()
        if not np.mean([noted for _, noted in found]) > 0.5 and not name.endswith(".85")
    }
    # Of 40 data sets 38 are expected.
    assert all(share >= 0.82 for share in shares.values()), shares
    assert np.mean(list(shares.values())) >= 0.92


@pytest.mark.slow
def test_intervals_of_the_net_benefit_cover_the_truth(
    coverage: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage.decision_curve, "THRESHOLDS", coverage.NET_THRESHOLDS)
    outcomes = list(coverage.simulate_net_benefit(coverage.Case(50, 0.3, 0.8), 60, 50, seed=2))
    assert np.mean([covered for _, covered, _ in outcomes]) >= 0.92
