"""What is special to the checks of notebook 05: answers that only look right, and its cases."""

import math

import pytest
import torch
import torch.nn.functional as F

from course_lib.exercises import EXERCISES
from course_lib.exercises.generation.slerp import ABOVE_ONE


def right(name, *args):
    return EXERCISES[name].reference(*args)


def without_a_clamp(samples, train, k):
    x, y = samples.flatten(1), train.flatten(1)
    squares = x.square().sum(1)[:, None] + y.square().sum(1)[None] - 2 * torch.mm(x, y.mT)
    return (*torch.topk(squares.sqrt(), k, largest=False),)[::-1]


def slerp_of(cosine, *, least=1e-6):
    def slerp(a, b, t):
        w = torch.acos(cosine(a, b))
        arc = (torch.sin((1 - t) * w) * a + torch.sin(t * w) * b) / torch.sin(w)
        return torch.lerp(a, b, t) if torch.sin(w) < least else arc

    return slerp


def rows(change):
    return lambda *args: {k: change(*v) for k, v in right("group_report", *args).items()}


@pytest.mark.parametrize(
    ("name", "candidate", "words"),
    [
        ("gaussian_nll", lambda x, m, s: right("gaussian_nll", x, m, s.item() + 0 * s), "σ learns"),
        ("gaussian_nll", lambda x, m, s: ((x - m) ** 2).sum((1, 2, 3)) / (2 * s.exp() ** 2) + s
         + math.log(math.tau) / 2, "How often do"),
        ("optimal_log_sigma", lambda x, m: F.mse_loss(m, x).log().div(2).clamp(-6), "too late"),
        ("optimal_log_sigma", lambda x, m: (x - m).std().log().clamp(min=-6), "less their mean"),
        ("slerp", slerp_of(lambda a, b: a @ b / (a.norm() * b.norm())), "its range"),
        ("slerp", slerp_of(lambda a, b: F.cosine_similarity(a, b, dim=0).clamp(-1, 1), least=-1),
         "divides 0 by 0"),
        ("slerp", slerp_of(lambda a, b: (a @ b / (a.norm() * b.norm() + 1e-8)).clamp(-1, 1)),
         "a small number in its way"),
        ("attribute_vector", lambda z, y: F.normalize(z[y == 1].mean(0)), "unless told another"),
        ("attribute_vector", lambda z, y: -right("attribute_vector", z, y), "takes the attribute"),
        ("frechet_distance", lambda *args: right("frechet_distance", *(a.float() for a in args)),
         "float32"),
        ("condition", lambda z, y, e, w: z.add_(e(y), alpha=w), "changes its input `z`"),
        ("condition", lambda z, y, e, w: z if w <= 0 else z + w * e(y), "hand z itself back"),
        ("condition", lambda z, y, e, w: F.normalize(z) + w * e(y), "does not come through"),
        ("nearest_training", without_a_clamp, "copy"),
        ("nearest_training", lambda s, t, k: torch.cdist(s.flatten(1), t.flatten(1)).topk(
            k, largest=False)[::-1], "a copy is not at distance 0"),
        ("group_report", rows(lambda *v: torch.tensor(v)), "a tuple of three numbers"),
        ("group_report", rows(lambda *v: [str(x) for x in v]), "a tuple of three numbers"),
        ("group_report", rows(lambda m, a, b: (m, max(a, 0), b)), "cut off"),
        ("group_report", rows(lambda m, a, b: (m, a, b) if b - a < 9 else (m, m, m)), "lower ends"),
        ("gaussian_nll", lambda x, m, s: ((x - m) ** 2 / (2 * s.exp() ** 2)).sum((1, 2, 3))
         + x.numel() * (s + math.log(math.tau) / 2), "How often do"),
        ("optimal_log_sigma", lambda x, m: ((x - m) ** 2).clamp(math.exp(-12)).mean().log() / 2,
         "each squared error by itself"),
        ("slerp", slerp_of(lambda a, b: F.cosine_similarity(a, b, dim=0).clamp(-1, 1), least=1e-4),
         "too early"),
        ("nearest_training", lambda *args: (right("nearest_training", *args)[0].int(),
         right("nearest_training", *args)[1]), "int64"),
    ],
)  # fmt: skip
def test_what_breaks_the_notebook_is_named_on_every_seed(name, candidate, words):
    """Catches an answer that passes the check where the seed is a kind one."""
    for seed in range(100, 120):
        verdict = EXERCISES[name].check(candidate, seed)
        assert verdict.status == "wrong"
        assert words in verdict.hint


def test_the_solution_finds_copies_among_images_of_the_notebooks_size():
    """Catches distances that are products again: a copy is then 0.04 away, or not found."""
    train = torch.rand(200, 3 * 64 * 64, generator=torch.Generator().manual_seed(0))
    indices, distances = right("nearest_training", train[50:150], train, 1)
    assert torch.equal(indices[:, 0], torch.arange(50, 150))
    assert not distances.any()


@pytest.mark.parametrize("factor", [4, -2])
def test_cosines_of_vectors_on_one_line_round_beyond_one(factor):
    """Catches a seed on which a missing clamp is not noticed, by either way to the cosine."""
    for a in ABOVE_ONE / 16:
        b = factor * a
        for cosine in (a / a.norm() @ (b / b.norm()), a @ b / (a.norm() * b.norm())):
            assert cosine.acos().isnan()
