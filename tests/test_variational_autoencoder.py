"""What the checks of notebook 03 say about answers that are no copy of a known mistake."""

import pytest
import torch

from course_lib.exercises import EXERCISES

SEEDS = (0, 20, 21, 22)


def right(name, *args):
    return EXERCISES[name].reference(*args)


def seeded_inside(mu, log_var, eps):
    torch.manual_seed(0)
    return right("reparameterize", mu, log_var, eps)


WRONG = [
    ("reparameterize", lambda m, v, e: m + v.exp().square() * e, "does not make σ"),
    ("reparameterize", lambda m, v, e: right("reparameterize", m, v, e).float(), "float32"),
    ("reparameterize", lambda m, v, e: e.mul_((v / 2).exp()).add_(m), "changes its input `eps`"),
    ("reparameterize", seeded_inside, "set their seed"),
    ("kl_std_normal", lambda m, v: (m**2 + 1 - v.exp() + v * v.exp()).sum(1), "not right"),
    ("kl_std_normal", lambda m, v: 0.5 * (m**2 + v.data.exp() - 1 - v).sum(1), "gradient"),
    ("elbo", lambda *a: right("elbo", *a).mean() + 0 * a[2].sum(1), '`reduction="none"`'),
    ("elbo", lambda *a: right("elbo", *a) - right("kl_std_normal", *a[2:]), "2 times"),
    ("elbo", lambda x, y, *q: right("elbo", x, y.clamp(-9, 9), *q), "large ones do not"),
    ("elbo", lambda x, y, *q: right("elbo", x, y.detach(), *q), "no gradient reaches `logits`"),
    ("iwae_bound", lambda w: w.double().exp().mean(0).log().to(w), "Stay with logarithms"),
    ("iwae_bound", lambda w: torch.logsumexp(w), "Say along which dimension"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer", "words"), WRONG)
def test_mistakes_are_recognised_in_other_words(name, answer, words):
    """Catches a hint that only a copy of the known mistake gets, and a slip that passes."""
    for seed in SEEDS:
        verdict = EXERCISES[name].check(answer, seed)
        assert verdict.status == "wrong" and words in verdict.hint
