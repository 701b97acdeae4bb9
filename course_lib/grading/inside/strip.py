"""Forget what the sandbox does not need of the exercises: mistakes, hints, building blocks of both.

Many a mistake is nearly the answer. What a case or an observation uses stays, everything else that
the exercises' modules hold is dropped before a student's code runs.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

PREFIX = "course_lib.exercises"


def strip(exercises: dict[str, Any]) -> None:
    """Leave of each exercise its cases and observations, and of its modules what these use."""
    used: dict[int, set[str]] = {}
    seen: set[int] = set()
    spec = sys.modules[f"{PREFIX}.spec"]
    todo: list[Any] = [spec.Exercise.records, spec.Case, spec.call]
    todo += [part for exercise in exercises.values() for part in (exercise.cases, exercise.observe)]
    while todo:
        thing = todo.pop()
        if id(thing) not in seen:
            seen.add(id(thing))
            todo += _parts(thing, used)
    for name, exercise in exercises.items():
        bare = {"mistakes": (), "property_hints": {}, "remark": None}
        exercises[name] = dataclasses.replace(exercise, **bare)
    for module in _modules():
        kept = used.get(id(vars(module)), set()) | {"Exercise", "dataclass"}
        kept |= {"EXERCISES"} if module.__name__ == PREFIX else set()  # the others' hold mistakes
        for name in [*vars(module)]:
            if not name.startswith("__") and name not in kept:
                delattr(module, name)
    spec.Exercise.judge = spec.Exercise.check = spec.Exercise.reference = None
    gc.collect()  # classes refer to themselves


def _parts(thing: Any, used: dict[int, set[str]]) -> Iterator[Any]:
    """What a function, class or container needs; names that it looks up are noted in `used`."""
    if isinstance(thing, functools.partial):
        yield from (thing.func, *thing.args, *thing.keywords.values())
    elif hasattr(thing, "__wrapped__") and not isinstance(thing, type):
        yield thing.__wrapped__
    elif isinstance(thing, FunctionType):
        for name in _names(thing.__code__):
            if name in thing.__globals__:
                used.setdefault(id(thing.__globals__), set()).add(name)
                yield thing.__globals__[name]
        yield from (cell.cell_contents for cell in thing.__closure__ or ())
        yield from (*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values())
    elif isinstance(thing, type) and thing.__module__.startswith(PREFIX):
        yield from (*thing.__bases__, *vars(thing).values())
        used.setdefault(id(vars(sys.modules[thing.__module__])), set()).add(thing.__name__)
    elif isinstance(thing, dict | list | tuple):
        yield from thing.values() if isinstance(thing, dict) else thing
    elif dataclasses.is_dataclass(thing) and type(thing).__module__.startswith(PREFIX):
        yield from (type(thing), *vars(thing).values())
    elif isinstance(thing, staticmethod | classmethod | property):
        yield from (getattr(thing, "__func__", None), getattr(thing, "fget", None))


def _names(code: CodeType) -> set[str]:
    """Names that code looks up, with those of the functions inside it."""
    inner = (const for const in code.co_consts if isinstance(const, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _modules() -> list[ModuleType]:
    return [module for name, module in sys.modules.items() if name.startswith(PREFIX)]
