"""A student's result: what the engine recorded, and the points that the instructor gave by hand."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from course_lib.grading.assignment import Assignment
from course_lib.grading.batch.overrides import TOTAL, Overrides
from course_lib.grading.intake import Submission

PAGES = 3  # version of the feedback pages: raise it, and all are made again
UNGRADED = ("error", "no_isolation")  # the grader's fault, not the student's: no grade at all


@dataclass(frozen=True)
class Result:
    """One row of the table. `exercises` are the record's, one for each of the notebook, in order.

    Each has "points" as recorded and "given" after overrides; `changes` says in words what was
    overridden, `overrides` by exercise and "total".
    """

    submission: Submission
    record: dict
    exercises: list[dict]
    points: float
    max_points: float
    overrides: dict[str, Any]
    changes: list[str]

    @property
    def student(self) -> str:
        return self.submission.student

    @property
    def status(self) -> str:
        return self.record["status"]

    @property
    def graded(self) -> bool:
        return self.status not in UNGRADED or bool(self.overrides)

    @property
    def flags(self) -> list[str]:
        return [*self.submission.flags, *self.record.get("flags", [])]

    @property
    def page_key(self) -> str:
        """Digest of all that a student's page shows: with another one it is made again."""
        record = {name: value for name, value in self.record.items() if name != "key"}
        what = [PAGES, record, self.changes, self.points]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()

    @property
    def percent(self) -> float:
        return 100 * self.points / self.max_points


def result(
    submission: Submission, record: dict, assignment: Assignment, overrides: Overrides
) -> Result:
    """Put together what is known of one student."""
    own = {what: given for (who, what), given in overrides.items() if who == submission.student}
    recorded = {one["name"]: one for one in record.get("exercises", [])}
    exercises, changes = [], []
    for name, most in assignment.points.items():
        nothing = {"name": name, "points": 0, "status": "no_record", "reason": record["reason"]}
        one = {**nothing, **recorded.get(name, {}), "max_points": most}
        one["given"] = own[name].points if name in own else one["points"]
        exercises.append(one)
        if name in own:
            changes.append(_change(name, one["points"], own[name]))
    points = sum(one["given"] for one in exercises)
    if TOTAL in own:
        changes.append(_change(TOTAL, points, own[TOTAL]))
        points = own[TOTAL].points
    return Result(submission, record, exercises, points, assignment.max_points, own, changes)


def _change(what: str, before: float, given: Any) -> str:
    comment = f" ({given.comment})" if given.comment else ""
    return f"{what} {before:g} → {given.points:g}{comment}"
