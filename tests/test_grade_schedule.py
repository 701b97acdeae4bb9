"""Many submissions on one machine: each has its share of the cores, none outlives the run."""

import os
import time
from dataclasses import dataclass

import psutil
import pytest

from course_lib import machine
from course_lib.grading.batch import schedule
from course_lib.grading.sandbox import supervise


@dataclass(frozen=True)
class Name:
    """Stands for a job."""

    name: str


@pytest.mark.parametrize("processes", [1, 2])
def test_cores_are_shared_out(processes, monkeypatch):
    """Catches submissions that take all cores each, and wait for each other's threads."""
    monkeypatch.setattr(machine, "cores", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    jobs = [Name("a"), Name("b")]
    grade = lambda job: os.environ["OMP_NUM_THREADS"]  # noqa: E731
    found = dict(schedule.run(jobs, grade, processes=processes))
    assert found == dict.fromkeys((Name("a"), Name("b")), str(4 // processes))
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_a_run_that_is_left_starts_and_leaves_nothing(monkeypatch, root):
    """Catches workers behind Ctrl-C, and a class that goes on although nobody waits for it."""
    begun, ended = [], []

    def grade(job):
        begun.append(job)
        if job.name != "first":
            list(supervise.work({}, root=root, seconds=60))
            ended.append(job)

    monkeypatch.setattr(supervise, "process_command", lambda name: ["sleep", "60"])
    names = [Name("first"), *(Name(str(i)) for i in range(9))]
    run, start = schedule.run(names, grade, processes=2), time.monotonic()
    next(run)
    run.close()
    assert time.monotonic() - start < 10 and len(begun) < 6 and not ended
    assert not [p for p in psutil.Process().children() if p.name() == "sleep"]
