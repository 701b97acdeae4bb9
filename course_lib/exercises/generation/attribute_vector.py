"""`attribute_vector(z, y)`: the direction in code space from without an attribute to with it."""

from collections.abc import Callable

import torch

from course_lib.exercises.observers import seeded, tensor_from
from course_lib.exercises.spec import Case, Exercise

DIRECTION, LENGTH = "entries over the largest of them", "squared length"
HINTS = {
    DIRECTION: "The direction is not right: it leads from one mean code to the other. Which codes "
    "are averaged, over which dimension, and what else happens to them or to the difference?",
    LENGTH: "The direction is right, its length is not 1: by what do you divide?",
}


def cases(seed: int) -> list[Case]:
    g = seeded(seed)

    def draw(about: str, N: int, d: int, ones: int) -> Case:
        y = (torch.arange(N) < ones).long()[torch.randperm(N, generator=g)]
        z = 1.5 + torch.linspace(0.3, 2, d) * torch.randn(N, d, generator=g)
        return Case(about, {"z": z + y[:, None] * 2 * torch.randn(d, generator=g), "y": y})

    return [
        draw("12 codes, 5 with the attribute", 12, 4, 5),
        draw("one of 9 codes has it", 9, 3, 1),
        draw("as many codes as dimensions", 6, 6, 3),
        draw("most codes have it", 20, 5, 16),
        draw("400 codes of 128 latents", 400, 128, 90),
    ]


def observe(candidate: Callable, case: Case) -> dict:
    """The result, and where it is wrong, in its direction or in its length alone."""
    found = {"result": (result := tensor_from(candidate, *case.args.values()))}
    v = result.double()
    return found | {DIRECTION: v / v.abs().max(), LENGTH: (v * v).sum()} if v.numel() else found


EXERCISE = Exercise("attribute_vector", 1, cases, observe, HINTS, rtol=1e-4, atol=1e-5)
