"""What a run keeps: a folder per student, whose record says what it was made from.

Every file is replaced in one step and the record comes last, so that a run that is killed at any
moment leaves whole results and gaps, never half of one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from course_lib.errors import CourseError

RECORD, FEEDBACK, PAGE = "record.json", "feedback.ipynb", "feedback.html"
STUDENTS, WORK = "students", ".work"


def key_of(sha256: str, *, grader: str, stem: str, limits: Any) -> str:
    """What a grade depends on, as one digest: the bytes handed in, and all that judges them."""
    what = json.dumps([sha256, grader, stem, asdict(limits)], sort_keys=True)
    return hashlib.sha256(what.encode()).hexdigest()


@contextlib.contextmanager
def opened(out: Path) -> Iterator[Path]:
    """Hold the folder of results alone; yields a folder for work in it, which is gone at the end.

    Raises CourseError where it cannot be written, or where another run holds it.
    """
    work = out / WORK
    try:
        (out / STUDENTS).mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".lock", timeout=0)
        with lock:
            shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
            work.mkdir(exist_ok=True)
            yield work
            shutil.rmtree(work, ignore_errors=True)
    except Timeout as error:
        raise CourseError(f"another run is grading into {out}: wait for it, or end it") from error
    except OSError as error:
        where = error.filename or out
        raise CourseError(f"{where} cannot be written: {error.strerror or error}") from error


def load(folder: Path, key: str) -> dict | None:
    """The record of a student if it was made from just this; None where it has to be made."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or record.get("key") != key:
        return None
    return record if (folder / FEEDBACK).is_file() or not record.get("has_feedback") else None


def install(record: dict, feedback: Path | None, folder: Path) -> None:
    """Put the results of one student in place, the record last."""
    folder.mkdir(parents=True, exist_ok=True)
    record["has_feedback"] = feedback is not None and feedback.is_file()
    if record["has_feedback"]:
        os.replace(feedback, folder / FEEDBACK)
    else:
        (folder / FEEDBACK).unlink(missing_ok=True)
    write(folder / RECORD, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def write(path: Path, content: str | bytes) -> None:
    """A whole file or none: written under another name, then renamed."""
    data = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
    part = path.with_name(f"{path.name}.part")
    with open(part, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
