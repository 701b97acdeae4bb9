"""What a run keeps: a folder per student, whose record says what it was made from.

Every file is replaced in one step and the record comes last, so that a run that is killed at any
moment leaves whole results and gaps, never half of one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from course_lib.errors import CourseError
from course_lib.writing import replace as write

__all__ = ["key_of", "load", "opened", "secret", "write"]
RUN, RECORD, FEEDBACK, PAGE = "run.json", "record.json", "feedback.ipynb", "feedback.html"
STUDENTS, WORK, SECRET = "students", ".work", ".secret"


def key_of(*what: Any) -> str:
    """One digest of all that something was made from."""
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


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
            shutil.rmtree(work, ignore_errors=True)  # of a run that was killed, as these files are
            for part in [*out.glob("*.part"), *out.glob(f"{STUDENTS}/*/*.part")]:
                part.unlink(missing_ok=True)
            work.mkdir(exist_ok=True)
            yield work
            shutil.rmtree(work, ignore_errors=True)
    except Timeout as error:
        raise CourseError(f"another run is grading into {out}: wait for it, or end it") from error
    except OSError as error:
        where = error.filename or out
        raise CourseError(f"{where} cannot be written: {error.strerror or error}") from error


def load(path: Path, key: str) -> dict[str, Any]:
    """What a JSON file holds, if it was made from just this; else nothing."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("key") == key else {}


def secret(out: Path) -> str:
    """The instructor's secret in the seeds of this class, made by its first run.

    It lies beside the results, which no sandbox shows: whoever writes a submission cannot know it.
    """
    path = out / SECRET
    if not path.is_file():
        write(path, secrets.token_hex(16))
    return path.read_text(encoding="utf-8")
