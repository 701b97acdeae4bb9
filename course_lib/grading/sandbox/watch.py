"""Watch the processes of one sandbox from outside: time, memory, numbers; and end them all."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from course_lib.grading.sandbox.limits import Limits

LOOK_INTERVAL_S = 0.2
MAX_FILES, MAX_FILE_BYTES = 20, 64 * 2**20


def watch(
    pid: Callable[[], int | None],
    limits: Limits,
    stop: Callable[[str, str], None],
    *,
    folder: Path,
    ended: threading.Event,
) -> threading.Thread:
    """A thread that calls stop(status, reason) once these processes break a limit.

    folder: the one on disk that they can write to, where sockets lie and nothing else.
    """

    def look_on() -> None:
        start = time.monotonic()
        while not ended.wait(LOOK_INTERVAL_S):
            broken = (root := pid()) and (_broken(root, limits) or _littered(folder))
            if time.monotonic() - start > limits.seconds:
                broken = "timeout", f"the run took longer than {limits.seconds:.0f} s"
            if broken:
                stop(*broken)
                return

    thread = threading.Thread(target=look_on, daemon=True)
    thread.start()
    return thread


def _broken(root: int, limits: Limits) -> tuple[str, str] | None:
    """The limit that the tree below `root` breaks, as status and reason."""
    tree = family(root)
    threads = memory = 0
    for process in tree:
        with contextlib.suppress(psutil.Error):
            threads += process.num_threads()
            use = process.memory_info()
            memory += use.rss - getattr(use, "shared", 0)
    if memory > limits.memory_mb * 2**20:
        return "memory", f"more than {limits.memory_mb:,} MB of memory were in use"
    if threads > 2 * limits.processes:
        return "killed", f"more than {2 * limits.processes} processes were running"
    return None


def _littered(folder: Path) -> tuple[str, str] | None:
    """A status and reason where something was put into the folder of the sockets."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            odd = entry.is_dir(follow_symlinks=False) or entry.stat().st_size > MAX_FILE_BYTES
            if odd or number > MAX_FILES:
                return "killed", "files were written outside the temporary folder"
    return None


def family(root: int) -> list[psutil.Process]:
    """A process and everything that it started, as far as it is still below it."""
    try:
        first = psutil.Process(root)
        return [first, *first.children(recursive=True)]
    except psutil.Error:
        return []


def kill_tree(root: int, *, spare_root: bool = False) -> None:
    """Kill a process and all below it, until nothing is left; detached ones too on Linux."""
    for _ in range(100):
        left = [p for p in family(root)[spare_root:] if _runs(p)]
        if not left:
            return
        for process in left:
            with contextlib.suppress(psutil.Error, OSError):
                os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        time.sleep(0.01)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
