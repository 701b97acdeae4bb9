"""`conv_transpose_out(n, k, s, p, op)`: the side of what a transposed convolution puts out."""

import torch

from course_lib.exercises.spec import Case, Cases, Exercise


def cases(g: torch.Generator) -> Cases:
    """Sizes with and without output padding."""
    m = torch.randint(9, 60, (3,), generator=g).tolist()
    yield Case("7 pixels doubled", {"n": 7, "k": 3, "s": 2, "p": 1, "op": 1})
    yield Case("no output padding", {"n": m[0], "k": 4, "s": 2, "p": 1, "op": 0})
    yield Case("one step at a time", {"n": m[1], "k": 5, "s": 1, "p": 0, "op": 0})
    yield Case("three steps, output padding 2", {"n": m[2], "k": 5, "s": 3, "p": 1, "op": 2})


EXERCISE = Exercise("conv_transpose_out", 1, cases)
