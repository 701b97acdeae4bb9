"""Which of the files that one student handed in is the notebook to grade."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath

from course_lib.grading.assignment import Assignment, recognise
from course_lib.grading.intake.entries import RENAMED, Entry, nested_entries
from course_lib.grading.intake.names import readable

MOST = 40  # notebooks of one student that are looked into


@dataclass(frozen=True)
class Candidate:
    """A notebook that may be the one: what it is, and the digest of its bytes, "" if unusable.

    upload: Canvas' number of the upload, which rises with time.
    """

    entry: Entry
    upload: int = 0
    sha256: str = ""
    stem: str | None = None
    status: str = ""
    reason: str = ""


def candidates(files: list[tuple[Entry, int]], *, limit: int) -> list[Candidate]:
    """The notebooks among the files of one student, each with its upload; without one, in a ZIP.

    Without one there, those to whose name a browser or an e-mail program put another ending.
    limit: bytes of the largest notebook that is read.
    """
    found = _named(files, ".ipynb", limit=limit)
    if not found:
        files = [*files, *(pair for each in files for pair in _inside(*each, limit=limit))]
        renamed = _named(files, *RENAMED, limit=limit)
        found = _named(files, ".ipynb", limit=limit) or [one for one in renamed if one.stem]
    return found


def _named(files: list[tuple[Entry, int]], *endings: str, limit: int) -> list[Candidate]:
    named = [pair for pair in files if pair[0].is_a(endings)][:MOST]
    return [_examined(*pair, limit=limit) for pair in named]


def _inside(entry: Entry, upload: int, *, limit: int) -> list[tuple[Entry, int]]:
    if not entry.is_a(".zip") or entry.problem:
        return []
    try:
        return [(inner, upload) for inner in nested_entries(entry, limit=2 * limit)]
    except ValueError:
        return []


def _examined(entry: Entry, upload: int, *, limit: int) -> Candidate:
    if entry.problem:
        return Candidate(entry, upload, status="unreadable", reason=f"the file {entry.problem}")
    if entry.size > limit:
        size = f"{entry.size / 2**20:,.0f} MB, more than {limit / 2**20:,.0f} MB"
        return Candidate(entry, upload, status="too_large", reason=f"the file has {size}")
    try:
        data = entry.read(limit + 1)
    except ValueError as error:
        return Candidate(entry, upload, status="unreadable", reason=f"the file {error}")
    return Candidate(entry, upload, hashlib.sha256(data).hexdigest(), recognise(data))


def choose(found: list[Candidate], wanted: Assignment) -> tuple[Candidate, bool]:
    """The notebook to grade, and whether there were others just as much it.

    In this order: one that can be read, that holds the exercises, that does not lie in a copy of
    the course's own solutions, that was handed in last, that has the course's name.
    """

    def rank(one: Candidate) -> tuple:
        path = PurePosixPath(one.entry.name)
        return (
            bool(one.status),
            one.stem != wanted.stem,
            "solutions" in path.parts[:-1],
            -one.upload,
            path.stem != wanted.stem,
            wanted.stem not in path.stem,
            len(path.parts),
            one.entry.name,
        )

    best = min(found, key=rank)
    rivals = {one.sha256 for one in found if rank(one)[:3] == rank(best)[:3]}
    return best, len(rivals) > 1


def nothing(files: list[tuple[Entry, int]]) -> str:
    """In words, what there is where there is no notebook."""
    names = [readable(entry.parts[-1]) for entry, _ in files if not entry.is_folder]
    if not names:
        return "no notebook: the folder is empty"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    problem = next((f"; {e.parts[-1]} {e.problem}" for e, _ in files if e.problem), "")
    return f"no notebook among the files handed in: {', '.join(names[:3])}{more}{problem}"
