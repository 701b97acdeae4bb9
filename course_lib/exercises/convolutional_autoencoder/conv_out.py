"""`conv_out(n, k, s, p)`: the side of what a convolution puts out."""

import torch

from course_lib.exercises.spec import Case, Cases, Exercise


def cases(g: torch.Generator) -> Cases:
    """Sizes on which the division has a remainder, and has none."""
    m = 2 * int(torch.randint(5, 60, (), generator=g))  # even
    yield Case("28 pixels halved by a 3 × 3 kernel", {"n": 28, "k": 3, "s": 2, "p": 1})
    yield Case("one step at a time, no padding", {"n": m, "k": 5, "s": 1, "p": 0})
    yield Case("steps that do not fill the row", {"n": 3 * m + 4, "k": 4, "s": 3, "p": 2})
    yield Case("steps that fill the row", {"n": 4 * m + 3, "k": 7, "s": 4, "p": 2})
    yield Case("steps that miss the row's end", {"n": 5 * m + 4, "k": 1, "s": 5, "p": 0})


EXERCISE = Exercise("conv_out", 1, cases)
