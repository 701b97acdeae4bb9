"""The first stage: every attempted exercise alone, with only its own code from the student."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from course_lib.grading.sandbox import command as sandbox
from course_lib.grading.sandbox.limits import Limits
from course_lib.grading.sandbox.mounts import Place
from course_lib.grading.sandbox.payload import write_payload
from course_lib.grading.sandbox.streams import LineReader
from course_lib.grading.sandbox.supervise import process_command
from course_lib.grading.sandbox.watch import kill_tree, watch
from course_lib.grading.submission import host_paths
from course_lib.grading.submission.restore import Plan
from course_lib.grading.submission.slices import ways
from course_lib.grading.submission.words import words_beyond

MAX_ANSWER_BYTES = 8 * 2**20
START_TIMEOUT_S = 120
MORE_S = 60  # for one exercise once more, with all that the student wrote above its check


def run(
    plan: Plan,
    place: Place,
    *,
    level: str,
    limits: Limits,
    seeds: dict[str, int],
    root: Path,
    say: Any,
) -> None:
    """Says what each attempted exercise did: `runs`, each with a payload or why it was lost, and
    `words` of its own code that no answer needs."""
    runner: Runner | None = None
    end = time.monotonic() + limits.seconds / 2  # nothing is run in a second way from then on
    for name in plan.attempted:
        runs, start = [], time.monotonic()
        found = ways(name, plan)
        for number, way in enumerate(found):
            if number and time.monotonic() > end:
                break
            if runner is None or not runner.alive():
                runner = Runner(place, level=level, limits=limits, root=root)
            seconds = min(limits.cell_seconds, MORE_S) if number else limits.cell_seconds
            job = {"name": name, "seed": seeds[name], "pieces": way, "seconds": seconds}
            runs.append(runner.ask(job))
        seconds = round(time.monotonic() - start, 3)
        say(alone=name, runs=runs, words=words_beyond(name, found, plan), seconds=seconds)
    if runner is not None:
        runner.stop("ok", "")


class Runner:
    """A sandbox that waits for jobs; it has a process and a thread that watches it."""

    def __init__(self, place: Place, *, level: str, limits: Limits, root: Path) -> None:
        payload = place.scratch / "run" / "payload"
        apart = level in ("namespaces", "bwrap")
        write_payload(payload, "answers", root=root, seconds=limits.cell_seconds, apart=apart)
        inner = process_command("sandbox", str(payload))
        extra = {"MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
        argv = sandbox.command(level, place, inner, limits=limits, extra=extra)
        self._without_paths = host_paths.remover(place)
        self.reason, self._seconds = "", limits.cell_seconds
        self._process = subprocess.Popen(
            argv, env=sandbox.environment(level, place) | extra, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._lines = LineReader(self._process.stdout, max_bytes=MAX_ANSWER_BYTES)
        self._ended = threading.Event()
        watch(
            lambda: self._process.pid, limits, self.stop, folder=payload.parent, ended=self._ended
        )

    def alive(self) -> bool:
        """Whether it takes another job."""
        return self._process.poll() is None and not self._ended.is_set()

    def stop(self, status: str, reason: str) -> None:
        """End it and all that it started."""
        self.reason = self.reason or reason
        self._ended.set()
        kill_tree(self._process.pid)
        self._process.wait()

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """The answer to one job: `payload`, or why it is `lost`; the other one is ""."""
        with contextlib.suppress(OSError):  # it has ended: no answer comes
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()
        try:
            answer = json.loads(self._lines.take(self._seconds + START_TIMEOUT_S) or b"")
        except (ValueError, RecursionError):
            self.stop("killed", "its process ended")
            return {"payload": "", "lost": self.reason}
        answer = answer if isinstance(answer, dict) else {}
        if isinstance(answer.get("payload"), str):
            return {"payload": self._without_paths(answer["payload"]), "lost": ""}
        return {"payload": "", "lost": str(answer.get("lost", "its answer was not valid"))}
