"""What a run and what a verdict depend on: after a changed hint nothing runs again."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from course_lib.place import package_of

# Neither depends on these: after a change to a report nobody is graded again. What is not named
# here counts, so that a new file does from the start.
AROUND = {"benchmarks", "commands", "course", "demo", "recipes"} | {
    f"grading/{name}"
    for name in ("assignment", "batch", "classroom", "encoding", "gradebooks", "intake", "reports",
                 "selftest")
}  # fmt: skip
# On these, and on TOML files, a record or its feedback depends, and nothing that runs.
JUDGES = {"card", "grading/outputs"} | {
    f"exercises/{name}" for name in ("card", "diagnosis", "edits", "thumbnails")
}
JUDGES |= {f"grading/submission/{name}" for name in ("decide", "feedback", "judge", "judge_client")}
PROSE = re.compile(r"(?m)^#(?! %%).*\n")  # of a notebook's source


@functools.lru_cache(maxsize=8)
def judge_hash(root: Path, stem: str | None = None) -> str:
    """Fingerprint of all that a grade depends on: code, hints, solutions, torch, Python."""
    parts = _parts(root, [*_code(root, AROUND), *_solutions(root, stem)], _text)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@functools.lru_cache(maxsize=8)
def run_parts(root: Path, stem: str | None = None) -> dict[str, str]:
    """Versions and digests of what runs: the same without judges, hints and notebooks' prose."""
    code = [path for path in _code(root, AROUND | JUDGES) if path.suffix == ".py"]
    return _parts(root, [*code, *_solutions(root, stem)], _what_runs)


def _parts(root: Path, paths: Iterable[Path], read: Callable[[Path], bytes]) -> dict[str, str]:
    base = package_of(root).parent
    versions = {name: importlib.metadata.version(name) for name in ("torch", "numpy")}
    return {"Python": platform.python_version(), **versions} | {
        path.relative_to(base).as_posix(): hashlib.sha256(read(path)).hexdigest()
        for path in sorted(paths)
    }


def _code(root: Path, left_out: set[str]) -> list[Path]:
    course = package_of(root)
    found = [path for kind in ("*.py", "*.toml") for path in course.rglob(kind)]

    def counts(path: Path) -> bool:
        inside = path.relative_to(course).with_suffix("")
        return not left_out & {inside.as_posix(), *(folder.as_posix() for folder in inside.parents)}

    return [path for path in found if counts(path)]


def _solutions(root: Path, stem: str | None) -> Iterable[Path]:
    return (root / "solutions").glob(f"{stem or '*'}.py")


def _text(path: Path) -> bytes:
    """Its content, the same for both kinds of line ends."""
    return path.read_text(encoding="utf-8").encode()


def _what_runs(path: Path) -> bytes:
    """A file's code: of a notebook without its prose."""
    text = path.read_text(encoding="utf-8")
    return (PROSE.sub("", text) if path.parent.name == "solutions" else text).encode()
