"""Whose file it is: names given by Canvas and Moodle, readable ids, folders safe on any system."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

MAX_NAME_CHARS = 80  # characters of an id; bytes of a folder's name; in both a digest may follow
# id of the attachment and what the student called the file, or an entry typed into Canvas
UPLOAD = r"_(?:(?P<upload>[1-9][0-9]*)_.+|(?:text|link)\.html)"
# sorted name (small letters, no spaces or signs, no number between underscores), id of the user
CANVAS = re.compile(rf"(?P<name>[^\s.,-]+?)(?P<late>_LATE)?_(?P<id>[1-9][0-9]*){UPLOAD}", re.DOTALL)
ANONYMOUS = re.compile(rf"(?P<late>LATE_)?(?P<name>anon_(?P<id>\w{{5}})){UPLOAD}", re.DOTALL)
# full name, id of the participant, plugin; without folders what the student called the file, in
# which all of that may stand again
PARTICIPANT = r"(?P<name>.+?)_(?P<id>[0-9]+)_assignsubmission_[a-z]+"
# Files that a student may hand in; others that lie beside them are the instructor's.
HANDED_IN = re.compile(
    r"(?:\.ipynb(?:\.(?:txt|json|zip))?|\.(?:zip|7z|rar|tar\.gz|tgz|pdf|docx?|odt|html?|py))$",
    re.IGNORECASE,
)
STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
RESERVED = re.compile(r"(?:CON|PRN|AUX|NUL|COM\d|LPT\d)(?:\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Owner:
    """Who handed an entry in. `key` tells students apart, `number` is the platform's own id."""

    key: tuple[str, str]
    student: str
    name: str
    platform: str = ""
    number: str = ""
    late: bool = False
    upload: int = 0


Top = tuple[str, bool]  # name of a top-level entry, and whether it is a folder


def owners(tops: Iterable[Top]) -> dict[Top, Owner]:
    """Whose each top-level entry is.

    A platform's naming counts where more than half of what may be a submission has it, so that a
    file which came by mail may lie beside, and where its numbers can be what they seem.
    """
    tops = list(tops)
    half = sum(is_folder or bool(HANDED_IN.search(name)) for name, is_folder in tops) / 2
    for read in (_moodle, _canvas):
        found = {top: one for top in tops if (one := read(*top))}
        if len(found) > half and _tells_apart(found):
            break
    else:
        found = {}
    return {top: found.get(top) or _plain(*top) for top in tops}


def owner(entry: str, *, is_folder: bool) -> Owner:
    """Whose a top-level entry is, by its own name alone."""
    return _moodle(entry, is_folder) or _canvas(entry, is_folder) or _plain(entry, is_folder)


def _tells_apart(found: dict[Top, Owner]) -> bool:
    """Whether each number has one name, and each upload one file; in Canvas names differ as well.

    "ws_2024_25_mueller" and "ws_2024_25_schmidt" are two people, not two files of upload 25.
    """
    told = defaultdict(set)  # by student, and by the number of an upload
    for (entry, _), one in found.items():
        told[one.key].add(one.name)
        if one.upload:
            told[one.upload].add(entry.partition(f"_{one.upload}_")[2])
    in_canvas = {one.name for one in found.values() if one.platform == "canvas"}
    return all(len(each) == 1 for each in told.values()) and not len(in_canvas) == 1 < len(found)


def _moodle(entry: str, is_folder: bool) -> Owner | None:
    match = re.fullmatch(PARTICIPANT + ("_?" if is_folder else "_.+"), entry, re.DOTALL)
    if not match:
        return None
    name, number = readable(match["name"]), match["id"]
    return Owner(("moodle", number), f"{name}_{number}", name, "moodle", number)


def _canvas(entry: str, is_folder: bool) -> Owner | None:
    match = None if is_folder else ANONYMOUS.fullmatch(entry) or CANVAS.fullmatch(entry)
    if not match or (match.re is CANVAS and any(sign.isupper() for sign in match["name"])):
        return None
    name, late, upload = readable(match["name"]), bool(match["late"]), int(match["upload"] or 0)
    number = "" if match.re is ANONYMOUS else match["id"]  # anonymous: no user's, even if digits
    student = f"{name}_{number}" if number else name
    return Owner(("canvas", match["id"]), student, name, "canvas", number, late, upload)


def _plain(entry: str, is_folder: bool) -> Owner:
    name = readable(entry if is_folder else HANDED_IN.sub("", entry))
    return Owner(("folder" if is_folder else "file", entry), name, name)


def readable(text: str) -> str:
    """One line in composed Unicode, without signs that steer a terminal or turn the writing."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    text = STEERING.sub(" ", unicodedata.normalize("NFC", text))
    line = " ".join(text.split()) or "(no name)"
    return line if len(line) <= MAX_NAME_CHARS else f"{line[:MAX_NAME_CHARS]}…{_digest(line)}"


def folder_name(student: str) -> str:
    """A name for this id's folder that every system takes; one to one, whatever the id is.

    Two ids that differ in case alone need different folders on Windows and macOS, so that an id
    which is not all small letters, digits and -_. gets a digest of itself.
    """
    safe = re.sub(r"[^\w.@+-]+", "_", student).strip("._ ")
    while len(safe.encode()) > MAX_NAME_CHARS:
        safe = safe[:-1]
    reserved = RESERVED.fullmatch(safe)
    if safe == student and re.fullmatch(r"[a-z0-9][a-z0-9_.@+-]*", safe) and not reserved:
        return safe
    return f"{'_' if reserved else ''}{safe or 'student'}-{_digest(student)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
