"""Colours of the faces: a flat illustrator's palette, blended in sRGB as a paint program does."""

import torch
from torch import Tensor


def rgb(*codes: str) -> Tensor:
    """Colours (k, 3) in [0, 1] from codes such as "#fbe3d2"."""
    return torch.tensor([list(bytes.fromhex(code[1:])) for code in codes]) / 255


# From deep to pale, evenly spaced to the eye; after the ten steps of the Monk Skin Tone scale.
SKIN = rgb("#4e2f22", "#6b4029", "#8a5636", "#a96e47", "#c48a5f", "#dba57a", "#ebbd97", "#f6d6bb")
BACKGROUND = rgb("#efc98b", "#eda287", "#e293a8", "#b49ddb", "#86aee2", "#74c2c4", "#93c79b")
SHIRT = rgb("#30496f", "#2f7f7b", "#d79f38", "#b8523f", "#75506f", "#efe5d6")
HAIR = rgb("#2a2428", "#59392a", "#8b4528", "#cc6d30", "#e3b864", "#a5a3a8")
IRIS = rgb("#4a2c1a", "#8a5a2b", "#5b8a4a", "#3f7fb5", "#77828c")

WHITE = rgb("#ffffff").view(1, 3, 1, 1)
EYE_WHITE = rgb("#fbf8f3").view(1, 3, 1, 1)
TEETH = rgb("#fdfaf4").view(1, 3, 1, 1)
INK = rgb("#241a1c").view(1, 3, 1, 1)
MOUTH = rgb("#5a1f26").view(1, 3, 1, 1)
TONGUE = rgb("#d4686c").view(1, 3, 1, 1)
ROSE = rgb("#e0555c").view(1, 3, 1, 1)
LIP = rgb("#a83a42").view(1, 3, 1, 1)
FRAMES = rgb("#2b2b33", "#2b2b33", "#8c3b2e", "#b08a3e")  # no glasses, round, square, tinted
TINT = rgb("#3a2f3c").view(1, 3, 1, 1)


def pick(palette: Tensor, index: Tensor) -> Tensor:
    """Colour number index (n,) of a palette: (n, 3, 1, 1)."""
    return palette[index.long()][:, :, None, None]


def along(palette: Tensor, t: Tensor) -> Tensor:
    """The colour at t (n,) in [0, 1] on the straight lines through a palette: (n, 3, 1, 1)."""
    place = t * (len(palette) - 1)
    left = place.floor().clamp(max=len(palette) - 2)
    part = (place - left)[:, None]
    left = left.long()
    return torch.lerp(palette[left], palette[left + 1], part)[:, :, None, None]


def mix(a: Tensor, b: Tensor, part: float) -> Tensor:
    """a + part · (b − a)."""
    return a + part * (b - a)


_SHADE = torch.tensor([0.84, 0.74, 0.72]).view(1, 3, 1, 1)  # shadows on skin are warm


def shaded(skin: Tensor) -> Tensor:
    """The same skin in its own shadow."""
    return skin * _SHADE
