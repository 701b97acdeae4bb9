"""One file over HTTP: checksum, broken connections, resume, time-outs, from loopback."""

# ruff: noqa: F811  (a fixture is imported by its name)

import socket

import pytest
from loopback import DATA, NAME, md5, names, server  # noqa: F401

from course_lib import progress
from course_lib.datasets import fetch
from course_lib.errors import CourseError


def get_file(server, tmp_path, *, checksum=None):
    """Fetch the server's big file."""
    path = tmp_path / NAME
    fetch.fetch(server.url + NAME, path, md5=checksum or md5(DATA))
    return path


@pytest.mark.parametrize("mode", ["", "no length"])
def test_right_file(server, tmp_path, mode):
    """Catches a lost or doubled chunk, and a file left under its temporary name."""
    server.mode = mode
    assert get_file(server, tmp_path).read_bytes() == DATA
    assert names(tmp_path) == [NAME]


def test_progress_is_visible(server, tmp_path, capsys, monkeypatch):
    """Catches a download that looks like a standstill."""
    monkeypatch.setattr(progress, "DELAY_S", 0)
    get_file(server, tmp_path)
    assert NAME in capsys.readouterr().err


def test_wrong_checksum(server, tmp_path):
    """Catches a wrong file put in place, or one that poisons every later try."""
    with pytest.raises(CourseError, match="wrong checksum"):
        get_file(server, tmp_path, checksum="0" * 32)
    assert names(tmp_path) == []


def test_broken_connection_and_resume(server, tmp_path):
    """Catches half a file taken for a whole one, and a second try that begins again."""
    server.mode = "break"
    with pytest.raises(CourseError, match="broke off"):
        get_file(server, tmp_path)
    assert names(tmp_path) == [NAME + ".part"]
    half = (tmp_path / (NAME + ".part")).stat().st_size
    assert 0 < half < len(DATA)
    assert get_file(server, tmp_path).read_bytes() == DATA
    assert server.seen[-1] == (NAME, f"bytes={half}-") and names(tmp_path) == [NAME]


def test_server_that_ignores_ranges(server, tmp_path):
    """Catches the whole file appended to the half that was there."""
    (tmp_path / (NAME + ".part")).write_bytes(DATA[:1000])
    server.mode = "no range"
    assert get_file(server, tmp_path).read_bytes() == DATA
    assert len(server.seen) == 1


def test_server_that_sends_another_range(server, tmp_path):
    """Catches bytes from the wrong place appended without a look at Content-Range."""
    (tmp_path / (NAME + ".part")).write_bytes(DATA[:1000])
    server.mode = "wrong range"
    with pytest.raises(CourseError, match="unexpected answer"):
        get_file(server, tmp_path)
    assert (tmp_path / (NAME + ".part")).read_bytes() == DATA[:1000]


@pytest.mark.parametrize("start", [b"x" * 1000, b"x" * 300_000, b"x" * 400_000])
def test_wrong_beginning_is_thrown_away(server, tmp_path, start):
    """Catches a `.part` of another file, as long or longer, that spoils every later try."""
    (tmp_path / (NAME + ".part")).write_bytes(start)
    assert get_file(server, tmp_path).read_bytes() == DATA
    assert len(server.seen) == 2 and server.seen[1][1] is None


def test_part_that_is_already_whole(server, tmp_path):
    """Catches a download repeated because its last step, the renaming, was interrupted."""
    (tmp_path / (NAME + ".part")).write_bytes(DATA)
    assert get_file(server, tmp_path).read_bytes() == DATA
    assert len(server.seen) == 1


@pytest.mark.parametrize(("mode", "code"), [("", "404"), ("busy", "503")])
def test_refusals(server, tmp_path, mode, code):
    """Catches a traceback, or an error page kept as the file."""
    server.mode, server.files = mode, {}
    with pytest.raises(CourseError, match=code):
        get_file(server, tmp_path)
    assert names(tmp_path) == []


def test_server_that_hangs(server, tmp_path, monkeypatch, within):
    """Catches a class that waits for ever for a server that has fallen silent."""
    monkeypatch.setattr(fetch, "READ_TIMEOUT_S", 0.3)
    server.mode = "hang"

    def give_up():
        with pytest.raises(CourseError, match="broke off"):
            get_file(server, tmp_path)
        assert names(tmp_path) == [NAME + ".part"]

    within(2.5, give_up)


def test_full_disk(server, tmp_path, monkeypatch):
    """Catches a full disk reported as a network fault."""

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetch, "_copy", full)
    with pytest.raises(CourseError, match="disk is full"):
        get_file(server, tmp_path)
    assert not (tmp_path / NAME).exists()


def test_probe(server, monkeypatch, within):
    """Catches a probe that hangs, and one that takes a closed door for an open one."""
    assert fetch.reachable("http://127.0.0.1:9/", server.url)
    monkeypatch.setattr(fetch, "PROBE_TIMEOUT_S", 0.3)
    server.mode = "deaf"

    def no_answer(*args, **kwargs):
        server.release.wait(60)
        raise socket.gaierror

    def probe():
        assert not fetch.reachable(server.url)
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            assert not fetch.reachable(f"http://127.0.0.1:{closed.getsockname()[1]}/")
        with monkeypatch.context() as silent:
            silent.setattr(socket, "getaddrinfo", no_answer)  # a name server that is silent
            assert not fetch.reachable("http://nowhere.invalid/", "http://nowhere2.invalid/")

    within(1.4, probe)
