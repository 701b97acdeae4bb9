"""Which of the files that one student handed in is the notebook to grade."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from course_lib.grading.assignment import Assignment, recognise
from course_lib.grading.intake.entries import RENAMED, Entry, nested_entries
from course_lib.grading.intake.names import Owner, folder_name, readable

MAX_NOTEBOOKS = 40  # of one student that are looked into
MAX_PARSED_BYTES = 100_000  # a larger file is parsed in a process of its own, when it is graded
Files = list[tuple[Entry, Owner]]


@dataclass(frozen=True)
class Submission:
    """What one student handed in. Where `status` says something, there is nothing to run.

    stem: the notebook of the course that it is; path: where it lies on disk, once `staged`.
    """

    student: str
    owner: Owner
    file: str = ""
    entry: Entry | None = None
    sha256: str = ""
    status: str = ""
    reason: str = ""
    flags: tuple[str, ...] = ()
    stem: str | None = None
    path: Path | None = None

    @property
    def folder(self) -> str:
        return folder_name(self.student)


def candidates(files: Files, *, limit: int) -> list[Submission]:
    """The notebooks among the files of one student; without one, in a ZIP.

    Without one there, those to whose name a browser or an e-mail program put another ending.
    limit: bytes of the largest notebook that is read.
    """
    found = _examined(files, ".ipynb", limit=limit)
    if not found:
        files = files + [pair for each in files for pair in _inside(*each, limit=limit)]
        renamed = _examined(files, *RENAMED, limit=limit)
        found = _examined(files, ".ipynb", limit=limit) or [one for one in renamed if one.stem]
    return found


def _inside(entry: Entry, who: Owner, *, limit: int) -> Files:
    try:
        is_zip = entry.is_a(".zip") and not entry.problem
        return [(inner, who) for inner in nested_entries(entry, limit=2 * limit)] if is_zip else []
    except ValueError:
        return []


def _examined(files: Files, *endings: str, limit: int) -> list[Submission]:
    named = [pair for pair in files if pair[0].is_a(*endings)][:MAX_NOTEBOOKS]
    return [_submission(entry, who, limit=limit) for entry, who in named]


def _submission(entry: Entry, who: Owner, *, limit: int) -> Submission:
    one = Submission(who.student, who, entry.name, entry)
    if entry.problem:
        return replace(one, status="unreadable", reason=f"the file {entry.problem}")
    if entry.size > limit:
        size = f"{entry.size / 2**20:,.0f} MB, more than {limit / 2**20:,.0f} MB"
        return replace(one, status="too_large", reason=f"the file has {size}")
    try:
        data = entry.read(limit + 1)
    except ValueError as error:
        return replace(one, status="unreadable", reason=f"the file {error}")
    status, reason = _unfit(data)
    sha256, stem = hashlib.sha256(data).hexdigest(), recognise(data)
    return replace(one, sha256=sha256, stem=stem, status=status, reason=reason)


def _unfit(data: bytes) -> tuple[str, str]:
    """Status and reason where a short file is clearly no notebook: nothing is started for it."""
    if not data.strip():
        return "empty", "the file is empty"
    if len(data) > MAX_PARSED_BYTES:
        return "", ""
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError) as error:
        return "unreadable", f"the file is not JSON: {error}"
    found = notebook if isinstance(notebook, dict) else {}
    if not isinstance(found.get("cells", found.get("worksheets")), list):  # the latter is older
        return "unreadable", "the file is JSON, but no notebook: it has no list of cells"
    return "", ""


def choose(found: list[Submission], wanted: Assignment) -> tuple[Submission, bool]:
    """The notebook to grade, and whether there were others just as much it.

    In this order: one that can be read, that holds the exercises, that does not lie in a copy of
    the course's own solutions, that was handed in last, that has the course's name.
    """

    def rank(one: Submission) -> tuple:
        path = PurePosixPath(one.file)
        return (
            bool(one.status),
            one.stem != wanted.stem,
            "solutions" in path.parts[:-1],
            -one.owner.upload,
            path.stem != wanted.stem,
            wanted.stem not in path.stem,
            len(path.parts),
            one.file,
        )

    best = min(found, key=rank)
    return best, len({one.sha256 for one in found if rank(one)[:3] == rank(best)[:3]}) > 1


def nothing(files: Files) -> str:
    """In words, what there is where there is no notebook."""
    names = [readable(entry.parts[-1]) for entry, _ in files if not entry.is_folder]
    if not names:
        return "no notebook: the folder is empty"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    problems = [f"; {entry.parts[-1]} {entry.problem}" for entry, _ in files if entry.problem]
    found = f"{', '.join(names[:3])}{more}{''.join(problems[:1])}"
    return f"no notebook among the files handed in: {found}"
