"""`slerp(a, b, t)`: along the great circle from a to b."""

import math

import torch
from torch import Tensor

from course_lib.exercises.observers import tensor_result
from course_lib.exercises.records import finite
from course_lib.exercises.spec import Case, Cases, Exercise, Parts

# The cosine of such a vector and its double rounds to more than 1, whichever way it is taken.
ABOVE_ONE = torch.tensor([(1, 11), (1, 18), (2, 22), (3, 16), (4, 17), (5, 21), (7, 16), (9, 14)])
ENDS, FINITE = "point at the end", "numbers where a and b are on one line"


def cases(g: torch.Generator) -> Cases:
    u = torch.rand(7, generator=g).tolist()
    seed = g.initial_seed()
    axis = (0.75 + seed % 5 / 4) * torch.eye(4)[seed % 4]  # so that cosines are ±1 exactly
    above = ABOVE_ONE[seed % len(ABOVE_ONE)] / 16

    def draw(about: str, d: int, angle: float, t: float, *norms: float) -> Case:
        kind = torch.float64 if "float64" in about else torch.float32
        q, _ = torch.linalg.qr(torch.randn(d, 2, generator=g).to(kind))
        b = math.cos(angle) * q[:, 0] + math.sin(angle) * q[:, 1]
        return Case(about, {"a": norms[0] * q[:, 0], "b": norms[1] * b, "t": t})

    def along(about: str, a: Tensor, factor: float) -> Case:
        return Case(about, {"a": a, "b": factor * a, "t": 0.15 + 0.25 * u[0]})

    yield draw(f"{ENDS}: t = 0", 3, 1 + 0.2 * u[5], 0.0, 2, 4)
    yield draw(f"{ENDS}: t = 1", 3, 1.8 + 0.7 * u[6], 1.0, 0.7, 4)
    yield draw("an acute angle, short vectors", 5, 0.6 + 0.6 * u[1], 0.15 + 0.25 * u[2], 0.3, 0.7)
    yield draw("an obtuse angle, 20 latents", 20, 1.9 + 0.7 * u[3], 0.6 + 0.25 * u[4], 4.9, 4.1)
    yield along("parallel: along one axis", axis, 3)
    yield along("parallel: the cosine rounds to more than 1", above, 4)
    yield along("opposite: short vectors along one axis", axis / 1024, -2)
    yield along("opposite: the cosine rounds to less than −1", above, -2)
    yield along("opposite: in float64", axis.double(), -2)
    yield draw("nearly parallel: at an angle of 0.031", 4, 0.031, 0.4, 2, 1)
    yield draw("nearly opposite: at 2e-5 from π, in float64", 4, math.pi - 2e-5, 0.4, 2, 1)


def properties(raw: Parts, case: Case) -> Parts:
    """The result, under a name that says where it is wrong though the cases before are right."""
    result, kind = raw["result"], case.about.split(":")[0]
    if kind in ("parallel", "opposite", "nearly parallel", "nearly opposite"):
        return {FINITE: finite(result), kind: {"result": result}}
    return {kind if kind == ENDS else "result": result}


EXERCISE = Exercise("slerp", 2, cases, tensor_result, properties, rtol=2e-5, atol=1e-5)
