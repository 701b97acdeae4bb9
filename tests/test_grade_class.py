"""A class from folder to table: what changed is graded, and no submission stops another one."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fake_engine import Fake
from grade_tools import OTHER, STEM, folder_of, notebook, zip_of

from course_lib.errors import CourseError
from course_lib.grading import assignment, classroom
from course_lib.grading.batch import store
from course_lib.grading.classroom import GradingConfig
from course_lib.grading.sandbox.limits import Limits
from course_lib.grading.submission.engine import seed_of

NAMES = list(assignment.find(STEM).points)
TESTS = Path(__file__).parent
PAGES = ("feedback.ipynb", "feedback.html", "results.json")


@pytest.fixture
def counted(tmp_path):
    """Says whom the engine was called for since the last time it was asked."""
    folder = tmp_path / "counted"
    folder.mkdir()

    def names(stage=""):
        calls = sorted(folder.iterdir())
        for path in calls:
            path.unlink()
        return sorted({path.name.split()[0] for path in calls if stage in path.name})

    return names


def grade(source, out, *, fake=None, version="1", **options):
    """Grade with the fake engine, two at a time."""
    folder = out.parent / "counted"
    fake = fake or Fake(version=version)
    fake = replace(fake, counted=str(folder) if folder.exists() else None)
    config = GradingConfig(source, out, **{"jobs": 2, **options})
    return classroom.grade_class(config, fake.engine())


def table_of(out):
    """grades.csv by student."""
    text = (out / "grades.csv").read_text(encoding="utf-8-sig")
    return {row["student"]: row for row in csv.DictReader(text.splitlines())}


def points_of(out):
    """Points by student."""
    return {student: row["points"] for student, row in table_of(out).items()}


def snapshot(folder):
    """Bytes of every file by its path."""
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def small_class(tmp_path):
    """Three students with 12, 4 and 0 points, and one without a notebook."""
    members = {
        "alice.ipynb": notebook(right=NAMES),
        "bob.ipynb": notebook(right=NAMES[:2]),
        "carla/work.ipynb": notebook(),
        "dora/notes.txt": b"",
    }
    return folder_of(tmp_path / "class", members)


def test_a_class_is_graded_once(tmp_path, counted, capsys):
    """Catches a file that is not written, and a second run that grades again or changes a byte."""
    source, out = small_class(tmp_path), tmp_path / "out"
    first = grade(source, out)
    assert counted() == ["alice", "bob", "carla"] and first.graded_now == 3
    assert points_of(out) == {"alice": "12", "bob": "4", "carla": "0", "dora": "0"}
    assert "notebook 01, Autoencoder basics: 4 students" in capsys.readouterr().out
    for student in ("alice", "bob", "carla"):
        names = {path.name for path in (out / "students" / student).iterdir()}
        assert names == {"record.json", "run.json", *PAGES}
    record = json.loads((out / "students/alice/record.json").read_text())
    assert record["file"] == "alice.ipynb" and record["points"] == 12
    assert "no notebook" in json.loads((out / "students/dora/record.json").read_text())["reason"]
    assert {p.name for p in out.iterdir()} <= {
        "students",
        "grades.csv",
        "report.html",
        ".lock",
        ".secret",
    }
    before = snapshot(out)
    assert grade(source, out).graded_now == 0
    assert counted() == [] and snapshot(out) == before


def test_only_what_changed_is_graded_again(tmp_path, counted):
    """Catches an old grade for a new file, for a new version of the course, or under new limits."""
    source, out = small_class(tmp_path), tmp_path / "out"
    grade(source, out)
    counted()
    (source / "bob.ipynb").write_bytes(notebook(right=NAMES, text="bob"))
    (source / "eve.ipynb").write_bytes(notebook(text="eve"))
    (source / "alice.ipynb").touch()
    grade(source, out)
    assert counted() == ["bob", "eve"] and points_of(out)["bob"] == "12"
    (out / "students/carla/feedback.ipynb").unlink()
    (out / "students/eve/run.json").write_text("{cut off")
    (out / "students/bob/feedback.html").unlink()
    grade(source, out)
    assert counted() == ["carla", "eve"]
    assert (out / "students/bob/feedback.html").is_file()
    assert grade(source, out, version="2").graded_now == 4
    assert grade(source, out, version="2", limits=Limits(seconds=5)).graded_now == 4
    (source / "alice.ipynb").unlink()
    assert grade(source, out, version="2", limits=Limits(seconds=5)).graded_now == 0
    assert list(points_of(out)) == ["bob", "carla", "dora", "eve"]


def test_a_zip_gives_the_same_table(tmp_path):
    """Catches a grade that depends on how the class was handed over."""
    source = small_class(tmp_path)
    members = {
        path.relative_to(source).as_posix(): path.read_bytes() for path in source.rglob("*.*")
    }
    grade(source, tmp_path / "a")
    grade(zip_of(tmp_path / "class.zip", members), tmp_path / "b")
    assert (tmp_path / "a/grades.csv").read_bytes() == (tmp_path / "b/grades.csv").read_bytes()
    assert not (tmp_path / "b/.work").exists()


def test_isolation_below_what_is_required_is_graded_again(tmp_path, counted):
    """Catches a grade that was made under less isolation than is asked for now."""
    source, out = small_class(tmp_path), tmp_path / "out"
    grade(source, out)
    counted()
    grade(source, out, require_isolation="namespaces")  # what the fake engine says it has
    assert counted() == []
    grade(source, out, require_isolation="bwrap")
    assert counted() == ["alice", "bob", "carla"]


# --- what goes wrong --------------------------------------------------------------------------


def test_one_bad_file_never_stops_the_class(tmp_path, counted):
    """Catches a class of three hundred lost to one of them, or points lost to a neighbour."""
    members = {f"s{i}.ipynb": notebook(right=NAMES[:1], text=f"sleep 0.{i}") for i in range(6)}
    members |= {
        "bug.ipynb": notebook(text="raise"),
        "broken.ipynb": b"{",
        "empty.ipynb": b"",
        "slow.ipynb": notebook(text="timeout"),
        "other.ipynb": notebook(OTHER),
    }
    out = tmp_path / "out"
    outcome = grade(folder_of(tmp_path / "class", members), out)
    rows = table_of(out)
    statuses = {student: row["status"] for student, row in rows.items() if row["status"] != "ok"}
    unfit = {"broken": "unreadable", "empty": "empty"}  # as the real engine says too
    assert statuses == {**unfit, "bug": "error", "slow": "timeout"}
    assert (
        rows["bug"]["points"] == ""
        and "RuntimeError: the engine has a bug" in rows["bug"]["reason"]
    )
    assert [rows[f"s{i}"]["points"] for i in range(6)] == ["2"] * 6
    assert not (out / "students/bug/results.json").exists()
    assert [one.student for one in outcome.results if not one.graded] == ["bug"]
    counted()
    grade(tmp_path / "class", out)
    assert counted() == ["bug"]  # the grader's own failures are tried again


RUN = """
import sys
import tempfile
from pathlib import Path
from fake_engine import Fake
from course_lib.grading.classroom import GradingConfig, grade_class
order, fake = GradingConfig(Path(sys.argv[1]), Path(sys.argv[2]), jobs=2), Fake()
grade_class(order, fake.engine())
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A class that takes a while, and what comes of it where nobody ends the run."""
    folder = tmp_path_factory.mktemp("undisturbed")
    members = {
        f"s{i}.ipynb": notebook(right=NAMES[: i % 6], text=f"sleep 0.{300 + i}") for i in range(10)
    }
    source, out = folder_of(folder / "class", members), folder / "out"
    grade(source, out)
    return source, out


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
@pytest.mark.parametrize("after", [1, 4, 7])
def test_killed_at_any_moment_a_rerun_gives_the_same_table(tmp_path, counted, undisturbed, after):
    """Catches half-written results after kill -9, work done twice, and processes left running."""
    (source, whole), out = undisturbed, tmp_path / "out"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
    command = [sys.executable, "-c", RUN, source, out]
    run = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while len([*out.glob("students/*/run.json")]) < after and time.monotonic() < end:
        time.sleep(0.01)
    children = [p.pid for p in psutil_children(run.pid)]
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert not (out / "grades.csv").exists()
    wait_until_gone(children)
    done = len([*out.glob("students/*/run.json")])
    assert after <= done < 10
    counted()
    grade(source, out)
    assert len(counted("answers")) == 10 - done
    assert (out / "grades.csv").read_bytes() == (whole / "grades.csv").read_bytes()
    ours, theirs = snapshot(out / "students"), snapshot(whole / "students")
    assert ours.keys() == theirs.keys()
    assert not (out / ".work").exists()


def psutil_children(pid):
    """All processes below this one."""
    import psutil

    return psutil.Process(pid).children(recursive=True)


def wait_until_gone(pids):
    """Fails where a process is still there after seconds."""
    import psutil

    end = time.monotonic() + 20
    while time.monotonic() < end:
        alive = []
        for pid in pids:
            with contextlib.suppress(psutil.NoSuchProcess):
                if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                    alive.append(pid)
        if not alive:
            return
        time.sleep(0.1)
    pytest.fail(f"still running: {alive}")


def test_two_runs_into_one_folder(tmp_path):
    """Catches two graders that overwrite each other's work."""
    source, out = small_class(tmp_path), tmp_path / "out"
    with store.opened(out), pytest.raises(CourseError, match="another run is grading into"):
        grade(source, out)
    grade(source, out)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    """Catches a traceback where --out lies on a read-only disk or is a file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(CourseError, match="cannot be written"):
        grade(small_class(tmp_path), tmp_path / "file")


def test_a_full_disk_is_one_line_and_leaves_whole_files(tmp_path, monkeypatch):
    """Catches a table cut off in the middle."""
    source, out = small_class(tmp_path), tmp_path / "out"
    grade(source, out)
    before = (out / "grades.csv").read_bytes()
    (source / "new.ipynb").write_bytes(notebook())

    real = store.write

    def write(path, content):
        if path.name == "grades.csv":
            raise OSError(28, "No space left on device", str(path))
        real(path, content)

    monkeypatch.setattr(store, "write", write)
    with pytest.raises(CourseError, match=r"grades\.csv cannot be written: No space left"):
        grade(source, out)
    assert (out / "grades.csv").read_bytes() == before


# --- overrides and gradebooks -----------------------------------------------------------------


def test_overrides_survive_a_regrade(tmp_path):
    """Catches points given by hand that are lost when the course changes, or hidden in the page."""
    source, out = small_class(tmp_path), tmp_path / "out"
    file = tmp_path / "overrides.csv"
    file.write_text(
        f"student,exercise,points,comment\nbob,{NAMES[2]},1.5,see mail\ndora,total,3,ill\n"
    )
    grade(source, out, overrides=file)
    wanted = {"alice": "12", "bob": "5.5", "carla": "0", "dora": "3"}
    assert points_of(out) == wanted
    assert grade(source, out, version="2", overrides=file).graded_now == 3
    assert points_of(out) == wanted and "see mail" in table_of(out)["bob"]["overridden"]
    page = (out / "students/bob/feedback.html").read_text(encoding="utf-8")
    assert "5.5 of 12 points" in page and "see mail" in page
    assert json.loads((out / "students/bob/results.json").read_text())["score"] == 5.5
    assert json.loads((out / "students/bob/record.json").read_text())["points"] == 4
    grade(source, out)
    assert points_of(out)["bob"] == "4"
    assert "see mail" not in (out / "students/bob/feedback.html").read_text(encoding="utf-8")


def test_bad_files_are_refused_before_anything_is_graded(tmp_path, counted):
    """Catches hours of grading that end in an error that was there from the start."""
    source, out = small_class(tmp_path), tmp_path / "out"
    bad = tmp_path / "bad.csv"
    bad.write_text("a,b\n1,2\n")
    for option in ("overrides", "canvas", "moodle"):
        with pytest.raises(CourseError, match=r"bad\.csv"):
            grade(source, out, **{option: bad})
        with pytest.raises(CourseError, match=r"nowhere\.csv cannot be read"):
            grade(source, out, **{option: tmp_path / "nowhere.csv"})
    assert counted() == []


def test_gradebooks_are_filled_beside_the_table(tmp_path):
    """Catches an export that overwrites the instructor's own file, or that nobody hears of."""
    source, out = small_class(tmp_path), tmp_path / "out"
    book = tmp_path / "canvas.csv"
    text = "Student,ID,SIS Login ID,Section,Notebook 01 (7)\n    Points Possible,,,,12\n"
    text += "Alice,1,alice,x,\nEdgar,2,edgar,x,\n"
    book.write_text(text)
    outcome = grade(source, out, canvas=book)
    assert book.read_text() == text
    assert (out / "canvas.csv").read_text() == text.replace("alice,x,", "alice,x,12")
    [note] = [note for note in outcome.notes if "canvas.csv" in note]
    assert "1 rows filled" in note and "not in the gradebook: bob, carla, dora" in note
    assert "rows without a submission, left as they are: Edgar" in note
    assert "not in the gradebook" in (out / "report.html").read_text(encoding="utf-8")


# --- what runs, and what judges ---------------------------------------------------------------


def test_a_changed_hint_judges_again_and_runs_nothing(tmp_path, counted):
    """Catches a class that waits for hours because a word of a hint was mended, or keeps it."""
    source, out = small_class(tmp_path), tmp_path / "out"
    grade(source, out)
    counted()
    outcome = grade(source, out, fake=Fake(judge="2", hint="Mind the sign."))
    assert counted() == [] and outcome.graded_now == 3
    for name in ("record.json", "feedback.html"):
        text = (out / "students/bob" / name).read_text(encoding="utf-8")
        assert "Mind the sign." in text and "Turn the sign round." not in text
    notebook_of_bob = (out / "students/bob/feedback.ipynb").read_text(encoding="utf-8")
    assert notebook_of_bob.count("course-feedback") == 1


def test_answers_come_first_and_may_come_alone(tmp_path, counted):
    """Catches a table that waits for the notebooks, points that these change, work done twice."""
    source, out = small_class(tmp_path), tmp_path / "out"
    grade(source, out, answers_only=True)
    assert {path.name for path in out.iterdir()} >= {"grades.csv", "report.html"}
    assert counted("answers") == ["alice", "bob", "carla"]
    points = points_of(out)
    (source / "eve.ipynb").write_bytes(notebook(text="eve"))
    grade(source, out)
    assert counted("answers") == ["eve"]
    assert {**points_of(out), "eve": None} == {**points, "eve": None}
    grade(source, out, answers_only=True)
    assert counted() == []
    page = (out / "students/alice/feedback.ipynb").read_text(encoding="utf-8")
    assert "check-" in page  # of the notebook's own run, which is kept


def test_only_the_answers_run_where_only_they_are_asked_for(tmp_path, counted):
    """Catches `--answers-only` that runs whole notebooks."""
    grade(small_class(tmp_path), tmp_path / "out", answers_only=True)
    assert counted("notebook") == []


def test_identical_files_are_run_once(tmp_path):
    """Catches a class of copies that waits for each, or a copy without results of its own."""
    members = {f"{name}.ipynb": notebook(right=NAMES[:1]) for name in ("ann", "ben", "cid")}
    source, out = folder_of(tmp_path / "class", members), tmp_path / "out"
    (tmp_path / "counted").mkdir()
    assert grade(source, out).graded_now == 3
    assert len([*(tmp_path / "counted").iterdir()]) == 2  # a file, two stages
    assert points_of(out) == {"ann": "2", "ben": "2", "cid": "2"}
    for name in ("ann", "ben", "cid"):
        record = json.loads((out / "students" / name / "record.json").read_text())
        assert record["student"] == name and record["file"] == f"{name}.ipynb"
        assert (out / "students" / name / "feedback.html").is_file()


def test_what_a_killed_run_left_is_gone_at_the_next_start(tmp_path, monkeypatch):
    """Catches gigabytes of temporary folders, and one that another run is using now."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left, used = (tmp_path / f"course-grade-{pid}-x" for pid in (gone.pid, os.getpid()))
    for folder in (left, used):
        (folder / "run").mkdir(parents=True)
    grade(small_class(tmp_path), tmp_path / "out")
    assert not left.exists() and used.exists()


def test_secret_cases_are_those_of_the_class(tmp_path):
    """Catches seeds that follow from the file alone: whoever writes it could try them all."""
    seen = []

    def run(path, *, secret, **options):
        seen.append(secret)
        return Fake().run(path, secret=secret, **options)

    source = small_class(tmp_path)
    for out in ("a", "a", "b"):
        config = GradingConfig(source, tmp_path / out, jobs=1)
        classroom.grade_class(config, Fake().engine(run=run))
        (source / "alice.ipynb").write_bytes(notebook(text=f"after {out} {len(seen)}"))
    first, second = {*seen[:8]}, {*seen[8:]}
    assert len(first) == len(second) == 1 and first != second
    assert len(first.pop()) >= 32
    sha, name = "0" * 64, "kl_std_normal"
    assert seed_of("one", sha, name) != seed_of("another", sha, name)


def test_a_notebook_that_the_grader_cannot_run_keeps_the_points_of_its_answers(tmp_path):
    """Catches points that are there after minutes and lost in the second stage."""

    def run(path, *, stage, **options):
        if stage == "notebook":
            raise RuntimeError("no more disk")
        return Fake().run(path, stage=stage, **options)

    source, out = small_class(tmp_path), tmp_path / "out"
    classroom.grade_class(GradingConfig(source, out), Fake().engine(run=run))
    assert points_of(out) == {"alice": "12", "bob": "4", "carla": "0", "dora": "0"}
    assert "could not be run for its figures" in table_of(out)["alice"]["flags"]
    assert grade(source, out).graded_now == 3 and not table_of(out)["alice"]["flags"]


def test_a_judge_that_fails_on_one_student_never_stops_the_class(tmp_path, counted):
    """Catches a class lost to what one submission does to the judge, and a failure that is kept."""

    def assess(ran, **options):
        if not ran["answers"]["right"]:
            raise CourseError("the judge ended: out of memory")
        return Fake().assess(ran, **options)

    source, out = small_class(tmp_path), tmp_path / "out"
    outcome = classroom.grade_class(GradingConfig(source, out), Fake().engine(assess=assess))
    assert points_of(out) == {"alice": "12", "bob": "4", "carla": "", "dora": "0"}
    assert "the judge ended" in table_of(out)["carla"]["reason"]
    assert [one.student for one in outcome.results if not one.graded] == ["carla"]
    counted()
    grade(source, out)
    assert points_of(out)["carla"] == "0" and counted() == []  # judged again from what was kept
