"""Canvas: the instructor's export of the gradebook, with one assignment filled in."""

from __future__ import annotations

import re
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.grading.assignment import Assignment
from course_lib.grading.batch.results import Result
from course_lib.grading.gradebooks import sheet
from course_lib.grading.gradebooks.fill import Filled, Line, bare, fill, number
from course_lib.grading.gradebooks.sheet import Sheet

IDS = ("SIS User ID", "SIS Login ID", "Integration ID")
KEPT = {"EX": "excused in Canvas", "N/A": "not assigned in Canvas"}


def filled(path: Path, results: list[Result], assignment: Assignment) -> Filled:
    """Fill the column whose name says which notebook it is. CourseError where none or two do."""
    book = sheet.read(path)
    head = [name.strip() for name in book.values(0)]
    if "ID" not in head or not {"Student", "LastName"} & set(head):
        raise CourseError(f"{path} is no gradebook of Canvas: it has no columns Student and ID")
    column = _column(path, head, assignment)
    possible = _possible(book, column)
    most = number(possible) or assignment.max_points
    lines = [_line(book, row, head, column, most) for row in range(1, len(book.rows))]
    lines = [line for line in lines if line.number]
    decimal = "," if "," in possible else "."
    return fill(book, column, lines, results, platform="canvas", decimal=decimal)


def _column(path: Path, head: list[str], assignment: Assignment) -> int:
    """The assignment of this notebook: its column ends in Canvas' own number, "VAE 03 (12345)"."""
    titles = {i: m[1] for i, name in enumerate(head) if (m := re.fullmatch(r"(.+) \(\d+\)", name))}
    names = {bare(assignment.stem), bare(assignment.title), bare(assignment.name)}
    found = [i for i, title in titles.items() if any(name in bare(title) for name in names)]
    if not found:
        digits = rf"(?<!\d)0?{int(assignment.number)}(?!\d)"
        found = [i for i, title in titles.items() if re.search(digits, title)]
    if len(found) != 1:
        told = ", ".join(titles[i] for i in found or titles) or "none"
        what = "several assignments" if found else "no assignment"
        raise CourseError(
            f'{path}: {what} for notebook {assignment.number}, put "{assignment.number}" into the '
            f"name of just one in Canvas; there are: {told[:200]}"
        )
    return found[0]


def _possible(book: Sheet, column: int) -> str:
    rows = (row for row in range(1, len(book.rows)) if "Points Possible" in book.value(row, 0))
    return book.value(next(rows, 0), column)


def _line(book: Sheet, row: int, head: list[str], column: int, most: float) -> Line:
    cells = dict(zip(head, book.values(row), strict=False))
    names = [cells.get("Student", ""), f"{cells.get('LastName', '')}, {cells.get('FirstName', '')}"]
    ids = tuple(cells[name].strip() for name in IDS if cells.get(name, "").strip())
    names = tuple(name.strip() for name in names if bare(name))
    keep = KEPT.get(book.value(row, column).strip().upper(), "")
    return Line(row, cells.get("ID", "").strip(), ids, names, most, keep)
