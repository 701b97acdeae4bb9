"""Which of several methods is ahead, where each was trained more than once."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise

from course_lib.errors import CourseError

# 97.5% quantiles of Student's distribution with 1, 2, … degrees of freedom
STUDENT = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)


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


def mean_and_range(values: Sequence[float], *, digits: int = 1) -> str:
    """Mean and half the range, "12.3 ± 0.4"; of a single value only this."""
    mean = sum(values) / len(values)
    half = (max(values) - min(values)) / 2
    return f"{mean:.{digits}f}" + (f" ± {half:.{digits}f}" if len(values) > 1 else "")


def student_interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean of repeated measurements and half the width of its 95% interval, t s / √n.

    values: at least two, such as one of each training; s: their deviation with n − 1; t: the 97.5%
    quantile of Student's distribution with n − 1 degrees of freedom: 12.7 for two values, 2.8 for
    five, where a normal one has 1.96.
    """
    n = len(values)
    if n < 2:
        raise CourseError(f"an interval needs at least 2 values, not {n}")
    return statistics.fmean(values), _student(n - 1) * statistics.stdev(values) / math.sqrt(n)


def _student(degrees: int) -> float:
    """The 97.5% quantile, beyond the table by its series in 1 / degrees."""
    if degrees <= len(STUDENT):
        return STUDENT[degrees - 1]
    z = 1.959964
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3
