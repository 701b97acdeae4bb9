"""One batch of people, ready to draw: factors as (n, 1, 1) tensors and their colours."""

import math
from dataclasses import dataclass

from torch import Tensor

from course_lib.synthetic import _palette as palette
from course_lib.synthetic._factors import FACTOR_NAMES


@dataclass(frozen=True)
class People:
    """Numbers are (n, 1, 1), colours (n, 3, 1, 1)."""

    f: dict[str, Tensor]
    skin: Tensor
    shade: Tensor  # skin in shadow
    hair: Tensor
    hair_dark: Tensor
    width: Tensor  # half width of the head
    turn: Tensor  # radians
    tilt: Tensor  # radians


def people(factors: Tensor) -> People:
    """Read a checked table of factors (n, F)."""
    flat = dict(zip(FACTOR_NAMES, factors.unbind(dim=1), strict=True))
    f = {name: column[:, None, None] for name, column in flat.items()}
    skin = palette.along(palette.SKIN, flat["skin"])
    hair = palette.pick(palette.HAIR, flat["hair_color"])
    return People(
        f=f,
        skin=skin,
        shade=palette.shaded(skin),
        hair=hair,
        hair_dark=hair * 0.78,
        width=0.36 + 0.08 * f["width"],
        turn=f["turn"] * math.radians(15),
        tilt=f["tilt"] * math.radians(9),
    )
