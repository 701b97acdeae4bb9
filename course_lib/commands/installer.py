"""Makes .venv and fills it; may be killed at any moment, the next start goes on from there."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from course_lib.commands import torch_source
from course_lib.commands.process import WINDOWS, python_of, say
from course_lib.commands.requirements import NEWEST_PYTHON, lock_names, lock_text, split_off_torch
from course_lib.commands.stamp import (
    FOLDER,
    fingerprints,
    python_version,
    read_stamp,
    write_stamp,
)
from course_lib.errors import CourseError
from course_lib.writing import replace

MIN_FREE_GB = 2.5  # the smallest PyTorch, unpacked, and the other packages
LOCK = "course.lock"
DOWNLOADS = "downloads"


def install(root: Path, *, needs: tuple[str, ...], torch: str, lock: int) -> None:
    """Makes or repairs .venv; pip holds `lock` too, so that a killed start leaves no second pip."""
    venv, begin = root / FOLDER, time.monotonic()
    torch_pins, rest = split_off_torch(lock_text(root))
    if torch_pins:
        check_system()
        if not _is_usable(venv):  # what PyTorch takes is known later, the least of it now
            check_space(root, gigabytes=MIN_FREE_GB)
    _ensure_venv(venv)
    stamp = {**read_stamp(venv), "python": python_version(venv), "complete": False}
    write_stamp(venv, stamp)
    source = _new_source(root, pins=torch_pins, torch=torch)
    if source:
        say(f"[2/3] {source.line}")
        write_stamp(venv, {**stamp, "torch": None})
        _install_torch(venv, torch_pins, source=source, lock=lock)
        stamp |= {"torch": source.name, "torch_pins": torch_pins}
        write_stamp(venv, stamp)
    names = lock_names(root, needs)
    say(f"[3/3] what {' and '.join(names)} name{'s' if len(names) == 1 else ''}")
    locks = [root / name for name in names]
    if stamp.get("torch", "ordinary") != "ordinary":
        locks[0] = venv / names[0]  # these wheels have other hashes, and bring their own CUDA
        replace(locks[0], rest)
    # A lock is complete and names each file's hash: pip has nothing to resolve.
    _pip(venv, "--no-deps", *(f"--requirement={path}" for path in locks), lock=lock)
    remove_leftovers(venv)
    kept = stamp.get("locks")
    kept = kept if isinstance(kept, dict) else {}
    write_stamp(venv, {**stamp, "locks": kept | fingerprints(root, needs), "complete": True})
    say(f"installed in {time.monotonic() - begin:.0f} s; from now on the course starts at once")


def _new_source(root: Path, *, pins: list[str], torch: str) -> torch_source.Source | None:
    """Where PyTorch is to come from, or None if the one in .venv can stay."""
    stamp = read_stamp(root / FOLDER)
    kept = stamp.get("torch") and torch_source.keeps(stamp["torch"], torch)
    if not pins or (kept and stamp.get("torch_pins") == pins):
        return None
    source = torch_source.choose(torch)
    check_space(root, gigabytes=source.gigabytes)
    return source


def _install_torch(venv: Path, pins: list[str], *, source: torch_source.Source, lock: int) -> None:
    """From an index of PyTorch's own; the ordinary wheels come with all else that is locked."""
    # pip would take another source's wheels of the same version for these.
    _remove(venv, ("torch", "torchvision"), lock=lock)
    if source.index:
        try:
            _pip(venv, "--no-deps", "--index-url", source.index, *pins, lock=lock)
        except CourseError as error:
            raise CourseError(f"{error}{source.doubt}") from error


def _ensure_venv(venv: Path) -> None:
    """An environment with a Python that runs and a whole pip, whatever was there before."""
    if not _is_usable(venv):
        say(f"[1/3] making {FOLDER} with Python {platform.python_version()}")
        make_venv(venv)
    if python_version(venv) is None:
        raise CourseError(f"the Python in {venv} does not run: delete that folder and start again")
    remove_leftovers(venv)
    if not any(next(packages.glob("pip-*.dist-info"), None) for packages in _packages(venv)):
        say(f"[1/3] adding pip to {FOLDER}")
        _run_quietly([str(python_of(venv)), "-I", "-m", "ensurepip", "--upgrade", "--default-pip"])


def _is_usable(venv: Path) -> bool:
    """Whether the Python in it runs, is still the one that it was made with, and is all there."""
    version = python_version(venv)
    stamped = read_stamp(venv).get("python")
    activate = python_of(venv).with_name("activate")  # the last thing that venv writes
    return version is not None and version == (stamped or version) and activate.exists()


def check_system() -> None:
    """One clear line where PyTorch has no wheels at all."""
    if sys.version_info[:2] > NEWEST_PYTHON:
        newest = ".".join(map(str, NEWEST_PYTHON))
        raise CourseError(
            f"PyTorch has no wheels for Python {platform.python_version()} yet: "
            f"start with a Python from 3.11 to {newest}"
        )
    if sys.maxsize < 2**32:
        raise CourseError("PyTorch has no wheels for a 32-bit Python: install a 64-bit one")
    if lacking := _system_without_wheels():
        raise CourseError(f"PyTorch has no wheels for {lacking}")


def _system_without_wheels() -> str:
    """What this system is and what to do; "" where PyTorch has wheels for it."""
    machine, colab = platform.machine(), "use the notebooks in Colab"
    if sys.platform == "darwin":
        if machine == "x86_64":
            return (
                "Macs with Intel processors (or a Python made for them): "
                f"{colab}, or a Python for Apple silicon"
            )
        version = platform.mac_ver()[0]
        if version and int(version.split(".")[0]) < 14:
            return f"macOS {version}: bring it to 14 or newer, or {colab}"
    if sys.platform == "win32" and machine == "ARM64":
        return "a Python for ARM on Windows: install the 64-bit one for Intel and AMD (x86-64)"
    if sys.platform == "linux" and machine not in ("x86_64", "aarch64"):
        return f"Linux on {machine}: {colab}"
    if sys.platform == "linux" and platform.libc_ver()[0] != "glibc":
        return f"a Linux without glibc, such as Alpine: take another one, or {colab}"
    return ""


def check_space(root: Path, *, gigabytes: float) -> None:
    """Refuses at once what would fail after minutes."""
    free = shutil.disk_usage(root).free / 1e9
    if free < gigabytes:
        raise CourseError(
            f"the installation needs {gigabytes:.1f} GB free in {root}, which has {free:.1f} GB"
        )


def make_venv(venv: Path) -> None:
    """A fresh environment in place of whatever is there; the lock stays."""
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        raise CourseError("this Python cannot make environments: sudo apt install python3-venv")
    # pyvenv.cfg first: without it .venv counts as broken, however far the rest of this comes.
    (venv / "pyvenv.cfg").unlink(missing_ok=True)
    for entry in venv.iterdir():
        if entry.name != LOCK:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    _check_links(venv)
    # Not sys.executable: that may lie in an environment, even in the one being replaced.
    python = getattr(sys, "_base_executable", None) or sys.executable
    _run_quietly([python, "-m", "venv", str(venv)])


def _check_links(venv: Path) -> None:
    """Refuses a disk that keeps no symbolic links, such as a USB stick: an environment has some."""
    link = venv / "link"
    try:
        link.symlink_to("pyvenv.cfg")
    except OSError as error:
        if WINDOWS:  # where environments have none
            return
        disk = next(folder for folder in (venv, *venv.parents) if folder.is_mount())
        raise CourseError(
            f"the disk at {disk} keeps no symbolic links ({error.strerror}), which {FOLDER} needs: "
            "move the course's folder to another disk, for example into your home"
        ) from error
    link.unlink()


def remove_leftovers(venv: Path) -> None:
    """What a killed pip leaves: packages without a RECORD (written last), ~names, downloads."""
    shutil.rmtree(venv / DOWNLOADS, ignore_errors=True)
    for packages in _packages(venv):
        for info in packages.glob("*.dist-info"):
            if not (info / "RECORD").is_file():
                shutil.rmtree(info)  # pip takes it for not installed and writes it anew
        for uninstalled in packages.glob("~*"):
            shutil.rmtree(uninstalled, ignore_errors=True)


def _packages(venv: Path) -> Iterator[Path]:
    return venv.glob("Lib/site-packages" if WINDOWS else "lib/python*/site-packages")


def _run_quietly(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        # "ensurepip" alone stands in venv's message about a full disk too.
        lacking = re.search(r"ensurepip is not|No module named '?ensurepip", said)
        hint = " (sudo apt install python3-venv?)" if lacking else ""
        raise CourseError(f"{' '.join(command)} failed: {said}{hint}")


def _remove(venv: Path, names: tuple[str, ...], *, lock: int) -> None:
    there = [name for name in names for p in _packages(venv) if any(p.glob(f"{name}-*.dist-info"))]
    if there:
        _call(venv, _own_pip(venv, "uninstall", "--yes", "--quiet", *there), lock=lock)


def _pip(venv: Path, *arguments: str, lock: int) -> None:
    """Installs with uv where it is at hand, many times as fast; what it cannot do, pip does."""
    uv = shutil.which("uv")
    if uv:
        command = [uv, "pip", "install", "--python", str(python_of(venv)), *arguments]
        if _call(venv, command, lock=lock) == 0:
            return
        say("uv could not, see above: pip tries")
    # Compiles nothing, like uv: of the 11,000 files a start needs 3,000, and compiles those.
    if code := _call(venv, _own_pip(venv, "install", "--no-compile", *arguments), lock=lock):
        raise CourseError(f"pip stopped ({code}), see above; the next start goes on from there")


def _own_pip(venv: Path, *arguments: str) -> list[str]:
    return [str(python_of(venv)), "-I", "-m", "pip", *arguments]


def _call(venv: Path, command: list[str], *, lock: int) -> int:
    downloads = venv / DOWNLOADS  # beside the packages: /tmp is often too small for PyTorch
    downloads.mkdir(exist_ok=True)
    settings = {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    settings["PIP_REQUIRE_VIRTUALENV"] = "1"  # never into the user's own Python, whatever happens
    folders = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(downloads))
    return subprocess.call(
        command, env={**os.environ, **settings, **folders}, pass_fds=() if WINDOWS else (lock,)
    )
