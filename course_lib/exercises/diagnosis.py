"""What to say about a wrong answer that is none of the known mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from course_lib.exercises.records import Record, finite, is_array, same_value

# What Python's own messages mean to somebody who meets them for the first time.
ERROR_HINTS = (
    ("before Module.__init__() call", "Call `super().__init__()` first in `__init__`."),
    ("has no attribute", "A name is missing: is every method of the signature there, spelled so?"),
    ("argument 'keepdim'", "Several dimensions go into one tuple, as in `(1, 2)`."),
    ("sum() takes", "Several dimensions go into one tuple, as in `(1, 2)`."),
    ("positional argument", "The arguments do not fit: compare your signature with the given one."),
    ("unexpected keyword", "The arguments do not fit: compare your signature with the given one."),
    ("shapes cannot be multiplied", "The shapes do not fit: write each one beside its line."),
    ("must match the size", "The shapes do not fit: write each one beside its line."),
    ("size mismatch", "The shapes do not fit: write each one beside its line."),
    ("does not require grad", "The loss has lost its graph: is there a `.detach()` or `no_grad`?"),
    ("only for scalar outputs", "The loss is not one number: after `.sum(1)` take `.mean()`."),
    ("graph a second time", "Call `loss.backward()` once in a step."),
    ("must be Tensor, not", "That function takes a tensor; for a plain number take `math`."),
    ("same dtype", "Leave out `.float()` and `.double()`: keep the dtype of the input."),
    ("Could not infer dtype of builtin", "A method is not called: `loss.item()` needs brackets."),
    (
        "is ambiguous",
        "A tensor of several numbers is neither true nor false: in place of `if`, `max` "
        "or `min` take `torch.where` or `clamp`.",
    ),
    ("got (Tensor, float)", "A plain number stands where torch wants a tensor; `clamp` takes one."),
    (
        "only one element tensors",
        "This function wants one number: take the one of torch, which "
        "works on every number of a tensor.",
    ),
    (
        "constraint GreaterThan(lower_bound=0.0)",
        "A scale is 0 or below: σ is the exponential of ½ log σ².",
    ),
    ("is not defined", "A name is used before it exists: run the cells above, check the spelling."),
)


def generic_hint(
    obtained: Record,
    expected: Record,
    *,
    rtol: float,
    atol: float,
    ratio: float | None = None,
    property_hints: Mapping[str, str] | None = None,
) -> str:
    """The most telling difference between two records.

    ratio: the one factor that explains all cases, if there is one; property_hints: what a named
    property says where it is not as it should be.
    """
    if obtained["outcome"] == "error":
        return _error_hint(obtained)
    if obtained["outcome"] == "changed":
        return f"Your code changes its input {', '.join(obtained['names'])}: work on a copy."
    key, got, want = _differing_part(obtained["value"], expected["value"], rtol=rtol, atol=atol)
    if property_hints and key in property_hints:
        return property_hints[key]
    if got is None:
        return "Your function returns nothing (`None`): is there a `return`?"
    if is_array(want):
        return _array_hint(got, want, rtol=rtol, atol=atol, ratio=ratio)
    return "The values differ; compare the two lines."


def first_difference(
    obtained: Record, expected: Record, *, rtol: float, atol: float
) -> tuple[str, str]:
    """The obtained and the expected value in short form, of the first part that differs."""
    if obtained["outcome"] == "error":
        return f"{obtained['type']}: {obtained['message']}", ""
    if obtained["outcome"] == "changed":
        return f"input {', '.join(obtained['names'])} changed", "inputs unchanged"
    key, got, want = _differing_part(obtained["value"], expected["value"], rtol=rtol, atol=atol)
    label = f"{key}: " if key else ""
    digits = 4 if short(got) != short(want) else 9
    return f"{label}{short(got, digits=digits)}", f"{label}{short(want, digits=digits)}"


def short(value: Any, *, most: int = 6, digits: int = 4) -> str:
    """A plain value in one line: its shape and its first numbers."""
    if not is_array(value):
        return str(value["type"]) if isinstance(value, dict) and "type" in value else str(value)
    numbers, shape = value["numbers"], tuple(value["shape"])
    text = ", ".join(f"{number:.{digits}g}" for number in numbers[:most])
    more = ", …" if len(numbers) > most else ""
    return text if not shape else f"[{text}{more}]  shape {shape}"


def _differing_part(got: Any, want: Any, *, rtol: float, atol: float) -> tuple[str, Any, Any]:
    """Name, obtained and expected value of the first part that differs; the whole has no name."""
    if isinstance(want, dict) and not is_array(want) and isinstance(got, dict):
        for key in want:
            same = key in got and same_value(got[key], want[key], rtol=rtol, atol=atol)
            if not key.startswith("_") and not same:
                return key, got.get(key, {"type": "missing"}), want[key]
    return "", got, want


def common_ratio(obtained: list[Record], expected: list[Record]) -> float | None:
    """The one factor between the numbers of all cases, if there is one other than 1."""
    ratios = []
    for a, b in zip(obtained, expected, strict=True):
        got, want = a.get("value"), b.get("value")
        if not (is_array(got) and is_array(want) and got["shape"] == want["shape"] and finite(got)):
            return None
        solid = np.abs(want["numbers"]) > 1e-6
        ratios += [*(np.array(got["numbers"])[solid] / np.array(want["numbers"])[solid])]
    same = len(ratios) > 0 and np.allclose(ratios, ratios[0], rtol=1e-3)
    return float(ratios[0]) if same and not np.isclose(ratios[0], 1) else None


def _array_hint(got: Any, want: dict, *, rtol: float, atol: float, ratio: float | None) -> str:
    if not is_array(got):
        kind = got.get("type", "dict") if isinstance(got, dict) else type(got).__name__
        return f"Your result is a {kind}, not a tensor of numbers."
    if got["shape"] != want["shape"]:
        return f"Your result has shape {tuple(got['shape'])}, expected {tuple(want['shape'])}."
    if not finite(got):
        causes = "divides by 0, takes the logarithm of 0 or overflows in `exp`"
        return f"Your result has NaN or infinity in it: which step {causes}?"
    if ratio is not None:
        return f"Everywhere your result is {ratio:.4g} times the expected one."
    if not want["shape"]:
        return "The number is not the expected one; compare the two lines."
    a, b = np.array(got["numbers"]), np.array(want["numbers"])
    where = int(np.argmax(~np.isclose(a, b, rtol=rtol, atol=atol)))
    index = tuple(int(i) for i in np.unravel_index(where, tuple(want["shape"]) or (1,)))
    return f"The shape is right; the first number that differs is at index {index}."


def _error_hint(record: Record) -> str:
    for part, hint in ERROR_HINTS:
        if part in record["message"]:
            return f"Your code raises {record['type']}. {hint}"
    return f"Your code raises {record['type']}: {record['message']}"
