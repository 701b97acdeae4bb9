"""What many tests share: the course's folder, and a command run as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from course_lib.commands import cli

# The tests' tensors are small: threads would spend their time waiting for each other. Notebooks run
# in processes of their own, with all cores.
torch.set_num_threads(1)
ROOT = Path(__file__).resolve().parents[1]


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
