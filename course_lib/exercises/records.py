"""What a candidate did on one case, as plain JSON, and when two such records are the same."""

import contextlib
import copy
import io
import linecache
import math
import numbers
import os
import site
import sys
import sysconfig
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

# One of these, by "outcome":
#   value    what the observation gave, under "value"
#   error    "type", "message", "line", and "at": whether a line of the candidate raised it ("own"),
#            the call did not fit its signature ("call") or the result was of no use ("result")
#   changed  "names" of the arguments that the candidate changed, and "value"
#   open     not attempted
Record = dict[str, Any]
STANDARD_ERRORS = 6.0  # how far an estimate may lie from the truth: missed once in 10⁹ draws
SAME_ERRORS = 3.0  # how far from that of a known mistake, to be called by its name
WIDEST = 5.0  # times the reference's standard error that a candidate's may be
LIBRARIES = tuple(
    {
        f"{os.path.realpath(path)}{os.sep}"
        for path in (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"),
                     sysconfig.get_path("platlib"), *site.getsitepackages())
    }
)  # fmt: skip
COURSE = f"{os.sep}course_lib{os.sep}"
NAMELESS = ("<frozen", "<string>", "<__array")  # what Python and numpy compile for themselves


class Unfit(Exception):
    """Raised by an observation that can do nothing with a result: the record holds the result."""

    def __init__(self, result: Any) -> None:
        super().__init__("unfit")
        self.result = result


def take_record(observe: Callable, candidate: Callable, case: Any, *, seed: int) -> Record:
    """Run one observation on copies of the arguments, with random numbers of its own."""
    own, printed = copy.deepcopy(case), io.StringIO()
    with torch.random.fork_rng(devices=[]), contextlib.redirect_stdout(printed):
        torch.default_generator.manual_seed(seed)  # `torch.manual_seed` would reseed GPUs for good
        try:
            try:
                value = plain(observe(candidate, own))
            except Unfit as unfit:
                value = plain(unfit.result)
        except (Exception, SystemExit) as error:  # whatever a student's code raises is a result
            if isinstance(error, NotImplementedError) and not error.args:  # torch's have a message
                return {"outcome": "open"}
            return {"outcome": "error", **_failure(error)}
    if value is None and printed.getvalue().strip():
        value = {"type": "printed"}
    changed = [name for name in case.args if not _unchanged(case.args[name], own.args[name])]
    if changed:
        return {"outcome": "changed", "names": changed, "value": value}
    return {"outcome": "value", "value": value}


def _failure(error: BaseException) -> dict[str, str]:
    """Type and message of an error, and which line of the candidate it came from, if one did."""
    line, own, deepest, trace = "", False, "", error.__traceback__
    while trace is not None:
        deepest = trace.tb_frame.f_code.co_filename
        if not _is_library(deepest):
            own, line = True, linecache.getline(deepest, trace.tb_lineno).strip()[:120]
        trace = trace.tb_next
    call = isinstance(error, TypeError) and "argument" in str(error) and COURSE in deepest
    at = "own" if own else "call" if call else "result"
    kind = type(error).__name__
    return {"type": kind, "message": str(error)[:300], "at": at, "line": line}


def _is_library(file: str) -> bool:
    """Whether code of this file is the course's, Python's or a package's."""
    return file.startswith((*LIBRARIES, sys.prefix + os.sep, *NAMELESS)) or COURSE in file


def _unchanged(before: Any, after: Any) -> bool:
    if isinstance(before, Tensor) and isinstance(after, Tensor):  # quicker than number by number
        same_kind = before.shape == after.shape and before.dtype == after.dtype
        return same_kind and torch.allclose(before, after, rtol=0, atol=0, equal_nan=True)
    return same_value(plain(before), plain(after))


def plain(value: Any) -> Any:
    """A value as JSON: numbers with shape and kind, and unknown things by their type's name."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    kind = kind_of(value)
    if isinstance(value, Tensor) and not value.is_complex():
        value = value.detach().cpu().double().numpy()
    if isinstance(value, list | tuple) and any(isinstance(item, Tensor) for item in value):
        return {"type": f"{kind} of {len(value)} tensors"}
    if isinstance(value, numbers.Number | np.ndarray | np.generic | list | tuple):
        with contextlib.suppress(TypeError, ValueError):
            if not np.iscomplexobj(value):
                array = np.asarray(value, dtype=np.float64)
                return {
                    "shape": list(array.shape), "numbers": array.ravel().tolist(), "kind": kind
                }  # fmt: skip
    return {"type": kind}


def kind_of(value: Any) -> str:
    """What holds the numbers of a value: "tensor of float32", "array of int64", "float"."""
    if isinstance(value, Tensor):
        return f"tensor of {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, np.ndarray):
        return f"array of {value.dtype}"
    if isinstance(value, numbers.Number | np.generic):  # numpy's float64 is a float like any other
        whole = isinstance(value, numbers.Integral)
        return "int" if whole else "float" if isinstance(value, numbers.Real) else "complex number"
    named = type(value).__module__ == "torch.return_types"  # a tuple called "sort", "max", …
    return "tuple" if named else type(value).__name__


def estimate(draws: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Independent estimates of `truth` in rows: what is compared is their mean, (R, …) to (…).

    The truth of the judge's own record counts, and the standard error of the candidate's mean.
    """
    mean, spread = draws.double().mean(0), draws.double().std(0)
    return {"mean": mean, "standard error": spread / len(draws) ** 0.5, "truth": truth.double()}


def is_array(value: Any) -> bool:
    """Whether a plain value holds numbers."""
    return isinstance(value, dict) and set(value) == {"shape", "numbers", "kind"}


def is_estimate(value: Any) -> bool:
    """Whether a plain value is an estimate with its standard error."""
    return isinstance(value, dict) and set(value) == {"mean", "standard error", "truth"}


def same_value(
    a: Any, b: Any, *, rtol: float = 0.0, atol: float = 0.0, clues: bool = False
) -> bool:
    """Equal in structure, kind and shape, and close in every number; NaN equals NaN.

    b is what is expected. Parts whose name begins with an underscore are clues: no part of being
    right, but with `clues` they tell one mistake from another.
    """
    if is_array(a) and is_array(b):
        if a["shape"] != b["shape"] or not same_kind(a, b):
            return False
        if a["numbers"] == b["numbers"]:  # the usual case, and much quicker
            return True
        return bool(np.allclose(a["numbers"], b["numbers"], rtol=rtol, atol=atol, equal_nan=True))
    if is_estimate(a) and is_estimate(b):
        return _same_estimate(a, b, with_own_error=clues)
    if isinstance(a, dict) and isinstance(b, dict):
        keys = [key for key in {**a, **b} if clues or not key.startswith("_")]
        return all(
            key in a and key in b and same_value(a[key], b[key], rtol=rtol, atol=atol, clues=clues)
            for key in keys
        )
    return type(a) is type(b) and a == b


def same_kind(a: dict, b: dict) -> bool:
    """Whether numbers come as they should: a tensor as a tensor, one plain number in any way."""
    if a["kind"] == b["kind"]:
        return True
    if b["kind"] not in ("int", "float") or a["kind"] in ("list", "tuple"):
        return False
    return b["kind"] == "float" or "int" in a["kind"]


def _same_estimate(a: dict, b: dict, *, with_own_error: bool) -> bool:
    """Whether a lies at the truth of b; among wrong answers, whether both lie at the same place."""
    if a["mean"]["shape"] != b["mean"]["shape"]:
        return False
    mean, error = (np.array(a[key]["numbers"]) for key in ("mean", "standard error"))
    other = np.array(b["mean" if with_own_error else "truth"]["numbers"])
    known = np.array(b["standard error"]["numbers"])
    # An answer that drowns in noise lies near everything: its own error counts only so far.
    error = np.hypot(error, known) if with_own_error else np.minimum(error, WIDEST * known)
    errors = SAME_ERRORS if with_own_error else STANDARD_ERRORS
    return bool((np.abs(mean - other) <= errors * error + 1e-9).all())


def same_record(a: Record, b: Record, *, rtol: float, atol: float, clues: bool = False) -> bool:
    """Both the same value, or both the same failure."""
    if a["outcome"] != b["outcome"]:
        return False
    same = all(a.get(key) == b.get(key) for key in ("type", "message", "at", "names"))
    if "value" not in a:
        return same
    return same and same_value(a["value"], b["value"], rtol=rtol, atol=atol, clues=clues)


def finite(array: dict) -> bool:
    """Whether every number of a plain array is finite."""
    return all(math.isfinite(number) for number in array["numbers"])
