"""Run the tests; all other arguments go on to pytest (try -m "not notebook", or -k 01)."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import sys

from course_lib import machine
from course_lib.commands.process import hand_over
from course_lib.commands.torch_source import CHOICES
from course_lib.errors import CourseError
from course_lib.place import INSTALLED

PASSES_ON = True
TAKE_A_WORD = ("-k", "-m", "--ignore", "--deselect")

NEEDS = ("lab", "grade", "dev")
WORKER_BYTES = 3 * 2**30  # one process of the tests, and the kernel or browser that it starts
MOST_WORKERS = 8  # the longest test file takes as long as all others on eight cores
# What says how many processes there are, or wants the terminal for itself.
ALONE = re.compile(
    r"-n|--numprocesses|--dist|--pdb|--trace|-[lqvx]*s$|--capture=no|.*no:xdist|.*::"
)


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
    # Hundreds of tests start a Python: each would compile PyTorch anew, which takes seconds.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.chdir(args.root)
    return hand_over([sys.executable, "-m", "pytest", *side_by_side(args.rest), *args.rest])


def side_by_side(rest: list[str]) -> list[str]:
    """pytest's options for one process more than cores; none where `rest` or one core forbids.

    Many tests wait for a browser, a kernel or a limit of time: of one process per core, a third of
    the time would be waiting. Notebooks at their default settings are to have all cores: their time
    is measured.
    """
    cores, memory = machine.cores(), machine.memory_bytes() or WORKER_BYTES
    workers = min(cores + 1, memory // WORKER_BYTES, MOST_WORKERS)
    alone = cores < 2 or workers < 2 or os.environ["COURSE_FAST"] == "0"
    if alone or any(map(ALONE.match, rest)) or not importlib.util.find_spec("xdist"):
        return []
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the processes share the cores already
    return ["-n", str(workers), "--dist", "loadgroup", "--no-loadscope-reorder"]
