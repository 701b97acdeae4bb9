"""Many processes on one machine: each has its share of the cores, none outlives the run."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from joblib import cpu_count

from course_lib.grading.batch import schedule

ROOT = Path(__file__).resolve().parents[1]
KILLED = """
import os, sys, threading, time
from course_lib.grading.batch import schedule

def wait(seconds):
    time.sleep(seconds)

def end():
    while len(psutil.Process().children()) < 3:
        time.sleep(0.1)
    time.sleep(1)
    print(*[child.pid for child in psutil.Process().children()], flush=True)
    os.kill(os.getpid(), 9)

import psutil
threading.Thread(target=end).start()
list(schedule.spread(wait, [(60,)], processes=1))
"""


def threads(number):
    """How many threads the process of this call may have."""
    return number, os.environ["OMP_NUM_THREADS"]


@pytest.mark.parametrize("processes", [1, 2])
def test_cores_are_shared_out(processes):
    """Catches processes that take all cores each, and wait for each other's threads."""
    found = dict(schedule.spread(threads, [(1,), (2,), (3,)], processes=processes))
    assert found == dict.fromkeys((1, 2, 3), str(max(1, cpu_count() // processes)))


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
def test_an_idle_process_ends_with_the_run():
    """Catches a helper without work that stays for minutes behind a run that was killed."""
    command = [sys.executable, "-c", KILLED]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert run.returncode == -9 and len(run.stdout.split()) >= 3, run.stderr
    end, left = time.monotonic() + 10, [1]
    while left and time.monotonic() < end:
        left = [int(pid) for pid in run.stdout.split() if psutil.pid_exists(int(pid))]
        time.sleep(0.1)
    assert left == []
