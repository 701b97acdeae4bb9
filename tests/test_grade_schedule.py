"""Many submissions on one machine: each has its share of the cores, none outlives the run."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

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
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
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


def test_the_container_counts_and_not_the_machine(tmp_path, monkeypatch):
    """Catches a container of 2 GB that is taken for the 25 GB of its host."""
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    own = tmp_path / "own"
    own.write_text("0::/box\n4:memory:/\n1:cpu,cpuacct:/\n")
    monkeypatch.setattr(machine, "OWN_GROUPS", own)
    bare = machine.memory_bytes(), machine.cores()
    for name, text in (("box/memory.max", "2147483648"), ("memory.max", "max"),
                       ("box/cpu.max", "100000 100000"), ("cpu.max", "max 100000")):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    assert machine.memory_bytes() == 2**31 != bare[0] and machine.cores() == 1
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory/memory.limit_in_bytes").write_text("1073741824\n")
    assert machine.memory_bytes() == 2**30
    monkeypatch.setattr(machine, "OWN_GROUPS", Path("/nowhere"))
    assert machine.memory_bytes() == bare[0]
