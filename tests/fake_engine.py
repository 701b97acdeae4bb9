"""In place of the engine: grades what `grade_tools.notebook` made, and does what its note says.

Notes: "sleep 0.5", "die" (the grader's own process), "die once PATH", "raise", "timeout".
"""

import json
import os
import signal
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from grade_tools import record_of


@dataclass(frozen=True)
class Fake:
    """An engine of some version, which leaves a file per call in the folder `counted`."""

    counted: str | None = None
    version: str = "1"

    def digest(self, stem):
        """What judges `stem`."""
        return f"fake {self.version} {stem}"

    def grade(self, path, *, student, stem, folder, limits, require_isolation):
        """The record of one submission, and its feedback notebook."""
        if self.counted:
            Path(self.counted, f"{student} {uuid.uuid4().hex[:6]}").touch()
        return _grade(path, student, stem, folder, self.digest(stem))


def _grade(path, student, stem, folder, digest):
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except ValueError:
        return record_of(student, stem=stem, status="unreadable", reason="no JSON", grader=digest)
    note = "".join(cells[-1]["source"])
    _obey(note)
    right = [c["id"].removeprefix("exercise-") for c in cells if "'right'" in "".join(c["source"])]
    status = "timeout" if note == "timeout" else "ok"
    record = record_of(student, stem=stem, right=right, status=status, grader=digest)
    checks = [{**cells[0], "id": f"check-{cell['id'][9:]}"} for cell in cells[:-1]]
    feedback = json.dumps({"cells": [*cells, *checks]})
    (folder / "feedback.ipynb").write_text(feedback, encoding="utf-8")
    (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")
    return record


def _obey(note):
    word, _, rest = note.partition(" ")
    if word == "sleep":
        time.sleep(float(rest))
    if note == "die":
        os._exit(9)
    if note == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if note.startswith("die once ") and not os.path.exists(note[9:]):
        Path(note[9:]).touch()
        os._exit(9)
    if word == "raise":
        raise RuntimeError("the engine\nhas a bug")


class Perfect:
    """An engine that gives what the self-test expects, but for what `spoiled` changes."""

    def __init__(self, spoiled=None):
        self.spoiled = spoiled or {}

    def grade(self, path, *, student, stem, folder, limits, require_isolation):
        """The expected record."""
        from course_lib.grading import assignment, selftest

        want = selftest.members(assignment.find(stem))[student]
        verdicts = want.verdicts or {}
        record = record_of(student, stem=stem, status=want.status or "kernel_died")
        for one in record["exercises"]:
            status, _, mistake = verdicts.get(one["name"], "no_record").partition(": ")
            points = one["max_points"] if status == "right" else 0
            one.update(status=status, mistake=mistake or None, points=points)
        record["points"] = sum(one["points"] for one in record["exercises"])
        self.spoiled.get(student, lambda record: None)(record)
        return record


def spoil_points(record):
    """A point that nobody has earned."""
    record["exercises"][0]["points"] = 1


def spoil_mistake(record):
    """A mistake that is not recognised."""
    wrong = next(one for one in record["exercises"] if one["status"] == "wrong")
    wrong["mistake"] = None


def spoil_status(record):
    """A run that did not end well."""
    record.update(status="timeout", reason="too slow")
