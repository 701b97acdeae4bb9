"""Attributes of a face: move its code along one direction per attribute, and decode it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.widgets import pictures
from course_lib.widgets.controls import align, choice, nearest_stop, slider, written
from course_lib.widgets.outputs import call, given, numbers, to_bytes, to_images, to_number
from course_lib.widgets.panel import Frame, Panel, Values

SIDE = 237  # page pixels
WIDTH = 364  # page pixels of a slider with its label: two stand beside each other
STEP = 0.1
FACE = "face"
IMAGE, BEFORE, AFTER = "image x", "decode(encode(x))", "with attributes"
Function = Callable[[Tensor], Tensor]


def attributes(
    images: Tensor,
    encode: Function,
    decode: Function,
    vectors: Mapping[str, Tensor],
    *,
    units: float | Mapping[str, float] = 1.0,
    start: Mapping[str, float] | None = None,
    limit: float = 3.0,
    shape: tuple[int, ...] = (3, 64, 64),
    seed: int = 0,
) -> Panel:
    """A face and one slider per attribute: the face as decoded, and with the attributes moved.

    z = encode(x) + Σ_k s_k · u_k · v_k, with v_k of length 1 and the strengths s_k of the sliders.
    images: (N, C, H, W), uint8 or float in [0, 1]; encode: (1, C, H, W) to (1, d), once for each
    image; decode: (1, d) to (1, C, H, W). vectors: {name: v_k}, (d,) each, one to eight.
    units: u_k, the step in code that strength 1 stands for, one number or {name: u_k}.
    start: {name: s_k} at first, the others 0. limit: the sliders end at ± limit. `random` draws
    strengths from N(0, 1), cut there; `reset` puts all to 0.
    Raises CourseError where these do not fit each other.
    """
    faces, steps = given(images, shape=shape, what="images"), _steps(vectors, units)
    limit = round(to_number(limit, source="limit") / STEP) * STEP  # so that 0 is a stop
    if limit < STEP:
        raise CourseError(f"limit must be at least {STEP}, not {limit}")
    ends, rng = {"low": -limit, "high": limit, "step": STEP}, np.random.default_rng(seed)
    names = {f"{i + 1} of {len(faces)}": i for i in range(len(faces))}
    start = _starts(start or {}, steps, limit=limit)
    sliders = {name: slider(name, s, **ends, width=WIDTH, digits=1) for name, s in start.items()}
    controls = {FACE: choice(FACE, 0, options=names), **sliders}
    controls[FACE].layout.width = f"{WIDTH}px"
    align([*controls.values()])
    side = shape[-1] * pictures.scale_to(SIDE, shape=shape)
    return Panel(
        _drawer(faces, encode, decode, steps),
        controls=controls,
        widths=dict.fromkeys((IMAGE, BEFORE, AFTER), side),
        actions={
            "random": lambda: {n: nearest_stop(rng.standard_normal(), **ends) for n in steps},
            "reset": lambda: dict.fromkeys(steps, 0.0),
        },
    )


def _starts(
    start: Mapping[str, float], names: Collection[str], *, limit: float
) -> dict[str, float]:
    """The strength of each name at first."""
    found = dict.fromkeys(names, 0.0)
    if not isinstance(start, Mapping) or not set(start) <= set(found):
        raise CourseError(f"start must be {{name: strength}} of some of {list(found)}")
    for name, strength in start.items():
        found[name] = to_number(strength, source=f"the start of {name!r}")
        if abs(found[name]) > limit:
            raise CourseError(f"the start of {name!r} must lie between −{limit:g} and {limit:g}")
    return found


def _steps(vectors: Mapping[str, Tensor], units: float | Mapping[str, float]) -> dict[str, Tensor]:
    """u_k · v_k by name, (d,) float32 each."""
    if not isinstance(vectors, Mapping) or not 1 <= len(vectors) <= 8 or FACE in vectors:
        raise CourseError(
            f"vectors must be {{name: (d,)}} of 1 to 8 attributes, none named {FACE!r}"
        )
    if not isinstance(units, Mapping):
        units = dict.fromkeys(vectors, units)
    if set(units) != set(vectors):
        raise CourseError(f"units must be one number, or one for each of {list(vectors)}")
    steps = {}
    for name, vector in vectors.items():
        v = numbers(vector, count=None, what=f"the vector of {name!r}")
        steps[name] = torch.tensor(
            v * to_number(units[name], source=f"the unit of {name!r}")
        ).float()
    if len({len(step) for step in steps.values()}) > 1:
        raise CourseError("vectors must all have the length d of a code")
    return steps


def _drawer(
    faces: Tensor, encode: Function, decode: Function, steps: Mapping[str, Tensor]
) -> Callable[[Values], Frame]:
    """The function that a step of a control calls."""
    shape, d = tuple(faces.shape[1:]), len(next(iter(steps.values())))

    def decoded(z: Tensor) -> Image.Image:
        image = to_images(call(decode, z), count=1, shape=shape, source="decode")[0]
        return Image.fromarray(image)

    @functools.cache
    def before(i: int) -> tuple[Tensor, Image.Image, Image.Image]:
        """Code, image and decoded image of a face."""
        z = call(encode, faces[i : i + 1].clone())
        if not isinstance(z, Tensor) or z.shape != (1, d):
            told = f"the shape {tuple(z.shape)}" if isinstance(z, Tensor) else type(z).__name__
            raise CourseError(f"encode must return a code of the shape (1, {d}), not {told}")
        return z, Image.fromarray(to_bytes(faces[i : i + 1])[0]), decoded(z)

    def draw(values: Values) -> Frame:
        face = int(values[FACE])
        z, image, plain = before(face)
        moved = {name: values[name] for name in steps if abs(values[name]) > STEP / 2}
        z = z + sum(s * steps[name].to(z) for name, s in moved.items())
        told = ", ".join(f"{name} {written(s, 1)}" for name, s in moved.items())
        rest = "; the others 0" if len(moved) < len(steps) else ""
        text = f"{told}{rest}." if moved else "all strengths are 0."
        found = {IMAGE: image, BEFORE: plain, AFTER: decoded(z)}
        return Frame(found, f"Face {face + 1} of {len(faces)}: {text}")

    return draw
