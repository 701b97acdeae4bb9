"""How good are k numbers per image: reconstructions and their error, side by side."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from torch import Tensor

from course_lib import plots
from course_lib.errors import CourseError
from course_lib.widgets import image_rows, pictures
from course_lib.widgets.controls import stops
from course_lib.widgets.outputs import call, given, to_bytes, to_images
from course_lib.widgets.panel import Frame, Panel, Values

Reconstruct = Mapping[str, Callable[[int], Tensor]]
Errors = Mapping[str, Mapping[int, float]]
ROWS_WIDTH, CHART_SIZE = 430, (300, 250)  # page pixels
IMAGES, ERROR = "images", "error"


def k_slider(
    originals: Tensor,
    reconstruct: Reconstruct,
    errors: Errors,
    *,
    ks: Sequence[int] | None = None,
    start: int | None = None,
    shape: tuple[int, ...] = (28, 28),
    error_label: str = "squared error per image",
) -> Panel:
    """One slider k: originals, each method's reconstruction at k, and the error curves.

    originals: (N, C, H, W) or (N, D), uint8 or float in [0, 1]; six to eight images look well.
    reconstruct: method to a function of k that returns the N images again; called once for each k.
    errors: method to {k: error}, the curve; a method without an entry at k leaves its row empty.
    ks: the slider's stops, by default the k that every method has. start: where it begins, by
    default in the middle.
    Raises CourseError where these do not fit each other.
    """
    ks = _ks(reconstruct, errors, ks=ks)
    start = ks[len(ks) // 2] if start is None else start
    if start not in ks:
        raise CourseError(f"start must be one of the stops {ks}, not {start!r}")
    slider = stops("k, numbers per image", start, options=ks, width=ROWS_WIDTH)
    draw = _drawer(originals, reconstruct, errors, shape=shape, error_label=error_label)
    return Panel(draw, controls={"k": slider}, widths={IMAGES: ROWS_WIDTH, ERROR: CHART_SIZE[0]})


def _ks(reconstruct: Reconstruct, errors: Errors, *, ks: Sequence[int] | None) -> list[int]:
    if not reconstruct or set(reconstruct) != set(errors):
        names = f"{sorted(reconstruct)} and {sorted(errors)}"
        raise CourseError(f"reconstruct and errors must name the same methods, not {names}")
    if ks is None:
        ks = set.intersection(*(set(curve) for curve in errors.values()))
    try:
        found = sorted(int(k) for k in ks)
    except (TypeError, ValueError) as error:
        raise CourseError(f"ks must be whole numbers, not {reprlib.repr(ks)}") from error
    if not found:
        raise CourseError("errors has no k that all methods share: give the slider's stops as ks")
    return found


def _drawer(
    originals: Tensor,
    reconstruct: Reconstruct,
    errors: Errors,
    *,
    shape: tuple[int, ...],
    error_label: str,
) -> Callable[[Values], Frame]:
    """The function that a step of the slider calls."""
    images = to_bytes(given(originals, shape=shape, what="originals"))
    colours = dict(zip(errors, plots.PALETTE, strict=False))  # as plots.curves gives them
    chart = pictures.chart(
        lambda ax: _paint_curves(ax, errors=errors, error_label=error_label),
        width=CHART_SIZE[0],
        height=CHART_SIZE[1],
    )
    seen: dict[tuple[str, int], np.ndarray] = {}

    def row(name: str, k: int) -> np.ndarray | str:
        if k not in errors[name]:
            return f"none at k = {k}"
        if (name, k) not in seen:
            output = call(reconstruct[name], k)
            seen[name, k] = to_images(output, count=len(images), shape=shape, source=name)
        return seen[name, k]

    def draw(values: Values) -> Frame:
        k = int(values["k"])
        found = {name: errors[name][k] for name in reconstruct if k in errors[name]}
        rows = {"original": images, **{name: row(name, k) for name in reconstruct}}
        marks = {colours[name]: (k, error) for name, error in found.items()}
        told = ", ".join(f"{name} {error:.1f}" for name, error in found.items())
        text = f"k = {k}: {told or 'no method has this k'} ({error_label})."
        sheet = image_rows.draw_rows(rows, width=ROWS_WIDTH)
        found = {IMAGES: sheet, ERROR: chart.picture}
        return Frame(found, text, {ERROR: chart.marks(marks, lines="|")})

    return draw


def _paint_curves(ax: Axes, *, errors: Errors, error_label: str) -> None:
    series = {name: np.array(sorted(curve.items())).T for name, curve in errors.items()}
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter("{x:.0f}")
    plots.curves(series, ax, x_label="k, numbers per image", y_label=error_label, ylim=(0, None))
