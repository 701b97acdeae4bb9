"""Ways to get `corrupt` wrong: each changes one part of a right answer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.exercises.references import reference

Generator = torch.Generator


def only(kind: str, wrong: Callable) -> Callable:
    """Wrong for one kind, right for the others; `wrong(x, level, generator)`."""

    def candidate(x: Tensor, name: str, level: float, generator: Generator) -> Tensor:
        if name == kind:
            return wrong(x, level, generator)
        return reference("corrupt")(x, name, level, generator)

    return candidate


def changed(change: Callable) -> Callable:
    """The right function with other arguments; `change(x, kind, level, generator)`."""
    return lambda x, kind, level, generator: reference("corrupt")(
        *change(x, kind, level, generator)
    )


def noise(
    draw: Callable = torch.randn,
    *,
    size: Callable = lambda level: level,
    shape: Callable = lambda x: x.shape,
    end: Callable = lambda y: y.clamp(0, 1),
) -> Callable:
    """Additive noise with one part changed."""
    return only(
        "gaussian",
        lambda x, level, g: end(x + size(level) * draw(shape(x), generator=g, dtype=x.dtype)),
    )


def square(
    side: Callable = lambda level, H, W: (round(level * min(H, W)),) * 2,
    *,
    fill: Callable = lambda x: 0.0,
    places: Callable = lambda H, W, h, w: (H - h + 1, W - w + 1),
    draw: Callable = torch.randint,
    one: bool = False,
    per_channel: bool = False,
    keep: bool = False,
) -> Callable:
    """A hidden rectangle with one part changed."""

    def wrong(x: Tensor, level: float, g: Generator) -> Tensor:
        B, C, H, W = x.shape
        h, w = side(level, H, W)
        n = (1 if one else B, C if per_channel else 1, 1, 1)
        rows, columns = places(H, W, h, w)
        top, left = draw(rows, n, generator=g), draw(columns, n, generator=g)
        row, column = torch.arange(H)[:, None], torch.arange(W)
        inside = (row >= top) & (row < top + h) & (column >= left) & (column < left + w)
        return torch.where(inside ^ (keep and h > 0), torch.as_tensor(fill(x)).to(x), x)

    return only("mask", wrong)


def middle(high: int, size: tuple, generator: Generator) -> Tensor:
    """Always the same place, half of the way."""
    return torch.full(size, high // 2)


def corner(high: int, size: tuple, generator: Generator) -> Tensor:
    """Always the first place."""
    return torch.zeros(size, dtype=torch.long)


def centred(high: int, size: tuple, generator: Generator) -> Tensor:
    """Places near the middle more often than others."""
    draws = torch.stack([torch.randint(high, size, generator=generator) for _ in range(3)])
    return draws.double().mean(0).round().long()


def pixels(x: Tensor, level: float, g: Generator) -> Tensor:
    """Single pixels instead of a square."""
    B, _, H, W = x.shape
    return x.masked_fill(torch.rand(B, 1, H, W, generator=g) < level, 0)


def cross(x: Tensor, level: float, g: Generator) -> Tensor:
    """Whole rows and whole columns, `or` in the place of `and`."""
    B, _, H, W = x.shape
    side = round(level * min(H, W))
    top = torch.randint(H - side + 1, (B, 1, 1, 1), generator=g)
    left = torch.randint(W - side + 1, (B, 1, 1, 1), generator=g)
    row, column = torch.arange(H)[:, None], torch.arange(W)
    in_row, in_column = (row >= top) & (row < top + side), (column >= left) & (column < left + side)
    return x.masked_fill(in_row | in_column, 0)


def shot(
    *,
    hit: Callable = lambda r, level: r < level,
    white: Callable = lambda r, s: s < 0.5,
    hits: Callable = lambda B, C: (B, 1),
    whites: Callable = lambda B, C: (B, 1),
    values: tuple[float, float] = (0.0, 1.0),
) -> Callable:
    """Salt and pepper with one part changed."""

    def wrong(x: Tensor, level: float, g: Generator) -> Tensor:
        B, C, H, W = x.shape
        r = torch.rand(*hits(B, C), H, W, generator=g)
        s = torch.rand(*whites(B, C), H, W, generator=g)
        low, high = values
        value = torch.where(white(r, s), high, low).to(x.dtype)
        return torch.where(hit(r, level), value, x)

    return only("salt_pepper", wrong)


def fixed(x: Tensor, kind: str, level: float, g: Generator) -> tuple:
    """A new generator with a seed of its own."""
    return x, kind, level, Generator().manual_seed(0)


def rewound(x: Tensor, kind: str, level: float, g: Generator) -> tuple:
    """A generator set back to its seed."""
    return x, kind, level, Generator().manual_seed(g.initial_seed())


def global_(x: Tensor, kind: str, level: float, g: Generator) -> tuple:
    """The global random numbers."""
    return x, kind, level, torch.default_generator


def global_seeded(x: Tensor, kind: str, level: float, g: Generator) -> tuple:
    """The global random numbers, after seeding them."""
    return x, kind, level, torch.manual_seed(g.initial_seed())


def in_place(kind: str) -> Callable:
    """Wrong for one kind: writes into the images it is given."""

    def wrong(x: Tensor, level: float, g: Generator) -> Tensor:
        return x.copy_(reference("corrupt")(x, kind, level, g))

    return only(kind, wrong)


def without(kind: str) -> Callable:
    """Where one kind draws from the global random numbers, the others as they should."""
    return only(kind, lambda x, level, g: reference("corrupt")(
        x, kind, level, torch.default_generator))  # fmt: skip
