"""The payload of compiled code that `boot` opens inside a sandbox."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import marshal
import zipfile
from pathlib import Path
from typing import Any

from course_lib.place import ROOT, package_of

PARTS = ("exercises", "grading/inside")


def write_payload(path: Path, start: str, *, root: Path = ROOT, **content: Any) -> None:
    """All that the module `start` of `inside` needs: a ZIP of modules, and `content` as JSON."""
    content["start"] = f"course_lib.grading.inside.{start}"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("payload.json", json.dumps(content))
        package = package_of(root)
        for part in PARTS:
            for file in sorted((package / part).rglob("*.py")):
                module = file.relative_to(package.parent).with_suffix("").as_posix()
                code = importlib.machinery.SourceFileLoader(module, str(file)).get_code(module)
                header = importlib.util.MAGIC_NUMBER + bytes(12)  # no source to compare with
                archive.writestr(f"{module}.pyc", header + marshal.dumps(code))
