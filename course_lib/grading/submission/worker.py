"""The supervised process of one stage of a submission.

Reads one job as JSON from standard input and writes what happens to standard output, one JSON
object a line. It runs no code of the student's; that is in the sandbox that it starts. When its
input ends before it does, whoever started it is gone, and it ends everything. As one is started
for each stage of each submission, it imports only what that stage needs.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from course_lib.grading.sandbox.limits import Limits
from course_lib.grading.sandbox.mounts import make_place
from course_lib.grading.sandbox.watch import kill_tree
from course_lib.grading.submission.reading import Cell, Unfit
from course_lib.grading.submission.restore import Course, prepare


def main() -> None:
    """Do the job of standard input."""
    if sys.platform == "linux":
        from course_lib.grading.sandbox import linux

        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    say = _speaker()
    job = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _work(job, say)
    except Unfit as unfit:
        say(unfit={"status": unfit.status, "reason": unfit.reason})
    finally:
        kill_tree(os.getpid(), spare_root=True)


def _work(job: dict[str, Any], say: Any) -> None:
    limits, scratch = Limits(**job["limits"]), Path(job["scratch"])
    courses = {stem: _course(stem, entry) for stem, entry in job["courses"].items()}
    plan = prepare(Path(job["path"]), courses, stem=job["stem"], limits=limits)
    say(plan={"notebook": plan.course.stem, "points": plan.course.points, "flags": plan.flags,
              "attempted": plan.attempted, "missing": plan.missing})  # fmt: skip
    if job["stage"] == "notebook":
        from course_lib.grading.submission.notebook_run import run
    else:
        from course_lib.grading.submission.answers_run import run
    if job["stage"] == "answers" and not plan.attempted:
        return
    root = Path(job["root"])
    place = make_place(scratch, root=root, hidden=tuple(job["hidden"]), shared=job["shared"],
                    fonts=job["fonts"])  # fmt: skip
    run(plan, place, level=job["level"], limits=limits, seeds=job["seeds"], root=root, say=say)


def _course(stem: str, entry: dict[str, Any]) -> Course:
    def cells(kind: str) -> list[Cell]:
        return [Cell(c["kind"], c["source"], c["id"], tags=tuple(c["tags"])) for c in entry[kind]]

    return Course(stem, cells("skeleton"), cells("solution"), entry["points"])


def _speaker() -> Any:
    """say(**event): one line on what was standard output; prints go to standard error from now."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lock = threading.Lock()

    def say(**event: Any) -> None:
        with lock, contextlib.suppress(OSError):
            out.write(json.dumps(event) + "\n")
            out.flush()

    return say


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    kill_tree(os.getpid(), spare_root=True)
    os._exit(1)


if __name__ == "__main__":
    main()
