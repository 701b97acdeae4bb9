"""`slerp(a, b, t)`: along the great circle from a to b."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.exercises.observers import seeded, tensor_from
from course_lib.exercises.spec import Case, Exercise

# The cosine of such a vector and its double rounds to more than 1, whichever way it is taken.
ABOVE_ONE = torch.tensor([(1, 11), (1, 18), (2, 22), (3, 16), (4, 17), (5, 21), (7, 16), (9, 14)])
ENDS, FINITE = "point at the end", "numbers where a and b are on one line"
HINTS = {
    ENDS: "At t = 0 a is to come out, at t = 1 b, as they are. Put these t into your last line: "
    "which two weights do you get, and of which vectors?",
    "result": "The ends are right, what lies between is not. Is ω the whole angle, in radians, and "
    "its cosine free of lengths and sometimes negative? Are the weights those of the formula?",
    FINITE: "Ordinary angles are right. Where a and b are on one line you get NaN: sin ω is 0, and "
    "rounding may push the cosine beyond ±1. What keeps it in its range, and which way is left?",
    "parallel": "Ordinary angles are right, parallel vectors are not. There a straight line leads "
    "from a to b. Is a small number added below a fraction, or taken from the cosine?",
    "opposite": "Parallel vectors are right, opposite ones are not: ω is π and sin ω is 0 as well. "
    "Does your special case see it? Does your cosine get to −1, or is a small number in its way?",
    "nearly parallel": "You take the straight line too early, or add to a fraction. At an angle of "
    "0.031 the two ways differ by 1 in 10,000: the limit is where sin ω is 1e-6.",
}


def cases(seed: int) -> list[Case]:
    g = seeded(seed)
    u = torch.rand(7, generator=g).tolist()
    axis = (0.75 + seed % 5 / 4) * torch.eye(4)[seed % 4]  # so that cosines are ±1 exactly
    above = ABOVE_ONE[seed % len(ABOVE_ONE)] / 16

    def draw(about: str, d: int, angle: float, t: float, *norms: float) -> Case:
        q, _ = torch.linalg.qr(torch.randn(d, 2, generator=g))
        b = math.cos(angle) * q[:, 0] + math.sin(angle) * q[:, 1]
        return Case(about, {"a": norms[0] * q[:, 0], "b": norms[1] * b, "t": t})

    def along(about: str, a: Tensor, factor: float) -> Case:
        return Case(about, {"a": a, "b": factor * a, "t": 0.15 + 0.25 * u[0]})

    return [
        draw(f"{ENDS}: t = 0", 3, 1 + 0.2 * u[5], 0.0, 2, 4),
        draw(f"{ENDS}: t = 1", 3, 1.8 + 0.7 * u[6], 1.0, 0.7, 4),
        draw("an acute angle, short vectors", 5, 0.6 + 0.6 * u[1], 0.15 + 0.25 * u[2], 0.3, 0.7),
        draw("an obtuse angle, 20 latents", 20, 1.9 + 0.7 * u[3], 0.6 + 0.25 * u[4], 4.9, 4.1),
        along("parallel: along one axis", axis, 3),
        along("parallel: the cosine rounds to more than 1", above, 4),
        along("opposite: short vectors along one axis", axis / 1024, -2),
        along("opposite: the cosine rounds to less than −1", above, -2),
        along("opposite: in float64", axis.double(), -2),
        draw("nearly parallel: at an angle of 0.031", 4, 0.031, 0.4, 2, 1),
    ]


def observe(candidate: Callable, case: Case) -> dict:
    """The result, under a name that says where it is wrong though the cases before are right."""
    result, kind = tensor_from(candidate, *case.args.values()), case.about.split(":")[0]
    if kind in ("parallel", "opposite", "nearly parallel"):
        return {FINITE: bool(result.isfinite().all()), kind: {"result": result}}
    return {kind if kind in HINTS else "result": result}


EXERCISE = Exercise("slerp", 2, cases, observe, HINTS, rtol=2e-5, atol=1e-5)
