"""What the checks of notebook 03 say about answers that are no copy of a known mistake."""

import inspect
import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from course_lib.exercises import EXERCISES
from course_lib.exercises.card import Card
from course_lib.exercises.variational_autoencoder import EXERCISES as OURS
from course_lib.exercises.variational_autoencoder.claims import CLAIMS
from course_lib.exercises.variational_autoencoder.find_the_bug import TABLES

RANDOM = ["kl_monte_carlo", "score_gradient", "pathwise_gradient"]


def sigma_of(log_var):
    return torch.exp(0.5 * log_var)


def normal(*shape, generator=None):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("name", RANDOM)
def test_estimates_are_accepted_on_many_seeds(name):
    """Catches a tolerance that is too tight for the noise of a right answer."""
    exercise = EXERCISES[name]
    assert all(exercise.check(exercise.reference, seed).passed for seed in range(100, 125))


@pytest.mark.parametrize("exercise", OURS, ids=lambda e: e.name)
def test_hints_hold_no_line_of_the_solution(exercise):
    """Catches a hint that can be pasted instead of understood."""
    lines = [line.strip() for line in inspect.getsource(exercise.reference).splitlines()]
    code = [line.split("  #")[0].removeprefix("return ") for line in lines]
    body = [line for line in code if len(line) > 12 and not line.startswith(("#", "def "))]
    hints = [m.hint for m in exercise.mistakes] + [*exercise.property_hints.values()]
    assert not [(line, hint) for line in body for hint in hints if line in hint]


@pytest.mark.parametrize("exercise", OURS, ids=lambda e: e.name)
def test_cards_show_the_inputs_in_words(exercise):
    """Catches a card that shows the name of a type where the student needs the input."""
    card = repr(Card(exercise.check(exercise.mistakes[0].wrong)))
    assert "Input" in card
    assert "function" not in card.split("Input")[1].splitlines()[0]
    assert "Formula" not in card


# --- the claims of find_the_bug -----------------------------------------------------------------


def test_claims_are_as_they_say():
    """Catches a claim filed under the wrong heading, by evaluating it on other numbers."""
    find = EXERCISES["find_the_bug"].reference
    for claim in CLAIMS.values():
        assert bool(find({"it": claim.make()})) is not claim.right, claim.text


def test_every_claim_is_used():
    """Catches a trap that no case sets."""
    assert {text for _, texts in TABLES for text in texts} == set(CLAIMS)


def test_names_say_nothing_and_change_with_the_seed():
    """Catches formulas whose names give the answer away from one seed to the next."""
    cases = [EXERCISES["find_the_bug"].cases(seed) for seed in range(6)]
    assert len({str(case[0].args["formulas"]) for case in cases}) > 4
    assert all(len(name) == 1 for case in cases[0] for name in case.args["formulas"])


# --- the same mistake in other words ------------------------------------------------------------


def prior_samples_by_rows(mu, log_var, n_samples, generator):
    z = normal(len(mu), n_samples, mu.shape[1], generator=generator)
    q = Normal(mu[:, None], sigma_of(log_var)[:, None])
    return (q.log_prob(z) - Normal(0, 1).log_prob(z)).sum(-1).mean(1)


def reversed_one_by_one(mu, log_var, n_samples, generator):
    total = 0
    for _ in range(n_samples):
        z = mu + sigma_of(log_var) * normal(*mu.shape, generator=generator)
        total = total + (Normal(0, 1).log_prob(z) - Normal(mu, sigma_of(log_var)).log_prob(z))
    return total.sum(1) / n_samples


def variance_as_scale_one_by_one(mu, log_var, n_samples, generator):
    eps = [normal(*mu.shape, generator=generator) for _ in range(n_samples)]
    q = Normal(mu, sigma_of(log_var))
    terms = [
        q.log_prob(z) - Normal(0, 1).log_prob(z) for z in (mu + log_var.exp() * e for e in eps)
    ]
    return torch.stack(terms).sum(-1).mean(0)


def one_noise_for_all_rows(mu, log_var, n_samples, generator):
    eps = normal(mu.shape[1], n_samples, generator=generator).T[:, None]
    z = mu + sigma_of(log_var) * eps
    return 0.5 * (z**2 - eps**2 - log_var).sum(-1).mean(0)


def score_by_columns(f, mu, log_var, n_samples, generator):
    eps = normal(len(mu), n_samples, generator=generator).T
    return (f(mu + sigma_of(log_var) * eps)[:, None] * eps / sigma_of(log_var)).mean(0)


def score_with_one_sigma_by_columns(f, mu, log_var, n_samples, generator):
    eps = normal(len(mu), n_samples, generator=generator).T
    return (f(mu + sigma_of(log_var) * eps)[:, None] * eps).mean(0)


def pathwise_by_columns(f, mu, log_var, n_samples, generator):
    mu = mu.clone().requires_grad_()
    eps = normal(len(mu), n_samples, generator=generator).T
    return torch.autograd.grad(f(mu + sigma_of(log_var) * eps).mean(), mu)[0]


def numpy_noise(f, mu, log_var, n_samples, generator):
    eps = torch.from_numpy(np.random.default_rng().normal(size=(n_samples, len(mu))))
    return (f(mu + sigma_of(log_var) * eps)[:, None] * eps / sigma_of(log_var)).mean(0)


def finite_differences(f, mu, log_var, n_samples, generator):
    z = mu + sigma_of(log_var) * normal(n_samples, len(mu), generator=generator)
    steps = 1e-4 * torch.eye(len(mu), dtype=mu.dtype)
    return torch.stack([(f(z + h) - f(z - h)).mean() / 2e-4 for h in steps])


def half_of_the_kl_detached(mu, log_var):
    return 0.5 * (mu.detach() ** 2 + log_var.exp() - 1 - log_var).sum(-1)


def own_noise_of_eps(mu, log_var, eps):
    return mu + sigma_of(log_var) * torch.randn_like(eps)


def elbo_of_weight_three(x, logits, mu, log_var):
    return EXERCISES["elbo"].reference(x, logits, mu, log_var) - 2 * kl(mu, log_var)


def kl(mu, log_var):
    return EXERCISES["kl_std_normal"].reference(mu, log_var)


def frozen_decoder(x, logits, mu, log_var):
    return EXERCISES["elbo"].reference(x, logits.detach(), mu, log_var)


def counted_by_hand(formulas):
    wrong = []
    for name, formula in formulas.items():
        inputs = formula.draw(torch.Generator().manual_seed(7))
        if not torch.allclose(formula.left(*inputs), formula.right(*inputs)):
            wrong.append(name)
    return wrong


@pytest.mark.parametrize(
    ("name", "candidate", "words"),
    [
        ("reparameterize", own_noise_of_eps, "noise of your own"),
        ("kl_std_normal", half_of_the_kl_detached, "no gradient reaches `mu`"),
        ("kl_monte_carlo", prior_samples_by_rows, "samples come from the prior"),
        ("kl_monte_carlo", reversed_one_by_one, "have changed places"),
        ("kl_monte_carlo", variance_as_scale_one_by_one, "wrong spread"),
        ("kl_monte_carlo", one_noise_for_all_rows, "All images share one noise"),
        ("score_gradient", score_with_one_sigma_by_columns, "you divide by σ once"),
        ("score_gradient", pathwise_by_columns, "that is the pathwise estimator"),
        ("score_gradient", numpy_noise, "Not all noise comes from `generator`"),
        ("pathwise_gradient", score_by_columns, "score-function estimator"),
        ("pathwise_gradient", finite_differences, "`n_samples` different points"),
        ("elbo", elbo_of_weight_three, "The log-likelihood is right. The KL is not"),
        ("elbo", frozen_decoder, "no gradient reaches `logits`"),
        ("find_the_bug", counted_by_hand, "on one draw"),
    ],
)
def test_mistakes_are_recognised_in_other_words(name, candidate, words):
    """Catches a recognition that knows a mistake only by the order of its random numbers."""
    for seed in (20, 21, 22):
        verdict = EXERCISES[name].check(candidate, seed)
        assert verdict.status == "wrong"
        assert words in verdict.hint


# --- answers that only look right ---------------------------------------------------------------


def lazy_in_samples(mu, log_var, n_samples, generator):
    return EXERCISES["kl_monte_carlo"].reference(mu, log_var, min(n_samples, 4), generator)


def closed_with_noise(mu, log_var, n_samples, generator):
    return kl(mu, log_var) + normal(len(mu), generator=generator) / math.sqrt(n_samples)


def changing_mu(mu, log_var, eps):
    mu += torch.exp(0.5 * log_var) * eps
    return mu


@pytest.mark.parametrize(
    ("name", "candidate"),
    [
        ("kl_monte_carlo", lazy_in_samples),
        ("kl_monte_carlo", closed_with_noise),
        ("reparameterize", changing_mu),
        ("find_the_bug", lambda formulas: [*formulas][:1]),
        ("iwae_bound", lambda log_w: torch.log(torch.exp(log_w - log_w[0]).mean(0)) + log_w[0] * 0),
    ],
)
def test_answers_that_only_look_right_are_rejected(name, candidate):
    """Catches a check that looks at too few properties."""
    assert EXERCISES[name].check(candidate).status == "wrong"


@pytest.mark.parametrize("container", [set, tuple, sorted, frozenset])
def test_names_count_in_any_order_and_container(container):
    """Catches a comparison of lists where the question is which names."""
    right = EXERCISES["find_the_bug"].reference
    assert EXERCISES["find_the_bug"].check(lambda formulas: container(right(formulas))).passed
