"""Gradescope's results.json for one student."""

from __future__ import annotations

import json

from course_lib.grading.batch.results import Result
from course_lib.grading.reports.words import lines_of, verdict_of


def results_json(result: Result) -> str:
    """One test per exercise, with the hint that the student's card shows.

    All keys are ones of https://gradescope-autograders.readthedocs.io/en/latest/specs/.
    """
    tests = []
    for one in result.exercises:
        given = result.overrides.get(one["name"])
        tests.append(
            {
                "name": one["name"],
                "score": one["given"],
                "max_score": one["max_points"],
                "status": "passed" if one["given"] >= one["max_points"] else "failed",
                "output": output(one, comment=given.comment if given else None),
                "output_format": "text",
                "visibility": "visible",
            }
        )
    whole = {"score": result.points, "visibility": "visible", "tests": tests}
    whole |= {"output": head(result), "output_format": "text"}
    if result.record.get("seconds"):
        whole["execution_time"] = round(result.record["seconds"])
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def head(result: Result) -> str:
    """What stands above the exercises: how the run ended, and what was changed by hand."""
    said = [] if result.status == "ok" else [f"{result.status}: {result.record['reason']}"]
    return "\n".join([*said, *(f"Changed by hand: {change}" for change in result.changes)])


def output(one: dict, *, comment: str | None = None) -> str:
    """An exercise in words; comment: of the instructor who gave points by hand."""
    lines = [verdict_of(one), *(f"{label}: {text}" for label, text in lines_of(one))]
    if comment is not None:
        lines.append(f"Points given by hand. {comment}".strip())
    return "\n".join(lines)
