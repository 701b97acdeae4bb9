"""Watches code of a student while trusted code uses it, in a process of their own.

Everything here hangs on closures: classes can be found through `object.__subclasses__`, modules in
`sys.modules`; closures and frames cannot, as reading them is an audit event.

Two things are seen and end the run: reaching into the interpreter (frames, closures, the garbage
collector, raw memory, other processes), through Python's audit events, which nothing can switch
off; and replaced parts of torch, numpy or Python, looked at whenever control comes back to trusted
code. What remains possible needs holes in native code.
"""

from __future__ import annotations

import builtins
import contextlib
import copy
import json
import math
import operator
import os
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# Audit events that no answer to an exercise needs.
DENIED = {
    "sys._getframe", "sys._current_frames", "sys._current_exceptions", "sys.settrace",
    "sys.setprofile", "sys.monitoring.register_callback", "sys.addaudithook",
    "gc.get_objects", "gc.get_referrers", "gc.get_referents", "code.__new__", "marshal.loads",
    "object.__getattr__", "object.__setattr__", "object.__delattr__", "_thread.start_new_thread",
    "_thread.start_joinable_thread", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn",
    "os.system", "os.kill", "os.killpg", "subprocess.Popen", "pty.spawn", "signal.pthread_kill",
    "cpython.run_command", "cpython.remote_debugger_script",
}  # fmt: skip
DENIED_MODULES = ("course_lib.exercises.", "course_lib.grading", "ctypes", "_ctypes")
# Library files that do for their caller what the caller may not do.
AGENTS = ("inspect.py", "traceback.py", "threading.py", "subprocess.py", "os.py", "pathlib.py",
          "functools.py", "operator.py", "thread.py", "process.py", "_pytree.py", "runpy.py",
          "types.py", "importlib/__init__.py", "ctypes/__init__.py", "logging/__init__.py",
          "<frozen os>", "<frozen runpy>", "<frozen importlib._bootstrap>")  # fmt: skip
COMPILED_AS = ("<string>", "<unknown>", "<own>", "<needed>")
# By these an object decides what trusted code sees of it.
MAGIC = {"__eq__", "__bool__", "__float__", "__index__", "__array__", "__array_ufunc__",
         "__array_function__", "__torch_function__", "__class__", "__getattribute__"}  # fmt: skip
WATCHED = (
    torch, torch.nn, torch.nn.functional, torch.linalg, torch.autograd, torch.optim, torch.random,
    torch.Tensor, torch._C.TensorBase, torch.Generator, nn.Module, nn.Linear, nn.Parameter,
    torch.optim.Adam, torch.optim.Optimizer, np, np.linalg, builtins, math, copy, json, random,
)  # fmt: skip
OWN_CHANGES = {"manual_seed"}  # which torch replaces itself when it first makes an optimizer
PLAIN_TENSORS = (Tensor, nn.Parameter)


class Tampered(BaseException):
    """The student's code reached for what is none of its business; the message says for what."""


def make_guard(modules: Iterable[ModuleType]) -> Callable[[Callable[[], Any]], tuple[Any, str]]:
    """guarded(action) → (its result or None, "" or what was seen). `modules` are trusted."""
    modules = [*modules]
    own = [v for m in modules for v in vars(m).values() if isinstance(v, type)]
    classes = [c for c in own if c.__module__ in {m.__name__ for m in modules}]
    state = SimpleNamespace(
        found="", armed=False, busy=False, dirty=False, kinds={}, home=_library_folders(),
        trusted=_codes(modules), getframe=sys._getframe, setprofile=sys.setprofile,
        before=[(vars(place), _shape(place),
                 _in_a_class if isinstance(place, type) else _in_a_module(place))
                for place in (*WATCHED, *classes, *modules)],
    )  # fmt: skip

    def hook(event: str, args: tuple) -> None:
        if state.armed and not state.busy:
            _judge_event(state, event, args)

    def profile(frame: Any, event: str, arg: Any) -> None:
        if not state.busy:
            _follow(state, frame, event, arg)

    def guarded(action: Callable[[], Any]) -> tuple[Any, str]:
        result = None
        try:
            state.setprofile(profile)
            state.armed = True
            result = action()
        except Tampered:
            pass
        finally:
            state.armed = False
            state.setprofile(None)
        with contextlib.suppress(Tampered):
            _look(state)
        return result, state.found

    sys.addaudithook(hook)
    return guarded


def _judge_event(state: SimpleNamespace, event: str, args: tuple) -> None:
    """Raise Tampered for an event that is not wanted, if a student's code is behind it."""
    state.busy = True
    try:
        what = _unwanted(event, args)
        if what and _behind_it(state, state.getframe(2)):
            _report(state, what)
    finally:
        state.busy = False


def _unwanted(event: str, args: tuple) -> str:
    """What an event is called where it is not wanted, else ""."""
    first = args[0] if args else None
    if event in DENIED or event.startswith("ctypes."):
        detail = args[1] if event.startswith("object.") and len(args) > 1 else ""
        return f"{event} {detail}".strip()
    if event == "import" and str(first).startswith(DENIED_MODULES):
        return f"import {first}"
    if event == "open" and isinstance(first, str | bytes):
        path = os.path.realpath(os.fsdecode(first))
        return f"open {path}" if path.startswith("/proc") else ""
    if event == "compile" and len(args) > 1 and args[1] not in COMPILED_AS:
        return f"compile as {args[1]}"
    return ""


def _behind_it(state: SimpleNamespace, frame: Any) -> bool:
    """Whether the first frame that is no agent's belongs to a student."""
    while frame is not None:
        if not _is_library(state, frame.f_code):
            return True
        if not frame.f_code.co_filename.endswith(AGENTS):
            return False
        frame = frame.f_back
    return False


def _is_library(state: SimpleNamespace, code: CodeType) -> bool:
    known = state.kinds.get(code)
    if known is None:
        known = code in state.trusted or code.co_filename.startswith(("<frozen", *state.home))
        state.kinds[code] = known
    return known


def _follow(state: SimpleNamespace, frame: Any, event: str, arg: Any) -> None:
    """Look when a student's code has run and control is back in trusted code."""
    state.busy = True
    try:
        if event == "call":
            state.dirty = state.dirty or not _is_library(state, frame.f_code)
        elif state.dirty and event != "c_call":
            back = frame.f_back if event == "return" else frame
            if back is not None and back.f_code in state.trusted:
                state.dirty = False
                _look(state)
                _require_plain(state, arg if event == "return" else None)
    finally:
        state.busy = False


def _look(state: SimpleNamespace) -> None:
    """Report what is no longer as it was before the student's code."""
    for space, (names, values), shadows in state.before:
        if len(space) == len(names) and all(map(operator.is_, space.values(), values)):
            continue
        known = dict(zip(names, values, strict=True))
        changed = [
            name
            for name in names
            if space.get(name, state) is not known[name] and name not in OWN_CHANGES
        ]
        added = [name for name in [*space] if name not in known and shadows(name)]
        if changed or added:
            _report(state, f"replaced {', '.join(map(str, [*changed, *added]))}")
    if torch._C._len_torch_function_stack() or torch._C._len_torch_dispatch_stack():
        _report(state, "a torch mode was left on")


def _require_plain(state: SimpleNamespace, value: Any) -> None:
    for part in value if isinstance(value, tuple | list) else (value,):
        own = [kind for kind in type(part).__mro__ if kind.__module__ == "__main__"]
        strange = any(MAGIC & vars(kind).keys() for kind in own) and not isinstance(part, type)
        if strange or (isinstance(part, Tensor) and type(part) not in PLAIN_TENSORS):
            _report(state, f"returned an object of its own kind, {type(part).__name__}")


def _report(state: SimpleNamespace, what: str) -> None:
    state.found = state.found or what[:120]
    raise Tampered(what)


def _in_a_class(name: str) -> bool:
    """Whether a new attribute of a class matters: any may stand before one of a base class."""
    return name != "__slotnames__"  # which `copy` leaves behind


def _in_a_module(module: ModuleType) -> Callable[[str], bool]:
    """Whether a new name of a module matters: one that stands before a built-in one."""
    return lambda name: module is not builtins and hasattr(builtins, name)


def _shape(place: Any) -> tuple[list, list]:
    return [*vars(place).keys()], [*vars(place).values()]


def _library_folders() -> tuple[str, ...]:
    """Where Python and its packages lie."""
    paths = [path for path in (sys.prefix, sys.base_prefix, *sys.path) if os.path.isdir(path)]
    return tuple({f"{p.rstrip(os.sep)}{os.sep}" for path in paths
                  for p in (path, os.path.realpath(path))})  # fmt: skip


def _codes(modules: Iterable[ModuleType]) -> set[CodeType]:
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
