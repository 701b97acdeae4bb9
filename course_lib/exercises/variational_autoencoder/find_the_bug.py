"""`find_the_bug(formulas)`: which of these formulas are wrong, found by evaluating them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.exact import Formula
from course_lib.exercises.spec import Case, Exercise, Mistake
from course_lib.exercises.variational_autoencoder.claims import CLAIMS
from course_lib.exercises.variational_autoencoder.comparisons import (
    COMPARISONS,
    both_sides,
    close,
    judging,
)

# What stands together in one case; the names and their order come from the seed.
TABLES = (
    (
        "two wrong ones among three",
        ("(x + y)² = x² + 2xy + y²", "(x + y)² = x² + y²", "exp x = x"),
    ),
    (
        "right ones alone, equal up to rounding",
        (
            "(x + y)² = x² + 2xy + y²",
            "½(μ² + σ² − 1 − log σ²) = KL(N(μ, σ²) ‖ N(0, 1))",
        ),
    ),
    ("large numbers, equal up to rounding", ("(x + y)² = x² + 2xy + y², x and y up to 10⁷",)),
    ("both sides 0 up to rounding", ("(x + y)² − x² − 2xy − y² = 0",)),
    ("the left side is always smaller", ("log x = x", "log x = x, for a single number")),
    ("equal at μ = 0, σ = 1 alone", ("½(1 + log σ² − μ² − σ²) = KL(N(μ, σ²) ‖ N(0, 1))",)),
    ("one part in a thousand apart", ("exp x = (1 + x/1000)¹⁰⁰⁰",)),
    ("small numbers", ("10⁻⁶ x = 1.5 · 10⁻⁶ x",)),
    (
        "wrong for one of four numbers",
        ("|x| = x, the last of four negative", "|x| = x, the first of four negative"),
    ),
    ("wrong for some draws only", ("√(x²) = x, each x once with a minus",)),
    ("errors of both signs, draw by draw", ("sin x = x, each x once with a minus",)),
    ("errors of both signs in one batch", ("sin x = x, over a batch that adds up to 0",)),
    ("a side that is NaN", ("(√x)² = x, also for negative x",)),
)


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    found = []
    for about, claims in TABLES:
        letters = ["ABCDEFGH"[i] for i in torch.randperm(8, generator=g)]
        order = [claims[i] for i in torch.randperm(len(claims), generator=g)]
        found.append(Case(about, {"formulas": dict(zip(letters, order, strict=False))}))
    return found


class Counted:
    """A draw that counts how often it is asked."""

    def __init__(self, draw: Callable) -> None:
        self.draw, self.times = draw, 0

    def __call__(self, generator: Generator) -> tuple:
        self.times += 1
        return self.draw(generator)


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """The names that the candidate returns, in whatever order and container."""
    formulas = {name: CLAIMS[text].make() for name, text in case.args["formulas"].items()}
    draws = {name: Counted(formula.draw) for name, formula in formulas.items()}
    counted = {name: f._replace(draw=draws[name]) for name, f in formulas.items()}
    found = candidate(counted)
    several = max(draw.times for draw in draws.values()) > 1
    listed = isinstance(found, list | tuple | set | frozenset)
    if not listed or not all(isinstance(name, str) for name in found):
        kinds = sorted({type(item).__name__ for item in found}) if listed else []
        return {"kind of the result": " of ".join([type(found).__name__, *kinds])}
    names = ", ".join(sorted(set(found))) or "none"
    return {"kind of the result": "names", "wrong formulas": names, "_several draws": several}


def _same_seed(formula: Formula, generator: Generator, n: int) -> list[tuple[Tensor, Tensor]]:
    return [pair for _ in range(n) for pair in both_sides(formula, generator.manual_seed(0), 1)]


def _each_its_own(formula: Formula, generator: Generator, n: int) -> list[tuple[Tensor, Tensor]]:
    pairs = [(formula.draw(generator), formula.draw(generator)) for _ in range(n)]
    return [(formula.left(*a), formula.right(*b)) for a, b in pairs]


def _not_spread(formula: Formula, generator: Generator, n: int) -> list[tuple[Tensor, Tensor]]:
    draws = [formula.draw(generator) for _ in range(n)]
    return [(formula.left(inputs), formula.right(inputs)) for inputs in draws]


def _no_generator(formula: Formula, generator: Generator, n: int) -> list[tuple[Tensor, Tensor]]:
    return both_sides(formula._replace(draw=lambda g: formula.draw()), generator, n)


_KIND = "Return a list of the names of the wrong formulas, and nothing else."
MISTAKES = (
    *COMPARISONS,
    Mistake(
        "right ones returned",
        judging(lambda sides: all(close(a, b) for a, b in sides)),
        "You return the names of the right formulas. Asked for are those whose sides differ.",
    ),
    Mistake(
        "one draw",
        judging(n=1),
        "You compare on one draw. A wrong formula may be right there, as a KL with its sign turned "
        "is at μ = 0, σ = 1: draw several times.",
    ),
    Mistake(
        "same seed for every draw",
        judging(sides=_same_seed),
        "You start the generator at the same seed before every draw, so all draws are the same. "
        "Make one generator, before the loop.",
    ),
    Mistake(
        "wrong in every draw",
        judging(lambda sides: all(not close(a, b) for a, b in sides)),
        "You call a formula wrong only if it fails on every draw. One draw where the sides differ "
        "is enough.",
    ),
    Mistake(
        "stops at the first",
        judging(report=lambda formulas, names: names[:1]),
        "You stop at the first wrong formula. There may be more: collect them, and return after "
        "the loop.",
    ),
    Mistake(
        "each side its own inputs",
        judging(sides=_each_its_own),
        "You draw twice, so that left and right get different inputs. Draw once for both.",
    ),
    Mistake(
        "inputs not spread",
        judging(sides=_not_spread),
        "`draw` returns a tuple of inputs. Spread it into arguments with a star: `f(*inputs)`.",
    ),
    Mistake(
        "draw without generator",
        judging(sides=_no_generator),
        "`draw` takes a generator: make one with `torch.Generator()` and hand it in.",
    ),
    Mistake("everything", judging(lambda sides: True), "You return every name. " + _KIND),
    Mistake("nothing found", judging(lambda sides: False), "You find no wrong formula. " + _KIND),
    Mistake("number", judging(report=lambda formulas, names: len(names)), _KIND),
    Mistake(
        "dictionary",
        judging(report=lambda formulas, names: {k: k in names for k in formulas}),
        _KIND,
    ),
    Mistake(
        "formulas themselves",
        judging(report=lambda formulas, names: [formulas[name] for name in names]),
        f"You return the formulas. {_KIND}",
    ),
    Mistake(
        "truth values",
        judging(report=lambda formulas, names: [name in names for name in formulas]),
        f"You return truth values. {_KIND}",
    ),
    Mistake(
        "one name",
        judging(report=lambda formulas, names: names[0] if names else ""),
        f"You return one name. {_KIND}",
    ),
    Mistake("None", judging(report=lambda formulas, names: None), f"You return nothing. {_KIND}"),
)

EXERCISE = Exercise(
    "find_the_bug",
    3,
    cases,
    MISTAKES,
    observe=observe,
    property_hints={"kind of the result": _KIND},
)
