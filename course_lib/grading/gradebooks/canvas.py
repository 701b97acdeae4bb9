"""Canvas: the instructor's export of the gradebook, with one assignment filled in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.grading.assignment import Assignment
from course_lib.grading.batch.results import Result
from course_lib.grading.encoding import number
from course_lib.grading.gradebooks import sheet
from course_lib.grading.gradebooks.fill import Filled, Line, bare, fill

IDS = ("SIS User ID", "SIS Login ID", "Integration ID")
KEPT = {"EX": "excused in Canvas", "N/A": "not assigned in Canvas"}
OTHER = re.compile(r"\b(?:quiz\w*|exams?|tests?|midterm)\b", re.IGNORECASE)  # beside a notebook


@dataclass(frozen=True)
class Export:
    """A gradebook, and the name of the column to fill; None for the one that names the notebook."""

    path: Path
    column: str | None = None


def filled(export: Path | Export, results: list[Result], assignment: Assignment) -> Filled:
    """Fill one assignment's column. CourseError where it is not clear beyond doubt which."""
    path, asked = (export.path, export.column) if isinstance(export, Export) else (export, None)
    book = sheet.read(path)
    head = [name.strip() for name in book.values(0)]
    if "ID" not in head or not {"Student", "LastName"} & set(head):
        raise CourseError(f"{path} is no gradebook of Canvas: it has no columns Student and ID")
    column = _column(path, head, assignment, asked=asked)
    rows = range(1, len(book.rows))
    possible = next((book.value(i, column) for i in rows if "Points Possible" in book.value(i, 0)),
                    book.value(0, column))  # fmt: skip
    lines = []
    for row in rows:
        cells = dict.fromkeys(("Student", "ID"), "") | dict(
            zip(head, book.values(row), strict=False)
        )
        both = f"{cells.get('LastName', '')}, {cells.get('FirstName', '')}"
        names = tuple(name.strip() for name in (cells["Student"], both) if bare(name))
        ids = tuple(cells[name].strip() for name in IDS if cells.get(name, "").strip())
        keep = KEPT.get(book.value(row, column).upper(), "")
        full_marks = number(possible) or assignment.max_points
        lines.append(Line(row, cells["ID"].strip(), ids, names, full_marks, keep))
    lines = [line for line in lines if line.number]
    decimal = "," if "," in possible else "."
    done = fill(book, column, lines, results, platform="canvas", decimal=decimal)
    done.notes.insert(0, f"in the column {head[column]}")
    return done


def _column(path: Path, head: list[str], assignment: Assignment, *, asked: str | None) -> int:
    """The assignment asked for, else the one that names the notebook: by its title, as "01", or as
    "notebook 1". Columns of assignments end in Canvas' own number, "VAE 03 (12345)"."""
    titles = {i: m[1] for i, name in enumerate(head) if (m := re.fullmatch(r"(.+) \(\d+\)", name))}
    if asked:
        found = [i for i, title in titles.items() if asked.strip() in (title, head[i])]
    else:
        names = {bare(assignment.stem), bare(assignment.title), bare(assignment.name)}
        digits = re.compile(  # not those of a date or of a section
            rf"(?<!\d)(?<!\d[./-])(?:{assignment.number}|(?<=\bnotebook ){int(assignment.number)})"
            r"(?!\d|[./-]\d)",
            re.IGNORECASE,
        )
        found = [
            i for i, title in titles.items() if not OTHER.search(title)
            and (digits.search(title) or any(name in bare(title) for name in names))
        ]  # fmt: skip
    if len(found) != 1:
        what = f"column {asked!r}" if asked else f"notebook {assignment.number}"
        raise CourseError(
            f"{path}: {'several columns fit' if found else 'no column fits'} {what}: give "
            f"--column NAME, one of: {', '.join(head[i] for i in found or titles)[:300]}"
        )
    return found[0]
