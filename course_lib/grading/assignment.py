"""The notebooks that can be handed in: their exercises with points, and which one a file is."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path

from course_lib.errors import CourseError

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
# In the JSON of a notebook: a definition in a cell, or the metadata of a graded cell.
TRACE = re.compile(rb'\b(?:def|class) (\w{1,60})|"grade_id":\s*"(?:check-)?(\w{1,60})"')


@dataclass(frozen=True)
class Assignment:
    """One notebook of the course: `points` maps its exercises, in their order, to points."""

    stem: str
    title: str
    points: dict[str, int]

    @property
    def name(self) -> str:
        return self.title.split("· ")[-1]

    @property
    def number(self) -> str:
        return self.stem[:2]

    @property
    def max_points(self) -> int:
        return sum(self.points.values())


def find(text: str) -> Assignment:
    """The notebook that "3", "03", "03_variational_autoencoder" or its file name means."""
    wanted = text.removesuffix(".ipynb")
    wanted = wanted.zfill(2) if wanted.isdecimal() else wanted
    known = assignments()
    for stem, assignment in known.items():
        if wanted in (stem, assignment.number):
            return assignment
    numbers = ", ".join(one.number for one in known.values())
    raise CourseError(f"there is no notebook {text!r}; there are: {numbers}")


@functools.cache
def assignments(folder: Path = NOTEBOOKS) -> dict[str, Assignment]:
    """Every notebook of the course by its stem."""
    found = {}
    for path in sorted(folder.glob("[0-9][0-9]_*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        graded = [cell["metadata"].get("nbgrader", {}) for cell in cells]
        points = {
            flags["grade_id"].removeprefix("check-"): flags["points"]
            for flags in graded
            if flags.get("grade")
        }
        title = "".join(cells[0]["source"]).split("\n")[0].lstrip("# ")
        found[path.stem] = Assignment(path.stem, title, points)
    if not found:
        raise CourseError(f"no notebooks in {folder}: run python -m course_lib build")
    return found


def recognise(data: bytes) -> str | None:
    """The notebook whose exercises these bytes of a file hold most of; None if they hold none.

    Bytes are searched and nothing is parsed: whatever a student hands in, this is quick and safe.
    """
    names = {match[1] or match[2] for match in TRACE.finditer(data)}
    names = {name.decode("ascii", "replace") for name in names}
    share = {
        stem: len(names & one.points.keys()) / len(one.points)
        for stem, one in assignments().items()
    }
    best = max(share, key=share.__getitem__)
    return best if share[best] > 0 else None
