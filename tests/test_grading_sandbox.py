"""The sandbox: what a command under each level sees, may do, and leaves behind."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from course_lib.grading.sandbox import command as sandbox
from course_lib.grading.sandbox import supervise
from course_lib.grading.sandbox.limits import Limits
from course_lib.grading.sandbox.mounts import make_place
from course_lib.grading.sandbox.watch import kill_tree, watch

pytestmark = pytest.mark.grading
LIMITS = Limits(processes=40, disk_mb=8, memory_mb=300)
APART = [
    pytest.param(level, marks=pytest.mark.skipif(not sandbox.works(level), reason=reason))
    for level, reason in [
        ("namespaces", "this system lets nobody make namespaces"),
        ("bwrap", "bubblewrap is not installed, or may not make namespaces"),
    ]
]
POSIX = pytest.mark.skipif(os.name == "nt", reason="limits of processes need POSIX")
each_level = pytest.mark.parametrize("level", [*APART, pytest.param("process", marks=POSIX)])
each_apart = pytest.mark.parametrize("level", APART)


@pytest.fixture
def inside(tmp_path):
    """inside(level, code): what a Python in the sandbox prints, as JSON."""

    def run(level, code, *, hidden=(), shared=None, timeout=60):
        place = make_place(tmp_path / "scratch", hidden=hidden, shared=shared)
        line = [sys.executable, "-c", f"import json, os, sys\n{code}"]
        command = sandbox.command(level, place, line, limits=LIMITS, extra={})
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    return run


@each_apart
def test_python_may_be_started_by_a_roundabout_path(monkeypatch, level):
    """Catches a class that runs without isolation as `../.venv/bin/python` is not there inside."""
    folder = Path(sys.executable).parent
    monkeypatch.setattr(sys, "executable", f"{folder}/../{folder.name}/../../{folder.parent.name}/"
                        f"{folder.name}/{Path(sys.executable).name}")  # fmt: skip
    monkeypatch.setattr(sandbox, "works", sandbox.works.__wrapped__)
    assert sandbox.works(level)
    assert ".." not in supervise.process_command("sandbox")[0]


@each_apart
def test_nothing_of_the_course_but_what_notebooks_need(inside, root, level):
    """Catches solutions, tests, judges or git that a submission can see, by path or by import."""
    seen = inside(
        level,
        f"""
there = [p for p in ("solutions", "tests", ".git", "course_lib") if os.path.exists(
    os.path.join({str(root)!r}, p))]
import course_lib, course_lib.exercises as e
print(json.dumps([there, sorted(os.listdir("/course")), sorted(os.listdir(e.__path__[0])),
    sorted(os.listdir(course_lib.__path__[0] + "/grading/sandbox")),
    sorted(os.listdir(os.getcwd()))]))
""",
    )
    there, course, exercises, grading, work = seen
    assert there == work == [] and course == ["course_lib", "data"]
    assert exercises == ["__init__.py"]
    assert grading == ["__init__.py", "boot.py", "linux.py", "namespaces.py"]


@each_level
def test_environment_is_clean(inside, monkeypatch, level):
    """Catches a token of the instructor that a submission can read."""
    monkeypatch.setenv("SECRET_TOKEN", "x")
    env = inside(level, "print(json.dumps(dict(os.environ)))")
    assert "SECRET_TOKEN" not in env and env["COURSE_FAST"] == "1"
    assert not set(env["HOME"]) & set(" ") and env["HOME"] != os.path.expanduser("~")


@each_apart
def test_no_network(inside, level):
    """Catches a sandbox from which a server on this machine can be reached."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        port = server.getsockname()[1]
        said = inside(
            level,
            f"""
import socket
try:
    socket.create_connection(("127.0.0.1", {port}), timeout=3)
    print('"connected"')
except OSError as error:
    print('"refused"')
""",
        )
        assert said == "refused"
        with pytest.raises(TimeoutError):
            server.accept()


@each_apart
def test_files_outside_are_read_only(inside, tmp_path, level):
    """Catches a sandbox that can write anywhere but in its temporary folder, or fill the memory."""
    outside = tmp_path / "victim"
    outside.mkdir()
    (outside / "kept.txt").write_text("kept")
    wrote = inside(
        level,
        f"""
import shutil
wrote = []
for place in ["/", "/usr", "/course", "/dev", {str(outside)!r}, "/tmp", os.environ["HOME"]]:
    shutil.rmtree({str(outside)!r}, ignore_errors=True)
    try:
        open(os.path.join(place, "new"), "w").write("x")
        wrote.append(place)
    except OSError:
        pass
try:
    open("/tmp/large", "wb").write(bytes(2**25))
    wrote.append("32 MB")
except OSError:
    pass
print(json.dumps(wrote))
""",
    )
    assert wrote == ["/tmp", "/tmp/home"]
    assert (outside / "kept.txt").read_text() == "kept" and len(list(outside.iterdir())) == 1


@each_apart
def test_no_rights_and_own_processes(inside, level):
    """Catches a capability that is left, a way to gain one, and processes of others in sight."""
    status, pids = inside(
        level,
        """
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
print(json.dumps([status, [p for p in os.listdir("/proc") if p.isdigit()]]))
""",
    )
    assert all(int(status[name], 16) == 0 for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb"))
    assert status["NoNewPrivs"].strip() == "1" and len(pids) <= 3


@each_apart
def test_fork_bomb_is_bounded(inside, level):
    """Catches a limit on processes that does not count, as for root outside a namespace."""
    count = inside(
        level,
        """
import signal, time
made = 0
try:
    while made < 200:  # enough to see that the limit of 40 holds, harmless if it did not
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        made += 1
except OSError:
    pass
print(made)
""",
    )
    assert 20 <= count <= 40


@each_level
def test_memory_is_bounded(inside, level):
    """Catches a process that takes all memory before anybody looks."""
    said = inside(
        level,
        """
kept = []
try:
    while len(kept) < 30:
        kept.append(bytearray(100 * 2**20))
except MemoryError:
    pass
print(len(kept))
""",
    )
    assert said <= 13  # 300 MB, and 1 GB for what libraries reserve


@each_apart
def test_nothing_is_left_running(inside, level):
    """Catches a detached grandchild that outlives its sandbox."""
    name = f"98{os.getpid()}"
    inside(
        level,
        f"""
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "{name}"])
    os._exit(0)
import time
time.sleep(0.3)
print("0")
""",
    )
    assert running(name) == []


def running(word):
    """Processes with this word in their command."""
    return [p for p in psutil.process_iter(["cmdline"]) if word in (p.info["cmdline"] or [])]


@each_apart
def test_all_end_with_the_one_outside(tmp_path, level):
    """Catches processes that go on when the grader itself is killed."""
    place, name = make_place(tmp_path / "scratch"), f"97{os.getpid()}"
    command = sandbox.command(level, place, ["/bin/sleep", name], limits=LIMITS, extra={})
    process = subprocess.Popen(command, start_new_session=True)
    end = time.monotonic() + 20
    while not running(name) and time.monotonic() < end:
        time.sleep(0.05)
    assert running(name)
    process.kill()
    process.wait()
    while running(name) and time.monotonic() < end:
        time.sleep(0.05)
    assert running(name) == []


@POSIX
def test_watch_ends_a_tree(tmp_path):
    """Catches a watch that sees only the first process, or kills only that one."""
    name = f"96{os.getpid()}"
    shell = subprocess.Popen(["/bin/sh", "-c", f"sleep {name} & sleep {name} & sleep {name}"])
    ended, said = threading.Event(), []

    def stop(status, reason):
        said.append(status)
        kill_tree(shell.pid)

    limits = Limits(processes=1)
    watch(lambda: shell.pid, limits, stop, folder=tmp_path, ended=ended).join(timeout=20)
    shell.wait(timeout=10)
    assert said == ["killed"] and running(name) == []


@POSIX
def test_watch_sees_litter(tmp_path):
    """Catches a submission that fills the disk through the folder of the sockets."""
    (tmp_path / "deep").mkdir()
    said = []
    ended = threading.Event()
    thread = watch(os.getpid, Limits(), lambda *s: said.append(s), folder=tmp_path, ended=ended)
    thread.join(timeout=20)
    assert said and said[0][0] == "killed"


@each_apart
def test_an_installed_copy_is_hidden(inside, tmp_path, monkeypatch, level):
    """Catches judges that are readable because the course was also installed with pip."""
    packages = tmp_path / "site-packages"
    (packages / "course_lib/exercises").mkdir(parents=True)
    (packages / "other").mkdir()
    monkeypatch.syspath_prepend(str(packages))
    seen = inside(
        level,
        f"""
found = [os.path.exists(os.path.join({str(packages)!r}, name)) for name in (
    "other", "course_lib/exercises")]
print(json.dumps(found))
""",
    )
    assert seen == [True, False]
