"""Walk through a two-dimensional code: a map of it, and what decodes from each place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets
import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from course_lib import plots
from course_lib.widgets import pictures
from course_lib.widgets.controls import choice, slider
from course_lib.widgets.outputs import call, numbers, to_batch, to_images
from course_lib.widgets.panel import Frame, Panel, Values
from course_lib.widgets.plane import AXES, Extent, Plane, make_plane

Decode = Callable[[Tensor], Tensor]
SIDE = 368  # page pixels of the map, and about those of the decoded image
TILES_PER_SIDE = 15  # images along each side of the manifold
MAP, DECODED = "code z", "decode(z)"
KIND, CODES, MANIFOLD = "map", "codes", "manifold"


def pad(
    decode: Decode,
    *,
    codes: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    extent: Extent | None = None,
    start: tuple[float, float] | None = None,
    manifold: bool = False,
    shape: tuple[int, ...] = (28, 28),
    seed: int | None = None,
) -> Panel:
    """Two sliders z₁ and z₂: their place on a map of the code, and decode(z) enlarged.

    decode: (1, 2) to (1, D) or (1, C, H, W) in [0, 1], such as `model.decode`.
    codes, labels: (N, 2) and (N,), the points of the map and their classes; names: of the classes.
    extent: of map and sliders, by default 99 % of the codes and some margin, else −3 to 3.
    start: where to begin and where `reset` leads, by default the middle code.
    manifold: show as the map what decodes from 15 × 15 places, each image about its own place;
    decode must take (225, 2) then. With codes too, a control chooses between the two maps.
    seed: of the button `random`.
    Raises CourseError where these do not fit each other.
    """
    plane = make_plane(codes, labels, names=names, extent=extent)
    home = plane.stops(plane.middle() if start is None else numbers(start, count=2, what="start"))
    rng, scale = np.random.default_rng(seed), pictures.scale_to(SIDE, shape=shape)
    maps = {MANIFOLD: _manifold(decode, plane, shape=shape)} if manifold else {}
    if not manifold or codes is not None:
        maps[CODES] = pictures.chart(plane.paint, width=SIDE, height=SIDE)
    controls = {axis: _slider(plane, axis, value=home[axis]) for axis in AXES}
    if len(maps) > 1:
        controls[KIND] = choice(KIND, MANIFOLD, options={name: name for name in maps})
    return Panel(
        _drawer(decode, plane, maps, shape=shape),
        controls=controls,
        widths={MAP: SIDE, DECODED: shape[-1] * scale},
        actions={"random": lambda: plane.stops(plane.draw(rng.random(2))), "reset": lambda: home},
    )


def _manifold(decode: Decode, plane: Plane, *, shape: tuple[int, ...]) -> pictures.Chart:
    """A chart of the images that decode from a grid of places, z₁ to the right and z₂ upwards."""
    fractions = (np.arange(TILES_PER_SIDE) + 0.5) / TILES_PER_SIDE
    right, up = np.meshgrid(fractions, fractions[::-1])  # the first row is the upper one
    z = plane.draw(np.stack([right, up], axis=-1).reshape(-1, 2))
    output = call(decode, torch.tensor(z).float())
    images = to_batch(output, count=len(z), shape=shape, source="decode")
    sheet = plots.tile(images.numpy(), columns=TILES_PER_SIDE, gap=0)

    def paint(ax: Axes) -> None:
        look = {"cmap": "gray", "vmin": 0, "vmax": 255, "interpolation": "antialiased"}
        ax.imshow(sheet, extent=plane.extent, aspect="auto", **look)
        ax.set(xlabel=AXES[0], ylabel=AXES[1])
        ax.locator_params(nbins=6)
        ax.grid(visible=False)

    return pictures.chart(paint, width=SIDE, height=SIDE)


def _drawer(
    decode: Decode,
    plane: Plane,
    maps: dict[str, pictures.Chart],
    *,
    shape: tuple[int, ...],
) -> Callable[[Values], Frame]:
    """The function that a step of a slider calls."""
    first = next(iter(maps))
    which = {kind: f" The map shows the {kind}." if len(maps) > 1 else "" for kind in maps}

    def draw(values: Values) -> Frame:
        z, kind = (values["z₁"], values["z₂"]), values.get(KIND, first)
        output = call(decode, torch.tensor([z]))  # (1, 2) → (1, D) or (1, C, H, W)
        image = to_images(output, count=1, shape=shape, source="decode")[0]
        place = f"z₁ = {z[0]:.2f}, z₂ = {z[1]:.2f}".replace("-", "−")
        found = {MAP: maps[kind].picture, DECODED: Image.fromarray(image)}
        # On the manifold, which is dark, lines would be lost.
        ring, lines = (plots.ORANGE, "") if kind == MANIFOLD else (plots.BLACK, "+")
        told = f"{place}{plane.nearest(z)}." + which[kind]
        return Frame(found, told, {MAP: maps[kind].marks({ring: z}, lines=lines)})

    return draw


def _slider(plane: Plane, axis: str, *, value: float) -> ipywidgets.FloatSlider:
    low, high = plane.range(axis)
    return slider(axis, value, low=low, high=high, step=plane.step, width=SIDE)
