"""What many tests share: the course's folder, and a command run as a user runs it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from course_lib.commands import cli

ROOT = Path(__file__).resolve().parents[1]
# The files whose tests take longest: they begin, so that no process goes on alone at the end.
FIRST = (
    "test_grading_engine",
    "test_grading_hostile",
    "test_browser",
    "test_notebooks",
    "test_grading_honest",
    "test_on_a_gpu",
    "test_grading_probe",
    "test_site",
    "test_exercises",
    "test_packaging",
    "test_demo_browser",
    "test_demo_looks",
)
# Each grades a class, two submissions at a time with a timeout for each cell: not both at once.
CLASSES = ("test_grading_engine", "test_grading_hostile")
# A shell's `&` lets all that it starts ignore Ctrl-C: then tests of Ctrl-C would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    """For tests side by side (`-n`): the files that take longest come first."""
    import torch  # not above: the process that only hands out tests starts without it

    # The tests' tensors are small: threads would spend their time waiting for each other. Notebooks
    # run in processes of their own, with all cores.
    torch.set_num_threads(1)
    if hasattr(config, "workerinput"):
        places = {name: i for i, name in enumerate(FIRST)}
        items.sort(key=lambda item: places.get(item.path.stem, len(FIRST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """For `--dist loadgroup`: a process gets a whole group, as soon as it has nothing to do."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return group(nodeid)

    return Groups(config, log)


def group(nodeid):
    """The tests that run in one process: those of a file, which share what they start.

    A copy of a notebook and the tests of an exercise are groups of their own.
    """
    file, _, test = nodeid.partition("::")
    stem, of = Path(file).stem, re.search(r"\[((\w+?)(-\w+)?)\b.*\]", test)
    if stem in CLASSES:
        return "classes"
    if of and stem in ("test_notebooks", "test_on_a_gpu", "test_exercises"):
        return f"{stem} {of[2 if stem == 'test_exercises' else 1]}"
    return stem


def pytest_terminal_summary(terminalreporter):
    """What tests say of their runs with `record_property("said", …)`."""
    reports = [r for found in terminalreporter.stats.values() for r in found]
    for report in reports:
        for name, value in getattr(report, "user_properties", []):
            if name == "said" and report.when == "call":
                terminalreporter.write_line(value)


@pytest.fixture(scope="session")
def root():
    """The course's folder."""
    return ROOT


@pytest.fixture
def within():
    """Runs an action that may take this many seconds, and gives what it returns.

    It has three tries: a crowded machine is slow for a while, what is slow itself always. What the
    first try might mend for the second is asserted inside the action.
    """

    def run(seconds, action):
        taken = []
        for _ in range(3):
            start = time.perf_counter()
            result = action()
            taken.append(time.perf_counter() - start)
            if taken[-1] < seconds:
                return result
        raise AssertionError(f"took {taken} s, longer than {seconds} s")

    return run


@pytest.fixture
def course():
    """Runs `python -m course_lib …` and gives the finished process, with text output."""

    def run(*arguments, cwd=ROOT, timeout=120, **environment):
        variables = {**os.environ, "PYTHONPATH": str(cwd), **environment}
        return subprocess.run(
            [sys.executable, "-m", "course_lib", *map(str, arguments)],
            cwd=cwd,
            env=variables,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run


@pytest.fixture
def here(monkeypatch):
    """Runs main() in this process, which counts as installed."""
    monkeypatch.setattr(cli.environment, "ensure", lambda *_, **__: None)
    return cli.main
