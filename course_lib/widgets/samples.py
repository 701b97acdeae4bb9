"""Samples of one class: what temperature does to them, and the way from one code to another."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import torch
from PIL import Image
from torch import Tensor

from course_lib import plots
from course_lib.errors import CourseError
from course_lib.widgets import pictures
from course_lib.widgets.controls import choice, nearest_stop, slider, written
from course_lib.widgets.outputs import call, numbers, to_batch, to_bytes
from course_lib.widgets.panel import Frame, Panel, Values

Decode = Callable[[Tensor, Tensor], Tensor]
Path = Callable[[Tensor, Tensor, float], Tensor]
GRID_WIDTH, SIDE = 400, 320  # page pixels
N_COLUMNS = 4
CORNER = 0.2  # of a sample's side
CLASS, TEMPERATURE, PLACE = "class", "temperature τ", "t"
TEMPERATURES = {"low": 0.0, "high": 1.5, "step": 0.05}
FRACTIONS = {"low": 0.0, "high": 1.0, "step": 0.05}
GRID, LARGE = "decode(τ z, class)", "from the first sample to the second"


def class_samples(
    decode: Decode,
    slerp: Path,
    z: Tensor,
    *,
    names: Sequence[str],
    shape: tuple[int, ...] = (3, 32, 32),
    start: tuple[int, float, float] = (0, 1.0, 0.5),
) -> Panel:
    """Class, temperature τ and t: samples decode(τ z, y), and one on the way between two of them.

    The grid shows decode(τ z, y); the large image decode(τ slerp(z₀, z₁, t), y), z₀ and z₁ being
    the codes of the first two samples, which have a coloured corner: at t = 0 it is the first, at
    t = 1 the second.
    decode: decode(z, y), (B, d) and (B,) int64 to (B, C, H, W) or (B, D) in [0, 1].
    slerp: slerp(a, b, t), (d,) and (d,) to (d,). z: (S, d), two or more codes from the prior.
    names: of the classes 0, 1, …; start: class, τ and t to begin with.
    Raises CourseError where these do not fit each other.
    """
    if not (isinstance(z, Tensor) and z.ndim == 2 and len(z) > 1):
        raise CourseError("z must be a tensor of codes, (S, d) with S ≥ 2, as torch.randn(12, d)")
    names = [str(name) for name in names]
    if not names or len(set(names)) < len(names):
        raise CourseError("names must be the classes' names, all different")
    y, tau, t = numbers(start, count=3, what="start").tolist()
    if y not in range(len(names)):
        raise CourseError(f"start must begin with a class from 0 to {len(names) - 1}, not {y:g}")
    sliders = {
        name: slider(name, nearest_stop(value, **ends), **ends, width=GRID_WIDTH)
        for name, value, ends in ((TEMPERATURE, tau, TEMPERATURES), (PLACE, t, FRACTIONS))
    }
    classes = choice(CLASS, int(y), options={name: i for i, name in enumerate(names)})
    columns, side = min(N_COLUMNS, len(z)), shape[-1]
    return Panel(
        _drawer(decode, slerp, z.detach(), names=names, shape=shape),
        controls={CLASS: classes, **sliders},
        widths={
            GRID: (columns * (side + 1) - 1) * _small(shape),
            LARGE: side * pictures.scale_to(SIDE, shape=shape),
        },
    )


def _small(shape: tuple[int, ...]) -> int:
    """How many pixels wide a pixel of the grid is."""
    return max(1, GRID_WIDTH // (N_COLUMNS * (shape[-1] + 1)))


def _drawer(
    decode: Decode, slerp: Path, z: Tensor, *, names: Sequence[str], shape: tuple[int, ...]
) -> Callable[[Values], Frame]:
    """The function that a step of a control calls."""
    count, size = len(z), CORNER * shape[-1]
    lefts = [i * (shape[-1] + 1) for i in range(2)]  # of the first two samples
    ends = [([(x, 0), (x + size, 0), (x, size)], plots.VERMILION) for x in lefts]

    def decoded(codes: Tensor, y: int) -> Tensor:
        labels = torch.full((len(codes),), y, device=z.device)
        output = call(decode, codes, labels)
        return to_batch(output, count=len(codes), shape=shape, source="decode")

    @functools.lru_cache(2)  # t alone leaves the grid as it is
    def grid(y: int, tau: float) -> Image.Image:
        tiles = plots.tile(decoded(tau * z, y).numpy(), columns=min(N_COLUMNS, count))
        return Image.fromarray(tiles)

    @functools.lru_cache(64)  # y and τ leave the place as it is
    def between(t: float) -> Tensor:
        place = call(slerp, z[0].clone(), z[1].clone(), t)
        return torch.tensor(numbers(place, count=z.shape[1], what="what slerp returns")).to(z)

    def draw(values: Values) -> Frame:
        y, tau, t = values[CLASS], values[TEMPERATURE], values[PLACE]
        code = tau * between(t)
        text = (
            f"Class {names[y]}, temperature τ = {written(tau)}, t = {written(t)}: the code of the "
            f"large image has the norm {written(code.norm().item())}."
        )
        large = Image.fromarray(to_bytes(decoded(code[None], y))[0])
        tiles = grid(y, tau)
        marks = pictures.Marks(tiles.size, polygons=ends)
        return Frame({GRID: tiles, LARGE: large}, text, {GRID: marks})

    return draw
