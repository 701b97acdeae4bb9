"""`progress_bar`: one line that changes, and what it leaves behind."""

import re
import sys
from types import SimpleNamespace

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
    with progress.progress_bar(total=2) as bar:
        bar.update(1)
        bar.write("said in between")
    assert capsys.readouterr() == ("said in between\n", "")


def test_a_bar_that_is_broken_off_says_how_far_it_came(cell):
    """Catches a bar that stands still for ever after Ctrl-C, and one that claims the end."""
    with pytest.raises(ValueError), progress.progress_bar(total=10, unit=" faces") as bar:
        bar.update(4)
        raise ValueError
    assert re.fullmatch(r"4 faces in \d+ s", cell[-1])
    last = len(cell)
    bar.close()
    assert len(cell) == last


def test_a_bar_says_its_seconds_and_fits_a_cell(cell):
    """Catches minutes or steps for seconds, lines that wrap, and bars that pile up in tqdm."""
    before = {*progress.tqdm._instances}
    with progress.progress_bar(total=3000, desc="a long description of what is done") as bar:
        bar.start_t -= 76.6
        bar.update(2000)
        assert len(bar.desc) + 40 < len(cell[-1]) <= 80
    assert cell[-1] == "a long description of what is done: 2,000 steps in 77 s"
    assert {*progress.tqdm._instances} == before


def test_a_bar_is_drawn_again_once_in_a_while(cell, monkeypatch):
    """Catches a bar that stands still, and one that slows the loop that it is about."""
    counts = []
    for seconds in (0, 3600):
        monkeypatch.setattr(progress, "EVERY_S", seconds)
        start = len(cell)
        assert len(list(progress.progress_bar(range(200)))) == 200
        counts.append(len(cell) - start)
    assert counts[0] > 20 and counts[1] == 2  # the first and the last


def test_the_loss_is_drawn_while_it_falls(cell):
    """Catches a curve upside down, one that grows without end, and one that stays behind."""
    records = [SimpleNamespace(loss=1000 * 0.9**i) for i in range(200)]
    assert list(progress.progress_bar(records, total=200)) == records
    bar, told = cell[-2].split("\n")
    assert "/200" in bar and told.startswith("loss █") and "▁ 0." in told and len(told) < 80
    assert [told.index(block) for block in "█▇▆▅▄▃▂▁"] == sorted(map(told.index, "█▇▆▅▄▃▂▁"))
    assert re.fullmatch(r"200 steps in \d+ s", cell[-1])


@pytest.mark.parametrize("values", [[2.0, 2.0], [-5.0, 3.0, 1.0], [0.0, 1.0]])
def test_any_losses_are_drawn(values):
    """Catches a curve that fails where the loss stands still or falls below 0."""
    assert len(progress.curve(values).split()[0]) == len(values)


def test_what_is_quick_shows_nothing(cell, monkeypatch):
    """Catches a line for each of a hundred short loops."""
    monkeypatch.setattr(progress, "DELAY_S", 5)
    assert sum(progress.progress_bar(range(100))) == 4950 and cell == []


def test_a_terminal_has_tqdm_itself(capsys, monkeypatch):
    """Catches a bar that a terminal never sees, or that stays there."""
    monkeypatch.setattr(progress, "DELAY_S", 0)
    assert len(list(progress.progress_bar(range(50)))) == 50
    told = capsys.readouterr().err
    assert "%|" in told and told.endswith("\r") and "steps/s" in told
    monkeypatch.setattr(IPython, "get_ipython", lambda: type("Terminal", (), {})())
    assert len(list(progress.progress_bar(range(50)))) == 50
    assert "%|" in capsys.readouterr().err  # IPython in a terminal has no cells
    monkeypatch.delitem(sys.modules, "IPython")
    assert len(list(progress.progress_bar(range(50)))) == 50


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
