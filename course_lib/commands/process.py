"""What differs between POSIX and Windows when one process hands over to another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from course_lib.place import INSTALLED
from course_lib.settings import named_folder

WINDOWS = os.name == "nt"


def python_of(venv: Path) -> Path:
    """The interpreter of a virtual environment."""
    return venv / ("Scripts/python.exe" if WINDOWS else "bin/python")


def say(line: str) -> None:
    """A line of progress, which no pipe is meant to get."""
    print(line, file=sys.stderr, flush=True)


def hand_over(command: list[str]) -> int:
    """Goes on as `command`: replaces this process on POSIX, waits for the other on Windows."""
    sys.stdout.flush()
    sys.stderr.flush()
    if not WINDOWS:
        os.execv(command[0], command)  # never returns
    process = subprocess.Popen(command)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # Ctrl-C reached both: the other one decides what it means
            continue


def export_variables(root: Path) -> None:
    """What every process started from here needs to find: the package, kernels, the user's data."""
    if root != INSTALLED:
        others = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
        paths = [str(root), *(part for part in others if part != str(root))]
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # this environment's kernel before the user's own
    for name in ("PYTHONHOME", "__PYVENV_LAUNCHER__"):  # would point a child at another Python
        os.environ.pop(name, None)
    for name in ("COURSE_DATA", "COURSE_CACHE"):  # kernels start in another folder
        if folder := named_folder(name):
            os.environ[name] = str(folder)
