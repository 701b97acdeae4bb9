"""The command line as a user meets it: exit codes, one-line errors, what each command starts."""

import argparse
import ast
import json
import os
import re
import runpy
import socket
import statistics
import subprocess
import sys
import time

import pytest

from course_lib import authoring, datasets
from course_lib.commands import SUMMARIES, checks, cli, data, doctor, environment, lab, pins
from course_lib.commands import test as test_command
from course_lib.errors import CourseError

HEAVY = ("torch", "numpy", "matplotlib", "ipywidgets", "jupyterlab", "pytest", "urllib.request")


@pytest.fixture
def here(monkeypatch):
    """Runs main() in this process, which counts as installed."""
    monkeypatch.setattr(cli.environment, "ensure", lambda *_, **__: None)
    return cli.main


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lba"], "did you mean lab?"),
        (["frobnicate"], "there are: lab, test"),
        (["lab", "--prot", "3"], "did you mean --port?"),
        (["lab", "--port", "x"], "from 1 to 65535"),
        (["lab", "--port", "70000"], "from 1 to 65535"),
        (["lab", "--torch", "gpu"], "invalid choice"),
        (["lab", "notebook"], "unknown argument 'notebook'"),
        (["doctor", "all"], "unknown argument"),
        (["build", "--chek"], "did you mean --check?"),
        (["data", "fetch"], "invalid choice"),
        (["data", "get"], "NAME"),
        (["data", "import", "/nonexistent/folder", "cifar10"], "there is no folder"),
    ],
)
def test_bad_input_is_one_line(course, arguments, words):
    """Catches tracebacks, argparse's usage block, and a wrong exit code."""
    done = course(*arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")
    assert words in done.stderr


@pytest.mark.parametrize("action", [["get", "mnst"], ["import", ".", "mnst"]])
def test_unknown_data_set_is_one_line(here, capsys, action):
    """Catches a KeyError from below; the closest name is offered."""
    assert here(["data", *action]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "did you mean mnist?" in error


def test_busy_port_is_refused_before_anything_starts(course):
    """Catches Jupyter's own silent move to another port, or its traceback."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        done = course("lab", "--port", port)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == f"error: --port {port} is busy: end what uses it, or leave --port out\n"


def test_free_port_is_accepted_again_at_once():
    """Catches a probe that leaves the port taken, or mistakes one just closed for busy."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with (
            socket.create_connection(("127.0.0.1", port)) as client,
            server.accept()[0] as accepted,
        ):
            accepted.close()
            client.recv(1)
    assert lab.free_port(str(port)) == lab.free_port(str(port)) == port


# ---------------------------------------------------------------- how commands end


class Command:
    """A command that ends as it is told."""

    NEEDS_PACKAGES = False

    def __init__(self, end):
        self.end = end

    def add_arguments(self, parser):
        """None."""

    def run(self, args):
        """Raises, or returns a code."""
        if isinstance(self.end, BaseException):
            raise self.end
        return self.end


@pytest.mark.parametrize(
    ("end", "code", "line"),
    [
        (0, 0, ""),
        (None, 0, ""),
        (7, 7, ""),
        (CourseError("first\nsecond"), 2, "error: first second\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (
            ZeroDivisionError("by zero"),
            70,
            "internal error: ZeroDivisionError: by zero; run with COURSE_DEBUG=1 for the "
            "traceback\n",
        ),
    ],
)
def test_every_end_has_its_code_and_at_most_a_line(monkeypatch, capsys, end, code, line):
    """Catches a traceback in a student's face, and codes that a script cannot tell apart."""
    monkeypatch.delenv("COURSE_DEBUG", raising=False)
    monkeypatch.setattr(cli.importlib, "import_module", lambda name: Command(end))
    assert cli.main(["doctor"]) == code
    assert capsys.readouterr().err == line


def test_debug_shows_the_traceback(monkeypatch, capsys):
    """Catches a message that promises a traceback which never comes."""
    monkeypatch.setenv("COURSE_DEBUG", "1")
    monkeypatch.setattr(cli.importlib, "import_module", lambda name: Command(ValueError("odd")))
    assert cli.main(["doctor"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_closed_pipe_is_no_error(root):
    """Catches a traceback from `python -m course_lib --help | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "course_lib", "--help"],
        cwd=root,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    assert "Traceback" not in done.stderr and "internal" not in done.stderr


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 9, 1)])
def test_old_python_is_told_in_one_line(root, monkeypatch, version):
    """Catches a SyntaxError or ImportError instead of the version that is needed."""
    source = (root / "course_lib/__main__.py").read_text(encoding="utf-8")
    assert source.isascii()
    ast.parse(source, feature_version=(3, 4))
    assert not re.search(r"\bf\"|annotations|->", source)
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(SystemExit, match=r"needs Python 3\.10 or newer, this is") as end:
        runpy.run_path(str(root / "course_lib/__main__.py"), run_name="__main__")
    assert "\n" not in str(end.value)


# ---------------------------------------------------------------- a light start


@pytest.mark.parametrize("code", ["import course_lib", "from course_lib.commands import cli"])
def test_nothing_heavy_at_the_start(root, code):
    """Catches an import that the standard library cannot serve, or that costs seconds."""
    look = f"; import sys; print([name for name in {HEAVY} if name in sys.modules])"
    command = [sys.executable, "-c", code + look]
    assert subprocess.check_output(command, cwd=root, text=True) == "[]\n"


@pytest.mark.parametrize("name", [name for name in SUMMARIES if name != "bench"])
def test_help_of_every_command_is_light(root, name):
    """Catches a command module that imports torch before it is known what is asked."""
    code = (
        "import sys\nfrom course_lib.commands import cli\n"
        f"try: cli.main([{name!r}, '--help'])\nexcept SystemExit: pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    output = subprocess.check_output([sys.executable, "-c", code], cwd=root, text=True)
    assert "usage" in output and output.endswith("\n[]\n")


def test_import_takes_less_than_a_fifth_of_a_second(root):
    """Catches a heavy import at the top of the package."""

    def seconds(code):
        times = []
        for _ in range(5):
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
            times.append(time.perf_counter() - begin)
        return statistics.median(times)

    assert seconds("import course_lib") - seconds("pass") < 0.2


def test_overview_names_every_command(course):
    """Catches a command that nobody can find."""
    for arguments in ([], ["--help"]):
        done = course(*arguments)
        assert done.returncode == 0
        assert all(name in done.stdout for name in SUMMARIES)


# ---------------------------------------------------------------- lab, test, build, data


def lab_options(root, **given):
    """What lab gives to JupyterLab."""
    given = {"no_browser": False, "port": None, **given}
    return lab.options(argparse.Namespace(root=root, **given))


def test_lab_opens_the_first_notebook(tmp_path):
    """Catches a start in an empty file browser, or in the last notebook."""
    (tmp_path / "notebooks").mkdir()
    for name in ("02_b.ipynb", "01_a.ipynb", "about.ipynb"):
        (tmp_path / "notebooks" / name).write_text("{}")
    chosen = lab_options(tmp_path, no_browser=True, port=8899)
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
        environment.settle_variables(Path({str(root)!r}))
        lab.run(argparse.Namespace(root=Path({str(root)!r}), no_browser=True, port={port}))"""
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
    arguments = ["-m", "not notebook", "-x", "tests/test_a.py::test_b", "--co", "--torch", "cpu"]
    assert here(["test", *arguments]) == 5
    assert calls == [root, [sys.executable, "-m", "pytest", *arguments[:-2]]]
    assert os.environ["COURSE_FAST"] == "0"


def test_build_check_fails_on_a_difference(here, monkeypatch, capsys):
    """Catches a CI that stays green while notebooks and sources differ."""
    for differing, code in ((["notebooks/01_a.ipynb"], 1), ([], 0)):
        monkeypatch.setattr(authoring, "build", lambda root, check, found=differing: found)
        assert here(["build", "--check"]) == code
        assert here(["build"]) == 0
    assert "notebooks/01_a.ipynb" in capsys.readouterr().err


def test_data_lists_gets_and_imports(here, monkeypatch, capsys, tmp_path):
    """Catches arguments in the wrong order, and a data set that the list leaves out."""
    monkeypatch.setattr(datasets, "at_hand", lambda: [("mnist", None), ("faces", "drawn")])
    monkeypatch.setattr(datasets, "get", lambda name: f"got {name}")
    monkeypatch.setattr(
        datasets, "import_images", lambda path, name, size: f"{path.name} {name} {size}"
    )
    for arguments in ([], ["list"]):
        assert here(["data", *arguments]) == 0
        assert "data get mnist" in capsys.readouterr().out
    assert here(["data", "get", "mnist"]) == 0
    assert capsys.readouterr().out == "got mnist\n"
    assert here(["data", "import", str(tmp_path), "celeba", "--size", "128"]) == 0
    assert capsys.readouterr().out == f"{tmp_path.name} celeba 128\n"
    assert data.existing("~").is_dir()


# ---------------------------------------------------------------- doctor


def test_doctor_on_a_bare_python(root, tmp_path, monkeypatch, capsys):
    """Catches a doctor that needs what it should examine, or that finds nothing wrong."""
    monkeypatch.setattr(environment, "enter_if_there", lambda *_, **__: None)
    monkeypatch.setattr(pins, "installed", lambda name: None)
    monkeypatch.setattr(checks, "is_complete", lambda root: False)
    monkeypatch.setattr(checks, "is_inside", lambda venv: False)
    monkeypatch.setattr(checks, "read_stamp", lambda venv: {})
    assert doctor.run(argparse.Namespace(root=root)) == 1
    output = capsys.readouterr().out
    assert "not installed" in output and "python -m course_lib lab" in output
    assert output.count("RED") == 1 + len(pins.pins(root))


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
    assert [row.found for row in rows if "ZeroDivision" in row.found and row.state == checks.BAD]


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
    monkeypatch.setattr(pins, "installed", lambda name: version)
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


# ---------------------------------------------------------------- the pins


def test_lock_holds_every_pin(root):
    """Catches a requirements.in that was changed without making the lock again."""
    lock = (root / "requirements.txt").read_text(encoding="utf-8")
    for python in ((3, 10), (3, 14)):
        for name, version in pins.pins(root, python=python).items():
            assert re.search(rf"^{name}=={re.escape(version)}( ;|$)", lock, re.MULTILINE), name
    assert pins.pins(root, python=(3, 10))["numpy"] != pins.pins(root, python=(3, 14))["numpy"]


def test_lock_says_nothing_about_where_it_was_made(root):
    """Catches an index, a path or CUDA packages, which CPU wheels do not need, in the lock."""
    for line in (root / "requirements.txt").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; [\w\s.<>=!'()*]+)?", line), line
        assert not line.startswith(("nvidia-", "cuda-", "triton"))


def test_every_requirement_has_a_pin_and_a_lower_bound(root):
    """Catches a package that conda users do not get, or one that the launcher does not see."""
    lines = (root / "requirements.in").read_text(encoding="utf-8").splitlines()
    wanted = {line.partition("==")[0] for line in lines if line and not line.startswith("#")}
    assert wanted == set(pins.pins(root, python=(3, 10))) == set(pins.pins(root))
    assert wanted == set(pins.lower_bounds(root))
    assert all(
        pins.at_least(pins.pins(root, python=(3, 10))[name], least)
        for name, least in pins.lower_bounds(root).items()
    )


def test_colab_keeps_its_own_torch(root):
    """Catches an installation on Colab that replaces what its runtime is made of."""
    text = (root / "requirements-colab.txt").read_text(encoding="utf-8")
    names = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert not [name for name in names if re.match("torch|numpy|ipywidgets", name)]
    assert all("==" not in name for name in names)


@pytest.mark.parametrize(
    ("version", "least", "enough"),
    [
        ("2.14.1+cpu", "2.11", True),
        ("2.9.0", "2.11", False),
        ("8", "8.0", True),
        ("8.1.9", "8.1", True),
        ("2.11", "2.11", True),
        (None, "0", False),
    ],
)
def test_versions_compare_as_numbers(version, least, enough):
    """Catches "2.9" taken for newer than "2.11"."""
    assert pins.at_least(version, least) == enough
