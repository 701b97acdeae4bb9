"""Which of several methods is ahead, where each was trained more than once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise


def ranking(values: Mapping[str, Sequence[float]]) -> str:
    """Names from the smallest mean to the largest: "a < b ≈ c".

    "<" where every value of one lies below every value of the next, and there are at least two of
    each; else "≈": one training says nothing of the next.
    """
    order = sorted(values, key=lambda name: sum(values[name]) / len(values[name]))
    text = order[0]
    for low, high in pairwise(order):
        few = min(len(values[low]), len(values[high])) < 2
        text += f" {'≈' if few or max(values[low]) >= min(values[high]) else '<'} {high}"
    return text


def spread(values: Sequence[float], *, digits: int = 1) -> str:
    """Mean and half the range, "12.3 ± 0.4"; of a single value only this."""
    mean = sum(values) / len(values)
    half = (max(values) - min(values)) / 2
    return f"{mean:.{digits}f}" + (f" ± {half:.{digits}f}" if len(values) > 1 else "")
