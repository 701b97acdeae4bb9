"""grades.csv: one row per student, the same bytes for the same submissions and overrides."""

from __future__ import annotations

import csv
import io

from course_lib.grading.assignment import Assignment
from course_lib.grading.batch.results import Result
from course_lib.grading.encoding import harmless

BEFORE = ("student", "notebook", "status", "points", "max_points", "percent")
AFTER = ("overridden", "flags", "reason", "isolation", "file", "folder")


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
