"""Where the course's own files lie: beside the package in a clone, inside it once installed."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
INSTALLED = PACKAGE / "course"  # a wheel puts notebooks/, solutions/, data/ and pyproject.toml here
ROOT = INSTALLED if INSTALLED.is_dir() else PACKAGE.parent


def package_of(root: Path) -> Path:
    """The folder course_lib/ of a clone; for the files of an installed course, this package."""
    return PACKAGE if root == INSTALLED else root / "course_lib"
