"""What a sandboxed command can see: a copy of the course without solutions, Python, the data."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_lib.grading.sandbox.limits import Limits
from course_lib.place import ROOT, package_of

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store",
          "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives",
          "/etc/fonts", "/etc/localtime", "/etc/nsswitch.conf", "/etc/hosts")  # fmt: skip
SHARED = {"COURSE_DATA": "/data", "COURSE_CACHE": "/cache"}
# What notebooks do not need: the judges of exercises, and the course's tools.
LEFT_OUT = {"exercises", "grading", "authoring", "commands", "benchmarks", "recipes", "course"}
NEEDED_INSIDE = ("__init__.py", "namespaces.py", "linux.py", "boot.py")
NO_CHECK = '''"""Inside the grader: answers are judged outside; probes stand where checks were."""


def check(name, candidate):
    """The candidate as it is."""
    print(f"{name}: judged by the grader")
    return candidate
'''


@dataclass(frozen=True)
class Place:
    """Folders of one submission: `scratch` holds course/, run/ (writable), jail/ and tmp/."""

    scratch: Path
    data: Path
    hidden: tuple[str, ...] = ()
    shared: dict[str, str] = field(default_factory=dict)  # COURSE_DATA and COURSE_CACHE


def make_place(
    scratch: Path,
    *,
    root: Path = ROOT,
    hidden: tuple[str, ...] = (),
    shared: dict[str, str] | None = None,
    fonts: list[str] = [],  # noqa: B006  # never changed
) -> Place:
    """Make the folders of one sandbox, with a copy of `course_lib` that holds no judge."""
    source, copy = package_of(root), scratch / "course" / "course_lib"
    for name in ("course/data", "run", "jail", "tmp"):
        (scratch / name).mkdir(parents=True, exist_ok=True)

    def left_out(folder: str, names: list[str]) -> set[str]:
        return LEFT_OUT & {*names} if Path(folder) == source else set()

    shutil.copytree(source, copy, ignore=left_out)
    for package in ("exercises", "grading/sandbox"):
        (copy / package).mkdir(parents=True)
    (copy / "exercises/__init__.py").write_text(NO_CHECK, encoding="utf-8")
    (copy / "grading/__init__.py").touch()
    for name in NEEDED_INSIDE:
        shutil.copy2(source / "grading/sandbox" / name, copy / "grading/sandbox" / name)
    for path in fonts:
        (scratch / "course/matplotlib").mkdir(exist_ok=True)
        shutil.copy2(path, scratch / "course/matplotlib")
    there = {key: os.path.realpath(f) for key, f in (shared or {}).items() if os.path.isdir(f)}
    return Place(scratch, root / "data", (str(root), *_installed_courses(), *hidden), there)


def mounts(place: Place, limits: Limits) -> list[list[Any]]:
    """The file tree, outer folders first: binds (source, target, writable), tmpfs, links."""
    found: dict[str, list[Any]] = {}
    for name in SYSTEM:
        if os.path.islink(name):
            found[name] = ["link", name, os.readlink(name)]
        elif os.path.exists(name):
            found[name] = ["bind", name, name, False]
    for folder in python_folders():
        found[folder] = ["bind", folder, folder, False]
    for hidden in place.hidden:
        if any(_inside(hidden, bind) for bind, (kind, *_) in found.items() if kind == "bind"):
            found.setdefault(hidden, ["tmpfs", hidden, 1])
    for variable, folder in place.shared.items():
        found[SHARED[variable]] = ["bind", folder, SHARED[variable], False]
    run = str(place.scratch / "run")
    found["/tmp"] = ["tmpfs", "/tmp", limits.disk_mb]
    found["/course"] = ["bind", str(place.scratch / "course"), "/course", False]
    found["/course/data"] = ["bind", str(place.data), "/course/data", False]
    found[run] = ["bind", run, run, True]
    return sorted(found.values(), key=lambda entry: len(Path(entry[-2]).parts))


def python_path() -> str:
    """This Python. Of `notebooks/../.venv/bin/python` a sandbox would lack the first folder."""
    return os.path.abspath(sys.executable)


def python_folders() -> list[str]:
    """Where this Python and its packages live; no folder of the path that holds a course."""
    found = {sys.prefix, sys.base_prefix, sys.exec_prefix, sysconfig.get_path("stdlib")}
    found |= {os.path.dirname(os.path.realpath(sys.executable))}
    found |= {p for p in sys.path if os.path.isdir(p) and not _holds_course(p)}
    return sorted({*found, *map(os.path.realpath, found)})


def _holds_course(folder: str) -> bool:
    """Whether this is a clone, or lies in this one; an installed copy is hidden by itself."""
    inside = _inside(os.path.realpath(folder), str(ROOT))
    return inside or any(os.path.isdir(os.path.join(folder, n)) for n in ("solutions", "notebooks"))


def _installed_courses() -> list[str]:
    places = (os.path.join(folder, "course_lib") for folder in sys.path)
    return [os.path.realpath(place) for place in places if os.path.isdir(place)]


def _inside(path: str, folder: str) -> bool:
    return os.path.commonpath([path, folder]) == folder
