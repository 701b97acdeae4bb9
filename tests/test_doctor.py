"""What doctor sees, and what it makes of that."""

import argparse
import json
import subprocess
import sys
import threading

import pytest

from course_lib import authoring
from course_lib.commands import checks, doctor, environment, requirements
from course_lib.errors import CourseError
from course_lib.grading import assignment

HEAVY = ("torch", "numpy", "matplotlib", "ipywidgets", "jupyterlab", "pytest", "urllib.request")


def test_doctor_on_a_bare_python(root, tmp_path, monkeypatch, capsys):
    """Catches a doctor that needs what it should examine, or that finds nothing wrong."""
    monkeypatch.setattr(environment, "enter_if_there", lambda *_, **__: None)
    monkeypatch.setattr(requirements, "installed", lambda name: None)
    monkeypatch.setattr(checks, "is_complete", lambda root: False)
    monkeypatch.setattr(checks, "is_inside", lambda venv: False)
    monkeypatch.setattr(checks, "read_stamp", lambda venv: {})
    assert doctor.run(argparse.Namespace(root=root)) == 1
    output = capsys.readouterr().out
    assert "not installed" in output and "python -m course_lib lab" in output
    assert output.count("\nRED") + output.startswith("RED") == 2  # installation, packages
    assert f"and {len(requirements.bounds(root, checks.STUDENTS)) - 6} more" in output


def test_doctor_where_all_is_well(here, monkeypatch, capsys):
    """Catches an exit code that a script would take for a fault."""
    monkeypatch.setattr(environment, "enter_if_there", lambda *_, **__: None)
    monkeypatch.setattr(doctor, "examine", lambda root: [[checks.Row("Python", "3.12")]])
    assert here(["doctor"]) == 0
    assert "all is well" in capsys.readouterr().out


def test_doctor_survives_a_check_that_fails(root, monkeypatch):
    """Catches one broken check that hides all the others."""
    monkeypatch.setattr(checks, "memory", lambda: 1 / 0)
    monkeypatch.setattr(checks, "has_packages", lambda root: False)
    rows = [row for rows in doctor.examine(root) for row in rows]
    assert "Python" in [row.what for row in rows]
    (bad,) = [row for row in rows if "ZeroDivision" in row.found and row.state == checks.BAD]
    assert bad.what == "memory"


@pytest.fixture
def bare(monkeypatch):
    """The checks of a Python without packages; a test replaces one of them."""
    monkeypatch.setattr(checks, "has_packages", lambda root: False)
    monkeypatch.setattr(environment, "enter_if_there", lambda *_, **__: None)
    return monkeypatch


def test_doctor_does_not_wait_for_a_slow_check(root, bare):
    """Catches a disk that answers after minutes, and nothing on the screen until then."""
    slow = threading.Event()
    bare.setattr(checks, "memory", lambda: slow.wait(60) and [checks.Row("memory", "late")])
    batches = doctor.examine(root)
    assert {"Python", "free disk"} <= {row.what for row in next(batches)}
    slow.set()
    assert next(batches) == [checks.Row("memory", "late")]


def test_doctor_ends_where_a_check_hangs(root, bare, capsys):
    """Catches a doctor that hangs with what it examines, or calls that well."""
    bare.setattr(doctor, "SORTED_S", 0.3)
    bare.setattr(doctor, "LIMIT_S", 0.3)
    bare.setattr(checks, "disk", lambda root: threading.Event().wait())
    assert doctor.run(argparse.Namespace(root=root)) == 1
    said = capsys.readouterr().out
    assert "RED   free disk               no answer in" in said and "Python" in said


def test_doctor_shows_problems_first(root, bare, capsys):
    """Catches one red line between thirty that are well."""
    bare.setattr(checks, "disk", lambda root: [checks.Row("free disk", "0 GB", checks.BAD, "more")])
    bare.setattr(checks, "memory", lambda: [checks.Row("memory", "1 GB", checks.NOTE)])
    bare.setattr(checks, "packages", lambda root: [checks.Row("packages", "34")])
    bare.setattr(checks, "installation", lambda root: [checks.Row("installation", "here")])
    doctor.run(argparse.Namespace(root=root))
    said = capsys.readouterr().out
    assert (
        said.startswith("RED   free disk               0 GB\n") and "-> more\nnote  memory" in said
    )
    assert said.endswith("\n1 RED: do what stands below the first one, then run doctor again\n")


def test_a_torch_that_hangs_is_ended(monkeypatch):
    """Catches a process that stays behind, and TimeoutExpired with the whole program in it."""
    monkeypatch.setattr(checks, "TIMEOUT_S", 1)
    monkeypatch.setattr(checks, "PROBE", "import time; time.sleep(60)\n")
    (row,) = checks.rows_of("torch", checks.torch_and_data)
    assert row == checks.Row("torch", "no answer in 1 s: is the disk slow?", checks.BAD)


@pytest.mark.parametrize(
    ("code", "slow"),
    [
        ("PROBE", ["torch._dynamo.convert_frame"]),
        ("NOTEBOOKS", ["torch", "rfc3987_syntax.syntax_helpers"]),
    ],
)
def test_doctor_imports_nothing_that_takes_seconds_for_nothing(root, code, slow):
    """Catches a doctor that is well under five seconds no longer, whatever this machine does."""
    look = f"\nimport sys\nprint([name for name in {slow} if name in sys.modules])"
    command = [sys.executable, "-c", getattr(checks, code) + look, str(root)]
    done = subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8")
    assert done.stdout.endswith("\n[]\n"), done.stderr


def test_doctor_names_the_check_that_fails(root, monkeypatch):
    """Catches a red line that is called lambda, and an error of the course with its class name."""

    def refuse(root):
        raise CourseError("no source here")

    monkeypatch.setattr(checks, "disk", refuse)
    monkeypatch.setattr(checks, "has_packages", lambda root: False)
    (bad,) = [row for rows in doctor.examine(root) for row in rows if "no source" in row.found]
    assert bad == checks.Row("free disk", "no source here", checks.BAD)


def test_doctor_sees_a_folder_of_data_that_is_not_there(monkeypatch, tmp_path):
    """Catches "all is well" with a mistyped COURSE_DATA, at which every notebook stops."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "nowhere"))
    (row,) = checks.data_sets()
    assert row.what == "COURSE_DATA" and row.state == checks.BAD
    assert "nowhere" in row.found and row.advice == "correct it, or unset it"
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert all(row.state != checks.BAD for row in checks.data_sets())


def test_doctor_sees_a_torch_that_breaks_torchvision(monkeypatch):
    """Catches torch 2.13.0+cpu with torchvision, whose versions alone look right."""
    bad = "raise RuntimeError('operator torchvision::nms does not exist')"
    monkeypatch.setattr(checks, "PROBE", bad)
    (row,) = checks.torch_and_data()
    assert row.state == checks.BAD and "nms does not exist" in row.found and row.advice


def test_doctor_names_the_device():
    """Catches a probe that this PyTorch does not understand."""
    pair, device, *data = checks.torch_and_data()
    assert pair.state == checks.OK and "threads" in device.found
    assert "data faces" in [row.what for row in data]


@pytest.mark.parametrize(
    ("version", "state"),
    [("2.14.1", "ok"), ("2.14.1+cpu", "ok"), ("2.12.0", "note"), ("2.10.0", "bad"), (None, "bad")],
)
def test_doctor_judges_versions(root, monkeypatch, version, state):
    """Catches a red line for a version that works, and none for one that does not."""
    monkeypatch.setattr(requirements, "installed", lambda name: version)
    monkeypatch.setattr(checks, "pins", lambda text: {"torch": ["2.14.1"]})
    monkeypatch.setattr(checks, "bounds", lambda root, needs: {"torch": "2.11.0"})
    (row,) = checks.packages(root)
    assert row.state == state and (state == "ok" or f"torch {version or 'missing'}" in row.found)


def test_doctor_tells_work_from_missing(root, monkeypatch, tmp_path):
    """Catches a red line for a student's own work in a notebook."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/01_a.ipynb").write_text("{}")
    names = ["notebooks/01_a.ipynb", "solutions/01_a.ipynb"]
    monkeypatch.setattr(authoring, "build", lambda root, check, exercises: names)
    monkeypatch.setattr(assignment, "assignments", lambda root: {})
    assert [row.state for row in checks.notebooks(tmp_path)] == [checks.NOTE, checks.BAD]


def test_doctor_finds_the_kernel_of_this_python(monkeypatch, tmp_path):
    """Catches notebooks that run in another Python, without the course's packages."""
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    assert checks.kernel()[0].state == checks.OK
    spec = {"argv": ["/nonexistent/python", "-m", "ipykernel"], "display_name": "Python 3"}
    (tmp_path / "kernels/python3").mkdir(parents=True)
    (tmp_path / "kernels/python3/kernel.json").write_text(json.dumps({**spec, "language": "p"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert checks.kernel()[0].state == checks.BAD
