"""The path of one submission: what is done before it runs, what runs, what is done afterwards.

    before    read_cells → recognise → make_plan          in the worker's process (`prepare`)
    answers   each exercise by itself, on secret cases     in a sandbox (`answers_run`)
    notebook  all cells, for the feedback's figures        in a sandbox (`notebook_run`)
    after     judge → exercise_entry → write_results       here (`assess`): no code of a student's

Points come from the answers alone. `run` does one of the two stages and gives what came of it as
JSON, which is kept: `assess` makes a record of it, again and again where only hints have changed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from course_lib.grading.sandbox.command import LEVELS_IN_WORDS, best_level
from course_lib.grading.sandbox.limits import LEVELS, Limits
from course_lib.grading.sandbox.supervise import work
from course_lib.grading.submission import version
from course_lib.grading.submission.decide import exercise_entry
from course_lib.grading.submission.feedback import write_results
from course_lib.grading.submission.judge_client import catalogue, judge_client
from course_lib.grading.submission.reading import fingerprint
from course_lib.grading.submission.restore import prepare
from course_lib.place import ROOT

__all__ = ["LEVELS", "STAGES", "Limits", "assess", "grade_notebook", "prepare", "run"]

STAGES = ("answers", "notebook")
WORKER_GRACE_S = 240  # beyond its limits, after which a worker counts as hanging
SCRATCH = "course-grade-"  # then the process that made the folder
Ran = dict[str, Any]  # what came of a stage


def run(
    path: Path,
    *,
    stage: str,
    stem: str | None,
    secret: str = "",
    limits: Limits = Limits(),  # noqa: B008  # frozen
    require_isolation: str | None = None,
    hidden: tuple[Path, ...] = (),
    root: Path = ROOT,
) -> Ran:
    """What came of one stage, as JSON: `unfit`, or the `plan` with what its exercises did.

    secret: the instructor's, which nobody knows who writes an answer. hidden: folders that the
    sandbox must not show. `failed` says why the grader itself could not run it.
    """
    start, level = time.monotonic(), best_level()
    if require_isolation and LEVELS.index(level) < LEVELS.index(require_isolation):
        reason = f"this system offers '{level}', not '{require_isolation}'"
        return {"failed": {"status": "no_isolation", "reason": reason}, "level": "none"}
    known = catalogue(root)
    courses, sha = known["notebooks"], fingerprint(path)
    seeds = {name: seed_of(secret, sha, name) for c in courses.values() for name in c["points"]}
    with _scratch() as scratch:
        job = {"path": str(path), "stem": stem, "stage": stage, "level": level, "seeds": seeds}
        job |= {"courses": courses, "limits": dataclasses.asdict(limits), "root": str(root)}
        job |= {"hidden": [str(path.resolve().parent), *map(str, hidden)], "scratch": str(scratch)}
        job |= {key: known[key] for key in ("shared", "fonts")}
        ran = _listen(job, root=root, seconds=limits.seconds + WORKER_GRACE_S)
        executed = scratch / "executed.ipynb"
        if executed.exists():
            ran["executed"] = executed.read_text(encoding="utf-8")
    if not ran["unfit"] and not ran["plan"]:
        ran["unfit"] = {"status": "unreadable", "reason": ran["lost"]}
    return ran | {"level": level, "seconds": round(time.monotonic() - start, 2)}


def _listen(job: dict[str, Any], *, root: Path, seconds: float) -> Ran:
    """What the worker says, by kind."""
    ran: Ran = {"unfit": None, "plan": None, "alone": {}, "records": {}, "cells": [], "lost": ""}
    for event in work(job, root=root, seconds=seconds):
        kind = next(iter(event))
        if kind in ("alone", "record"):
            ran["records" if kind == "record" else kind][event.pop(kind)] = event
        elif kind == "cell":
            ran["cells"].append({"id": event["cell"], "seconds": event["seconds"]})
        else:
            ran[kind] = event if kind == "ended" else event[kind]
    if job["stage"] == "notebook":
        ran.setdefault("ended", {"ended": "killed", "reason": ran["lost"]})
    return ran


def assess(ran: dict[str, Ran], *, sha256: str, secret: str = "", root: Path = ROOT) -> Ran:
    """What is done with what came out, by stage: the record's verdicts, points and flags."""
    answers, notebook = ran["answers"], ran.get("notebook", {})
    seconds = round(sum(stage["seconds"] for stage in ran.values()), 2)
    if answers["unfit"]:
        nothing = {"level": "none", "details": "not run"}
        return {**answers["unfit"], "isolation": nothing, "seconds": seconds}
    plan, ended = answers["plan"], notebook.get("ended") or {"ended": "ok", "reason": ""}
    both = answers | {key: notebook[key] for key in ("records", "ended") if key in notebook}
    with judge_client(root) as judge:
        entries = [
            exercise_entry(
                name, points, plan=plan, ran=both, seed=seed_of(secret, sha256, name), judge=judge
            )
            for name, points in plan["points"].items()
        ]
    return {
        "notebook": plan["notebook"], "status": ended["ended"], "reason": ended["reason"],
        "isolation": {"level": answers["level"], "details": LEVELS_IN_WORDS[answers["level"]]},
        "flags": plan["flags"] + [line for entry in entries for line in entry.pop("flags")],
        "points": sum(entry["points"] for entry in entries),
        "max_points": sum(plan["points"].values()),
        "exercises": entries, "cells": notebook.get("cells", []), "seconds": seconds,
    }  # fmt: skip


def run_parts(stem: str, root: Path = ROOT) -> dict[str, str]:
    """What a run depends on, besides the file: code, packages, and which data are at hand."""
    data = {f"the data set {name}": str(real) for name, real in catalogue(root)["data"]}
    return {**version.run_parts(root, stem), **data}


def judge_digest(stem: str, root: Path = ROOT) -> str:
    """What a verdict depends on, besides the run."""
    return version.judge_hash(root, stem)


def new_record(*, student: str, file: str, sha256: str, stem: str | None, **known: Any) -> Ran:
    """A record with all its fields, of a submission of which no more than this is known."""
    return {
        "student": student, "file": file, "sha256": sha256, "notebook": stem,
        "status": "error", "reason": "", "isolation": {"level": "none", "details": "not run"},
        "flags": [], "points": 0, "max_points": 0, "exercises": [], "seconds": 0.0, "cells": [],
        "grader": "",
    } | known  # fmt: skip


def grade_notebook(
    path: Path, *, student: str, stem: str | None, folder: Path, stages: tuple[str, ...] = STAGES,
    secret: str = "", root: Path = ROOT, **options: Any,
) -> Ran:  # fmt: skip
    """The record of one submission, also written to `folder` with feedback.ipynb.

    stem: the notebook that it must be, such as "03_variational_autoencoder"; None: recognised.
    options: those of `run`. It raises nothing, whatever the file; two runs differ in seconds alone.
    """
    sha, executed = fingerprint(path), None
    record = new_record(student=student, file=path.name, sha256=sha, stem=stem)
    try:
        ran: dict[str, Ran] = {}
        for stage in stages:
            ran[stage] = run(path, stage=stage, stem=stem, secret=secret, root=root,
                             hidden=(folder.resolve(),), **options)  # fmt: skip
            executed = ran[stage].pop("executed", None)
            if ran[stage].get("failed") or ran[stage]["unfit"]:
                break
        if failed := ran[stage].get("failed"):
            record |= failed
        else:
            record |= assess(ran, sha256=sha, secret=secret, root=root)
            record["grader"] = version.judge_hash(root, stem)
    except Exception as error:
        record |= {"status": "error", "reason": f"{type(error).__name__}: {error}"[:300]}
    return write_results(folder, record, executed)


def seed_of(secret: str, sha256: str, name: str) -> int:
    """The seed of an exercise's secret cases: nobody knows it who can change the file."""
    return int(hashlib.sha256(f"{secret} {sha256} {name}".encode()).hexdigest()[:8], 16)


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A temporary folder that is gone afterwards, whatever was made in it."""
    folder = tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-")
    try:
        yield Path(folder)
    finally:
        _remove(folder)


def sweep() -> None:
    """Remove the temporary folders of runs that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*-*"):
        maker = folder.name.removeprefix(SCRATCH).partition("-")[0]
        if maker.isdecimal() and not psutil.pid_exists(int(maker)):
            _remove(str(folder))


def _remove(folder: str) -> None:
    try:
        shutil.rmtree(folder)
    except (OSError, RecursionError):  # closed or very deep folders
        if shutil.which("rm"):
            subprocess.run(["rm", "-rf", folder], check=False, capture_output=True)
