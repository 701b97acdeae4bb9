"""A clone with the line ends of Windows, as autocrlf or an editor makes it."""

import json
import os
import shutil
import subprocess
import sys

import pytest

TEXTS = ("*.py", "*.toml", "*.ipynb", "*.html", "*.css", "*.js", "*.json", "*.txt", "*.in", "*.yml")
# What must be the same in both clones: hints, fingerprints of results and of drawn images.
LOOK = """
import json, pathlib
from course_lib import synthetic
from course_lib.datasets.store import fingerprint
from course_lib.exercises import EXERCISES
from course_lib.grading import assignment
from course_lib.grading.submission import version
root = pathlib.Path.cwd()
print(json.dumps({
    "mistakes": {name: [m.code for m in one.mistakes] for name, one in EXERCISES.items()},
    "judge": version.judge_hash(root),
    "run": version.run_parts(root),
    "drawn": fingerprint(synthetic),
    "titles": [one.title for one in assignment.assignments(root).values()],
}))
"""


@pytest.fixture(scope="module")
def crlf(root, tmp_path_factory):
    """The course with CRLF in every text file."""
    copy = tmp_path_factory.mktemp("crlf")
    cut = shutil.ignore_patterns("__pycache__")
    for name in ("course_lib", "solutions", "notebooks"):
        shutil.copytree(root / name, copy / name, ignore=cut)
    for path in root.iterdir():
        if path.suffix in (".toml", ".txt", ".in", ".yml"):
            shutil.copy(path, copy)
    for path in (path for kind in TEXTS for path in copy.rglob(kind)):
        path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    return copy


def run(folder, *arguments):
    """The course of a folder in a process of its own."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        encoding="utf-8",
    )


def test_build_says_that_it_is_the_line_ends_and_mends_them(crlf, root, course):
    """Catches ten notebooks that "differ" for no reason that anybody could see, and a build that
    writes CRLF again."""
    done = run(crlf, "-m", "course_lib", "build", "--check")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "CRLF" in done.stderr and "run python -m course_lib build" in done.stderr
    assert run(crlf, "-m", "course_lib", "build").returncode == 0
    for path in sorted(root.glob("*/[0-9]*.ipynb")):
        assert (crlf / path.relative_to(root)).read_bytes() == path.read_bytes(), path.name


def test_build_does_not_blame_line_ends_for_other_differences(here, monkeypatch, root, capsys):
    """Catches a reason that is given for every difference."""
    monkeypatch.setattr("course_lib.authoring.build", lambda root, check: ["solutions/" + NAME])
    assert here(["build", "--check"]) == 1
    assert "CRLF" not in capsys.readouterr().err


NAME = "01_autoencoder_basics.ipynb"


def test_hints_and_fingerprints_are_the_same(crlf, root):
    """Catches a class that is graded again, a cache made again, and edits that find no place."""
    other, here = (run(folder, "-c", LOOK) for folder in (crlf, root))
    assert other.returncode == 0, other.stderr
    assert json.loads(other.stdout) == json.loads(here.stdout)
