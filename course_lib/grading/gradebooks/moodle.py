"""Moodle: the instructor's grading worksheet of one assignment, with the grades filled in."""

from __future__ import annotations

import re
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.grading.assignment import Assignment
from course_lib.grading.batch.results import Result
from course_lib.grading.encoding import number
from course_lib.grading.gradebooks import sheet
from course_lib.grading.gradebooks.fill import Filled, Line, fill
from course_lib.grading.gradebooks.sheet import Sheet

# Moodle writes the sheet in the language of whoever asks for it. Columns are known by their place:
# the participant, who that is (not where people are anonymous), the status, perhaps dates, a team,
# a marker; the grade, its maximum, perhaps a state of marking, whether it can be changed. Words
# in small letters help where that is not enough.
GRADE = (
    "grade|bewertung|note|calificación|valutazione|nota|cijfer|qualificació|ocena|betyg|評点|оценка|"
    "karakter|not|arvosana|známka"
)
STATUS = (
    "status|statut|estado|stato|estat|situação|tila|durum|stav|статус|состояние|状態|ステータス"
)
YES = "yes|ja|oui|sí|si|sì|sim|tak|да|так|はい|evet|kyllä|ano|áno|igen|da|jah|bai|是|예"
NO = "no|nein|non|não|nee|nie|нет|ні|いいえ|nej|nei|hayır|ei|ne|nem|nu|ez|否|아니오"


def filled(path: Path, results: list[Result], assignment: Assignment) -> Filled:
    """Fill the grades, out of Moodle's own maximum. CourseError where this is no worksheet."""
    book = sheet.read(path)
    head = [name.strip().lower() for name in book.values(0)]
    rows = [row for row in range(1, len(book.rows)) if re.search(r"\d$", book.value(row, 0))]
    column = _grade(book, head, rows)
    if column is None:
        if rows and any(re.fullmatch(GRADE, name) for name in head):
            raise CourseError(
                f"{path}: this assignment has a scale; let Moodle grade it with points"
            )
        raise CourseError(
            f"{path} is no grading worksheet of Moodle: it has no participants, or no column for "
            f"the grade; there are: {', '.join(head)[:200]}"
        )
    anonymous = column == 2 or bool(re.fullmatch(STATUS, head[1]))
    locks = [i for i in (column + 2, column + 3) if _says(book, rows, i, f"{YES}|{NO}")]
    lines = []
    for row in rows:
        participant, *who = (book.value(row, i) for i in range(column))
        ids = tuple(text for text in who[1:] if text and not re.search(r"\s", text))
        names = tuple(name for name in who[:1] if name and not anonymous)
        keep = "locked in Moodle" if locks and _says(book, [row], locks[0], NO) else ""
        full_marks = number(book.value(row, column + 1)) or 0.0
        lines.append(Line(row, re.search(r"\d+$", participant)[0], ids, names, full_marks, keep))
    decimal = "," if "," in book.value(rows[0], column + 1) else "."
    done = fill(book, column, lines, results, platform="moodle", decimal=decimal)
    if not locks:
        done.notes.append("the sheet does not say which grades are locked; Moodle keeps those")
    return done


def _grade(book: Sheet, head: list[str], rows: list[int]) -> int | None:
    """The column left of the maximum, which is the same number in all rows; None if not clear."""

    def fits(column: int) -> bool:
        own, most = ([book.value(row, i) for row in rows] for i in (column, column + 1))
        grades = all(text in ("", "-") or number(text) is not None for text in own)
        return grades and len(set(most)) == 1 and (number(most[0]) or 0) > 0

    found = [i for i in range(1, len(head)) if fits(i)]
    named = [i for i in found if re.fullmatch(GRADE, head[i])]
    # Where all have the same grade and nobody has a marker, the grades look like a maximum.
    found = named or [i for i in found if i + 1 not in found]
    return found[0] if len(found) == 1 else None


def _says(book: Sheet, rows: list[int], column: int, words: str) -> bool:
    return all(re.fullmatch(words, book.value(row, column).lower()) for row in rows)
