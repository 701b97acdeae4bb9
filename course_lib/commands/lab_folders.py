"""Where JupyterLab and its kernels keep what they write, also without a home folder to write in."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from course_lib.errors import CourseError


def replace_unwritable() -> str | None:
    """Points each variable whose folder cannot be written to a temporary one; a line that says so.

    CourseError where there is no temporary folder either.
    """
    lost = [(name, folder) for name, folder in _folders() if not can_write(folder)]
    if not lost:
        return None
    try:
        place = tempfile.mkdtemp(prefix="course-lab-")
    except OSError as error:
        raise CourseError(f"no folder to write in ({lost[0][1]}): set HOME or TMPDIR") from error
    _keep_reading(dict(lost))
    for name, _ in lost:
        os.environ[name] = os.path.join(place, name.lower())
    return f"{lost[0][1]} cannot be written: settings and history go to {place} and end with it"


def can_write(folder: str) -> bool:
    """Whether files can be made in it, or it can be made itself."""
    # os.path has False where pathlib raises: below a folder that this user may not enter.
    there = next(filter(os.path.exists, (folder, *Path(folder).absolute().parents)))
    return os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK)


def _folders() -> Iterator[tuple[str, str]]:
    """(variable, folder as it is without us); one variable may stand for two folders."""
    import platformdirs
    from jupyter_core import paths

    given, config = os.environ.get, paths.jupyter_config_dir()
    lab = os.path.join(config, "lab")
    yield "JUPYTER_CONFIG_DIR", config
    yield "JUPYTERLAB_SETTINGS_DIR", given("JUPYTERLAB_SETTINGS_DIR") or f"{lab}/user-settings"
    yield "JUPYTERLAB_WORKSPACES_DIR", given("JUPYTERLAB_WORKSPACES_DIR") or f"{lab}/workspaces"
    yield "JUPYTER_DATA_DIR", paths.jupyter_data_dir()
    yield "JUPYTER_RUNTIME_DIR", paths.jupyter_runtime_dir()
    yield "IPYTHONDIR", given("IPYTHONDIR") or os.path.expanduser("~/.ipython")
    for folder in (platformdirs.user_config_dir("matplotlib"), platformdirs.user_cache_dir()):
        yield "MPLCONFIGDIR", given("MPLCONFIGDIR") or folder


def _keep_reading(lost: dict[str, str]) -> None:
    """A password and kernels of the user stay known where they can be read."""
    for name, search in (
        ("JUPYTER_CONFIG_DIR", "JUPYTER_CONFIG_PATH"),
        ("JUPYTER_DATA_DIR", "JUPYTER_PATH"),
    ):
        if name in lost:
            paths = [os.environ.get(search), lost[name]]
            os.environ[search] = os.pathsep.join(filter(None, paths))
