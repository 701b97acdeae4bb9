"""Which grader judged: a digest of all code that a grade can depend on."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
from pathlib import Path

# No grade depends on these: after a change to a report nobody is graded again. What is not named
# here counts, so that a new file does from the start.
AROUND = {"benchmarks", "commands", "demo", "recipes"} | {
    f"grading/{name}"
    for name in ("assignment", "batch", "classroom", "gradebooks", "intake", "reports", "selftest")
}


@functools.lru_cache(maxsize=8)
def grader_hash(root: Path, stem: str | None = None) -> str:
    """Fingerprint of what judges a notebook, or any: code and solutions, torch, Python."""
    digest = hashlib.sha256(platform.python_version().encode())
    for package in ("torch", "numpy"):
        digest.update(importlib.metadata.version(package).encode())
    course = root / "course_lib"
    code = [p for kind in ("*.py", "*.toml") for p in course.rglob(kind) if _judges(p, course)]
    for path in sorted([*code, *(root / "solutions").glob(f"{stem or '*'}.py")]):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _judges(path: Path, course: Path) -> bool:
    inside = path.relative_to(course).with_suffix("")
    return not AROUND & {inside.as_posix(), *(folder.as_posix() for folder in inside.parents)}
