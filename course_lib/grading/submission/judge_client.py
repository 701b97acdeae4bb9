"""The judge's process as the grader sees it: started once, asked by one submission at a time."""

from __future__ import annotations

import contextlib
import functools
import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from course_lib.errors import CourseError
from course_lib.grading.sandbox.streams import LineReader
from course_lib.grading.sandbox.supervise import process_command, trusted_environment

VERDICT_TIMEOUT_S = 180  # for one verdict, and for a start on a busy machine


class JudgeClient:
    """The judge's process: started once, asked by all submissions that this process grades."""

    def __init__(self, root: Path) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            process_command("judge"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._errors, env=trusted_environment(root), cwd=root, start_new_session=True,
        )  # fmt: skip
        self._lines = LineReader(self.process.stdout)
        self.catalogue = self._answer()

    def __call__(self, name: str, payload: str, seed: int) -> dict[str, Any]:
        """The verdict on one payload."""
        request = json.dumps({"name": name, "payload": payload, "seed": seed}).encode()
        self.process.stdin.write(request + b"\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._lines.take(VERDICT_TIMEOUT_S)
        if line:
            return json.loads(line)
        self.process.kill()
        self._errors.seek(0)
        said = self._errors.read()[-2000:].decode("utf-8", "replace").strip()
        raise CourseError(f"the judge ended: {said.splitlines()[-1] if said else 'silent'}")


_free: dict[Path, list[JudgeClient]] = {}
_taking = threading.Lock()


@contextlib.contextmanager
def judge_client(root: Path) -> Iterator[JudgeClient]:
    """A judge for one submission: one that nobody uses now, or a new one."""
    with _taking:
        living = [client for client in _free.get(root, []) if client.process.poll() is None]
        client = living.pop() if living else JudgeClient(root)
        _free[root] = living
    yield client  # not put back where it raised: its answers may be out of step
    with _taking:
        _free[root].append(client)


@functools.lru_cache(maxsize=8)
def catalogue(root: Path) -> dict[str, Any]:
    """What the judge says of the course: notebooks, points, where the data are."""
    with judge_client(root) as client:
        return client.catalogue
