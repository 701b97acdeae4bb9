"""`bench start` and what keeps the first minute short: nothing heavy before it is needed."""

import json
import os
import subprocess
import sys

import pytest

from course_lib.benchmarks import lab, start
from course_lib.commands import cli

UNNEEDED = {"torchvision", "sklearn", "scipy", "pandas", "torch._dynamo.config"}  # seconds
LAB = """
import sys
from course_lib.commands import cli, lab
lab.hand_over = lambda command: print(*sys.modules) or 0
sys.exit(cli.main(["lab", "--no-browser"]))
"""
# No network, no cache; in place of the stand-in, which scikit-learn's digits are needed for once.
FIRST_CELLS = """
import sys, torch
from course_lib.datasets import Dataset, Split, downloads, loading
downloads.reachable = lambda *urls: False
split = Split(torch.zeros(40, 1, 28, 28, dtype=torch.uint8), torch.arange(40) % 10)
loading._drawn = lambda spec, size: Dataset(spec.name, "", split, split, stand_in=True)
for cell in {cells!r}:
    exec(cell, globals())
print(plt.get_fignums())
print(*sys.modules)
"""


@pytest.fixture
def cells(root):
    """The code cells of notebook 01 down to the first figure."""
    text = (root / "notebooks/01_autoencoder_basics.ipynb").read_text(encoding="utf-8")
    found = [
        "".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"
    ]
    figure = next(number for number, cell in enumerate(found) if "plt.show(" in cell)
    return found[: figure + 1]


def printed(code, root, **variables):
    """The lines that a fresh Python prints."""
    env = {**os.environ, "PYTHONPATH": str(root), "MPLBACKEND": "Agg", **variables}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_lab_imports_no_package_of_the_notebooks(root):
    """Catches a command that takes seconds to import what the kernel imports again."""
    loaded = printed(LAB, root)[-1].split()
    assert "course_lib.commands.lab" in loaded
    assert not {"torch", "numpy", "matplotlib", "IPython", *UNNEEDED} & set(loaded)


def test_the_first_figure_needs_torch_and_matplotlib_alone(root, cells, tmp_path):
    """Catches an import at the head of a module that only one of its functions needs."""
    variables = {"COURSE_DATA": "", "COURSE_CACHE": str(tmp_path), "COURSE_OFFLINE": "0"}
    *_, figures, loaded = printed(FIRST_CELLS.format(cells=cells), root, **variables)
    assert figures == "[1]"
    assert not UNNEEDED & set(loaded.split())


def test_the_cells_that_are_timed_are_there(cells):
    """Catches a benchmark that waits in vain, or times another cell than it says."""
    first, torch = (next(n for n, c in enumerate(cells) if line in c) for line in start.CELLS)
    assert 0 == first < torch < len(cells)


def times(factor):
    """One start."""
    return {step: factor * seconds for seconds, step in enumerate(start.STEPS, start=1)}


@pytest.mark.parametrize(("slowest", "verdict"), [(2.0, "reached"), (3.0, "MISSED")])
def test_figures_are_printed_and_written(slowest, verdict, tmp_path, monkeypatch, capsys):
    """Catches a median with the first start in it, and a limit that is always reached."""
    monkeypatch.setattr(lab, "lacking", lambda: None)
    monkeypatch.setattr(start, "measure", lambda: [times(f) for f in (9, slowest, 1, slowest)])
    file = tmp_path / "figures.json"
    assert cli.main(["bench", "start", "--json", str(file)]) == 0
    figures = json.loads(file.read_text())["start"]
    assert figures["median"] == times(slowest) and figures["first"] == times(9)
    assert verdict in capsys.readouterr().out


def test_without_a_browser_it_says_so(monkeypatch, capsys):
    """Catches a traceback of Playwright in place of what to install."""
    monkeypatch.setattr(lab, "lacking", lambda: "no Chromium on the path: apt install chromium")
    assert start.run() == {}
    assert "not measured: no Chromium" in capsys.readouterr().out


def test_the_address_is_what_a_student_is_shown(tmp_path):
    """Catches the file of the same line taken for the address, or one without its token."""
    log = tmp_path / "log"
    log.write_text(
        "file:///x/jpserver-1-open.html\n http://localhost:8888/lab/tree/01_a.ipynb?token=0ab\n"
    )
    assert start.address(log) == "http://localhost:8888/lab/tree/01_a.ipynb?token=0ab"
