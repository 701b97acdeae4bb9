"""A family of codebooks: what each keeps of images, and what its symbols show when drawn."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from PIL import Image
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.widgets import image_rows
from course_lib.widgets.controls import stops, written
from course_lib.widgets.outputs import call, given, to_bytes, to_images, to_number
from course_lib.widgets.panel import Frame, Panel, Values

ROWS_WIDTH = 744  # page pixels
IMAGES, SIZE = "images", "K"


def codebooks(
    images: Tensor,
    rows: Mapping[str, Callable[[int], Tensor]],
    figures: Mapping[int, Mapping[str, float]],
    *,
    start: int | None = None,
    shape: tuple[int, ...] = (3, 64, 64),
) -> Panel:
    """A slider along codebooks of K symbols: rows of images for each K, and its figures in words.

    images: (N, C, H, W) or (N, D), uint8 or float in [0, 1], the first row. rows: name to a
    function of K that returns N images; called once for each K. figures: {K: {name: number}}; its
    K are the slider's stops. start: a K, by default the middle one.
    Raises CourseError where these do not fit each other.
    """
    sizes = sorted(figures)
    if not sizes:
        raise CourseError("figures must be {K: {name: number}} with at least one K")
    start = sizes[len(sizes) // 2] if start is None else start
    if start not in sizes:
        raise CourseError(f"start must be one of the K {sizes}, not {start!r}")
    told = {
        size: {
            name: to_number(value, source=f"{name} of K = {size}") for name, value in its.items()
        }
        for size, its in figures.items()
    }
    return Panel(
        _drawer(given(images, shape=shape, what="images"), rows, told),
        controls={SIZE: stops("codebook size K", start, options=sizes, width=ROWS_WIDTH)},
        widths={IMAGES: ROWS_WIDTH},
    )


def _drawer(
    images: Tensor,
    rows: Mapping[str, Callable[[int], Tensor]],
    figures: Mapping[int, Mapping[str, float]],
) -> Callable[[Values], Frame]:
    """The function that a step of the slider calls."""
    shape, originals = tuple(images.shape[1:]), to_bytes(images)

    @functools.cache
    def sheet(size: int) -> Image.Image:
        drawn = {
            name: to_images(call(function, size), count=len(images), shape=shape, source=name)
            for name, function in rows.items()
        }
        return image_rows.draw_rows({"image": originals, **drawn}, width=ROWS_WIDTH)

    def draw(values: Values) -> Frame:
        size = values[SIZE]
        text = ", ".join(f"{name} {written(figure, 1)}" for name, figure in figures[size].items())
        return Frame({IMAGES: sheet(size)}, f"K = {size}: {text}.")

    return draw
