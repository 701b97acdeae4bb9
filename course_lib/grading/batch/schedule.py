"""Many submissions on one machine: threads, each of which waits for the process of one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from course_lib import machine
from course_lib.grading.sandbox import supervise

Job, Made = TypeVar("Job"), TypeVar("Made")


def run(
    jobs: Iterable[Job], grade: Callable[[Job], Made], *, processes: int
) -> Iterator[tuple[Job, Made]]:
    """Grade all jobs, so many at a time, and yield each with what it made as it is done.

    Where whoever asks stops asking, or Ctrl-C comes, all that was started is ended first.
    """
    with _cores_shared(processes), ThreadPoolExecutor(processes) as pool:
        waiting = {pool.submit(grade, job): job for job in jobs}
        try:
            for done in as_completed(waiting):
                yield waiting[done], done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            supervise.ENDING.set()
            pool.shutdown(wait=True)
            supervise.ENDING.clear()


@contextlib.contextmanager
def _cores_shared(processes: int) -> Iterator[None]:
    """What runs for each submission uses its share of the cores."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(max(1, machine.cores() // processes))
    try:
        yield
    finally:
        os.environ.pop("OMP_NUM_THREADS")
        if before is not None:
            os.environ["OMP_NUM_THREADS"] = before
