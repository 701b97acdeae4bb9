"""PyTorch's compiler, imported when something is compiled and not by every optimizer.

The first `torch.optim.Adam` of a process, its first `torch.func.grad`, and `import torchvision`
import `torch._dynamo` for functions that do nothing where no code is compiled: that takes longer
than importing torch itself (4 s in place of 0.4 s). So modules with these functions stand in its
place, until anything else of it is asked for: then it is imported as ever.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

PACKAGE = "torch._dynamo"
STOOD_IN = (PACKAGE, f"{PACKAGE}.utils", f"{PACKAGE}.compiled_autograd")


class _Deferred(types.ModuleType):
    """Stands in sys.modules for a module; all but what is set on it comes from the real one."""

    def __getattr__(self, name: str) -> Any:
        if name == "__path__" and self.__name__ == PACKAGE:
            return []  # a package: `_Finder` sees what is imported of it
        if name.startswith("__"):
            raise AttributeError(name)
        import_now()
        return getattr(importlib.import_module(self.__name__), name)


class _Finder:
    """Imports the package when a module of it is wanted, and gives that module."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith(PACKAGE + ".") or not _stands_in(PACKAGE):
            return None
        import_now()
        importlib.import_module(fullname)
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        real = sys.modules[spec.name]
        self.kept = real.__spec__, real.__loader__
        return real

    def exec_module(self, module: types.ModuleType) -> None:
        module.__spec__, module.__loader__ = self.kept  # importing it again had changed them


def defer_compiler() -> None:
    """Put these modules in place, unless the real ones or these are there already."""
    if PACKAGE in sys.modules:
        return
    package, utils, autograd = map(_Deferred, STOOD_IN)
    package.disable = _disable  # type: ignore[attr-defined]
    package.graph_break = lambda *_, **__: None  # type: ignore[attr-defined]
    utils.is_compile_supported = _is_compile_supported  # type: ignore[attr-defined]
    autograd._disable = contextlib.nullcontext  # type: ignore[attr-defined]
    package.compiled_autograd = autograd  # type: ignore[attr-defined]
    sys.modules |= {module.__name__: module for module in (package, utils, autograd)}
    sys.meta_path.insert(0, _Finder())


def import_now() -> None:
    """Import the real package in their place."""
    for name in STOOD_IN:
        if _stands_in(name):
            del sys.modules[name]
    importlib.import_module(PACKAGE)


def _stands_in(name: str) -> bool:
    return isinstance(sys.modules.get(name), _Deferred)


def _disable(fn: Callable | None = None, *_: Any, **__: Any) -> Callable:
    """The function itself: code that is compiled later meets the real decorator."""
    return (lambda fn: fn) if fn is None else fn


def _is_compile_supported(device_type: str) -> bool:
    """As torchvision asks, of functions that the course does not call."""
    import_now()
    return importlib.import_module(f"{PACKAGE}.utils").is_compile_supported(device_type)
