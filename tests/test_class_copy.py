"""`build --class OUT`: what students get, run from its own folder."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

import nbformat
import pytest

from course_lib.authoring import course_address, read_source, write_class_copy
from course_lib.authoring.markers import solution_lines, student_source
from course_lib.errors import CourseError
from course_lib.exercises import EXERCISES
from course_lib.grading.submission.engine import Limits, prepare
from course_lib.grading.submission.judge import catalogue
from course_lib.grading.submission.worker import _course
from course_lib.packing import HEAD, pack, unpack

# One of every kind: a function, a class, one judged by properties, one with random numbers.
SAMPLE = ("psnr", "LinearAutoencoder", "beta_schedule", "kl_monte_carlo", "find_the_bug")
VERDICTS = """
import json, sys
import course_lib
from course_lib.exercises import EXERCISES
from course_lib.exercises.card import Card

def untouched(*_, **__):
    raise NotImplementedError

def verdicts(exercise):
    wrong = [mistake.wrong for mistake in exercise.mistakes[:3]]
    return [repr(Card(exercise.check(one))) for one in (exercise.reference, untouched, *wrong)]

print(course_lib.__file__, file=sys.stderr)
print(json.dumps({name: verdicts(EXERCISES[name]) for name in sys.argv[1:]}))
"""


@pytest.fixture(scope="module")
def copy(root, tmp_path_factory):
    """The course as a class gets it."""
    out = tmp_path_factory.mktemp("class") / "vae"
    assert write_class_copy(root, out) == [out, out.with_name("vae.zip")]
    return out


def verdicts(folder):
    """What the checks of a copy say to right, open and wrong answers, and where it lies."""
    done = subprocess.run(
        [sys.executable, "-c", VERDICTS, *SAMPLE],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert str(folder) in done.stderr
    return json.loads(done.stdout)


def answers(root):
    """Lines of solutions longer than a few letters, but for those that students' copies show."""
    sources = [read_source(source) for source in (root / "solutions").glob("[0-9]*.py")]
    cells = [cell for source in sources for cell in source]
    hidden = {line.strip() for c in cells if c.exercise for line in solution_lines(c)}
    shown = "\n".join(map(student_source, cells))
    return {line for line in hidden if len(line) > 12 and line not in shown}


def test_no_line_of_a_solution_is_readable(copy, root):
    """Catches a solution in a source, in a known mistake, in the library or in a notebook."""
    lines = [line.encode() for line in answers(root)]
    assert len(lines) > 80  # the test looks for something
    for path in (path for path in copy.rglob("*") if path.is_file()):
        content = path.read_bytes()
        found = [line for line in lines if line in content]
        assert not found, f"{path}: {found}"


def test_nothing_leads_to_the_public_course(copy, root):
    """Catches a badge, a link or a set-up that opens the repository with the solutions."""
    repository = course_address(root).repository.encode()
    for path in copy.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert repository not in content, path
            assert not re.search(rb"\]\([^)]*solutions/", content), path
    project = tomllib.loads((copy / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["course"]["repository"] == ""
    wheel = project["tool"].get("hatch", {}).get("build", {}).get("targets", {}).get("wheel", {})
    assert all((copy / name).exists() for name in wheel.get("force-include", {}))
    notebook = nbformat.read(copy / "notebooks/01_autoencoder_basics.ipynb", 4)
    assert 'ARCHIVE = "https://"' in notebook.cells[1].source
    assert "badge" not in notebook.cells[0].source and "\n\n\n" not in notebook.cells[0].source


def test_checks_say_the_same_as_in_the_clone(copy, root):
    """Catches a check that misses its reference, a mistake or a hint in the copy."""
    assert verdicts(copy) == verdicts(root)


def test_copy_holds_all_that_it_imports(copy, root):
    """Catches a module that was left out and is imported, and an instructor's part that was not."""
    names = re.compile(r"(?:from|import) (course_lib(?:\.\w+)*)")
    for path in copy.glob("course_lib/**/*.py"):
        if "answers" not in path.parts and path.name != "checks.py":  # which asks first
            for name in names.findall(path.read_text(encoding="utf-8")):
                place = copy.joinpath(*name.split("."))
                assert place.is_dir() or place.with_suffix(".py").is_file(), f"{path}: {name}"
    for gone in ("solutions", "tests", "GRADING.md", "course_lib/grading", "course_lib/authoring"):
        assert (root / gone).exists() and not (copy / gone).exists()
    assert {path.name for path in (copy / "data/checkpoints").iterdir()} == {
        path.name for path in (root / "data/checkpoints").iterdir()
    }


def test_commands_of_the_copy(copy, course):
    """Catches a doctor that misses the sources, a command that fails badly or is offered."""
    listed = course(cwd=copy).stdout
    assert "lab " in listed and "doctor" in listed and "grade" not in listed
    for name in ("build", "grade", "test"):
        done = course(name, cwd=copy)
        assert done.returncode == 2 and done.stderr.count("\n") == 1
        assert "is for students" in done.stderr
    doctor = course("doctor", cwd=copy)
    assert "7 in this copy for students" in doctor.stdout and "failed itself" not in doctor.stdout


def test_zip_holds_the_folder(copy):
    """Catches a zip that unpacks into many folders, or lacks files."""
    with zipfile.ZipFile(copy.with_name("vae.zip")) as archive:
        files = {name for name in archive.namelist() if not name.endswith("/")}
    assert files == {
        path.relative_to(copy.parent).as_posix() for path in copy.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }  # fmt: skip


def test_a_classs_own_address(root, tmp_path):
    """Catches a badge or a set-up that passes the class's repository by, and a flag in grading."""
    clone = tmp_path / "clone"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "tests", "checkpoints")
    shutil.copytree(root, clone, ignore=ignored)
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    line = '[tool.course]\nclass_repository = "school/vae-27"\n'
    (clone / "pyproject.toml").write_text(text.replace("[tool.course]\n", line), encoding="utf-8")
    write_class_copy(clone, tmp_path / "vae")
    tag = course_address(root).tag
    assert course_address(tmp_path / "vae") == ("school/vae-27", tag)
    name = "notebooks/01_autoencoder_basics.ipynb"
    cells = nbformat.read(tmp_path / "vae" / name, 4).cells
    assert f"colab.research.google.com/github/school/vae-27/blob/{tag}/{name}" in cells[0].source
    assert f"github.com/school/vae-27/archive/refs/tags/{tag}.zip" in cells[1].source
    assert f"github/school/vae-27/blob/{tag}/{name}" in (tmp_path / "vae/README.md").read_text(
        "utf-8"
    )


@pytest.mark.parametrize("change, flags", [("as it is", 0), ("import os", 1)])
def test_grading_takes_the_copys_notebooks(copy, root, tmp_path, change, flags):
    """Catches a class that is flagged for its own set-up cell, and a changed one that is not."""
    stem = "01_autoencoder_basics"
    entry = catalogue(root)["notebooks"][stem]
    notebook = nbformat.read(copy / f"notebooks/{stem}.ipynb", 4)
    if change != "as it is":
        notebook.cells[1].source += f"\n{change}"
    nbformat.write(notebook, tmp_path / "handed_in.ipynb")
    plan = prepare(
        tmp_path / "handed_in.ipynb", {stem: _course(stem, entry)}, stem=stem, limits=Limits()
    )
    assert len(plan.flags) == flags and plan.attempted == [] and plan.missing == []


@pytest.mark.parametrize("there", ["a file in it", "a file", "its zip", "in the course"])
def test_what_is_there_stays(root, tmp_path, there):
    """Catches an instructor's folder that is overwritten, or a copy inside of the course."""
    out = root / "data/for-class" if there == "in the course" else tmp_path / "out"
    mine = {"a file in it": out / "mine", "a file": out, "its zip": tmp_path / "out.zip"}.get(there)
    if mine:
        mine.parent.mkdir(exist_ok=True)
        mine.write_text("mine")
    with pytest.raises(CourseError, match="give a "):
        write_class_copy(root, out)
    assert mine is None or mine.read_text() == "mine"
    assert there != "in the course" or not out.exists()


def test_a_copy_that_fails_leaves_nothing(root, tmp_path, monkeypatch):
    """Catches half a course that looks whole."""

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    (tmp_path / "out").mkdir()
    monkeypatch.setattr(shutil, "make_archive", full)
    with pytest.raises(CourseError, match="out cannot be written: No space left"):
        write_class_copy(root, tmp_path / "out")
    assert [*tmp_path.iterdir()] == [tmp_path / "out"] and not any((tmp_path / "out").iterdir())


def test_packed_text_comes_back():
    """Catches letters that are lost, text that a search finds, and a damaged file's traceback."""
    text = 'x = "σ\\n"\n' * 300
    packed = pack(text)
    assert unpack(packed) == text == unpack(text)
    assert packed.startswith(HEAD) and "σ" not in packed and packed.isascii()
    assert max(map(len, packed.splitlines())) <= 100 and not {'"', "\\", "'"} & {*packed}
    with pytest.raises(ValueError, match="damaged"):
        unpack(packed[:-20])


def test_a_damaged_copy_is_one_line(tmp_path, monkeypatch):
    """Catches a traceback of zlib's in a notebook whose course was cut off."""
    from course_lib.exercises import edits

    packed = pack((edits.SOLUTIONS / "01_autoencoder_basics.py").read_text(encoding="utf-8"))
    (tmp_path / "01_autoencoder_basics.py").write_text(packed[:-90])
    monkeypatch.setattr(edits, "SOLUTIONS", tmp_path)
    with pytest.raises(CourseError, match=r"01_autoencoder_basics\.py: damaged"):
        EXERCISES["train_step"].reference  # noqa: B018
