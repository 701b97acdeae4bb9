"""Make the notebooks from their sources again."""

from __future__ import annotations

import argparse
import sys

from course_lib.commands.checks import has_windows_line_ends


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One switch."""
    parser.add_argument("--check", action="store_true", help="change nothing, fail if any differs")


def run(args: argparse.Namespace) -> int:
    """Exit code 1 where --check finds a difference."""
    from course_lib import authoring

    differing = authoring.build(args.root, check=args.check)
    if args.check and differing:
        names = ", ".join(differing)
        ends = any(has_windows_line_ends(args.root / name) for name in differing)
        why = " (Windows' line ends, CRLF)" if ends else ""
        told = f"not as their sources say{why}: {names}; run python -m course_lib build"
        print(told, file=sys.stderr)
        return 1
    for name in differing:
        print(f"written: {name}")
    if not differing:
        print("all notebooks are as their sources say")
    return 0
