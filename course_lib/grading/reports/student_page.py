"""feedback.html: what a student got, why, and the notebook as it ran, on one page."""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

from course_lib.card import LOOKS, card_html
from course_lib.grading.assignment import NOTEBOOKS, Assignment
from course_lib.grading.batch import store
from course_lib.grading.batch.results import Result
from course_lib.grading.gradebooks.gradescope import WORDS
from course_lib.grading.reports import sanitise
from course_lib.grading.reports.cells import Budget, outputs, source_of
from course_lib.grading.reports.page import page, rows

LINES = (("Hint", "hint"), ("Case", "case"), ("Yours", "obtained"), ("Expected", "expected"))
SUMMARY = "course-feedback"  # the engine's own cell on top: this page says the same
HEADING = re.compile(r"^#{2,4} .*$", re.MULTILINE)  # the title stands on the page already
FOLDED = "<details><summary>code of the course</summary>{}</details>"


def write(result: Result, assignment: Assignment, folder: Path) -> None:
    """Make the page of one student, from the record and the feedback notebook in this folder."""
    body = [*_summary(result, assignment)]
    if result.record.get("exercises"):
        try:
            body += ["<h2>Your notebook as it ran</h2>", *_notebook(folder, result)]
        except Exception:  # whatever a student's file does to this page, the cards can be shown
            body += [card(one) for one in result.exercises]
    title = f"{assignment.title}: {result.student}"
    store.write(folder / store.PAGE, page(title, "\n".join(body), key=result.page_key))


def _summary(result: Result, assignment: Assignment) -> Iterator[str]:
    yield f"<h1>{html.escape(assignment.title)}</h1>"
    yield f"<p class='quiet'>{html.escape(result.student)}</p>"
    points = f"{result.points:g} of {result.max_points:g} points"
    yield f"<h2>{points if result.graded else 'Not graded yet'}</h2>"
    if result.status != "ok":
        yield f"<p class='said'>{html.escape(result.record['reason'] or result.status)}</p>"
    for change in result.changes:
        yield f"<p class='said'>Changed by your instructor: {html.escape(change)}</p>"
    lines = []
    for one in result.exercises:
        name, sign = html.escape(one["name"]), LOOKS.get(one["status"], "–")[0]
        said = WORDS.get(one["status"], one["status"])
        points = f"{one['given']:g} of {one['max_points']:g}"
        lines.append([sign, f"<a href='#check-{name}'>{name}</a>", points, said])
    yield rows(["", "exercise", "points", ""], lines, numbers=(2,))
    for flag in result.record.get("flags", []):
        yield f"<p class='quiet'>Note: {html.escape(str(flag))}</p>"


def card(one: dict) -> str:
    """The card of an exercise as students know it, with the points above it."""
    name = html.escape(one["name"])
    points = f"{one['given']:g} of {one['max_points']:g} points"
    head = f"<h3 id='check-{name}'>{name} · {points}</h3>"
    if one["status"] not in LOOKS:
        reason = one.get("reason") or WORDS.get(one["status"], one["status"])
        return f"{head}<p class='said'>{html.escape(reason)}</p>"
    lines = [(label, str(one[key])) for label, key in LINES if one.get(key)]
    if one["status"] == "right":
        lines = [("Note", text) for label, text in lines if label == "Hint"]
    if one["status"] != "open" and one.get("reason"):
        lines.append(("Note", one["reason"]))
    said = f"{LOOKS[one['status']][0]} {WORDS[one['status']]}"
    return head + card_html(one["status"], said, lines)


def _notebook(folder: Path, result: Result) -> Iterator[str]:
    """Every cell in order; of the course's own text the headings, of its own code a folded line."""
    cells = json.loads((folder / store.FEEDBACK).read_text(encoding="utf-8"))["cells"]
    given = _course_cells(result.record["notebook"])
    judged = {f"check-{one['name']}": one for one in result.exercises}
    budget, folded = Budget(), []
    for cell in cells:
        shown, fold = _cell(cell, given, judged, budget)
        folded += fold
        if shown and folded:
            yield FOLDED.format("".join(folded))
            folded = []
        yield from shown
    yield from (card(one) for one in judged.values())


def _cell(
    cell: dict, given: dict[str, str], judged: dict[str, dict], budget: Budget
) -> tuple[list[str], list[str]]:
    """What a cell shows, and what of it is folded away in front of that."""
    name, source = str(cell.get("id")), source_of(cell)
    own = name not in given or source.strip() != given[name].strip()
    if name == SUMMARY:
        return [], []
    if cell.get("cell_type") == "markdown":
        text = source if own else "\n\n".join(HEADING.findall(source))
        return [sanitise.markdown(text)] if text.strip() else [], []
    if name in judged:
        return [card(judged.pop(name))], []
    shown = [*outputs(cell, budget)]
    return ([sanitise.code(source), *shown], []) if own else (shown, [sanitise.code(source)])


@functools.cache
def _course_cells(stem: str) -> dict[str, str]:
    """Source of every cell of the student's copy by its id."""
    cells = json.loads((NOTEBOOKS / f"{stem}.ipynb").read_text(encoding="utf-8"))["cells"]
    return {cell["id"]: source_of(cell) for cell in cells}
