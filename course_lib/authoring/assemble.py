"""Cells of a source to the two notebooks, as nbformat nodes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_lib.authoring.address import BADGE_LINE, Address, badge, file_links, setup_source
from course_lib.authoring.markers import student_source
from course_lib.authoring.source import Cell

# No version of Python and no trace of jupytext: the same bytes on every machine.
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
    # Where Colab looks: no answers written by a machine, and the table of contents open.
    "colab": {"generative_ai_disabled": True, "toc_visible": True},
}


def assemble(
    cells: list[Cell], *, address: Address, stem: str, student: bool, exercises: Mapping[str, Any]
) -> str:
    """The text of one notebook; `student` hides solutions.

    Solution markers stay in the solution, where nbgrader looks for them. As what it makes of it is
    for students, the badge of both copies opens theirs.
    """
    opens, setup = badge(address, f"notebooks/{stem}.ipynb"), setup_source(address)
    nodes = []
    for cell, cell_id in zip(cells, cell_ids(cells), strict=True):
        source = student_source(cell) if student else cell.source
        source = setup if cell.options.get("setup") else _with_badge(source, opens)
        if cell.kind == "markdown":
            source = file_links(address, source)
        new_cell = new_code_cell if cell.kind == "code" else new_markdown_cell
        metadata = _cell_metadata(cell, exercises, student=student)
        nodes.append(new_cell(source, id=cell_id, metadata=metadata))
    node = new_notebook(cells=nodes, metadata=METADATA, nbformat_minor=5)
    nbformat.validate(node)
    return nbformat.writes(node, version=nbformat.NO_CONVERT).rstrip("\n") + "\n"


def _with_badge(source: str, badge: str) -> str:
    return source.replace(BADGE_LINE if badge else f"{BADGE_LINE}\n\n", badge)


def cell_ids(cells: list[Cell]) -> list[str]:
    """One id per cell from its name or its own text, so that other cells do not change it."""
    seen: dict[str, int] = {}
    ids = []
    for cell in cells:
        text = f"{cell.kind}\n{cell.source}"
        seen[text] = seen.get(text, 0) + 1
        digest = hashlib.sha256(f"{seen[text]}\n{text}".encode()).hexdigest()[:12]
        ids.append(_name(cell) or f"{cell.kind}-{digest}")
    return ids


def _name(cell: Cell) -> str | None:
    if cell.exercise:
        return f"exercise-{cell.exercise}"
    if cell.check:
        return f"check-{cell.check}"
    if cell.options.get("setup"):
        return "setup"
    return "parameters" if "parameters" in cell.tags else None


def _cell_metadata(cell: Cell, exercises: Mapping[str, Any], *, student: bool) -> NotebookNode:
    """Tags and nbgrader's schema 3: solution cells, graded and locked checks, a locked set-up."""
    metadata: dict[str, Any] = {"tags": cell.tags} if cell.tags else {}
    grade_id = cell.exercise or _name(cell)
    locked = bool(cell.check or cell.options.get("setup"))
    if locked or cell.exercise:
        flags = {"schema_version": 3, "grade_id": grade_id, "locked": locked, "task": False}
        flags |= {"grade": bool(cell.check), "solution": bool(cell.exercise)}
        if cell.check:
            flags["points"] = exercises[cell.check].points
        metadata["nbgrader"] = flags
        if student:
            metadata["deletable"] = False
        if student and locked:
            metadata["editable"] = False
    return NotebookNode(metadata)
