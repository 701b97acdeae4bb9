"""The way of a sampler from noise to images, one stop of the slider for each of its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor

from course_lib.errors import CourseError
from course_lib.widgets import image_rows
from course_lib.widgets.controls import slider, written
from course_lib.widgets.outputs import call, to_batch, to_bytes
from course_lib.widgets.panel import Frame, Panel, Values

ROWS_WIDTH = 720  # page pixels
IMAGES, STEP = "images", "step"
NOISY, CLEAN = "decode(z_t)", "decode(ẑ)"


class Stop(NamedTuple):
    """Step t of the schedule, the codes z_t there, and the clean codes ẑ guessed from them."""

    t: int
    noisy: Tensor
    clean: Tensor


def denoising(
    way: Sequence[Stop],
    decode: Callable[[Tensor], Tensor],
    *,
    start: int = 1,
    shape: tuple[int, ...] = (3, 64, 64),
) -> Panel:
    """The step of a diffusion of codes: what the decoder makes of z_t, and of the guess ẑ.

    way: what `diffusion.ddim` yields, or (t, z_t, ẑ), in the order of sampling; (S, d) each.
    decode: (S, d) to (S, C, H, W) or (S, D) in [0, 1]. start: the step to begin with, from 1.
    Raises CourseError where these do not fit each other.
    """
    if not way:
        raise CourseError("way must hold a step or more: list(diffusion.ddim(…))")
    stops = [Stop(*stop) for stop in way]
    if start not in range(1, len(stops) + 1):
        raise CourseError(f"start must be a step from 1 to {len(stops)}, not {start!r}")
    last = stops[-1].clean

    def draw(values: Values) -> Frame:
        step = round(values[STEP])
        stop = stops[step - 1]
        rows = {}
        for name, z in {NOISY: stop.noisy, CLEAN: stop.clean}.items():
            batch = to_batch(call(decode, z), count=len(z), shape=shape, source="decode")
            rows[name] = to_bytes(batch)
        left = (stop.clean - last).square().sum(1).mean().sqrt().item()
        text = (
            f"Step {step} of {len(stops)}, t = {stop.t}: the guess ẑ is {written(left)} away from "
            "the code that it ends at."
        )
        return Frame({IMAGES: image_rows.draw_rows(rows, width=ROWS_WIDTH)}, text)

    ends = {"low": 1, "high": len(stops), "step": 1}
    control = slider(STEP, start, **ends, width=ROWS_WIDTH // 2, digits=0)
    return Panel(draw, controls={STEP: control}, widths={IMAGES: ROWS_WIDTH})
