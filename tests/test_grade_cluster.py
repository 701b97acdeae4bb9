"""The same work on a cluster of `dask.distributed`, with workers that die."""

import csv
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fake_engine import Fake
from grade_tools import STEM, folder_of, notebook

from course_lib.errors import CourseError
from course_lib.grading import assignment, classroom
from course_lib.grading.batch import cluster
from course_lib.grading.classroom import GradingConfig

distributed = pytest.importorskip("distributed", reason="pip install distributed")
NAMES = list(assignment.find(STEM).points)
TESTS = Path(__file__).parent


@pytest.fixture
def local():
    """Starts a scheduler with workers, each a process; gives a function that makes the cluster."""
    started = []

    def start(workers=2, *, root=TESTS.parent):
        paths = os.pathsep.join([str(root), str(TESTS)])
        env = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        address = f"tcp://127.0.0.1:{port}"
        program = [sys.executable, "-m", "distributed.cli"]
        commands = [["dask_scheduler", f"--port={port}", "--no-dashboard", "--host=127.0.0.1"]]
        commands += [
            ["dask_worker", address, "--nthreads=1", "--no-nanny", "--no-dashboard"]
        ] * workers
        for name, *rest in commands:
            command = [*program[:2], f"distributed.cli.{name}", *rest]
            process = subprocess.Popen(
                command, cwd=root, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            started.append(process)
        start.scheduler = started[0]
        with distributed.Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)  # on a busy machine one comes far later
        return address, started[1:]

    yield start
    for process in started:
        process.kill()
        process.wait()


def order_of(tmp_path, members, address=None):
    """A class to grade into its own folder."""
    source = tmp_path / "class"
    if not source.exists():
        folder_of(source, members)
    return GradingConfig(
        source, tmp_path / ("cluster" if address else "here"), jobs=2, scheduler=address
    )


def points_of(out):
    """Status and points by student."""
    text = (out / "grades.csv").read_text(encoding="utf-8-sig")
    return {
        row["student"]: (row["status"], row["points"]) for row in csv.DictReader(text.splitlines())
    }


def test_a_cluster_gives_the_same_table_though_a_worker_is_killed(tmp_path, local):
    """Catches submissions lost with their worker, and grades that depend on the machine."""
    members = {
        f"s{i}.ipynb": notebook(right=NAMES[: i % 6], text=f"sleep 0.{20 + i}") for i in range(12)
    }
    members["broken.ipynb"] = b"{"
    fake = Fake()
    classroom.grade_class(order_of(tmp_path, members), fake.engine())
    address, workers = local(2)
    out = tmp_path / "cluster"

    def kill_one():
        while len([*out.glob("students/*/run.json")]) < 3:
            time.sleep(0.02)
        workers[0].send_signal(signal.SIGKILL)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    outcome = classroom.grade_class(order_of(tmp_path, members, address), fake.engine())
    killer.join(timeout=10)
    assert workers[0].wait(timeout=10) == -signal.SIGKILL and workers[1].poll() is None
    assert outcome.graded_now == 12  # no worker is needed to see that a file is broken
    tables = [(tmp_path / name / "grades.csv").read_bytes() for name in ("here", "cluster")]
    assert tables[0] == tables[1]
    page = tmp_path / "cluster/students/s3/feedback.html"
    assert page.read_bytes() == (tmp_path / "here/students/s3/feedback.html").read_bytes()
    assert not (out / ".work").exists()
    again = classroom.grade_class(order_of(tmp_path, members, address), fake.engine())
    assert again.graded_now == 0


def test_a_submission_that_kills_its_workers_is_given_up(tmp_path, local, monkeypatch):
    """Catches a class that waits for ever for the one submission that no worker survives."""
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "1")
    members = {f"s{i}.ipynb": notebook(right=NAMES, text=f"sleep 0.{10 + i}") for i in range(4)}
    members["killer.ipynb"] = notebook(text="die", right=NAMES)
    address, _ = local(4)
    fake = Fake()
    classroom.grade_class(order_of(tmp_path, members, address), fake.engine())
    found = points_of(tmp_path / "cluster")
    assert found.pop("killer") == ("killed", "0")
    assert set(found.values()) == {("ok", "12")}


class Fetched:
    """A future whose worker dies as its result is fetched, as dask tells it."""

    def __init__(self, status):
        self.status, self.asked = status, 0

    def result(self, timeout):
        self.asked += 1
        if self.asked == 1:
            raise UnboundLocalError("cannot access local variable 'result'")
        return "what the next worker made"


def test_a_result_that_is_lost_with_its_worker_is_asked_for_again():
    """Catches a student without points because a worker died at the wrong moment."""
    assert cluster._result(Fetched("pending")) == "what the next worker made"
    with pytest.raises(UnboundLocalError):
        cluster._result(Fetched("error"))


def own_version(stem):
    """What runs on this machine: its processes differ as much as versions of the course do."""
    return {"torch": "2.14", "course_lib/losses.py": str(os.getpid())}


def test_a_worker_with_another_course_is_refused(tmp_path, local):
    """Catches grades of two versions in one table."""
    address, _ = local(1)
    here = Fake()
    order = order_of(tmp_path, {"a.ipynb": notebook()}, address)
    words = r"the worker tcp://\S+ differs from this machine in course_lib/losses\.py: bring"
    with pytest.raises(CourseError, match=words):
        classroom.grade_class(order, here.engine(run_parts=own_version))
    assert not [*(tmp_path / "cluster").glob("students/*")]  # before anything was graded


def test_a_worker_without_the_course_is_refused(tmp_path, local):
    """Catches a traceback, or a class of zeros, where workers were started in the wrong folder."""
    (tmp_path / "empty").mkdir()
    address, _ = local(1, root=tmp_path / "empty")
    fake = Fake()
    order = order_of(tmp_path, {"a.ipynb": notebook()}, address)
    with pytest.raises(CourseError, match=r"the worker tcp://\S+ has not this course"):
        classroom.grade_class(order, fake.engine())


def test_a_scheduler_that_goes_away_is_one_line(tmp_path, local):
    """Catches a run that hangs for ever, or loses what it had graded."""
    members = {f"s{i}.ipynb": notebook(text=f"sleep 0.{30 + i}") for i in range(9)}
    address, _ = local(1)
    fake, out = Fake(), tmp_path / "cluster"

    def kill_scheduler():
        while len([*out.glob("students/*/run.json")]) < 2:
            time.sleep(0.02)
        local.scheduler.kill()

    threading.Thread(target=kill_scheduler, daemon=True).start()
    order = replace(order_of(tmp_path, members, address), answers_only=True)
    with pytest.raises(CourseError, match="the scheduler went away: run the same command again"):
        classroom.grade_class(order, fake.engine())
    order = replace(order, scheduler=None)
    assert classroom.grade_class(order, fake.engine()).graded_now <= 7


def test_no_scheduler_is_one_line(tmp_path, monkeypatch):
    """Catches a traceback, and minutes of waiting for nobody."""
    monkeypatch.setattr(cluster, "CONNECT_TIMEOUT_S", 1)
    fake = Fake()
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        order = order_of(tmp_path, {"a.ipynb": notebook()}, address)
        with pytest.raises(CourseError, match="no scheduler answers at"):
            classroom.grade_class(order, fake.engine())


def test_without_dask_there_is_one_line(tmp_path, monkeypatch):
    """Catches an ImportError where the optional package is not installed."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    fake = Fake()
    order = order_of(tmp_path, {"a.ipynb": notebook()}, "tcp://127.0.0.1:9")
    with pytest.raises(CourseError, match=r"python -m pip install distributed"):
        classroom.grade_class(order, fake.engine())
