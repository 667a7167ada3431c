"""One number that makes probabilities less or more sure of themselves, and leaves their order alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# What a float32 softmax can tell from 0.
SMALLEST = 1e-7
COLDEST, HOTTEST = 0.05, 20.0


def apply_temperature(probabilities: NDArray, temperature: float) -> NDArray:
    """Divide the logarithms of probabilities by a temperature.

    Args:
        probabilities: ``[N, labels]``, rows summing to 1.
        temperature: 1 changes nothing; above 1 everything comes nearer to equal shares.

    Returns:
        ``[N, labels]`` of the same type, rows summing to 1.
    """
    if temperature == 1:
        return probabilities
    logits = np.log(np.clip(probabilities.astype(np.float64), SMALLEST, 1)) / temperature
    scaled = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (scaled / scaled.sum(axis=1, keepdims=True)).astype(probabilities.dtype)


def fit_temperature(probabilities: NDArray, truth: NDArray[np.integer]) -> float:
    """Find the temperature under which the labels are likeliest.

    Args:
        probabilities: ``[N, labels]``, of samples that the network was not trained on.
        truth: Index of each sample's label.

    Returns:
        The temperature, between ``COLDEST`` and ``HOTTEST``; 1 where there is nothing to fit it to.
    """
    from scipy.optimize import minimize_scalar

    if len(probabilities) == 0:
        return 1.0
    rows = np.arange(len(truth))

    def measure_loss(logarithm: float) -> float:
        scaled = apply_temperature(probabilities.astype(np.float64), float(np.exp(logarithm)))
        return -float(np.log(np.clip(scaled[rows, truth], SMALLEST, 1)).mean())

    bounds = (float(np.log(COLDEST)), float(np.log(HOTTEST)))
    return float(np.exp(minimize_scalar(measure_loss, bounds=bounds, method="bounded").x))
