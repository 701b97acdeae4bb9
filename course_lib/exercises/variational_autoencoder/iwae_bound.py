"""`iwae_bound(log_w)`: the logarithm of a mean of weights, from their logarithms."""

from typing import Any

import torch

from course_lib.exercises.observers import tensor_result
from course_lib.exercises.records import finite
from course_lib.exercises.spec import Case, Cases, Exercise, Parts

LARGE, FINITE = "bound of large log-weights", "the bound of large log-weights is finite"


def cases(g: torch.Generator) -> Cases:
    def draw(about: str, S: int, B: int, dtype: Any = torch.float32, near: Any = 0) -> Case:
        return Case(about, {"log_w": near + 2 * torch.randn(S, B, generator=g, dtype=dtype)})

    yield draw("5 samples, 3 images, float64", 5, 3, torch.float64)
    yield draw("one sample, as in the ELBO", 1, 3)
    yield draw("500 samples, log-weights near −300", 500, 4, near=-300)
    yield draw("near 900, 0 and −900", 7, 3, near=torch.tensor([900.0, 0.0, -900.0]))


def properties(raw: Parts, case: Case) -> Parts:
    """The bound; that of large log-weights apart, as it can be wrong where others are right."""
    if case.args["log_w"].abs().max() < 100:
        return raw
    return {FINITE: True, LARGE: raw["result"]} if finite(raw["result"]) else {FINITE: False}


EXERCISE = Exercise("iwae_bound", 2, cases, tensor_result, properties, rtol=1e-5, atol=1e-4)
