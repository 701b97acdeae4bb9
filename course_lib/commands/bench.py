"""Run the benchmarks: each measures the course beside a peer, in one run on one machine."""

from __future__ import annotations

import argparse
import importlib
import json

from course_lib.commands import arguments
from course_lib.errors import CourseError
from course_lib.writing import check_target, write_whole

# Name of a benchmark to what it measures; each is a module of `course_lib.benchmarks`.
BENCHMARKS = {
    "train": "an epoch of three models: fit against other loops, pythae, Lightning, the bound",
    "widgets": "a step of a slider: the course's panels against interact with a figure",
    "conv": "64×64 faces: pixel shuffle on coarse grids against transposed convolutions",
    "start": "the first minute: from the command `lab` to the first figure of notebook 01",
    "grade": "grading against papermill, two cores against one, memory",
}

NEEDS = ("lab", "grade")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`bench [NAME] [--json FILE]`."""
    names = ", ".join(BENCHMARKS)
    parser.add_argument("name", nargs="?", help=f"one of: {names}; all of them when left out")
    parser.add_argument(
        "--json", type=arguments.path, metavar="FILE", help="write the figures there as well"
    )


def check(args: argparse.Namespace) -> None:
    """Refuse a name that nobody knows, and a file that cannot be written. CourseError."""
    if args.name is not None and args.name not in BENCHMARKS:
        near = arguments.closest(args.name, BENCHMARKS)
        raise CourseError(f"unknown benchmark {args.name!r}{near}")
    if args.json is not None:
        check_target(args.json)


def run(args: argparse.Namespace) -> int:
    """Print a table per benchmark; figures are medians, comparisons are ratios within one run."""
    figures = {}
    for name in [args.name] if args.name else BENCHMARKS:
        print(f"bench {name}: {BENCHMARKS[name]}", flush=True)
        figures[name] = importlib.import_module(f"course_lib.benchmarks.{name}").run()
    if args.json is not None:
        write_whole(args.json, (json.dumps(figures, indent=1) + "\n").encode())
    return 0
