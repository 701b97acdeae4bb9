"""One submission graded in a process of its own, here or on another machine."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_lib.grading.batch import store

Grade = Callable[..., dict]  # the engine's grade_notebook
Prepare = Callable[[str], None]  # makes a machine ready for a notebook; cheap the second time


@dataclass(frozen=True)
class Job:
    """A submission to grade: where it lies, where the results go, and the key they are kept by."""

    student: str
    file: str
    path: Path | None
    sha256: str
    stem: str
    key: str
    folder: Path
    work: Path
    limits: Any
    require_isolation: str | None = None


def grade_here(job: Job, grade: Grade) -> dict:
    """Grade on this machine and put the results in place; the record."""
    shutil.rmtree(job.work, ignore_errors=True)
    job.work.mkdir(parents=True)
    record = graded(job, grade, path=job.path, folder=job.work)
    store.install(record, job.work / store.FEEDBACK, job.folder)
    shutil.rmtree(job.work, ignore_errors=True)
    return record


def ready(stem: str) -> None:
    """Nothing has to be prepared."""


def grade_bytes(job: Job, data: bytes, grade: Grade, prepare: Prepare) -> tuple[dict, bytes]:
    """Grade on a machine that shares no disk with the first one; record and feedback notebook."""
    prepare(job.stem)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "results"
        folder.mkdir()
        path = Path(scratch) / "submission.ipynb"
        path.write_bytes(data)
        record = graded(job, grade, path=path, folder=folder)
        feedback = folder / store.FEEDBACK
        return record, feedback.read_bytes() if feedback.is_file() else b""


def graded(job: Job, grade: Grade, *, path: Path, folder: Path) -> dict:
    """The engine's record, or one that says how the engine itself failed."""
    try:
        record = grade(
            path,
            student=job.student,
            stem=job.stem,
            folder=folder,
            limits=job.limits,
            require_isolation=job.require_isolation,
        )
    except Exception as error:
        return failed(job, "error", f"the grader failed: {type(error).__name__}: {error}")
    return {**record, "student": job.student, "file": job.file, "key": job.key}


def failed(job: Job, status: str, reason: str) -> dict:
    """The record of a submission that could not be judged."""
    return {
        "student": job.student,
        "file": job.file,
        "sha256": job.sha256,
        "notebook": job.stem,
        "status": status,
        "reason": " ".join(reason.split())[:300],
        "isolation": {"level": "none"},
        "flags": [],
        "points": 0,
        "exercises": [],
        "key": job.key,
    }


def given_up(job: Job, reason: str) -> dict:
    """The record, put in place, of what ends whoever grades it; the next run tries again."""
    record = {**failed(job, "killed", reason), "key": ""}
    store.install(record, None, job.folder)
    return record
