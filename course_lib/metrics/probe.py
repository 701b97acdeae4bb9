"""How much a linear classifier gets out of a code: the usual measure of learned features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

STRENGTHS = (1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100)  # C of scikit-learn: 1 over the weight of Σ w²/2
MAX_STEPS, TOLERANCE = 500, 1e-3  # of L-BFGS, each strength from where the last one ended


class Probe(NamedTuple):
    """The share of test codes whose class is found, and the strength that validation chose."""

    accuracy: float
    strength: float


def linear_probe(
    fit: tuple[Tensor, Tensor],
    valid: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    *,
    strengths: Sequence[float] = STRENGTHS,
) -> Probe:
    """Logistic regression on codes, fitted for each strength; the best on `valid` is tested.

    Each part: codes (N, d) and classes (N,). Each number of a code is first given mean 0 and
    variance 1 on `fit`. Of several strengths that are equally good the smallest is taken. Source:
    Alain & Bengio (2017), "Understanding intermediate layers using linear classifier probes".
    """
    from sklearn.linear_model import LogisticRegression  # slow to import

    codes = _standardised(*(part[0] for part in (fit, valid, test)))
    y_fit, y_valid, y_test = (part[1].numpy() for part in (fit, valid, test))
    model, found = LogisticRegression(max_iter=MAX_STEPS, tol=TOLERANCE, warm_start=True), []
    for strength in sorted(strengths):
        model.set_params(C=strength).fit(codes[0], y_fit)
        found.append((model.score(codes[1], y_valid), -strength, model.score(codes[2], y_test)))
    _, minus_strength, accuracy = max(found)
    return Probe(accuracy, -minus_strength)


def _standardised(fit: Tensor, *others: Tensor) -> list[np.ndarray]:
    """All codes in units of the first ones, (N, d) each; more numbers than codes are turned away.

    With Σ w² as penalty the best w is a sum of the rows of `fit`. So where d > N, coordinates on
    an orthonormal basis of these N rows hold all that matters, and the classifier is the same.
    """
    mean, scale = fit.double().mean(0), fit.double().std(0, correction=0)
    scale = torch.where(scale > 0, scale, 1)
    parts = [(part.double() - mean) / scale for part in (fit, *others)]
    if fit.shape[1] > len(fit):
        basis = torch.linalg.qr(parts[0].T).Q  # (d, N)
        parts = [part @ basis for part in parts]
    return [part.numpy() for part in parts]
