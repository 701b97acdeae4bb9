"""Many submissions on one machine: joblib's processes, one submission each at a time."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from typing import TypeVar

from joblib import Parallel, cpu_count, delayed, parallel_config

from course_lib.grading.batch.job import Grade, Job, given_up, grade_here

T = TypeVar("T")
DEATHS = 3  # of the process that grades a submission, before it is given up


def run(jobs: list[Job], *, processes: int, grade: Grade) -> Iterator[tuple[Job, dict]]:
    """Grade all jobs and yield each with its record as it is done.

    Where a process dies, what was in it is graded again by itself: a submission that ends its
    grader `DEATHS` times gets a record that says so, and all others are graded as if it were not.
    """
    waiting = {job.folder: job for job in jobs}
    deaths: Counter = Counter()
    while waiting:
        calm = [job for job in waiting.values() if not deaths[job.folder]]
        batch = calm or [next(iter(waiting.values()))]
        width = min(processes if calm else 1, len(batch))
        try:
            for job, record in _parallel(batch, width, grade):
                del waiting[job.folder]
                yield job, record
        except BrokenExecutor:
            begun = [job for job in batch if job.folder in waiting and job.work.exists()]
            deaths.update(job.folder for job in begun or batch[:width])
        for job in [job for job in waiting.values() if deaths[job.folder] >= DEATHS]:
            del waiting[job.folder]
            yield job, given_up(job, f"the grader's own process died {DEATHS} times in it")


def _parallel(jobs: list[Job], width: int, grade: Grade) -> Iterator[tuple[Job, dict]]:
    return spread(_task, [(job, grade) for job in jobs], processes=width)


def spread(function: Callable[..., T], calls: list[tuple], *, processes: int) -> Iterator[T]:
    """Call `function(*call)` for each call in other processes and yield results as they come.

    So many at a time, and the cores are shared out among them.
    """
    threads = max(1, cpu_count() // processes)
    # Each process watches from its start: an idle one would outlive a killed run for minutes.
    watch = {"initializer": watch_parent, "initargs": (os.getpid(),)}
    loky = parallel_config("loky", inner_max_num_threads=threads, **watch)
    with loky, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
        # joblib works in this process where n_jobs is 1; `pre_dispatch` alone says how many run.
        parallel = Parallel(
            n_jobs=max(2, processes),
            pre_dispatch=processes,
            batch_size=1,
            return_as="generator_unordered",
        )
        yield from parallel(delayed(function)(*call) for call in calls)


def _task(job: Job, grade: Grade) -> tuple[Job, dict]:
    return job, grade_here(job, grade)


def watch_parent(parent: int) -> None:
    """End this process when the one that started it dies, so that a killed run leaves none."""
    if os.name == "nt":
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="watch_parent", daemon=True).start()
