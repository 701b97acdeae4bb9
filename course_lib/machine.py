"""Cores and memory that this process may use: in a container less than the machine has."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP, OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def cores() -> int:
    """Whole cores, by affinity and by the quota of the control groups; at least one."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    shares = [own]
    for folder in _groups("cpu"):
        for quota, period in (
            _numbers(folder / "cpu.max", 2),
            _numbers(folder / "cpu.cfs_quota_us", 1) + _numbers(folder / "cpu.cfs_period_us", 1),
        ):
            if quota and period and quota > 0:
                shares.append(int(quota // period))
    return max(1, min(shares))


def memory_bytes() -> int | None:
    """Bytes of memory, by the machine and by the limits of the control groups; None if unknown."""
    limits = _physical()
    for folder in _groups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limits += [int(n) for n in _numbers(folder / name, 1) if n]
    return min(limits) if limits else None


def _physical() -> list[int]:
    """The machine's own memory, in a list that is empty where nothing tells."""
    try:
        return [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        pass
    try:
        import psutil  # comes with ipykernel
    except ImportError:
        return []
    return [psutil.virtual_memory().total]


def _groups(controller: str) -> list[Path]:
    """The folders of this process's control groups and of all above them, version 2 and 1."""
    try:
        lines = OWN_GROUPS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, _, rest = line.partition(":")  # number:controllers:path
        controllers, _, path = rest.partition(":")
        if not path or (controllers and controller not in controllers.split(",")):
            continue
        # Version 1 has a folder for each controller, or one that is named after all on the line;
        # beside it lies, in some systems, version 2.
        names = {controller, controllers} if controllers else {".", "unified"}
        inner = [part for part in path.split("/") if part not in ("", "..")]
        found += [
            (CGROUP / name).joinpath(*inner[:n])
            for name in sorted(names)
            for n in range(len(inner) + 1)
        ]
    return found


def _numbers(file: Path, count: int) -> list[float | None]:
    """The first numbers in a file, None for "max" and for a file that is not there."""
    try:
        words = file.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        words = []
    found = [float(word) if word.lstrip("-").isdigit() else None for word in words[:count]]
    return found + [None] * (count - len(found))
