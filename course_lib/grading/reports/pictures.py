"""The figures of the class report, as pictures that stand in the page."""

from __future__ import annotations

import base64
import functools
import io
import json
import warnings
from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_lib.plots.style import BLUE, GREEN, ORANGE, SKY, VERMILION, course_style

# How each verdict is drawn: colours that everybody can tell apart, and a hatch where two are near.
VERDICTS = {
    "right": ("right", GREEN, ""),
    "wrong": ("wrong", VERMILION, "///"),
    "open": ("not attempted", SKY, ""),
    "none": ("not judged", "#bbbbbb", ".."),
}
AS_TEXT = {"svg.fonttype": "none", "svg.hashsalt": "course", "text.parse_math": False}


def picture(draw: Callable[..., Axes], *args: object, height: float, width: float = 8.5) -> str:
    """What `draw(ax, …)` draws, as the address of an SVG. Text stays text, as names are written."""
    return _drawn(draw, json.dumps(args), height, width)


@functools.lru_cache(maxsize=16)  # the report is written after each stage, mostly the same twice
def _drawn(draw: Callable[..., Axes], args: str, height: float, width: float) -> str:
    with course_style(AS_TEXT), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the browser has fonts for all names
        figure = Figure(figsize=(width, height))
        draw(figure.subplots(), *json.loads(args))
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/svg+xml;base64,{data}"


def points_histogram(ax: Axes, points: list[float], most: float) -> Axes:
    """How many students have how many points; the line is the median."""
    edges = np.arange(-0.5, max(most, max(points)) + 1)
    ax.hist(points, edges, color=SKY, edgecolor=BLUE, rwidth=0.9)
    median = float(np.median(points))
    ax.axvline(median, color=ORANGE, linestyle="--")
    ax.annotate(f"median {median:g}", (median, 1), xycoords=("data", "axes fraction"),
                xytext=(0, 2), textcoords="offset points", ha="center")  # fmt: skip
    ax.yaxis.get_major_locator().set_params(integer=True)
    ax.set(xlabel="points", ylabel="students", xlim=(-0.7, edges[-1] + 0.2))
    ax.grid(False, axis="x")
    return ax


def verdict_bars(ax: Axes, counts: Mapping[str, Mapping[str, int]]) -> Axes:
    """For each exercise the students by verdict: counts[exercise][verdict], first one on top."""
    names = list(counts)
    left = np.zeros(len(names))
    for verdict, (label, colour, hatch) in VERDICTS.items():
        values = np.array([counts[name].get(verdict, 0) for name in names])
        drawn = ax.barh(names, values, left=left, color=colour, hatch=hatch, edgecolor="white",
                        label=label, height=0.72)  # fmt: skip
        ax.bar_label(drawn, [f"{v}" if v else "" for v in values], label_type="center",
                     fontsize=10, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1,
                                        "alpha": 0.85})  # fmt: skip
        left += values
    ax.invert_yaxis()
    ax.set(xlabel="students", xlim=(0, max(left.max(), 1)))
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid(False, axis="y")
    ax.legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1), borderpad=0, handlelength=1.2)
    return ax


def ranked_bars(ax: Axes, pairs: list[tuple[str, float]], x_label: str) -> Axes:
    """Names with values, the first on top, each with its number; names may be alike."""
    names, values = zip(*pairs, strict=True)
    drawn = ax.barh(range(len(values)), values, color=SKY, edgecolor=BLUE, height=0.72)
    labels = [f"{value:.0f}" if value >= 10 else f"{value:.2g}" for value in values]
    ax.bar_label(drawn, labels, padding=4, fontsize=10)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set(xlabel=x_label, xlim=(0, 1.1 * max(values)))
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid(False, axis="y")
    return ax
