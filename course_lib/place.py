"""Where the course's own files lie: beside the package in a clone, inside it once installed."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
INSTALLED = PACKAGE / "course"  # a wheel puts notebooks/, solutions/, data/ and pyproject.toml here
ROOT = INSTALLED if INSTALLED.is_dir() else PACKAGE.parent


def own_copy(name: str) -> Path:
    """A folder or file that a user may change: the clone's, else one in the current folder."""
    return Path.cwd() / "autoencoder-course" / name if ROOT == INSTALLED else ROOT / name


def package_of(root: Path) -> Path:
    """The folder course_lib/ of a clone; for the files of an installed course, this package."""
    return PACKAGE if root == INSTALLED else root / "course_lib"
