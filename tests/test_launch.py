"""The launcher on a small course: a real environment, a real pip, kill -9, no network."""

import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

import psutil
import pytest
from small_course import PACKAGE, SmallCourse

from course_lib.commands import environment, installer, process
from course_lib.commands.lock import exclusive

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Installed once; each test harms it and looks at the repair."""
    course = SmallCourse(tmp_path_factory.mktemp("small"))
    course.first = course.start("-k", "01", "--torch", "auto", "-m", "notebook")
    return course


def until(condition, *, seconds=60):
    """Waits for `condition()` to be true, and gives what it returned."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
    return found


def child(parent, word):
    """The child process with `word` in its command line."""
    for each in psutil.Process(parent).children():
        with contextlib.suppress(psutil.Error):  # one that has just ended
            if word in each.cmdline():
                return each
    return None


def test_first_start_installs_and_goes_on_inside(small):
    """Catches a launcher that loses arguments or the exit code, or runs outside .venv."""
    said, output, code = small.first
    assert code == 5, output
    assert said["argv"] == ["-k", "01", "-m", "notebook"]
    assert os.path.samefile(said["prefix"], small.venv)
    assert os.path.samefile(said["cwd"], small.root)
    assert said["path"].split(os.pathsep)[0] == str(small.root)
    assert said["fast"] == "1"
    assert "[1/3]" in output and "[3/3]" in output


def test_second_start_installs_nothing_and_is_fast(small, within):
    """Catches a start that asks pip again: that alone takes longer than a second."""

    def start():
        said, output, _ = small.start()
        assert said["argv"] == [] and "/3]" not in output

    within(3, start)


def test_user_settings_reach_the_command(small):
    """Catches a COURSE_FAST that cannot be switched off, and a relative COURSE_DATA.

    Kernels start in another folder, where a relative one would name nothing.
    """
    said, _, _ = small.start(COURSE_FAST="0", COURSE_DATA="wheels")
    assert said["fast"] == "0"
    assert said["data"] == str(small.root / "wheels")


def test_changed_requirements_are_installed(small):
    """Catches an update of the course that goes on with the old packages."""
    small.require("2.0")
    said, output, _ = small.start()
    assert said["version"] == "2.0", output
    assert "[1/3]" not in output  # the environment itself stays
    assert "/3]" not in small.start()[1]


def harm_stamp(small):
    """pip was killed: the note says unfinished."""
    small.stamp.write_text(json.dumps({**json.loads(small.stamp.read_text()), "complete": False}))


def harm_stamp_text(small):
    """The disk was full while something wrote the note."""
    small.stamp.write_text('{"requirem')


def harm_package(small):
    """pip was killed while it wrote a package: half of the files and no RECORD."""
    small.stamp.unlink()
    next(small.packages.glob(f"{PACKAGE}-*.dist-info/RECORD")).unlink()
    (small.packages / PACKAGE / "__init__.py").write_text("")


def harm_pip(small):
    """ensurepip was killed: pip is there, but not all of it."""
    small.stamp.unlink()
    next(small.packages.glob("pip-*.dist-info/RECORD")).unlink()
    shutil.rmtree(small.packages / "pip/_internal/commands")


def harm_venv_making(small):
    """venv was killed in its middle: a Python, no pip, no activate."""
    for entry in small.venv.iterdir():
        if entry.name in ("course-stamp.json", "Lib", "lib", "lib64"):
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    process.python_of(small.venv).with_name("activate").unlink()


def harm_config(small):
    """A clearing was killed: the Python runs, but as the one that it was made from."""
    (small.venv / "pyvenv.cfg").unlink()


def harm_python(small):
    """The Python below was removed: the link leads nowhere."""
    for python in process.python_of(small.venv).parent.glob("python*"):
        python.unlink()
        python.symlink_to("/nonexistent/python3")


HARM = [harm_stamp, harm_stamp_text, harm_package, harm_pip, harm_config]


@posix
@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__)
def test_next_start_repairs(small, harm):
    """Catches an installation that stays broken after an interruption until .venv is deleted."""
    harm(small)
    said, output, code = small.start()
    assert said and code == 5, output
    assert os.path.samefile(said["prefix"], small.venv)  # and never the Python below
    assert "/3]" not in small.start()[1]


@posix
def test_kill_9_in_the_making_of_venv_is_repaired(small):
    """Catches the same with a real kill, while a .venv that is only half there is made anew."""
    harm_venv_making(small)
    first = small.launch("test")
    until(lambda: list(small.venv.glob("[lL]ib/**/site-packages/pip")))
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    said, output, _ = small.start()
    assert said and "[1/3]" in output, output
    assert os.path.samefile(said["prefix"], small.venv)


def test_another_python_below_is_a_new_venv(tmp_path, monkeypatch):
    """Catches packages sought in lib/python3.12 after the system has gone on to 3.13."""
    made = []
    (tmp_path / "course-stamp.json").write_text('{"python": "3.12"}')
    monkeypatch.setattr(installer, "python_version", lambda venv: "3.13")
    monkeypatch.setattr(installer, "make_venv", made.append)
    monkeypatch.setattr(installer, "_run_quietly", lambda command: None)
    installer._ensure_venv(tmp_path)
    assert made == [tmp_path]


@posix
def test_kill_9_in_pip_is_repaired(small):
    """Catches a note that says complete before pip has come to its end."""
    small.require("2.5")
    first = small.launch("test")
    until(lambda: (small.venv / "downloads").exists())  # pip's, as long as it works
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert environment.read_stamp(small.venv)["complete"] is False
    said, output, _ = small.start()
    assert said["version"] == "2.5", output


@posix
def test_orphaned_pip_keeps_the_lock(small):
    """Catches two pips at work in one .venv after the launcher alone was killed."""
    small.require("3.0")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, never answers
        index = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        first = small.launch("test", PIP_NO_INDEX="0", PIP_INDEX_URL=index)
        pip = until(lambda: child(first.pid, "install"))
        silent.accept()
        first.kill()
        first.wait()
        with small.launch("test") as second:
            until(lambda: "waiting for it" in second.stdout.readline())
            pip.kill()
            rest = second.communicate(timeout=60)[0]
    assert '"version": "3.0"' in rest


@posix
def test_two_starts_at_once_install_once(small):
    """Catches two installations that write over each other, here into a .venv without Python."""
    harm_python(small)
    both = [small.launch("test") for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in both]
    assert all('{"argv"' in output for output in outputs), outputs
    assert sum("[3/3]" in output for output in outputs) == 1
    assert sum("waiting for it" in output for output in outputs) == 1


def fake_uv(folder, text):
    """A folder with a `uv` of our own, to be put on the path."""
    uv = folder / "uv"
    uv.write_text(f"#!/bin/sh\n{text}\n")
    uv.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@posix
def test_uv_installs_where_it_is_at_hand(small, tmp_path):
    """Catches pip's minutes where uv takes seconds, and a uv that fills another environment."""
    uv = shutil.which(
        "uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    if uv is None:
        pytest.skip("no uv here")
    small.require("4.0")
    path = fake_uv(tmp_path, f'echo uv at work; exec {uv} "$@"')
    own = {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(small.wheels), "UV_CACHE_DIR": str(tmp_path)}
    said, output, _ = small.start(PATH=path, **own)
    assert said["version"] == "4.0" and os.path.samefile(said["prefix"], small.venv), output
    assert "uv at work" in output and "pip tries" not in output


@posix
def test_what_uv_cannot_pip_does(small, tmp_path):
    """Catches a course that cannot be installed where a mirror is known to pip alone."""
    small.require("5.0")
    said, output, _ = small.start(PATH=fake_uv(tmp_path, "echo no such index >&2; exit 2"))
    assert said["version"] == "5.0" and "uv could not, see above: pip tries" in output


@posix
def test_a_file_that_is_not_what_was_locked_is_refused(small):
    """Catches a package that was changed on its way: the lock names each file's hash."""
    small.require("6.0", digest="0" * 64)
    said, output, code = small.start()
    assert code == 2 and said is None and "THESE PACKAGES DO NOT MATCH THE HASHES" in output
    small.require("1.0")


def test_groups_are_installed_when_a_command_needs_them(small):
    """Catches ruff and pytest for everybody, and a `test` without them after a `lab`."""
    lock = small.root / "requirements-dev.txt"
    small.start()
    lock.write_text("course_absent==1.0\n")
    with small.launch("data", "list") as process:  # needs no group
        assert "/3]" not in process.communicate(timeout=60)[0]
    _, output, code = small.start()
    assert code == 2 and "requirements.txt and requirements-dev.txt" in output
    lock.write_text("")
    assert small.start()[2] == 5


def test_environment_that_uv_made_is_entered_and_kept(small):
    """Catches `uv sync` undone by the next start: it leaves no note, and all that is needed."""
    small.start()
    small.stamp.unlink()
    (small.root / "requirements-dev.txt").write_text("")
    small.project(groups="")
    try:
        said, output, _ = small.start()
        assert os.path.samefile(said["prefix"], small.venv)
        assert "/3]" not in output and not small.stamp.exists()
    finally:
        small.project()


def test_lock_is_free_again(tmp_path):
    """Catches a lock that outlives its holder."""
    for _ in range(2):
        with exclusive(tmp_path / "lock", on_wait=lambda: pytest.fail("must not wait")):
            pass


def test_failing_pip_is_one_line(small):
    """Catches a traceback where pip finds no package."""
    (small.root / "requirements.txt").write_text("course_absent==1.0\n")
    try:
        _, output, code = small.start()
    finally:
        small.require("1.0")
    assert code == 2 and "Traceback" not in output
    assert output.splitlines()[-1].startswith("error: pip stopped (1)")
