"""`attribute_vector(z, y)`: the direction in code space from without an attribute to with it."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.spec import Case, Exercise, Mistake


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def draw(about: str, N: int, d: int, *, ones: int) -> Case:
        """Codes away from the origin, of different spread in each dimension, in mixed order."""
        y = (torch.arange(N) < ones).long()[torch.randperm(N, generator=g)]
        spread = torch.linspace(0.3, 2, d, dtype=torch.float64)
        z = 1.5 + spread * torch.randn(N, d, generator=g, dtype=torch.float64)
        shift = 2 * torch.randn(d, generator=g, dtype=torch.float64)
        return Case(about, {"z": z + y[:, None] * shift, "y": y})

    return [
        draw("12 codes, 5 with the attribute", 12, 4, ones=5),
        draw("one of 9 codes has it", 9, 3, ones=1),
        draw("as many codes as dimensions", 6, 6, ones=3),
        draw("most codes have it", 20, 5, ones=16),
    ]


def _unit(direction: Tensor) -> Tensor:
    return direction / direction.norm()


def _between(
    centre: Callable[[Tensor], Tensor],
    report: Callable[[Tensor], Tensor] = _unit,
    *,
    sign: int = 1,
) -> Callable:
    """A candidate with another centre of the two groups, or another scale of the difference."""
    return lambda z, y: report(sign * (centre(z[y == 1]) - centre(z[y == 0])))


def _mean(z: Tensor) -> Tensor:
    return z.mean(0)


def _scaled(scale: Callable[[Tensor], Tensor]) -> Callable:
    return _between(_mean, lambda direction: direction / scale(direction))


def _halves(z: Tensor, y: Tensor) -> Tensor:
    return _unit(z[: len(z) // 2].mean(0) - z[len(z) // 2 :].mean(0))


def _least_squares(z: Tensor, y: Tensor) -> Tensor:
    design = torch.cat([z, torch.ones_like(z[:, :1])], 1)
    return _unit(torch.linalg.pinv(design)[:-1] @ y.to(z))


def _sums(z: Tensor) -> Tensor:
    return z.sum(0)


_REVERSED = "The direction is reversed: yours takes the attribute away. It leads to the mean with "
_REVERSED += "it, y = 1."
_LENGTH = (
    "The direction is right, its length is not 1: divide by its norm, so that a step means the "
    "same for every attribute."
)
_WRONG_NORM = "The direction is right, but its length is not 1: you divide by {what}."
_SUMS = (
    "You compare sums, or divide both by N. The group with more codes then weighs more: divide "
    "each sum by the size of its own group."
)
_UNIT_MEANS = "You normalise {what}, and how far out it lies is lost. Normalise once, at the end."
_ONE = "This is the mean code {what} the attribute alone. The direction is a difference of two."
_AXIS = "You average over the dimensions of a code. Average over the codes of a group, dimension 0."
MISTAKES = (
    Mistake("reversed", _between(_mean, sign=-1), _REVERSED),
    Mistake("reversed, not normalised", _between(_mean, lambda v: v, sign=-1),
            f"{_REVERSED} And its length is not 1."),
    Mistake("not normalised", _between(_mean, lambda v: v), _LENGTH),
    Mistake("difference to the mean of all",
            lambda z, y: z[y == 1].mean(0) - z.mean(0), f"You subtract the mean of all codes; "
            f"against that of the codes without it the step is longer. {_LENGTH}"),
    Mistake("squared norm", _scaled(lambda v: v.norm() ** 2),
            _WRONG_NORM.format(what="the *squared* norm; take its root")),
    Mistake("absolute values", _scaled(lambda v: v.abs().sum()),
            _WRONG_NORM.format(what="the sum of absolute values instead of the Euclidean norm")),
    Mistake("largest value", _scaled(lambda v: v.abs().max()),
            _WRONG_NORM.format(what="the largest entry instead of the Euclidean norm")),
    Mistake("sum", _scaled(Tensor.sum),
            _WRONG_NORM.format(what="the sum of the entries instead of the Euclidean norm")),
    Mistake("number of dimensions", _scaled(lambda v: torch.tensor(len(v))),
            _WRONG_NORM.format(what="the number of dimensions instead of the norm")),
    Mistake("root mean square", _scaled(lambda v: (v**2).mean().sqrt()),
            _WRONG_NORM.format(what="the root of the *mean* square; the norm has a sum there")),
    Mistake("standardised entries", _between(_mean, lambda v: (v - v.mean()) / v.std()),
            "You standardise the entries of the vector, which changes its direction. Divide by "
            "its norm only."),
    Mistake("each entry by itself", _scaled(torch.abs), "You divide each entry by its own size, "
            "and only signs are left. Divide all of them by one number, the norm of the vector."),
    Mistake("softmax", _between(_mean, lambda v: v.softmax(0)),
            "A softmax makes the entries positive with sum 1. A unit vector has norm 1."),
    Mistake("between the smallest and the largest", _between(
            _mean, lambda v: (v - v.min()) / (v.max() - v.min())),
            "You stretch the entries to [0, 1], which changes the direction. Divide by the norm "
            "only."),
    Mistake("spread of the codes", lambda z, y: _between(_mean, lambda v: v / z.std(0))(z, y),
            "You divide each entry by the spread of its dimension, which turns the direction. "
            "Divide by one number, the norm of the vector."),
    Mistake("norm of all codes", lambda z, y: _between(_mean, lambda v: v / z.norm())(z, y),
            _WRONG_NORM.format(what="the norm of all codes instead of the vector's own")),
    Mistake("medians", _between(lambda z: z.median(0).values),
            "You compare medians. The direction is the difference of the mean codes."),
    Mistake("medians, not normalised", _between(lambda z: z.median(0).values, lambda v: v),
            "You compare medians. Take the mean codes, and divide their difference by its norm."),
    Mistake("sums", _between(_sums), _SUMS),
    Mistake("sums, not normalised", _between(_sums, lambda v: v), f"{_SUMS} Then normalise."),
    Mistake("divided by all", lambda z, y: (z.T @ (2.0 * y - 1).to(z)) / len(z),
            f"{_SUMS} And the length of the vector is 1."),
    Mistake("normalised means", _between(lambda z: _unit(z.mean(0))),
            _UNIT_MEANS.format(what="each mean before you subtract")),
    Mistake("normalised means, difference as it is", _between(lambda z: _unit(z.mean(0)),
            lambda v: v), _UNIT_MEANS.format(what="the two means instead of their difference")),
    Mistake("normalised codes", _between(lambda z: F.normalize(z, dim=1).mean(0)),
            _UNIT_MEANS.format(what="every code before you average")),
    Mistake("standardised codes", lambda z, y: _between(_mean)((z - z.mean(0)) / z.std(0), y),
            "You standardise the dimensions first, which turns the direction. Use z as it is."),
    Mistake("regression", _least_squares, "These are the weights of a regression of y on z: a "
            "direction that *tells* the attribute, not the one from mean to mean."),
    Mistake("with alone", lambda z, y: _unit(z[y == 1].mean(0)), _ONE.format(what="with")),
    Mistake("without alone", lambda z, y: _unit(z[y == 0].mean(0)), _ONE.format(what="without")),
    Mistake("sum of the means", lambda z, y: _unit(z[y == 1].mean(0) + z[y == 0].mean(0)),
            "You add the two mean codes. The direction is their difference."),
    Mistake("one code of each", _between(lambda z: z[0]),
            "You compare one code of each group. Average over all of a group: what else differs "
            "between two faces cancels only there."),
    Mistake("halves", _halves, "You split the codes in the middle. Which group a code belongs to "
            "says y, in any order."),
    Mistake("y as an index", lambda z, y: _unit(z[y].mean(0) - z[1 - y].mean(0)),
            "`z[y]` with whole numbers picks rows 0 and 1, again and again. Compare first: a mask "
            "of truth values picks the rows of a group."),
    Mistake("y as an index, turned round", lambda z, y: _unit(z[y].mean(0) - z[~y].mean(0)),
            "`z[y]` with whole numbers picks rows, and `~y` of 0 and 1 is −1 and −2. Compare "
            "first: a mask of truth values picks the rows of a group."),
    Mistake("pairs of codes", lambda z, y: _unit((z[y == 1] - z[y == 0]).mean(0)),
            "You subtract the groups code by code, which needs as many of each. Average each "
            "group first, then subtract."),
    Mistake("one mean of those without", lambda z, y: _unit(z[y == 1].mean(0) - z[y == 0].mean()),
            "The mean of the codes without it is a single number in your code. Average over the "
            "codes, dimension 0, in both groups."),
    Mistake("labels of -1", lambda z, y: _unit(z[y == 1].mean(0) - z[y == -1].mean(0)),
            "No label is −1, so one group is empty and its mean is NaN. Here y is 0 or 1."),
    Mistake("wrong axis", _between(lambda z: z.mean(1)), _AXIS),
    Mistake("one mean", _between(lambda z: z.mean()), _AXIS),
    Mistake("row", _between(lambda z: z.mean(0, keepdim=True)),
            "You return a row, (1, d). Without `keepdim` it is (d,)."),
    Mistake("column", _between(lambda z: z.mean(0)[:, None]),
            "You return a column, (d, 1). Asked for is (d,)."),
    Mistake("normalize along dimension 1", _between(_mean, F.normalize),
            "`F.normalize` works along dimension 1 unless told otherwise. A vector has dimension "
            "0 only."),
    Mistake("all pairs", lambda z, y: F.normalize((z[y == 1][:, None] - z[y == 0]).flatten(0, 1)),
            "You return one direction for each pair of codes. Average each group first."),
)  # fmt: skip

EXERCISE = Exercise("attribute_vector", 1, cases, MISTAKES)
