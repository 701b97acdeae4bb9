"""Show what is installed, and what to do about each red line."""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from course_lib.commands import checks, environment
from course_lib.commands.checks import BAD, NOTE, OK, Row

NEEDS_PACKAGES = False  # it must work where nothing is installed
MARKS = {BAD: "RED", NOTE: "note", OK: "ok"}  # the worst first
COLOURS = {BAD: "31", NOTE: "33", OK: "32"}
SORTED_S = 0.5  # what is known after this time comes sorted, what comes later as it is known
LIMIT_S = 60.0
WIDTH = 22


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(args: argparse.Namespace) -> int:
    """Exit code 1 if any line is red."""
    environment.enter_if_there(args.root, argv=["doctor"])
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    red = 0
    for rows in examine(args.root):
        if rows:
            print(table(rows, colour=colour), flush=True)
        red += sum(row.state == BAD for row in rows)
    if red:
        print(f"\n{red} RED: do what stands below the first one, then run doctor again")
    else:
        print("\nall is well: python -m course_lib lab opens the course")
    return 1 if red else 0


def examine(root: Path) -> Iterator[list[Row]]:
    """Rows as soon as they are known; those that are known at once come first, the worst on top.

    All checks run at the same time: one that hangs holds up none of the others.
    """
    names, answers = _start(root)
    waiting = list(names)

    def arriving(seconds: float) -> Iterator[tuple[str, list[Row]]]:
        end = time.monotonic() + seconds
        while waiting and (left := end - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                name, rows = answers.get(timeout=left)
                waiting.remove(name)
                yield name, rows

    at_once = dict(arriving(SORTED_S))
    yield _sorted([row for name in names for row in at_once.get(name, [])])
    for _, rows in arriving(LIMIT_S):
        yield _sorted(rows)
    late = f"no answer in {LIMIT_S:.0f} s"
    yield [Row(name, late, BAD, "is the disk or the network slow?") for name in waiting]


def _sorted(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: list(MARKS).index(row.state))


def _start(root: Path) -> tuple[list[str], queue.SimpleQueue]:
    """Names of the checks, and where their rows will come."""
    answers: queue.SimpleQueue = queue.SimpleQueue()

    def answer(name: str, check: Callable[[], list[Row]]) -> None:
        answers.put((name, checks.rows_of(name, check)))

    checks_here = _checks(root)
    for one in checks_here.items():
        threading.Thread(target=answer, args=one, daemon=True).start()  # doctor ends without them
    return list(checks_here), answers


def _checks(root: Path) -> dict[str, Callable[[], list[Row]]]:
    """Every check by its name; first those that take seconds, in processes of their own."""
    bare = {
        "Python": checks.python,
        "installation": lambda: checks.installation(root),
        "packages": lambda: checks.packages(root),
        "free disk": lambda: checks.disk(root),
        "memory": checks.memory,
    }
    if not checks.has_packages(root):
        return bare
    slow = {
        "torch with torchvision": checks.torch_and_data,
        "notebooks": lambda: checks.notebooks_apart(root),
    }
    return slow | bare | {"Jupyter kernel": checks.kernel}


def table(rows: list[Row], *, colour: bool) -> str:
    """Three columns; below a line that is not well, what to do."""
    lines = []
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        mark = f"{MARKS[row.state]:4}"
        if colour:
            mark = f"\033[{COLOURS[row.state]}m{mark}\033[0m"
        lines.append(f"{mark}  {row.what:{WIDTH}}  {' '.join(row.found.split())}")
        if row.advice and (following is None or following.advice != row.advice):  # once is enough
            lines.append(f"{'':{WIDTH + 8}}-> {row.advice}")
    return "\n".join(lines)
