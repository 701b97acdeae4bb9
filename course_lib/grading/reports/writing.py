"""The files of a class: a page and Gradescope's file per student, the table, the report."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from course_lib.grading.assignment import Assignment
from course_lib.grading.batch import store
from course_lib.grading.batch.results import Result
from course_lib.grading.gradebooks import gradescope
from course_lib.grading.reports import student_page
from course_lib.grading.reports.class_page import report
from course_lib.grading.reports.page import is_current
from course_lib.grading.reports.table import table

GRADESCOPE, TABLE, REPORT = "results.json", "grades.csv", "report.html"


def write_all(
    out: Path, results: list[Result], assignment: Assignment, *, notes: list[str]
) -> None:
    """Write everything; pages that are current stay. notes: what the report has to say as well."""
    folders = {one.student: out / store.STUDENTS / one.submission.folder for one in results}
    for one in results:
        folder = folders[one.student]
        if one.graded:
            store.write(folder / GRADESCOPE, gradescope.results_json(one))
        else:
            (folder / GRADESCOPE).unlink(missing_ok=True)
    store.write(out / TABLE, table(results, assignment))
    store.write(out / REPORT, report(results, assignment, notes=notes))
    stale = [
        one for one in results if not is_current(folders[one.student] / store.PAGE, one.page_key)
    ]
    for one in tqdm(stale, desc="feedback", unit="page", disable=not stale):
        student_page.write(one, assignment, folders[one.student])
