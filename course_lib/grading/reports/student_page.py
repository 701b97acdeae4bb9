"""feedback.html: what a student got, why, and the notebook as it ran, on one page."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from markupsafe import Markup

from course_lib.authoring.builder import rendered
from course_lib.card import LOOKS, card_html
from course_lib.grading.assignment import Assignment, assignments
from course_lib.grading.batch import store
from course_lib.grading.batch.results import Result
from course_lib.grading.batch.words import WORDS, lines_of, verdict_of
from course_lib.grading.outputs import sanitise
from course_lib.grading.outputs.cells import Budget, outputs, text_of
from course_lib.grading.reports.page import page
from course_lib.grading.submission.feedback import SUMMARY
from course_lib.place import ROOT

Block = tuple[str, Any]  # "card" and its exercise, or "html", "output", "folded" and Markup
HEADING = re.compile(r"^#{2,4} .*$", re.MULTILINE)  # the title stands on the page already


def write(result: Result, assignment: Assignment, folder: Path) -> None:
    """Make the page of one student, from the record and the feedback notebook in this folder."""
    try:
        blocks = [*_blocks(folder, result)] if result.record.get("exercises") else []
    except Exception:  # whatever a student's file does to this page, the cards can be shown
        blocks = [("card", one) for one in result.exercises]
    text = page(
        "student.html.j2",
        key=result.page_key,
        title=f"{assignment.title}: {result.student}",
        assignment=assignment,
        result=result,
        blocks=blocks,
        looks=LOOKS,
        words=WORDS,
        cards={one["name"]: card(one) for one in result.exercises},
    )
    store.write(folder / store.PAGE, text)


def card(one: dict) -> Markup:
    """The card of an exercise as students know it."""
    if one["status"] not in LOOKS:
        return Markup("<p class='said'>{}</p>").format(one.get("reason") or verdict_of(one))
    sign = LOOKS[one["status"]][0]
    return Markup(card_html(one["status"], f"{sign} {verdict_of(one)}", lines_of(one)))


def _blocks(folder: Path, result: Result) -> Iterator[Block]:
    """Every cell in order; of the course's own text the headings, of its own code a folded line."""
    cells = json.loads((folder / store.FEEDBACK).read_text(encoding="utf-8"))["cells"]
    course = _course_cells(ROOT, result.record["notebook"])
    judged = {f"check-{one['name']}": one for one in result.exercises}
    budget, folded = Budget(), []
    heading = "Your notebook as it ran" if result.record.get("cells") else "Your answers"
    yield "html", Markup("<h2>{}</h2>").format(heading)
    for cell in cells:
        source = text_of(cell.get("source"))
        own = course.get(str(cell.get("id"))) != source.strip()
        if not own and cell.get("cell_type") == "code" and cell["id"] not in judged:
            folded.append(sanitise.code(source))
        for kind, content in _shown(cell, source, judged, own=own, budget=budget):
            if folded:
                yield "folded", folded
                folded = []
            fits = kind == "card" or budget.takes(content)
            yield kind, content if fits else sanitise.plain("(left out: the page is full)")
    yield from (("card", one) for one in judged.values())


def _shown(
    cell: dict, source: str, judged: dict[str, dict], *, own: bool, budget: Budget
) -> Iterator[Block]:
    name = str(cell.get("id"))
    if cell.get("cell_type") == "markdown":
        text = source if own else "\n\n".join(HEADING.findall(source))
        if text.strip() and name != SUMMARY:
            yield "html", sanitise.markdown(text)
    elif name in judged:
        yield "card", judged.pop(name)
    else:
        if own:
            yield "html", sanitise.code(source)
        yield from (("output", one) for one in outputs(cell, budget))


@functools.cache
def _course_cells(root: Path, stem: str) -> dict[str, str]:
    """Source of each cell of the student's copy by its id, as solutions/ has it: people work in
    notebooks/."""
    points = [pair for one in assignments(root).values() for pair in one.points.items()]
    exercises = {name: SimpleNamespace(points=most) for name, most in points}
    text = rendered(root, exercises, stem=stem)[f"notebooks/{stem}.ipynb"]
    cells = json.loads(text)["cells"]
    return {cell["id"]: text_of(cell["source"]).strip() for cell in cells}
