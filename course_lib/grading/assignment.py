"""The notebooks that can be handed in: their exercises with points, and which one a file is."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.place import ROOT, package_of

# In the source of a notebook, and in the module of an exercise: to import that takes torch.
TITLE = re.compile(r"^# # (.+)$", re.MULTILINE)
CHECK = re.compile(r'^# %%.*\bcheck="(\w+)"', re.MULTILINE)
POINTS = re.compile(r'\bExercise\(\s*"(\w+)",\s*(\d+)')
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
def assignments(root: Path = ROOT) -> dict[str, Assignment]:
    """Every notebook of the course by its stem, as its source says: people work in notebooks/."""
    modules = [path.read_text("utf-8") for path in package_of(root).glob("exercises/*/*.py")]
    points = dict(POINTS.findall("\n".join(modules)))
    found = {}
    for path in sorted(root.glob("solutions/*.py")):
        if re.fullmatch(r"\d\d_\w+", path.stem):  # as the build takes them
            text = path.read_text("utf-8")
            of_names = {name: int(points[name]) for name in CHECK.findall(text)}
            found[path.stem] = Assignment(path.stem, TITLE.search(text)[1], of_names)
    if not found:
        raise CourseError(f"no source solutions/NN_name.py in {root}: restore the course's folder")
    return found


def recognise(data: bytes) -> str | None:
    """The notebook whose exercises these bytes of a file hold most of; None if they hold none.

    Bytes are searched and nothing is parsed: whatever a student hands in, this is quick and safe.
    """
    names = {(match[1] or match[2]).decode("ascii", "replace") for match in TRACE.finditer(data)}
    known = assignments().items()
    share = {stem: len(names & one.points.keys()) / len(one.points) for stem, one in known}
    best = max(share, key=share.__getitem__)
    return best if share[best] > 0 else None
