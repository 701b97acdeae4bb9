"""When the launcher refuses, and when it leaves the active environment as it is."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from course_lib.commands import environment, installer
from course_lib.errors import CourseError


def test_full_disk_is_refused_before_the_download(tmp_path, monkeypatch):
    """Catches a download of minutes onto a disk that cannot take it."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 8, 10**9))
    with pytest.raises(CourseError, match=r"needs 2\.5 GB free in .* has 1\.0 GB"):
        installer.check_space(tmp_path, gigabytes=2.5)


def test_full_disk_is_refused_before_venv_is_made(tmp_path, monkeypatch):
    """Catches a `python -m venv` that a full disk ends, with an error about something else."""
    (tmp_path / ".venv").mkdir()
    (tmp_path / "requirements.txt").write_text("torch==2.14.1\n")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 8, 10**7))
    monkeypatch.setattr(installer, "make_venv", lambda venv: pytest.fail("makes .venv"))
    with pytest.raises(CourseError, match=r"needs 2\.5 GB free"):
        installer.install(tmp_path, needs=(), torch="auto", lock=0)


@pytest.mark.parametrize(
    ("said", "hinted"),
    [
        ("the environment was not created because ensurepip is not\navailable", True),
        ("No module named ensurepip", True),
        ("[Errno 28] No space left on device", False),
        ("Command '[python, '-m', 'ensurepip']' returned non-zero exit status 1.", False),
    ],
)
def test_apt_is_named_only_where_it_helps(said, hinted):
    """Catches advice to install a package when the disk is full."""
    with pytest.raises(CourseError) as error:
        installer._run_quietly([sys.executable, "-c", f"import sys; sys.exit({said!r})"])
    assert said in str(error.value)
    assert ("apt install python3-venv" in str(error.value)) is hinted


@pytest.mark.skipif(os.name == "nt", reason="environments hold no links there")
def test_disk_without_symbolic_links_is_named(tmp_path, monkeypatch):
    """Catches venv's "Operation not permitted" about a file that nobody knows, on a USB stick."""

    def refuses(self, target):
        raise OSError(1, "Operation not permitted")

    (tmp_path / ".venv").mkdir()
    monkeypatch.setattr(Path, "symlink_to", refuses)
    monkeypatch.setattr(Path, "is_mount", lambda self: self == tmp_path)
    with pytest.raises(CourseError, match=rf"the disk at {tmp_path} keeps no symbolic links"):
        installer.make_venv(tmp_path / ".venv")
    monkeypatch.undo()
    installer._check_links(tmp_path / ".venv")
    assert not list((tmp_path / ".venv").iterdir())


def test_python_without_ensurepip_is_told_what_to_install(tmp_path, monkeypatch):
    """Catches Debian's bare python3, where venv exists and cannot work."""
    monkeypatch.setattr(installer.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CourseError, match="apt install python3-venv"):
        installer.make_venv(tmp_path)


@pytest.mark.parametrize(
    ("version", "system", "machine", "release", "libc", "words"),
    [
        ((3, 15, 0), "linux", "x86_64", "", "glibc", "from 3.11 to 3.14"),
        ((3, 12, 0), "darwin", "x86_64", "15.1", "", "Intel"),
        ((3, 12, 0), "darwin", "arm64", "13.6.9", "", r"macOS 13\.6\.9: bring it to 14"),
        ((3, 12, 0), "darwin", "arm64", "14.0", "", None),
        ((3, 12, 0), "win32", "ARM64", "", "", "ARM on Windows"),
        ((3, 12, 0), "win32", "AMD64", "", "", None),
        ((3, 12, 0), "linux", "armv7l", "", "glibc", "Linux on armv7l"),
        ((3, 12, 0), "linux", "x86_64", "", "", "without glibc"),
        ((3, 14, 1), "linux", "aarch64", "", "glibc", None),
    ],
)
def test_systems_without_pytorch_are_told(
    monkeypatch, version, system, machine, release, libc, words
):
    """Catches pip's "no matching distribution" as the only answer there."""
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(installer.platform, "machine", lambda: machine)
    monkeypatch.setattr(installer.platform, "mac_ver", lambda: (release, ("", "", ""), machine))
    monkeypatch.setattr(installer.platform, "libc_ver", lambda: (libc, ""))
    if words is None:
        installer.check_system()
        return
    with pytest.raises(CourseError, match=words):
        installer.check_system()


@pytest.fixture
def own_variables():
    """What a start sets for its children must not reach the tests that follow."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.usefixtures("own_variables")
def test_active_environment_that_has_everything_is_used(root, monkeypatch, capsys):
    """Catches a second installation for those who use conda and environment.yml."""
    monkeypatch.setattr(environment, "_install_alone", lambda *_, **__: pytest.fail("installs"))
    monkeypatch.setattr(environment, "_go_on_inside", lambda *_, **__: pytest.fail("leaves"))
    monkeypatch.setattr(environment.requirements, "lacking", lambda *_: [])
    monkeypatch.setattr(environment, "read_stamp", lambda venv: {})
    environment.ensure(root, needs=("lab",), torch=None, argv=["lab"])
    assert capsys.readouterr() == ("", "")
    environment.ensure(root, needs=("lab",), torch="cpu", argv=["lab"])
    assert "--torch changes nothing" in capsys.readouterr().err


@pytest.mark.usefixtures("own_variables")
def test_own_environment_named_venv_is_not_touched(tmp_path, monkeypatch):
    """Catches a pip run in a .venv that the user has made and filled without the launcher."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.setattr(environment, "read_stamp", lambda venv: {})
    monkeypatch.setattr(environment.requirements, "lacking", lambda *_: [])
    monkeypatch.setattr(environment, "_install_alone", lambda *_, **__: pytest.fail("installs"))
    environment.ensure(tmp_path, needs=("lab",), torch=None, argv=["lab"])
