"""Points into somebody else's gradebook: who is which row, and what the instructor must know."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field

from course_lib.grading.batch.results import Result
from course_lib.grading.gradebooks.sheet import Sheet

MAX_NAMES = 8  # that a note spells out


@dataclass(frozen=True)
class Line:
    """A student's row: the platform's number, ids such as logins and e-mails, names.

    full_marks: the points that count as everything there; keep: why the row must stay as it is.
    """

    row: int
    number: str
    ids: tuple[str, ...]
    names: tuple[str, ...]
    full_marks: float
    keep: str = ""


@dataclass
class Filled:
    """A gradebook with the points in it, and notes: who did not match, and why."""

    content: bytes
    filled: int = 0
    notes: list[str] = field(default_factory=list)


def fill(book: Sheet, column: int, lines: list[Line], results: list[Result], *, platform: str,
         decimal: str = ".") -> Filled:  # fmt: skip
    """Write each student's points, scaled to the gradebook's maximum, into the one column.

    A row keeps what it has where nobody, or more than one submission, belongs to it.
    """
    owners, notes, filled = defaultdict(list), defaultdict(list), 0
    for one in results:
        line, why = _line_of(one, lines, platform)
        if line:
            owners[line].append(one)
        else:
            notes[why].append(one.student)
    for line, (one, *others) in owners.items():
        if others or line.keep:
            kept = f"{line.keep}, left as they are"
            why = "several submissions for one row" if others else kept
            notes[why] += [each.student for each in (one, *others)]
            continue
        points = round(one.points * line.full_marks / one.max_points, 2)
        book.set(line.row, column, f"{points:.2f}".rstrip("0").rstrip(".").replace(".", decimal))
        filled += 1
    left = [(*line.names, line.number)[0] for line in lines if line not in owners]
    if left:
        notes["rows without a submission, left as they are"] = left
    theirs, ours = {line.full_marks for line in lines}, {one.max_points for one in results}
    scaled = len(theirs) == len(ours) == 1 and theirs != ours
    said = [f"{ours.pop():g} points count as {theirs.pop():g}"] if scaled else []
    for why, who in notes.items():
        more = f" and {len(who) - MAX_NAMES} more" if len(who) > MAX_NAMES else ""
        said.append(f"{why}: {', '.join(who[:MAX_NAMES])}{more}")
    return Filled(book.encoded(), filled, said)


def _line_of(one: Result, lines: list[Line], platform: str) -> tuple[Line | None, str]:
    """The row of a student, or the reason why there is none: a grade is never guessed."""
    if not one.graded:
        return None, "not graded"
    if "duplicate_id" in one.flags:
        return None, "handed in twice, enter these by hand"
    owner = one.submission.owner
    if owner.platform == platform and owner.number.isdecimal():
        found = [line for line in lines if line.number == owner.number]
    else:
        own = {one.student.casefold(), owner.name.casefold()}
        found = [x for x in lines if own & {text.casefold() for text in (x.number, *x.ids)}]
        if len(found) != 1:
            own = spellings(one.student) | spellings(owner.name)
            found = [x for x in lines if own & set().union(*map(spellings, x.ids + x.names))]
    if len(found) == 1:
        return found[0], ""
    return None, "fits several rows" if found else "not in the gradebook"


def spellings(text: str) -> set[str]:
    """How else a name, login or e-mail address may be written, in bare letters and digits.

    "Doe, John", "John Doe", "doejohn" and "john.doe" meet; so do an address and its first part.
    """
    words = [word for word in map(bare, re.split(r"[\s,._-]+", text.split("@")[0])) if word]
    turns = range(len(words) if len(words) < 6 else 1)
    return {bare(text), *("".join(words[i:] + words[:i]) for i in turns)} - {""}


def bare(text: str) -> str:
    """Small letters and digits without accents."""
    letters = unicodedata.normalize("NFKD", text.replace("ß", "ss")).casefold()
    return "".join(sign for sign in letters if sign.isalnum())
