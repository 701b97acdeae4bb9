"""What a class needs before the first submission runs: data in the cache, and a digest to go by."""

import shutil

import pytest
from fake_engine import Fake
from grade_tools import STEM, folder_of, notebook

from course_lib import datasets
from course_lib.grading import classroom
from course_lib.grading.batch import prepare
from course_lib.grading.classroom import GradingConfig
from course_lib.grading.submission import version

pytestmark = pytest.mark.grading


@pytest.fixture
def copy(tmp_path, root):
    """A copy of the code that can be changed."""
    for name in ("course_lib", "solutions"):
        ignore = shutil.ignore_patterns("__pycache__", "*.ipynb")
        shutil.copytree(root / name, tmp_path / "course" / name, ignore=ignore)
    return tmp_path / "course"


NOTHING, JUDGED, RUN = (False, False), (True, False), (True, True)
EXERCISES = "course_lib/exercises/autoencoder_basics"
# A file, what is written below it, and what is done again.
CHANGES = [
    ("course_lib/grading/reports/class_page.py", "x = 1", NOTHING),
    ("course_lib/grading/batch/schedule.py", "x = 1", NOTHING),
    ("course_lib/grading/encoding.py", "x = 1", NOTHING),
    ("course_lib/grading/outputs/sanitise.py", "x = 1", JUDGED),
    ("course_lib/commands/demo.py", "x = 1", NOTHING),
    ("solutions/03_variational_autoencoder.py", "x = 1", NOTHING),
    (f"solutions/{STEM}.py", "# A word of the text is mended.", JUDGED),
    (f"solutions/{STEM}.py", "x = 1", RUN),
    ("course_lib/grading/submission/judge.py", "x = 1", JUDGED),
    ("course_lib/exercises/errors.toml", "# another hint", JUDGED),
    ("course_lib/exercises/diagnosis.py", "x = 1", JUDGED),
    (f"{EXERCISES}/train_step.toml", "# another hint", JUDGED),
    ("course_lib/exercises/properties.toml", "# another hint", JUDGED),
    (f"{EXERCISES}/train_step.py", "def cases(): pass", RUN),
    ("course_lib/grading/inside/answers.py", "x = 1", RUN),
    ("course_lib/exercises/spec.py", "x = 1", RUN),
    ("course_lib/losses.py", "x = 1", RUN),
    ("course_lib/a_new_file.py", "x = 1", RUN),
]


@pytest.mark.parametrize(("changed", "text", "again"), CHANGES)
def test_only_what_counts_is_done_again(copy, changed, text, again):
    """Catches a class run again for a new hint or report, and one that is not for a new judge."""

    def hashes():
        return version.judge_hash(copy, STEM), version.run_parts(copy, STEM)

    before = hashes()
    with open(copy / changed, "a", encoding="utf-8") as file:
        file.write(f"{text}\n")
    version.judge_hash.cache_clear()
    version.run_parts.cache_clear()
    assert tuple(a != b for a, b in zip(before, hashes(), strict=True)) == again


def test_what_does_not_judge_is_there(root):
    """Catches the name of a module that was moved: its new place would count again."""
    for name in (version.AROUND | version.JUDGES) - {"course"}:  # that one only in a package
        place = root / "course_lib" / name
        found = [place.with_suffix(ending) for ending in (".py", ".toml")]
        assert place.is_dir() or any(path.is_file() for path in found), name


def test_every_data_set_is_found(root):
    """Catches a notebook whose data nobody puts into the cache."""
    known = dict(datasets.at_hand())
    for path in (root / "solutions").glob("[0-9]*.py"):
        found = [name for name, _ in prepare.loads(path.stem, root)]
        assert found and {*found} <= known.keys(), path.stem
    assert prepare.loads("05_generation_celeba_cifar", root) == [("celeba", 64), ("cifar10", None)]
    names = {name for name, _ in prepare.loads("02_convolutional_autoencoder", root)}
    assert names == {"mnist", "cifar10", "faces"}  # two of which are a choice


def test_data_are_drawn_once(tmp_path, monkeypatch):
    """Catches a class that starts with an empty cache, or one that fills it again and again."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    monkeypatch.delenv("COURSE_DATA", raising=False)
    prepare.fill_cache.cache_clear()
    prepare.fill_cache(STEM)
    (kept,) = [path for path in (tmp_path / "cache").rglob("*") if path.stat().st_size > 2**20]
    kept.unlink()
    prepare.fill_cache(STEM)
    assert not kept.exists()


def test_a_class_is_prepared_once(tmp_path):
    """Catches a class that nobody prepares, and one prepared where nothing is left to grade."""
    source = folder_of(tmp_path / "class", {f"{n}.ipynb": notebook(text=n) for n in "abc"})
    asked: list[str] = []
    engine = Fake().engine(prepare=asked.append)
    for _ in range(2):
        classroom.grade_class(GradingConfig(source, tmp_path / "out", jobs=2), engine)
    assert asked == [STEM]
