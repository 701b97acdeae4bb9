"""CSV files of other programs: read and written again, no byte changed but in cells we set."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.grading import encoding


@dataclass
class Sheet:
    """Rows of raw cells, quotes and all, and the ends of the lines: joined they are the file."""

    rows: list[list[str]]
    ends: list[str]
    delimiter: str
    source: encoding.Text

    def values(self, row: int) -> list[str]:
        """What the cells of a row say."""
        return [self._unquoted(raw) for raw in self.rows[row]]

    def value(self, row: int, column: int) -> str:
        """What a cell says, stripped; "" where the row is too short to have it."""
        cells = self.rows[row]
        return self._unquoted(cells[column]).strip() if column < len(cells) else ""

    def _unquoted(self, raw: str) -> str:
        return "".join(next(csv.reader([raw], delimiter=self.delimiter), []))

    def set(self, row: int, column: int, text: str) -> None:
        """Change one cell; its neighbours keep their bytes."""
        cells = self.rows[row]
        cells.extend([""] * (column + 1 - len(cells)))
        cells[column] = f'"{text}"' if cells[column][:1] == '"' or self.delimiter in text else text

    def encoded(self) -> bytes:
        """The file again."""
        lines = map(self.delimiter.join, self.rows)
        text = "".join(line + end for line, end in zip(lines, self.ends, strict=True))
        return self.source.bom + text.encode(self.source.encoding, "replace")


def read(path: Path) -> Sheet:
    """A CSV file with commas, semicolons or tabs. CourseError where it is none."""
    source = encoding.read(path)
    first = re.match(r'(?:"(?:[^"]|"")*"|[^"\r\n])*', source.text)[0]
    unquoted = re.sub(r'"(?:[^"]|"")*"', "", first)
    delimiter = max(",;\t", key=unquoted.count)
    if delimiter not in unquoted:
        raise CourseError(f"{path} is no CSV file: its first line has one column")
    sheet = Sheet([], [], delimiter, source)
    # A quoted cell may hold delimiters and lines; a quote that nothing closes is a plain sign.
    cell = re.compile(
        rf'("(?:[^"]|"")*"[^{delimiter}\r\n]*|[^{delimiter}\r\n]*)({delimiter}|\r\n|\n|\r|$)'
    )
    row, at = [], 0
    while at < len(source.text) or row:
        match = cell.match(source.text, at)
        row.append(match[1])
        at = match.end()
        if match[2] != delimiter:
            sheet.rows.append(row)
            sheet.ends.append(match[2])
            row = []
    return sheet
