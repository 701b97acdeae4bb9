"""The two pictures of noise carried to codes: each ε beside its z, and how the z lie."""

from __future__ import annotations

import itertools
import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image, ImageDraw

from course_lib import plots
from course_lib.widgets import pictures

WIDE, NARROW, HIGH = 416, 320, 400  # page pixels
MAX_EPS, MAX_Z = 3.5, 8.0  # ends of the axes of ε and z
MAX_POINTS = 150  # of the noise: more hide each other
RADIUS = 6  # picture pixels
BIN_WIDTH, N_BINS = 0.25, 96  # σ, the width of a bar; as many bars, half of them above μ
PEAK = BIN_WIDTH / math.sqrt(2 * math.pi)  # share of N(μ, σ²) in a bar at its peak


class ReparameterizationCharts:
    """Empty axes, painted once; points, line, bars and curve are drawn on copies."""

    def __init__(self) -> None:
        self.line = pictures.chart(_paint_line_axes, width=WIDE, height=HIGH)
        self.density = pictures.chart(_paint_density_axes, width=NARROW, height=HIGH)

    def scatter(self, eps: np.ndarray, z: np.ndarray, *, mu: float, sigma: float) -> Image.Image:
        """The line z = μ + σ ε, and on it, or beside it, a point for each pair. (N,) each."""
        picture, draw = _copy(self.line)
        ends = np.array([-MAX_EPS, MAX_EPS])
        line = self.line.pixels(ends, mu + sigma * ends)
        draw.line([tuple(end) for end in line.tolist()], plots.BLACK, 3)
        for x, y in np.rint(self.line.pixels(eps[:MAX_POINTS], z[:MAX_POINTS])).tolist():
            box = x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS
            draw.ellipse(box, plots.ORANGE, outline="white")
        return _clip(picture, self.line)

    def histogram(self, z: np.ndarray, *, mu: float, sigma: float) -> Image.Image:
        """Bars of how many z lie where, and the curve of N(μ, σ²); its peak is 1. z: (N,)."""
        picture, draw = _copy(self.density)
        edges = mu + sigma * BIN_WIDTH * (np.arange(N_BINS + 1) - N_BINS / 2)
        lengths = np.histogram(z, edges)[0] / (len(z) * PEAK)
        corners = self.density.pixels(np.append(lengths, 0), edges)
        left = self.density.frame[0]
        for (right, bottom), (_, top) in itertools.pairwise(corners.tolist()):
            if right > left:
                draw.rectangle((left, top, right, max(top, bottom - 1)), plots.SKY)
        steps = np.linspace(-4, 4, 101)
        curve = self.density.pixels(np.exp(-0.5 * steps**2), mu + sigma * steps)
        draw.line([tuple(point) for point in curve.tolist()], plots.BLACK, 3)
        return _clip(picture, self.density)


def _copy(chart: pictures.Chart) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = chart.picture.copy()
    return picture, ImageDraw.Draw(picture)


def _clip(picture: Image.Image, chart: pictures.Chart) -> Image.Image:
    """What was drawn beyond the axes is taken back."""
    left, top, right, bottom = map(round, chart.frame)
    whole = chart.picture.copy()
    whole.putpalette(picture.getpalette())
    whole.paste(picture.crop((left, top, right, bottom)), (left, top))
    return whole


def _paint_line_axes(ax: Axes) -> None:
    handles = [
        Line2D([], [], color=plots.BLACK, label="z = μ + σ ε"),
        Line2D([], [], color=plots.ORANGE, marker="o", linestyle="", label="z of the function"),
    ]
    _label(ax, handles, x_label="noise ε", x_ends=(-MAX_EPS, MAX_EPS))


def _paint_density_axes(ax: Axes) -> None:
    handles = [
        Line2D([], [], color=plots.BLACK, label="N(μ, σ²)"),
        Patch(color=plots.SKY, label="all z"),
    ]
    _label(ax, handles, x_label="density, peak of N(μ, σ²) = 1", x_ends=(0, 1.25))


def _label(ax: Axes, handles: list, *, x_label: str, x_ends: tuple[float, float]) -> None:
    ax.set(xlabel=x_label, ylabel="code z", xlim=x_ends, ylim=(-MAX_Z, MAX_Z))
    style = {"ncols": 2, "columnspacing": 1.2, "handlelength": 1.4}
    ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1), **style)
