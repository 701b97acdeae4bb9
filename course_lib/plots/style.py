"""Palette and sizes: they stand here and nowhere else, so that all figures look alike."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator, Mapping

import matplotlib as mpl
from matplotlib import cycler
from matplotlib.colors import to_rgb

# Okabe & Ito (2008), "Color Universal Design": told apart with every common colour blindness.
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
VERMILION, SKY, YELLOW, BLACK = "#D55E00", "#56B4E9", "#F0E442", "#000000"
PALETTE = [BLUE, ORANGE, GREEN, PINK, VERMILION, SKY, YELLOW, BLACK]
# Ten classes: those above, yellow darkened since points of it are lost on white; a grey, a brown.
CLASS_COLOURS = [*PALETTE[:6], "#A89B00", BLACK, "#999999", "#8C510A"]
# Colour alone never carries the meaning: each class has a marker of its own as well.
CLASS_MARKERS = ["o", "s", "^", "v", "D", "P", "X", "*", "<", ">"]
LINE_STYLES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))]
# One concept has one colour in all notebooks, in figures as in diagrams.
ENCODER, DECODER = BLUE, GREEN  # q(z|x), p(x|z)
CODE, LOSS = ORANGE, VERMILION  # z, the loss
AUTOENCODER, VAE, BASELINE = SKY, BLUE, "#666666"  # models beside each other; PCA, chance, a floor

# Paper below letters that stand on lines or points.
BOX = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}

PAGE_WIDTH = 8.6  # inches: JupyterLab's column at a window of 1300 pixels, at 100 dpi
FONT_SIZE = 11  # points, of everything written
LOW, MIDDLE, HIGH = 2.4, 3.4, 5.0  # heights of a page, inches

STYLE = {
    "figure.dpi": 100,
    "figure.figsize": (PAGE_WIDTH, MIDDLE),
    "figure.constrained_layout.use": True,
    "font.size": FONT_SIZE,
    "axes.titlesize": FONT_SIZE,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.fontsize": FONT_SIZE,
    "xtick.labelsize": FONT_SIZE,
    "ytick.labelsize": FONT_SIZE,
    "axes.labelsize": FONT_SIZE,
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


def ink(colour: str) -> tuple[float, float, float]:
    """A colour as dark as letters need it on white: three quarters of its light."""
    red, green, blue = to_rgb(colour)
    return 0.75 * red, 0.75 * green, 0.75 * blue


def use_course_style() -> None:
    """Set matplotlib's defaults with the course's style over them: of the user's own nothing stays.

    In a kernel figures stand below their cells, even where MPLBACKEND names something else, with
    two pixels to each of the page's, as screens have them today.
    """
    IPython = sys.modules.get("IPython")  # as matplotlib asks: without it there is no kernel
    shell = IPython and IPython.get_ipython()
    if hasattr(shell, "kernel"):
        shell.run_line_magic("matplotlib", "inline")
        inline = importlib.import_module("matplotlib_inline.backend_inline")
        inline.set_matplotlib_formats("retina")
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
