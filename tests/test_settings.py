"""Short runs, and the folders that COURSE_DATA and COURSE_CACHE name, as people write them."""

import os
from pathlib import Path

import pytest

from course_lib.commands.process import export_variables
from course_lib.datasets import catalog
from course_lib.settings import BANNER, named_folder, short_run_note, shortened

READERS = {"COURSE_DATA": catalog.data_folder, "COURSE_CACHE": catalog.cache_folder}
WAYS = ["{}", '"{}"', "'{}'", " {} ", '"{}" ', "{}\r", '" {} "', "'\"{}\"'", "{}/", '"{}/"']


@pytest.fixture(params=READERS)
def variable(request, monkeypatch):
    """Either variable, not set."""
    monkeypatch.delenv(request.param, raising=False)
    return request.param


@pytest.mark.parametrize("way", WAYS)
def test_quotes_and_blanks_fall_away(variable, way, tmp_path, monkeypatch):
    """Catches what `set COURSE_DATA="C:\\x" ` or `%env` leaves taken for part of the name."""
    folder = tmp_path / "my data"
    folder.mkdir()
    monkeypatch.setenv(variable, way.format(folder))
    assert READERS[variable]() == folder
    monkeypatch.setenv("PYTHONPATH", "")
    export_variables(tmp_path)  # for kernels, which start in another folder
    assert os.environ[variable] == str(folder)


@pytest.mark.parametrize("value", ["~/pictures", '"~/pictures"', "pictures", " 'pictures'"])
def test_home_and_relative_names(variable, value, tmp_path, monkeypatch):
    """Catches a ~ that no shell has replaced, and a name that changes with the folder."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    monkeypatch.setenv(variable, value)
    assert READERS[variable]() == Path(tmp_path, "pictures")
    assert named_folder(variable).is_absolute()


@pytest.mark.parametrize("value", ["", "  ", '""', "''", '" "', '"'])
def test_an_empty_name_is_none(variable, value, monkeypatch):
    """Catches the present folder taken for the data, or for the cache."""
    default = READERS[variable]()
    monkeypatch.setenv(variable, value)
    assert READERS[variable]() == default and named_folder(variable) is None


def test_a_quote_inside_a_name_stays(monkeypatch, tmp_path):
    """Catches a folder that loses the end of its own name."""
    folder = tmp_path / "the students'"
    folder.mkdir()
    monkeypatch.setenv("COURSE_DATA", str(folder))
    assert catalog.data_folder() == folder


def test_short_run_note_speaks_in_short_runs_only(monkeypatch, capsys):
    """Catches a note that stands in full runs, or is missing where the figures are rough."""
    monkeypatch.delenv("COURSE_FAST", raising=False)
    short_run_note("the maps")
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("COURSE_FAST", "1")
    short_run_note("the maps")
    assert "the maps" in capsys.readouterr().out


@pytest.mark.parametrize(("value", "is_short"), [("", False), ("0", False), ("1", True)])
def test_a_short_run_says_so(value, is_short, monkeypatch, capsys):
    """Catches COURSE_FAST=0 taken for a wish, and rough figures without a word about them."""
    monkeypatch.setenv("COURSE_FAST", value)
    assert shortened((100, "full"), (1, "short")) == ((1, "short") if is_short else (100, "full"))
    assert capsys.readouterr().out == (f"{BANNER}\n" if is_short else "")
