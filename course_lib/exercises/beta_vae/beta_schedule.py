"""`beta_schedule(step, total, kind, beta_max)`: β over a training, one call for one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from course_lib.exercises.beta_vae.cycles import CYCLIC
from course_lib.exercises.beta_vae.schedules import LINEAR, constant_beta, linear_beta, schedule
from course_lib.exercises.records import is_array, plain
from course_lib.exercises.spec import Case, Exercise, Mistake


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def pick(*choices: int) -> int:
        return choices[int(torch.randint(len(choices), (), generator=g))]

    def at(about: str, kind: str, step: int, *, total: int, top: float) -> Case:
        args = {"step": step, "total": total, "kind": kind, "beta_max": top}
        return Case(f"{kind}, {about}", args)

    # Cycles of a whole, even number of steps; and of 2½ or 12½.
    a, top = {"total": 8 * pick(5, 10, 20, 40)}, {"top": pick(3, 4, 5, 6)}
    b, low = {"total": pick(10, 50)}, {"top": pick(2, 3, 4) / 8}
    n, m = a["total"], b["total"]
    return [
        at("the first step", "constant", 0, **a, **top),
        at("in the middle", "constant", m // 2, **b, **low),
        at("after the end", "constant", n + 7, **a, **top),
        at("the first step", "linear", 0, **a, **top),
        at("the second step", "linear", 1, **b, **low),
        at("after three eighths", "linear", 3 * n // 8, **a, **top),
        at("after nine tenths", "linear", 9 * m // 10, **b, **low),
        at("the last step before the end", "linear", n - 1, **a, **top),
        at("the end", "linear", n, **a, **top),
        at("after the end", "linear", m + m // 3, **b, **low),
        at("the first step", "cyclic", 0, **a, **top),
        at("the second step", "cyclic", 1, **a, **top),
        at("a quarter of the first cycle", "cyclic", n // 16 + (n % 16 > 0), **a, **top),
        at("half of the first cycle", "cyclic", n // 8, **a, **top),
        at("three quarters of the first cycle", "cyclic", 3 * n // 16, **a, **top),
        at("the last step of the first cycle", "cyclic", n // 4 - 1, **a, **top),
        at("the second cycle begins", "cyclic", n // 4, **a, **top),
        at("the second cycle rises", "cyclic", n // 4 + n // 20, **a, **top),
        at("the third cycle begins", "cyclic", m // 2, **b, **low),
        at("a cycle with a broken number of steps", "cyclic", 8 * m // 10, **b, **low),
        at("the last cycle stays", "cyclic", n - n // 20, **a, **top),
        at("the last step before the end", "cyclic", n - 1, **a, **top),
        at("the end", "cyclic", n, **a, **top),
        at("after the end", "cyclic", n + n // 20, **a, **top),
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
