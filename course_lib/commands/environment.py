"""The Python a command runs in: the active one if it has everything, else the course's .venv."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from course_lib import place
from course_lib.commands import requirements
from course_lib.commands.installer import LOCK, install
from course_lib.commands.lock import exclusive
from course_lib.commands.process import WINDOWS, export_variables, hand_over, python_of, say
from course_lib.commands.stamp import FOLDER, is_complete, python_version, read_stamp
from course_lib.errors import CourseError

ENTERED = "COURSE_ENTERED"  # the variable that names the .venv a start goes on in


def ensure(root: Path, *, needs: tuple[str, ...], torch: str | None, argv: list[str]) -> None:
    """Returns inside a Python that has what is needed; else makes one and goes on there.

    `needs` names the extras and dependency groups of pyproject.toml that the command takes.
    """
    export_variables(root)
    venv = root / FOLDER
    inside = is_inside(venv)
    if not (inside and read_stamp(venv)):  # somebody else's environment, which stays as it is
        missing = requirements.lacking(root, needs)
        if missing and root == place.INSTALLED:
            extras = f"[{','.join(needs)}]" if needs else ""
            raise CourseError(
                f"{sys.prefix} lacks {', '.join(missing)}: "
                f'{sys.executable} -m pip install "autoencoder-course{extras}"'
            )
        if not missing:
            if torch:
                say(f"--torch changes nothing: {sys.prefix} stays, it has all that is needed")
            return
        if not inside and (sys.prefix != sys.base_prefix or "CONDA_DEFAULT_ENV" in os.environ):
            say(f"{sys.prefix} lacks {', '.join(missing)}: using {FOLDER} instead")
    if not inside and not read_stamp(venv) and python_version(venv):  # made by uv, say
        _go_on_inside(venv, argv=argv)
    if not is_complete(root, needs=needs, torch=torch):
        _install_alone(root, needs=needs, torch=torch)
    if not inside:
        _go_on_inside(venv, argv=argv)


def enter_if_there(root: Path, *, argv: list[str]) -> None:
    """Goes on inside .venv where that can run at all; installs nothing (for `doctor`)."""
    export_variables(root)
    venv = root / FOLDER
    if not is_inside(venv) and requirements.lacking(root) and python_version(venv):
        _go_on_inside(venv, argv=argv)


def is_inside(venv: Path) -> bool:
    """Whether this process runs in `venv`."""
    inside = Path(sys.prefix).resolve() == venv.resolve()
    if inside:
        os.environ.pop(ENTERED, None)  # has served; children start afresh
    return inside


def _install_alone(root: Path, *, needs: tuple[str, ...], torch: str | None) -> None:
    venv = root / FOLDER
    try:
        venv.mkdir(exist_ok=True)
        waiting = f"another start is installing into {FOLDER}: waiting for it"
        with exclusive(venv / LOCK, on_wait=lambda: say(waiting)) as lock:
            # The other start may have done it all.
            if not is_complete(root, needs=needs, torch=torch):
                install(root, needs=needs, torch=torch or "auto", lock=lock)
    except OSError as error:
        raise CourseError(f"cannot install into {venv}: {error}") from error


def _go_on_inside(venv: Path, *, argv: list[str]) -> None:
    if os.environ.get(ENTERED) == str(venv):  # came from here, and arrived elsewhere: no circles
        raise CourseError(f"the Python in {venv} is not its own: delete that folder, start again")
    os.environ[ENTERED] = str(venv)
    code = hand_over([str(python_of(venv)), "-m", "course_lib", *argv])
    if WINDOWS:
        sys.exit(code)
