"""One submission in, one record out: `grade_notebook`. It raises nothing, whatever the file."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from course_lib.grading.sandbox.command import WORDS, best_level
from course_lib.grading.sandbox.limits import LEVELS, Limits
from course_lib.grading.sandbox.mounts import ROOT
from course_lib.grading.sandbox.supervise import work
from course_lib.grading.submission.decide import exercise_entry
from course_lib.grading.submission.feedback import write_results
from course_lib.grading.submission.judge_client import catalogue, judge_client
from course_lib.grading.submission.reading import fingerprint
from course_lib.grading.submission.version import grader_hash

__all__ = ["LEVELS", "Limits", "grade_notebook"]

WORKER_GRACE_S = 240  # beyond its limits, after which a worker counts as hanging


def grade_notebook(
    path: Path,
    *,
    student: str,
    stem: str | None,
    folder: Path,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    require_isolation: str | None = None,
    root: Path = ROOT,
) -> dict[str, Any]:
    """The record of one submission, also written to `folder` with feedback.ipynb.

    stem: the notebook that it must be, such as "03_variational_autoencoder"; None: recognised.
    Two runs of the same file differ in nothing but seconds.
    """
    start = time.monotonic()
    record: dict[str, Any] = {
        "student": student, "file": path.name, "sha256": fingerprint(path), "notebook": stem,
        "status": "error", "reason": "", "isolation": {"level": "none", "details": "not run"},
        "flags": [], "points": 0, "max_points": 0, "exercises": [], "seconds": 0.0, "cells": [],
        "grader": "",
    }  # fmt: skip
    executed = None
    try:
        level = best_level()
        record["grader"] = grader_hash(root, stem)
        if require_isolation and LEVELS.index(level) < LEVELS.index(require_isolation):
            reason = f"this system offers '{level}', not '{require_isolation}'"
            record |= {"status": "no_isolation", "reason": reason}
        else:
            with _scratch() as scratch:
                job = {"path": str(path), "stem": stem, "scratch": str(scratch), "level": level}
                hidden = [str(path.resolve().parent), str(folder.resolve())]
                executed = _grade(record, job | {"hidden": hidden}, limits=limits, root=root)
    except Exception as error:
        record |= {"status": "error", "reason": f"{type(error).__name__}: {error}"[:300]}
    record["seconds"] = round(time.monotonic() - start, 2)
    write_results(folder, record, executed)
    return _public(record)


def _grade(
    record: dict[str, Any], job: dict[str, Any], *, limits: Limits, root: Path
) -> dict[str, Any] | None:
    """Fill in the record; returns the executed notebook, where it came to that."""
    level, sha, known = job["level"], record["sha256"], catalogue(root)
    record["isolation"] = {"level": level, "details": WORDS[level]}
    courses = known["notebooks"]
    seeds = {n: seed_of(sha, n) for course in courses.values() for n in course["points"]}
    job |= {"courses": courses, "seeds": seeds, "limits": dataclasses.asdict(limits)}
    job |= {key: known[key] for key in ("shared", "fonts")} | {"root": str(root)}
    told = _work(job | {"stages": ["run", "alone"]}, limits=limits, root=root)
    if told["unfit"] or not told["plan"]:
        unfit = told["unfit"] or {"status": "unreadable", "reason": told["lost"]}
        record |= {**unfit, "isolation": {"level": "none", "details": "not run"}}
        return None
    if told["lost"]:  # the notebook ended the worker: its exercises still count, each by itself
        again = _work(job | {"stages": ["alone"]}, limits=limits, root=root)
        told["alone"] = again["alone"]
    plan, ended = told["plan"], told["ended"] or {"ended": "killed", "reason": told["lost"]}
    with judge_client(root) as judge:
        entries = [
            exercise_entry(name, points, plan=plan, told=told, ended=ended, seed=seeds[name],
                           judge=judge)
            for name, points in plan["points"].items()
        ]  # fmt: skip
    record |= {
        "notebook": plan["notebook"], "status": ended["ended"], "reason": ended["reason"],
        "flags": plan["flags"] + [line for entry in entries for line in entry.pop("flags")],
        "exercises": entries, "cells": told["cells"],
        "points": sum(entry["points"] for entry in entries),
        "max_points": sum(plan["points"].values()),
    }  # fmt: skip
    return _executed(Path(job["scratch"]))


def _work(job: dict[str, Any], *, limits: Limits, root: Path) -> dict[str, Any]:
    """What the worker told, by kind."""
    told: dict[str, Any] = {"unfit": None, "plan": None, "ended": None, "lost": "", "cells": []}
    told |= {"record": {}, "alone": {}}
    seconds = 2 * limits.seconds + WORKER_GRACE_S
    for event in work(job, root=root, seconds=seconds):
        kind = next(iter(event))
        if kind in ("record", "alone"):
            told[kind][event[kind]] = event
        elif kind == "cell":
            told["cells"].append({"id": event["cell"], "seconds": event["seconds"]})
        else:
            told[kind] = event if kind == "ended" else event[kind]
    return told


def seed_of(sha256: str, name: str) -> int:
    """The seed of an exercise's secret cases: nobody knows it before the file is finished."""
    return int(hashlib.sha256(f"{sha256} {name}".encode()).hexdigest()[:8], 16)


@contextlib.contextmanager
def _scratch() -> Any:
    """A temporary folder that is gone afterwards, whatever was made in it."""
    folder = tempfile.mkdtemp(prefix="course-grade-")
    try:
        yield Path(folder)
    finally:
        try:
            shutil.rmtree(folder)
        except (OSError, RecursionError):  # closed or very deep folders
            if shutil.which("rm"):
                subprocess.run(["rm", "-rf", folder], check=False, capture_output=True)


def _executed(scratch: Path) -> dict[str, Any] | None:
    path = scratch / "run" / "executed.ipynb"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _public(record: dict[str, Any]) -> dict[str, Any]:
    """The record without what only the feedback needs."""
    for entry in record["exercises"]:
        entry.pop("card", None)
    return record
