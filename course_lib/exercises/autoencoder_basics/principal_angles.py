"""`principal_angles(W, V)`: the angles between two column spaces."""

import torch

from course_lib.exercises.observers import tensor_result
from course_lib.exercises.spec import Case, Exercise, Parts

EQUAL = "largest angle between equal spans"


def cases(g: torch.Generator) -> list[Case]:
    sizes = ((8, 1), (8, 2), (8, 3), (8, 3), (784, 6), (784, 6), (60, 30))
    line, plane, W, V, noise, decoder, wide = (torch.randn(*size, generator=g) for size in sizes)
    pairs = {  # sums of columns are another basis of their span, far from orthonormal
        "two random spans": (W.cumsum(1), V.cumsum(1)),
        "a line and a three-dimensional span": (line, V),
        "a three-dimensional span and a plane": (W, plane.cumsum(1)),
        "perpendicular spans": (2 * torch.eye(5)[:, :2], 3 * torch.eye(5)[:, 2:4]),
        "784 pixels, nearly equal spans": (decoder.cumsum(1) + noise / 4, decoder),
        "equal spans": (wide.cumsum(1), wide),  # some of 30 cosines are rounded up on every seed
        "the same matrix twice": (wide, wide.clone()),
    }
    return [Case(about, {"W": W, "V": V}) for about, (W, V) in pairs.items()]


def properties(raw: Parts, case: Case) -> Parts:
    """The angles, and how far equal spans are from 0°."""
    equal = case.about in ("equal spans", "the same matrix twice") and raw["result"]["numbers"]
    return ({EQUAL: f"{max(raw['result']['numbers']):.0f}°"} if equal else {}) | raw


# Near a cosine of 1 the last digit of a float32 is 0.03°.
EXERCISE = Exercise("principal_angles", 3, cases, tensor_result, properties, rtol=1e-4, atol=0.15)
