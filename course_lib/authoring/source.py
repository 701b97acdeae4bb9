"""Read a notebook's source, a py:percent file, into cells that know their line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import jupytext
from nbformat import NotebookNode

from course_lib.errors import CourseError

# Comments stay comments: jupytext would turn "# %time" or "# ls" into magics.
PERCENT = {"extension": ".py", "format_name": "percent", "comment_magics": False}
OPTIONS = {"exercise", "check", "setup", "tags"}


@dataclass(frozen=True)
class Cell:
    """One cell as it stands in the source; `options` are the keys of its `# %%` line."""

    kind: str
    source: str
    path: str
    line: int
    options: dict = field(default_factory=dict)

    def error(self, message: str, *, offset: int = 0) -> CourseError:
        """An error that begins with the file and line, `offset` lines below the header."""
        return CourseError(f"{self.path}:{self.line + offset}: {message}")

    @property
    def exercise(self) -> str | None:
        """The exercise that the student solves in this cell."""
        return self.options.get("exercise")

    @property
    def check(self) -> str | None:
        """The exercise that this cell checks."""
        return self.options.get("check")

    @property
    def tags(self) -> list[str]:
        """Jupyter's cell tags, passed through as they are."""
        return self.options.get("tags", [])


def read_source(path: Path) -> list[Cell]:
    """The cells of one py:percent file, in order. Raises CourseError with file and line."""
    name = f"{path.parent.name}/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{name}: cannot be read as UTF-8 text ({error})") from error
    lines = text.splitlines()
    headers = [n for n, line in enumerate(lines, start=1) if re.match(r"# %%( |$)", line)]
    nodes = jupytext.reads(text, fmt=PERCENT).cells
    if len(nodes) != len(headers):
        raise CourseError(
            f"{name}:1: begin with a cell header ('# %%') and keep '# %%' out of strings"
        )
    return [_cell(node, name, line) for node, line in zip(nodes, headers, strict=True)]


def _cell(node: NotebookNode, name: str, line: int) -> Cell:
    options = {k: v for k, v in node.metadata.items() if k != "lines_to_next_cell"}
    cell = Cell(node.cell_type, node.source, name, line, options)
    unknown = sorted(set(options) - OPTIONS)
    if unknown:
        known = ", ".join(sorted(OPTIONS))
        raise cell.error(f"unknown cell option {unknown[0]!r}; the options are {known}")
    for key in ("exercise", "check"):
        if not re.fullmatch(r"[A-Za-z_]\w{0,50}", str(options.get(key, "ok"))):
            raise cell.error(f'write {key}="name_of_the_exercise"')
    if cell.kind not in ("code", "markdown"):
        raise cell.error("a cell is code or [markdown]")
    if not isinstance(cell.tags, list):
        raise cell.error('write tags=["one", "two"]')
    return cell
