"""The reference of each exercise: the code of its cell in `solutions/`, written only there."""

from __future__ import annotations

import functools
import linecache
import math
import re
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.distributions import log_normal
from course_lib.errors import CourseError
from course_lib.exact import Formula

SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions"
CELL = re.compile(r"^# %%(?P<header>.*)$", re.MULTILINE)
EXERCISE = re.compile(r'exercise="(?P<name>\w+)"')
# What the notebooks import before their first exercise.
WORLD = {
    "torch": torch, "F": F, "Tensor": Tensor, "nn": nn, "math": math, "Callable": Callable,
    "log_normal": log_normal, "Formula": Formula,
}  # fmt: skip


def reference(name: str) -> Callable:
    """The solution of this exercise, compiled from its notebook's source."""
    for source in sorted(SOLUTIONS.glob("[0-9]*.py")):
        found = _references(source, source.stat().st_mtime_ns)
        if name in found:
            return found[name]
    raise CourseError(f"no solution of '{name}' in {SOLUTIONS.name}/: restore the course's folder")


def exercise_cells(text: str) -> dict[str, str]:
    """Name to source of every exercise cell in a py:percent text, blank lines kept in place."""
    marks = [*CELL.finditer(text)]
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    cells = {}
    for mark, end in zip(marks, ends, strict=True):
        exercise = EXERCISE.search(mark["header"])
        if exercise:
            # Lines stay at their numbers, so that a traceback points into the source.
            cells[exercise["name"]] = (
                "\n" * text.count("\n", 0, mark.end()) + text[mark.end() : end]
            )
    return cells


@functools.cache
def _references(source: Path, _changed: int) -> dict[str, Callable]:
    """All references of one notebook; later exercises may call earlier ones."""
    linecache.checkcache(str(source))
    world = {**WORLD, "__name__": "course_lib.exercises.references"}
    found = {}
    for name, code in exercise_cells(source.read_text(encoding="utf-8")).items():
        exec(compile(code, str(source), "exec"), world)
        found[name] = world[name]
    return found
