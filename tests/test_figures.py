"""Figures of all notebooks: one page, one type size, drawing that stands aside."""

import ast
import re
import statistics
from pathlib import Path

import pytest

from course_lib.authoring.source import read_source

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "solutions").glob("[0-9][0-9]_*.py"))
DRAWING = [*SOURCES, *sorted((ROOT / "course_lib/figures").glob("*.py"))]
DRAWS = {"plt", "ax", "axes", "fig", "plots", "figures"}


def drawing_lines(source):
    """How many lines of a cell's code draw: the statements that name what draws, no imports."""
    return sum(
        node.end_lineno - node.lineno + 1
        for node in ast.parse(source).body
        if not isinstance(node, ast.Import | ast.ImportFrom)
        and DRAWS & {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    )


@pytest.mark.parametrize("path", DRAWING, ids=lambda path: path.stem)
def test_figures_have_one_width_and_one_type_size(path):
    """Catches a figure that is wider than the page, and letters smaller than all others."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"figsize|fontsize", text)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_drawing_stands_aside(path):
    """Catches cells in which a student reads more of matplotlib than of the subject."""
    code = [cell.source for cell in read_source(path) if cell.kind == "code"]
    counts = [drawing_lines(source) for source in code if "plt.show()" in source]
    assert len(counts) >= 5 and statistics.median(counts) <= 4 and max(counts) <= 12


def test_drawing_is_counted():
    """Catches a count that is nothing whatever a cell holds."""
    source = "import matplotlib.pyplot as plt\nx = 1\nfor ax in axes:\n    ax.plot(x)\nplt.show()"
    assert drawing_lines(source) == 3
