"""Whose code runs: the grader's, a library's or a student's."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any

# Library files that do for their caller what the caller may not do.
AGENTS = ("inspect.py", "traceback.py", "threading.py", "subprocess.py", "os.py", "pathlib.py",
          "functools.py", "operator.py", "thread.py", "process.py", "_pytree.py", "runpy.py",
          "types.py", "importlib/__init__.py", "ctypes/__init__.py", "logging/__init__.py",
          "<frozen os>", "<frozen runpy>", "<frozen importlib._bootstrap>")  # fmt: skip
# Functions of these that keep to themselves what they take: a line in a log, a printed error.
WALKERS = {"extract", "_extract_from_extended_frame_gen"}  # of a traceback
FOR_THEMSELVES = {
    "sys._getframe": {"findCaller"},
    "object.__getattr__ tb_frame": WALKERS,
    "object.__getattr__ f_code": {"findCaller", *WALKERS},
}


def behind_it(state: SimpleNamespace, frame: Any, what: str) -> bool:
    """Whether the first frame that is no agent's belongs to a student."""
    for_themselves = FOR_THEMSELVES.get(what, ())
    while frame is not None:
        if not is_library(state, frame.f_code):
            return True
        code = frame.f_code
        if not code.co_filename.endswith(AGENTS) or code.co_name in for_themselves:
            return False
        frame = frame.f_back
    return False


def is_library(state: SimpleNamespace, code: CodeType) -> bool:
    """Whether code is the grader's own, or lies where Python and its packages do."""
    known = state.kinds.get(code)
    if known is None:
        known = code in state.trusted or code.co_filename.startswith(("<frozen", *state.home))
        state.kinds[code] = known
    return known


def library_folders() -> tuple[str, ...]:
    """Where Python and its packages lie."""
    paths = [path for path in (sys.prefix, sys.base_prefix, *sys.path) if os.path.isdir(path)]
    return tuple({f"{p.rstrip(os.sep)}{os.sep}" for path in paths
                  for p in (path, os.path.realpath(path))})  # fmt: skip


def codes(modules: Iterable[ModuleType]) -> set[CodeType]:
    """Every code object of these modules, with those inside them."""
    found: set[CodeType] = set()
    todo = [code for module in modules for code in _functions(module)]
    while todo:
        code = todo.pop()
        if code not in found:
            found.add(code)
            todo += [const for const in code.co_consts if isinstance(const, CodeType)]
    return found


def _functions(module: ModuleType) -> Iterator[CodeType]:
    for value in vars(module).values():
        for part in (value, *(vars(value).values() if isinstance(value, type) else ())):
            part = getattr(part, "__wrapped__", getattr(part, "__func__", part))
            if isinstance(getattr(part, "__code__", None), CodeType):
                yield part.__code__
