"""CSV files of other programs: read and written again, no byte changed but in cells we set."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from course_lib.errors import CourseError

BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"))
BOMS += ((codecs.BOM_UTF16_BE, "utf-16-be"),)


@dataclass(frozen=True)
class Text:
    """A decoded file: its text, and what it takes to write it as it was."""

    text: str
    encoding: str
    bom: bytes


def decoded(data: bytes) -> Text:
    """Bytes in the encoding that their byte order mark names, else UTF-8, else Windows' Latin."""
    for bom, encoding in BOMS:
        if data.startswith(bom):
            return Text(data[len(bom) :].decode(encoding, "replace"), encoding, bom)
    for encoding in ("utf-8", "cp1252"):
        try:
            return Text(data.decode(encoding), encoding, b"")
        except UnicodeDecodeError:
            continue
    return Text(data.decode("latin-1"), "latin-1", b"")


@dataclass
class Sheet:
    """Rows of raw cells, quotes and all, and the text between them: joined they are the file."""

    rows: list[list[str]]
    ends: list[str]
    delimiter: str
    source: Text

    def value(self, row: int, column: int) -> str:
        """What a cell says, "" where the row is too short to have it."""
        cells = self.rows[row]
        raw = cells[column] if column < len(cells) else ""
        if raw[:1] == '"':
            return raw[1:-1].replace('""', '"') if raw[-1:] == '"' and raw != '"' else raw[1:]
        return raw

    def values(self, row: int) -> list[str]:
        """What all the cells of a row say."""
        return [self.value(row, column) for column in range(len(self.rows[row]))]

    def set(self, row: int, column: int, text: str) -> None:
        """Change one cell; its neighbours keep their bytes."""
        cells = self.rows[row]
        cells.extend([""] * (column + 1 - len(cells)))
        quoted = cells[column][:1] == '"' or any(sign in text for sign in f'"\r\n{self.delimiter}')
        cells[column] = '"' + text.replace('"', '""') + '"' if quoted else text

    def encoded(self) -> bytes:
        """The file again."""
        lines = (
            self.delimiter.join(row) + end for row, end in zip(self.rows, self.ends, strict=True)
        )
        return self.source.bom + "".join(lines).encode(self.source.encoding, "replace")


def read(path: Path) -> Sheet:
    """A CSV file with commas, semicolons or tabs. CourseError where it is none."""
    try:
        source = decoded(path.read_bytes())
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}") from error
    first = re.match(r'(?:"(?:[^"]|"")*"|[^"\r\n])*', source.text)[0]
    bare = re.sub(r'"(?:[^"]|"")*"', "", first)
    delimiter = max(",;\t", key=bare.count)
    if not bare.count(delimiter):
        raise CourseError(f"{path} is no CSV file: its first line has one column")
    rows, ends = _split(source.text, delimiter)
    return Sheet(rows, ends, delimiter, source)


def _split(text: str, delimiter: str) -> tuple[list[list[str]], list[str]]:
    """Rows of raw cells and the end of each line; a quoted cell may hold delimiters and lines."""
    cell = re.compile(
        rf'("(?:[^"]|"")*"[^{delimiter}\r\n]*|[^{delimiter}\r\n]*)({delimiter}|\r\n|\n|\r|$)'
    )
    rows, ends, row, at = [], [], [], 0
    while at < len(text) or row:
        match = cell.match(text, at)  # always: a quote that nothing closes is a plain sign
        row.append(match[1])
        at = match.end()
        if match[2] != delimiter:
            rows.append(row)
            ends.append(match[2])
            row = []
    return rows, ends
