"""`grade` as an instructor types it: clear lines, exit codes, and nothing graded on bad input."""

import pytest
from fake_engine import Fake, Perfect, spoil_mistake, spoil_points, spoil_status
from grade_tools import OTHER, STEM, folder_of, notebook

from course_lib import machine
from course_lib.commands import grade
from course_lib.grading import assignment, classroom, selftest
from course_lib.grading.sandbox import command as sandbox

NAMES = list(assignment.find(STEM).points)


@pytest.fixture
def judged(here, monkeypatch):
    """Runs the command with the fake engine."""
    fake = Fake()
    monkeypatch.setattr(classroom, "course_engine", fake.engine)
    monkeypatch.setattr(sandbox, "best_level", lambda: "namespaces")
    return lambda *arguments: here(["grade", *map(str, arguments)])


@pytest.fixture
def source(tmp_path):
    """Two students."""
    members = {"alice.ipynb": notebook(right=NAMES), "bob/x.ipynb": notebook(text="timeout")}
    return folder_of(tmp_path / "class", members)


def test_a_class(judged, source, tmp_path, capsys):
    """Catches options that do not arrive, and an end that does not say what came out where."""
    given = tmp_path / "overrides.csv"
    given.write_text("student,exercise,points\nbob,total,6\n")
    out = tmp_path / "out"
    assert judged(source, "--out", out, "--jobs", 2, "--overrides", given) == 0
    said = capsys.readouterr().out
    assert "notebook 01, Autoencoder basics: 2 students" in said
    assert f"graded 2 now, 0 as they were; results in {out}" in said
    assert "mean 9.0 of 12 points" in said and "1 did not run to the end: bob (timeout)" in said
    assert judged(source, "--out", out, "--notebook", "1") == 0
    assert "graded 0 now, 2 as they were" in capsys.readouterr().out


def test_who_could_not_be_graded_is_named_and_counts(judged, source, tmp_path, capsys):
    """Catches a run that looks complete while a student has no grade."""
    (source / "carla.ipynb").write_bytes(notebook(text="raise"))
    assert judged(source, "--out", tmp_path / "out") == 1
    assert "NOT GRADED: carla: the grader failed: RuntimeError" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "SUBMISSIONS is missing"),
        (["SOURCE"], "--out DIR is missing"),
        (["nowhere", "--out", "OUT"], "there is no folder or file nowhere"),
        (["SOURCE", "--out", "SOURCE"], "lies among the submissions"),
        (["SOURCE", "--out", "SOURCE/results"], "lies among the submissions"),
        (["SOURCE", "--out", "OUT", "--notebook", "9"], "there is no notebook '9'"),
        (["SOURCE", "--out", "OUT", "--jobs", "0"], "--jobs takes a number from 1 to 512"),
        (["SOURCE", "--out", "OUT", "--jobs", "two"], "--jobs takes a number from 1 to 512"),
        (["SOURCE", "--out", "OUT", "--require-isolation", "vm"], "invalid choice: 'vm'"),
        (["SOURCE", "--out", "OUT", "--require-isolation", "bwrap"], "offers 'namespaces', not"),
        (["SOURCE", "--out", "OUT", "--overrides", "no.csv"], "there is no file no.csv"),
        (["SOURCE", "--out", "OUT", "--overides", "x"], "did you mean --overrides?"),
        (["SOURCE", "--out", "SOURCE/alice.ipynb/x"], "lies among the submissions"),
        (["--self-test", "--out", "OUT"], "leave out --out"),
        (["SOURCE", "--self-test"], "leave out SUBMISSIONS"),
        (["--self-test", "--column", "HW 1"], "leave out --column"),
        (["--self-test", "--answers-only"], "leave out --answers-only"),
        (["SOURCE", "--out", "OUT", "--column", "HW 1"], "give that too, --canvas FILE"),
    ],
)
def test_bad_input_is_one_line(judged, source, tmp_path, capsys, arguments, words):
    """Catches a traceback, and work that begins before the arguments are sound."""
    places = {"SOURCE": str(source), "OUT": str(tmp_path / "out")}
    for name, place in places.items():
        arguments = [argument.replace(name, place) for argument in arguments]
    assert judged(*arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("error: ") and words in error
    assert not (tmp_path / "out").exists()


def test_results_are_neither_submissions_nor_another_notebook_s(judged, source, tmp_path, capsys):
    """Catches results graded as a class, and those of one notebook lost under another's."""
    out, other = tmp_path / "out", tmp_path / "other"
    assert judged(source, "--out", out) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    folder_of(other, {"alice.ipynb": notebook(OTHER), "dora.ipynb": notebook(OTHER)})
    capsys.readouterr()
    for arguments, words in (
        ([out, "--out", out], "holds results of the grader, not submissions"),
        ([out, "--out", tmp_path / "new"], "holds results of the grader, not submissions"),
        ([out / "students", "--out", out], "holds results of the grader, not submissions"),
        ([other, "--out", out], "holds results of notebook 01, and this is 03: choose another"),
        ([source, "--out", out, "--notebook", "3"], "holds results of notebook 01, and this is 03"),
    ):
        assert judged(*arguments) == 2
        said = capsys.readouterr()
        assert said.out == "" and said.err.count("\n") == 1 and words in said.err
    assert before == {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    (out / "students/alice/record.json").write_text("{cut off")
    assert judged(source, "--out", out) == 0
    assert "graded 1 now, 1 as they were" in capsys.readouterr().out


def test_the_column_of_a_gradebook(judged, source, tmp_path, capsys):
    """Catches a column asked for that does not arrive, and a class graded before that is known."""
    book, out = tmp_path / "book.csv", tmp_path / "out"
    text = "Student,ID,SIS Login ID,Section,Autoencoders homework (700),Quiz 1 (701)\n"
    text += "    Points Possible,,,,12,5\nAlice,1,alice,x,,EX\nBob,2,bob,x,EX,4\n"
    book.write_text(text)
    assert judged(source, "--out", out, "--canvas", book) == 2
    said = capsys.readouterr()
    assert "--column NAME, one of: Autoencoders homework (700), Quiz 1 (701)" in said.err
    assert not (out / "grades.csv").exists() and said.out == ""
    column = ["--column", "Autoencoders homework"]
    assert judged(source, "--out", out, "--canvas", book, *column) == 0
    assert "1 rows filled; in the column Autoencoders homework (700)" in capsys.readouterr().out
    assert (out / "canvas.csv").read_text() == text.replace("alice,x,,EX", "alice,x,12,EX")


def test_bad_input_needs_no_packages(course, tmp_path):
    """Catches an installation of minutes that ends in a typing error."""
    done = course("grade", tmp_path / "nowhere", "--out", tmp_path)
    assert done.returncode == 2 and done.stdout == "" and "there is no folder" in done.stderr


def test_as_many_as_fit(monkeypatch):
    """Catches a laptop with eight cores and 8 GB that grades eight at a time."""
    for cores, gigabytes, jobs in ((8, 8, 4), (2, 64, 2), (4, 1, 1)):
        monkeypatch.setattr(machine, "cores", lambda cores=cores: cores)
        monkeypatch.setattr(machine, "memory_bytes", lambda size=gigabytes: size * 2**30)
        assert grade.fitting() == jobs


# --- the self-test ----------------------------------------------------------------------------


@pytest.mark.parametrize("stem", list(assignment.assignments()))
def test_the_self_test_is_content_with_a_right_grader(stem, capsys):
    """Catches expectations that no grader can meet."""
    engine = Perfect().engine()
    assert selftest.run(assignment.find(stem), jobs=2, require=None, engine=engine) == 0
    said = capsys.readouterr().out
    assert said.count("✓") == 6 and "✗" not in said and "all as expected" in said


@pytest.mark.parametrize(
    ("student", "spoil", "words"),
    [
        ("hostile", spoil_points, "expected 0 of 12"),
        ("untouched", spoil_points, "obtained 1 of 12"),
        ("known-mistakes", spoil_mistake, "obtained wrong"),
        ("solution", spoil_status, "too slow"),
    ],
)
def test_the_self_test_finds_a_wrong_grader(student, spoil, words, capsys):
    """Catches a self-test that says yes to everything."""
    engine = Perfect({student: spoil}).engine()
    assert selftest.run(None, jobs=2, require=None, engine=engine) == 1
    said = capsys.readouterr().out
    assert f"NOT as expected: {student};" in said and words in said
    assert said.count("✗") == 1


def test_every_notebook_has_known_mistakes():
    """Catches a notebook whose self-test grades no wrong answer at all."""
    for one in assignment.assignments().values():
        assert selftest.known_mistakes(one), one.stem
