"""Walk from one image to another twice: by mixing their pixels, and by mixing their codes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import torch
from PIL import Image
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.widgets import pictures
from course_lib.widgets.controls import choice, slider
from course_lib.widgets.outputs import call, given, to_batch, to_bytes
from course_lib.widgets.panel import Frame, Panel, Values
from course_lib.widgets.strip import Strip, make_strip

STEPS = 7  # of the strip
STRIP, SIDE = 440, 128  # page pixels
WALK, PIXELS, CODE = "from start to end", "in pixels", "in the code"


def interpolation(
    images: Tensor,
    encode: Callable[[Tensor], Tensor],
    decode: Callable[[Tensor], Tensor],
    *,
    shape: tuple[int, ...] = (1, 28, 28),
    pairs: Sequence[tuple[int, int]] | None = None,
) -> Panel:
    """t from 0 to 1 between two images a and b: mixed in pixels, and mixed in the code.

    (1−t)·a + t·b   and   decode((1−t)·encode(a) + t·encode(b)).
    images: (N, C, H, W) or (N, D), uint8 or float in [0, 1].
    encode: (B, C, H, W) to (B, …); decode: (B, …) to (B, C, H, W) or (B, D); each pair is encoded
    once, when it is first shown.
    pairs: indices (a, b) into images, by default (0, 1), (2, 3) and so on.
    Raises CourseError where these do not fit each other.
    """
    batch = given(images, shape=shape, what="images")
    pairs = _pairs(pairs, count=len(batch))
    side = shape[-1] * pictures.scale_to(SIDE, shape=shape)
    names = {f"{i + 1} of {len(pairs)}": i for i in range(len(pairs))}
    return Panel(
        _drawer(batch, pairs, encode=encode, decode=decode),
        controls={
            "t": slider("t", 0.5, low=0, high=1, step=0.05, width=STRIP),
            "pair": choice("pair", 0, options=names),
        },
        widths={WALK: STRIP, PIXELS: side, CODE: side},
    )


def _pairs(pairs: Sequence[tuple[int, int]] | None, *, count: int) -> list[tuple[int, int]]:
    if pairs is None:
        pairs = [(i, i + 1) for i in range(0, count - 1, 2)]
    try:
        found = [(int(a), int(b)) for a, b in pairs]
    except (TypeError, ValueError) as error:
        raise CourseError(f"pairs must be pairs of indices into images, not {pairs!r}") from error
    if not found or not all(0 <= i < count for pair in found for i in pair):
        raise CourseError(f"pairs needs indices from 0 to {count - 1}, at least one pair of them")
    return found


def _drawer(
    images: Tensor,
    pairs: Sequence[tuple[int, int]],
    *,
    encode: Callable[[Tensor], Tensor],
    decode: Callable[[Tensor], Tensor],
) -> Callable[[Values], Frame]:
    """The function that a step of a control calls."""
    shape = tuple(images.shape[1:])

    @functools.cache
    def ends(pair: int) -> tuple[Tensor, Tensor]:
        x = images[list(pairs[pair])]  # (2, C, H, W)
        z = call(encode, x.clone())
        if not isinstance(z, Tensor) or z.ndim == 0 or len(z) != len(x):
            told = f"the shape {tuple(z.shape)}" if isinstance(z, Tensor) else type(z).__name__
            raise CourseError(
                f"encode must return a tensor of two codes for two images, not {told}"
            )
        return x, z

    def mixes(pair: int, t: Tensor) -> dict[str, Tensor]:
        """Both mixes at each t, (len(t), C, H, W)."""
        x, z = ends(pair)
        decoded = call(decode, _mix(z, t))
        batch = to_batch(decoded, count=len(t), shape=shape, source="decode")
        return {PIXELS: _mix(x, t), CODE: batch}

    @functools.cache
    def strip(pair: int) -> Strip:
        steps = mixes(pair, torch.linspace(0, 1, STEPS))
        return make_strip({name: to_bytes(mix) for name, mix in steps.items()}, width=STRIP)

    def draw(values: Values) -> Frame:
        t, pair = values["t"], int(values["pair"])
        now = mixes(pair, torch.tensor([t]))
        told = [f"{name} {_to_nearer(ends(pair)[0], mix):.1f}" for name, mix in now.items()]
        text = (
            f"t = {t:.2f}, pair {pair + 1} of {len(pairs)}: squared distance to the nearer end "
            f"{', '.join(told)}."
        )
        large = {name: Image.fromarray(to_bytes(mix)[0]) for name, mix in now.items()}
        walk = strip(pair)
        return Frame({WALK: walk.picture, **large}, text, {WALK: walk.at(t)})

    return draw


def _mix(ends: Tensor, t: Tensor) -> Tensor:
    """(1−t)·a + t·b. ends: (2, …), a and b; t: (T,); returns (T, …)."""
    t = t.to(ends).reshape(-1, *[1] * (ends.ndim - 1))
    return (1 - t) * ends[0] + t * ends[1]


def _to_nearer(ends: Tensor, mix: Tensor) -> float:
    """Squared distance of mix, (1, C, H, W), to the nearer of ends, (2, C, H, W)."""
    return ((ends - mix) ** 2).flatten(1).sum(1).min().item()
