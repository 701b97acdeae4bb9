"""What a candidate did on one case, as plain JSON, and when two such records are the same."""

from __future__ import annotations

import copy
import math
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

# {"outcome": "value", "value": …}, {"outcome": "error", "type": …, "message": …} or "open"
Record = dict[str, Any]


def take_record(observe: Callable, candidate: Callable, case: Any, *, seed: int) -> Record:
    """Run one observation on copies of the arguments, with random numbers of its own."""
    own = copy.deepcopy(case)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # `torch.manual_seed` would reseed GPUs for good
        try:
            value = plain(observe(candidate, own))
        except (Exception, SystemExit) as error:  # whatever a student's code raises is a result
            if isinstance(error, NotImplementedError) and not error.args:  # torch's have a message
                return {"outcome": "open"}
            return {"outcome": "error", "type": type(error).__name__, "message": str(error)[:300]}
    changed = [name for name in case.args if not _unchanged(case.args[name], own.args[name])]
    if changed:
        return {"outcome": "changed", "names": changed}
    return {"outcome": "value", "value": value}


def _unchanged(before: Any, after: Any) -> bool:
    if isinstance(before, Tensor) and isinstance(after, Tensor):  # quicker than number by number
        same_kind = before.shape == after.shape and before.dtype == after.dtype
        return same_kind and torch.allclose(before, after, rtol=0, atol=0, equal_nan=True)
    return same_value(plain(before), plain(after))


def plain(value: Any) -> Any:
    """A value as JSON: tensors as shape and numbers, and unknown things by their type's name."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, tuple) and any(isinstance(item, Tensor) for item in value):
        return {"type": f"{type(value).__name__} of {len(value)} tensors"}
    if np.iscomplexobj(value):
        return {"type": "complex number"}
    if isinstance(value, numbers.Number | np.ndarray | np.generic | list | tuple):
        try:
            array = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            return {"type": type(value).__name__}
        return {"shape": list(array.shape), "numbers": array.ravel().tolist()}
    return {"type": type(value).__name__}


def is_array(value: Any) -> bool:
    """Whether a plain value holds numbers."""
    return isinstance(value, dict) and set(value) == {"shape", "numbers"}


def same_value(
    a: Any, b: Any, *, rtol: float = 0.0, atol: float = 0.0, clues: bool = False
) -> bool:
    """Equal in structure and shape, and close in every number; NaN equals NaN.

    Parts whose name begins with an underscore are clues: no part of being right, but they tell
    one mistake from another. They count only with `clues`.
    """
    if is_array(a) and is_array(b):
        if a["shape"] != b["shape"]:
            return False
        if a["numbers"] == b["numbers"]:  # the usual case, and much quicker
            return True
        return bool(np.allclose(a["numbers"], b["numbers"], rtol=rtol, atol=atol, equal_nan=True))
    if isinstance(a, dict) and isinstance(b, dict):
        keys = [key for key in {**a, **b} if clues or not key.startswith("_")]
        return all(
            key in a and key in b and same_value(a[key], b[key], rtol=rtol, atol=atol, clues=clues)
            for key in keys
        )
    return type(a) is type(b) and a == b


def same_record(a: Record, b: Record, *, rtol: float, atol: float, clues: bool = False) -> bool:
    """Both the same value, or both the same kind of failure."""
    if a["outcome"] != b["outcome"]:
        return False
    if a["outcome"] == "value":
        return same_value(a["value"], b["value"], rtol=rtol, atol=atol, clues=clues)
    keys = ("type", "names", "message") if clues else ("type", "names")
    return all(a.get(key) == b.get(key) for key in keys)


def finite(array: dict) -> bool:
    """Whether every number of a plain array is finite."""
    return all(math.isfinite(number) for number in array["numbers"])
