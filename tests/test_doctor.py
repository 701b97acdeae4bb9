"""What doctor sees, and what it makes of that."""

import argparse
import json

import pytest

from course_lib import authoring
from course_lib.commands import checks, doctor, environment, requirements
from course_lib.errors import CourseError

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
    assert output.count("RED") == 1 + len(requirements.bounds(root, checks.STUDENTS))


def test_doctor_where_all_is_well(here, monkeypatch, capsys):
    """Catches an exit code that a script would take for a fault."""
    monkeypatch.setattr(environment, "enter_if_there", lambda *_, **__: None)
    monkeypatch.setattr(doctor, "examine", lambda root: [checks.Row("Python", "3.12")])
    assert here(["doctor"]) == 0
    assert "all is well" in capsys.readouterr().out


def test_doctor_survives_a_check_that_fails(root, monkeypatch):
    """Catches one broken check that hides all the others."""
    monkeypatch.setattr(checks, "memory", lambda: 1 / 0)
    monkeypatch.setattr(checks, "has_packages", lambda root: False)
    rows = list(doctor.examine(root))
    assert rows[0].what == "Python"
    (bad,) = [row for row in rows if "ZeroDivision" in row.found and row.state == checks.BAD]
    assert bad.what == "memory"


def test_doctor_names_the_check_that_fails(root, monkeypatch):
    """Catches a red line that is called lambda, and an error of the course with its class name."""

    def refuse(root):
        raise CourseError("no source here")

    monkeypatch.setattr(checks, "disk", refuse)
    monkeypatch.setattr(checks, "has_packages", lambda root: False)
    (bad,) = [row for row in doctor.examine(root) if "no source" in row.found]
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
    (row,) = checks.torch_and_device()
    assert row.state == checks.BAD and "nms does not exist" in row.found and row.advice


def test_doctor_names_the_device():
    """Catches a probe that this PyTorch does not understand."""
    pair, device = checks.torch_and_device()
    assert pair.state == checks.OK and "threads" in device.found


@pytest.mark.parametrize(
    ("version", "state"),
    [("2.14.1", "ok"), ("2.14.1+cpu", "ok"), ("2.12.0", "note"), ("2.10.0", "bad"), (None, "bad")],
)
def test_doctor_judges_versions(root, monkeypatch, version, state):
    """Catches a red line for a version that works, and none for one that does not."""
    monkeypatch.setattr(requirements, "installed", lambda name: version)
    assert checks.packages(root)[0].state == state


def test_doctor_tells_work_from_missing(root, monkeypatch, tmp_path):
    """Catches a red line for a student's own work in a notebook."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/01_a.ipynb").write_text("{}")
    names = ["notebooks/01_a.ipynb", "solutions/01_a.ipynb"]
    monkeypatch.setattr(authoring, "build", lambda root, check: names)
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
