"""What the exercises of notebook 02 look at: models and damage that are none of the known ones."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.exercises import EXERCISES, check
from course_lib.exercises.convolutional_autoencoder import damage
from course_lib.exercises.convolutional_autoencoder.observe_corruption import seeded
from course_lib.exercises.spec import PUBLIC_SEED

Reference = EXERCISES["ConvAutoencoder"].reference


def sides(size):
    return (size, size) if isinstance(size, int) else size


class Student(nn.Module):
    """Right, with other layers and sizes than the reference and the known mistakes."""

    def __init__(self, channels, size, latent_dim):
        super().__init__()
        H, W = sides(size)
        self.make(channels, H // 4, W // 4, latent_dim)

    def make(self, C, h, w, d):
        self.a, self.b = nn.Conv2d(C, 5, 4, 2, 1), nn.Conv2d(5, 7, 4, 2, 1)
        self.c, self.d = nn.Linear(7 * h * w, d), nn.Linear(d, 7 * h * w)
        self.grid = (7, h, w)
        self.e, self.f = nn.ConvTranspose2d(7, 5, 2, 2), nn.ConvTranspose2d(5, C, 2, 2)

    def encode(self, x):
        return self.c(F.relu(self.b(F.relu(self.a(x)))).flatten(1))

    def decode(self, z):
        return torch.sigmoid(self.f(F.relu(self.e(F.relu(self.d(z)).view(-1, *self.grid)))))

    def forward(self, x):
        return self.decode(self.encode(x))


class Fixed28(Student):
    def make(self, C, h, w, d):
        super().make(C, 7, 7, d)


class OneChannel(Student):
    def make(self, C, h, w, d):
        super().make(1, h, w, d)


class Square(Student):
    def make(self, C, h, w, d):
        super().make(C, h, h, d)


class Turned(Student):
    def make(self, C, h, w, d):
        super().make(C, w, h, d)


class PartlyListed(Student):
    def make(self, C, h, w, d):
        super().make(C, h, w, d)
        self.hidden = [nn.Linear(d, d)]

    def encode(self, x):
        return self.hidden[0](super().encode(x))


class Normed(Student):
    def encode(self, x):
        return super().encode((x - x.mean()) / x.std())


class TrainedNorm(Student):
    def encode(self, x):
        return super().encode(F.batch_norm(x, None, None, training=True))


class SoftmaxCode(Student):
    def encode(self, x):
        return super().encode(x).softmax(1)


class Skip(Student):
    def encode(self, x):
        self.x = F.avg_pool2d(x, 4)
        return super().encode(x)

    def decode(self, z):
        return (super().decode(z) + F.interpolate(self.x, scale_factor=4)).clamp(0, 1)


class Mean(Student):
    def encode(self, x):
        return super().encode(x.mean(1, keepdim=True).expand_as(x) * 0 + 0.5)


class OtherForward(Student):
    def forward(self, x):
        return x


class NoForward(Student):
    forward = nn.Module.forward


class WrongLinear(Student):
    def make(self, C, h, w, d):
        super().make(C, h, w, d)
        self.c = nn.Linear(99, d)


class Patches(Student):
    """A convolution by hand: patches times weights."""

    def encode(self, x):
        patches = self.a.weight.flatten(1) @ F.unfold(x, 4, padding=1, stride=2)
        maps = patches.view(len(x), 5, x.shape[2] // 2, x.shape[3] // 2)
        maps = maps + self.a.bias[:, None, None]
        patches = self.b.weight.flatten(1) @ F.unfold(F.relu(maps), 4, padding=1, stride=2)
        return self.c((patches + self.b.bias[:, None]).flatten(1))


@pytest.mark.parametrize("model", [Student, Patches])
def test_models_of_other_layers_are_accepted(model):
    """Catches a check that knows a convolution by one class only, or asks for the same sizes."""
    for seed in (PUBLIC_SEED, 1, 2):
        verdict = EXERCISES["ConvAutoencoder"].check(model, seed)
        assert verdict.passed, verdict


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Fixed28, "28 × 28 only"),
        (OneChannel, "one channel only"),
        (Square, "square images only"),
        (Turned, "turned on its side"),
        (PartlyListed, "plain list"),
        (Normed, "depends on the others"),
        (TrainedNorm, "depends on the others"),
        (SoftmaxCode, "lies in (0, 1)"),
        (Skip, "what was encoded before"),
        (Mean, "All images get the same code"),
        (OtherForward, "`model(x)` is not"),
        (NoForward, "`model(x)` is not"),
        (WrongLinear, "shapes do not fit"),
    ],
)
def test_models_of_other_layers_are_told_what_is_wrong(model, words):
    """Catches a hint that needs the student to have chosen the same layers as the known mistake."""
    for seed in (PUBLIC_SEED, 5):
        verdict = EXERCISES["ConvAutoencoder"].check(model, seed)
        assert verdict.status == "wrong"
        assert words in verdict.hint


def test_an_unfinished_model_counts_as_not_attempted():
    """Catches an observer that takes the placeholder of the student's copy for an error."""

    class Unfinished(Student):
        def encode(self, x):
            raise NotImplementedError

    assert EXERCISES["ConvAutoencoder"].check(Unfinished).status == "open"


def corrupting(**changes):
    """The reference with other functions for some kinds."""
    right = EXERCISES["corrupt"].reference
    return lambda x, kind, level, g: changes.get(kind, right)(x, kind, level, g)


def by_numpy(x, kind, level, g):
    return (x + level * torch.from_numpy(np.random.randn(*x.shape)).to(x)).clamp(0, 1)


def grey_hole(x, kind, level, g):
    return EXERCISES["corrupt"].reference(x, kind, level, g) + 0.01


def sieve(x, kind, level, g):
    y = EXERCISES["corrupt"].reference(x, kind, level, g)
    y[..., ::7, ::5] = x[..., ::7, ::5]
    return y


def three_fifths(x, kind, level, g):
    return EXERCISES["corrupt"].reference(x, kind, 0.6 * level, g)


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        (corrupting(gaussian=by_numpy), "does not follow the generator"),
        (corrupting(gaussian=three_fifths), "wrong spread"),
        (corrupting(mask=grey_hole, salt_pepper=three_fifths), "rises above 1|differs from x"),
        (corrupting(salt_pepper=three_fifths), "share of pixels hit"),
        (corrupting(mask=three_fifths), "wrong height"),
        (corrupting(mask=sieve), "wrong height|wrong width|not one full square"),
        (corrupting(mask=lambda x, kind, level, g: x[:, :1]), "shape of x"),
        (lambda x, kind, level, g: x.tolist(), "Return a tensor"),
    ],
)
def test_unknown_damage_is_told_which_property_fails(candidate, words):
    """Catches a check of random numbers that accepts a wrong distribution, or cannot name it."""
    verdict = EXERCISES["corrupt"].check(candidate)
    assert verdict.status == "wrong"
    assert any(word in verdict.hint for word in words.split("|")), verdict.hint


@pytest.mark.parametrize("kind", ["gaussian", "mask", "salt_pepper"])
def test_damage_is_measured_alike_whatever_the_draw(kind):
    """Catches a tolerance below the spread of honest draws: the same verdict on 40 of them."""
    exercise = EXERCISES["corrupt"]
    cases = [case for case in exercise.cases(3) if case.args["kind"] == kind]
    look = {"gaussian": damage.gaussian, "mask": damage.mask, "salt_pepper": damage.salt_pepper}
    for case in cases:
        x, _, level = case.args.values()
        drawn = [
            look[kind](x.double(), exercise.reference(*case.args.values(), g).double(), level)
            for g in map(seeded, range(1000, 1040))
        ]
        assert all(str(found) == str(drawn[0]) for found in drawn)


def test_a_square_with_holes_is_no_square():
    """Catches a hidden region that is judged by its extent alone."""
    x = torch.rand(2, 1, 8, 9) / 2 + 0.1
    y = x.clone()
    y[..., 2:6, 3:7] = 0
    assert damage.mask(x, y, 0.5)["it is one full square"]
    y[..., 3, 4] = x[..., 3, 4]
    found = damage.mask(x, y, 0.5)
    assert (found["height of the square"], found["it is one full square"]) == (4, False)


def test_settle_names_the_nearest_value_or_none():
    """Catches a measured value that is taken for the first candidate in reach."""
    assert damage.settle(0.52, [0.6, 0.5], error=0.05) == 0.5
    assert damage.settle(0.9, [0.6, 0.5], error=0.05) == "another"
    assert damage.settle(float("nan"), [0.6, 0.5], error=0.05) == "another"


def test_a_loss_that_is_right_but_cannot_train_is_told_so():
    """Catches a loss whose values agree while part of the model gets no gradient."""

    def frozen_decoder(model, clean, noisy):
        model.decoder.requires_grad_(False)
        return ((clean - model(noisy)) ** 2).flatten(1).sum(1)

    verdict = EXERCISES["denoising_loss"].check(frozen_decoder)
    assert "no gradient reaches the decoder" in verdict.hint


def test_sizes_and_areas_reach_the_notebook_as_numbers(capsys):
    """Catches a right function that comes back as one that makes tensors of its numbers."""
    sizes = check("conv_out", lambda n, k, s, p: (n - k + 2 * p) // s + 1)
    assert type(sizes(28, 3, 2, 1)) is int
    area = check("anomaly_auroc", lambda a, b: EXERCISES["anomaly_auroc"].reference(a, b))
    assert area(torch.zeros(2), torch.ones(3)) == 1.0
    assert type(area(torch.zeros(2), torch.ones(3))) is float
    assert "returns no tensor" not in capsys.readouterr().out
