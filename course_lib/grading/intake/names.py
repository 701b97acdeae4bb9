"""Whose file it is: names given by Canvas and Moodle, readable ids, folders safe on any system."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass

LONGEST = 80  # characters of an id; bytes of a folder's name; in both a digest may follow
# sorted name, perhaps LATE, id of the user, id of the attachment, what the student called the file
CANVAS = re.compile(
    r"(?P<name>.+?)(?P<late>_LATE)?_(?P<id>\d+)_(?:(?P<upload>\d+)_(?P<file>.+)|(?:text|link)\.html)",
    re.DOTALL,
)
ANONYMOUS = re.compile(
    r"(?P<late>LATE_)?(?P<name>anon_(?P<id>\w{5}))_(?:(?P<upload>\d+)_(?P<file>.+)|(?:text|link)\.html)",
    re.DOTALL,
)
# full name, id of the participant, plugin, and without folders what the student called the file
MOODLE = re.compile(
    r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_(?P<plugin>[a-z]+)(?:_(?P<file>.*))?", re.DOTALL
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


def owner(entry: str, *, is_folder: bool) -> Owner:
    """Read the name of a top-level file or folder."""
    moodle = MOODLE.fullmatch(entry)
    if moodle:
        name = readable(moodle["name"])
        return Owner(
            ("moodle", moodle["id"]), f"{name}_{moodle['id']}", name, "moodle", moodle["id"]
        )
    canvas = None if is_folder else ANONYMOUS.fullmatch(entry) or CANVAS.fullmatch(entry)
    if canvas:
        name, number = readable(canvas["name"]), canvas["id"]
        student = name if canvas.re is ANONYMOUS else f"{name}_{number}"
        late, upload = bool(canvas["late"]), int(canvas["upload"] or 0)
        return Owner(("canvas", number), student, name, "canvas", number, late, upload)
    name = readable(entry if is_folder else re.sub(r"\.ipynb$", "", entry, flags=re.IGNORECASE))
    return Owner(("folder" if is_folder else "file", entry), name, name)


def readable(text: str) -> str:
    """One line in composed Unicode, without signs that steer a terminal or turn the writing."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    text = unicodedata.normalize("NFC", text)
    steering = (
        "\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
    )
    plain = (
        " " if unicodedata.category(sign) in ("Cc", "Cs") or sign in steering else sign
        for sign in text
    )
    line = " ".join("".join(plain).split()) or "(no name)"
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…{_digest(line)}"


def folder_name(student: str) -> str:
    """A name for this id's folder that every system takes; one to one, whatever the id is.

    Two ids that differ in case alone need different folders on Windows and macOS, so that an id
    which is not all small letters, digits and -_. gets a digest of itself.
    """
    safe = re.sub(r"[^\w.@+-]+", "_", student).strip("._ ")
    while len(safe.encode()) > LONGEST:
        safe = safe[:-1]
    plain = re.fullmatch(r"[a-z0-9][a-z0-9_.@+-]*", safe) and not RESERVED.fullmatch(safe)
    if plain and safe == student:
        return safe
    if RESERVED.fullmatch(safe):
        safe = f"_{safe}"
    return f"{safe or 'student'}-{_digest(student)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
