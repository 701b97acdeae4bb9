"""What `doctor` looks at: each check gives rows, and knows what to do about a bad one."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from course_lib import machine
from course_lib.commands import pins
from course_lib.commands.environment import is_inside
from course_lib.commands.installer import NEWEST_PYTHON
from course_lib.commands.stamp import FOLDER, is_complete, read_stamp
from course_lib.errors import CourseError

OK, NOTE, BAD = "ok", "note", "bad"
INSTALL = "run python -m course_lib lab (or test): it installs and repairs"
BUILD = "run python -m course_lib build"
PROBE = """
import json, torch, torchvision
boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
torchvision.ops.nms(boxes, torch.ones(1), 0.5)  # fails where the two do not belong together
from course_lib.devices import choose  # limits the threads, too
device, why_not = choose()
name = torch.cuda.get_device_name() if device.type == "cuda" else device.type
print(json.dumps({"threads": torch.get_num_threads(), "name": name, "why_not": why_not}))
"""


class Row(NamedTuple):
    """One line of the table."""

    what: str
    found: str
    state: str = OK
    advice: str = ""


def has_packages(root: Path) -> bool:
    """Whether this Python has every package, so that the deeper checks make sense."""
    return not pins.lacking(root)


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
    """Version of each direct requirement against its pin and its lower bound."""
    bounds = pins.lower_bounds(root)
    rows = []
    for name, pinned in pins.pins(root).items():
        version = pins.installed(name)
        if not pins.at_least(version, bounds.get(name, pinned)):
            rows.append(Row(name, f"{version or 'missing'}, wanted {pinned}", BAD, INSTALL))
        elif version.partition("+")[0] != pinned:
            rows.append(Row(name, f"{version}, tested with {pinned}", NOTE))
        else:
            rows.append(Row(name, version))
    return rows


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


def torch_and_device() -> list[Row]:
    """Imports both in a process of their own: a broken pair may end it without a traceback."""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", PROBE], cwd=root, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or f"ended with {done.returncode}").splitlines()[-1]
        advice = "install torch and torchvision as requirements.txt pins them"
        return [Row("torch with torchvision", last, BAD, advice)]
    device = json.loads(done.stdout.splitlines()[-1])
    threads = f"cpu, {device['threads']} threads"
    rows = [Row("torch with torchvision", "import together")]
    if device["why_not"]:
        advice = "train on the CPU as it is, or bring its driver or PyTorch up to date"
        return [*rows, Row("device", f"{threads}; {device['why_not']}", NOTE, advice)]
    name = device["name"]
    return [*rows, Row("device", threads if name == "cpu" else f"{name} (and {threads})")]


def notebooks(root: Path) -> list[Row]:
    """Whether each notebook is there, and as its source says."""
    from course_lib import authoring

    rows = []
    for name in authoring.build(root, check=True):
        if not (root / name).is_file():
            rows.append(Row(name, "missing", BAD, BUILD))
        else:
            advice = f"right if you have worked in it; else {BUILD}"
            rows.append(Row(name, "not as its source says", NOTE, advice))
    return rows or [Row("notebooks", "as their sources say")]


def data_sets() -> list[Row]:
    """Real images, or the stand-in that the notebooks use instead."""
    from course_lib import datasets
    from course_lib.datasets.catalog import data_folder

    try:
        data_folder()
    except CourseError as error:
        found, _, advice = str(error).rpartition(": ")
        return [Row("COURSE_DATA", found, BAD, advice)]
    found = datasets.at_hand()
    return [
        Row(f"data {name}", where)
        if where
        else Row(f"data {name}", "a stand-in", NOTE, f"python -m course_lib data get {name}")
        for name, where in found
    ]


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
