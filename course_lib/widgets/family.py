"""A family of β-VAEs: where each stands between rate and distortion, and what it shows for it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.axes import Axes
from PIL import Image
from torch import Tensor

from course_lib import plots
from course_lib.errors import CourseError
from course_lib.widgets import image_rows, pictures
from course_lib.widgets.controls import stops, written
from course_lib.widgets.outputs import call, given, to_bytes, to_images, to_number
from course_lib.widgets.panel import Frame, Panel, Values

Points = dict[float, tuple[float, float]]  # β to (rate, distortion), nats per image
Function = Callable[[Tensor, float], Tensor]
ROWS_WIDTH, CHART_SIZE = 416, (320, 290)  # page pixels
IMAGES, PLANE = "images", "rate and distortion"
OURS, FULL = "these models", "full runs"


def beta_family(
    images: Tensor,
    reconstruct: Function,
    decode: Function,
    points: Mapping[float, tuple[float, float]],
    *,
    z: Tensor,
    full_runs: Mapping[float, tuple[float, float]] | None = None,
    start: float | None = None,
    shape: tuple[int, ...] = (1, 28, 28),
) -> Panel:
    """A slider along trained models: their place in rate and distortion, images and samples.

    β-VAE: minimise D + β·R over models, so that no model lies below the line D + β·R = constant
    through the best one; its slope is −β. −ELBO = D + R.
    images: (N, C, H, W) or (N, D), uint8 or float in [0, 1]. reconstruct: reconstruct(x, beta), N
    images again; decode: decode(z, beta), S images; both called once for each β.
    points: {β: (rate, distortion)}, nats per image; its β are the slider's stops. z: (S, d), codes
    that every model decodes. full_runs: a second curve. start: a β, by default 1 or the middle one.
    Raises CourseError where these do not fit each other.
    """
    points = _points(points, what="points")
    full = {} if full_runs is None else _points(full_runs, what="full_runs")
    betas = list(points)
    start = (1 if 1 in points else betas[len(betas) // 2]) if start is None else start
    if start not in points:
        raise CourseError(f"start must be one of the β {betas}, not {start!r}")
    if not (isinstance(z, Tensor) and z.ndim == 2 and len(z)):
        raise CourseError("z must be a tensor of codes, (S, d), such as torch.randn(8, 64)")
    names = [(f"{beta:g}", beta) for beta in betas]
    return Panel(
        _drawer(given(images, shape=shape, what="images"), z, points, full, (reconstruct, decode)),
        controls={"β": stops("β", start, options=names, width=ROWS_WIDTH)},
        widths={PLANE: CHART_SIZE[0], IMAGES: ROWS_WIDTH},
    )


def _points(points: Mapping[float, tuple[float, float]], *, what: str) -> Points:
    """The points in the order of β, checked."""
    if not isinstance(points, Mapping) or not points:
        raise CourseError(f"{what} must be {{β: (rate, distortion)}} with at least one β")
    found = {}
    for beta, point in points.items():
        if to_number(beta, source=f"each β of {what}") < 0:
            raise CourseError(f"each β of {what} must be at least 0, not {beta}")
        try:
            rate, distortion = point
        except (TypeError, ValueError) as error:
            raise CourseError(f"{what}[{beta}] must be (rate, distortion)") from error
        pair = {"rate": rate, "distortion": distortion}
        numbers = (to_number(v, source=f"the {name} of β = {beta}") for name, v in pair.items())
        found[beta] = tuple(numbers)
    return dict(sorted(found.items()))


def _drawer(
    images: Tensor, z: Tensor, points: Points, full: Points, functions: tuple[Function, Function]
) -> Callable[[Values], Frame]:
    """The function that a step of the slider calls."""
    shape, originals = tuple(images.shape[1:]), to_bytes(images)
    curves = {OURS: points, **({FULL: full} if full else {})}
    chart = pictures.chart(lambda ax: _paint(ax, curves), width=CHART_SIZE[0], height=CHART_SIZE[1])
    reconstruct, decode = functions

    @functools.cache
    def sheet(beta: float) -> Image.Image:
        x_hat, samples = call(reconstruct, images.clone(), beta), call(decode, z.clone(), beta)
        rows = {
            "image": originals,
            "decoded": to_images(x_hat, count=len(images), shape=shape, source="reconstruct"),
            "sample": to_images(samples, count=len(z), shape=shape, source="decode"),
        }
        return image_rows.draw_rows(rows, width=ROWS_WIDTH)

    def draw(values: Values) -> Frame:
        beta = values["β"]
        rate, distortion = points[beta]
        text = (
            f"β = {beta:g}: rate {written(rate, 1)}, distortion {written(distortion, 1)}, "
            f"−ELBO {written(rate + distortion, 1)} nats per image"
        )
        if beta in full:
            text += (
                f"; full run: {', '.join(written(v, 1) for v in (*full[beta], sum(full[beta])))}"
            )
        here = zip(plots.PALETTE, curves.values(), strict=False)  # colours as plots.curves has them
        here = {colour: curve[beta] for colour, curve in here if beta in curve}
        marks = chart.marks(here)
        marks.lines.append(_price(chart, points[beta], beta))
        return Frame({PLANE: chart.picture, IMAGES: sheet(beta)}, f"{text}.", {PLANE: marks})

    return draw


def _price(chart: pictures.Chart, point: tuple[float, float], beta: float) -> pictures.Line:
    """The line of slope −β through the point, from edge to edge: D + β·R is the same on it."""
    left, top, right, bottom = chart.frame
    x, y = chart.pixel(*point)
    (x1, _), (_, y1) = chart.pixel(point[0] + 1, 0), chart.pixel(0, point[1] - beta)
    slope = (y1 - y) / (x1 - x)  # of the pixels, downwards
    ends = [left, right]
    if slope:
        ends = np.clip([x + (top - y) / slope, x + (bottom - y) / slope], left, right)
    return ends[0], y + slope * (ends[0] - x), ends[1], y + slope * (ends[1] - x)


def _paint(ax: Axes, curves: Mapping[str, Points]) -> None:
    series = {name: np.array(list(points.values())).T for name, points in curves.items()}
    plots.curves(
        series, ax, x_label="rate R, nats per image", y_label="distortion D, nats per image"
    )
    (equal,) = ax.plot([], [], "k", linewidth=1, label="equal D + β·R")
    tight = {"handlelength": 0.8, "handletextpad": 0.4, "borderpad": 0}
    ax.legend(handles=[equal], fontsize=10, loc="upper right", bbox_to_anchor=(1.06, 1.04), **tight)
    ax.margins(0.2)
    for beta, point in curves[OURS].items():
        ax.annotate(f"β = {beta:g}", point, xytext=(5, 5), textcoords="offset points", fontsize=11)
