"""Notebooks cut far below `COURSE_FAST`: for tests that ask whether cells run, no more."""

from typing import NamedTuple

import data_tools

from course_lib import settings


class Small(NamedTuple):
    """How a notebook is cut: what `shortened` gives, unless that is empty, and test images."""

    sizes: tuple = ()
    test: int = 200


SMALL = {
    "01_autoencoder_basics": Small((600, 200, 50)),
    "02_convolutional_autoencoder": Small((600, 1_010, 2, 50, 60, 40), test=1_010),
    "03_variational_autoencoder": Small((500, 50, 1_010, 12, 30), test=1_010),
    "04_beta_vae": Small((500, 200, 12, 1, 12, 1)),
    "05_generation_celeba_cifar": Small((120, 4, 3, 3, 3, 3, 3), test=400),
    "06_beyond_the_vae": Small((40, 3, 2, 200, 4, 30, 10, 2, 12, 2, 20, 20, 2, 200, 60, 6, 4, 2)),
    "07_when_training_fails": Small((20,)),
}


CUT = "import pytest, small_runs\nsmall_runs.cut({stem!r}, pytest.MonkeyPatch())"  # a first cell


def cut(stem, monkeypatch):
    """From now on this notebook's `shortened` and data sets are small."""
    sizes, test = SMALL.get(stem, Small(test=1_000))
    monkeypatch.setattr(settings, "shortened", lambda full, fast: sizes or fast)
    few = {"train": max(600, test), "test": test, "valid": 64}
    data_tools.cut_images(monkeypatch, few)
