"""`find_the_bug(formulas)`: which of these formulas are wrong, found by evaluating them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.exact import Formula
from course_lib.exercises.spec import Case, Exercise

ITEMS, ONCE = "items of the list", "each name stands there once"
HINTS = {
    ITEMS: "Return the names of the wrong formulas, the keys of the dictionary, in a list.",
    ONCE: "A name stands in your list more than once. Once a formula is found wrong, go on to the "
    "next one: which loop does your `append` stand in?",
    "result": "These are not the names of the wrong formulas. Print both sides of one that you "
    "judge otherwise: how close are they, in which numbers, and in how many draws?",
}
NAMES = {name: getattr(torch, name) for name in ("abs", "cos", "exp", "sign", "sin", "sqrt")} | {
    "last": torch.tensor([1.0, 1.0, 1.0, -1.0], dtype=torch.float64),
    "turns": torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64),
}
# x and y are four numbers each, between 1 and 2; x comes with a minus in every second draw.
PLAIN = (
    "(x + y)**2 = x**2 + 2*x*y + y**2",
    "(x + y)**2 = x**2 + y**2",
    "exp(x + y) = exp(x) * exp(y)",
    "exp(x + y) = exp(x) + exp(y)",
    "sin(2*x) = 2 * sin(x) * cos(x)",
    "sin(2*x) = 2 * sin(x)",
    "x + y = y + x",
)
TRAPS = {
    "large numbers, equal up to rounding": ["(1e7*x + 1e7*y)**2 = 1e14 * (x**2 + 2*x*y + y**2)"],
    "both sides 0 up to rounding": ["(x + y)**2 - x**2 - 2*x*y - y**2 = 0 * x"],
    "a left side that is always smaller": ["sin(y) = y", "sin(y[0]) = y[0]"],
    "equal in every second draw": ["abs(x) = x", "abs(x) = -x"],
    "one part in 10,000 apart": ["exp(y) = (1 + y / 1e4)**1e4"],
    "small numbers": ["1e-6 * y = 1.5e-6 * y"],
    "one of four numbers differs": ["y = y * last", "y = y * last.flip(0)"],
    "errors of both signs, draw by draw": ["x + sign(x) = x"],
    "errors of both signs in one batch": ["y + turns = y"],
    "a side that is NaN": ["sqrt(x)**2 = x"],
}


def cases(seed: int) -> list[Case]:
    """Traps among plain formulas, of which the seed chooses, as it does names and order."""
    g = torch.Generator().manual_seed(seed)

    def shuffled(items: Any) -> list:
        return [[*items][i] for i in torch.randperm(len(items), generator=g)]

    found = {"right and wrong ones": [*PLAIN]}
    found |= {about: [*trap, *shuffled(PLAIN)[:2]] for about, trap in TRAPS.items()}
    return [
        Case(about, {"formulas": dict(zip(shuffled("ABCDEFGH"), shuffled(texts), strict=False))})
        for about, texts in found.items()
    ]


def _formula(text: str) -> Formula:
    """The formula of a text, by its looks like any other."""
    turns: dict[float, int] = {}

    def side(text: str) -> Callable[[Tensor, Tensor], Tensor]:
        code = compile(text, "<string>", "eval")
        return lambda x, y: eval(code, NAMES, {"x": x, "y": y})

    def draw(generator: Generator) -> tuple[Tensor, Tensor]:
        x, y = 1 + torch.rand(2, 4, generator=generator, dtype=torch.float64)
        turn = turns.setdefault(float(x[0]), len(turns))  # the same numbers keep their sign
        return (-x if turn % 2 else x), y

    return Formula(draw, *map(side, text.split(" = ")))


def observe(candidate: Callable, case: Case) -> dict[str, Any] | None:
    """The names, in whatever order."""
    found = candidate({name: _formula(text) for name, text in case.args["formulas"].items()})
    if not isinstance(found, list):
        return None if found is None else {"type": type(found).__name__}
    kinds = {type(item).__name__ for item in found} or {"str"}
    if kinds != {"str"}:
        return {ITEMS: " and ".join(sorted(kinds))}
    names = ", ".join(sorted(found)) or "none"
    return {ITEMS: "str", ONCE: len(set(found)) == len(found), "result": names}


EXERCISE = Exercise("find_the_bug", 3, cases, observe, HINTS)
