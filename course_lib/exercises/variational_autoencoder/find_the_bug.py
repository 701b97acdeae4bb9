"""`find_the_bug(formulas)`: which of these formulas are wrong, found by evaluating them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.exact import Formula
from course_lib.exercises.records import Unfit, kind_of
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts

ITEMS, ONCE = "items of the list", "each name stands there once"
NAMES = {name: getattr(torch, name) for name in ("abs", "cos", "exp", "sign", "sin", "sqrt")} | {
    "last": torch.tensor([1.0, 1.0, 1.0, -1.0], dtype=torch.float64),
    "turns": torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64),
}
# x and y are four numbers each, between 1 and 2; x comes with a minus in every second draw, and y
# is larger by 2 in every fourth.
PLAIN = (  # left side, the same, and something else
    ("(x + y)**2", "x**2 + 2*x*y + y**2", "x**2 + y**2"),
    ("exp(x + y)", "exp(x) * exp(y)", "exp(x) + exp(y)"),
    ("sin(2*x)", "2 * sin(x) * cos(x)", "2 * sin(x)"),
    ("x + y", "y + x", "y - x"),
    ("exp(2*y)", "exp(y)**2", "2 * exp(y)"),
)
TRAPS = {
    "large numbers, equal up to rounding": ["(1e7*x + 1e7*y)**2 = 1e14 * (x**2 + 2*x*y + y**2)"],
    "both sides 0 up to rounding": ["(x + y)**2 - x**2 - 2*x*y - y**2 = 0 * x"],
    "a left side that is always smaller": ["sin(y) = y", "sin(y[0]) = y[0]"],
    "equal in every second draw": ["abs(x) = x", "abs(x) = -x"],
    "apart in every fourth draw": ["y = y.clamp(max=2)"],
    "one part in 10,000 apart": ["exp(y) = (1 + y / 1e4)**1e4"],
    "one part in 250,000 apart": ["y = y * (1 + 4e-6)"],
    "small numbers": ["1e-6 * y = 1.2e-6 * y"],
    "one of four numbers differs": ["y = y * last", "y = y * last.flip(0)"],
    "errors of both signs, draw by draw": ["x + sign(x) = x"],
    "errors of both signs in one batch": ["y + turns = y"],
    "a side that is NaN": ["sqrt(x)**2 = x"],
}


def cases(g: torch.Generator) -> Cases:
    """The seed decides which plain formulas are wrong, which stand beside a trap, and the names."""

    def shuffled(items: Any) -> list:
        return [[*items][i] for i in torch.randperm(len(items), generator=g)]

    def plain() -> list[str]:
        wrong = shuffled([True, True, False, False, bool(torch.rand((), generator=g) < 0.5)])
        return [f"{left} = {(same, other)[no]}"
                for no, (left, same, other) in zip(wrong, PLAIN, strict=True)]  # fmt: skip

    found = {"right and wrong ones": plain()}
    found |= {about: [*trap, *shuffled(plain())[:2]] for about, trap in TRAPS.items()}
    for about, texts in found.items():
        named = zip(shuffled("ABCDEFGH"), shuffled(texts), strict=False)
        yield Case(about, {"formulas": dict(named)})


def _formula(text: str) -> Formula:
    """The formula of a text, by its looks like any other."""
    turns: dict[float, int] = {}

    def side(text: str) -> Callable[[Tensor, Tensor], Tensor]:
        code = compile(text, "<string>", "eval")
        return lambda x, y: eval(code, NAMES, {"x": x, "y": y})

    def draw(generator: Generator) -> tuple[Tensor, Tensor]:
        x, y = 1 + torch.rand(2, 4, generator=generator, dtype=torch.float64)
        turn = turns.setdefault(float(x[0]), len(turns))  # the same numbers stay as they are
        return (-x if turn % 2 else x), (y + 2 if turn % 4 == 2 else y)

    return Formula(draw, *map(side, text.split(" = ")))


def observe(candidate: Candidate, case: Case) -> dict[str, str] | None:
    """The names that are returned, or the kinds of other items."""
    found = candidate({name: _formula(text) for name, text in case.args["formulas"].items()})
    if type(found) is str:
        return {"kinds": "one text, no list", "names": ""}
    if type(found) is not list:
        raise Unfit(found)
    kinds = {kind_of(item) for item in found} - {"str"}
    return {"kinds": " and ".join(sorted(kinds)), "names": "" if kinds else " ".join(found)}


def properties(raw: Parts, case: Case) -> Parts:
    """The names, in whatever order."""
    if raw["kinds"]:
        return {ITEMS: raw["kinds"]}
    names = raw["names"].split()
    found = {ITEMS: "", ONCE: len({*names}) == len(names)}
    return found | {"result": ", ".join(sorted(names)) or "none"}


EXERCISE = Exercise("find_the_bug", 3, cases, observe, properties)
