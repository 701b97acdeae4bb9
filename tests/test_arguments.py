"""Bad arguments are refused before anything is installed, whatever the command."""

import json

import pytest

from course_lib.commands import SUMMARIES, arguments, cli, environment
from course_lib.errors import CourseError

# What a person may type, and a word of the answer. CLASS is an empty folder in HERE, FILE
# a text file.
REFUSED = [
    ("lab 9", "there is no notebook '9'; there are: 01_"),
    ("lab vea", "there is no notebook 'vea'"),
    ("lab auto", "means several notebooks"),
    ("lab 03 04", "no further argument '04'"),
    ("lab --port 0", "from 1 to 65535"),
    ("lab --port", "expected one argument"),
    ("lab --torch gpu", "invalid choice"),
    ("test tests/test_nothing.py", "no test file tests/test_nothing.py"),
    ("test -x test_nothing.py::test_a", "no test file test_nothing.py"),
    ("test tests/nothing", "no test file tests/nothing"),
    ("test --torch gpu", "invalid choice"),
    ("doctor --fast", "unknown option '--fast'"),
    ("build 01", "no further argument '01'"),
    ("build --class HERE", "is there and not empty"),
    ("build --class FILE", "is there and not empty"),
    ("build --class= ", "a path is empty"),
    ("build --class HERE/out --check", "not allowed with"),
    ("site --out HERE", "something else than an earlier site"),
    ("site --out FILE", "is a file: name a folder"),
    ("site --out HERE/none/site", "is not a folder that exists"),
    ("site 03", "no further argument '03'"),
    ("grade", "SUBMISSIONS is missing"),
    ("grade HERE", "--out DIR is missing"),
    ("grade HERE/none --out HERE/out", "there is no folder or file"),
    ("grade FILE --out HERE/out", "neither a folder nor a readable ZIP"),
    ("grade CLASS --out FILE", "cannot be a folder"),
    ("grade CLASS --out FILE/out", "cannot be a folder"),
    ("grade HERE --out HERE", "lies among the submissions"),
    ("grade HERE --out= --jobs 2", "a path is empty"),
    ("grade HERE --out ../out --notebook 9", "there is no notebook '9'"),
    ("grade HERE --out ../out --jobs 0", "from 1 to 512"),
    ("grade HERE --out ../out --overrides HERE", "is a folder, not a file"),
    ("grade HERE --out ../out --canvas HERE/none.csv", "there is no file"),
    ("grade HERE --out ../out --column HW", "give that too, --canvas"),
    ("grade --self-test --notebook 9", "there is no notebook '9'"),
    ("grade --self-test --out HERE", "leave out --out"),
    ("train", "RECIPE"),
    ("train tabel1", "no recipe and no checkpoint 'tabel1': did you mean table1?"),
    ("train TABLE1", "did you mean table1?"),
    ("train ../card", "no recipe and no checkpoint"),
    ("train table1 --out FILE", "cannot be a folder"),
    ("train table1 --out FILE/deep/er", "cannot be a folder"),
    ("bench trian", "unknown benchmark 'trian': did you mean train?"),
    ("bench train --json HERE", "is not the path of a file"),
    ("bench train --json HERE/no/figures.json", "is not the path of a file"),
    ("demo --export HERE/x.txt", "must end in .html or .htm"),
    ("demo --export HERE/x", "must end in .html or .htm"),
    ("demo --export HERE", "is not the path of a file"),
    ("demo --gif HERE/x.png", "must end in .gif"),
    ("demo --gif HERE/x.gif --export HERE/x.html", "not allowed with"),
    ("demo --export= --no-browser", "a path is empty"),
]


@pytest.fixture
def bare(monkeypatch):
    """Where an installation would begin, the test fails."""
    monkeypatch.setattr(environment, "ensure", lambda *_, **__: pytest.fail("installs"))
    monkeypatch.setattr(environment, "enter_if_there", lambda *_, **__: pytest.fail("goes on"))


@pytest.mark.parametrize(("line", "words"), REFUSED, ids=[line for line, _ in REFUSED])
def test_nothing_is_installed_for_a_mistyped_argument(line, words, bare, tmp_path, capsys):
    """Catches minutes of installation that end in an error which stood on the command line."""
    file = tmp_path / "file.txt"
    file.write_text("text")
    folder = tmp_path / "class"
    folder.mkdir()
    places = {"HERE": str(tmp_path), "FILE": str(file), "CLASS": str(folder)}
    for name, place in places.items():
        line = line.replace(name, place)
    assert cli.main(line.split()) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and said.err.startswith("error: ")
    assert words in said.err
    assert sorted(tmp_path.iterdir()) == [folder, file]


def test_every_command_is_in_the_table():
    """Catches a new command whose arguments nobody looks at; `data` has tests of its own."""
    assert {line.split()[0] for line, _ in REFUSED} == {*SUMMARIES} - {"data"}


@pytest.mark.parametrize(
    "line", ["test -k test_nothing.py", "test tests/test_floors.py", "test --ignore tests/no.py",
             "test tests", "test tests/test_floors.py::test_a[b]",
             "train table1", "bench", "bench train", "lab 3", "lab"]
)  # fmt: skip
def test_good_arguments_go_on(line, monkeypatch):
    """Catches a check that refuses what works."""
    monkeypatch.setattr(environment, "ensure", lambda *_, **__: 1 / 0)
    assert cli.main(line.split()) == 70


def test_the_name_of_a_checkpoint_goes_on(root, monkeypatch):
    """Catches a check that knows recipes alone."""
    monkeypatch.setattr(environment, "ensure", lambda *_, **__: 1 / 0)
    card = min((root / "data/checkpoints").glob("*.json"))
    assert json.loads(card.read_text(encoding="utf-8"))["recipe"]
    assert cli.main(["train", card.stem]) == 70


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    """Catches an hour of training before the first file is written."""
    monkeypatch.setattr(arguments.os, "access", lambda path, mode: False)
    with pytest.raises(CourseError, match="choose a folder of your own"):
        arguments.require_folder(tmp_path / "a" / "b")


def test_a_tilde_of_nobody_is_a_name(tmp_path, monkeypatch):
    """Catches RuntimeError from pathlib, which says nothing about the argument."""
    assert arguments.path("~nobody-of-this-name/x").name == "x"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert arguments.path("~/x") == tmp_path / "x"
