"""The pins, the lock made from them, and the lower bounds."""

import re

import pytest

from course_lib.commands import pins

HEAVY = ("torch", "numpy", "matplotlib", "ipywidgets", "jupyterlab", "pytest", "urllib.request")


def test_lock_holds_every_pin(root):
    """Catches a requirements.in that was changed without making the lock again."""
    lock = (root / "requirements.txt").read_text(encoding="utf-8")
    for name, version in pins.pins(root).items():
        assert re.search(rf"^{name}=={re.escape(version)}( ;|$)", lock, re.MULTILINE), name


def test_lock_says_nothing_about_where_it_was_made(root):
    """Catches an index, a path or CUDA packages, which CPU wheels do not need, in the lock."""
    for line in (root / "requirements.txt").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; [\w\s.<>=!'()*]+)?", line), line
        assert not line.startswith(("nvidia-", "cuda-", "triton"))


def test_every_requirement_has_a_pin_and_a_lower_bound(root):
    """Catches a package that conda users do not get, or one that the launcher does not see."""
    lines = (root / "requirements.in").read_text(encoding="utf-8").splitlines()
    wanted = {line.partition("==")[0] for line in lines if line and not line.startswith("#")}
    assert wanted == set(pins.pins(root))
    assert wanted == set(pins.lower_bounds(root))
    assert all(
        pins.at_least(pins.pins(root)[name], least)
        for name, least in pins.lower_bounds(root).items()
    )


def test_colab_keeps_its_own_torch(root):
    """Catches an installation on Colab that replaces what its runtime is made of."""
    text = (root / "requirements-colab.txt").read_text(encoding="utf-8")
    names = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert not [name for name in names if re.match("torch|numpy|ipywidgets", name)]
    assert all("==" not in name for name in names)


@pytest.mark.parametrize(
    ("version", "least", "enough"),
    [
        ("2.14.1+cpu", "2.11", True),
        ("2.9.0", "2.11", False),
        ("8", "8.0", True),
        ("8.1.9", "8.1", True),
        ("2.11", "2.11", True),
        (None, "0", False),
    ],
)
def test_versions_compare_as_numbers(version, least, enough):
    """Catches "2.9" taken for newer than "2.11"."""
    assert pins.at_least(version, least) == enough
