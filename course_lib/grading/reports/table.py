"""grades.csv: one row per student, the same bytes for the same submissions and overrides."""

from __future__ import annotations

import csv
import io
import re

from course_lib.grading.assignment import Assignment
from course_lib.grading.batch.results import Result

BEFORE = ("student", "notebook", "status", "points", "max_points", "percent")
AFTER = ("overridden", "flags", "reason", "isolation", "file", "folder")
# What a spreadsheet may take for a formula, also in the wide forms of East Asian writing: at the
# start of a cell, and after a sign that some spreadsheets end a cell at.
FORMULA = re.compile("^(?=[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20])|(?<=[,;\t\r\n|])(?= *[=+\\-@])")


def table(results: list[Result], assignment: Assignment) -> bytes:
    """The class as CSV, in UTF-8 with the mark that Excel needs."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow([*BEFORE, *assignment.points, *AFTER])
    for one in results:
        row = [one.student, assignment.stem, one.status, _given(one, one.points)]
        row += [f"{one.max_points:g}", _given(one, one.percent, ".1f")]
        row += [_given(one, each["given"]) for each in one.exercises]
        flags = (" ".join(flag.split()).replace(";", ",") for flag in one.flags)
        row += ["; ".join(one.changes), "; ".join(flags), one.record["reason"]]
        row += [one.record["isolation"]["level"], one.submission.file]
        row += [f"students/{one.submission.folder}"]
        writer.writerow(map(harmless, row))
    return b"\xef\xbb\xbf" + buffer.getvalue().encode("utf-8", "replace")


def _given(one: Result, number: float, form: str = "g") -> str:
    return format(number, form) if one.graded else ""


def harmless(cell: str) -> str:
    """A cell that no spreadsheet runs: an apostrophe before what looks like a formula."""
    return FORMULA.sub("'", cell)
