"""Hide patches of images, and see what is filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.widgets import image_rows
from course_lib.widgets.controls import nearest_stop, slider
from course_lib.widgets.outputs import call, given, to_batch, to_bytes
from course_lib.widgets.panel import Frame, Panel, Values

Fill = Callable[[Tensor, float, torch.Generator], tuple[Tensor, Tensor]]
Restore = Callable[[Tensor, Tensor], Tensor]
RATIOS = {"low": 0.0, "high": 0.95, "step": 0.05}
ROWS_WIDTH = 560  # page pixels
GREY = 0.5  # of what is hidden
IMAGES, ORIGINAL, SHOWN = "images", "image", "what is shown"


def masking(
    images: Tensor,
    fill: Fill,
    others: Mapping[str, Restore] | None = None,
    *,
    name: str = "filled in",
    start: float = 0.75,
    shape: tuple[int, ...] = (3, 32, 32),
    seed: int = 0,
) -> Panel:
    """One slider, the share of hidden patches: images, what is shown of them, what is filled in.

    images: (N, C, H, W), uint8 or float in [0, 1]; six look well.
    fill: fill(x, ratio, generator) gives the filled images (N, C, H, W) and what was hidden, bool
    (N, 1, H, W); the generator starts from `seed` for each picture.
    others: name to a function of x and what is hidden that returns images, for comparison.
    Raises CourseError where these do not fit each other.
    """
    others = dict(others or {})
    if taken := {ORIGINAL, SHOWN} & {name, *others} or {name} & set(others):
        raise CourseError(f"rows must have names of their own: {sorted(taken)} are there already")
    originals = given(images, shape=shape, what="images")
    ratio = slider("hidden", nearest_stop(start, **RATIOS), **RATIOS, width=ROWS_WIDTH)
    draw = _drawer(originals, fill, others, name=name, seed=seed)
    return Panel(draw, controls={"hidden": ratio}, widths={IMAGES: ROWS_WIDTH})


def _drawer(
    originals: Tensor, fill: Fill, others: Mapping[str, Restore], *, name: str, seed: int
) -> Callable[[Values], Frame]:
    """The function that a step of the slider calls."""
    count, shape = len(originals), tuple(originals.shape[1:])

    def draw(values: Values) -> Frame:
        generator = torch.Generator().manual_seed(seed)
        output = call(fill, originals.clone(), values["hidden"], generator)
        if not (isinstance(output, tuple) and len(output) == 2):
            raise CourseError("fill must return the filled images and what was hidden")
        hidden = to_batch(output[1].float(), count=count, shape=(1, *shape[1:]), source="fill") > 0
        batches = {name: to_batch(output[0], count=count, shape=shape, source="fill")}
        for other, function in others.items():
            restored = call(function, originals.clone(), hidden.clone())
            batches[other] = to_batch(restored, count=count, shape=shape, source=other)
        seen = torch.where(hidden, GREY, originals)
        rows = {
            key: to_bytes(x) for key, x in {ORIGINAL: originals, SHOWN: seen, **batches}.items()
        }
        text = _told(originals, batches, hidden)
        return Frame({IMAGES: image_rows.draw_rows(rows, width=ROWS_WIDTH)}, text)

    return draw


def _told(originals: Tensor, batches: Mapping[str, Tensor], hidden: Tensor) -> str:
    """The share that is hidden, and how far off each way to fill it in is there."""
    share = f"{hidden.float().mean():.0%} of the pixels are hidden"
    if not hidden.any():
        return f"{share}: nothing is to be filled in."
    where = hidden.expand_as(originals)
    errors = ", ".join(
        f"{name} {(batch - originals)[where].square().mean().sqrt():.3f}"
        for name, batch in batches.items()
    )
    return f"{share}. Root mean squared error of a hidden number: {errors}."
