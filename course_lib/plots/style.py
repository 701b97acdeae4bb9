"""Palette and sizes: they stand here and nowhere else, so that all figures look alike."""

from __future__ import annotations

import matplotlib.pyplot as plt

# Okabe & Ito (2008), "Color Universal Design": told apart with every common colour blindness.
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
VERMILION, SKY, YELLOW, BLACK = "#D55E00", "#56B4E9", "#F0E442", "#000000"
PALETTE = [BLUE, ORANGE, GREEN, PINK, VERMILION, SKY, YELLOW, BLACK]
# Ten classes: the eight above, a grey and a brown.
CLASS_COLOURS = [*PALETTE, "#999999", "#8C510A"]
# Colour alone never carries the meaning: each class has a marker of its own as well.
CLASS_MARKERS = ["o", "s", "^", "v", "D", "P", "X", "*", "<", ">"]
LINE_STYLES = ["-", "--", "-.", ":"]

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
}


def use_course_style() -> None:
    """Set the course's figure style for this kernel, together with its colours."""
    plt.rcParams.update(STYLE)
    plt.rcParams["axes.prop_cycle"] = plt.cycler(color=PALETTE)
