"""The factors of a face: names, ranges, sampling, and the checks on a table of them."""

from typing import NamedTuple

import torch
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.synthetic._checks import as_table, require_range


class Factor(NamedTuple):
    """One column of a table of factors.

    kind "continuous": any float from low to high. kind "discrete": a whole number, one of
    `levels`, counted from low = 0 to high = len(levels) − 1.
    """

    name: str
    kind: str
    low: float
    high: float
    meaning: str
    levels: tuple[str, ...] = ()


def _line(name: str, low: float, high: float, meaning: str) -> Factor:
    return Factor(name, "continuous", low, high, meaning)


def _list(name: str, meaning: str, *levels: str) -> Factor:
    return Factor(name, "discrete", 0, len(levels) - 1, meaning, levels)


FACTORS = (
    _line("background", 0, 1, "sand, coral, rose, lilac, blue, teal, green"),
    _list("shirt", "colour of the shirt", "navy", "teal", "mustard", "brick", "plum", "cream"),
    _line("skin", 0, 1, "deep to pale"),
    _line("width", 0, 1, "narrow to round face"),
    _list(
        "hair_style", "cut of the hair",
        "bald", "buzz", "side", "quiff", "afro", "bob", "long", "bun",
    ),
    _list("hair_color", "of hair, brows and beard",
          "black", "brown", "auburn", "ginger", "blond", "gray"),
    _line("brows", -1, 1, "stern to raised"),
    _line("eyes", 0, 1, "nearly closed to wide open"),
    _list("iris", "colour of the iris", "dark", "hazel", "green", "blue", "gray"),
    _line("smile", -1, 1, "corners of the mouth down to up"),
    _line("mouth", 0, 1, "closed to open"),
    _list("beard", "on chin and lip", "none", "stubble", "moustache", "full"),
    _list("glasses", "on the nose", "none", "round", "square", "tinted"),
    _line("blush", 0, 1, "pale to rosy cheeks"),
    _line("turn", -1, 1, "head turned 15° to the left to 15° to the right of the picture"),
    _line("tilt", -1, 1, "head tilted 9° to the left to 9° to the right of the picture"),
)  # fmt: skip
FACTOR_NAMES = tuple(factor.name for factor in FACTORS)


def sample_factors(n: int, *, seed: int) -> Tensor:
    """Draw n faces: every factor uniform on its range, independent of all others.

    continuous: low + (high − low) U,  discrete: ⌊k U⌋,  U ~ Uniform[0, 1)
    Returns float32 (n, F); the same seed gives the same table. CourseError if n is not a count.
    """
    if not isinstance(n, int) or isinstance(n, bool) or n < 0:
        raise CourseError(f"n must be a whole number of faces, 0 or more, got {n!r}")
    uniform = torch.rand(n, len(FACTORS), generator=torch.Generator().manual_seed(seed))
    columns = []
    for factor, u in zip(FACTORS, uniform.unbind(dim=1), strict=True):
        discrete = factor.kind == "discrete"
        columns.append(
            (u * len(factor.levels)).floor()
            if discrete
            else factor.low + (factor.high - factor.low) * u
        )
    return torch.stack(columns, dim=1)


def check_factors(factors: object) -> Tensor:
    """The table as float32 (n, F), or a CourseError naming the first column that is off."""
    table = as_table(factors, names=FACTOR_NAMES).to(torch.float32)
    for factor, column in zip(FACTORS, table.unbind(dim=1), strict=True):
        require_range(
            column,
            name=factor.name,
            low=factor.low,
            high=factor.high,
            whole=factor.kind == "discrete",
        )
    return table
