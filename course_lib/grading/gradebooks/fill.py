"""Points into somebody else's gradebook: who is which row, and what the instructor must know."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from course_lib.grading.batch.results import Result
from course_lib.grading.gradebooks.sheet import Sheet

NAMED = 8  # names that a note spells out


@dataclass(frozen=True)
class Line:
    """A student's row: the platform's number, ids such as logins and e-mails, names.

    most: the points that count as everything there; keep: why the row has to stay as it is.
    """

    row: int
    number: str
    ids: tuple[str, ...]
    names: tuple[str, ...]
    most: float
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
    notes: dict[str, list[str]] = {}
    found = {}
    for one in results:
        line, why = _line_of(one, lines, platform)
        if line is None:
            notes.setdefault(why, []).append(one.student)
        else:
            found.setdefault(line.row, []).append((one, line))
    filled = 0
    for row, pairs in found.items():
        if len(pairs) > 1:
            why = "several submissions for one row"
            notes.setdefault(why, []).extend(one.student for one, _ in pairs)
            continue
        [(one, line)] = pairs
        if line.keep:
            notes.setdefault(f"{line.keep}, left as they are", []).append(one.student)
            continue
        points = one.points * line.most / one.max_points
        book.set(row, column, f"{points:.2f}".rstrip("0").rstrip(".").replace(".", decimal))
        filled += 1
    left = [line.names[0] if line.names else line.number for line in lines if line.row not in found]
    if left:
        notes["rows without a submission, left as they are"] = left
    said = [f"{why}: {_some(who)}" for why, who in notes.items()]
    return Filled(book.encoded(), filled, [*_scaled(lines, results), *said])


def _scaled(lines: Iterable[Line], results: list[Result]) -> list[str]:
    most = {line.most for line in lines}
    own = {one.max_points for one in results}
    if len(most) == len(own) == 1 and most != own:
        return [f"{own.pop():g} points count as {most.pop():g}"]
    return []


def _line_of(one: Result, lines: list[Line], platform: str) -> tuple[Line | None, str]:
    """The row of a student, or the reason why there is none: a grade is never guessed."""
    if not one.graded:
        return None, "not graded"
    if "duplicate_id" in one.flags:
        return None, "handed in twice, enter these by hand"
    owner = one.submission.owner
    if owner.platform == platform and owner.number.isdecimal():
        found = [line for line in lines if line.number == owner.number]
        return (found[0], "") if len(found) == 1 else (None, "not in the gradebook")
    own = {one.student.casefold(), owner.name.casefold()}
    found = [line for line in lines if own & {t.casefold() for t in (line.number, *line.ids)}]
    if len(found) != 1:
        own = {*spellings(one.student), *spellings(owner.name)}
        found = [x for x in lines if own & {s for t in x.ids + x.names for s in spellings(t)}]
    if len(found) == 1:
        return found[0], ""
    return None, "fits several rows" if found else "not in the gradebook"


def spellings(text: str) -> set[str]:
    """How else a name, login or e-mail address may be written, in bare letters and digits.

    "Doe, John", "John Doe", "doejohn" and "john.doe" meet; so do an address and its first part.
    """
    words = [bare(word) for word in re.split(r"[\s,._-]+", text.split("@")[0])]
    words = [word for word in words if word]
    turned = (
        {"".join(words[i:] + words[:i]) for i in range(len(words))} if len(words) < 6 else set()
    )
    return {form for form in (bare(text), "".join(words), *turned) if form}


def bare(text: str) -> str:
    """Small letters and digits without accents."""
    letters = unicodedata.normalize("NFKD", text.replace("ß", "ss")).casefold()
    return "".join(sign for sign in letters if sign.isalnum())


def number(text: str) -> float | None:
    """A number with a point or a comma in it."""
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
