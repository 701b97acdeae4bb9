"""The first cell of every notebook, in fresh Pythons: in a clone, alone in a folder, on Colab."""

import http.server
import io
import os
import re
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from course_lib.authoring.address import Address, course_address, setup_source

ADDRESS = Address("someone/some-course", "v7")
PACKAGES = "torch torchvision sklearn matplotlib ipywidgets safetensors filelock platformdirs"


def archive():
    """What GitHub serves for a tag of a tiny course."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("some-course-7/course_lib/__init__.py", "NAME = 'the course'\n")
        made.writestr("some-course-7/requirements-colab.txt", "tiny-package>=1\n")
    return buffer.getvalue()


class Machine:
    """A folder, a server that answers for GitHub, and the packages that Python has."""

    def __init__(self, folder):
        self.folder, self.body, self.asked = folder, archive(), []
        self.packages = folder.parent / "packages"
        self.packages.mkdir()
        for name in PACKAGES.split():
            (self.packages / f"{name}.py").touch()

    def run(self, *, times=1, colab=False, cwd=None, address=ADDRESS, **variables):
        """The cell in a fresh Python whose pip only says what it was asked for; no git on PATH."""
        address = address and self.url(address)
        cell = setup_source(ADDRESS).replace(ADDRESS.archive, address or "https://")
        lines = [
            "import subprocess, sys, types",
            "sys.path = [p for p in sys.path if 'site-packages' not in p]",
            f"sys.path.append({str(self.packages)!r})",
            "subprocess.run = lambda command, **_: print('RUN', *command[1:])",
            "sys.modules['google.colab'] = types.ModuleType('google.colab')" if colab else "",
            *[f"exec(compile({cell!r}, 'cell', 'exec'), globals())"] * times,
            "import os, course_lib; print('AT', os.getcwd(), course_lib.__file__)",
            "print('PATHS', sys.path.count(os.path.dirname(os.path.dirname(course_lib.__file__))))",
        ]
        environment = {**os.environ, "PATH": "", **variables}
        return subprocess.run(
            [sys.executable, "-I", "-c", "\n".join(lines)],
            cwd=cwd or self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def url(self, address):
        return address.archive.replace("https://github.com", f"http://127.0.0.1:{self.port}")


@pytest.fixture
def machine(tmp_path):
    """A notebook's folder with nothing in it."""
    (tmp_path / "alone").mkdir()
    made = Machine(tmp_path / "alone")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            made.asked.append(self.path)
            self.send_response(200 if made.body else 404)
            self.end_headers()
            self.wfile.write(made.body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


def one_line(done):
    """What the cell says when it stops."""
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_alone_it_fetches_the_course_once_and_without_git(machine):
    """Catches a moving version, a second copy, a nested folder, words about git, litter."""
    first = machine.run(times=2)
    assert machine.asked == ["/someone/some-course/archive/refs/tags/v7.zip"]
    course = machine.folder / "some-course"
    assert first.stderr == "" and f"AT {course} {course / 'course_lib'}" in first.stdout
    assert [path.name for path in machine.folder.iterdir()] == ["some-course"]
    again = machine.run()  # a restarted kernel begins in the notebook's folder
    assert len(machine.asked) == 1 and f"AT {course} " in again.stdout
    assert "PATHS 1" in first.stdout  # no entry twice


def test_only_small_packages_are_installed(machine):
    """Catches torch or numpy that are installed, or anything into the wrong Python."""
    assert "RUN -m pip install --quiet -r requirements-colab.txt" in machine.run().stdout
    (machine.packages / "torch.py").unlink()
    done = machine.run()
    assert "RUN" not in done.stdout and "lacks ['torch']: " in one_line(done)


@pytest.mark.parametrize("where", [".", "notebooks", "mine/deep"])
def test_in_the_course_nothing_is_fetched_or_installed(machine, where):
    """Catches a set-up that fetches, installs or changes folder where the course is at hand."""
    (machine.folder / "course_lib").mkdir()
    (machine.folder / "course_lib/__init__.py").touch()
    (machine.folder / where).mkdir(parents=True, exist_ok=True)
    done = machine.run(times=2, cwd=machine.folder / where)
    assert machine.asked == [] and "RUN" not in done.stdout
    assert f"AT {machine.folder / where} {machine.folder / 'course_lib'}" in os.path.normpath(
        done.stdout.strip()
    )


def test_the_wrong_kernel_is_named_in_one_line(machine):
    """Catches a ModuleNotFoundError cells later, where another Python runs the notebook."""
    (machine.folder / "course_lib").mkdir()
    for name in ("torch", "ipywidgets"):
        (machine.packages / f"{name}.py").unlink()
    said = one_line(machine.run())
    assert f"Python {sys.version.split()[0]} ({sys.executable}) is too old or lacks " in said
    assert "['torch', 'ipywidgets']: choose another kernel" in said


def test_on_colab_it_says_how_to_keep_work(machine):
    """Catches a day's work that is lost with Colab's machine, and the advice anywhere else."""
    advice = "File → Save a copy in Drive"
    variables = {"PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8"}
    assert advice in setup_source(ADDRESS)
    assert advice not in machine.run(**variables).stdout
    assert "Save a copy in Drive" in machine.run(colab=True, **variables).stdout


@pytest.mark.parametrize("harm", ["cut off", "no zip", "not there", "no network", "no address"])
def test_a_course_that_cannot_be_fetched_is_one_line(machine, harm):
    """Catches a traceback, half a course that the next run takes for whole, or litter."""
    address = ADDRESS
    if harm == "cut off":
        machine.body = machine.body[:-30]
    elif harm == "no zip":
        machine.body = b"<html>Sign in to this network</html>"
    elif harm == "not there":
        machine.body = b""
    elif harm == "no network":
        machine.port = 9
    else:
        address = None
    said = one_line(machine.run(address=address))
    assert said.startswith("No course in ") and "run this cell with a network" in said
    assert [*machine.folder.iterdir()] == []


def test_a_folder_without_write_permission_is_one_line(machine):
    """Catches a traceback where the notebook lies on a read-only disk."""
    folder = Path("/proc")  # even root cannot write there
    if not folder.is_dir():
        machine.folder.chmod(0o500)
        folder = machine.folder
    said = one_line(machine.run(cwd=folder))
    machine.folder.chmod(0o700)
    assert said.startswith(f"No course in {folder} or above, and none fetched ([Errno")


def test_set_up_is_short_and_installs_nothing_heavy():
    """Catches a first cell too long to read, or an upgrade of what Colab has."""
    source = setup_source(ADDRESS)
    assert len(source.split("\n")) <= 32 and max(map(len, source.split("\n"))) <= 100
    assert not re.search(r"install.*(torch|numpy|ipywidgets)|--upgrade", source)


def test_set_up_of_the_course_names_its_own_tag(root):
    """Catches a set-up that fetches another version than the one that it stands in."""
    address = course_address(root)
    assert f"{address.url}/archive/refs/tags/{address.tag}.zip" in setup_source(address)
