"""`corrupt(x, kind, level, generator)`: noise, a hole, or salt and pepper."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.exercises.observers import seeded, tensor_from
from course_lib.exercises.records import estimate
from course_lib.exercises.spec import Case, Exercise

HINTS = {
    "kind of result": "Shape and dtype are to be those of x: which step leaves them?",
    "level 0 changes nothing": "At level 0 your result differs from x. Only damage changes pixels.",
    "result in [0, 1]": "The result leaves [0, 1]: noise is clamped, black is 0 and white is 1.",
    "generator in use": "Something is drawn without the generator: write `generator=generator`.",
    "global random numbers": "PyTorch's own are seeded or used up: draw from `generator` alone.",
    "another generator": "Every generator gives the same damage: what draws from the one passed?",
    "a second call": "A second call repeats the damage: is the generator set back, or copied?",
    "noise shared by": "Some entries of x get the same number: draw one for each, as many as in x.",
    "mean noise, in levels": "Noise is as often negative as positive, and x is added whole.",
    "mean squared noise": "Too strong or too weak: the standard deviation of noise is `level`.",
    "share beyond 2 levels": "The noise is not normal: which function draws from N(0, 1)?",
    "some at 0, some at 1": "What strong noise drives out of [0, 1] ends at 0 or 1: clamp.",
    "all channels are hidden": "The square has to be cut out of all channels alike.",
    "a full rectangle": "Some images lose none: row *and* column inside, and all in the image?",
    "the hole is black": "The square has another colour than black: set it to 0.",
    "one size of squares": "Squares of a batch differ in size: does an edge of the image cut one?",
    "sides of the square": "The side is `level` times the *shorter* side, rounded to the nearest.",
    "a place of its own": "All images lose the same square: draw a place for each.",
    "first rows and columns": "Some places are never drawn: they begin at 0 to H − side, 0 to W − "
    "side, both ends included. Is the upper end of `torch.randint` drawn?",
    "places and their spread": "Some places are drawn more often than others: draw them evenly.",
    "pixels hit become 0 or 1": "A pixel that is hit becomes exactly 0 or exactly 1.",
    "channels are hit together": "A pixel is hit in all of its channels: draw for (B, 1, H, W).",
    "no colour": "A pixel that is hit gets a colour: it becomes 0, or 1, in all of its channels.",
    "hits shared by": "The same pixels are hit again: draw for each pixel of each image.",
    "share of pixels hit": "The share hit is not `level`, black and white together: why?",
    "share of white": "Among the pixels hit, half should be white: what decides which?",
}  # fmt: skip


def cases(seed: int) -> list[Case]:
    g = seeded(seed)
    u, (tall, wide) = float(torch.rand((), generator=g)), torch.randint(0, 3, (2,), generator=g)
    H, W = 6 + int(tall), 7 + int(wide)

    def case(about: str, kind: str, level: float, *shape: int) -> Case:
        """Grey images, so that all damage is seen, and weak noise reaches neither 0 nor 1."""
        x = 0.4 + 0.2 * torch.rand(shape, generator=g)
        start = int(torch.randint(1000, 10_000, (), generator=g))
        return Case(about, {"x": x, "kind": kind, "level": level, "generator": start})

    found = [
        case("weak noise", "gaussian", 0.04 + 0.02 * u, 3, 3, 24, 20),
        case("strong noise", "gaussian", 0.6 + 0.3 * u, 4, 1, 14, 14),
        case("wide images", "mask", (H // 2 + 0.6 + 0.2 * u) / H, 200, 3, H, H + 5),
        case("high images", "mask", (3.2 + 0.2 * u) / W, 300, 1, W + 4, W),
        case("the largest square", "mask", 1.0, 120, 1, 4, W),
        case("few pixels", "salt_pepper", 0.25 + 0.1 * u, 3, 3, 24, 20),
        case("many pixels, float64", "salt_pepper", 0.65 + 0.1 * u, 4, 1, 24, 20),
    ]
    found[-1].args["x"] = found[-1].args["x"].double()
    return found


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """Properties of one kind of damage at one level; the candidate is called five times."""
    (x, kind, level, start), before = case.args.values(), torch.get_rng_state()
    clean, generator = x.clone(), seeded(start)
    y = tensor_from(candidate, x, kind, level, generator).clone()
    found = {"kind of result": f"{y.dtype}, {tuple(y.shape)}"}
    if y.shape != x.shape:
        return found
    stayed = torch.equal(before, torch.get_rng_state())
    calls = (level, generator), (level, seeded(start)), (level, seeded(start + 1)), (0.0, generator)
    more, again, other, unhurt = (tensor_from(candidate, x, kind, *call) for call in calls)
    return found | {
        "level 0 changes nothing": torch.equal(unhurt, clean),
        "result in [0, 1]": bool(((y >= 0) & (y <= 1)).all()),
        **{"gaussian": _noise, "mask": _hole, "salt_pepper": _hits}[kind](clean, y, level),
        "generator in use": torch.equal(again, y),
        "global random numbers": stayed,
        "another generator": not torch.equal(other, y),
        "a second call": not torch.equal(more, y),
    }


def _shared(drawn: Tensor) -> str:
    """The dimensions of (B, C, H, W) along which all numbers are the same."""
    sizes = zip(("images", "channels", "rows", "columns"), drawn.shape, strict=True)
    same = [name for i, (name, size) in enumerate(sizes)
            if size > 1 and torch.allclose(drawn, drawn.narrow(i, 0, 1), atol=1e-4)]  # fmt: skip
    return ", ".join(same) or "none"


def _noise(x: Tensor, y: Tensor, level: float) -> dict[str, Any]:
    """Where no noise reaches 0 or 1 it is seen as it is; elsewhere whether it is cut off."""
    if level > 0.1:
        return {"some at 0, some at 1": bool((y == 0).any() and (y == 1).any())}
    noise, truth = ((y - x) / level).double(), torch.tensor([0, 1, 0.0455])  # of N(0, 1)
    return {
        "noise shared by": _shared(noise),
        "mean noise, in levels": estimate(noise.flatten(), truth[0]),
        "mean squared noise": estimate(noise.flatten() ** 2, truth[1]),
        "share beyond 2 levels": estimate(noise.flatten().abs() > 2, truth[2]),
    }


def _extent(seen: Tensor) -> tuple[Tensor, Tensor]:
    """First place and length of what is seen in each row of (B, n)."""
    first = seen.int().argmax(1)
    return first, seen.shape[1] - seen.flip(1).int().argmax(1) - first


def _hole(x: Tensor, y: Tensor, level: float) -> dict[str, Any]:
    """What is hidden in each image: its shape, its filling, its place."""
    changed = y != x
    hidden = changed.any(1)  # (B, H, W)
    (top, height), (left, width) = _extent(hidden.any(2)), _extent(hidden.any(1))
    places, sizes = torch.stack([top, left], 1).double(), torch.stack([height, width], 1)
    low, high = places.amin(0), places.amax(0)
    evenly = torch.stack([(low + high) / 2, ((high - low + 1) ** 2 - 1) / 12])  # mean, variance
    drawn = torch.stack([places, (places - evenly[0]) ** 2], 1)
    return {
        "all channels are hidden": torch.equal(changed.all(1), hidden),
        "a full rectangle": torch.equal(hidden.sum((1, 2)), height * width),
        "the hole is black": bool((y[changed] == 0).all()),
        "one size of squares": bool((sizes == sizes[0]).all()),
        "sides of the square": f"{height[0]} × {width[0]}",
        "a place of its own": bool((places != places[0]).any()),
        "first rows and columns": f"{top.unique().tolist()}, {left.unique().tolist()}",
        "places and their spread": estimate(drawn.flatten(1), evenly.flatten()),
    }


def _hits(x: Tensor, y: Tensor, level: float) -> dict[str, Any]:
    """Which pixels are hit, and what becomes of them."""
    hit = y != x
    some = hit.any(1, keepdim=True)  # (B, 1, H, W)
    return {
        "pixels hit become 0 or 1": bool(((y == 0) | (y == 1) | ~hit).all()),
        "channels are hit together": torch.equal(hit, some.expand_as(hit)),
        "no colour": bool(((y == y[:, :1]) | ~hit).all()),
        "hits shared by": _shared(some.double()),
        "share of pixels hit": estimate(some.flatten(), torch.tensor(level)),
        "share of white": estimate(y[:, :1][some] > 0.5, torch.tensor(0.5)),
    }


EXERCISE = Exercise("corrupt", 3, cases, observe, HINTS)
