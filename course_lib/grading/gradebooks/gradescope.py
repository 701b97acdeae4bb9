"""Gradescope's results.json for one student."""

from __future__ import annotations

import json
from typing import Any

from course_lib.grading.batch.results import Result
from course_lib.grading.batch.words import lines_of, verdict_of


def results_json(result: Result) -> str:
    """One test per exercise, with the hint that the student's card shows.

    All keys are ones of https://gradescope-autograders.readthedocs.io/en/latest/specs/.
    """
    said = [] if result.status == "ok" else [f"{result.status}: {result.record['reason']}"]
    said += [f"Changed by hand: {change}" for change in result.changes]
    whole = {"score": result.points, "visibility": "visible", "output": "\n".join(said)}
    whole |= {"output_format": "text", "tests": [_test(one, result) for one in result.exercises]}
    if result.record.get("seconds"):
        whole["execution_time"] = round(result.record["seconds"])
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _test(one: dict, result: Result) -> dict[str, Any]:
    lines = [verdict_of(one), *(f"{label}: {text}" for label, text in lines_of(one))]
    if one["name"] in result.overrides:
        lines.append(f"Points given by hand. {result.overrides[one['name']].comment}".strip())
    return {
        "name": one["name"],
        "score": one["given"],
        "max_score": one["max_points"],
        "status": "passed" if one["given"] >= one["max_points"] else "failed",
        "output": "\n".join(lines),
        "output_format": "text",
        "visibility": "visible",
    }
