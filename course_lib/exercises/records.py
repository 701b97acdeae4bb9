"""What a candidate did on one case, as plain JSON, and when two such records are the same."""

import contextlib
import copy
import dataclasses
import io
import linecache
import math
import os
import site
import sys
import sysconfig
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_lib import devices

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
INSTALLED = [sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")]
LIBRARIES = tuple(os.path.realpath(path) + os.sep for path in INSTALLED + site.getsitepackages())
COURSE = f"{os.sep}course_lib{os.sep}"
NAMELESS = ("<frozen", "<string>", "<__array")  # what Python and numpy compile for themselves

# Only values of exactly these types hold numbers: no method of a student's class is asked for any.
TENSORS = (Tensor, nn.Parameter)
WHOLE = (bool, int, np.bool_, *(np.dtype(code).type for code in "bBhHiIlLqQ"))
REAL = (float, *(np.dtype(code).type for code in "efdg"))
RETURNED = tuple(kind for kind in vars(torch.return_types).values() if isinstance(kind, type))
SEQUENCES = (list, tuple, torch.Size, *RETURNED)
MAPPINGS = (dict, OrderedDict, defaultdict)


class Unfit(Exception):
    """Raised by an observation that can do nothing with a result: the record holds the result."""

    def __init__(self, result: Any) -> None:
        super().__init__("unfit")
        self.result = result


@contextlib.contextmanager
def usual_settings() -> Iterator[None]:
    """PyTorch's own default dtype, device and gradients, whatever a notebook has set before."""
    dtype, elsewhere = torch.get_default_dtype(), torch.get_default_device().type != "cpu"
    torch.set_default_dtype(torch.float32)
    try:
        with torch.enable_grad(), torch.device("cpu") if elsewhere else contextlib.nullcontext():
            yield
    finally:
        torch.set_default_dtype(dtype)


def take_record(observe: Callable, candidate: Callable, case: Any, *, seed: int) -> Record:
    """Run one observation on copies of the arguments, with random numbers of its own."""
    own, printed = dataclasses.replace(case, args=_copies(case.args)), io.StringIO()
    with devices.seeded(seed), contextlib.redirect_stdout(printed):
        try:
            try:
                value = plain(observe(candidate, own))
            except Unfit as unfit:
                value = plain(unfit.result)
                value = {"type": kind_of(unfit.result)} if is_named(value) else value
        except (Exception, SystemExit) as error:  # whatever a student's code raises is a result
            if isinstance(error, NotImplementedError) and not error.args:  # torch's have a message
                return {"outcome": "open"}
            return {"outcome": "error", **failure(error)}
    if value is None and printed.getvalue().strip():
        value = {"type": "printed"}
    changed = [name for name in case.args if not _unchanged(case.args[name], own.args[name])]
    if changed:
        return {"outcome": "changed", "names": changed, "value": value}
    return {"outcome": "value", "value": value}


def _copies(args: dict[str, Any]) -> dict[str, Any]:
    """The arguments again, with what they share: a plain tensor copies itself far more quickly."""
    plain = (v for v in args.values() if type(v) is Tensor and v.is_contiguous())
    return copy.deepcopy(args, {id(v): v.clone() for v in plain if not v.requires_grad})


def failure(error: BaseException) -> dict[str, str]:
    """Type and message of an error, and which line of the candidate it came from, if one did."""
    line, own, deepest, trace = "", False, "", error.__traceback__
    while trace is not None:
        deepest = trace.tb_frame.f_code.co_filename
        if not _is_library(deepest):
            own, line = True, linecache.getline(deepest, trace.tb_lineno).strip()[:120]
        trace = trace.tb_next
    message = str(error)
    message = message if len(message) <= 300 else message[:300].rsplit(" ", 1)[0] + " …"
    call = isinstance(error, TypeError) and "argument" in message and COURSE in deepest
    at = "own" if own else "call" if call else "result"
    kind = type(error).__name__
    return {"type": kind, "message": message, "at": at, "line": line}


def _is_library(file: str) -> bool:
    """Whether code of this file is the course's, Python's or a package's."""
    return file.startswith((*LIBRARIES, sys.prefix + os.sep, *NAMELESS)) or COURSE in file


def _unchanged(before: Any, after: Any) -> bool:
    if isinstance(before, Tensor) and isinstance(after, Tensor):  # quicker than number by number
        same_kind = before.shape == after.shape and before.dtype == after.dtype
        return same_kind and (
            torch.equal(before, after)  # the usual case, and much quicker
            or torch.allclose(before, after, rtol=0, atol=0, equal_nan=True)
        )
    return same_value(plain(before), plain(after))


def plain(value: Any) -> Any:
    """A value as JSON: numbers with shape and kind, and unknown things by their type's name."""
    if value is None or type(value) in (bool, str) or is_array(value):
        return value
    if type(value) in MAPPINGS:
        known = (str, *WHOLE, *REAL)
        return {str(k) if type(k) in known else kind_of(k): plain(v) for k, v in value.items()}
    kind = kind_of(value)
    if type(value) in SEQUENCES and any(type(item) in TENSORS for item in value):
        return {"type": f"{kind} of {len(value)} tensors"}
    with contextlib.suppress(TypeError, ValueError, RuntimeError, OverflowError):
        array = _numbers(value)
        return {"shape": list(array.shape), "numbers": array.ravel().tolist(), "kind": kind}
    return {"type": kind}


def _numbers(value: Any) -> np.ndarray:
    """The numbers in a value, as float64. Raises TypeError or ValueError where there are others."""
    if type(value) in TENSORS and not value.is_complex():
        return value.detach().cpu().double().numpy()
    if type(value) in (*WHOLE, *REAL) or (type(value) is np.ndarray and value.dtype.kind in "biuf"):
        return np.asarray(value, dtype=np.float64)
    if type(value) in SEQUENCES:
        return np.array([_numbers(item) for item in value], dtype=np.float64)
    raise TypeError(kind_of(value))


def kind_of(value: Any) -> str:
    """What holds the numbers of a value: "tensor of float32", "array of int64", "float"."""
    kind = type(value)
    if kind in TENSORS:
        return f"tensor of {str(value.dtype).removeprefix('torch.')}"
    if kind is np.ndarray:
        return f"array of {value.dtype}"
    if kind in (complex, np.complex64, np.complex128):
        return "complex number"
    if kind in WHOLE or kind in REAL:  # numpy's float64 is a float like any other
        return "int" if kind in WHOLE else "float"
    return "tuple" if kind in RETURNED else f"{kind.__name__}"  # called "sort", "max", …


def is_array(value: Any) -> bool:
    """Whether a plain value holds numbers."""
    return isinstance(value, dict) and set(value) == {"shape", "numbers", "kind"}


def is_named(value: Any) -> bool:
    """Whether a plain value has parts with names, as observations have."""
    return isinstance(value, dict) and not is_array(value) and set(value) != {"type"}


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
