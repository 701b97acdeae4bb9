"""Keep folders of the grader's machine out of what students read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from course_lib.grading.sandbox.mounts import Place
from course_lib.place import ROOT


def remover(place: Place) -> Callable[[str], str]:
    """A function that replaces the folders of this machine in a JSON text."""
    folders = {place.scratch / "course": "/course", place.scratch: "/tmp", ROOT: "/course"}
    folders |= {sys.prefix: "/python", sys.base_prefix: "/python", Path.home(): "~"}
    names = {json.dumps(str(made))[1:-1]: new for folder, new in folders.items()
             for made in (Path(folder), Path(folder).resolve()) if len(made.parts) > 2}  # fmt: skip

    def removed(text: str) -> str:
        for name in sorted(names, key=len, reverse=True):
            text = text.replace(name, names[name])
        return text

    return removed
