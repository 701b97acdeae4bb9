"""Keep folders of the grader's machine out of what students read."""

from __future__ import annotations

import json
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from course_lib.grading.sandbox.mounts import ROOT, Place


def remover(place: Place) -> Callable[[str], str]:
    """A function that replaces the folders of this machine in a JSON text."""
    folders = {place.scratch / "course": "/course", place.scratch: "/tmp", ROOT: "/course"}
    folders |= dict.fromkeys((sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib")), "/python")
    folders |= {Path.home(): "~"}
    names = {str(made): new for folder, new in folders.items()
             for made in (Path(folder), Path(folder).resolve()) if len(made.parts) > 2}  # fmt: skip
    order = sorted(names, key=len, reverse=True)

    def removed(text: str) -> str:
        for name in order:
            text = text.replace(json.dumps(name)[1:-1], names[name])
        return text

    return removed
