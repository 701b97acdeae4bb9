"""Starts trusted code in a sandbox: `python -m course_lib.grading.sandbox.boot PAYLOAD`.

The payload holds compiled modules, loaded under the names of the course and then taken out of
reach, so that a student's `import course_lib.exercises` finds the copy without judges.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import marshal
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import CodeType, ModuleType

import course_lib


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules among compiled ones: name to (is it a package, its code)."""

    def __init__(self, modules: Mapping[str, tuple[bool, CodeType]]) -> None:
        self.modules = modules

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The specification of a module of the payload."""
        if name not in self.modules:
            return None
        package = self.modules[name][0]
        return importlib.machinery.ModuleSpec(name, self, is_package=package)

    def exec_module(self, module: ModuleType) -> None:
        """Run the code of a module of the payload."""
        inner = module.__name__.split(".")[1:]
        module.__file__ = str(Path(course_lib.__file__).parent.joinpath(*inner)) + ".py"
        exec(self.modules[module.__name__][1], module.__dict__)


def main(path: str) -> None:
    """Load what the payload names as `start` and hand over to its function `start`."""
    with open(path, "rb") as file:
        payload = marshal.load(file)
    os.unlink(path)
    sys.path[:] = [p for p in sys.path if p and os.path.realpath(p) != os.path.realpath(os.curdir)]
    finder = Finder(payload.pop("modules"))
    sys.meta_path.insert(0, finder)
    fonts = Path(course_lib.__file__).parents[1] / "matplotlib"
    if fonts.is_dir():
        shutil.copytree(fonts, os.environ["MPLCONFIGDIR"], dirs_exist_ok=True)
    module = importlib.import_module(payload["start"])
    sys.meta_path.remove(finder)
    for name in [name for name in sys.modules if name in finder.modules]:
        parent, _, child = name.rpartition(".")
        if parent in sys.modules and vars(sys.modules[parent]).get(child) is sys.modules[name]:
            delattr(sys.modules[parent], child)
        del sys.modules[name]
    finder.modules = {}
    module.start(payload)


if __name__ == "__main__":
    main(sys.argv[1])
