"""Curves, maps and bars on Axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.patches import Circle
from numpy.typing import ArrayLike

from course_lib.plots.images import tile
from course_lib.plots.page import own_page
from course_lib.plots.style import (
    BLUE,
    CLASS_COLOURS,
    CLASS_MARKERS,
    GREEN,
    LINE_STYLES,
    LOW,
    MIDDLE,
    ORANGE,
    PALETTE,
    SKY,
    VERMILION,
    ink,
)


def curves(
    series: Mapping[str, tuple[ArrayLike, ...]],
    ax: Axes | None = None,
    *,
    x_label: str,
    y_label: str,
    height: float = MIDDLE,
    colours: Sequence[str] = PALETTE,
    **limits: object,
) -> Axes:
    """Named (x, y) or (x, y, error) series, each with its own colour, dash and marker.

    error: the half-length of the error bar at each point, in units of y. Without `ax` they have a
    page of their own, `height` inches high. limits: what `ax.set` takes, such as ylim, yscale and
    title; they are set before each line gets its name at its end, for which they must be final.
    """
    ax = own_page(ax, height=height)
    for i, (name, (x, y, *error)) in enumerate(series.items()):
        marker = CLASS_MARKERS[i] if len(np.atleast_1d(x)) <= 20 else None
        look = {"color": colours[i], "linestyle": LINE_STYLES[i % len(LINE_STYLES)]}
        bars = {"yerr": np.asarray(error[0]), "capsize": 4} if error else {}
        ax.errorbar(x, y, marker=marker, label=name, **look, **bars)
    ax.set(xlabel=x_label, ylabel=y_label, **limits)
    return name_lines(ax) if len(series) > 1 else ax


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
        look = {"textcoords": "offset points", "va": "center", "color": ink(line.get_color())}
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


def labelled_line(
    values: ArrayLike, labels: ArrayLike, ax: Axes, *, images: ArrayLike, rows: int = 10
) -> Axes:
    """Codes on a line by label: a row of points per label, below images at equal steps of it.

    values: (N,) in [0, 1]; labels: (N,) in 0 … rows − 1; images: (K, H, W), uint8 or float in
    [0, 1], the i-th drawn from i/K to (i + 1)/K.
    """
    values, labels = np.asarray(values), np.asarray(labels)
    rng = np.random.default_rng(0)
    for i in range(rows):
        points = values[labels == i]
        height = i + rng.uniform(-0.3, 0.3, len(points))
        ax.scatter(points, height, s=4, c=CLASS_COLOURS[i], linewidths=0)
    box = ax.get_window_extent()
    step = rows * box.width / box.height / len(images)  # about square pictures
    sheet = tile(images, columns=len(images), gap=0)
    top = -1 - 1.3 * step
    ax.imshow(sheet, cmap="gray", extent=(0, 1, -1, top), aspect="auto", vmin=0, vmax=255)
    ax.set(xlim=(0, 1), ylim=(rows - 0.4, top), yticks=range(rows))
    return ax


def prior_rings(ax: Axes, *, middle: tuple[float, float] = (0, 0), unit: float = 1) -> Axes:
    """Circles that hold half and 99% of N(0, I₂), of radius √(−2 log(1 − share)).

    middle, unit: where 0 lies on the axes, and how long 1 is.
    """
    for share, name in ((0.5, "half"), (0.99, "99%")):
        radius = unit * math.sqrt(-2 * math.log(1 - share))
        ax.add_patch(Circle(middle, radius, fill=False, edgecolor=VERMILION, linewidth=2))
        box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": VERMILION}
        down = 1 if ax.yaxis_inverted() else -1
        spot = middle[0], middle[1] - down * radius
        ax.text(*spot, name, ha="center", va="center", bbox=box)
    return ax


def stacked_bars(
    rows: Mapping[str, Sequence[float]],
    ax: Axes | None = None,
    *,
    parts: Sequence[str],
    x_label: str,
    **limits: object,
) -> Axes:
    """Draw a horizontal bar per row, the first row on top, made of parts with their values.

    The parts are named above that bar in which the narrowest is widest. limits: as in `curves`.
    """
    ax = own_page(ax, height=LOW)
    names, most = list(rows), max(map(sum, rows.values()))
    named = max(names, key=lambda name: min(rows[name]))
    left = np.zeros(len(names))
    for i, part in enumerate(parts):
        values, colour = np.array([rows[name][i] for name in names]), (SKY, ORANGE, GREEN)[i]
        look = {"color": colour, "edgecolor": "white", "hatch": ("", "//", "..")[i]}
        drawn = ax.barh(names, values, height=0.55, left=left, label=part, **look)
        shown = [f"{v:.2f}" if abs(v) > 0.052 * most else "" for v in values]
        box = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"}
        ax.bar_label(drawn, shown, label_type="center", bbox=box if i else None)
        row = names.index(named)
        spot, look = (left[row] + values[row] / 2, row - 0.275), {"ha": "center", "xytext": (0, 3)}
        ax.annotate(part, spot, textcoords="offset points", color=ink(colour), **look)
        left = left + values
    for i in range(len(names)):
        if shown[i] == "":  # the last part is too narrow for its value
            look = {"va": "center", "xytext": (5, 0), "textcoords": "offset points"}
            ax.annotate(f"+ {values[i]:.2f}", (left[i], i), **look)
    ax.invert_yaxis()
    ax.set(xlabel=x_label, **limits)
    ax.grid(False, axis="y")
    return ax


def bars(values: Mapping[str, float], ax: Axes | None = None, *, y_label: str) -> Axes:
    """Draw one bar a name, with its value written above it."""
    ax = own_page(ax)
    drawn = ax.bar(list(values), list(values.values()), color=SKY, edgecolor=BLUE)
    ax.bar_label(drawn, fmt="%.3g", padding=3)
    ax.set_ylabel(y_label)
    ax.grid(False, axis="x")
    return ax


def share_table(
    values: ArrayLike, ax: Axes | None = None, *, rows: Sequence[str], columns: Sequence[str]
) -> Axes:
    """A table of shares in [0, 1], each written in its field and shaded by it."""
    ax = own_page(ax)
    table = np.asarray(values)
    ax.imshow(table, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (i, j), share in np.ndenumerate(table):
        colour = "white" if share > 0.6 else "black"
        ax.text(j, i, f"{share:.2f}", ha="center", va="center", color=colour, fontsize=10)
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.grid(False)
    return ax
