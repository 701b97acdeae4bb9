"""Water-filling: which latents of the linear-Gaussian β-VAE stand above the level βσ²."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw
from torch import Tensor

from course_lib import plots
from course_lib.errors import CourseError
from course_lib.widgets import pictures
from course_lib.widgets.canvas import Area
from course_lib.widgets.controls import stops, written
from course_lib.widgets.outputs import call, numbers, to_number
from course_lib.widgets.panel import Frame, Panel, Values

WIDE, NARROW, HIGH = 400, 336, 300  # page pixels
LEVELS, KL = "eigenvalues λ and water level βσ²", "KL per latent"
STOPS_PER_DECADE = 10
MIN_LEVEL_SHARE = 1e-6  # of the largest eigenvalue: no level below
STOPS_BELOW = 3  # the smallest eigenvalue
WATER = "#CBE6F7"  # plots.SKY on paper


def water_filling(
    kl: Callable[[Tensor, float], Tensor], eigenvalues: ArrayLike, *, start: float | None = None
) -> Panel:
    """A slider for βσ²: eigenvalues in water, and the KL of the latents that stand above it.

    KL_j = ½ log(λ_j / βσ²) where λ_j > βσ², else 0: half the height above the water, in nats.
    kl: kl(eigenvalues, beta_sigma2) for (d,) float64, the largest first, to (d,) nats.
    eigenvalues: (d,) above 0, of the data's covariance, in any order. start: a level to begin with,
    by default the geometric mean of the eigenvalues; the nearest stop is taken.
    Raises CourseError where these do not fit each other. Source: Lucas et al. (2019).
    """
    values = np.sort(numbers(eigenvalues, count=None, what="eigenvalues"))[::-1].copy()
    if values[-1] <= 0:
        raise CourseError("eigenvalues must be above 0: leave out those that are 0 by rounding")
    levels = _levels(values)
    start = np.exp(np.log(values).mean()) if start is None else to_number(start, source="start")
    if start <= 0:
        raise CourseError(f"start must be above 0, not {start:g}")
    nearest = min(levels, key=lambda level: abs(math.log(level / start)))
    options = [(f"{level:.2g}", level) for level in levels]
    return Panel(
        _drawer(kl, values, levels),
        controls={"βσ²": stops("water level βσ²", nearest, options=options, width=WIDE)},
        widths={LEVELS: WIDE, KL: NARROW},
    )


def _levels(eigenvalues: np.ndarray) -> list[float]:
    """Ten round levels a decade, from below the smallest eigenvalue to above the largest."""
    low, high = max(eigenvalues[-1], MIN_LEVEL_SHARE * eigenvalues[0]), eigenvalues[0]
    first = math.floor(STOPS_PER_DECADE * math.log10(low)) - STOPS_BELOW
    last = math.ceil(STOPS_PER_DECADE * math.log10(high)) + 1
    return [float(f"{10 ** (i / STOPS_PER_DECADE):.2g}") for i in range(first, last + 1)]


def _drawer(
    kl: Callable[[Tensor, float], Tensor], eigenvalues: np.ndarray, levels: list[float]
) -> Callable[[Values], Frame]:
    """The function that a step of the slider calls."""
    ranks = np.arange(1, len(eigenvalues) + 1)
    ends = levels[0] / 1.3, levels[-1] * 1.3

    def paint(ax: Axes) -> None:
        ax.set(yscale="log", ylim=ends, xlim=(0.4, ranks[-1] + 0.6))
        ax.set(xlabel="latents, largest eigenvalue first", ylabel="λ, log scale")
        ax.yaxis.set_major_formatter("{x:g}")

    filled = Area(pictures.chart(paint, width=WIDE, height=HIGH), colour=plots.BLUE, tint=WATER)
    most = 0.5 * math.log(eigenvalues[0] / levels[0])
    chart = pictures.chart(lambda ax: _paint_kl(ax, ranks, most), width=NARROW, height=HIGH)

    def draw(values: Values) -> Frame:
        level = values["βσ²"]
        output = call(kl, torch.tensor(eigenvalues), level)
        found = numbers(output, count=len(eigenvalues), what="what water_filling returns")
        alive = int((found > 0).sum())
        text = (
            f"βσ² = {level:g}: {alive} of {len(found)} latents live, rate {written(found.sum())} "
            f"nats, largest KL {written(found.max())} nats."
        )
        water = filled.under(np.array([0.0, ranks[-1] + 1]), np.array([level, level]))
        (left, _, right, _), (_, y) = filled.chart.frame, filled.chart.pixel(1, level)
        drowned = np.minimum(eigenvalues, level)
        _add_bars(water, filled.chart, ranks, eigenvalues, colour=plots.ORANGE)
        _add_bars(water, filled.chart, ranks, drowned, colour=plots.BASELINE)
        ImageDraw.Draw(water).line((left, y, right - 1, y), plots.BLUE, 4)
        rates = chart.picture.copy()
        _add_bars(rates, chart, ranks, found, colour=plots.ORANGE)
        return Frame({LEVELS: water, KL: rates}, text)

    return draw


def _paint_kl(ax: Axes, ranks: np.ndarray, most: float) -> None:
    ax.set(xlim=(0.4, ranks[-1] + 0.6), ylim=(0, 1.1 * most))
    ax.set(xlabel="latents, largest eigenvalue first", ylabel="nats")


def _add_bars(
    picture: Image.Image,
    chart: pictures.Chart,
    ranks: np.ndarray,
    heights: np.ndarray,
    *,
    colour: str,
) -> None:
    """A bar from the axis to each height, where that is above it."""
    _, top, _, bottom = chart.frame
    draw = ImageDraw.Draw(picture)
    lefts, rights = (chart.pixels(ranks + side, heights)[:, 0] for side in (-0.4, 0.4))
    tops = np.clip(chart.pixels(ranks, heights)[:, 1], top, bottom)
    for left, right, y in np.rint([lefts, rights, tops]).T.astype(int).tolist():
        if y < bottom:
            draw.rectangle((left, y, max(left, right - 1), round(bottom)), fill=colour)
