"""What stands between the solution markers, and the cell without it."""

from __future__ import annotations

import re

from course_lib.authoring.source import Cell

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
LIKE_A_MARKER = re.compile(r"\b(BEGIN|END)[\s_-]*SOLUTIONS?\b", re.IGNORECASE)
STUB = "raise NotImplementedError"


def student_source(cell: Cell) -> str:
    """The cell as the student gets it: each marked block becomes `raise NotImplementedError`."""
    return "\n".join(line for line, _ in _walk(cell) if line is not None)


def solution_lines(cell: Cell) -> list[str]:
    """Every line between markers, as written."""
    return [hidden for _, hidden in _walk(cell) if hidden is not None]


def _walk(cell: Cell) -> list[tuple[str | None, str | None]]:
    """Pairs (line the student sees, line that is hidden). Raises CourseError at a stray marker."""
    pairs: list[tuple[str | None, str | None]] = []
    opened = 0
    for number, line in enumerate(cell.source.split("\n"), start=1):
        text = line.strip()
        if text == BEGIN and not opened:
            opened = number
            pairs.append((line[: line.index(BEGIN)] + STUB, None))
        elif text == END and opened:
            opened = 0
        elif LIKE_A_MARKER.search(line):
            # A misspelt marker would publish the solution, so nothing like one may remain.
            raise cell.error(
                f"write {BEGIN} and {END} in turn, each alone on its line", offset=number
            )
        else:
            pairs.append((None, line) if opened else (line, None))
    if opened:
        raise cell.error(f"{BEGIN} without {END}", offset=opened)
    return pairs
