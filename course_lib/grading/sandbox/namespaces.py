"""Enter a sandbox and become a command: `python -I namespaces.py SPEC`, standard library only.

SPEC is JSON text: `level`, `command`, `env`, `cwd`, `limits`, `uid`, and for namespaces `root`,
`mounts`. The order is: namespaces, a new root, limits, no rights, the command.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

if sys.platform == "linux":
    import linux  # a sibling: `course_lib` is not on the path of `python -I`

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def main(spec: dict[str, Any]) -> NoReturn:
    """Runs the command under the level of the specification; exits as it does."""
    if spec["level"] == "namespaces":
        _unshare_all(spec)
        child = os.fork()
        if child:
            _wait(child)
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        _make_root(spec)
        command = os.fork()
        if command:  # process 1 of the new namespace: when it ends, everything in there ends
            _wait(command)
    _exec_command(spec)


def _unshare_all(spec: dict[str, Any]) -> None:
    """New namespaces; a user who is not root gets one in which it may set them up."""
    uid, gid = os.getuid(), os.getgid()
    flags = linux.NEWNS | linux.NEWPID | linux.NEWNET | linux.NEWIPC | linux.NEWUTS
    if spec["uid"] is None:
        linux.unshare(flags | linux.NEWUSER)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")
    else:
        linux.unshare(flags)
    linux.mount("", "/", flags=linux.MS_REC | linux.MS_PRIVATE)


def _make_root(spec: dict[str, Any]) -> None:
    """A root with nothing but what the specification names; all of it read-only but tmpfs."""
    root = spec["root"]
    nothing = linux.MS_NOSUID | linux.MS_NODEV
    linux.mount("tmpfs", root, "tmpfs", flags=nothing, options="size=1m,mode=755")
    for kind, *rest in spec["mounts"]:
        if kind == "bind":
            source, target, writable = rest
            place = _place(root, target, folder=os.path.isdir(source))
            linux.mount(source, place, flags=linux.MS_BIND | linux.MS_REC)
            if not writable:
                linux.make_read_only(place)
        elif kind == "tmpfs":
            target, megabytes = rest
            place = _place(root, target, folder=True)
            size = f"size={megabytes}m,mode=1777"
            linux.mount("tmpfs", place, "tmpfs", flags=nothing, options=size)
        else:
            target, link = rest
            _place(root, os.path.dirname(target), folder=True)
            os.symlink(link, root + target)
    proc = _place(root, "/proc", folder=True)
    linux.mount("proc", proc, "proc", flags=nothing | linux.MS_NOEXEC)
    _make_devices(root)
    linux.raise_loopback()
    linux.enter_root(root)
    linux.mount("", "/", flags=linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY | nothing)


def _make_devices(root: str) -> None:
    dev = _place(root, "/dev", folder=True)
    linux.mount("tmpfs", dev, "tmpfs", flags=linux.MS_NOSUID, options="size=1m,mode=755")
    for name in DEVICES:
        with contextlib.suppress(OSError):  # a container may lack one
            linux.mount(f"/dev/{name}", _place(root, f"/dev/{name}"), flags=linux.MS_BIND)
    shared = _place(root, "/dev/shm", folder=True)
    flags, size = linux.MS_NOSUID | linux.MS_NODEV, "size=256m,mode=1777"
    linux.mount("tmpfs", shared, "tmpfs", flags=flags, options=size)
    terminals = _place(root, "/dev/pts", folder=True)
    with contextlib.suppress(OSError):
        own = "newinstance,ptmxmode=0666"
        linux.mount("devpts", terminals, "devpts", flags=linux.MS_NOSUID, options=own)
        os.symlink("pts/ptmx", f"{dev}/ptmx")
    for name, link in [("fd", "/proc/self/fd"), *((s, f"/proc/self/fd/{n}") for n, s in
                       enumerate(("stdin", "stdout", "stderr")))]:  # fmt: skip
        os.symlink(link, f"{dev}/{name}")


def _place(root: str, target: str, *, folder: bool = False) -> str:
    """The mount point of `target` below the new root, made if it is not there."""
    place = Path(root + target)
    if folder:
        place.mkdir(parents=True, exist_ok=True)
    elif not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    return str(place)


def _exec_command(spec: dict[str, Any]) -> NoReturn:
    """Set the limits, give up all rights, and turn into the command."""
    _limit(spec["limits"])
    if sys.platform == "linux":
        linux.bound_rights()
    if spec["uid"] is not None:
        os.setgroups([])
        os.setresgid(*[spec["uid"]] * 3)
        os.setresuid(*[spec["uid"]] * 3)
    if sys.platform == "linux":
        linux.drop_rights()
    for folder in spec["folders"]:
        os.makedirs(folder, exist_ok=True)
    os.chdir(spec["cwd"])
    os.umask(0o022)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.execve(spec["command"][0], spec["command"], spec["env"])


def _limit(limits: dict[str, int]) -> None:
    """Hard limits by their names in `resource`; one that this system lacks is left out."""
    import resource

    for name, value in limits.items():
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is not None:
            most = resource.getrlimit(number)[1]
            value = value if most == resource.RLIM_INFINITY else min(value, most)
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(number, (value, value))


def _wait(child: int) -> NoReturn:
    """Reap every process until `child` ends, then end as it did."""
    for number in (signal.SIGINT, signal.SIGTERM):  # meant for the command: the group gets them all
        signal.signal(number, signal.SIG_IGN)
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
