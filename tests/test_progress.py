"""`progress_bar`: one line that changes, and what it leaves behind."""

import re

import IPython
import nbformat
import pytest
from nbclient import NotebookClient

from course_lib import progress


@pytest.fixture
def cell(monkeypatch):
    """A kernel whose outputs are kept: the texts that stood in the cell, one after another."""
    seen = []

    class Handle:
        def update(self, data, *, raw):
            seen.append(data["text/plain"])

    def display(data, *, raw, display_id):
        seen.append(data["text/plain"])
        return Handle()

    shell = type("Shell", (), {"kernel": None})()
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr(progress, "DELAY_S", 0)
    monkeypatch.setattr(progress, "EVERY_S", 0)
    return seen


def test_a_bar_ends_as_what_was_done(cell, capsys):
    """Catches `0%|` that stays in a saved notebook, and a red box of the error stream."""
    assert list(progress.progress_bar(range(1290), desc="training")) == list(range(1290))
    assert any("%|" in text and "/1290" in text for text in cell[:-1])
    assert re.fullmatch(r"training: 1,290 steps in \d+ s", cell[-1])
    assert capsys.readouterr() == ("", "")


def test_a_bar_that_is_broken_off_says_how_far_it_came(cell):
    """Catches a bar that stands still for ever after Ctrl-C, and one that claims the end."""
    with pytest.raises(ValueError), progress.progress_bar(total=10, unit=" faces") as bar:
        bar.update(4)
        raise ValueError
    assert re.fullmatch(r"4 faces in \d+ s", cell[-1])


def test_what_is_quick_shows_nothing(cell, monkeypatch):
    """Catches a line for each of a hundred short loops."""
    monkeypatch.setattr(progress, "DELAY_S", 5)
    assert sum(progress.progress_bar(range(100))) == 4950 and cell == []


def test_a_terminal_has_tqdm_itself(capsys, monkeypatch):
    """Catches a bar that a terminal never sees, or that stays there."""
    monkeypatch.setattr(progress, "DELAY_S", 0)
    assert len(list(progress.progress_bar(range(50)))) == 50
    told = capsys.readouterr().err
    assert "%|" in told and told.endswith("\r")


def test_an_executed_notebook_keeps_the_last_line_alone():
    """Catches updates that a runner keeps beside each other."""
    code = (
        "from course_lib import progress\nimport time\nprogress.DELAY_S = progress.EVERY_S = 0\n"
        "for _ in progress.progress_bar(range(5)):\n    time.sleep(0.01)"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    NotebookClient(notebook, timeout=60).execute()
    (output,) = notebook.cells[0].outputs
    assert output["data"] == {"text/plain": "5 steps in 0 s"}
