"""What `doctor` looks at: each check gives rows, and knows what to do about a bad one."""

from __future__ import annotations

import importlib.util
import json
import platform
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from course_lib import machine
from course_lib.commands import requirements
from course_lib.commands.environment import is_inside
from course_lib.commands.requirements import NEWEST_PYTHON, at_least, bounds, pins
from course_lib.commands.stamp import FOLDER, is_complete, read_stamp
from course_lib.errors import CourseError
from course_lib.place import PACKAGE

STUDENTS = ("lab", "grade")
OK, NOTE, BAD = "ok", "note", "bad"
INSTALL = "run python -m course_lib lab (or test): it installs and repairs"
BUILD = "run python -m course_lib build"
TIMEOUT_S = 50
PROBE = """
import json, course_lib, torch, torchvision  # course_lib first: see its module `deferred`
boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
torchvision.ops.nms(boxes, torch.ones(1), 0.5)  # fails where the two do not belong together
from course_lib.devices import choose  # limits the threads, too
device, why_not = choose()
name = torch.cuda.get_device_name() if device.type == "cuda" else device.type
print(json.dumps({"threads": torch.get_num_threads(), "name": name, "why_not": why_not}))
"""
# Follows PROBE, whose torch is imported already.
DATA_SETS = """
from course_lib.commands import checks
print(json.dumps(checks.rows_of("data sets", checks.data_sets)))
"""
# jsonschema would build a grammar of internationalized addresses, which takes seconds.
NOTEBOOKS = """
import sys
sys.modules["rfc3987_syntax"] = None
import json, pathlib
from course_lib.commands import checks
print(json.dumps(checks.rows_of("notebooks", lambda: checks.notebooks(pathlib.Path(sys.argv[1])))))
"""


class Row(NamedTuple):
    """One line of the table."""

    what: str
    found: str
    state: str = OK
    advice: str = ""


def rows_of(name: str, check: Callable[[], list[Row]]) -> list[Row]:
    """What a check finds; one that fails itself is a red line."""
    try:
        return check()
    except CourseError as error:  # says what to do itself
        return [Row(name, str(error), BAD)]
    except Exception as error:
        return [Row(name, f"{type(error).__name__}: {error}", BAD, "this check failed itself")]


def has_packages(root: Path) -> bool:
    """Whether this Python has every package, so that the deeper checks make sense."""
    return not requirements.lacking(root, STUDENTS)


def python() -> list[Row]:
    """The interpreter that runs this."""
    found = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info[:2] > NEWEST_PYTHON:
        newest = ".".join(map(str, NEWEST_PYTHON))
        return [Row("Python", found, NOTE, f"newer than PyTorch's wheels: take 3.11 to {newest}")]
    return [Row("Python", found)]


def installation(root: Path) -> list[Row]:
    """.venv, or an environment of the user's own."""
    if is_complete(root):
        torch = read_stamp(root / FOLDER).get("torch")
        return [Row("installation", f"{root / FOLDER}, PyTorch from: {torch}")]
    if has_packages(root):
        return [Row("installation", f"{sys.prefix}, with all that the course needs")]
    if is_inside(root / FOLDER) or read_stamp(root / FOLDER):
        return [Row("installation", f"{FOLDER} is unfinished or out of date", BAD, INSTALL)]
    return [Row("installation", "not installed", BAD, INSTALL)]


def packages(root: Path) -> list[Row]:
    """Version of each direct requirement against its lower bound and the lock."""
    locked = pins(requirements.lock_text(root))
    wanted = bounds(root, STUDENTS)
    bad, other = [], []
    for name, least in wanted.items():
        version, tested = requirements.installed(name), " or ".join(locked.get(name, []))
        if not at_least(version, least):
            bad.append(f"{name} {version or 'missing'}, wanted {tested}")
        elif version.partition("+")[0] not in locked.get(name, []):
            other.append(f"{name} {version}, tested with {tested}")
    rows = [Row("packages", _some(bad), BAD, INSTALL)] if bad else []
    rows += [Row("packages", _some(other), NOTE)] if other else []
    same = len(wanted) - len(bad) - len(other)
    return rows + ([Row("packages", f"{same} in the versions tested")] if same else [])


def _some(found: list[str]) -> str:
    more = f"; and {len(found) - 6} more" if len(found) > 6 else ""
    return "; ".join(found[:6]) + more


def disk(root: Path) -> list[Row]:
    """Room for data sets and checkpoints."""
    free = shutil.disk_usage(root).free / 1e9
    if free < 1:
        return [Row("free disk", f"{free:.1f} GB", BAD, f"make room on the disk of {root}")]
    return [Row("free disk", f"{free:.0f} GB")]


def memory() -> list[Row]:
    """Main memory; the course is made for 4 GB and more."""
    total = (machine.memory_bytes() or 0) / 1e9
    if not total:
        return [Row("memory", "unknown before the installation", NOTE)]
    if total < 3.5:
        return [Row("memory", f"{total:.1f} GB", NOTE, "close other programs, or use Colab")]
    return [Row("memory", f"{total:.0f} GB")]


def torch_and_data() -> list[Row]:
    """In a process of its own: a broken torch may end it without a traceback, and takes seconds."""
    done = _apart(PROBE + DATA_SETS)
    if done.returncode:
        last = (done.stderr.strip() or f"ended with {done.returncode}").splitlines()[-1]
        advice = "install torch and torchvision as requirements.txt pins them"
        return [Row("torch with torchvision", last, BAD, advice)]
    said, rows = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    threads = f"cpu, {said['threads']} threads"
    device = Row("device", threads if said["name"] == "cpu" else f"{said['name']} (and {threads})")
    if said["why_not"]:
        advice = "train on the CPU as it is, or bring its driver or PyTorch up to date"
        device = Row("device", f"{threads}; {said['why_not']}", NOTE, advice)
    return [Row("torch with torchvision", "import together"), device, *(Row(*row) for row in rows)]


def _apart(code: str, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-X", "utf8", "-c", code, *arguments]
    text = {"encoding": "utf-8", "errors": "replace"}
    try:
        return subprocess.run(
            command, capture_output=True, cwd=PACKAGE.parent, timeout=TIMEOUT_S, **text
        )
    except subprocess.TimeoutExpired as error:
        raise CourseError(f"no answer in {TIMEOUT_S} s: is the disk slow?") from error


def notebooks(root: Path) -> list[Row]:
    """Whether each notebook is there, and as its source says; a class's copy has no sources."""
    if importlib.util.find_spec("course_lib.authoring") is None:
        return [
            Row("notebooks", f"{len([*root.glob('notebooks/*.ipynb')])} in this copy for students")
        ]
    from course_lib import authoring
    from course_lib.grading import assignment  # knows the points without importing torch

    exercises = {
        name: types.SimpleNamespace(points=points)
        for one in assignment.assignments(root).values()
        for name, points in one.points.items()
    }
    rows = []
    for name in authoring.build(root, check=True, exercises=exercises):
        if not (root / name).is_file():
            rows.append(Row(name, "missing", BAD, BUILD))
        elif has_windows_line_ends(root / name):
            rows.append(Row(name, "has Windows' line ends (CRLF)", NOTE, BUILD))
        else:
            advice = f"right if you have worked in it; else {BUILD}"
            rows.append(Row(name, "not as its source says", NOTE, advice))
    return rows or [Row("notebooks", "as their sources say")]


def has_windows_line_ends(path: Path) -> bool:
    """Whether an editor or Git has put CRLF where the course has LF."""
    return path.is_file() and b"\r\n" in path.read_bytes()


def notebooks_apart(root: Path) -> list[Row]:
    """The same in a process of its own, beside other checks."""
    done = _apart(NOTEBOOKS, str(root))
    if done.returncode:
        last = (done.stderr.strip() or f"ended with {done.returncode}").splitlines()[-1]
        return [Row("notebooks", last, BAD, BUILD)]
    return [Row(*row) for row in json.loads(done.stdout.splitlines()[-1])]


def data_sets() -> list[Row]:
    """Real images, or the stand-in that the notebooks use instead."""
    from course_lib import datasets
    from course_lib.datasets.catalog import data_folder

    try:
        data_folder()
    except CourseError as error:
        found, _, advice = str(error).rpartition(": ")
        return [Row("COURSE_DATA", found, BAD, advice)]
    rows = []
    for status in datasets.survey():
        what, get = f"data {status.spec.name}", f"python -m course_lib data get {status.spec.name}"
        if status.spec.procedural or status.real:
            rows.append(Row(what, str(status.real or "drawn by the course")))
        elif status.fails:
            found, _, advice = status.problem.rpartition(": ")
            rows.append(Row(what, found, BAD, advice))
        else:
            rows.append(
                Row(what, "; ".join(filter(None, ["a stand-in", status.problem])), NOTE, get)
            )
    return rows


def kernel() -> list[Row]:
    """The notebooks' kernel must be this very Python."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return [Row("Jupyter kernel", "python3 is missing", BAD, INSTALL)]
    command = spec.argv[0]
    # Jupyter puts its own Python in the place of these names.
    if (
        command in ("python", "python3")
        or Path(command).resolve() == Path(sys.executable).resolve()
    ):
        return [Row("Jupyter kernel", f"python3 in {spec.resource_dir}")]
    advice = f"remove {spec.resource_dir}, which leads to another Python"
    return [Row("Jupyter kernel", f"python3 is {command}", BAD, advice)]
