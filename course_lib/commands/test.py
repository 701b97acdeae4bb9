"""Run the tests; all other arguments go on to pytest (try -m "not notebook", or -k 01)."""

from __future__ import annotations

import argparse
import os
import re
import sys

from course_lib.commands.process import hand_over
from course_lib.commands.torch_source import CHOICES
from course_lib.errors import CourseError
from course_lib.place import INSTALLED

PASSES_ON = True
TAKE_A_WORD = ("-k", "-m", "--ignore", "--deselect")

NEEDS = ("lab", "grade", "dev")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Only what concerns the installation: pytest knows the rest."""
    parser.add_argument("--torch", choices=CHOICES, help="which PyTorch to install")


def check(args: argparse.Namespace) -> None:
    """Refuse a test file that is not there: pytest would say so after the installation."""
    if args.root == INSTALLED:
        raise CourseError("the tests lie in a clone of the course, and this one is installed")
    for before, word in zip(["", *args.rest], args.rest, strict=False):
        file = word.partition("::")[0].partition("[")[0]
        is_place = not word.startswith("-") and before not in TAKE_A_WORD
        is_test = is_place and (file.endswith(".py") or re.match(r"tests[/\\]", file))
        if is_test and not (args.root / file).exists():
            raise CourseError(f"there is no test file {file}")


def run(args: argparse.Namespace) -> int:
    """Becomes pytest, in the course's folder; short training unless COURSE_FAST says otherwise."""
    os.environ.setdefault("COURSE_FAST", "1")
    os.chdir(args.root)
    return hand_over([sys.executable, "-m", "pytest", *args.rest])
