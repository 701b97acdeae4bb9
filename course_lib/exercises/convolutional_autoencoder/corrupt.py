"""`corrupt(x, kind, level, generator)`: noise, a hole, or salt and pepper."""

import torch
from torch import Tensor

from course_lib.exercises.observers import estimate, random_mark, seeded, tensor_from, tensor_of
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts


def cases(g: torch.Generator) -> Cases:
    u, (tall, wide) = float(torch.rand((), generator=g)), torch.randint(0, 3, (2,), generator=g)
    H, W = 6 + int(tall), 7 + int(wide)

    def case(about: str, kind: str, level: float, *shape: int) -> Case:
        """Grey images, so that all damage is seen, and weak noise reaches neither 0 nor 1."""
        x = (26 + torch.randint(13, shape, generator=g)) / 64  # numbers with few digits
        x = x.double() if "float64" in about else x
        start = int(torch.randint(1000, 10_000, (), generator=g))
        return Case(about, {"x": x, "kind": kind, "level": level, "generator": start})

    yield case("weak noise", "gaussian", 0.04 + 0.02 * u, 3, 3, 24, 20)
    yield case("strong noise", "gaussian", 0.6 + 0.3 * u, 4, 1, 14, 14)
    yield case("wide images", "mask", (H // 2 + 0.6 + 0.2 * u) / H, 200, 3, H, H + 5)
    yield case("high images", "mask", (3.2 + 0.2 * u) / W, 300, 1, W + 4, W)
    yield case("the largest square", "mask", 1.0, 120, 1, 4, W)
    yield case("few pixels", "salt_pepper", 0.25 + 0.1 * u, 3, 3, 24, 20)
    yield case("many pixels, float64", "salt_pepper", 0.65 + 0.1 * u, 4, 1, 24, 20)


def _weighted(x: Tensor, seed: int) -> Tensor:
    """One number for each image, which changes with any of its pixels: (B,)."""
    pixels = x.double().flatten(1)
    return pixels @ torch.rand(pixels.shape[1], generator=seeded(seed), dtype=torch.float64)


def observe(candidate: Candidate, case: Case) -> Parts:
    """One damaged batch, and of four others a number for each image."""
    (x, kind, level, start), before = case.args.values(), random_mark()
    generator = seeded(start)
    y = tensor_from(candidate, x, kind, level, generator).clone()
    found = {"y": y, "random state": [before, random_mark()]}
    if y.shape != x.shape:
        return found
    calls = {"a second call": (level, generator), "the same generator": (level, seeded(start)),
             "another": (level, seeded(start + 1)), "level 0": (0.0, generator)}  # fmt: skip
    made = {name: tensor_from(candidate, x, kind, *args) for name, args in calls.items()}
    return found | {name: _weighted(other, start) for name, other in made.items()}


def properties(raw: Parts, case: Case) -> Parts:
    """Properties of one kind of damage at one level."""
    x, kind, level, start = case.args.values()
    found = {"kind of result": f"{raw['y']['kind']}, {tuple(raw['y']['shape'])}"}
    if raw["y"]["shape"] != list(x.shape):
        return found
    x, y = x.double(), tensor_of(raw["y"])
    before, after = raw["random state"]["numbers"]

    def same(name: str, images: Tensor) -> bool:
        return torch.allclose(tensor_of(raw[name]), _weighted(images, start), rtol=0, atol=1e-9)

    return found | {
        "level 0 changes nothing": same("level 0", x),
        "result in [0, 1]": bool(((y >= 0) & (y <= 1)).all()),
        **{"gaussian": _noise, "mask": _hole, "salt_pepper": _hits}[kind](x, y, level),
        "generator in use": same("the same generator", y),
        "global random numbers": before == after,
        "another generator": not same("another", y),
        "a second call": not same("a second call", y),
    }


def _shared(drawn: Tensor) -> str:
    """The dimensions of (B, C, H, W) along which all numbers are the same."""
    sizes = zip(("images", "channels", "rows", "columns"), drawn.shape, strict=True)
    same = [name for i, (name, size) in enumerate(sizes)
            if size > 1 and torch.allclose(drawn, drawn.narrow(i, 0, 1), atol=1e-4)]  # fmt: skip
    return ", ".join(same) or "none"


def _noise(x: Tensor, y: Tensor, level: float) -> Parts:
    """Where no noise reaches 0 or 1 it is seen as it is; elsewhere whether it is cut off."""
    if level > 0.1:
        return {"some at 0, some at 1": bool((y == 0).any() and (y == 1).any())}
    noise, truth = (y - x) / level, torch.tensor([0, 1, 0.0455])  # of N(0, 1)
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


def _hole(x: Tensor, y: Tensor, level: float) -> Parts:
    """What is hidden in each image: its shape, its filling, its place."""
    changed = y != x
    hidden = changed.any(1)  # (B, H, W)
    (top, height), (left, width) = _extent(hidden.any(2)), _extent(hidden.any(1))
    places, sizes = torch.stack([top, left], 1).double(), torch.stack([height, width], 1)
    low, high = places.amin(0), places.amax(0)
    evenly = torch.stack([(low + high) / 2, ((high - low + 1) ** 2 - 1) / 12])  # mean, variance
    drawn = torch.stack([places, (places - evenly[0]) ** 2], 1)
    return {
        "the hole is black": bool((y[changed] == 0).all()),
        "all channels are hidden": torch.equal(changed.all(1), hidden),
        "a full rectangle": torch.equal(hidden.sum((1, 2)), height * width),
        "one size of squares": bool((sizes == sizes[0]).all()),
        "sides of the square": f"{height[0]} × {width[0]}",
        "a place of its own": bool((places != places[0]).any()),
        "first rows and columns": f"{top.unique().tolist()}, {left.unique().tolist()}",
        "places and their spread": estimate(drawn.flatten(1), evenly.flatten()),
    }


def _hits(x: Tensor, y: Tensor, level: float) -> Parts:
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


SEEN = (  # in one damaged image: nothing that takes a second one, or values that are clipped
    "noise shared by", "mean noise, in levels", "mean squared noise",
    "share beyond 2 levels", "some at 0, some at 1", "the hole is black", "all channels are hidden",
    "a full rectangle", "one size of squares", "sides of the square",
    "pixels hit become 0 or 1", "channels are hit together", "no colour", "hits shared by",
    "share of pixels hit", "share of white",
)  # fmt: skip
EXERCISE = Exercise("corrupt", 3, cases, observe, properties, pictures=dict.fromkeys(SEEN, "y"))
