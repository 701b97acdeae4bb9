"""Walk through a two-dimensional code: the map of the codes, and what decodes from each place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets
import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from course_lib.widgets import pictures
from course_lib.widgets.controls import slider
from course_lib.widgets.outputs import call, numbers, to_images
from course_lib.widgets.panel import Frame, Panel, Values
from course_lib.widgets.plane import AXES, Extent, Plane, make_plane

SIDE = 420  # page pixels of the map, and about those of the decoded image
MAP, DECODED = "code z", "decode(z)"


def pad(
    decode: Callable[[Tensor], Tensor],
    *,
    codes: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    extent: Extent | None = None,
    start: tuple[float, float] | None = None,
    shape: tuple[int, ...] = (28, 28),
    seed: int | None = None,
) -> Panel:
    """Two sliders z₁ and z₂: their place on the map of the codes, and decode(z) enlarged.

    decode: (1, 2) to (1, D) or (1, C, H, W) in [0, 1], such as `model.decode`.
    codes, labels: (N, 2) and (N,), the points of the map and their classes; names: of the classes.
    extent: of map and sliders, by default 99 % of the codes and some margin, else −3 to 3.
    start: where to begin and where `reset` leads, by default the middle code.
    seed: of the button `random`.
    Raises CourseError where these do not fit each other.
    """
    plane = make_plane(codes, labels, names=names, extent=extent)
    home = plane.stops(plane.middle() if start is None else numbers(start, count=2, what="start"))
    rng, scale = np.random.default_rng(seed), pictures.scale_to(SIDE, shape=shape)
    return Panel(
        _drawer(decode, plane, shape=shape, scale=scale),
        controls={axis: _slider(plane, axis, value=home[axis]) for axis in AXES},
        widths={MAP: SIDE, DECODED: shape[-1] * scale},
        actions={"random": lambda: plane.stops(plane.draw(rng.random(2))), "reset": lambda: home},
    )


def _drawer(
    decode: Callable[[Tensor], Tensor], plane: Plane, *, shape: tuple[int, ...], scale: int
) -> Callable[[Values], Frame]:
    """The function that a step of a slider calls."""
    chart = pictures.chart(plane.paint, width=SIDE, height=SIDE)

    def draw(values: Values) -> Frame:
        z = values["z₁"], values["z₂"]
        output = call(decode, torch.tensor([z]))  # (1, 2) → (1, D) or (1, C, H, W)
        image = to_images(output, count=1, shape=shape, source="decode")[0]
        place = f"z₁ = {z[0]:.2f}, z₂ = {z[1]:.2f}".replace("-", "−")
        mark = chart.marked({"#000000": z}, lines="+")
        decoded = pictures.enlarged(image, scale)
        return Frame({MAP: mark, DECODED: decoded}, f"{place}{plane.nearest(z)}.")

    return draw


def _slider(plane: Plane, axis: str, *, value: float) -> ipywidgets.FloatSlider:
    low, high = plane.range(axis)
    return slider(axis, value, low=low, high=high, step=plane.step, width=SIDE)
