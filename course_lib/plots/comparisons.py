"""Numbers of several models or factors beside each other on Axes, lines labelled directly."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import ArrayLike

from course_lib.plots.charts import histogram
from course_lib.plots.page import own_page
from course_lib.plots.style import BLACK, BLUE, CLASS_MARKERS, PALETTE, SKY, VERMILION


def dumbbells(
    pairs: Mapping[str, tuple[float, float]],
    ax: Axes | None = None,
    *,
    names: tuple[str, str],
    x_label: str,
) -> Axes:
    """One horizontal bar per name, from its first value to its second, on a logarithmic axis.

    names: what the two values are; the smallest second value stands lowest.
    """
    ax = own_page(ax, height=_for_lines(len(pairs)))
    order = sorted(pairs, key=lambda name: pairs[name][1])
    first, second = np.array([pairs[name] for name in order]).T
    place = np.arange(len(order))
    ax.hlines(place, first, second, color=SKY, linewidth=6)
    ax.plot(first, place, CLASS_MARKERS[0], color=BLACK, label=names[0])
    ax.plot(second, place, CLASS_MARKERS[4], color=VERMILION, label=names[1])
    ax.set_yticks(place, order)
    ax.set(xscale="log", xlabel=x_label)
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.legend(loc="lower right")
    return ax


def against_normal(values: ArrayLike, ax: Axes, *, x_label: str, title: str = "") -> Axes:
    """A histogram of values (N,), and the density of N(0, 1) as a line."""
    values = np.asarray(values)
    limit = max(4.0, 3.5 * float(values.std()) + abs(float(values.mean())))
    histogram(values, ax, x_label=x_label, limit=limit)
    x = np.linspace(-limit, limit, 201)
    ax.plot(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), color=BLACK, linewidth=1.5)
    ax.set_title(title)
    return ax


def changes(
    pairs: Mapping[str, tuple[float, float]],
    ax: Axes | None = None,
    *,
    names: tuple[str, str],
    y_label: str,
) -> Axes:
    """One line per name from its first value, on the left, to its second, on the right."""
    ax = own_page(ax)
    for i, (name, values) in enumerate(pairs.items()):
        ax.plot((0, 1), values, marker=CLASS_MARKERS[i], color=PALETTE[i], label=name)
    ax.set_xticks((0, 1), names)
    ax.set_xlim(-0.3, 1.3)
    ax.set_ylabel(y_label)
    ax.axhline(1, color=BLACK, linestyle=":", linewidth=1.5)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def group_intervals(
    reports: Mapping[str, Mapping[int, tuple[float, float, float]]],
    ax: Axes | None = None,
    *,
    names: tuple[str, str],
    x_label: str,
) -> Axes:
    """Mean and interval of groups 0 and 1, one line of the chart per report: (mean, low, high)."""
    ax = own_page(ax, height=_for_lines(len(reports)))
    for group, (colour, shift) in enumerate([(BLUE, 0.12), (VERMILION, -0.12)]):
        mean, low, high = np.array([report[group] for report in reports.values()]).T
        ax.errorbar(
            mean, np.arange(len(mean)) + shift, xerr=(mean - low, high - mean), capsize=4,
            fmt=CLASS_MARKERS[group], color=colour, label=names[group],
        )  # fmt: skip
    ax.set_yticks(range(len(reports)), list(reports))
    ax.set_xlabel(x_label)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def _for_lines(count: int) -> float:
    """Inches for so many lines of a chart, their names at the left."""
    return 0.9 + 0.36 * count
