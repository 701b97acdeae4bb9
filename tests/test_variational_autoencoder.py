"""What the checks of notebook 03 say about answers that are no copy of a known mistake."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from course_lib.exercises import EXERCISES

SEEDS = (0, 20, 21, 22)


def right(name, *args):
    return EXERCISES[name].reference(*args)


def seeded_inside(mu, log_var, eps):
    torch.manual_seed(0)
    return right("reparameterize", mu, log_var, eps)


def z_of(m, v, n, g):
    return m + (v / 2).exp() * torch.randn(n, *m.shape, generator=g, dtype=m.dtype)


def ratios(m, v, n, g):
    z = z_of(m, v, n, g)
    return (Normal(m, (v / 2).exp()).log_prob(z) - Normal(0, 1).log_prob(z)).sum(-1)


def score(f, m, v, n, g, *, power=1.0, less=0.0):
    z = z_of(m, v, n, g)
    return (f(z) - less * f(z).mean()) @ ((z - m) / v.exp() ** power)


def pathwise(f, m, v, n, g):
    return torch.func.grad(lambda m: f(z_of(m, v, n, g)).mean())(m)


def apart(a, b):
    return not torch.allclose(a, b, rtol=1e-6, atol=1e-9)


def differing(formulas, *, apart=lambda a, b: not torch.allclose(a, b), most=1, draws=20):
    g, names = torch.Generator(), []
    for name, (draw, left, right) in formulas.items():
        wrong = [apart(left(*x), right(*x)) for x in [draw(g) for _ in range(draws)]]
        names += [name for _ in range(20) if any(wrong)][:most]
    return names


WRONG = [
    ("reparameterize", lambda m, v, e: m + v.exp().square() * e, "does not make σ"),
    ("reparameterize", lambda m, v, e: right("reparameterize", m, v, e).float(), "float32"),
    ("reparameterize", lambda m, v, e: e.mul_((v / 2).exp()).add_(m), "changes its input `eps`"),
    ("reparameterize", lambda m, v, e: m + (v / 2).exp() @ e, "Which is meant"),
    ("kl_std_normal", lambda m, v: kl_divergence(Normal(m, v.exp()), Normal(0, 1)).sum(1),
     "is what `Normal` takes"),
    ("pathwise_gradient", lambda f, m, *a: f(z_of(m.requires_grad_(), *a)).mean().backward(),
     "`backward`"),
    ("find_the_bug", lambda f: differing({k: v for k, v in f.items() if v.draw()}), "takes a gen"),
    ("find_the_bug", lambda f: differing(f), "as that of `allclose`"),
    ("find_the_bug", lambda f: differing(f, draws=2, apart=apart), "on two"),
    ("reparameterize", seeded_inside, "set their seed"),
    ("kl_std_normal", lambda m, v: (m**2 + 1 - v.exp() + v * v.exp()).sum(1), "not right"),
    ("kl_std_normal", lambda m, v: 0.5 * (m**2 + v.data.exp() - 1 - v).sum(1), "gradient"),
    ("elbo", lambda *a: right("elbo", *a).mean() + 0 * a[2].sum(1), '`reduction="none"`'),
    ("elbo", lambda *a: right("elbo", *a) - right("kl_std_normal", *a[2:]), "2 times"),
    ("elbo", lambda x, y, *q: right("elbo", x, y.clamp(-9, 9), *q), "large ones do not"),
    ("elbo", lambda x, y, *q: right("elbo", x, y.detach(), *q), "no gradient reaches `logits`"),
    ("iwae_bound", lambda w: w.double().exp().mean(0).log().to(w), "Stay with logarithms"),
    ("iwae_bound", lambda w: torch.logsumexp(w), "Say along which dimension"),
    ("kl_monte_carlo", lambda *a: -ratios(*a).mean(0), "have changed places"),
    ("kl_monte_carlo", lambda m, v, n, g: ratios(m, v, n + 1, g).mean(0), "not scatter"),
    ("kl_monte_carlo", lambda *a: ratios(*a[:3], None).mean(0), "generator="),
    ("score_gradient", lambda *a: score(*a, power=0.5) / a[3], "which power of σ"),
    ("score_gradient", lambda *a: score(*a, less=1.0) / (a[3] - 1), "NaN or infinity"),
    ("score_gradient", lambda *a: score(*a) / (a[3] - 1), "divide by S − 1"),
    ("score_gradient", lambda *a: (score(*a) / a[3]).squeeze(), "loses a dimension"),
    ("score_gradient", pathwise, "You differentiate f"),
    ("pathwise_gradient", lambda *a: score(*a) / a[3], "f is not differentiated"),
    ("pathwise_gradient", lambda f, m, *a: pathwise(f, m.double(), *a), "float64"),
    ("find_the_bug", lambda f: differing(f, most=20), "more than once"),
    ("find_the_bug", lambda f: differing(f, apart=lambda a, b: a != b), "`if` wants one truth"),
    ("find_the_bug", lambda f: differing(f, apart=lambda a, b: (a - b > 1e-6).any()), "left side"),
    ("find_the_bug", lambda f: {*differing(f)}, "returns a set"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer", "words"), WRONG)
def test_mistakes_are_recognised_in_other_words(name, answer, words):
    """Catches a hint that only a copy of the known mistake gets, and a slip that passes."""
    for seed in SEEDS:
        verdict = EXERCISES[name].check(answer, seed)
        assert verdict.status == "wrong" and words in verdict.hint


def test_which_formulas_are_wrong_depends_on_the_seed():
    """Catches names, an order or functions that give the wrong formulas away."""
    exercise, sides = EXERCISES["find_the_bug"], []
    runs = [exercise.records(exercise.reference, seed) for seed in range(8)]
    assert len({str([record["value"]["names"] for record in records]) for records in runs}) == 8
    wrong = []  # the texts of the wrong formulas, whatever their names
    for seed, records in enumerate(runs):
        texts = exercise.cases(seed)[0].args["formulas"]
        wrong.append({texts[name] for name in records[0]["value"]["names"].split()})
    assert len({str(sorted(texts)) for texts in wrong}) > 4
    exercise.records(lambda formulas: [sides.extend(f[1:]) for f in formulas.values()], 0)
    assert len({(side.__code__, side.__qualname__) for side in sides}) == 1
