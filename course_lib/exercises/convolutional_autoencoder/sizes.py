"""`conv_out` and `conv_transpose_out`: the side of what a convolution puts out."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import torch

from course_lib.exercises.spec import Case, Exercise, Mistake


def observe_side(candidate: Callable, case: Any) -> dict[str, Any]:
    """The side, and whether it is a whole number by type, as the sizes of layers have to be."""
    side = candidate(*case.args.values())
    try:
        operator.index(side)
    except TypeError:
        return {"side": side, "type": type(side).__name__}
    return {"side": int(side), "type": "int"}


SIDE_HINTS = {
    "side": "The side is wrong. Draw a row of n pixels on squared paper, slide the kernel over it, "
    "and count the places.",
    "type": "The number is right, its type is not: layers take an `int` for a size.",
}


def conv_cases(seed: int) -> list[Case]:
    """Sizes on which the division has a remainder, and has none."""
    g = torch.Generator().manual_seed(seed)
    m = 2 * int(torch.randint(5, 60, (), generator=g))  # even
    return [
        Case("28 pixels halved by a 3 × 3 kernel", {"n": 28, "k": 3, "s": 2, "p": 1}),
        Case("one step at a time, no padding", {"n": m, "k": 5, "s": 1, "p": 0}),
        Case("steps that do not fill the row", {"n": 3 * m + 4, "k": 4, "s": 3, "p": 2}),
        Case("steps that fill the row", {"n": 4 * m + 3, "k": 7, "s": 4, "p": 2}),
        Case("steps that miss the row's end", {"n": 5 * m + 4, "k": 1, "s": 5, "p": 0}),
        Case("a kernel as large as the image", {"n": m, "k": m, "s": 2, "p": 0}),
        Case("an even kernel", {"n": m, "k": 4, "s": 2, "p": 1}),
    ]


def transpose_cases(seed: int) -> list[Case]:
    """Sizes with and without output padding."""
    g = torch.Generator().manual_seed(seed)
    m = int(torch.randint(9, 60, (), generator=g))
    return [
        Case("7 pixels doubled", {"n": 7, "k": 3, "s": 2, "p": 1, "op": 1}),
        Case("no output padding", {"n": m, "k": 4, "s": 2, "p": 1, "op": 0}),
        Case("one step at a time", {"n": m, "k": 5, "s": 1, "p": 0, "op": 0}),
        Case("three steps, output padding 2", {"n": m, "k": 5, "s": 3, "p": 2, "op": 2}),
        Case("from a single pixel", {"n": 1, "k": m, "s": 2, "p": 0, "op": 0}),
    ]


_FLOOR = (
    "The kernel stops where it no longer fits, so an incomplete last step does not count: round "
    "down. `//` does that."
)
_PLUS_ONE = "One short: (n + 2p − k) / s counts the steps; the kernel also stands where it starts."
_PAD = "Padding is added on both sides of the image, so it counts twice."
_TYPE = "The number is right, but it is a float. Layers take an `int`: `//` of two ints is one."


def _slips(*slips: tuple[str, Callable, str]) -> tuple[Mistake, ...]:
    return tuple(Mistake(*slip) for slip in slips)


CONV_MISTAKES = _slips(
    ("no + 1", lambda n, k, s, p: (n + 2 * p - k) // s, _PLUS_ONE),
    ("no floor", lambda n, k, s, p: (n + 2 * p - k) / s + 1, _FLOOR),
    ("rounded", lambda n, k, s, p: round((n + 2 * p - k) / s) + 1, _FLOOR),
    ("rounded half up", lambda n, k, s, p: int((n + 2 * p - k) / s + 0.5) + 1, _FLOOR),
    ("rounded up", lambda n, k, s, p: math.ceil((n + 2 * p - k) / s) + 1, _FLOOR),
    ("+ 1 before dividing", lambda n, k, s, p: (n + 2 * p - k + 1) // s,
     "The + 1 is added before the division, where it counts pixels. It counts a place of the "
     "kernel: add it after dividing by the stride."),
    ("two too many", lambda n, k, s, p: (n + 2 * p - k) // s + 2,
     "One too many: the steps of the kernel, plus one place where it starts."),
    ("one more pixel", lambda n, k, s, p: (n + 2 * p - k + 1) // s + 1,
     "The kernel covers k pixels, not k − 1: with stride 1 and no padding n − k + 1 remain."),
    ("one pixel less", lambda n, k, s, p: (n + 2 * p - k - 1) // s + 1,
     "One pixel is taken off too many. (PyTorch's formula has −1 because it writes the reach of "
     "the kernel as k − 1.)"),
    ("padding once", lambda n, k, s, p: (n + p - k) // s + 1, _PAD),
    ("padding forgotten", lambda n, k, s, p: (n - k) // s + 1,
     "The padding is missing: the kernel slides over n + 2p pixels."),
    ("padding taken off", lambda n, k, s, p: (n - 2 * p - k) // s + 1,
     "Padding makes the image larger: add 2p, do not take it off."),
    ("stride forgotten", lambda n, k, s, p: n + 2 * p - k + 1,
     "The stride is missing: with stride s only every s-th place counts."),
    ("kernel forgotten", lambda n, k, s, p: (n + 2 * p) // s + 1,
     "The kernel's side is missing: its far edge must stay inside, so k pixels are no starts."),
    ("kernel added", lambda n, k, s, p: (n + 2 * p + k) // s + 1,
     "A larger kernel fits in fewer places: take k off."),
    ("half of the kernel", lambda n, k, s, p: (n + 2 * p - k // 2) // s + 1,
     "You take off half of the kernel. From its first place to its last it needs all k pixels."),
    ("n over s", lambda n, k, s, p: n // s,
     "n / s is right only for some paddings. Kernel and padding change the size as well."),
    ("n over s, up", lambda n, k, s, p: -(-n // s),
     "n / s is right only for some paddings. Kernel and padding change the size as well."),
    ("stride first", lambda n, k, s, p: n // s + 2 * p - k + 1,
     "Only n is divided by the stride. Put n + 2p − k in brackets."),
    ("stride and padding exchanged", lambda n, k, s, p: (n + 2 * s - k) // max(p, 1) + 1,
     "Stride and padding have changed places."),
    ("the transposed one", lambda n, k, s, p: (n - 1) * s - 2 * p + k,
     "This is the size of a transposed convolution, which enlarges."),
    ("float", lambda n, k, s, p: float((n + 2 * p - k) // s + 1), _TYPE),
)  # fmt: skip
TRANSPOSE_MISTAKES = _slips(
    ("output padding forgotten", lambda n, k, s, p, op: (n - 1) * s - 2 * p + k,
     "The output padding is missing: it adds op pixels on one side."),
    ("output padding twice", lambda n, k, s, p, op: (n - 1) * s - 2 * p + k + 2 * op,
     "Output padding is added on one side only, so it counts once."),
    ("output padding taken off", lambda n, k, s, p, op: (n - 1) * s - 2 * p + k - op,
     "Output padding makes the result larger: add it."),
    ("n for n − 1", lambda n, k, s, p, op: n * s - 2 * p + k + op,
     "n pixels are n − 1 steps of s apart, from the first to the last."),
    ("minus one", lambda n, k, s, p, op: (n - 1) * s - 2 * p + (k - 1) + op,
     "One short. (PyTorch's formula has k − 1 and, at its end, + 1.)"),
    ("plus one", lambda n, k, s, p, op: (n - 1) * s - 2 * p + k + op + 1,
     "One too many: the + 1 of a convolution is already inside the k of a transposed one."),
    ("padding once", lambda n, k, s, p, op: (n - 1) * s - p + k + op,
     "Padding is cut off on both sides of the result, so it counts twice."),
    ("padding forgotten", lambda n, k, s, p, op: (n - 1) * s + k + op,
     "The padding is missing: here it cuts p pixels off on each side."),
    ("padding added", lambda n, k, s, p, op: (n - 1) * s + 2 * p + k + op,
     "Here padding makes the result smaller: it undoes what padding did in the convolution."),
    ("kernel forgotten", lambda n, k, s, p, op: (n - 1) * s - 2 * p + op,
     "The kernel's side is missing: the last pixel, too, spreads over k pixels."),
    ("kernel taken off", lambda n, k, s, p, op: (n - 1) * s - 2 * p - k + op,
     "Each pixel spreads over k pixels, so a larger kernel gives more: add k."),
    ("stride forgotten", lambda n, k, s, p, op: (n - 1) - 2 * p + k + op,
     "The stride is missing: neighbours are spread s pixels apart."),
    ("n times s", lambda n, k, s, p, op: n * s,
     "n s is right only where k − s − 2p + op is 0. Write the whole formula."),
    ("n times s, output padding", lambda n, k, s, p, op: n * s + op,
     "n s + op leaves kernel and padding out."),
    ("the forward one", lambda n, k, s, p, op: (n + 2 * p - k) // s + 1 + op,
     "This is the size of a convolution. The transposed one turns it round: it enlarges."),
    ("float", lambda n, k, s, p, op: float((n - 1) * s - 2 * p + k + op), _TYPE),
)  # fmt: skip

CONV_OUT = Exercise(
    "conv_out", 1, conv_cases, CONV_MISTAKES, observe=observe_side, property_hints=SIDE_HINTS
)
CONV_TRANSPOSE_OUT = Exercise(
    "conv_transpose_out",
    1,
    transpose_cases,
    TRANSPOSE_MISTAKES,
    observe=observe_side,
    property_hints=SIDE_HINTS,
)
EXERCISES = (CONV_OUT, CONV_TRANSPOSE_OUT)
