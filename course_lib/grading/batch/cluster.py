"""The same work on many machines: a `dask.distributed` cluster, which shares no disk with us."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

from course_lib.errors import CourseError
from course_lib.grading.batch import store
from course_lib.grading.batch.job import Grade, Job, Prepare, given_up, grade_bytes

PATIENCE = 20  # seconds until a scheduler must have answered


def run(
    jobs: list[Job],
    *,
    address: str,
    grade: Grade,
    prepare: Prepare,
    grader: str | None = None,
) -> Iterator[tuple[Job, dict]]:
    """Send each submission to the cluster, put the results in place here, yield each record.

    A submission whose worker dies goes to another one; one that costs several their life gets a
    record that says so. grader: the digest of what judges here, which a worker's must equal.
    Raises CourseError where no scheduler answers or where workers have another course.
    """
    distributed = _library()
    with _client(distributed, address) as client, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph")
        threads = sum(client.nthreads().values())
        if not threads:
            print(f"no workers at {address} yet: waiting for the first one", flush=True)
        waiting = iter(jobs)
        done = distributed.as_completed(loop=client.loop)
        begun: dict[Any, Job] = {}

        def submit() -> None:
            job = next(waiting, None)
            if job is not None:
                data = job.path.read_bytes()
                future = client.submit(grade_bytes, job, data, grade, prepare, pure=False)
                begun[future] = job
                done.add(future)

        for _ in range(2 * max(threads, 2)):  # few at a time: each holds a whole notebook
            submit()
        for future in done:
            job = begun.pop(future)
            record = _result(distributed, future, job, grader)
            submit()
            yield job, record


def _library() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise CourseError(
            "--scheduler needs dask.distributed, which is not installed here: "
            "python -m pip install distributed"
        ) from error
    return distributed


@contextlib.contextmanager
def _client(distributed: Any, address: str) -> Iterator[Any]:
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # one line of ours says it
    try:
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise CourseError(f"no scheduler answers at {address} ({error})") from error
    try:
        yield client
    finally:
        client.close(timeout=5)


def _result(distributed: Any, future: Any, job: Job, grader: str | None) -> dict:
    """The record of a job that has come back, its files put in place."""
    try:
        record, feedback = future.result()
    except distributed.KilledWorker:
        return given_up(job, "every worker that graded it died")
    except (CancelledError, OSError) as error:
        raise CourseError(
            "the scheduler went away: run the same command again, what is graded is kept"
        ) from error
    except (ImportError, AttributeError, RuntimeError) as error:
        raise CourseError(
            f"the scheduler or a worker has not this course ({type(error).__name__}): start them "
            "in the course's folder, see GRADING.md"
        ) from error
    finally:
        future.release()
    if grader is not None and record.get("grader", grader) != grader:
        raise CourseError("a worker has another version of the course: bring all to the same one")
    notebook = job.work.with_suffix(".feedback")
    if feedback:
        store.write(notebook, feedback)
    store.install(record, notebook if feedback else None, job.folder)
    return record
