"""The course as a package: each way to install it starts it, away from any clone."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import nbformat
import pytest

from course_lib import __version__, place

pytest.importorskip("hatchling", reason="hatchling is not installed")
POSIX = os.name != "nt"
WAYS = ["wheel", "sdist", "editable", "uv"]
CHECK = """
from course_lib.exercises import check
from course_lib import datasets, checkpoints, place
print(place.ROOT, len(datasets.load("mnist").train.images), len(checkpoints.names()))
def kl_std_normal(mu, log_var):
    return 0.5 * (0.5 * mu**2 + log_var.exp() - 1 - log_var).sum(-1)
check("kl_std_normal", kl_std_normal)
def kl_std_normal(mu, log_var):
    return (0.5 * mu**2 + log_var.exp() - 1 - log_var).sum(-1)
check("kl_std_normal", kl_std_normal)
"""


def run(command, cwd, **variables):
    """A finished process outside the clone, whose output is shown where it fails."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("COURSE_")}
    env |= {"PYTHONPATH": "", "PIP_NO_INDEX": "1", "COURSE_OFFLINE": "1", **variables}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd, env=env, capture_output=True, encoding="utf-8", timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory, root):
    """A source distribution, and a wheel made from that alone."""
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder], root)
    (sdist,) = folder.glob("*.tar.gz")
    shutil.unpack_archive(sdist, folder / "unpacked")
    (source,) = (folder / "unpacked").iterdir()
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], source)
    return {"sdist": sdist, "wheel": next(folder.glob("*.whl")), "source": source}


@pytest.fixture(scope="module", params=WAYS)
def installed(request, built, tmp_path_factory):
    """(how, the Python of a fresh environment, which borrows the packages of this one)."""
    way, folder = request.param, tmp_path_factory.mktemp(request.param)
    if way == "uv" and not shutil.which("uv", path=sysconfig.get_path("scripts")):
        pytest.skip("no uv here")
    run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], folder)
    python = folder / "env" / ("bin/python" if POSIX else "Scripts/python.exe")
    found = run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder)
    own = sysconfig.get_path("purelib")
    Path(found.strip(), "borrowed.pth").write_text(own, encoding="utf-8")
    target = {"editable": ["--editable", built["source"]], "sdist": [built["sdist"]]}
    options = ["--no-deps", "--no-build-isolation", *target.get(way, [built["wheel"]])]
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile"]
    uv = [sys.executable, "-m", "uv", "pip", "install", "--offline", "--python", python]
    run([*(uv if way == "uv" else pip), *options], folder)
    return way, python


def test_every_way_to_install_starts_the_course(installed, tmp_path):
    """Catches a package without its sub-packages, hints, pages or notebooks."""
    way, python = installed
    script = python.with_name("autoencoder-course" if POSIX else "autoencoder-course.exe")
    assert run([script, "--version"], tmp_path).strip() == __version__
    output = run([python, "-c", CHECK], tmp_path)
    assert "mind the brackets" in output, output  # the hint for that mistake
    assert bool(re.search(r"site-packages\W+course_lib\W+course ", output)) == (way != "editable")


def test_demo_is_exported_from_a_package(installed, tmp_path):
    """Catches a wheel without the page's own files."""
    _, python = installed
    run([python, "-m", "course_lib", "demo", "--export", "demo.html"], tmp_path)
    assert (tmp_path / "demo.html").stat().st_size > 1e6


SEARCH = """    import os, sys
    paths = [*sys.path, sys.prefix, "/course"]
    names = [f for p in paths for _, _, files in os.walk(p) for f in files]
    raise ValueError(f"saw {[name for name in names if name[:6] == '03_var']}")
"""


@pytest.mark.grading
@pytest.mark.parametrize("installed", ["wheel"], indirect=True)
def test_installed_course_grades_and_hides_its_solutions(installed, root, tmp_path):
    """Catches a grader that needs a clone, and a sandbox in which site-packages holds solutions."""
    _, python = installed
    notebook = nbformat.read(root / "solutions/03_variational_autoencoder.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace(
            "    return 0.5 * (mu**2 + log", f"{SEARCH}    return (log"
        )
    (tmp_path / "in").mkdir()
    nbformat.write(notebook, tmp_path / "in/eve.ipynb")
    options = ["--notebook", "03", "--answers-only", "--out", "out"]
    run([python, "-m", "course_lib", "grade", "in", *options], tmp_path)
    record = json.loads((tmp_path / "out/students/eve/record.json").read_text(encoding="utf-8"))
    assert record["points"] == record["max_points"] - 2
    (wrong,) = [e for e in record["exercises"] if e["status"] == "wrong"]
    assert "saw [" in wrong["obtained"]
    if record["isolation"] != "process":
        assert "saw []" in wrong["obtained"]


def test_a_wheel_holds_what_a_clone_holds(built, root):
    """Catches a new folder of data that only a clone has."""
    listed = subprocess.run(
        ["git", "ls-files", "course_lib", "notebooks", "solutions", "data"],
        cwd=root, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("this is no clone")
    import zipfile

    names = set(zipfile.ZipFile(built["wheel"]).namelist())
    for name in listed.stdout.splitlines():
        inside = name if name.startswith("course_lib/") else f"course_lib/course/{name}"
        assert inside in names, name


def test_lab_copies_the_notebooks_of_a_package(root, monkeypatch, tmp_path, capsys):
    """Catches a student's work written into site-packages, or lost at the next start."""
    from course_lib.commands import lab

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(place, "ROOT", place.INSTALLED)
    folder = lab.copied_notebooks(root)
    assert folder == tmp_path / "autoencoder-course/notebooks"
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(
        path.name for path in (place.PACKAGE.parent / "notebooks").glob("*.ipynb")
    )
    nbformat.read(folder / names[0], as_version=4)
    (folder / names[0]).write_text("mine")
    (folder / names[1]).unlink()
    lab.copied_notebooks(root)
    assert (folder / names[0]).read_text() == "mine" and (folder / names[1]).is_file()
    assert capsys.readouterr().err.count("copied") == len(names) + 1


@pytest.mark.parametrize("command", ["build", "test"])
def test_what_needs_a_clone_says_so(command, here, monkeypatch, capsys):
    """Catches a traceback about a folder tests/ in site-packages."""
    from course_lib.commands import cli

    monkeypatch.setattr(cli, "ROOT", place.INSTALLED)
    assert here([command]) == 2
    assert "clone" in capsys.readouterr().err


def test_package_without_an_extra_says_how_to_get_it(monkeypatch, capsys):
    """Catches a .venv made inside site-packages."""
    from course_lib.commands import cli, environment

    monkeypatch.setattr(cli, "ROOT", place.INSTALLED)
    monkeypatch.setattr(environment.requirements, "lacking", lambda *_: ["jupyterlab"])
    assert cli.main(["lab"]) == 2
    assert 'pip install "autoencoder-course[lab]"' in capsys.readouterr().err


def test_metadata_names_what_pyproject_names(built):
    """Catches a wheel that installs without what it imports."""
    import zipfile
    from email.parser import Parser

    with zipfile.ZipFile(built["wheel"]) as wheel:
        (name,) = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
        told = Parser().parsestr(wheel.read(name).decode())
    assert told["Name"] == "autoencoder-course" and told["Version"] == __version__
    assert set(told.get_all("Provides-Extra")) >= {"lab", "grade", "demo"}
    wanted = " ".join(told.get_all("Requires-Dist"))
    assert "torch>=2.11" in wanted and "jupyterlab>=4.4" in wanted and "pytest" not in wanted
    assert json.dumps(told.get_all("Classifier")).count("Python :: 3.1") == 4
