"""Files are replaced whole or not at all, by one function for the whole course."""

import re

import pytest

from course_lib import writing


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    """Catches a name that two processes share, so that one renames what the other still writes."""
    path = tmp_path / "a.json"
    with writing.replacing(path) as first, writing.replacing(path) as second:
        first.write_bytes(b"first")
        second.write_bytes(b"second")
    assert path.read_bytes() == b"first" and [*tmp_path.iterdir()] == [path]


def test_a_writer_that_fails_changes_nothing(tmp_path):
    """Catches half a file, a leftover, and an error that turned into another one."""
    path = tmp_path / "a.json"
    writing.write_whole(path, "old \ud800")
    with pytest.raises(KeyboardInterrupt), writing.replacing(path) as part:
        part.write_bytes(b"new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old ?" and [*tmp_path.iterdir()] == [path]


def test_nobody_writes_files_in_a_way_of_his_own(root):
    """Catches one more private copy of "write beside, then rename"."""
    own = {
        "writing.py",
        "datasets/drive.py",  # a library chooses the names
        "datasets/fetch.py",  # a download that broke off is continued
    }
    found = {
        path.relative_to(root / "course_lib").as_posix()
        for path in (root / "course_lib").rglob("*.py")
        if re.search(r"os\.(?:replace|rename)\(", path.read_text(encoding="utf-8"))
    }
    assert found == own
