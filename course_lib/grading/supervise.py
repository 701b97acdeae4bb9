"""Start the trusted processes of the grader, listen to them, and let none outstay its time."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from course_lib.errors import CourseError
from course_lib.grading.streams import reader
from course_lib.grading.watch import kill_tree

WORKER_MB = 380  # a worker that grows beyond is ended: it should never hold what students print
MOST = 64 * 2**20  # bytes that a worker says in all
PATIENCE = 180  # seconds for one verdict, and for a start on a busy machine


def module_command(module: str) -> list[str]:
    """Runs a module of the grader in this Python."""
    return [sys.executable, "-m", f"course_lib.grading.{module}"]


def trusted_environment(root: Path) -> dict[str, str]:
    """The environment of this process, with the course importable."""
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1"}


def work(job: dict[str, Any], *, root: Path, seconds: float) -> Iterator[dict[str, Any]]:
    """What the worker says about its job, by event; {"lost": why} where it had to be ended."""
    process = subprocess.Popen(
        module_command("worker"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
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
    take, data, said = reader(process.stdout), b"", 0
    while True:
        chunk = take(0.25)
        if chunk == b"":
            break
        if chunk is not None:
            said += len(chunk)
            *lines, data = (data + chunk).split(b"\n")
            for line in lines:
                yield json.loads(line)
        if why := _too_much(process, said, end):
            yield {"lost": why}
            return
    if process.wait() != 0:
        yield {"lost": f"the process of this submission ended early (code {process.returncode})"}


def _too_much(process: subprocess.Popen, said: int, end: float) -> str:
    """Why a worker has to be ended, or ""."""
    if time.monotonic() > end:
        return "the process of this submission hung"
    if said > MOST:
        return "the process of this submission says too much"
    with contextlib.suppress(psutil.Error):
        if psutil.Process(process.pid).memory_info().rss > WORKER_MB * 2**20:
            return f"more than {WORKER_MB} MB are needed to read it"
    return ""


class Judge:
    """The judge's process: started once, asked by all submissions that this process grades."""

    def __init__(self, root: Path) -> None:
        self._lock, self._errors = threading.Lock(), tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            module_command("judge"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._errors, env=trusted_environment(root), cwd=root, start_new_session=True,
        )  # fmt: skip
        self._take, self._buffer = reader(self.process.stdout), b""
        self.catalogue = self._answer()

    def __call__(self, name: str, payload: str, seed: int) -> dict[str, Any]:
        """The verdict on one payload."""
        request = json.dumps({"name": name, "payload": payload, "seed": seed}).encode()
        with self._lock:
            self.process.stdin.write(request + b"\n")
            self.process.stdin.flush()
            return self._answer()

    def _answer(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while b"\n" not in self._buffer:
            chunk = self._take(end - time.monotonic())
            if not chunk:
                self.process.kill()
                self._errors.seek(0)
                said = self._errors.read()[-2000:].decode("utf-8", "replace").strip()
                raise CourseError(f"the judge ended: {said.splitlines()[-1] if said else 'silent'}")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)


_judges: dict[tuple[int, Path], Judge] = {}
_starting = threading.Lock()


def the_judge(root: Path) -> Judge:
    """The judge of this process, started if there is none."""
    with _starting:
        judge = _judges.get((os.getpid(), root))
        if judge is None or judge.process.poll() is not None:
            judge = _judges[os.getpid(), root] = Judge(root)
        return judge
