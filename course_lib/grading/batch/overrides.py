"""Points that the instructor gives by hand: one CSV file, which no run of the grader changes.

student,exercise,points,comment
alice,kl_std_normal,2,right up to a typo in our text
bob,total,7,agreed in the office hour
"""

from __future__ import annotations

import csv
import difflib
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.grading import encoding
from course_lib.grading.assignment import Assignment

COLUMNS = ["student", "exercise", "points", "comment"]
TOTAL = "total"


@dataclass(frozen=True)
class Override:
    """Points given by hand for one exercise, or for the total."""

    points: float
    comment: str


Overrides = dict[tuple[str, str], Override]  # by student and exercise


def read(path: Path, *, students: Iterable[str], assignment: Assignment) -> Overrides:
    """All overrides of a file. CourseError names the line that no student or exercise fits, and
    the one with more points than there are."""
    most = assignment.points | {TOTAL: assignment.max_points}
    ids = {spelt: one for one in students for spelt in (encoding.harmless(one), one)}
    known = {"student": ids, "exercise": most}
    found: Overrides = {}
    for line, row in _rows(path):
        for column, names in known.items():
            if row[column] not in names:
                near = difflib.get_close_matches(row[column], names, n=1)
                hint = f": did you mean {near[0]}?" if near else ""
                raise CourseError(f"{path}:{line}: unknown {column} {row[column]!r}{hint}")
        key = (ids[row["student"]], row["exercise"])
        if key in found:
            raise CourseError(f"{path}:{line}: {key[0]} has two lines for {key[1]}")
        points = _points(row["points"], f"{path}:{line}")
        if points > most[key[1]]:
            raise CourseError(
                f"{path}:{line}: {points:g} points, where {key[1]} has {most[key[1]]}"
            )
        found[key] = Override(points, row["comment"])
    return found


def _rows(path: Path) -> Iterable[tuple[int, dict[str, str]]]:
    """Lines with their numbers, as dictionaries of the four columns; empty ones are passed over."""
    text = encoding.read(path).text
    delimiter = ";" if ";" in text.split("\n")[0] else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    head = [name.strip().lower() for name in next(reader, [])]
    if not set(COLUMNS[:3]) <= set(head):
        raise CourseError(f"{path}: the first line must name the columns {','.join(COLUMNS)}")
    for cells in reader:
        if any(cell.strip() for cell in cells):
            row = dict(zip(head, (cell.strip() for cell in cells), strict=False))
            yield reader.line_num, {name: row.get(name, "") for name in COLUMNS}


def _points(text: str, where: str) -> float:
    points = encoding.number(text)
    if points is None or not (math.isfinite(points) and points >= 0):
        raise CourseError(f"{where}: {text!r} is no number of points")
    return points
