"""In place of the engine: grades what `grade_tools.notebook` made, and does what its note says.

Notes: "sleep 0.5", "die" (the grader's own process), "die once PATH", "raise", "timeout".
"""

import json
import os
import signal
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

from grade_tools import record_of

from course_lib.grading.batch.job import Engine


@dataclass(frozen=True)
class Fake:
    """An engine of some version, which leaves a file per call in the folder `counted`."""

    counted: str | None = None
    version: str = "1"

    judge: str = "1"
    hint: str = "Turn the sign round."

    def engine(self, **changes):
        """The engine of these versions."""
        made = Engine(self.run, self.assess, self.run_parts, self.judge_digest)
        return replace(made, **changes)

    def run_parts(self, stem):
        """What runs `stem`."""
        return {"fake": self.version}

    def judge_digest(self, stem):
        """What judges `stem`."""
        return f"fake {self.version} {self.judge} {stem}"

    def run(self, path, *, stage, stem, secret, limits, require_isolation, hidden):
        """What came of a stage."""
        if self.counted:
            student = path.parent.name if path.stem in ("work", "x") else path.stem
            Path(self.counted, f"{student} {stage} {uuid.uuid4().hex[:6]}").touch()
        ran = {"unfit": None, "level": "namespaces", "seconds": 1.0, "stem": stem}
        try:
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        except ValueError:
            return ran | {"unfit": {"status": "unreadable", "reason": "no JSON"}}
        note = "".join(cells[-1]["source"])
        _obey(note)
        own = [(c["id"].removeprefix("exercise-"), "".join(c["source"])) for c in cells]
        ran |= {"right": [name for name, source in own if "'right'" in source]}
        if stage == "notebook":
            ran["ended"] = "timeout" if note == "timeout" else "ok"
            checks = [{**cells[0], "id": f"check-{cell['id'][9:]}"} for cell in cells[:-1]]
            whole = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}}
            ran["executed"] = json.dumps(whole | {"cells": [*cells, *checks]})
        return ran

    def assess(self, ran, *, sha256, secret):
        """The verdicts: these exercises right, all others wrong."""
        answers = ran["answers"]
        if answers["unfit"]:
            return {**answers["unfit"], "isolation": {"level": "none"}, "seconds": 0.0}
        status = ran.get("notebook", {}).get("ended", "ok")
        made = record_of("", stem=answers["stem"], right=answers["right"], status=status)
        for one in made["exercises"]:
            one["hint"] = one["hint"] and self.hint
        return {k: v for k, v in made.items() if k not in ("student", "file", "sha256", "key")}


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

    def engine(self):
        """This engine."""
        return Engine(self.run, self.assess, lambda stem: {}, lambda stem: "perfect")

    def run(self, path, *, stem, **_):
        """Whose file it is."""
        return {"unfit": None, "level": "namespaces", "seconds": 1.0, "whose": [path.stem, stem]}

    def assess(self, ran, **_):
        """The expected verdicts."""
        from course_lib.grading import assignment, selftest

        student, stem = ran["answers"]["whose"]
        want = selftest.members(assignment.find(stem))[student]
        verdicts = want.verdicts or {}
        record = record_of(student, stem=stem, status=want.status or "kernel_died")
        for one in record["exercises"]:
            status, _, mistake = verdicts.get(one["name"], "no_record").partition(": ")
            points = one["max_points"] if status == "right" else 0
            one.update(status=status, mistake=mistake or None, points=points)
        record["points"] = sum(one["points"] for one in record["exercises"])
        self.spoiled.get(student, lambda record: None)(record)
        return {k: v for k, v in record.items() if k not in ("student", "file", "sha256", "key")}


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
