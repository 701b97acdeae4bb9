"""How a command is shut in: what it can see, its environment, and the levels that this OS offers.

A level is tried once before it is used. `bwrap` and `namespaces` build the same file tree: the
system's and Python's files, a copy of the course without solutions, the data, all read-only, and
a temporary folder in memory.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from course_lib import machine
from course_lib.grading.sandbox.limits import Limits
from course_lib.grading.sandbox.mounts import (
    SHARED,
    Place,
    make_place,
    mounts,
    python_folders,
    python_path,
)

NAMESPACES = Path(__file__).with_name("namespaces.py")
PASSED_ON = ["PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TZ"]
PASSED_ON += ["OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"]
LEVELS_IN_WORDS = {
    "process": "limits on memory, files and processes; file system and network are shared",
    "namespaces": "its own users, processes, network and file tree, without solutions",
    "bwrap": "bubblewrap: its own users, processes, network and file tree, without solutions",
}


def command(
    level: str, place: Place, inner: list[str], *, limits: Limits, extra: dict[str, str]
) -> list[str]:
    """`inner` under this level, in an environment of its own plus `extra`."""
    if os.name == "nt":
        return inner
    apart = level in ("namespaces", "bwrap")
    uid = _own_uid(place) if apart and os.geteuid() == 0 else None
    spec: dict[str, Any] = {
        "level": level, "command": inner, "env": environment(level, place) | extra, "uid": uid,
        "limits": rlimits(level, limits),
        "cwd": "/tmp/work" if apart else str(place.scratch / "tmp"),
        "folders": ["/tmp/work", "/tmp/home"] if apart else [],
    }  # fmt: skip
    if level == "namespaces":
        spec |= {"root": str(place.scratch / "jail"), "mounts": mounts(place, limits)}
    python, text = [python_path(), "-I"], json.dumps(spec)
    if level == "bwrap":
        script = "/course/course_lib/grading/sandbox/namespaces.py"
        return [*_bubblewrap(place, limits, uid), "--", *python, script, text]
    return [*python, str(NAMESPACES), text]


def _bubblewrap(place: Place, limits: Limits, uid: int | None) -> list[str]:
    args = [shutil.which("bwrap") or "bwrap", "--die-with-parent", "--unshare-ipc"]
    args += ["--unshare-pid", "--unshare-net", "--unshare-uts", "--cap-drop", "ALL"]
    if uid is None:
        args += ["--unshare-user"]
    else:  # root becomes somebody else inside, and needs three rights to do so
        for right in ("SETUID", "SETGID", "SETPCAP"):
            args += ["--cap-add", f"CAP_{right}"]
    for kind, *rest in mounts(place, limits):
        for folder in reversed(Path(rest[-2]).parents[:-1]):  # else they are closed to others
            args += ["--perms", "0755", "--dir", str(folder)]
        if kind == "bind":
            source, target, writable = rest
            args += ["--bind" if writable else "--ro-bind", source, target]
        elif kind == "tmpfs":
            target, megabytes = rest
            args += ["--perms", "1777", "--size", str(megabytes * 2**20), "--tmpfs", target]
        else:
            args += ["--symlink", rest[1], rest[0]]
    args += ["--proc", "/proc", "--dev", "/dev", "--size", str(2**28), "--perms", "1777"]
    return [*args, "--tmpfs", "/dev/shm", "--remount-ro", "/"]


def environment(level: str, place: Place) -> dict[str, str]:
    """What the command finds in its environment: nothing of the grader's own."""
    apart = level in ("namespaces", "bwrap")
    temporary, home = ("/tmp", "/tmp/home") if apart else (str(place.scratch / "tmp"),) * 2
    course = "/course" if apart else str(place.scratch / "course")
    others = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    paths = [course, *(p for p in others if p in python_folders())]
    env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    env |= {"HOME": home, "TMPDIR": temporary, "USER": "student", "LOGNAME": "student"}
    env |= {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
    env |= {"COURSE_FAST": "1", "COURSE_OFFLINE": "1", "PIP_NO_INDEX": "1"}
    env |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONUTF8": "1", "LANG": "C.UTF-8"}
    env |= {"JUPYTER_PLATFORM_DIRS": "1", "MPLCONFIGDIR": f"{home}/matplotlib"}
    env.setdefault("OMP_NUM_THREADS", str(machine.cores()))
    for variable, folder in place.shared.items():
        env[variable] = SHARED[variable] if apart else folder
    return env


def rlimits(level: str, limits: Limits) -> dict[str, int]:
    """Limits by their names in `resource`; memory is watched too, as `DATA` counts each process."""
    megabyte = 2**20
    processes = limits.processes
    if level == "process" or _kernel_version() < (5, 14):  # then all processes of the user count
        processes += _tasks_of_user()
    return {"CORE": 0, "NOFILE": 4096, "FSIZE": limits.disk_mb * megabyte, "NPROC": processes,
            "DATA": (limits.memory_mb + 1024) * megabyte}  # fmt: skip


def _own_uid(place: Place) -> int:
    """A number that no user has: root's processes are not counted, so the command is not root's."""
    uid = 40_000 + secrets.randbelow(20_000)
    for folder in ("run", "tmp"):
        os.chown(place.scratch / folder, uid, uid)
    return uid


def _kernel_version() -> tuple[int, ...]:
    if sys.platform != "linux":
        return (0,)
    return tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2])


def _tasks_of_user() -> int:
    import psutil

    own, tasks = os.getuid(), 0
    for process in psutil.process_iter(["uids", "num_threads"]):
        if process.info["uids"] and process.info["uids"].real == own:
            tasks += process.info["num_threads"] or 1
    return tasks


@functools.lru_cache(maxsize=8)
def works(level: str) -> bool:
    """Whether this OS lets a command run under this level, tried once."""
    if level == "process":
        return True
    if sys.platform != "linux" or (level == "bwrap" and not shutil.which("bwrap")):
        return False
    with tempfile.TemporaryDirectory(prefix="course-try-", ignore_cleanup_errors=True) as folder:
        place = make_place(Path(folder))
        line = [python_path(), "-I", "-c", "import os; os.listdir('/proc/self'); print('in')"]
        inner = command(level, place, line, limits=Limits(), extra={})
        try:
            done = subprocess.run(inner, capture_output=True, timeout=30)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0 and done.stdout.split() == [b"in"]


def best_level() -> str:
    """The best level that works here."""
    return next(level for level in ("bwrap", "namespaces", "process") if works(level))
