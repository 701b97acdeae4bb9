"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from course_lib.errors import CourseError


def check_target(path: Path) -> None:
    """CourseError where no file can have this path: a folder, or in a folder that is not there."""
    try:
        fits = not path.is_dir() and path.parent.is_dir()
    except OSError as error:  # a name that is too long
        raise CourseError(f"{path} cannot be a file: {error.strerror}") from error
    if not fits:
        raise CourseError(f"{path} is not the path of a file in a folder that exists")


def write_whole(path: Path, data: bytes) -> None:
    """Replace the file in one step; CourseError, and what was there stays, where that fails."""
    check_target(path)
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        raise CourseError(f"{path} cannot be written: {error.strerror}") from error
    finally:  # after Ctrl-C too
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
