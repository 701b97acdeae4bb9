"""The images that the course makes itself: announced, cached, the same every time, and good."""

import os
import subprocess
import sys

import pytest
import torch
from data_tools import cache, notices  # noqa: F401

from course_lib import datasets
from course_lib.datasets import digits, procedural, registry
from course_lib.synthetic import faces

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def few_faces(monkeypatch):
    """Draw 20 and 10 faces instead of thousands."""
    monkeypatch.setattr(procedural, "COUNTS", dict.fromkeys((32, 64, 128, 256), (20, 10)))


def test_stand_in_is_announced_in_one_line_and_cached(monkeypatch, capsys):
    """Catches a silent stand-in, one announced at each load, and one drawn again each time."""
    first = datasets.load("mnist")
    lines = notices(capsys)
    assert len(lines) == 1 and "python -m course_lib data get mnist" in lines[0]
    assert "digits" in lines[0] and first.stand_in
    monkeypatch.setattr(digits, "_vary", None)
    again = datasets.load("mnist")
    assert notices(capsys) == []
    assert torch.equal(first.train.images, again.train.images)
    assert torch.equal(first.test.labels, again.test.labels) and again.stand_in


CELLS = """
import contextlib, io
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_cell({first!r})
shell.run_cell("from types import SimpleNamespace as Data; from course_lib import datasets")
with contextlib.redirect_stderr(io.StringIO()) as said:
    shell.run_cell("x = datasets.loading._announced(Data(name='sprites', source='?'), 'why')")
command = said.getvalue().strip().split("get the real ones with: ")[1]
print(command, flush=True)
shell.run_cell(command)
"""


@pytest.mark.parametrize("started", ["lab", "colab", "alone"])
def test_the_command_works_where_it_is_read(started, tmp_path, root):
    """Catches a command without `!`, and one whose Python does not find the course."""
    first = f"import sys; sys.path.insert(0, {str(root)!r})" if started == "alone" else ""
    tools = os.path.dirname(sys.executable)  # as `lab` does
    variables = {**os.environ, "PATH": os.pathsep.join([tools, os.environ["PATH"]])}
    variables |= {"PYTHONPATH": str(root) if started == "lab" else "", "IPYTHONDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", CELLS.format(first=first)], text=True, capture_output=True,
        cwd=root if started == "colab" else tmp_path, env=variables, check=True,
    )  # fmt: skip
    command, answer = done.stdout.splitlines()[0], done.stdout + done.stderr
    expected = 'datasets.get("' if started == "alone" else "!python -m course_lib data get "
    assert command.startswith(expected)
    assert "sprites is drawn by the course itself: nothing to download" in answer


def test_the_command_in_a_terminal(capsys, monkeypatch):
    """Catches an exclamation mark that a shell does not understand."""
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    datasets.load("mnist")
    assert notices(capsys)[0].endswith("with: python -m course_lib data get mnist")


def test_fashion_stand_in_says_that_it_shows_digits(capsys):
    """Catches digits labelled as clothes."""
    data = datasets.load("fashion_mnist")
    assert "digits" in notices(capsys)[0] and data.label_names == tuple("0123456789")


@pytest.fixture(scope="module")
def digits_set():
    """The stand-in for MNIST, drawn once."""
    return digits.draw_digits(registry.SPECS["mnist"], 28)


def test_digits_look_like_mnist(digits_set):
    """Catches digits that fill the frame, are grey on black, inverted or without contrast."""
    images = digits_set.train.images
    assert images.shape == (12_000, 1, 28, 28) and digits_set.test.images.shape[0] == 2_000
    assert (images.amax(dim=(1, 2, 3)) == 255).all() and (images.amin(dim=(1, 2, 3)) == 0).all()
    border = images.float()
    border[:, :, 3:25, 3:25] = 0
    assert border.mean() < 2  # MNIST: 0.3
    assert 0.10 < images.float().mean() / 255 < 0.17  # MNIST: 0.131
    counts = digits_set.train.labels.bincount()
    assert counts.min() > 1000 and counts.max() < 1400


def test_digits_can_be_told_apart(digits_set):
    """Catches blobs and mixed-up labels: the nearest training image mostly has the same label."""
    train = digits_set.train.images[:4000].flatten(1).float()
    test = digits_set.test.images[:500].flatten(1).float()
    nearest = torch.cdist(test, train).argmin(dim=1)
    hits = digits_set.train.labels[nearest] == digits_set.test.labels[:500]
    assert hits.float().mean() > 0.93


def test_no_original_is_behind_both_splits(monkeypatch):
    """Catches leakage: a warped copy of a training digit among the test digits."""
    seen = []
    vary = digits._vary
    monkeypatch.setattr(
        digits, "_vary", lambda x, y, **k: seen.append(x) or vary(x, y, **{**k, "n": 20})
    )
    digits.draw_digits(registry.SPECS["mnist"], 28)
    train, test = ({bytes(x.numpy().tobytes()) for x in originals} for originals in seen)
    assert len(train) > 1500 and len(test) > 200 and not train & test


def test_digits_are_the_same_every_time(digits_set):
    """Catches warps that depend on the global random state."""
    torch.manual_seed(1)
    again = digits.draw_digits(registry.SPECS["mnist"], 28)
    assert torch.equal(again.test.images, digits_set.test.images)


def test_the_classes_of_the_stand_in_are_those_of_the_faces(few_faces, capsys, monkeypatch):
    """Catches labels that do not belong to the picture's factors."""
    drawn = []
    render = procedural.render
    monkeypatch.setattr(
        procedural, "render", lambda f, *, size: drawn.append(f) or render(f, size=size)
    )
    data = datasets.load("cifar10")
    assert data.train.images.shape == (20, 3, 32, 32) and data.stand_in
    assert torch.equal(data.train.factors, drawn[0])
    columns = [faces.FACTOR_NAMES.index(name) for name in ("hair_style", "glasses")]
    for row, label in zip(drawn[0][:, columns].int().tolist(), data.train.labels, strict=True):
        style, glasses = (faces.FACTORS[c].levels[i] for c, i in zip(columns, row, strict=True))
        seen = style + (" with glasses" if glasses != "none" else "")
        assert data.label_names[label] == seen
    assert "data get cifar10" in notices(capsys)[0]


def test_the_classes_of_the_stand_in_are_drawn_by_lot(monkeypatch):
    """Catches classes in turn, which make every subset a stratified one, and classes left empty."""
    monkeypatch.setattr(procedural, "COUNTS", {32: (4_000, 1_000)})
    blank = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    monkeypatch.setattr(
        procedural, "render", lambda f, *, size: blank.expand(len(f), -1, -1, -1).clone()
    )
    labels = datasets.load("cifar10").train.labels
    counts = torch.stack([part.bincount(minlength=10) for part in labels.split(100)]).double()
    assert (counts.mean(0) - 10).abs().max() < 2  # 100 draws in ten classes: variance 9 each
    assert counts.var(0).mean().item() == pytest.approx(9, rel=0.3)


@pytest.mark.parametrize("size", [None, 64, 128])
def test_celeba_stand_in_has_attributes(few_faces, size, capsys):
    """Catches a stand-in without what the notebooks need of CelebA: attributes, three splits."""
    data = datasets.load("celeba", size=size)
    side = size or 64
    assert data.valid.images.shape == (10, 3, side, side)
    assert data.train.factors.shape == (20, len(data.factor_names))
    assert set(data.train.factors.unique().tolist()) == {0, 1}
    assert not torch.equal(data.test.images, data.valid.images)
    assert "on request" in notices(capsys)[0]


def test_faces_keep_their_factors(few_faces, capsys):
    """Catches factors that do not belong to the images: drawing them again gives the images."""
    for size in (None, 32):
        data = datasets.load("faces", size=size)
        again = procedural.faces.render(data.test.factors, size=size or 64)
        assert torch.equal(again, data.test.images) and not data.stand_in
    assert notices(capsys) == []


def test_sprites_are_the_whole_grid_split_in_two():
    """Catches a sprite in both splits, a lost one, or factors in another order than the images."""
    data = datasets.load("sprites")
    factors = torch.cat([data.train.factors, data.test.factors])
    assert len(factors.unique(dim=0)) == len(factors) == 61_440
    assert len(data.test) == 6_144 and data.train.images.shape[1:] == (1, 32, 32)
    again = procedural.sprites.render(data.test.factors[:50])
    assert torch.equal(again, data.test.images[:50])
