"""The two pictures on the card of a wrong answer: what they show, and when there are none."""

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import exercises
from course_lib.exercises import EXERCISES, PUBLIC_SEED, check
from course_lib.exercises import thumbnails as module
from course_lib.exercises.card import Card
from course_lib.exercises.records import plain
from course_lib.exercises.spec import Case, Exercise
from course_lib.exercises.thumbnails import images, thumbnails_of
from course_lib.grading.outputs import sanitise
from course_lib.grading.submission.judge import judge

CARDS = {  # exercise, known mistake, and the first image that looks different
    ("pca_reconstruct", "no centring"): "image 1 of 12, 14 × 14 pixels",
    ("pca_reconstruct", "smallest eigenvectors"): "image 1 of 12, 14 × 14 pixels",
    ("pca_reconstruct", "columns of Vh"): "image 1 of 12, 14 × 14 pixels",
    ("corrupt", "one noise for the batch"): "image 2 of 3, 24 × 20 pixels",
    ("corrupt", "level of the area"): "image 1 of 200, 7 × 12 pixels",
    ("corrupt", "coloured"): "image 1 of 3, 24 × 20 pixels",
    ("ConvAutoencoder", "ReLU before the sigmoid"): "image 1 of 1, 28 × 28 pixels",
    ("ConvAutoencoder", "softmax"): "image 1 of 1, 28 × 28 pixels",
    ("ConvAutoencoder", "one grey for all channels"): "image 1 of 1, 20 × 24 pixels",
}
NONE = [  # an error, another shape, a fault that one image does not show
    ("pca_reconstruct", "left singular vectors"),
    ("pca_reconstruct", "codes returned"),
    ("corrupt", "fixed seed"),
    ("corrupt", "clamp forgotten"),
    ("ConvAutoencoder", "plain list"),
    ("ConvAutoencoder", "no sigmoid"),
]


def wrong(name, mistake):
    found = {one.name: one for one in EXERCISES[name].mistakes}
    return found[mistake].wrong


def shown(name, candidate, monkeypatch):
    """The card that a notebook shows."""
    cards = []
    monkeypatch.setattr(exercises, "display", cards.append)
    check(name, candidate)
    return cards[0]


def pictures_in(page):
    """Alternative text and pixels of each picture of a page."""
    found = re.findall(r"<img alt='([^']*)' src='data:image/png;base64,([^']*)'", page)
    return [
        (alt, np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))) for alt, data in found
    ]


def copying(shape):
    """An exercise whose answer is its input, an image or images, and the case of it."""
    x = torch.linspace(0, 1, int(np.prod(shape))).reshape(shape)
    found = Exercise("double", 1, lambda g: [Case("x", {"x": x})], pictures={"result": "result"})
    object.__setattr__(
        found, "__class__", type("Copying", (Exercise,), {"reference": staticmethod(lambda x: x)})
    )
    return found


def seen(shape, answer):
    """The thumbnails of an answer to that exercise."""
    exercise = copying(shape)
    return thumbnails_of(exercise, exercise.records(answer, PUBLIC_SEED), PUBLIC_SEED)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.mark.parametrize(("case", "about"), CARDS.items(), ids=str)
def test_a_wrong_image_stands_beside_the_expected_one(case, about, monkeypatch):
    """Catches a card without pictures, with twice the same, or under each other's name."""
    card = shown(case[0], wrong(*case), monkeypatch)
    page = card._repr_html_()
    (yours, mine), (expected, right) = pictures_in(page)
    assert (yours, expected) == (f"your {about}", f"the expected {about}")
    assert mine.shape == right.shape and (mine != right).any()
    assert case[0] != "ConvAutoencoder" or right.std() > 40  # with weights that make a contrast
    told = card.pictures
    assert (mine == pixels(told.yours)).all() and (right == pixels(told.expected)).all()
    order = [page.index(word) for word in (">yours<", "alt='your ", ">expected<", "alt='the ")]
    assert order == sorted(order)
    assert page.index(">Expected<") < order[0] and order[-1] < page.index("<details")
    assert "data:image" not in repr(card) and repr(card) == repr(Card(card.verdict))


@pytest.mark.parametrize("case", NONE, ids=str)
def test_what_no_image_shows_has_no_picture(case, monkeypatch):
    """Catches two pictures that look alike, or differ by chance, and an error that hides a hint."""
    card = shown(case[0], wrong(*case), monkeypatch)
    assert card.verdict.hint and "<img" not in card._repr_html_()


def test_right_open_and_repeated_answers_have_no_picture(monkeypatch):
    """Catches pictures below an answer in which nothing is wrong."""

    def unfinished(*args):
        raise NotImplementedError

    reference = EXERCISES["corrupt"].reference
    for answer in (reference, unfinished, lambda *args: reference(*args)):
        assert "<img" not in shown("corrupt", answer, monkeypatch)._repr_html_()


@pytest.mark.parametrize(
    ("shape", "place", "size"),
    [
        ((12, 10), (0, 0, 0, 0), (84, 70)),
        ((3, 12, 10), (0, 2, 5, 7), (84, 70)),
        ((1, 12, 10), (0, 0, 5, 7), (84, 70)),
        ((2, 12, 10), (1, 0, 5, 7), (84, 70)),
        ((2, 1, 12, 10), (1, 0, 5, 7), (84, 70)),
        ((2, 3, 12, 10), (1, 2, 11, 9), (84, 70)),
        ((196,), (0, 0, 3, 4), (84, 84)),
        ((2, 196), (1, 0, 3, 4), (84, 84)),
        ((784,), (0, 0, 3, 4), (84, 84)),
        ((1, 3, 20, 11), (0, 1, 3, 4), (80, 44)),
    ],
)
def test_numbers_become_pixels_at_their_places(shape, place, size):
    """Catches rows for columns, another image or channel, a pixel that is no square of pixels."""
    H, W = {196: (14, 14), 784: (28, 28)}.get(shape[-1], shape[-2:])

    def answer(x):
        y = x.clone().reshape(-1, shape[1] if len(shape) == 4 else shape[0] if shape[0] in (
            1, 3) and len(shape) == 3 else 1, H, W)  # fmt: skip
        y[place] = 1 - y[place].round()
        return y.reshape(shape)

    found = seen(shape, answer)
    yours, expected = pixels(found.yours), pixels(found.expected)
    assert yours.shape[:2] == expected.shape[:2] == size
    scale = size[0] // H
    blocks = yours.reshape(H, scale, W, scale, -1)
    assert (blocks == blocks[:, :1, :, :1]).all()
    rows, columns = np.nonzero((yours != expected).reshape(*size, -1).any(2))
    assert {*rows // scale} == {place[2]} and {*columns // scale} == {place[3]}
    if yours.ndim == 3:
        assert [*np.nonzero((yours != expected).any((0, 1)))[0]] == [place[1]]
    count = {3: 1 if shape[0] in (1, 3) else shape[0], 4: shape[0]}.get(len(shape), 1)
    count = shape[0] if len(shape) == 2 and shape[-1] == 196 else count
    assert found.about == f"image {place[0] + 1} of {count}, {H} × {W} pixels"


def test_grey_is_from_0_to_1_and_the_rest_is_clipped():
    """Catches pictures that are stretched, so that a faint image looks like a right one."""
    found = seen((12, 10), lambda x: torch.where(x > 0.1, 7.0, torch.where(x > 0.05, 0.2, -3.0)))
    assert set(np.unique(pixels(found.yours))) == {0, 51, 255}
    expected = np.rint(255 * np.linspace(0, 1, 120, dtype=np.float32).reshape(12, 10))
    assert (pixels(found.expected)[::7, ::7] == expected).all()
    assert seen((2, 3, 12, 10), lambda x: x * (1 + (x == x.max()))) is None  # looks the same


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: x / 0,
        lambda x: torch.where(x == 0, torch.nan, 1 - x),
        lambda x: x[:1],
        lambda x: x.mT,
        lambda x: x[:, :2],
        lambda x: x[:0],
        lambda x: "text",
        lambda x: None,
        lambda x: [x, x],
        lambda x: 1 / 0,
        lambda x: x.mul_(0.5),
    ],
)
def test_what_is_no_image_has_no_picture(answer):
    """Catches a picture of nan, of another shape or of nothing, and an error in place of None."""
    assert seen((2, 3, 12, 10), answer) is None


def test_shapes_that_are_no_image():
    """Catches codes, single numbers, two channels and empty batches that are taken for images."""
    shapes = [(), (5,), (783,), (2, 2, 5, 6), (1, 1, 1, 5, 6), (0, 1, 5, 6)]
    assert all(images(plain(torch.zeros(shape))) is None for shape in shapes)
    assert images("text") is None and images(None) is None
    large = torch.zeros(1, 1, 257, 3)
    assert module._of_images(plain(large), plain(1 - large)) is None


def test_no_check_fails_because_of_a_picture(monkeypatch):
    """Catches a traceback below a check cell, where a card without pictures would do."""

    def broken(*args):
        raise MemoryError

    monkeypatch.setattr(exercises, "thumbnails_of", broken)
    card = shown("corrupt", wrong("corrupt", "coloured"), monkeypatch)
    assert card.verdict.mistake == "no colour" and "<img" not in card._repr_html_()


def test_every_property_with_a_picture_is_looked_at():
    """Catches a name that is misspelt, so that its picture is never shown."""
    declared = {name: one for name, one in EXERCISES.items() if one.pictures}
    assert {name for name, _ in CARDS} == {*declared}
    for exercise in declared.values():
        records = exercise.records(exercise.reference, PUBLIC_SEED)
        judged = [exercise.judged(record, PUBLIC_SEED, i) for i, record in enumerate(records)]
        assert {*exercise.pictures} <= {key for record in judged for key in record["value"]}
        assert {*exercise.pictures.values()} <= {*records[0]["value"]}


@pytest.mark.parametrize("case", [("corrupt", "coloured"), ("pca_reconstruct", "no centring")])
def test_the_grader_shows_no_picture_of_its_secret_cases(case):
    """Catches what the solution makes of secret cases on the pages that students get back."""
    records = EXERCISES[case[0]].records(wrong(*case), 77)
    told = judge(case[0], json.dumps({"records": records}), 77)
    assert told["status"] == "wrong" and "<img" not in told["html"]
    assert "base64" not in json.dumps(told)


def test_a_card_in_a_students_own_cell_passes_the_sanitiser(monkeypatch):
    """Catches a feedback page that drops the pictures, and pictures that fill it."""
    page = shown("corrupt", wrong("corrupt", "uniform noise"), monkeypatch)._repr_html_()
    left = sanitise.clean_html(page)
    assert left.count("<img") == left.count("data:image/png;base64,") == 2
    assert "the expected image 1 of 3" in left and len(page) < 20_000
