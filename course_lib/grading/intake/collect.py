"""From what was handed in to one submission per student: nobody is lost, nothing is overwritten."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from course_lib.errors import CourseError
from course_lib.grading.assignment import Assignment, assignments
from course_lib.grading.intake.choice import Files, Submission, candidates, choose, nothing
from course_lib.grading.intake.entries import Entry, read_entries
from course_lib.grading.intake.names import HANDED_IN, owner, owners


@dataclass(frozen=True)
class Intake:
    """Submissions in the order of their ids, the notebook they are of, and what was passed over."""

    submissions: list[Submission]
    assignment: Assignment
    ignored: list[str]


def collect(source: Path, *, wanted: Assignment | None, limit: int) -> Intake:
    """Read a folder or ZIP of submissions; nothing is written yet, see `staged`.

    wanted: the notebook to grade; None for the one that most students handed in.
    limit: bytes of the largest notebook that is read. Raises CourseError where there is nothing.
    """
    entries = read_entries(source, limit=limit)
    groups, ignored = grouped(entries if source.is_dir() else unwrapped(entries, source.stem))
    if not groups:
        raise CourseError(
            f"no submissions in {source}: give a folder or ZIP with one .ipynb or one sub-folder "
            "per student"
        )
    (first, who), *others = (pair for files in groups for pair in files)
    loose = source.is_dir() and len(first.parts) == 1 and not who.platform
    if loose and first.is_a(".zip") and not others:
        raise CourseError(f"{source} holds only {first.name}: if that is a class, give it itself")
    found = [candidates(files, limit=limit) for files in groups]
    wanted = wanted or most_common(found)
    submissions = [_chosen(*pair, wanted=wanted) for pair in zip(groups, found, strict=True)]
    return Intake(told_apart(submissions), wanted, ignored)


def unwrapped(entries: list[Entry], name: str) -> list[Entry]:
    """Without the one folder around everything that many programs put into a ZIP.

    It stays where it is a student's: named by Moodle, or with nothing in it but the course's own
    notebooks. A lone file in it is a student's only where the folder has the ZIP's own `name`.
    """
    tops = {entry.parts[0] for entry in entries}
    inner = [replace(entry, parts=entry.parts[1:]) for entry in entries if entry.parts[1:]]
    if len(tops) != 1 or not inner or any(len(e.parts) == 1 and not e.is_folder for e in entries):
        return entries
    [top], below = tops, {entry.parts[0] for entry in inner}
    notebooks = [n for n in below if n.lower().endswith(".ipynb")]
    own = notebooks and all(n.startswith(tuple(assignments())) for n in notebooks)
    lone = len(below) == 1 and notebooks and top != name
    if owner(top, is_folder=True).platform or own or lone:
        return entries
    return unwrapped(inner, name)


def grouped(entries: list[Entry]) -> tuple[list[Files], list[str]]:
    """The files of each student, and the names of files that are nobody's."""
    tops = [(entry.parts[0], entry.is_folder or len(entry.parts) > 1) for entry in entries]
    whose = owners(set(tops))
    groups: dict[object, Files] = {}
    beside, ignored = [], []
    for entry, top in zip(entries, tops, strict=True):
        who = whose[top]
        if who.platform or top[1]:
            groups.setdefault(who.key, []).append((entry, who))
        elif entry.is_a(".ipynb"):
            groups[*who.key, len(groups)] = [(entry, who)]  # a ZIP may hold two files of one name
        elif HANDED_IN.search(entry.name):
            beside.append((entry, who))
        else:
            ignored.append(entry.name)
    of_name = {files[0][1].student: files for files in groups.values()}
    for entry, who in beside:  # anna.pdf beside anna.ipynb is no second student
        if who.student not in of_name:
            of_name[who.student] = groups["beside", who.student] = []
        of_name[who.student].append((entry, who))
    return list(groups.values()), ignored


def most_common(found: list[list[Submission]]) -> Assignment:
    """The notebook that most students handed in. CourseError where that is not clear."""
    ballots = [{one.stem for one in each if one.stem} for each in found]
    votes = Counter(itertools.chain(*ballots))
    if not votes:
        raise CourseError(
            "none of the files is a notebook of the course: say which with --notebook"
        )
    [(stem, count)] = votes.most_common(1)
    if [*votes.values()].count(count) > 1 or 2 * count <= sum(map(bool, ballots)):
        told = ", ".join(f"{stem[:2]} ({count})" for stem, count in sorted(votes.items()))
        raise CourseError(f"submissions of several notebooks, {told}: say which with --notebook")
    return assignments()[stem]


def _chosen(files: Files, found: list[Submission], *, wanted: Assignment) -> Submission:
    """The one notebook of a student, with flags."""
    who = files[0][1]
    flags = ("late",) if any(each.late for _, each in files) else ()
    if not found:
        reason = nothing(files)
        return Submission(who.student, who, status="no_notebook", reason=reason, flags=flags)
    one, rivals = choose(found, wanted)
    flags += ("several_notebooks",) if rivals else ()
    flags += ("renamed",) if not one.entry.is_a(".ipynb") else ()
    return replace(one, student=who.student, owner=who, flags=flags)


def told_apart(submissions: list[Submission]) -> list[Submission]:
    """Each with an id of its own: where two have the same, both are flagged and one is numbered.

    Ids that differ in case alone stay and are flagged; so is a file named like another student.
    """
    counts = Counter(one.student.casefold() for one in submissions)
    taken = {one.student for one in submissions if counts[one.student.casefold()] == 1}
    told = []
    for one in sorted(submissions, key=lambda one: (one.student, one.file)):
        student, flags = one.student, one.flags
        stem = PurePosixPath(one.file).stem.casefold()
        if counts[student.casefold()] > 1:
            numbered = (f"{one.student} ({n})" for n in itertools.count(2))
            student = next(n for n in itertools.chain([student], numbered) if n not in taken)
            taken.add(student)
            flags += ("duplicate_id",)
        elif stem in counts and stem != student.casefold():
            flags += ("named_like_another",)
        told.append(replace(one, student=student, flags=flags))
    return sorted(told, key=lambda one: (one.student.casefold(), one.student))


def staged(one: Submission, stage: Path, *, limit: int) -> Submission:
    """With a path on disk: the file's own, or below `stage` a copy of what lies in a ZIP."""
    if one.status or one.entry is None:
        return one
    if one.entry.place is not None:
        return replace(one, path=one.entry.place)
    path = stage / f"{one.folder}.ipynb"
    path.write_bytes(one.entry.read(limit))
    return replace(one, path=path)
