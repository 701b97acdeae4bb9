"""Run the tests; all other arguments go on to pytest (try -m "not notebook", or -k 01)."""

from __future__ import annotations

import argparse
import os
import sys

from course_lib.commands.process import hand_over
from course_lib.commands.torch_source import CHOICES
from course_lib.errors import CourseError
from course_lib.place import INSTALLED

PASSES_ON = True

NEEDS = ("lab", "grade", "dev")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Only what concerns the installation: pytest knows the rest."""
    parser.add_argument("--torch", choices=CHOICES, help="which PyTorch to install")


def run(args: argparse.Namespace) -> int:
    """Becomes pytest, in the course's folder; short training unless COURSE_FAST says otherwise."""
    if args.root == INSTALLED:
        raise CourseError("the tests lie in a clone of the course, and this one is installed")
    os.environ.setdefault("COURSE_FAST", "1")
    os.chdir(args.root)
    return hand_over([sys.executable, "-m", "pytest", *args.rest])
