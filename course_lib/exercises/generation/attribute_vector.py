"""`attribute_vector(z, y)`: the direction in code space from without an attribute to with it."""

import torch

from course_lib.exercises.observers import tensor_of, tensor_result
from course_lib.exercises.spec import Case, Cases, Exercise, Parts

DIRECTION, LENGTH = "entries over the largest of them", "squared length"


def cases(g: torch.Generator) -> Cases:
    def draw(about: str, N: int, d: int, ones: int) -> Case:
        y = (torch.arange(N) < ones).long()[torch.randperm(N, generator=g)]
        z = 1.5 + torch.linspace(0.3, 2, d) * torch.randn(N, d, generator=g)
        return Case(about, {"z": z + y[:, None] * 2 * torch.randn(d, generator=g), "y": y})

    yield draw("12 codes, 5 with the attribute", 12, 4, 5)
    yield draw("one of 9 codes has it", 9, 3, 1)
    yield draw("as many codes as dimensions", 6, 6, 3)
    yield draw("most codes have it", 20, 5, 16)
    yield draw("400 codes of 128 latents", 400, 128, 90)


def properties(raw: Parts, case: Case) -> Parts:
    """The result, and where it is wrong, in its direction or in its length alone."""
    v = tensor_of(raw["result"])
    return raw | ({DIRECTION: v / v.abs().max(), LENGTH: (v * v).sum()} if v.numel() else {})


EXERCISE = Exercise("attribute_vector", 1, cases, tensor_result, properties, rtol=1e-4, atol=1e-5)
