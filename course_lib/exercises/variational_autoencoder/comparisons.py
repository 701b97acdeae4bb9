"""Answers to `find_the_bug` and their slips in comparing the two sides."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Generator, Tensor

from course_lib.exact import Formula
from course_lib.exercises.spec import Mistake


def close(a: Tensor, b: Tensor) -> bool:
    """The equality that the exercise asks for."""
    return torch.allclose(a, b, rtol=1e-6, atol=1e-9)


def both_sides(formula: Formula, generator: Generator, n: int) -> list[tuple[Tensor, Tensor]]:
    """Both sides on n draws."""
    draws = [formula.draw(generator) for _ in range(n)]
    return [(formula.left(*inputs), formula.right(*inputs)) for inputs in draws]


def judging(
    wrong: Callable[[list[tuple[Tensor, Tensor]]], bool] = lambda sides: any(
        not close(a, b) for a, b in sides
    ),
    *,
    n: int = 8,
    sides: Callable = both_sides,
    report: Callable[[dict[str, Formula], list[str]], object] = lambda formulas, names: names,
) -> Callable:
    """A candidate with another judgement of the sides, other draws, or another report."""

    def candidate(formulas: dict[str, Formula]) -> object:
        g = torch.Generator().manual_seed(0)
        return report(formulas, [k for k, f in formulas.items() if wrong(sides(f, g, n))])

    return candidate


def _far(far: Callable[[Tensor, Tensor], bool]) -> Callable:
    """Wrong if one draw has sides that are far apart in this sense."""
    return judging(lambda sides: any(far(a, b) for a, b in sides))


def _apart(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).abs()


def _mean_apart(sides: Iterable[tuple[Tensor, Tensor]]) -> float:
    return float(torch.stack([(a - b).reshape(-1) for a, b in sides]).mean(0).abs().max())


_LOOSE = (
    "Your tolerance is too loose: a formula that is off by one part in a thousand is wrong. "
    "Rounding of float64 stays far below the relative 1e-6 that is asked for."
)
_ABSOLUTE = (
    "Your tolerance is an absolute one, too loose for small numbers and too tight for large ones. "
    "Compare relative to the size of the sides, as `torch.allclose` does with `rtol`."
)
_CANCEL = (
    "Errors of opposite sign cancel in your mean. Compare the sides number by number and draw by "
    "draw."
)
_NAN = (
    "Every comparison with NaN is false, so a side that is NaN passes as equal. Ask whether the "
    "sides are close, and call wrong what is not."
)
COMPARISONS = (
    Mistake(
        "no absolute value",
        _far(lambda a, b: bool((a - b > 1e-6 * b.abs() + 1e-9).any() | (a - b).isnan().any())),
        "A formula whose left side is smaller passes: the difference needs its absolute value.",
    ),
    Mistake(
        "no absolute value, and NaN",
        _far(lambda a, b: bool((a - b > 1e-6 * b.abs() + 1e-9).any())),
        "A formula whose left side is smaller passes: the difference needs its absolute value. And "
        "what is NaN passes, too.",
    ),
    Mistake(
        "exact equality",
        _far(lambda a, b: not torch.equal(a, b)),
        "You ask for exact equality. Two ways to compute the same number differ by rounding: allow "
        "a relative 1e-6.",
    ),
    *(
        Mistake(
            f"tolerance of {tolerance:g}",
            _far(lambda a, b, t=tolerance: not torch.allclose(a, b, rtol=t, atol=t)),
            _LOOSE,
        )
        for tolerance in (0.1, 0.01)
    ),
    *(
        Mistake(
            f"relative tolerance of {tolerance:g}",
            _far(lambda a, b, t=tolerance: not torch.allclose(a, b, rtol=t, atol=1e-9)),
            _LOOSE,
        )
        for tolerance in (0.1, 0.01)
    ),
    *(
        Mistake(
            f"absolute tolerance of {t:g}{', and NaN' * passes}",
            _far(
                lambda a, b, t=t, passes=passes: (
                    bool((_apart(a, b) > t).any())
                    if passes
                    else not bool((_apart(a, b) <= t).all())
                )
            ),
            _ABSOLUTE,
        )
        for t in (0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6, 1e-8, 1e-9)
        for passes in (False, True)
    ),
    Mistake(
        "no absolute tolerance",
        _far(lambda a, b: not torch.allclose(a, b, rtol=1e-6, atol=0)),
        "Where one side is 0, rounding is infinitely large relative to it. Allow a small absolute "
        "difference as well, `atol`.",
    ),
    Mistake(
        "NaN passes",
        _far(lambda a, b: bool((_apart(a, b) > 1e-6 * b.abs() + 1e-9).any())),
        _NAN,
    ),
    Mistake(
        "NaN taken for equal",
        _far(lambda a, b: not close(a.nan_to_num(), torch.where(a.isnan(), 0, b))),
        _NAN,
    ),
    Mistake(
        "first number only",
        _far(lambda a, b: not close(a.flatten()[0], b.flatten()[0])),
        "You compare the first number of each side only. A side may be a whole batch: compare all "
        "of them.",
    ),
    Mistake(
        "any number equal",
        _far(lambda a, b: not bool(torch.isclose(a, b, rtol=1e-6, atol=1e-9).any())),
        "You call a formula right if any number of a batch agrees. All of them have to.",
    ),
    Mistake(
        "mean over draws",
        judging(
            lambda sides: not _mean_apart(sides) <= 1e-9 + 1e-6 * float(sides[0][1].abs().max())
        ),
        _CANCEL,
    ),
    Mistake(
        "mean over the batch",
        _far(lambda a, b: not close(a.mean(), b.mean())),
        _CANCEL,
    ),
    Mistake("sum over the batch", _far(lambda a, b: not close(a.sum(), b.sum())), _CANCEL),
)
