"""Watches code of a student while trusted code uses it, in a process of their own.

Everything here hangs on closures: classes can be found through `object.__subclasses__`, modules in
`sys.modules`; closures and frames cannot, as reading them is an audit event.

Two things are seen and end the run: reaching into the interpreter (frames, closures, the garbage
collector, raw memory, other processes), through Python's audit events, which nothing can switch
off; and replaced parts of torch, numpy or Python, looked at whenever control comes back to trusted
code. What remains possible is said in GRADING.md: tricks with memory in native code, and names of
attributes that are put together at run time.
"""

from __future__ import annotations

import builtins
import contextlib
import copy
import json
import math
import operator
import random
import sys
from collections.abc import Callable, Iterable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.grading.inside.audit import unwanted
from course_lib.grading.inside.whose import behind_it, codes, is_library, library_folders

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
        found="", armed=False, busy=False, dirty=False, kinds={}, home=library_folders(),
        trusted=codes(modules), getframe=sys._getframe, setprofile=sys.setprofile,
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
        what = unwanted(event, args)
        if what and behind_it(state, state.getframe(2), what):
            _report(state, what)
    finally:
        state.busy = False


def _follow(state: SimpleNamespace, frame: Any, event: str, arg: Any) -> None:
    """Look when a student's code has run and control is back in trusted code."""
    state.busy = True
    try:
        if event == "call":
            state.dirty = state.dirty or not is_library(state, frame.f_code)
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
