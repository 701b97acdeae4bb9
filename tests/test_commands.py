"""The command line as a user meets it: exit codes, one-line errors, a light start."""

import ast
import os
import re
import runpy
import socket
import statistics
import subprocess
import sys
import time

import pytest

from course_lib import __version__
from course_lib.commands import SUMMARIES, cli, lab
from course_lib.errors import CourseError

HEAVY = ("torch", "numpy", "matplotlib", "ipywidgets", "jupyterlab", "pytest", "urllib.request")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lba"], "did you mean lab?"),
        (["frobnicate"], "there are: lab, test"),
        (["help", "frobnicate"], "there are: lab, test"),
        (["help", "lba"], "did you mean lab?"),
        (["--port", "8888", "lab"], "unknown option '--port' (there are: -h"),
        (["--verison"], "did you mean --version?"),
        (["LAB"], "did you mean lab?"),
        ([""], "unknown command ''"),
        (["lab", "--prot", "3"], "did you mean --port?"),
        (["lab", "--port", "x"], "from 1 to 65535"),
        (["lab", "--port", "70000"], "from 1 to 65535"),
        (["lab", "--torch", "gpu"], "invalid choice"),
        (["lab", "notebook", "2"], "error: lab takes no further argument '2'\n"),
        (["doctor", "all"], "error: doctor takes no further argument 'all'\n"),
        (["data", "get", "mnist", "now"], "error: data takes no further argument 'now'\n"),
        (["data", "import", ".", "celeba", "--sizee", "64"], "did you mean --size?"),
        (["data", "import", ".", "celeba", "--sizee=64"], "did you mean --size?"),
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


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 10, 1)])
def test_old_python_is_told_in_one_line(root, monkeypatch, version):
    """Catches a SyntaxError or ImportError instead of the version that is needed."""
    source = (root / "course_lib/__main__.py").read_text(encoding="utf-8")
    assert source.isascii()
    ast.parse(source, feature_version=(3, 4))
    assert not re.search(r"\bf\"|annotations|->", source)
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer, this is") as end:
        runpy.run_path(str(root / "course_lib/__main__.py"), run_name="__main__")
    assert "\n" not in str(end.value)


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


@pytest.mark.parametrize("arguments", [["help", "lab"], ["lab", "-h"], ["lab", "--help"]])
def test_help_of_a_command_in_every_spelling(course, arguments):
    """Catches `help lab` that shows the overview again."""
    done = course(*arguments)
    assert done.returncode == 0 and "--no-browser" in done.stdout and done.stderr == ""


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(here, capsys, option):
    """Catches the short spelling that everybody tries first."""
    assert here([option]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_overview_names_every_command(course):
    """Catches a command that nobody can find."""
    for arguments in ([], ["--help"]):
        done = course(*arguments)
        assert done.returncode == 0
        assert all(name in done.stdout for name in SUMMARIES)
