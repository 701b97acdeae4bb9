"""Make the notebooks from their sources again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Two switches."""
    parser.add_argument("--check", action="store_true", help="change nothing, fail if any differs")
    parser.add_argument(
        "--class", type=Path, dest="class_copy", metavar="OUT", help="write what a class gets"
    )


def run(args: argparse.Namespace) -> int:
    """Exit code 1 where --check finds a difference."""
    from course_lib import authoring

    if args.class_copy:
        for path in authoring.write_class_copy(args.root, args.class_copy):
            print(f"written: {path}")
        return 0
    differing = authoring.build(args.root, check=args.check)
    if args.check and differing:
        names = ", ".join(differing)
        print(f"not as their sources say: {names}; run python -m course_lib build", file=sys.stderr)
        return 1
    for name in differing:
        print(f"written: {name}")
    if not differing:
        print("all notebooks are as their sources say")
    return 0
