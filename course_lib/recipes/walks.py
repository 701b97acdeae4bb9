"""Directions of attributes in the codes of faces, and some faces to begin with: for the demo."""

from __future__ import annotations

import base64
import time
from pathlib import Path

from course_lib import checkpoints, datasets
from course_lib.codes import code_of
from course_lib.errors import CourseError
from course_lib.recipes import cards
from course_lib.training import to_float

MODEL, SEED = "faces-vae-128", 0
ATTRIBUTES = (
    "Blond_Hair", "Black_Hair", "Pale_Skin", "Smiling",
    "Gray_Hair", "Mustache", "Bald", "Eyeglasses",
)  # fmt: skip
N_IMAGES = 8000
TEST_FACES = [5, 15, 12, 23, 30, 9, 1, 21]  # test images: eight that differ in hair and skin


def run(out: Path) -> None:
    """Writes metrics/walks.json: mean code with − mean code without each attribute, and faces.

    Of each face its code and the image itself, the latter as base85 of (3, 64, 64) bytes.
    """
    model, card = checkpoints.load(MODEL)
    data, start = datasets.load(card["data"]), time.perf_counter()
    if data.stand_in != card["stand_in"]:
        raise CourseError(f"{MODEL} knows other faces than {data.source}: train faces first")
    codes = code_of(model, to_float(data.train.images[:N_IMAGES]))  # (N, d)
    flags = data.train.factors[: len(codes)]
    steps = {}
    for name in ATTRIBUTES:
        y = flags[:, data.factor_names.index(name)]
        steps[name] = cards.rounded(codes[y == 1].mean(0) - codes[y == 0].mean(0))
    about = cards.card("walks", data, seed=SEED, seconds=time.perf_counter() - start, model=MODEL)
    images = data.test.images[TEST_FACES]
    faces = {
        "faces": cards.rounded(code_of(model, to_float(images))),
        "originals": [base64.b85encode(x.numpy().tobytes()).decode() for x in images],
    }
    checkpoints.write_json(out / "metrics" / "walks.json", about | {"attributes": steps} | faces)
