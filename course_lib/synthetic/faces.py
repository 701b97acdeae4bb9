"""Cartoon faces whose sixteen factors are known, independent and drawn by formula."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.synthetic import _body, _features, _hair, _wear
from course_lib.synthetic._canvas import new_canvas
from course_lib.synthetic._factors import (
    FACTOR_NAMES,
    FACTORS,
    check_factors,
    sample_factors,
)
from course_lib.synthetic._person import people as read_people

Columns = dict[str, Tensor]  # name of a factor -> (n,)
__all__ = ["FACTORS", "FACTOR_NAMES", "attributes", "render", "sample_factors"]
_CHUNK_PIXELS = 2**17  # small enough for the processor's own cache, large enough for its threads


def _draw(factors: Tensor, *, style: int, size: int) -> Tensor:
    """Faces that share one hair style, back to front. factors (n, F) -> uint8 (n, 3, S, S)."""
    people = read_people(factors)
    canvas = new_canvas(people.tilt, people.turn, size=size)
    for layer in (
        _body.draw_background,
        _hair.BACK[style],
        _body.draw_shirt,
        _body.draw_neck,
        *([] if style in _hair.COVERS_EARS else [_body.draw_ears]),
        _body.draw_head,
        _features.draw_nose,
        _wear.draw_beard,
        _features.draw_mouth,
        _features.draw_eyes,
        _features.draw_brows,
        _wear.draw_glasses,
        _hair.FRONT[style],
    ):
        layer(canvas, people)
    return (canvas.image * 255).round_().clamp_(0, 255).to(torch.uint8)


def render(factors: object, *, size: int = 64) -> Tensor:
    """Draw one face per row of factors.

    factors: real numbers (n, F), columns as FACTOR_NAMES, ranges as FACTORS.
    size: pixels along a side, 32 to 256; the same drawing at every size, anti-aliased.
    Returns uint8 (n, 3, size, size), red, green and blue. One face does not depend on the others.
    Raises CourseError for a size, a shape or a value out of range.
    """
    if not isinstance(size, int) or isinstance(size, bool) or not 32 <= size <= 256:
        raise CourseError(f"size must be a whole number from 32 to 256, got {size!r}")
    table = check_factors(factors)
    images = torch.empty(len(table), 3, size, size, dtype=torch.uint8)
    styles = table[:, FACTOR_NAMES.index("hair_style")]
    chunk = max(1, _CHUNK_PIXELS // size**2)
    parts = [
        (style, rows)
        for style in range(len(_hair.FRONT))
        for rows in (styles == style).nonzero()[:, 0].split(chunk)
        if len(rows)
    ]

    def work(part: tuple[int, Tensor]) -> None:
        style, rows = part
        images[rows] = _draw(table[rows], style=style, size=size)

    _spread(work, parts)
    return images


def _spread(work: Callable[[object], None], parts: list) -> None:
    """Give the parts to as many threads as torch may use, each of which computes alone.

    Threads inside each small operation wait for one another hundreds of times per part; on cores
    that others use too this is ten times slower.
    """
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(work, parts))
    finally:
        torch.set_num_threads(threads)


_ATTRIBUTES: dict[str, Callable[[Columns], Tensor]] = {
    "5_o_Clock_Shadow": lambda f: f["beard"] == 1,
    "Arched_Eyebrows": lambda f: f["brows"] > 0.3,
    "Bald": lambda f: f["hair_style"] == 0,
    "Bangs": lambda f: f["hair_style"] == 5,
    "Black_Hair": lambda f: (f["hair_style"] > 0) & (f["hair_color"] == 0),
    "Blond_Hair": lambda f: (f["hair_style"] > 0) & (f["hair_color"] == 4),
    "Brown_Hair": lambda f: (f["hair_style"] > 0) & ((f["hair_color"] - 1.5).abs() < 1),
    "Chubby": lambda f: f["width"] > 0.75,
    "Eyeglasses": lambda f: f["glasses"] > 0,
    "Gray_Hair": lambda f: (f["hair_style"] > 0) & (f["hair_color"] == 5),
    "Mouth_Slightly_Open": lambda f: f["mouth"] > 0.3,
    "Mustache": lambda f: f["beard"] >= 2,
    "Narrow_Eyes": lambda f: f["eyes"] < 0.35,
    "No_Beard": lambda f: f["beard"] == 0,
    "Pale_Skin": lambda f: f["skin"] > 0.85,
    "Rosy_Cheeks": lambda f: f["blush"] > 0.6,
    "Smiling": lambda f: f["smile"] > 0.2,
}


def attributes(factors: object) -> tuple[Tensor, tuple[str, ...]]:
    """What CelebA's annotators would tick, read off the factors.

    factors: (n, F) as for `render`. Returns bool (n, A) and the A names, spelled as in CelebA.
    Brown hair is brown or auburn; a bald head has no hair colour. Names from Z. Liu et al.,
    "Deep learning face attributes in the wild", 2015, as far as the drawing shows them.
    """
    columns = dict(zip(FACTOR_NAMES, check_factors(factors).unbind(dim=1), strict=True))
    table = [rule(columns) for rule in _ATTRIBUTES.values()]
    return torch.stack(table, dim=1), tuple(_ATTRIBUTES)
