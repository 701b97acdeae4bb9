"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import glob
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from course_lib.errors import CourseError

SWEEP_AFTER_S = 86_400


def check_target(path: Path) -> None:
    """CourseError where no file can have this path: a folder, or in a folder that is not there."""
    try:
        fits = not path.is_dir() and path.parent.is_dir()
    except OSError as error:  # a name that is too long
        raise CourseError(f"{path} cannot be a file: {error.strerror}") from error
    if not fits:
        raise CourseError(f"{path} is not the path of a file in a folder that exists")


def write_whole(path: Path, content: bytes | str) -> None:
    """Replace the file in one step; CourseError, and what was there stays, where that fails."""
    check_target(path)
    try:
        replace(path, content)
    except OSError as error:
        raise CourseError(f"{path} cannot be written: {error.strerror}") from error


def replace(path: Path, content: bytes | str) -> None:
    """The same with errors as they are; a lone surrogate in a text becomes a question mark."""
    with replacing(path) as part:
        part.write_bytes(
            content if isinstance(content, bytes) else content.encode("utf-8", "replace")
        )


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; at the end it replaces that, on disk and in one step.

    Where anything fails, what was there stays, nothing else is left, and the error is raised as it
    is. Several processes may do so at once: each has a name of its own.
    """
    _sweep(path)
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield part
        with open(part, "rb+") as file:  # else a power failure may leave an empty file
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:  # after Ctrl-C too
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Remove what writers of this file that were killed left behind, more than a day ago."""
    for part in path.parent.glob(f"{glob.escape(path.name)}.*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > SWEEP_AFTER_S:
                part.unlink()
