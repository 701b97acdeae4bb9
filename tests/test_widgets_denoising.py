"""The slider of a diffusion of codes: stops are set, and the pictures read back."""

import numpy as np
import pytest
import torch
from widget_examples import WAY, Z, decode, make_denoising
from widget_pictures import image_in

from course_lib import plots, widgets
from course_lib.errors import CourseError

ROWS = ["decode(z_t)", "decode(ẑ)"]


def test_each_stop_shows_its_codes_and_its_guess():
    """Catches rows swapped, a stop too early or too late, and stale pictures."""
    panel = make_denoising(start=2)
    for step in (2, 1, 3):
        panel.controls["step"].value = step
        t, noisy, clean = WAY[step - 1]
        for row, z in enumerate((noisy, clean)):
            expected = plots.to_uint8(decode(z).reshape(-1, 28, 28))
            found = [image_in(panel, "images", (ROWS, (3, 28, 28)), (row, c)) for c in range(3)]
            assert (np.stack(found)[..., 0] == expected).all()
        assert f"Step {step} of 3, t = {t}:" in panel.text.value


def test_the_text_says_how_far_the_guess_has_to_go():
    """Catches a distance that is a mean over latents, or that does not end at zero."""
    last = Z[:3]
    way = [(900, last, last + torch.tensor([3.0, 4, 0, 0, 0])), (400, last, last)]
    panel = widgets.denoising(way, decode, shape=(1, 28, 28))
    assert "is 5.00 away" in panel.text.value
    panel.controls["step"].value = 2
    assert "is 0.00 away" in panel.text.value


@pytest.mark.parametrize(
    ("way", "more", "told"),
    [
        ([], {}, "a step or more"),
        (WAY, {"start": 0}, "from 1 to 3"),
        (WAY, {"start": 4}, "from 1 to 3"),
        (WAY, {"shape": (1, 9, 9)}, "decode returned"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(way, more, told):
    """Catches an error of PyTorch where a line says what to pass."""
    with pytest.raises(CourseError, match=told):
        widgets.denoising(way, decode, **{"shape": (1, 28, 28), **more})
