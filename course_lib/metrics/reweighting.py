"""What a resampled training set holds: how many images count, and how often a group is drawn."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.errors import CourseError


def effective_number(p: Tensor) -> float:
    """How many equally likely images would repeat themselves as often: (Σ p)² / Σ p², 1 to N.

    p: (N,) weights ≥ 0, of any sum. 1/Σ p² of probabilities is one over the chance that two draws
    are the same image.
    """
    weights = _checked(p)
    return float(weights.sum() ** 2 / (weights**2).sum())


def share_drawn(p: Tensor, member: Tensor) -> float:
    """The share of draws that fall on a group: Σ_{i in group} p_i / Σ_i p_i, in [0, 1].

    p: (N,) weights ≥ 0; member: bool (N,). Of p = 1/N it is the group's share of the images.
    """
    weights = _checked(p)
    if member.dtype != torch.bool or member.shape != weights.shape:
        raise CourseError(f"member must be bool {tuple(p.shape)}, one for each weight")
    return float(weights[member].sum() / weights.sum())


def _checked(p: Tensor) -> Tensor:
    """The weights as float64, or a CourseError where nothing can be drawn with them."""
    weights = p.double()
    if weights.ndim != 1 or not weights.isfinite().all() or (weights < 0).any():
        raise CourseError("weights must be finite numbers ≥ 0 of shape (N,)")
    if not weights.sum() > 0:
        raise CourseError("no weight is above 0: nothing can be drawn")
    return weights
