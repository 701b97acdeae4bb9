"""What is looked at in `corrupt`: its result, its use of the generator, the kind of damage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.exercises.convolutional_autoencoder import damage
from course_lib.exercises.observers import seeded

KINDS = {"gaussian": damage.gaussian, "mask": damage.mask, "salt_pepper": damage.salt_pepper}
FIRST = 715_517  # far from the seeds of cases: noise from the seed of the images follows them
GENERATOR_HINTS = {
    "a generator in the same state gives the same": "The damage does not follow the generator: "
    "pass `generator=generator` to every function that draws.",
    "another generator gives another": "Every generator gives the same damage: draw from the one "
    "that is passed, and set no seed of your own.",
    "a second call goes on": "A second call with the same generator repeats the damage: draw from "
    "the generator itself, do not set it back.",
    "torch's own random numbers stay": "PyTorch's global random numbers move or are seeded. Pass "
    "`generator=generator` to every function that draws.",
}
CORRUPTION_HINTS = {
    "type": "Return a tensor.",
    "shape": "The result needs the shape of x, (B, C, H, W).",
    "dtype": "The result needs the dtype of x: draw with `dtype=x.dtype`, or convert with "
    "`.to(x.dtype)`.",
    "nothing below 0": "The result falls below 0: clamp it to [0, 1].",
    "nothing above 1": "The result rises above 1: clamp it to [0, 1].",
    "level 0 changes nothing": "At level 0 the result differs from x.",
    **GENERATOR_HINTS,
    **damage.HINTS,
}


def observe_corruption(candidate: Callable, case: Any) -> dict[str, Any]:
    """Properties of one kind of damage at one level; the candidate is called five times."""
    x, kind, level = case.args["x"], case.args["kind"], case.args["level"]
    before = torch.get_rng_state()
    first = candidate(x, kind, level, seeded(FIRST))
    untouched = torch.equal(before, torch.get_rng_state())
    if not isinstance(first, Tensor):
        return {"type": type(first).__name__}
    found = {"type": "Tensor", "shape": list(first.shape), "dtype": str(first.dtype)}
    if first.shape != x.shape:
        return found
    y = first.clone()
    return {
        **found,
        "nothing below 0": bool((y >= 0).all()),
        "nothing above 1": bool((y <= 1).all()),
        "level 0 changes nothing": torch.equal(candidate(x, kind, 0.0, seeded(FIRST)).to(x), x),
        **_use_of_generator(lambda g: candidate(x, kind, level, g), y),
        "torch's own random numbers stay": untouched,
        **KINDS[kind](x.double(), y.double(), level),
    }


def _use_of_generator(draw: Callable, first: Tensor) -> dict[str, bool]:
    """Whether the damage follows the generator, and nothing else."""
    generator = seeded(FIRST)
    again = draw(generator).clone()
    more, other = draw(generator).clone(), draw(seeded(FIRST + 1))
    same = torch.equal(again, first)
    values = (same, not torch.equal(other, first), not (same and torch.equal(more, again)))
    return dict(zip(GENERATOR_HINTS, values, strict=False))
