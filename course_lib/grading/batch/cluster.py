"""The same work on many machines: a `dask.distributed` cluster, which shares no disk with us."""

from __future__ import annotations

import contextlib
import functools
import logging
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

from course_lib.errors import CourseError
from course_lib.grading.batch.job import Engine, Ran, failure
from course_lib.grading.sandbox import supervise

CONNECT_TIMEOUT_S = 20
LOOK_S = 0.5  # between two looks whether the run is ending


@contextlib.contextmanager
def workers_of(address: str, engine: Engine, stem: str) -> Iterator[tuple[Engine, int]]:
    """The engine that runs on the workers of this scheduler, and how many submissions at a time.

    What came back is judged here. A submission whose worker dies goes to another one; one that
    costs several their life is given up. Raises CourseError where no scheduler answers, and names
    the worker that differs from this machine, and in what.
    """
    distributed = _library()
    with _client(distributed, address) as client, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph")
        threads = sum(client.nthreads().values())
        if not threads:
            print(f"no workers at {address} yet: waiting for the first one", flush=True)
        here = engine.run_parts(stem)
        for worker, there in client.run(engine.run_parts, stem, on_error="return").items():
            _require_same(worker, there, here)
        remote = functools.partial(_run, distributed, client, engine)
        # No more at a time than there are threads: who waits on a worker dies with it.
        yield replace(engine, run=remote), max(threads, 2)


def _require_same(worker: str, there: dict[str, str] | Exception, here: dict[str, str]) -> None:
    """CourseError where a worker would run something else than this machine."""
    if isinstance(there, Exception):
        raise CourseError(
            f"the worker {worker} has not this course ({type(there).__name__}): start it in the "
            "course's folder, see GRADING.md"
        )
    differ = [name for name in {**here, **there} if here.get(name) != there.get(name)]
    if differ:
        more = f" and {len(differ) - 3} more" if len(differ) > 3 else ""
        raise CourseError(
            f"the worker {worker} differs from this machine in {', '.join(differ[:3])}{more}: "
            "bring course, packages and data to the same version, and start it again"
        )


def _run(distributed: Any, client: Any, engine: Engine, path: Path, **options: Any) -> Ran:
    """One stage of a submission on some worker. CourseError where the cluster is at fault."""
    options["hidden"] = ()  # folders of this machine
    future = client.submit(run_bytes, engine, path.read_bytes(), pure=False, **options)
    try:
        worker, there, ran = _result(future)
    except distributed.KilledWorker:
        return {"failed": {"status": "killed", "reason": "every worker that graded it died"}}
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
    _require_same(worker, there, engine.run_parts(options["stem"]))  # it may have come later
    return ran


def _result(future: Any) -> tuple[str, dict[str, str], Ran]:
    """What a worker made. Raises KeyboardInterrupt where the whole run is ending."""
    while not supervise.ENDING.is_set():
        try:
            return future.result(timeout=LOOK_S)
        except TimeoutError:
            pass
        except UnboundLocalError:  # dask/distributed#8514: a worker died as its result was fetched
            if future.status == "error":
                raise
    raise KeyboardInterrupt


def run_bytes(engine: Engine, data: bytes, **options: Any) -> tuple[str, dict[str, str], Ran]:
    """On a worker: its address, what runs there, and what came of one stage."""
    from distributed import get_worker

    engine.prepare(options["stem"])
    own = get_worker().address, engine.run_parts(options["stem"])
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "submission.ipynb"
        path.write_bytes(data)
        try:
            return *own, engine.run(path, **options)
        except Exception as error:
            return *own, {"failed": failure(error)}


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
        client = distributed.Client(address, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise CourseError(f"no scheduler answers at {address} ({error})") from error
    try:
        yield client
    finally:
        client.close(timeout=5)
