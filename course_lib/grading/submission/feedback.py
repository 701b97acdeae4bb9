"""What a submission leaves on disk: record.json, and the executed notebook with cards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_markdown_cell, new_notebook, new_output

from course_lib.authoring.assemble import METADATA
from course_lib.card import LOOKS
from course_lib.grading.outputs.cells import RASTER, Budget, shown
from course_lib.writing import replace

CARD, SUMMARY = "course_card", "course-feedback"  # what marks the grader's own in a notebook


def write_results(folder: Path, record: dict[str, Any], executed: str | None) -> dict:
    """Write feedback.ipynb, then record.json, each in one step; the record as it was written."""
    folder.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.reads(executed, as_version=4) if executed else new_notebook()
    notebook.metadata = METADATA  # without the state of widgets
    _forget(notebook)
    cards = {f"check-{e['name']}": e["card"] for e in record["exercises"] if e.get("card")}
    budget = Budget()
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [_harmless(out, budget) for out in cell.outputs]
        if cell.id in cards:
            html, text = cards[cell.id]
            data = {"text/html": html, "text/plain": text}
            card = new_output("display_data", data=data, metadata={CARD: True})
            cell.outputs = [card, *cell.outputs]
    notebook.cells.insert(0, new_markdown_cell(_summary(record), id=SUMMARY))
    replace(folder / "feedback.ipynb", nbformat.writes(notebook))
    entries = [{k: v for k, v in e.items() if k != "card"} for e in record["exercises"]]
    record = record | {"exercises": entries}
    replace(folder / "record.json", json.dumps(record, indent=1, ensure_ascii=False))
    return record


def _harmless(out: Any, budget: Budget) -> Any:
    """The same output without anything that runs: formatting, pictures and text are left."""
    if not isinstance(out.get("data"), dict):
        return out  # printed or raised: Jupyter shows it as text
    data = {kind: out.data[kind] for kind in (*RASTER, "text/plain") if kind in out.data}
    if not data.keys() & set(RASTER) and data.keys() != out.data.keys():
        data["text/html"] = str(shown(out.data, budget))
    return nbformat.from_dict(out | {"data": data, "metadata": {}})


def _forget(notebook: nbformat.NotebookNode) -> None:
    """Take out what an earlier verdict put into a notebook that is judged again."""
    notebook.cells = [cell for cell in notebook.cells if cell.id != SUMMARY]
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [out for out in cell.outputs if not out.get("metadata", {}).get(CARD)]


def _summary(record: dict[str, Any]) -> str:
    """The table on top of the feedback; what comes from the submission stands as code."""
    lines = [f"# {record['points']} of {record['max_points']} points", ""]
    if record["reason"]:
        lines += [f"{record['status']}: {_code(record['reason'])}", ""]
    if record["exercises"]:
        lines += ["| exercise | points | |", "|---|---|---|"]
    for e in record["exercises"]:
        sign = LOOKS[e["status"]][0] if e["status"] in LOOKS else "–"
        said = _code(e["reason"]) if e["reason"] else ""
        lines.append(f"| {sign} `{e['name']}` | {e['points']} of {e['max_points']} | {said} |")
    lines += ["", *(f"- {_code(flag)}" for flag in record["flags"])]
    return "\n".join(lines)


def _code(text: str) -> str:
    plain = " ".join(text.split()).replace("`", "'").replace("|", "¦")
    return f"`{plain}`"
