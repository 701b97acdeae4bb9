"""What a class needs before the first submission runs: data in the cache, and a digest to go by."""

import shutil

import pytest
from fake_engine import Fake
from grade_tools import STEM, folder_of, notebook

from course_lib import datasets
from course_lib.grading import classroom
from course_lib.grading.batch import prepare as warm
from course_lib.grading.classroom import Judge, Order
from course_lib.grading.submission import version

pytestmark = pytest.mark.grading


@pytest.fixture
def copy(tmp_path, root):
    """A copy of the code that can be changed."""
    for name in ("course_lib", "solutions"):
        ignore = shutil.ignore_patterns("__pycache__", "*.ipynb")
        shutil.copytree(root / name, tmp_path / "course" / name, ignore=ignore)
    return tmp_path / "course"


CHANGES = {
    "course_lib/grading/reports/class_page.py": False,
    "course_lib/grading/batch/schedule.py": False,
    "course_lib/commands/demo.py": False,
    "solutions/03_variational_autoencoder.py": False,
    f"solutions/{STEM}.py": True,
    "course_lib/grading/submission/judge.py": True,
    "course_lib/grading/inside/guard.py": True,
    "course_lib/exercises/spec.py": True,
    "course_lib/losses.py": True,
    "course_lib/a_new_file.py": True,
}


@pytest.mark.parametrize("changed", CHANGES)
def test_only_what_judges_counts(copy, changed):
    """Catches a class graded again for a new report, and one that is not for a new judge."""
    before = version.grader_hash(copy, STEM)
    with open(copy / changed, "a", encoding="utf-8") as file:
        file.write("# another version\n")
    version.grader_hash.cache_clear()
    assert (version.grader_hash(copy, STEM) != before) == CHANGES[changed]


def test_what_does_not_judge_is_there(root):
    """Catches the name of a module that was moved: its new place would count again."""
    for name in version.AROUND:
        place = root / "course_lib" / name
        assert place.is_dir() or place.with_suffix(".py").is_file(), name


def test_every_data_set_is_found(root):
    """Catches a notebook whose data nobody puts into the cache."""
    known = dict(datasets.at_hand())
    for path in (root / "solutions").glob("[0-9]*.py"):
        found = [name for name, _ in warm.loads(path.stem, root)]
        assert found and {*found} <= known.keys(), path.stem
    assert warm.loads("05_generation_celeba_cifar", root) == [("celeba", 64), ("cifar10", None)]
    names = {name for name, _ in warm.loads("02_convolutional_autoencoder", root)}
    assert names == {"mnist", "cifar10", "faces"}  # two of which are a choice


def test_data_are_drawn_once(tmp_path, monkeypatch):
    """Catches a class that starts with an empty cache, or one that fills it again and again."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    monkeypatch.delenv("COURSE_DATA", raising=False)
    warm.warm.cache_clear()
    warm.warm(STEM)
    (kept,) = [path for path in (tmp_path / "cache").rglob("*") if path.stat().st_size > 2**20]
    kept.unlink()
    warm.warm(STEM)
    assert not kept.exists()


def test_a_class_is_prepared_once(tmp_path):
    """Catches a class that nobody prepares, and one prepared where nothing is left to grade."""
    source = folder_of(tmp_path / "class", {f"{n}.ipynb": notebook(text=n) for n in "abc"})
    asked, fake = [], Fake()
    judge = Judge(fake.grade, fake.digest, asked.append)
    for _ in range(2):
        classroom.grade_class(Order(source, tmp_path / "out", jobs=2), judge)
    assert asked == [STEM]
