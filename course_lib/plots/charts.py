"""Curves, maps and bars on Axes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from numpy.typing import ArrayLike

from course_lib.plots.style import (
    BLUE,
    CLASS_COLOURS,
    CLASS_MARKERS,
    LINE_STYLES,
    PALETTE,
    SKY,
)


def curves(
    series: Mapping[str, tuple[ArrayLike, ...]], ax: Axes, *, x_label: str, y_label: str
) -> Axes:
    """Draw named (x, y) or (x, y, error) series, each with its own colour, dash and marker.

    error: the half-length of the error bar at each point, in units of y.
    """
    for i, (name, (x, y, *error)) in enumerate(series.items()):
        marker = CLASS_MARKERS[i] if len(np.atleast_1d(x)) <= 20 else None
        look = {"color": PALETTE[i], "linestyle": LINE_STYLES[i % len(LINE_STYLES)]}
        bars = {"yerr": np.asarray(error[0]), "capsize": 4} if error else {}
        ax.errorbar(x, y, marker=marker, label=name, **look, **bars)
    ax.set(xlabel=x_label, ylabel=y_label)
    beside = {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if len(series) > 3 else {}
    ax.legend(**beside)
    return ax


def name_lines(ax: Axes, *, gap: float = 0.075) -> Axes:
    """Write each line's label at its right end, in its colour, in place of a legend.

    gap: the least distance between two names, as a share of the axis. Call it when the limits of
    the axes are final.
    """
    handles, names = ax.get_legend_handles_labels()
    lines = [h[0] if isinstance(h, ErrorbarContainer) else h for h in handles]
    if ax.get_legend():
        ax.get_legend().remove()
    ends = [line.get_xydata()[-1] for line in lines]
    ax.get_ylim()  # sets the limits, which matplotlib puts off until somebody asks
    heights = (ax.transData + ax.transAxes.inverted()).transform(ends)[:, 1]
    for below, above in itertools.pairwise(heights.argsort()):
        heights[above] = max(heights[above], heights[below] + gap)
    for name, line, end, height in zip(names, lines, ends, heights, strict=True):
        spot = ax.transAxes.transform((0, height))[1] - ax.transData.transform(end)[1]
        offset = (8, spot * 72 / ax.figure.dpi)
        look = {"textcoords": "offset points", "va": "center", "color": line.get_color()}
        ax.annotate(name, end, xytext=offset, annotation_clip=False, **look)
    return ax


def doubling_axis(ax: Axes, values: Sequence[int]) -> Axes:
    """Sizes on a logarithmic x axis, written as plain numbers: 1, 2, 8, 32."""
    ax.set_xscale("log", base=2)
    ax.set_xticks(values, [str(value) for value in values])
    return ax


def code_map(
    codes: ArrayLike,
    labels: ArrayLike,
    ax: Axes,
    *,
    names: Sequence[str],
    size: float = 12,
    trim: float = 0.0,
) -> Axes:
    """Scatter of two-dimensional codes, one colour and marker per class, with each class named.

    codes: (N, 2); labels: (N,) integers into `names`. trim: the share of codes to leave outside at
    each edge, so that a few far ones do not shrink the rest; the map is a square then.
    """
    codes, labels = np.asarray(codes), np.asarray(labels)
    middles = {}
    for i, name in enumerate(names):
        points = codes[labels == i]
        ax.scatter(*points.T, s=size, c=CLASS_COLOURS[i], marker=CLASS_MARKERS[i], linewidths=0)
        if len(points):
            middles[i] = (name, np.median(points, axis=0))
    ax.set(xlabel="z₁", ylabel="z₂")
    if middles:
        low, high = np.quantile(codes, [trim, 1 - trim], axis=0)
        _name_classes(ax, middles, span=high - low + 1e-9)
        if trim:
            _square(ax, low, high)
    return ax


def _square(ax: Axes, low: np.ndarray, high: np.ndarray) -> None:
    """A square box from low to high, (2,) each, with a margin and few ticks."""
    margin = 0.08 * (high - low) + 1e-9
    ends = np.stack([low - margin, high + margin])
    ax.set(xlim=ends[:, 0], ylim=ends[:, 1], box_aspect=1)
    ax.locator_params(nbins=5)


def _name_classes(
    ax: Axes, middles: dict[int, tuple[str, np.ndarray]], *, span: np.ndarray
) -> None:
    """A name at each class's middle, or beside it with a line where names would overlap."""
    box = {"boxstyle": "round,pad=0.2", "facecolor": "white", "alpha": 0.9}
    style = {"ha": "center", "va": "center", "fontsize": 12, "fontweight": "bold"}
    spots = _apart(np.array([middle for _, middle in middles.values()]), span=span)
    for (i, (name, middle)), spot in zip(middles.items(), spots, strict=True):
        colour = CLASS_COLOURS[i]
        line = {"arrowstyle": "-", "color": colour}
        patch = {**box, "edgecolor": colour}
        ax.annotate(name, middle, xytext=spot, bbox=patch, arrowprops=line, **style)


def _apart(spots: np.ndarray, *, span: np.ndarray, gap: float = 0.075) -> np.ndarray:
    """Push points apart until all are `gap` of the axes' span from each other, (n, 2)."""
    spots = spots / span
    for _ in range(200):
        delta = spots[:, None] - spots[None]
        distance = np.linalg.norm(delta, axis=-1, keepdims=True) + 1e-9
        push = np.where(distance < gap, (gap - distance) * delta / distance, 0).sum(1)
        spots = spots + 0.5 * push
    return spots * span


def histogram(values: ArrayLike, ax: Axes, *, x_label: str, limit: float = 5) -> Axes:
    """Draw the density of values (N,) between −limit and limit, in 80 bars of equal width."""
    edges = np.linspace(-limit, limit, 81)
    ax.hist(np.asarray(values), edges, density=True, color=SKY)
    ax.set(xlabel=x_label, ylabel="density", xlim=(-limit, limit))
    return ax


def bars(values: Mapping[str, float], ax: Axes, *, y_label: str) -> Axes:
    """Draw one bar a name, with its value written above it."""
    drawn = ax.bar(list(values), list(values.values()), color=SKY, edgecolor=BLUE)
    ax.bar_label(drawn, fmt="%.3g", padding=3)
    ax.set_ylabel(y_label)
    ax.grid(False, axis="x")
    return ax
