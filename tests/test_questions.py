"""The questions of self-test and exam: numbers computed again, reasons for wrong options."""

import math
import re
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from course_lib.distributions import kl_full_normal, kl_normal
from course_lib.exact import LinearGaussian
from course_lib.exercises import EXERCISES
from course_lib.metrics import frechet_distance, psnr

PAGES = {"self_test": 10, "exam": 5}
DOCS = Path(__file__).parents[1] / "docs"


def solution(name):
    return EXERCISES[name].reference


def row(*values):
    return torch.tensor([values], dtype=torch.float64)


def questions(page):
    """The text of each question, and of its answer."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    parts = re.split(r"^## Question (\d+) · .*$", text, flags=re.MULTILINE)[1:]
    asked = dict(zip(map(int, parts[::2]), parts[1::2], strict=True))
    return {
        number: body.split("<details><summary>Answer</summary>") for number, body in asked.items()
    }


ALL = [(page, number) for page in PAGES for number in questions(page)]
each_question = pytest.mark.parametrize(("page", "number"), ALL)


def gaussian_data(eigenvalues):
    """Points whose covariance with 1/N has exactly these eigenvalues."""
    g = torch.Generator().manual_seed(0)
    raw = torch.randn(50, len(eigenvalues), generator=g, dtype=torch.float64)
    basis = torch.linalg.qr(raw - raw.mean(0)).Q * math.sqrt(50)
    return basis * torch.tensor(eigenvalues, dtype=torch.float64).sqrt()


def pca():
    X = gaussian_data([4, 2, 1, 1])
    left = ((X - solution("pca_reconstruct")(X, 2)) ** 2).sum(1).mean()
    return [left, 100 * (1 - left / ((X - X.mean(0)) ** 2).sum(1).mean())]


def grey_pixel():
    half = row(0.5)
    return [F.binary_cross_entropy(half, half)]


def shapes():
    convolve, back = solution("conv_out"), solution("conv_transpose_out")
    return [convolve(28, 3, 2, 1), back(14, 3, 2, 1, 0), back(14, 3, 2, 1, 1)]


def decibels():
    x = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    return [psnr(x, x + 0.1, data_range=r) for r in (1.0, 255.0)]


def divergences():
    kl = solution("kl_std_normal")
    return [kl(row(1.0), row(0.0)), kl(row(0.0), row(math.log(0.5)))]


def model(x, mu):
    """log p(x), ELBO for q = N(mu, 1), gap, of z ~ N(0, 1), x|z ~ N(z, 1)."""
    tiny = LinearGaussian(torch.eye(1).double(), torch.zeros(1).double(), 1.0)
    x, mu, cov = row(x), row(mu), torch.ones(1, 1, 1).double()
    gap = kl_full_normal(mu, cov, *tiny.posterior(x))
    return [tiny.log_evidence(x), tiny.elbo(x, mu, cov), gap]


def weights():
    log_w = torch.tensor([[-3.0], [-1.0]], dtype=torch.float64)
    return [solution("iwae_bound")(log_w), log_w.mean()]


def bounds():
    return [76.23 + 23.80, 87.29 + 15.46]


def water(eigenvalues, level):
    """Latents that live, rate, squared error that remains."""
    lam = torch.tensor(eigenvalues, dtype=torch.float64)
    kl = solution("water_filling")(lam, level)
    return [(kl > 0).sum(), kl.sum(), lam.clamp(max=level).sum()]


def widths():
    x = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    log_sigma = solution("optimal_log_sigma")(x, x + 0.2)
    return [log_sigma, 2 * log_sigma]


def code_of_the_exam():
    return [64 * 7 * 7 / (28 * 28)]


def formulas():
    mu, log_var = row(1.0, 0.0), row(0.0, math.log(0.5))
    zero, var = torch.zeros_like(mu), log_var.exp()
    true = kl_normal(mu, log_var, zero, zero)
    c = (0.5 * var + 0.5 * mu**2 - 0.5 * log_var - 0.5).sum()
    a = 0.5 * (1 + log_var - mu**2 - var).sum()
    return [true, c, a, (var + mu**2 - 0.5 * log_var - 1).sum()]


def wide_posterior():
    evidence, bound, gap = model(2.0, 1.0)
    return [evidence, gap, bound]


def levels():
    return [*water([9, 4, 1, 0.5], 1.0), *water([9, 4, 1, 0.5], 2.0)]


def distances():
    zero, eye = torch.zeros(2).double(), torch.eye(2).double()
    a, b = torch.zeros(2, 64, dtype=torch.float64)
    a[0], b[1] = 8.0, 8.0
    middle = solution("slerp")(a, b, 0.5)
    far = torch.tensor([3.0, 4.0]).double()
    return [frechet_distance(zero, eye, far, 4 * eye), ((a + b) / 2).norm(), middle.norm()]


COMPUTED = {
    ("self_test", 1): pca,
    ("self_test", 2): grey_pixel,
    ("self_test", 3): shapes,
    ("self_test", 4): decibels,
    ("self_test", 5): divergences,
    ("self_test", 6): lambda: model(1.0, 0.0),
    ("self_test", 7): weights,
    ("self_test", 8): bounds,
    ("self_test", 9): lambda: water([4, 1, 0.25], 0.5)[:2],
    ("self_test", 10): widths,
    ("exam", 1): code_of_the_exam,
    ("exam", 2): formulas,
    ("exam", 3): wide_posterior,
    ("exam", 4): levels,
    ("exam", 5): distances,
}


def test_all_questions_are_there():
    """Catches a question that is lost, or numbered twice."""
    for page, count in PAGES.items():
        assert list(questions(page)) == list(range(1, count + 1))
    assert set(ALL) == set(COMPUTED)


@each_question
def test_every_number_is_right(page, number):
    """Catches a number that the course computes otherwise, or one that nothing checks."""
    answer = questions(page)[number][1]
    told = [n.replace("−", "-") for n in re.findall(r"\*\*(−?\d[\d.]*)\*\*", answer)]
    computed = [float(value) for value in COMPUTED[page, number]()]
    assert len(told) == len(computed), f"{told} against {computed}"
    for text, value in zip(told, computed, strict=True):
        decimals = len(text.partition(".")[2])
        assert abs(float(text) - value) <= 0.5 * 10**-decimals + 1e-6, f"{text}: {value}"


@each_question
def test_options_have_one_answer_and_reasons(page, number):
    """Catches a choice without its answer, with two, or a wrong option without a reason."""
    asked, answer = questions(page)[number]
    options = re.findall(r"^- \*\*([A-Z])\*\* \S", asked, re.MULTILINE)
    right = re.findall(r"\*\*([A-Z])\.\*\*", answer)
    reasons = re.findall(r"^- ([A-Z]): \S.{20,}", answer, re.MULTILINE)
    if options:
        assert options == [chr(ord("A") + i) for i in range(len(options))]
        assert len(right) == 1 and right[0] in options
        assert sorted(reasons) == [o for o in options if o != right[0]]
    else:
        assert not right and not reasons


@each_question
def test_answers_are_folded_away(page, number):
    """Catches an answer that is read before the question has been thought about."""
    parts = questions(page)[number]
    assert len(parts) == 2
    assert parts[1].strip().endswith("</details>") and not re.search(r"\*\*[A-Z]\.\*\*", parts[0])


def test_wrong_options_have_true_reasons():
    """Catches a reason that is not so: each that says a number or an order is tried."""
    assert math.isclose(23.80 - 15.46, 8.34) and math.isclose(87.29 - 76.23, 11.06)
    x = torch.linspace(0.01, 0.99, 99).double()
    entropy = F.binary_cross_entropy(x, x, reduction="none")
    other = F.binary_cross_entropy((x + 0.005), x, reduction="none")
    assert (entropy > 0).all() and (other > entropy).all()
    g = torch.Generator().manual_seed(0)
    few, many = (sum(distance_of_samples(n, g) for _ in range(20)) / 20 for n in (100, 800))
    assert few > many > 0


def distance_of_samples(n, generator):
    """Fréchet distance of n draws from N(0, I) to N(0, I) itself, in 16 dimensions."""
    x = torch.randn(n, 16, generator=generator, dtype=torch.float64)
    return frechet_distance(
        x.mean(0), torch.cov(x.T), torch.zeros(16).double(), torch.eye(16).double()
    )
