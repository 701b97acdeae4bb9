"""What the course needs: bounds in pyproject.toml, exact versions in the locks made from it."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from course_lib.errors import CourseError
from course_lib.writing import replace

MADE_BY_LOCK = "# Made from pyproject.toml by `python -m course_lib build --lock`.\n"
NEWEST_PYTHON = (3, 14)  # the last one that the locked PyTorch has wheels for
LOCK = "requirements.txt"  # dependencies and all extras; a group has requirements-GROUP.txt beside
CONDA = "environment.yml"
COLAB = "requirements-colab.txt"
COLAB_VERSIONS = Path("tests", "colab-versions.txt")
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
CONDA_NAMES |= {"jupyter-client": "jupyter_client", "jupyter-core": "jupyter_core"}
BOUND = re.compile(r"([\w.-]+)(?:\[[\w,]+\])?(?:>=([\w.]+))?$")
ENTRY = re.compile(r"^(?=[a-z0-9])", re.MULTILINE)  # in a lock, its hashes on the lines below
# A check of addresses that no notebook holds, and to import it costs JupyterLab and papermill
# seconds; and what pythae asks for, which is a part of Python since 3.7 and no longer installs.
OMITTED = ("rfc3987-syntax", "lark", "dataclasses")
PIN = re.compile(r"([\w.-]+)==([\w.+]+)")
CUDA = re.compile(r"(torch|torchvision|triton)==|nvidia-|cuda-")  # what PyTorch's index replaces


def bounds(root: Path, needs: tuple[str, ...] = ()) -> dict[str, str]:
    """Oldest version that works of each dependency, and of the extras and groups in `needs`."""
    table = _pyproject(root)
    project, groups = table["project"], table.get("dependency-groups", {})
    own = project["name"]
    lines = list(project["dependencies"])
    for name in needs:
        lines += {**project.get("optional-dependencies", {}), **groups}.get(name, [])
    found: dict[str, str] = {}
    for line in lines:
        matched = BOUND.match(line)
        if matched is None:
            raise CourseError(f"pyproject.toml: {line!r} is not written as name>=version")
        name, least = matched[1], matched[2] or "0"
        if name != own and not at_least(found.get(name), least):
            found[name] = least
    return found


def groups(root: Path, needs: tuple[str, ...]) -> list[str]:
    """Those of `needs` that are dependency groups: each has a lock of its own."""
    return [name for name in needs if name in _pyproject(root).get("dependency-groups", {})]


def lacking(root: Path, needs: tuple[str, ...] = ()) -> list[str]:
    """Names of the packages that this very Python lacks, or has too old."""
    found = bounds(root, needs)
    return [name for name, least in found.items() if not at_least(installed(name), least)]


def lock_names(root: Path, needs: tuple[str, ...] = ()) -> list[str]:
    """requirements.txt, and what the groups among `needs` add to it."""
    return [LOCK, *(f"requirements-{group}.txt" for group in groups(root, needs))]


def lock_text(root: Path, name: str = LOCK) -> str:
    """The text of a lock, with the same line ends everywhere."""
    try:
        return (root / name).read_text(encoding="utf-8")
    except OSError as error:
        raise CourseError(f"no {name} in {root}: clone the course again") from error


def pins(text: str) -> dict[str, list[str]]:
    """Versions in a lock by name; more than one where it depends on Python or the system."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(rf"^{PIN.pattern}", text, re.MULTILINE):
        found.setdefault(name, []).append(version)
    return found


def split_off_torch(text: str) -> tuple[list[str], str]:
    """torch==… and torchvision==… of a lock; and the lock without them and without CUDA."""
    entries = ENTRY.split(text)
    torch = [PIN.match(entry)[0] for entry in entries if re.match("torch(vision)?==", entry)]
    return torch, "".join(entry for entry in entries if not CUDA.match(entry))


def installed(name: str) -> str | None:
    """Version that this Python would import, from its metadata alone: nothing is imported."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def at_least(version: str | None, least: str) -> bool:
    """Compares release numbers: 2.14.1+cpu is at least 2.11."""
    return version is not None and _release(version) >= _release(least)


def rendered(root: Path) -> dict[str, str]:
    """The text of the files that say again, for conda and for Colab, what pyproject.toml says."""
    name, (major, minor) = _pyproject(root)["project"]["name"], NEWEST_PYTHON
    everything = bounds(root, ("lab", "grade", "dev"))
    conda = [f"{CONDA_NAMES.get(name, name)}>={least}" for name, least in everything.items()]
    there = pins((root / COLAB_VERSIONS).read_text(encoding="utf-8"))
    colab = [f"{name}>={least}" for name, least in bounds(root).items() if name not in there]
    made = "# Made from pyproject.toml by `python -m course_lib build`.\n"
    return {
        CONDA: f"{made}# conda env create -f {CONDA} && conda activate {name}\nname: {name}\n"
        f"channels:\n  - conda-forge\ndependencies:\n  - python>=3.11,<{major}.{minor + 1}\n"
        + "".join(f"  - {line}\n" for line in conda),
        COLAB: f"{made}# What Colab may lack. Never torch, numpy or ipywidgets: Colab's own stay.\n"
        + "".join(f"{line}\n" for line in colab),
    }


def make_locks(root: Path) -> list[str]:
    """Write every lock with uv, for all systems and Pythons, with hashes; names of the changed.

    A version stays while pyproject.toml allows it; what is not in a lock comes at its newest.
    """
    new = {LOCK: _compiled(root, LOCK, [])}
    base = {*ENTRY.split(new[LOCK])}
    for group in _pyproject(root)["dependency-groups"]:
        name = f"requirements-{group}.txt"
        text = _compiled(root, name, ["--group", group], within=new[LOCK])
        new[name] = MADE_BY_LOCK + "".join(e for e in ENTRY.split(text) if e not in base)
    changed = [name for name, text in new.items() if read(root / name) != text]
    for name in changed:
        replace(root / name, new[name])
    return changed


def _compiled(root: Path, name: str, options: list[str], within: str = "") -> str:
    """What uv makes of pyproject.toml; `within` holds versions that it must agree with."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        out, constraints = Path(folder, name), Path(folder, "within.txt")
        constraints.write_text(within, encoding="utf-8")
        out.write_text(within + read(root / name), encoding="utf-8")
        command = [
            *(sys.executable, "-m", "uv", "pip", "compile", str(root / "pyproject.toml")),
            *("--quiet", "--all-extras", "--universal", "--python-version", "3.11"),
            *("--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--no-header"),
            *("--no-annotate", *options, *(f"--no-emit-package={name}" for name in OMITTED)),
            *("--constraints", str(constraints), "--output-file", str(out)),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
        if done.returncode:
            raise CourseError(f"uv could not make {name}: {done.stderr.strip() or done.stdout}")
        text = out.read_text(encoding="utf-8")
    return MADE_BY_LOCK + re.sub(r"^(-e|#).*\n", "", text, flags=re.MULTILINE)


@functools.cache
def _pyproject(root: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    except OSError as error:
        raise CourseError(f"no pyproject.toml in {root}: clone the course again") from error


def _release(version: str) -> tuple[int, ...]:
    leading = re.match(r"\d+(?:\.\d+)*", version)
    parts = [int(part) for part in leading[0].split(".")] if leading else []
    while parts and parts[-1] == 0:  # 8 and 8.0 are the same
        parts.pop()
    return tuple(parts)


def read(path: Path) -> str:
    """The text of a file; "" where there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""
