"""Runs single exercises, each in a child process: what it needs, its own cells, its records.

Cells are run by IPython, as in a notebook: with magics, `display` and `await`.
Reads one job in JSON a line from standard input, writes one answer a line. Where there is no fork
(Windows) it takes one job and ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from typing import Any

import torch
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from course_lib.grading.inside.probe import MISSING, payload_of

MAX_ANSWER_BYTES = 4 * 2**20
NOT_HERE = ("matplotlib", "pip", "conda", "load_ext")  # magics that no result depends on


def start(payload: dict[str, Any]) -> None:
    """Answer jobs until the input ends. payload: `seconds` of a job; `apart`: in a namespace."""
    torch.set_num_threads(1)
    Shell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    if sys.platform == "linux":
        from course_lib.grading.sandbox import linux

        linux.prctl(linux.PR_SET_DUMPABLE, 0)  # no child can read or write this process
    jobs, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    for line in jobs:
        job = json.loads(line)
        answer = _in_a_child(job, payload) if hasattr(os, "fork") else _answer(job)
        answers.write(answer.replace(b"\n", b" ") + b"\n")
        answers.flush()
        if not hasattr(os, "fork"):
            return


def _in_a_child(job: dict[str, Any], payload: dict[str, Any]) -> bytes:
    """The answer of a child process, or why there is none; nothing of it is left running."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.setsid()
        os.closerange(3, writing)
        os.closerange(writing + 1, 4096)
        with contextlib.suppress(BaseException):
            _write(writing, _answer(job))
        os._exit(0)
    os.close(writing)
    answer, why = _read(reading, seconds=job.get("seconds", payload["seconds"]))
    os.close(reading)
    with contextlib.suppress(OSError):
        os.killpg(child, signal.SIGKILL)
    if payload["apart"]:  # everything in this namespace but this process and its first
        with contextlib.suppress(OSError):
            os.kill(-1, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    if why or not answer:
        why = why or f"its process ended early (code {os.waitstatus_to_exitcode(status)})"
        return json.dumps({"lost": why}).encode()
    return answer


class Shell(InteractiveShell):
    """Runs cells as a notebook does, shows no errors, and knows magics of other machines."""

    def showtraceback(self, *args: Any, **kwargs: Any) -> None:
        """Nobody reads it, and it takes long."""

    def run_line_magic(self, magic_name: str, line: str, _stack_depth: int = 1) -> Any:
        """What a magic returns; None where it is not here."""
        if magic_name in NOT_HERE:
            return None
        with contextlib.suppress(UsageError):
            return super().run_line_magic(magic_name, line, _stack_depth + 1)

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        """What a magic returns; where it is not here, its cell is run."""
        try:
            return super().run_cell_magic(magic_name, line, cell)
        except UsageError:
            return self.run_cell(cell, silent=True)


def _answer(job: dict[str, Any]) -> bytes:
    """The payload of one exercise, as JSON in one line."""
    shell, errors = Shell.instance(), []
    for where, source in job["pieces"]:
        result = shell.run_cell(source, silent=True)
        error = result.error_before_exec or result.error_in_exec
        if error and where == "own":
            errors.append(f"{type(error).__name__}: {getattr(error, 'msg', error)}"[:200])
    name = job["name"]
    payload = payload_of(name, shell.user_ns.get(name, MISSING), job["seed"], errors)
    return json.dumps({"payload": payload}).encode()


def _write(number: int, data: bytes) -> None:
    while data:
        data = data[os.write(number, data) :]


def _read(number: int, *, seconds: float) -> tuple[bytes, str]:
    """What comes until the other side ends, or "" and why it was not waited for."""
    end, data = time.monotonic() + seconds, b""
    while select.select([number], [], [], max(0.0, end - time.monotonic()))[0]:
        chunk = os.read(number, 2**16)
        if not chunk:
            return data, ""
        data += chunk
        if len(data) > MAX_ANSWER_BYTES:
            return b"", "its answer is too long"
        if data.count(b"}") and _is_whole(data):
            return data, ""
    return b"", f"it took longer than {seconds:.0f} s"


def _is_whole(data: bytes) -> bool:
    """Whether this is one JSON text; a detached process may hold the pipe open behind it."""
    try:
        json.loads(data)
    except ValueError:
        return False
    return True
