"""Show what is installed, and what to do about each red line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from course_lib.commands import checks, environment
from course_lib.commands.checks import BAD, OK, Row
from course_lib.errors import CourseError

NEEDS_PACKAGES = False  # it must work where nothing is installed
MARKS = {OK: "ok", checks.NOTE: "note", BAD: "RED"}
COLOURS = {OK: "32", checks.NOTE: "33", BAD: "31"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(args: argparse.Namespace) -> int:
    """Exit code 1 if any line is red."""
    environment.enter_if_there(args.root, argv=["doctor"])
    rows = list(examine(args.root))
    print(table(rows, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ))
    red = sum(row.state == BAD for row in rows)
    if not red:
        print("\nall is well: python -m course_lib lab opens the course")
    return 1 if red else 0


def examine(root: Path) -> Iterable[Row]:
    """Every check; one that fails itself is a red line, and the others still come."""
    bare: list[tuple[str, Callable[[], list[Row]]]] = [
        ("Python", checks.python),
        ("installation", lambda: checks.installation(root)),
        ("packages", lambda: checks.packages(root)),
        ("free disk", lambda: checks.disk(root)),
        ("memory", checks.memory),
    ]
    installed = [
        ("torch with torchvision", checks.torch_and_device),
        ("notebooks", lambda: checks.notebooks(root)),
        ("data sets", checks.data_sets),
        ("Jupyter kernel", checks.kernel),
    ]
    for name, check in bare + (installed if checks.has_packages(root) else []):
        try:
            yield from check()
        except CourseError as error:  # says what to do itself
            yield Row(name, str(error), BAD)
        except Exception as error:
            yield Row(name, f"{type(error).__name__}: {error}", BAD, "this check failed itself")


def table(rows: list[Row], *, colour: bool) -> str:
    """Three columns; below a line that is not well, what to do."""
    width = max(len(row.what) for row in rows)
    lines = []
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        mark = f"{MARKS[row.state]:4}"
        if colour:
            mark = f"\033[{COLOURS[row.state]}m{mark}\033[0m"
        lines.append(f"{mark}  {row.what:{width}}  {' '.join(row.found.split())}")
        if row.advice and (following is None or following.advice != row.advice):  # once is enough
            lines.append(f"{'':{width + 8}}-> {row.advice}")
    return "\n".join(lines)
