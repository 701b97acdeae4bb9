"""Which of the files that one student handed in is the notebook to grade."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import PurePosixPath

from course_lib.grading.assignment import Assignment, recognise
from course_lib.grading.intake.entries import RENAMED, Entry, nested_entries
from course_lib.grading.intake.names import Owner, readable

MAX_NOTEBOOKS = 40  # of one student that are looked into
MAX_PARSED_BYTES = 100_000  # a larger file is parsed in a process of its own, when it is graded
Files = list[tuple[Entry, Owner]]


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


def candidates(files: Files, *, limit: int) -> list[Candidate]:
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


def _examined(files: Files, *endings: str, limit: int) -> list[Candidate]:
    named = [pair for pair in files if pair[0].is_a(*endings)][:MAX_NOTEBOOKS]
    return [_candidate(entry, who.upload, limit=limit) for entry, who in named]


def _candidate(entry: Entry, upload: int, *, limit: int) -> Candidate:
    if entry.problem:
        return Candidate(entry, upload, status="unreadable", reason=f"the file {entry.problem}")
    if entry.size > limit:
        size = f"{entry.size / 2**20:,.0f} MB, more than {limit / 2**20:,.0f} MB"
        return Candidate(entry, upload, status="too_large", reason=f"the file has {size}")
    try:
        data = entry.read(limit + 1)
    except ValueError as error:
        return Candidate(entry, upload, status="unreadable", reason=f"the file {error}")
    sha256 = hashlib.sha256(data).hexdigest()
    return Candidate(entry, upload, sha256, recognise(data), *_unfit(data))


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
