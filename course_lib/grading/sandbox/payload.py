"""The payload of compiled code that `boot` opens inside a sandbox."""

from __future__ import annotations

import importlib.machinery
import marshal
from pathlib import Path
from types import CodeType
from typing import Any

from course_lib.grading.sandbox.mounts import ROOT

PARTS = ("exercises", "grading/inside")


def write_payload(path: Path, start: str, *, root: Path = ROOT, **content: Any) -> None:
    """Everything that the module `start` of `inside` needs, with `content`, in one file."""
    payload = {"modules": modules(root), "start": f"course_lib.grading.inside.{start}", **content}
    path.write_bytes(marshal.dumps(payload))


def modules(root: Path) -> dict[str, tuple[bool, CodeType]]:
    """Name to (is it a package, its code) of every module that is trusted inside."""
    found = {}
    for part in PARTS:
        for path in sorted((root / "course_lib" / part).rglob("*.py")):
            inner = path.relative_to(root).with_suffix("").parts
            package = inner[-1] == "__init__"
            name = ".".join(inner[:-1] if package else inner)
            loader = importlib.machinery.SourceFileLoader(name, str(path))
            found[name] = (package, loader.get_code(name))
    return found
