"""What many tests share: the course's folder, and a command run as a user runs it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from course_lib.commands import cli

ROOT = Path(__file__).resolve().parents[1]
# jsonschema would build a grammar of internationalized addresses, which takes seconds.
sys.modules.setdefault("rfc3987_syntax", None)
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
# jsonschema would build a grammar of internationalized addresses, which takes seconds.
sys.modules.setdefault("rfc3987_syntax", None)
# A shell's `&` lets all that it starts ignore Ctrl-C: then tests of Ctrl-C would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    """For tests side by side (`-n`): a group stays in one process, long ones come first."""
    import torch  # not above: the process that only hands out tests starts without it

    # The tests' tensors are small: threads would spend their time waiting for each other. Notebooks
    # run in processes of their own, with all cores.
    torch.set_num_threads(1)
    if hasattr(config, "workerinput"):
        places = {name: i for i, name in enumerate(FIRST)}
        items.sort(key=lambda item: places.get(item.path.stem, len(FIRST)))
        for item in items:
            item.add_marker(pytest.mark.xdist_group(group(item)))


def group(item):
    """The tests that run in one process: those of a file, which share what they start.

    A copy of a notebook and the tests of an exercise are groups of their own.
    """
    params = item.callspec.params if hasattr(item, "callspec") else {}
    if item.path.stem in CLASSES:
        return "classes"
    if "stem" in params:
        return " ".join([item.path.stem, params["stem"], params.get("copy", "")])
    if hasattr(params.get("exercise"), "name"):
        return f"{item.path.stem} {params['exercise'].name}"
    return item.path.stem


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
