"""Read a submitted file without trusting it: cells as plain text, or the reason why not."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_lib.grading.sandbox.limits import WITH_OUTPUTS

MAX_PARTS = 300_000  # lists and dictionaries in one file: each takes memory, however short
MAX_SHOWN = 5_000_000  # brackets in what is left out
MAX_CELLS = 2_000
CHUNK = 2**20
STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
SHOWN = rb'"(?:outputs|attachments|widgets)"\s*+:\s*+([\[{])'  # and what widgets remember
NEXT_SHOWN = re.compile(rb'[^"]*+(?:(?!%b)%b[^"]*+)*+%b' % (SHOWN, STRING, SHOWN), re.DOTALL)
BRACKET = re.compile(rb'[^"\[\]{}]*+(?:%b[^"\[\]{}]*+)*+([\[\]{}])' % STRING, re.DOTALL)


class Unfit(Exception):
    """A file that cannot be graded: a status of the record, and one line that says why."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Cell:
    """One cell as it was submitted; `grade_id` and `id` are "" where they were lost."""

    kind: str
    source: str
    id: str = ""
    grade_id: str = ""
    tags: tuple[str, ...] = field(default=())


def fingerprint(path: Path) -> str:
    """SHA-256 of a file of any size, "" where there is no file to read."""
    digest = hashlib.sha256()
    try:
        with _open(path) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except (OSError, Unfit):
        return ""
    return digest.hexdigest()


def read_cells(path: Path, *, file_mb: int) -> tuple[list[Cell], list[str]]:
    """The cells of a notebook, and flags on what is unusual about it. Raises Unfit."""
    text = _text(path, most=file_mb * 2**20)
    try:
        notebook = json.loads(text)
    except RecursionError as error:
        raise Unfit("unreadable", "the file is nested too deeply to be a notebook") from error
    except ValueError as error:
        raise Unfit("unreadable", f"the file is not JSON: {_line(error)}") from error
    flags: list[str] = []
    if isinstance(notebook, dict) and "worksheets" in notebook:
        notebook = _upgraded(notebook)
        flags.append("an old file format (nbformat 3) was upgraded")
    listed = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(listed, list):
        raise Unfit("unreadable", "the file is JSON, but no notebook: it has no list of cells")
    if len(listed) > MAX_CELLS:
        raise Unfit("too_large", f"the notebook has {len(listed):,} cells, more than {MAX_CELLS:,}")
    cells = [cell for cell in map(_cell, listed) if cell is not None]
    if len(cells) < len(listed):
        flags.append(f"{len(listed) - len(cells)} damaged cells were left out")
    if not any(cell.kind == "code" and cell.source.strip() for cell in cells):
        raise Unfit("empty", "the notebook has no code")
    return cells, flags


def _open(path: Path) -> Any:
    """The open file; a pipe or a device would block, so only a regular file is read."""
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise Unfit("unreadable", "not a regular file")
    return os.fdopen(number, "rb")


def _text(path: Path, *, most: int) -> str:
    try:
        with _open(path) as file:
            _limit("the file has", os.fstat(file.fileno()).st_size, WITH_OUTPUTS * most)
            data = file.read(WITH_OUTPUTS * most + 1)
    except OSError as error:
        raise Unfit("unreadable", f"the file cannot be read: {error.strerror}") from error
    if not data.strip():
        raise Unfit("empty", "the file is empty")
    data = without_outputs(data, most=most)
    if data.count(b"[") + data.count(b"{") > MAX_PARTS:
        raise Unfit("too_large", "the file has too many parts for a notebook: clear its outputs")
    try:
        return data.decode(json.detect_encoding(data)).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise Unfit("unreadable", "the file is not text in UTF-8") from error


def _limit(what: str, size: int, most: int) -> None:
    if size > most:
        megabytes = f"{size / 2**20:.0f} MB, more than {most >> 20} MB"
        raise Unfit("too_large", f"{what} {megabytes}: clear its outputs")


def without_outputs(data: bytes, *, most: int) -> bytes:
    """The JSON of a notebook with empty outputs, which are passed over unparsed. Raises Unfit."""
    view, kept, at, brackets = memoryview(data), [], 0, 0
    while found := NEXT_SHOWN.match(data, at):
        kept.append(view[at : found.end()])
        at, depth = found.end(), 1
        while depth and (bracket := BRACKET.match(data, at)):
            at, brackets = bracket.end(), brackets + 1
            depth += 1 if bracket[1] in b"[{" else -1
            if brackets > MAX_SHOWN:
                raise Unfit("too_large", "its outputs have too many parts: clear them")
        at -= not depth  # its last bracket is kept
    kept.append(view[at:])
    _limit("without its outputs the file has", sum(map(len, kept)), most)
    return b"".join(kept)


def _upgraded(notebook: dict[str, Any]) -> dict[str, Any]:
    """A notebook of nbformat 1 to 3 in the present format."""
    import nbformat

    try:
        old = nbformat.from_dict(notebook)
        return nbformat.convert(old, 4)
    except Exception as error:  # whatever a broken old notebook makes of the converter
        raise Unfit(
            "unreadable", f"an old notebook that cannot be upgraded: {_line(error)}"
        ) from error


def _cell(entry: Any) -> Cell | None:
    """One entry of the list, or None where it is no cell."""
    if not isinstance(entry, dict) or entry.get("cell_type") not in ("code", "markdown", "raw"):
        return None
    source = entry.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    source = source.encode("utf-8", "replace").decode("utf-8")  # lone surrogates cannot be sent
    metadata = entry.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    nbgrader, tags = metadata.get("nbgrader"), metadata.get("tags")
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else ""
    tags = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    names = (entry.get("id") or metadata.get("id"), grade_id)  # Colab keeps ids in the metadata
    return Cell(entry["cell_type"], source, *map(_name, names), tuple(tags[:20]))


def _name(value: Any) -> str:
    return value[:100] if isinstance(value, str) else ""


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
