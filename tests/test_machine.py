"""Cores and memory of the container, not of its host: by files as the kernel writes them."""

import os
from pathlib import Path

import pytest

from course_lib import machine
from course_lib.commands import checks, grade

GB = 2**30
FAR = "9223372036854771712"  # how version 1 says that there is no limit
V1 = "4:memory:/box\n3:cpu,cpuacct:/box\n0::/\n"


@pytest.fixture
def container(tmp_path, monkeypatch):
    """container(own groups, files): a machine of 8 cores and 16 GiB, limited by these files."""
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    monkeypatch.setattr(machine, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(machine, "_physical", lambda: [16 * GB])

    def make(own, files):
        (tmp_path / "own").write_text(own)
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(f"{text}\n")

    return make


CPU = {
    "no limit": ("0::/\n", {"cpu.max": "max 100000"}, 8),
    "two cores": ("0::/\n", {"cpu.max": "200000 100000"}, 2),
    "one and a half": ("0::/\n", {"cpu.max": "150000 100000"}, 1),
    "half a core": ("0::/\n", {"cpu.max": "50000 100000"}, 1),
    "another period": ("0::/\n", {"cpu.max": "30000 10000"}, 3),
    "more than there are": ("0::/\n", {"cpu.max": "6400000 100000"}, 8),
    "nested, the outer one counts": (
        "0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3),
    "nested, the inner one counts": (
        "0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "100000 100000"}, 1),
    "a group of somebody else": ("0::/a\n", {"other/cpu.max": "100000 100000"}, 8),
    "version 1": (V1, {"cpu/box/cpu.cfs_quota_us": 400000, "cpu/box/cpu.cfs_period_us": 100000}, 4),
    "version 1, both names": (
        V1, {"cpu,cpuacct/cpu.cfs_quota_us": 400000, "cpu,cpuacct/cpu.cfs_period_us": 100000}, 4),
    "version 1, no limit": (
        V1, {"cpu/box/cpu.cfs_quota_us": -1, "cpu/box/cpu.cfs_period_us": 100000}, 8),
    "version 1, seen from inside": (
        V1, {"cpu/cpu.cfs_quota_us": 200000, "cpu/cpu.cfs_period_us": 100000}, 2),
    "both versions": ("1:name=systemd:/\n0::/s\n", {"unified/s/cpu.max": "200000 100000"}, 2),
    "damaged": ("0::/\n", {"cpu.max": "many few"}, 8),
    "nonsense about groups": ("words\n\n", {"cpu.max": "100000 100000"}, 8),
}  # fmt: skip


@pytest.mark.parametrize(("own", "files", "cores"), CPU.values(), ids=CPU)
def test_the_quota_of_the_container_counts(own, files, cores, container):
    """Catches 64 threads on the two cores that a container has of its host."""
    container(own, files)
    assert machine.cores() == cores


def test_the_affinity_counts(container, monkeypatch):
    """Catches cores that this process may not run on."""
    container("0::/\n", {"cpu.max": "400000 100000"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {5, 7})
    assert machine.cores() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.cores() == 1


MEMORY = {
    "no limit": ("0::/\n", {"memory.max": "max"}, 16),
    "two": ("0::/\n", {"memory.max": 2 * GB}, 2),
    "nested": ("0::/a/b\n", {"a/memory.max": 3 * GB, "a/b/memory.max": "max"}, 3),
    "version 1": (V1, {"memory/box/memory.limit_in_bytes": 2 * GB}, 2),
    "version 1, no limit": (V1, {"memory/memory.limit_in_bytes": FAR}, 16),
    "version 1, seen from inside": (V1, {"memory/memory.limit_in_bytes": 4 * GB}, 4),
    "both versions": ("0::/s\n", {"unified/s/memory.max": 4 * GB}, 4),
    "damaged": ("0::/\n", {"memory.max": ""}, 16),
}


@pytest.mark.parametrize(("own", "files", "gib"), MEMORY.values(), ids=MEMORY)
def test_the_memory_of_the_container_counts(own, files, gib, container):
    """Catches a container of 2 GB that is taken for the 25 GB of its host, by doctor and grade."""
    container(own, files)
    assert machine.memory_bytes() == gib * GB
    assert checks.memory()[0].found.startswith(f"{gib * GB / 1e9:.{0 if gib > 3 else 1}f} GB")
    assert (checks.memory()[0].state == checks.NOTE) == (gib < 3.3)
    assert grade.fitting() == min(8, gib // 2)


def test_without_groups_the_machine_counts(container, monkeypatch):
    """Catches a failure on systems that have no control groups."""
    monkeypatch.setattr(machine, "OWN_GROUPS", Path("/nowhere"))
    assert machine.memory_bytes() == 16 * GB and machine.cores() == 8


def test_without_sysconf_psutil_tells(monkeypatch):
    """Catches Windows, where the memory would be unknown."""
    psutil = pytest.importorskip("psutil")
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert machine._physical() == [psutil.virtual_memory().total]


def test_nothing_asks_for_the_cores_of_the_host(root):
    """Catches a pool, a job or a loader sized by `os.cpu_count`, which a container does not bound.

    Only the load is the host's own: it is divided by the host's cores.
    """
    words = ("cpu_count", "n_jobs=-1", "num_workers", "virtual_memory")
    allowed = {"machine.py", "benchmarks/machine.py"}
    for path in (root / "course_lib").rglob("*.py"):
        text, name = path.read_text(encoding="utf-8"), path.relative_to(root / "course_lib")
        assert name.as_posix() in allowed or not [w for w in words if w in text], name
