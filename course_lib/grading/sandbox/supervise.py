"""Start the trusted processes of the grader, listen to them, and let none outstay its time."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from course_lib.grading.sandbox.mounts import python_path
from course_lib.grading.sandbox.streams import LineReader
from course_lib.grading.sandbox.watch import kill_tree

WORKER_MB = 380  # a worker that grows beyond is ended: it should never hold what students print
MAX_WORKER_BYTES = 64 * 2**20  # that it says in all
# Every process that the grader starts from a module, by what it is called in messages.
PROCESSES = {
    "worker": "course_lib.grading.submission.worker",  # supervises one submission; runs none of it
    "judge": "course_lib.grading.submission.judge",  # compares records; one for the whole class
    "sandbox": "course_lib.grading.sandbox.boot",  # inside: a kernel, or answers one by one
    "prepare": "course_lib.grading.batch.prepare",  # puts data into the cache, once per class
}


def process_command(name: str, *arguments: str) -> list[str]:
    """Runs one of the grader's processes in this Python."""
    return [python_path(), "-m", PROCESSES[name], *arguments]


def trusted_environment(root: Path) -> dict[str, str]:
    """The environment of this process, with the course importable."""
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1"}


ENDING = threading.Event()  # once set, every worker is ended and none starts


def work(job: dict[str, Any], *, root: Path, seconds: float) -> Iterator[dict[str, Any]]:
    """What the worker says about its job, by event; {"lost": why} where it had to be ended.

    Raises KeyboardInterrupt where the whole run is ending: nothing is recorded then.
    """
    process = subprocess.Popen(
        process_command("worker"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=None if os.environ.get("COURSE_DEBUG") == "1" else subprocess.DEVNULL,
        env=trusted_environment(root), cwd=root, start_new_session=True,
    )  # fmt: skip
    try:
        with contextlib.suppress(OSError):
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
        yield from _events(process, end=time.monotonic() + seconds)
    finally:
        kill_tree(process.pid, spare_root=True)
        kill_tree(process.pid)
        process.wait()


def _events(process: subprocess.Popen, *, end: float) -> Iterator[dict[str, Any]]:
    lines = LineReader(process.stdout)
    while True:
        line = lines.take(0.25)
        if why := _too_much(process, lines.received, end):
            yield {"lost": why}
            return
        if line == b"":
            break
        if line:
            yield json.loads(line)
        if ENDING.is_set():
            raise KeyboardInterrupt
    if process.wait() != 0:
        yield {"lost": f"the process of this submission ended early (code {process.returncode})"}


def _too_much(process: subprocess.Popen, said: int, end: float) -> str:
    """Why a worker has to be ended, or ""."""
    if time.monotonic() > end:
        return "the process of this submission hung"
    if said > MAX_WORKER_BYTES:
        return "the process of this submission says too much"
    with contextlib.suppress(psutil.Error):
        if psutil.Process(process.pid).memory_info().rss > WORKER_MB * 2**20:
            return f"more than {WORKER_MB} MB are needed to read it"
    return ""
