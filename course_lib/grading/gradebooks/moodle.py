"""Moodle: the instructor's grading worksheet of one assignment, with the grades filled in."""

from __future__ import annotations

import re
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.grading.assignment import Assignment
from course_lib.grading.batch.results import Result
from course_lib.grading.gradebooks import sheet
from course_lib.grading.gradebooks.fill import Filled, Line, fill, number
from course_lib.grading.gradebooks.sheet import Sheet

# "Grade" where Moodle speaks English, German, French, Spanish, Italian, Portuguese, Dutch. The
# other columns are known by their place: the participant first, then who that is, and right of
# the grade its maximum and whether it can be changed.
GRADE = {"grade", "bewertung", "note", "calificación", "valutazione", "nota", "cijfer"}
LOCKED = {"no", "nein", "non", "não", "nee"}


def filled(path: Path, results: list[Result], assignment: Assignment) -> Filled:
    """Fill the grades, out of Moodle's own maximum. CourseError where this is no worksheet."""
    book = sheet.read(path)
    head = [name.strip().lower() for name in book.values(0)]
    column = next((i for i, name in enumerate(head) if name in GRADE), None)
    rows = [
        row for row in range(1, len(book.rows)) if re.search(r"\d$", book.value(row, 0).strip())
    ]
    if not column or not rows:
        raise CourseError(
            f"{path} is no grading worksheet of Moodle: it has no participants, or no column for "
            f"the grade; there are: {', '.join(head)[:200]}"
        )
    most = {row: number(book.value(row, column + 1)) for row in rows}
    if not all(most.values()):
        raise CourseError(f"{path}: this assignment has a scale; let Moodle grade it with points")
    lines = [_line(book, row, column, most[row]) for row in rows]
    decimal = "," if "," in book.value(rows[0], column + 1) else "."
    return fill(book, column, lines, results, platform="moodle", decimal=decimal, capped=True)


def _line(book: Sheet, row: int, column: int, most: float) -> Line:
    participant, *who = (book.value(row, i).strip() for i in range(column))
    ids = tuple(text for text in who[1:] if text and not re.search(r"\s", text))
    keep = "locked in Moodle" if book.value(row, column + 2).strip().lower() in LOCKED else ""
    names = tuple(name for name in who[:1] if name)
    return Line(row, re.search(r"\d+$", participant)[0], ids, names, most, keep)
