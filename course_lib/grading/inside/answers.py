"""Runs single exercises, each in a child process: what it needs, its own cell, its records.

Reads one job in JSON a line from standard input, writes one answer a line. Where there is no fork
(Windows) it takes one job and ends.
"""

from __future__ import annotations

import contextlib
import json
import linecache
import os
import select
import signal
import sys
import time
from typing import Any

import torch

from course_lib.grading.inside.probe import MISSING, payload_of

MAX_ANSWER_BYTES = 4 * 2**20


def start(payload: dict[str, Any]) -> None:
    """Answer jobs until the input ends. payload: `seconds` of a job; `apart`: in a namespace."""
    torch.set_num_threads(1)
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
    answer, why = _read(reading, seconds=payload["seconds"])
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


def _answer(job: dict[str, Any]) -> bytes:
    """The payload of one exercise, as JSON in one line."""
    world: dict[str, Any] = {"__name__": "__main__"}
    errors: list[str] = []
    for i, (where, source) in enumerate(job["pieces"]):
        file, lines = f"<{where} {i}>", source.splitlines(keepends=True)
        linecache.cache[file] = (len(source), None, lines, file)  # a record shows the line
        try:
            exec(compile(source, file, "exec"), world)
        except Exception as error:
            if where == "own":
                errors.append(f"{type(error).__name__}: {error}"[:200])
    name = job["name"]
    payload = payload_of(name, world.get(name, MISSING), job["seed"], errors)
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
