"""`beta_schedule(step, total, kind, beta_max)`: β over a training, one call for one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from course_lib.exercises.beta_vae.cycles import CYCLIC
from course_lib.exercises.beta_vae.schedules import LINEAR, constant_beta, linear_beta, schedule
from course_lib.exercises.records import is_array, plain
from course_lib.exercises.spec import Case, Exercise, Mistake


def _constant(n: int, m: int) -> list[tuple[str, int, int]]:
    """What is special, step and total, for a total of n or of m steps."""
    return [
        ("the first step", 0, n),
        ("in the middle", m // 2, m),
        ("after the end", n + 7, n),
    ]


def _linear(n: int, m: int) -> list[tuple[str, int, int]]:
    return [
        ("the first step", 0, n),
        ("the second step", 1, m),
        ("after three eighths", 3 * n // 8, n),
        ("after nine tenths", 9 * m // 10, m),
        ("the last step before the end", n - 1, n),
        ("the end", n, n),
        ("after the end", m + m // 3, m),
    ]


def _cyclic(n: int, m: int) -> list[tuple[str, int, int]]:
    return [
        ("the first step", 0, n),
        ("the second step", 1, n),
        ("a quarter of the first cycle", n // 16 + (n % 16 > 0), n),
        ("half of the first cycle", n // 8, n),
        ("three quarters of the first cycle", 3 * n // 16, n),
        ("the last step of the first cycle", n // 4 - 1, n),
        ("the second cycle begins", n // 4, n),
        ("the second cycle rises", n // 4 + n // 20, n),
        ("the third cycle begins", m // 2, m),
        ("a cycle with a broken number of steps", 8 * m // 10, m),
        ("the last cycle stays", n - n // 20, n),
        ("the last step before the end", n - 1, n),
        ("the end", n, n),
        ("after the end", n + n // 20, n),
    ]


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def pick(*choices: float) -> float:
        return choices[int(torch.randint(len(choices), (), generator=g))]

    # Cycles of a whole, even number of steps and a large β; of 2½ or 12½ steps and a small β.
    n, m = 8 * pick(5, 10, 20, 40), pick(10, 50)
    tops = {n: pick(3, 4, 5, 6), m: pick(0.25, 0.375, 0.5)}
    kinds = {"constant": _constant, "linear": _linear, "cyclic": _cyclic}
    return [
        Case(
            f"{kind}, {about}",
            {"step": step, "total": total, "kind": kind, "beta_max": tops[total]},
        )
        for kind, steps in kinds.items()
        for about, step, total in steps(n, m)
    ]


def observe(candidate: Callable, case: Case) -> Any:
    """β, named by the kind of schedule; what is no number, as it is."""
    beta = candidate(*case.args.values())
    value = plain(beta)
    return {case.args["kind"]: beta} if is_array(value) and value["shape"] == [] else beta


MISTAKES = (
    *LINEAR,
    *CYCLIC,
    Mistake(
        "constant until the end",
        schedule(constant=lambda t, top: 0.0),
        "constant: you give 0 before the end. It is beta_max from the first step on.",
    ),
    Mistake(
        "constant 1",
        schedule(constant=lambda t, top: 1.0),
        "constant: you give 1 before the end. It is beta_max.",
    ),
    Mistake(
        "constant starts at 0",
        schedule(constant=lambda t, top: top if t else 0.0),
        "constant: the first step, 0, has β = 0. It is beta_max at every step.",
    ),
    Mistake(
        "constant rises",
        schedule(constant=lambda t, top: top * t),
        "constant: your β rises. It is beta_max at every step.",
    ),
    Mistake(
        "always beta_max",
        schedule(linear=constant_beta, cyclic=constant_beta),
        "Every kind gives beta_max at every step. Look at `kind`.",
    ),
    Mistake(
        "always linear",
        schedule(constant=linear_beta, cyclic=linear_beta),
        "Every kind rises in one straight line. Look at `kind`.",
    ),
    Mistake(
        "kinds exchanged",
        lambda step, total, kind, beta_max: schedule()(
            step, total, {"linear": "cyclic", "cyclic": "linear"}.get(kind, kind), beta_max
        ),
        "linear and cyclic have changed places.",
    ),
    Mistake(
        "no end",
        schedule(end=lambda t: False),
        "Nothing ends: after `total` linear rises above beta_max and cyclic starts again. From "
        "step `total` on β is beta_max.",
    ),
    Mistake(
        "0 from the end on",
        schedule(after=0.0),
        "From step `total` on your β is 0. It is beta_max then, whatever the kind.",
    ),
    Mistake(
        "1 from the end on",
        lambda step, total, kind, top: 1.0 if step >= total else schedule()(step, total, kind, top),
        "From step `total` on your β is 1. It is beta_max.",
    ),
    Mistake(
        "none from the end on",
        lambda step, total, kind, top: (
            None if step >= total else schedule()(step, total, kind, top)
        ),
        "From step `total` on nothing is returned. β is beta_max then.",
    ),
    Mistake(
        "counted from 1",
        schedule(shift=1),
        "Your β is one step early: steps are counted from 0, so that the first has β = 0.",
    ),
    Mistake(
        "one step late",
        schedule(shift=-1),
        "Your β is one step late: at step 0 it would be below 0.",
    ),
    Mistake(
        "total less one",
        lambda step, total, kind, top: schedule()(step, total - 1, kind, top),
        "You divide by `total` − 1, so beta_max is reached one step early. It is reached at "
        "step `total`, the first after the rise.",
    ),
    Mistake(
        "beta_max forgotten",
        lambda step, total, kind, top: schedule()(step, total, kind, 1.0),
        "Every kind ends at 1. Multiply by beta_max.",
    ),
    Mistake(
        "beta_max forgotten before the end",
        lambda step, total, kind, top: schedule()(step, total, kind, top if step >= total else 1.0),
        "Before the end, beta_max is not in your β: every kind goes up to 1 instead.",
    ),
    Mistake(
        "capped at 1",
        lambda *args: min(1.0, schedule()(*args)),
        "You cap β at 1. It goes up to beta_max, which may be larger.",
    ),
    Mistake(
        "beta_max at least 1",
        lambda step, total, kind, top: schedule()(step, total, kind, max(1.0, top)),
        "Your β goes up to 1 where beta_max is smaller.",
    ),
    Mistake(
        "half of beta_max",
        lambda step, total, kind, top: schedule()(step, total, kind, 0.5 * top),
        "Everywhere half of the expected β.",
    ),
)

EXERCISE = Exercise(
    "beta_schedule",
    2,
    cases,
    MISTAKES,
    observe=observe,
    property_hints={
        "constant": "constant: β is beta_max at every step.",
        "linear": "linear: β is 0 at step 0, beta_max at step `total`, on a straight line between, "
        "and stays there.",
        "cyclic": "cyclic: a cycle has total / 4 steps. Ask how far the step is within its cycle, "
        "from 0 to 1: up to ½ β rises from 0 to beta_max, then it stays. From step `total` on it "
        "is beta_max.",
    },
)
