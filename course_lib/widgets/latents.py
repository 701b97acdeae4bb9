"""One slider per latent, the most informative first, and what the model decodes from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from course_lib import plots
from course_lib.errors import CourseError
from course_lib.widgets import pictures
from course_lib.widgets.controls import nearest_stop, slider, written
from course_lib.widgets.outputs import call, numbers, to_images, to_number
from course_lib.widgets.panel import Frame, Panel, Values

DECODED, KL = "decode(z)", "KL per latent"
SIDE, WIDE, HIGH = 336, 400, 336  # page pixels
STEP, WALK_STEPS = 0.1, 10
LIVES = 0.01  # nats
MAX_NAMED_BARS = 16  # more names do not fit under the bars
SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def latents(
    decode: Callable[[Tensor], Tensor],
    kl: ArrayLike,
    *,
    shape: tuple[int, ...] = (28, 28),
    shown: int = 8,
    limit: float = 3.0,
    base: ArrayLike | None = None,
    seed: int = 0,
) -> Panel:
    """A slider for each of the `shown` latents of largest KL that live; the others stay.

    image = decode(z), z equal to `base` but for the latents that were moved.
    decode: (1, d) to (1, D) or (1, C, H, W) in [0, 1], such as `lambda z: vae.decode(z).probs`.
    kl: (d,) nats per latent, averaged over data; z₁ is the first of them. A latent lives from 0.01
    nats on; where none does, the first has a slider. limit: sliders end there.
    base: (d,), the code to begin with, such as that of an image, by default 0; sliders take the
    stops nearest to it.
    `random` draws all shown latents from N(0, 1), cut at the limit. `interpolate` walks to such a
    random place in ten presses, each an equal part of the way that is left; the eleventh sets out
    for the next place. `reset` leads back to the start. The same `seed` and presses lead to the
    same places.
    Raises CourseError where these do not fit each other.
    """
    kl = numbers(kl, count=None, what="kl")
    if not (isinstance(shown, int) and shown > 0):
        raise CourseError(f"shown must be a whole number from 1 on, not {shown!r}")
    limit = round(to_number(limit, source="limit") / STEP) * STEP  # so that 0 is a stop
    if limit < STEP:
        raise CourseError(f"limit must be at least {STEP}, not {limit}")
    rest = "0" if base is None else "as at the start"
    base = np.zeros(len(kl)) if base is None else numbers(base, count=len(kl), what="base")
    live = max(1, int((kl >= LIVES).sum()))  # the decoder ignores the others
    order = np.argsort(-kl, kind="stable")[: min(shown, live)].tolist()
    ends = {"low": -limit, "high": limit, "step": STEP}
    walk = _Walk([_name(i) for i in order], ends, np.random.default_rng(seed))
    home = {_name(i): nearest_stop(base[i], **ends) for i in order}  # where `reset` leads
    controls = {
        name: slider(f"{name} · {written(kl[i], 1)} nats", at, **ends, width=SIDE + 32, digits=1)
        for i, (name, at) in zip(order, home.items(), strict=True)
    }
    panel = Panel(
        _drawer(decode, kl, base, order=order, home=home, rest=rest, shape=shape),
        controls=controls,
        widths={DECODED: shape[-1] * pictures.scale_to(SIDE, shape=shape), KL: WIDE},
        actions={
            "random": walk.place,
            "reset": lambda: home,
            "interpolate": lambda: walk.step(panel.values),
        },
    )
    return panel


def _name(i: int) -> str:
    """z₁ is the first latent, as in the other pictures of codes."""
    return "z" + str(i + 1).translate(SUBSCRIPT)


class _Walk:
    """Random places, and the way to the next of them in equal parts."""

    def __init__(
        self, names: Sequence[str], ends: dict[str, float], rng: np.random.Generator
    ) -> None:
        self.names, self.ends, self.rng = names, ends, rng
        self.goal = self.here = np.zeros(len(names))  # `here` lies between the sliders' stops
        self.left = 0

    def place(self) -> Values:
        """A draw from N(0, 1) for each latent, at the sliders' stops."""
        return self._stops(self.rng.standard_normal(len(self.names)))

    def step(self, values: Values) -> Values:
        """One part of the way that is left, from where the sliders are now."""
        if not self.left:
            self.goal, self.left = np.array(list(self.place().values())), WALK_STEPS
        if self._stops(self.here) != self._stops([values[name] for name in self.names]):
            self.here = np.array([values[name] for name in self.names])  # somebody moved them
        self.here = self.here + (self.goal - self.here) / self.left
        self.left -= 1
        return self._stops(self.here)

    def _stops(self, z: ArrayLike) -> Values:
        return {n: nearest_stop(v, **self.ends) for n, v in zip(self.names, z, strict=True)}


def _drawer(
    decode: Callable[[Tensor], Tensor],
    kl: np.ndarray,
    base: np.ndarray,
    *,
    order: Sequence[int],
    home: Values,
    rest: str,
    shape: tuple[int, ...],
) -> Callable[[Values], Frame]:
    """The function that a step of a slider calls."""
    chart = pictures.chart(lambda ax: _paint(ax, kl, order, rest), width=WIDE, height=HIGH)
    tops = {_name(i): (rank, kl[i]) for rank, i in enumerate(order, start=1)}
    above = {name: (_above(*chart.pixel(*top)), plots.VERMILION) for name, top in tops.items()}
    begin = torch.tensor(base)[None].float()

    def draw(values: Values) -> Frame:
        z = begin.clone()  # (1, d)
        z[0, order] = torch.tensor([values[name] for name in tops])
        output = call(decode, z)
        image = to_images(output, count=1, shape=shape, source="decode")[0]
        moved = {n: value for n, value in values.items() if abs(value - home[n]) > STEP / 2}
        told = ", ".join(f"{name} = {written(value, 1)}" for name, value in moved.items())
        others = f"; the others are {rest}" if len(moved) < len(kl) else ""
        text = f"{told}{others}." if moved else f"All latents are {rest}."
        marks = pictures.Marks(chart.picture.size, polygons=[above[name] for name in moved])
        return Frame({DECODED: Image.fromarray(image), KL: chart.picture}, text, {KL: marks})

    return draw


def _above(x: float, y: float) -> list[tuple[float, float]]:
    """A triangle above the bar whose top is here."""
    return [(x, y - 4), (x - 8, y - 18), (x + 8, y - 18)]


def _paint(ax: Axes, kl: np.ndarray, order: Sequence[int], rest: str) -> None:
    """Bars from the largest KL to the smallest, grey where there is no slider."""
    ranks, values = np.arange(1, len(kl) + 1), np.sort(kl)[::-1]
    n = len(order)
    ax.bar(ranks[:n], values[:n], color=plots.BLUE, label="has a slider")
    if n < len(kl):
        ax.bar(ranks[n:], values[n:], color=plots.CLASS_COLOURS[8], label=f"stays {rest}")
    ax.plot([], [], "v", color=plots.VERMILION, markersize=9, label="moved")
    if len(kl) <= MAX_NAMED_BARS:
        ax.set_xticks(ranks, [_name(i) for i in np.argsort(-kl, kind="stable")], fontsize=10)
    ax.set(xlabel="latents, largest KL first", ylabel="nats per image")
    ax.set_ylim(0, 1.12 * max(values[0], 1e-3))
    ax.legend(loc="upper right")
