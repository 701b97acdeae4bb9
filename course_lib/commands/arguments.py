"""Names and paths on the command line: what cannot serve is refused before an installation."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from course_lib.errors import CourseError


def closest(word: str, known: Iterable[str]) -> str:
    """The end of an error about a name that nobody knows."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1)
    return f": did you mean {close[0]}?" if close else f" (there are: {', '.join(known)})"


def path(text: str) -> Path:
    """A path, with ~ as the home folder."""
    if not text:
        raise CourseError("a path is empty: give the name of a file or folder")
    return Path(os.path.expanduser(text))  # leaves a ~ of nobody as it is, where pathlib raises


def positive(text: str) -> int:
    """A whole number from 1 on. CourseError."""
    if not (text.isdecimal() and int(text)):
        raise CourseError(f"{text!r} is no whole number from 1 on")
    return int(text)


def existing_file(text: str) -> Path:
    """The path of a file that is there."""
    file = path(text)
    if not os.path.isfile(file):
        is_folder = os.path.isdir(file)
        raise CourseError(
            f"{text} is a folder, not a file" if is_folder else f"there is no file {text}"
        )
    return file


def require_ending(file: Path, *endings: str) -> None:
    """CourseError where the name says that something else is in the file."""
    if file.suffix.lower() not in endings:
        raise CourseError(f"{file} must end in {' or '.join(endings)}: that is what is written")


def require_folder(folder: Path) -> None:
    """CourseError where `folder` is something else, or cannot be made or written in."""
    there = next(p for p in (folder, *folder.absolute().parents) if os.path.lexists(p))
    if not os.path.isdir(there):
        raise CourseError(f"{folder} cannot be a folder: {there} is none")
    if not os.access(there, os.W_OK | os.X_OK):
        raise CourseError(f"{folder} cannot be written: choose a folder of your own")
