"""Palette and sizes: they stand here and nowhere else, so that all figures look alike."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping

import matplotlib as mpl
from matplotlib import cycler

# Okabe & Ito (2008), "Color Universal Design": told apart with every common colour blindness.
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
VERMILION, SKY, YELLOW, BLACK = "#D55E00", "#56B4E9", "#F0E442", "#000000"
PALETTE = [BLUE, ORANGE, GREEN, PINK, VERMILION, SKY, YELLOW, BLACK]
# Ten classes: those above, yellow darkened since points of it are lost on white; a grey, a brown.
CLASS_COLOURS = [*PALETTE[:6], "#A89B00", BLACK, "#999999", "#8C510A"]
# Colour alone never carries the meaning: each class has a marker of its own as well.
CLASS_MARKERS = ["o", "s", "^", "v", "D", "P", "X", "*", "<", ">"]
LINE_STYLES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))]

STYLE = {
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.labelsize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
    "lines.linewidth": 2.2,
    "lines.markersize": 7,
    "legend.frameon": False,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
    "axes.prop_cycle": cycler(color=PALETTE),
    "figure.max_open_warning": 20,  # as usual: `rcdefaults` leaves it as it is
}


def use_course_style() -> None:
    """Set matplotlib's defaults with the course's style over them: of the user's own nothing stays.

    In a kernel figures stand below their cells, even where MPLBACKEND names something else.
    """
    IPython = sys.modules.get("IPython")  # as matplotlib asks: without it there is no kernel
    shell = IPython and IPython.get_ipython()
    if hasattr(shell, "kernel"):
        shell.run_line_magic("matplotlib", "inline")
    _set_style()


@contextlib.contextmanager
def course_style(more: Mapping[str, object] | None = None) -> Iterator[None]:
    """The same for figures drawn inside, with `more` settings; afterwards all is as it was."""
    with mpl.rc_context():
        _set_style()
        mpl.rcParams.update(more or {})
        yield


def _set_style() -> None:
    mpl.rcdefaults()  # all but the backend
    mpl.rcParams.update(STYLE)
