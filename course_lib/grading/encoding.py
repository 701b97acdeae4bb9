"""Text as other programs write it, and cells that they take for text."""

from __future__ import annotations

import codecs
import contextlib
import re
from pathlib import Path
from typing import NamedTuple

from course_lib.errors import CourseError

BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# What a spreadsheet may take for a formula, also in the wide forms of East Asian writing: at the
# start of a cell, and after a sign that some spreadsheets end a cell at.
FORMULA = re.compile("^(?=[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20])|(?<=[,;\t\r\n|])(?= *[=+\\-@])")


class Text(NamedTuple):
    """A decoded file: its text, and what it takes to write it as it was."""

    text: str
    encoding: str
    bom: bytes


def decoded(data: bytes) -> Text:
    """Bytes in the encoding that their byte order mark names, else UTF-8, else Windows' Latin."""
    for bom, encoding in BOMS.items():
        if data.startswith(bom):
            return Text(data[len(bom) :].decode(encoding, "replace"), encoding, bom)
    for encoding in ("utf-8", "cp1252"):
        with contextlib.suppress(UnicodeDecodeError):
            return Text(data.decode(encoding), encoding, b"")
    return Text(data.decode("latin-1"), "latin-1", b"")


def read(path: Path) -> Text:
    """A text file that the instructor gave. CourseError where it cannot be read."""
    try:
        return decoded(path.read_bytes())
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}") from error


def number(text: str) -> float | None:
    """A number with a point or a comma in it."""
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None


def harmless(cell: str) -> str:
    """A cell that no spreadsheet runs: an apostrophe before what looks like a formula."""
    return FORMULA.sub("'", cell)
