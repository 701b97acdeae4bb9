"""Make the notebooks from their sources again, and environment.yml from pyproject.toml."""

from __future__ import annotations

import argparse
import sys

from course_lib.commands import arguments, requirements
from course_lib.commands.checks import has_windows_line_ends
from course_lib.errors import CourseError
from course_lib.packing import refuse_taken
from course_lib.place import INSTALLED
from course_lib.writing import replace

NEEDS = ("grade",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`build [--check | --lock | --class OUT]`."""
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--check", action="store_true", help="change nothing, fail if any differs")
    one.add_argument(
        "--lock", action="store_true", help="make requirements*.txt again too, with uv"
    )
    one.add_argument(
        "--class",
        type=arguments.path,
        dest="class_copy",
        metavar="OUT",
        help="write what a class gets",
    )


def check(args: argparse.Namespace) -> None:
    """Refuse an installed course, whose sources are nobody's to edit, and a place that is taken."""
    if args.root == INSTALLED:
        raise CourseError("build works in a clone of the course, and this one is installed")
    if args.class_copy:
        refuse_taken(args.root, args.class_copy)


def run(args: argparse.Namespace) -> int:
    """Exit code 1 where --check finds a difference."""
    from course_lib import authoring

    if args.class_copy:
        for path in authoring.write_class_copy(args.root, args.class_copy):
            print(f"written: {path}")
        return 0
    wanted = requirements.rendered(args.root)
    others = [name for name, text in wanted.items() if requirements.read(args.root / name) != text]
    differing = others + authoring.build(args.root, check=args.check)
    if args.check and differing:
        names = ", ".join(differing)
        ends = any(has_windows_line_ends(args.root / name) for name in differing)
        why = " (Windows' line ends, CRLF)" if ends else ""
        told = f"not as their sources say{why}: {names}; run python -m course_lib build"
        print(told, file=sys.stderr)
        return 1
    for name in others:
        replace(args.root / name, wanted[name])
    if args.lock:
        differing += requirements.make_locks(args.root)
    for name in differing:
        print(f"written: {name}")
    if not differing:
        print("all notebooks are as their sources say")
    return 0
