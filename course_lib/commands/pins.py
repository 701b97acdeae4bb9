"""What the course needs, read from requirements.in (pins) and environment.yml (lower bounds)."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib"}
CONDA_NAMES |= {"jupyter_client": "jupyter-client", "jupyter_core": "jupyter-core"}
PIN = re.compile(r"^([\w.-]+)==([\w.+]+)\s*$", re.MULTILINE)
BOUND = re.compile(r"^ +- ([\w.-]+)>=([\w.]+)", re.MULTILINE)


def pins(root: Path) -> dict[str, str]:
    """Exact version of each direct requirement."""
    return dict(PIN.findall(_text(root / "requirements.in")))


def lower_bounds(root: Path) -> dict[str, str]:
    """Oldest version of each package that the course still works with, by its name for pip."""
    found = dict(BOUND.findall(_text(root / "environment.yml")))
    found.pop("python", None)
    return {CONDA_NAMES.get(name, name): version for name, version in found.items()}


def lacking(root: Path) -> list[str]:
    """Names of the packages that this very Python lacks, or has too old."""
    bounds = lower_bounds(root)
    return [name for name, least in bounds.items() if not at_least(installed(name), least)]


def installed(name: str) -> str | None:
    """Version that this Python would import, from its metadata alone: nothing is imported."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def at_least(version: str | None, least: str) -> bool:
    """Compares release numbers: 2.14.1+cpu is at least 2.11."""
    return version is not None and _release(version) >= _release(least)


def _release(version: str) -> tuple[int, ...]:
    leading = re.match(r"\d+(?:\.\d+)*", version)
    parts = [int(part) for part in leading[0].split(".")] if leading else []
    while parts and parts[-1] == 0:  # 8 and 8.0 are the same
        parts.pop()
    return tuple(parts)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
