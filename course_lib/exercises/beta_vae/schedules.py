"""Answers to `beta_schedule` in parts, and those with another line or other cycles."""

from __future__ import annotations

import math
from collections.abc import Callable

from course_lib.exercises.spec import Mistake

Shape = Callable[[float, float], float]  # t = step / total and beta_max to β


def constant_beta(t: float, top: float) -> float:
    """β of the kind "constant"."""
    return top


def linear_beta(t: float, top: float) -> float:
    """β of the kind "linear"."""
    return top * t


def cyclic_beta(t: float, top: float) -> float:
    """β of the kind "cyclic"."""
    return top * min(1.0, 2 * (4 * t % 1))


def schedule(
    *,
    constant: Shape = constant_beta,
    linear: Shape = linear_beta,
    cyclic: Shape = cyclic_beta,
    end: Callable[[float], bool] = lambda t: t >= 1,
    after: float = 1.0,
    shift: float = 0,
) -> Callable:
    """A candidate with another part, another end, or steps counted from elsewhere."""
    shapes = {"constant": constant, "linear": linear, "cyclic": cyclic}

    def beta(step: int, total: int, kind: str, beta_max: float) -> float:
        t = (step + shift) / total
        return after * beta_max if end(t) else shapes[kind](t, beta_max)

    return beta


def _linear(shape: Shape, name: str, hint: str) -> Mistake:
    return Mistake(name, schedule(linear=shape), f"linear: {hint}")


_CURVED = "your β rises on a curve. It grows by the same amount in every step."
LINEAR = (
    Mistake(
        "not capped",
        lambda step, total, kind, top: (
            top * step / total if kind == "linear" else schedule()(step, total, kind, top)
        ),
        "linear: after `total` your β goes on above beta_max. It stays there.",
    ),
    _linear(lambda t, top: top * (1 - t), "falls", "your β falls. It rises from 0 to beta_max."),
    _linear(lambda t, top: t, "not multiplied", "your β rises to 1. Multiply by beta_max."),
    _linear(
        lambda t, top: min(1.0, top * t), "cut at 1", "you cut β off at 1. It goes up to beta_max."
    ),
    _linear(
        lambda t, top: min(t, top),
        "slope 1",
        "β grows by 1 / total in a step and is cut off. It grows by beta_max / total, so that it "
        "arrives at `total`.",
    ),
    _linear(
        lambda t, top: top * (t >= 1),
        "whole division",
        "your β is 0 up to the end. It rises on the way. Does `//` round your division down?",
    ),
    _linear(
        lambda t, top: top * min(1.0, 2 * t),
        "twice as fast",
        "your β arrives at half of `total`. It arrives at `total`.",
    ),
    _linear(
        lambda t, top: top * min(1.0, 4 * t),
        "four times as fast",
        "your β arrives at a quarter of `total`. It arrives at `total`; the quarters are for the "
        "cycles.",
    ),
    _linear(
        lambda t, top: top * t / 2,
        "half as fast",
        "your β is half of what it should be, and jumps at `total`.",
    ),
    _linear(lambda t, top: top * t**2, "square", _CURVED),
    _linear(lambda t, top: top * math.sqrt(t), "root", _CURVED),
    _linear(lambda t, top: top * (1 - math.cos(math.pi * t)) / 2, "cosine", _CURVED),
    _linear(lambda t, top: top * math.sin(math.pi * t / 2), "sine", _CURVED),
    _linear(lambda t, top: top / (1 + math.exp(-12 * (t - 0.5))), "sigmoid", _CURVED),
    _linear(lambda t, top: top * math.expm1(t) / math.expm1(1), "exponential", _CURVED),
    Mistake(
        "linear counted from 1",
        lambda step, total, kind, top: (
            min(top, top * (step + 1) / total)
            if kind == "linear"
            else schedule()(step, total, kind, top)
        ),
        "linear: your β is one step early. At step 0 it is 0, at step `total` beta_max.",
    ),
    Mistake(
        "linear by total less one",
        lambda step, total, kind, top: (
            min(top, top * step / (total - 1))
            if kind == "linear"
            else schedule()(step, total, kind, top)
        ),
        "linear: you divide by `total` − 1, so beta_max is reached one step early.",
    ),
)
