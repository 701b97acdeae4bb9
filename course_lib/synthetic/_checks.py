"""What both kinds of picture ask of a table of factors before they draw."""

from collections.abc import Sequence

import torch
from torch import Tensor

from course_lib.errors import CourseError


def as_table(factors: object, *, names: Sequence[str]) -> Tensor:
    """A finite (n, F) tensor with one column per name, or a CourseError of one line."""
    try:
        table = torch.as_tensor(factors)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CourseError(f"factors must be a table of numbers: {error}".splitlines()[0]) from None
    if table.ndim != 2 or table.shape[1] != len(names):
        shape = tuple(table.shape)
        raise CourseError(
            f"factors must have shape (n, {len(names)}), one column per name of FACTOR_NAMES; "
            f"got {shape}"
        )
    if table.is_complex() or table.dtype == torch.bool:
        raise CourseError(f"factors must be real numbers, not {table.dtype}")
    if not bool(torch.isfinite(table).all()):
        raise CourseError("factors contain NaN or infinity; give finite numbers")
    return table


def require_range(column: Tensor, *, name: str, low: float, high: float, whole: bool) -> None:
    """Refuse a column with a value outside [low, high], or with a fraction where `whole`."""
    bad = (column < low) | (column > high)
    kind = "from"
    if whole:
        bad |= column != column.round()
        kind = "a whole number from"
    if bool(bad.any()):
        value = column[bad][0].item()
        raise CourseError(f"factor '{name}' must be {kind} {low:g} to {high:g}, got {value:g}")
