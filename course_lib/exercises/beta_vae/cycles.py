"""Answers to `beta_schedule` with other cycles."""

from __future__ import annotations

import math
from collections.abc import Callable

from course_lib.exercises.beta_vae.schedules import Shape, constant_beta, linear_beta, schedule
from course_lib.exercises.spec import Mistake


def cycles(
    shape: Callable[[float], float] = lambda p: min(1.0, 2 * p), *, number: float = 4
) -> Shape:
    """Cycles of another shape, as a part of beta_max over the part p of a cycle, or number."""
    return lambda t, top: top * shape(number * t % 1)


def _by_steps(cyclic: Callable[[int, int], float], *, end: bool = True) -> Callable:
    """A candidate with cycles as a part of beta_max by step and total."""

    def beta(step: int, total: int, kind: str, beta_max: float) -> float:
        if kind == "cyclic" and (step < total or not end):
            return beta_max * cyclic(step, total)
        return schedule()(step, total, kind, beta_max)

    return beta


def _cyclic(shape: Shape, name: str, hint: str) -> Mistake:
    return Mistake(name, schedule(cyclic=shape), f"cyclic: {hint}")


_LATE = "The first half of each cycle rises and the second stays at beta_max."
CYCLIC = (
    _cyclic(
        cycles(lambda p: p),
        "saw",
        "your β rises through the whole cycle. It rises in the first half and stays in the second.",
    ),
    _cyclic(
        cycles(lambda p: 1 - abs(2 * p - 1)),
        "up and down",
        f"your β falls in the second half of a cycle. {_LATE}",
    ),
    _cyclic(cycles(lambda p: max(0.0, 2 * p - 1)), "second half rises",
            f"your β is 0 in the first half of a cycle and rises in the second. {_LATE}"),
    _cyclic(cycles(lambda p: 1.0 if p < 0.5 else 2 * p - 1), "halves exchanged",
            f"the halves of your cycles have changed places. {_LATE}"),
    _cyclic(cycles(lambda p: 2 * p if p < 0.5 else 0.0), "back to 0 at half",
            f"your β drops to 0 at half of a cycle. {_LATE}"),
    _cyclic(cycles(lambda p: 1 - min(1.0, 2 * p)), "falling",
            f"your β falls from beta_max to 0. {_LATE}"),
    _cyclic(cycles(lambda p: float(p >= 0.5)), "rectangular",
            f"your β jumps from 0 to beta_max at half of a cycle. {_LATE}"),
    _cyclic(cycles(lambda p: 2 * p), "up to twice beta_max",
            "your β rises up to twice beta_max. It stays at beta_max in the second half of a "
            "cycle."),
    _cyclic(cycles(lambda p: min(0.5, p)), "up to half of beta_max",
            "your β stays at half of beta_max. Within half a cycle it rises all the way."),
    _cyclic(cycles(lambda p: min(1.0, 4 * p)), "rise in a quarter",
            "your β arrives after a quarter of a cycle. It rises through the first half."),
    _cyclic(cycles(lambda p: (1 - math.cos(math.pi * min(1.0, 2 * p))) / 2), "cosine in cycles",
            "your β rises on a curve. It rises in a straight line."),
    _cyclic(lambda t, top: min(1.0, 2 * (4 * t % 1)), "cycles not multiplied",
            "your β goes up to 1. Multiply by beta_max."),
    _cyclic(lambda t, top: min(top, 2 * (4 * t % 1)), "cycles of slope 1",
            "β reaches 1 at half of a cycle, or is cut off before. It reaches beta_max there: "
            "multiply, then nothing has to be cut off above beta_max."),
    _cyclic(lambda t, top: top * math.floor(4 * t) / 4, "stairs",
            "your β stays within each cycle and climbs from one to the next. `//` counts cycles; "
            "`%` gives the place within one."),
    _cyclic(lambda t, top: top * (math.floor(4 * t) + 1) / 4, "stairs from the first",
            "your β stays within each cycle and climbs from one to the next. `//` counts cycles; "
            "`%` gives the place within one."),
    _cyclic(cycles(number=1), "one cycle",
            "there is one cycle in your training: a rise to half of it. There are four."),
    *(
        _cyclic(cycles(number=n), f"{n} cycles",
                f"there are {word} cycles in your training. There are four, each of total / 4 "
                "steps: rise and plateau together.")
        for n, word in ((2, "two"), (3, "three"), (5, "five"), (8, "eight"))
    ),
    _cyclic(lambda t, top: top * min(1.0, 4 * t), "one rise",
            "your β rises once, in the first quarter, and stays. Every cycle starts from 0 again: "
            "`%` gives the part within a cycle."),
    _cyclic(linear_beta, "line in place of cycles",
            "your β rises in one line. It has four cycles, each from 0."),
    _cyclic(constant_beta, "constant in place of cycles",
            "your β is beta_max at every step. It has four cycles, each from 0."),
    _cyclic(lambda t, top: top * min(1.0, 2 * (4 * t % 1)) * (math.floor(4 * t) + 1) / 4,
            "growing cycles", "your cycles end higher and higher. Each goes up to beta_max."),
    _cyclic(lambda t, top: top * min(1.0, 2 * (4 * t - math.ceil(4 * t) + 1)), "cycles one late",
            "where a new cycle begins, β is still beta_max. The first step of each cycle has 0."),
    Mistake(
        "cycles of four steps",
        _by_steps(lambda step, total: min(1.0, 2 * (step % 4) / 4)),
        "cyclic: your cycles have four steps. There are four cycles, of total / 4 steps.",
    ),
    Mistake(
        "rest by total",
        _by_steps(lambda step, total: min(1.0, 2 * (step % total / 4))),
        "cyclic: `step % total / 4` is (step % total) / 4. Put total / 4 in brackets, and divide "
        "by the length of a cycle.",
    ),
    Mistake(
        "not divided by the cycle",
        _by_steps(lambda step, total: min(1.0, 2 * (step % (total / 4)))),
        "cyclic: `%` gives steps within the cycle. Divide them by the length of a cycle.",
    ),
    Mistake(
        "divided by total",
        _by_steps(lambda step, total: min(1.0, 2 * (step % (total / 4)) / total)),
        "cyclic: you divide the steps within the cycle by `total`. Divide by the length of a "
        "cycle, total / 4.",
    ),
    Mistake(
        "cycle rounded down",
        _by_steps(lambda step, total: min(1.0, 2 * (step % (total // 4)) / (total // 4))),
        "cyclic: `//` rounds the length of a cycle down, so four of them end too early. total / 4 "
        "may be a broken number.",
    ),
    Mistake(
        "half cycle rounded down",
        _by_steps(lambda step, total: min(1.0, step % (total / 4) / (total // 8))),
        "cyclic: `//` rounds the length of the rise down. total / 8 may be a broken number.",
    ),
    Mistake(
        "cyclic without end",
        _by_steps(lambda step, total: min(1.0, 2 * (4 * step / total % 1)), end=False),
        "cyclic: at step `total` a fifth cycle begins. From there on β is beta_max.",
    ),
    Mistake(
        "end one late",
        lambda step, total, kind, top: 0.0
        if kind == "cyclic" and step == total
        else schedule()(step, total, kind, top),
        "cyclic: step `total` belongs to the end: `>=`, not `>`. There β is beta_max, not the 0 of "
        "a fifth cycle.",
    ),
    Mistake(
        "step cut off at total",
        lambda step, total, kind, top: 0.0
        if kind == "cyclic" and step >= total
        else schedule()(step, total, kind, top),
        "cyclic: from step `total` on your β is 0, the start of a fifth cycle. It is beta_max.",
    ),
    Mistake(
        "cyclic counted from 1",
        _by_steps(lambda step, total: min(1.0, 2 * (4 * (step + 1) / total % 1))),
        "cyclic: your β is one step early. The first step of each cycle has β = 0.",
    ),
)  # fmt: skip
