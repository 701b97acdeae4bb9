"""What the checks of notebook 04 say about answers that are no copy of a known mistake."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import mutual_info_score, normalized_mutual_info_score
from torch.distributions import Normal

from course_lib.exercises import EXERCISES

SEEDS, MANY = (20, 21, 22), range(100, 160)


def right(name, *args):
    return EXERCISES[name].reference(*args)


def drawn_rate(x, logits, mu, log_var):
    q = Normal(mu, torch.exp(0.5 * log_var))
    z = q.sample()
    rate = (q.log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(1).mean()
    return rate, right("rate_distortion", x, logits, mu, log_var)[1]


def logs_of_sigmoid(x, logits, mu, log_var):
    p = torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7)
    cost = -(x * p.log() + (1 - x) * (1 - p).log())
    return right("rate_distortion", x, logits, mu, log_var)[0], cost.sum(1).mean()


def gap_of(information, edges=lambda c, n: np.histogram(c, n)[1][1:-1], norm=lambda v: 1.0):
    def gap(z, factors, n_bins=20):
        bins = [np.digitize(c, edges(c, n_bins)) for c in z.numpy().T]
        found = [[information(v, b) / norm(v) for b in bins] for v in factors.numpy().T]
        return float(np.diff(np.sort(found, 1)[:, -2:]).mean())

    return gap


QUANTILES = {"edges": lambda c, n: np.quantile(c, np.linspace(0, 1, n + 1)[1:-1]),
             "norm": lambda v: mutual_info_score(v, v)}  # fmt: skip
WRONG = [
    ("rate_distortion", lambda *a: (right("rate_distortion", *a)[0], 0.0), "distortion is a float"),
    ("rate_distortion", lambda *a: (*right("rate_distortion", *a), 0.0), "Two scalar tensors"),
    ("rate_distortion", lambda *a: torch.stack(right("rate_distortion", *a)).flip(0), "places"),
    ("rate_distortion", drawn_rate, "without random numbers"),
    ("rate_distortion", logs_of_sigmoid, "costs too little"),
    ("active_units", lambda mu, t=0.01: sum(c.std().item() > t for c in mu.T), "deviation"),
    ("active_units", lambda mu, t=0.01: (mu.var(0) < t).sum(), "Which side of the threshold"),
    ("water_filling", lambda v, b: torch.log(v / b), "negative"),
    ("water_filling", lambda v, b: torch.log1p(v / b) / 2, "what costs a latent that is off"),
    ("water_filling", lambda v, b: right("water_filling", v, b)[:, None], "dimension of size 1"),
    ("water_filling", lambda v, b: torch.log(v) - torch.log(b), "for a plain number take `math`"),
    ("beta_schedule", lambda s, n, k, top: s % (n / 4) / (n / 4) * top, "constant"),
    ("beta_schedule", lambda s, n, k, top: top * s / n if k == "linear" else top, "linear"),
    ("free_bits", lambda kl, f: sum(k.clamp(min=f).sum() for k in kl) / len(kl), "every image"),
    ("free_bits", lambda kl, f: max(f, *kl.mean(0)), "not right"),
    ("free_bits", lambda kl, f: right("free_bits", kl.detach(), f) + 0 * kl.sum(), "gradient"),
    ("mutual_information_gap", gap_of(mutual_info_score), "entropy of its own factor"),
    ("mutual_information_gap", gap_of(normalized_mutual_info_score), "before you rank"),
    ("mutual_information_gap", gap_of(mutual_info_score, **QUANTILES), "equally many codes"),
    ("mutual_information_gap", lambda z, v, n_bins=20: math.nan, "NaN"),
]


@pytest.mark.parametrize(("name", "answer", "words"), WRONG)
def test_mistakes_are_recognised_in_other_words(name, answer, words):
    """Catches a hint that only a copy of the known mistake gets, and a slip that passes."""
    for seed in SEEDS:
        verdict = EXERCISES[name].check(answer, seed)
        assert verdict.status == "wrong" and words in verdict.hint


def test_cases_leave_nothing_to_chance():
    """Catches half of the latents active, a variance near the threshold, and other sizes."""
    for seed in MANY:
        for case in EXERCISES["active_units"].cases(seed):
            mu, threshold = case.args["mu"], case.args.get("threshold", 0.01)
            ratio = torch.cat([mu.var(0), mu.var(0, unbiased=False)]) / threshold
            assert not ((ratio > 0.65) & (ratio < 1.9)).any()
            assert 2 * int((mu.var(0) > threshold).sum()) != mu.shape[1]
        for exercise in ("rate_distortion", "mutual_information_gap", "free_bits"):
            for case in EXERCISES[exercise].cases(seed):
                assert next(iter(case.args.values())).dtype == torch.float32
