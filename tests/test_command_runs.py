"""What lab, test, build and data start, and with what."""

import argparse
import os
import socket
import subprocess
import sys
import time

import pytest

from course_lib import authoring, datasets
from course_lib.commands import data, lab
from course_lib.commands import test as test_command

HEAVY = ("torch", "numpy", "matplotlib", "ipywidgets", "jupyterlab", "pytest", "urllib.request")


def lab_options(root, **given):
    """What lab gives to JupyterLab."""
    given = {"notebook": None, "no_browser": False, "port": None, **given}
    return lab.options(argparse.Namespace(root=root, **given))


def test_lab_opens_the_first_notebook(tmp_path):
    """Catches a start in an empty file browser, or in the last notebook."""
    (tmp_path / "notebooks").mkdir()
    for name in ("02_b.ipynb", "01_a.ipynb", "about.ipynb"):
        (tmp_path / "notebooks" / name).write_text("{}")
    first = lab.find_notebook(tmp_path / "notebooks", None)
    chosen = lab_options(tmp_path, notebook=first, no_browser=True, port=8899)
    assert "--LabApp.default_url=/lab/tree/01_a.ipynb" in chosen
    assert f"--ServerApp.root_dir={tmp_path / 'notebooks'}" in chosen
    assert {"--ServerApp.port=8899", "--ServerApp.port_retries=0"} <= set(chosen)
    assert "--ServerApp.open_browser=False" in chosen


def test_lab_without_notebooks_still_opens(tmp_path):
    """Catches a crash before the first build."""
    chosen = lab_options(tmp_path)
    assert "--LabApp.default_url=/lab" in chosen
    assert not [option for option in chosen if "port" in option or "browser" in option]


def test_lab_answers(course, root, tmp_path):
    """Catches options that this JupyterLab does not know, its news window, a slow start."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    code = f"""if True:
        import argparse, time, urllib.request
        from pathlib import Path
        from course_lib.commands import environment, lab
        environment.export_variables(Path({str(root)!r}))
        given = dict(notebook=None, no_browser=True, port={port})
        lab.run(argparse.Namespace(root=Path({str(root)!r}), **given))"""
    variables = {**os.environ, "JUPYTER_TOKEN": "t", "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    begin = time.monotonic()
    log = tmp_path / "log"
    with (
        log.open("w") as out,
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=root, env=variables, stdout=out, stderr=out
        ) as server,
    ):
        try:
            page = read_page(f"http://127.0.0.1:{port}/lab?token=t", server)
            seconds = time.monotonic() - begin
        finally:
            server.terminate()
    assert "@jupyterlab/apputils-extension:announcements" in page, log.read_text()
    assert seconds < 60  # 2 s on an idle machine
    assert "Traceback" not in log.read_text() and "Unrecognized" not in log.read_text()


def read_page(url, server):
    """Text of a page as soon as the server gives it."""
    import urllib.request

    end = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=60) as reply:
                return reply.read().decode()
        except OSError:
            assert server.poll() is None and time.monotonic() < end
            time.sleep(0.1)


def test_test_hands_everything_to_pytest(here, monkeypatch, root):
    """Catches pytest arguments that the launcher takes for its own."""
    calls = []
    monkeypatch.setattr(test_command, "hand_over", lambda command: calls.append(command) or 5)
    monkeypatch.setattr(os, "chdir", lambda path: calls.append(path))
    monkeypatch.setenv("COURSE_FAST", "0")  # also restores it
    arguments = [
        "-m",
        "not notebook",
        "-x",
        "tests/test_floors.py::test_b",
        "--co",
        "--torch",
        "cpu",
    ]
    assert here(["test", *arguments]) == 5
    assert calls == [root, [sys.executable, "-m", "pytest", *arguments[:-2]]]
    assert os.environ["COURSE_FAST"] == "0"


def options_of_pytest(monkeypatch, *arguments, fast="1", cores=4, gigabytes=64):
    """What the launcher adds to these arguments on such a machine."""
    monkeypatch.setattr(test_command.machine, "cores", lambda: cores)
    monkeypatch.setattr(test_command.machine, "memory_bytes", lambda: gigabytes * 2**30)
    monkeypatch.setenv("COURSE_FAST", fast)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    return test_command.side_by_side([*arguments])


@pytest.mark.parametrize(
    ("machine", "workers"),
    [({}, "5"), ({"gigabytes": 7}, "2"), ({"cores": 99, "gigabytes": 999}, "8")],
)
def test_tests_run_on_every_core(monkeypatch, machine, workers):
    """Catches cores that wait with a test for a browser, or more tests than the memory holds."""
    for arguments in ([], ["-k", "01"], ["-m", "not notebook", "-x"], ["tests/test_floors.py"]):
        found = options_of_pytest(monkeypatch, *arguments, **machine)
        assert found[:4] == ["-n", workers, "--dist", "loadgroup"]
    assert os.environ["OMP_NUM_THREADS"] == "7"  # the user's own


@pytest.mark.parametrize(
    "argument",
    ["-n0", "-n", "--numprocesses=3", "--dist=load", "--pdb", "--trace", "-s", "-vs",
     "--capture=no", "no:xdist", "-pno:xdist", "tests/test_floors.py::test_floors_are_seen"],
)  # fmt: skip
def test_who_says_how_the_tests_run_is_obeyed(monkeypatch, argument):
    """Catches a second `-n` before the user's own, a debugger without a terminal."""
    assert options_of_pytest(monkeypatch, "-x", argument) == []


def test_tests_run_one_by_one_where_nothing_is_gained(monkeypatch):
    """Catches workers on one core, in little memory, beside the times of a full run, or without
    the plugin that starts them."""
    assert options_of_pytest(monkeypatch, cores=1) == []
    assert options_of_pytest(monkeypatch, gigabytes=4) == []
    assert options_of_pytest(monkeypatch, fast="0") == []
    monkeypatch.setattr(test_command.importlib.util, "find_spec", lambda name: None)
    assert options_of_pytest(monkeypatch) == []


def test_build_check_fails_on_a_difference(here, monkeypatch, capsys):
    """Catches a CI that stays green while notebooks and sources differ."""
    for differing, code in ((["notebooks/01_a.ipynb"], 1), ([], 0)):
        monkeypatch.setattr(authoring, "build", lambda root, check, found=differing: found)
        assert here(["build", "--check"]) == code
        assert here(["build"]) == 0
    assert "notebooks/01_a.ipynb" in capsys.readouterr().err


def test_data_gets_and_imports(here, monkeypatch, capsys, tmp_path):
    """Catches arguments in the wrong order."""
    monkeypatch.setattr(datasets, "get", lambda name: f"got {name}")
    monkeypatch.setattr(
        datasets, "import_images", lambda path, name, size: f"{path.name} {name} {size}"
    )
    assert here(["data", "get", "mnist"]) == 0
    assert capsys.readouterr().out == "got mnist\n"
    assert here(["data", "import", str(tmp_path), "celeba", "--size", "128"]) == 0
    assert capsys.readouterr().out == f"{tmp_path.name} celeba 128\n"
    assert data.existing("~").is_dir()


def test_data_list_refuses_a_folder_that_is_not_there(here, monkeypatch, capsys, tmp_path):
    """Catches a list of stand-ins that hides a mistyped COURSE_DATA."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "nowhere"))
    for arguments in ([], ["list"]):
        assert here(["data", *arguments]) == 2
        out, error = capsys.readouterr()
        assert out == "" and error.count("\n") == 1
        assert "COURSE_DATA" in error and "nowhere" in error
