"""Write both notebooks of every source, or say which of them differ."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from course_lib.authoring.address import Address, course_address
from course_lib.authoring.assemble import assemble
from course_lib.authoring.rules import require_well_formed
from course_lib.authoring.source import read_source
from course_lib.errors import CourseError
from course_lib.writing import replacing

FOLDERS = {"notebooks": True, "solutions": False}  # folder: is it the student's copy?
NUMBERED = re.compile(r"\d\d_\w+")


def build(
    root: Path, *, check: bool = False, exercises: Mapping[str, Any] | None = None
) -> list[str]:
    """Write notebooks/NN_….ipynb and solutions/NN_….ipynb from each solutions/NN_….py.

    Returns the names that differed, such as "notebooks/01_….ipynb"; with `check` nothing is
    written, and a notebook without a source counts as different. `exercises` maps names to
    objects with `.points`; the course's own registry unless given. Raises CourseError.
    """
    if exercises is None:
        from course_lib.exercises import EXERCISES as exercises  # imports torch, seconds

    wanted = rendered(root, exercises)
    differing = [name for name, text in wanted.items() if _bytes_of(root / name) != text.encode()]
    if check:
        return sorted({*differing, *(_present(root) - set(wanted))})
    for name in differing:
        _write(root / name, wanted[name])
    return sorted(differing)


def rendered(
    root: Path, exercises: Mapping[str, Any], *, address: Address | None = None, stem: str = "*"
) -> dict[str, str]:
    """The text of every notebook by its name, or of one; every source is sound before any returns.

    Its badge and set-up lead to the course's own address unless another is given.
    """
    found = (root / "solutions").glob(f"{stem}.py")
    sources = sorted(path for path in found if NUMBERED.fullmatch(path.stem))
    if not sources:
        raise CourseError(f"no source solutions/NN_name.py in {root.resolve()}")
    address = address or course_address(root)
    texts = {}
    for path in sources:
        cells = read_source(path)
        require_well_formed(cells, exercises)
        for folder, student in FOLDERS.items():
            name = f"{folder}/{path.stem}.ipynb"
            texts[name] = assemble(
                cells, address=address, stem=path.stem, student=student, exercises=exercises
            )
    return texts


def _present(root: Path) -> set[str]:
    found = (path for folder in FOLDERS for path in (root / folder).glob("*.ipynb"))
    return {f"{path.parent.name}/{path.name}" for path in found if NUMBERED.fullmatch(path.stem)}


def _bytes_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _write(path: Path, text: str) -> None:
    """Replace `path` in one step; a notebook that somebody has run is kept beside it as .bak."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            part.write_bytes(text.encode())
            if _was_run(path):  # a copy, not a move: at no moment is there no notebook
                with replacing(path.with_suffix(".ipynb.bak")) as kept:
                    shutil.copyfile(path, kept)
    except OSError as error:
        raise CourseError(f"{path} cannot be written: {error.strerror}") from error


def _was_run(path: Path) -> bool:
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
