"""What the checks of notebook 04 say about answers that are no copy of a known mistake."""

import inspect
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from alternatives_beta import ALTERNATIVES

from course_lib.exercises import EXERCISES
from course_lib.exercises.beta_vae import EXERCISES as OURS
from course_lib.exercises.card import Card

MANY = range(100, 130)
ANSWERS = [(name, f) for name, answers in ALTERNATIVES.items() for f in answers]


def reference(name):
    return EXERCISES[name].reference


@pytest.mark.parametrize(("name", "answer"), ANSWERS)
def test_right_answers_are_accepted_on_many_seeds(name, answer):
    """Catches cases on which right implementations differ by rounding, on a few seeds only."""
    assert all(EXERCISES[name].check(answer, seed).passed for seed in MANY)


@pytest.mark.parametrize("exercise", OURS, ids=lambda e: e.name)
def test_mistakes_are_told_apart_on_many_seeds(exercise):
    """Catches cases that let a wrong answer through, or two of them look alike, on a few seeds."""
    for seed in MANY[:5]:
        given = [exercise.check(mistake.wrong, seed) for mistake in exercise.mistakes]
        assert [v.hint for v in given] == [mistake.hint for mistake in exercise.mistakes]
        assert {v.status for v in given} == {"wrong"}


@pytest.mark.parametrize("exercise", OURS, ids=lambda e: e.name)
def test_hints_are_short_and_hold_no_line_of_the_solution(exercise):
    """Catches a hint that can be pasted instead of understood, or that nobody reads to its end."""
    lines = [line.strip() for line in inspect.getsource(exercise.reference).splitlines()]
    code = [line.split("  #")[0].removeprefix("return ") for line in lines]
    body = [line for line in code if len(line) > 12 and not line.startswith(("#", "def "))]
    hints = [m.hint for m in exercise.mistakes] + [*exercise.property_hints.values()]
    assert not [(line, hint) for line in body for hint in hints if line in hint]
    assert not [hint for hint in hints if len(hint.split()) > 60]


@pytest.mark.parametrize("exercise", OURS, ids=lambda e: e.name)
def test_cards_show_inputs_and_results_in_numbers(exercise):
    """Catches a card that shows the name of a type where the student needs the value."""
    card = repr(Card(exercise.check(exercise.mistakes[0].wrong)))
    for line in card.splitlines():
        if line.strip().startswith(("Input", "Yours", "Expected")):
            assert any(character.isdigit() for character in line), line


# --- what the cases hold ------------------------------------------------------------------------


def test_dividing_by_n_or_by_n_minus_one_is_the_same_count():
    """Catches a latent whose biased and unbiased variance lie on two sides of the threshold."""
    for seed in MANY:
        for case in EXERCISES["active_units"].cases(seed):
            mu, threshold = case.args["mu"], case.args.get("threshold", 0.01)
            for unbiased in (False, True):
                ratio = mu.var(0, unbiased=unbiased) / threshold
                assert not ((ratio > 0.65) & (ratio < 1.9)).any()


def test_no_code_lies_on_an_edge():
    """Catches a code that one right implementation puts to the left of an edge, one to the right.

    Least and largest value stand at the ends, and a latent that copies a factor has few values.
    """
    for seed in MANY:
        for case in EXERCISES["mutual_information_gap"].cases(seed):
            z, n = case.args["z"], case.args.get("n_bins", 20)
            for column in z.T:
                if len(column.unique()) < 10:
                    continue
                place = (column - column.min()) / (column.max() - column.min()) * n
                place = place[(place > 0) & (place < n)]
                assert (place - place.round()).abs().min() > 0.1


def test_images_lie_on_both_sides_of_the_floor():
    """Catches cases in which a floor for each image and one for their mean are the same."""
    for seed in MANY:
        kl, floor = EXERCISES["free_bits"].cases(seed)[0].args.values()
        assert ((kl > floor).any(0) & (kl < floor).any(0)).any()
        assert 0 < (kl.mean(0) > floor).sum() < kl.shape[1]


# --- the same mistake in other words, and answers that are new ------------------------------------


def mean_losses(x, logits, mu, log_var):
    rate = -0.5 * torch.mean(1 + log_var - mu**2 - log_var.exp())
    return rate, F.binary_cross_entropy_with_logits(logits, x)


def swapped_sums(x, logits, mu, log_var):
    rate, distortion = reference("rate_distortion")(x, logits, mu, log_var)
    return distortion, rate


def wrong_rate_alone(x, logits, mu, log_var):
    rate, distortion = reference("rate_distortion")(x, logits, mu, log_var)
    return 3 * rate, distortion


def wrong_distortion_alone(x, logits, mu, log_var):
    rate, distortion = reference("rate_distortion")(x, logits, mu, log_var)
    return rate, distortion + 1


def frozen_encoder(x, logits, mu, log_var):
    return reference("rate_distortion")(x, logits, mu.detach(), log_var)


def active_by_deviation(mu, threshold=0.01):
    return sum(latent.std().item() > threshold for latent in mu.T)


def sawtooth(step, total, kind, beta_max):
    if kind == "linear":
        return min(beta_max, beta_max * step / total)
    if kind == "constant" or step >= total:
        return beta_max
    return (step % (total / 4)) / (total / 4) * beta_max


def broken_cycle(step, total, kind, beta_max):
    beta = reference("beta_schedule")(step, total, kind, beta_max)
    return beta / 3 if kind == "cyclic" and step < total else beta


def unguarded_line(step, total, kind, beta_max):
    if kind == "linear":
        return beta_max / total * step
    return reference("beta_schedule")(step, total, kind, beta_max)


def free_per_image(kl_per_dim, floor):
    return sum(torch.clamp(kl, min=floor).sum() for kl in kl_per_dim) / len(kl_per_dim)


def free_in_place(kl_per_dim, floor):
    mean = kl_per_dim.mean(0)
    mean.data.clamp_(min=floor)
    return mean.sum()


def free_by_numpy(kl_per_dim, floor):
    return np.maximum(kl_per_dim.numpy().mean(0), floor).sum()


def free_by_python(kl_per_dim, floor):
    return max(kl_per_dim.mean(0), floor).sum()


def free_by_max(kl_per_dim, floor):
    return torch.max(kl_per_dim.mean(0), floor).sum()


def flooded(eigenvalues, beta_sigma2):
    """Changes its input where a latent is inactive, and gives a wrong number everywhere."""
    eigenvalues[eigenvalues < beta_sigma2] = beta_sigma2
    return 0.7 * torch.log(eigenvalues)


def rate_of_a_bad_scale(x, logits, mu, log_var):
    q_z = torch.distributions.Normal(mu, log_var)
    return torch.distributions.kl_divergence(q_z, torch.distributions.Normal(0.0, 1.0)), None


def rate_by_drawing(x, logits, mu, log_var):
    q_z = torch.distributions.Normal(mu, torch.exp(0.5 * log_var))
    z = q_z.sample()
    prior = torch.distributions.Normal(0.0, 1.0)
    rate = (q_z.log_prob(z) - prior.log_prob(z)).sum(1).mean()
    return rate, reference("rate_distortion")(x, logits, mu, log_var)[1]


def stairs_of_quarters(step, total, kind, beta_max):
    if kind == "cyclic" and step < total:
        return beta_max * (step // (total / 4)) / 4
    return reference("beta_schedule")(step, total, kind, beta_max)


def half_on_one_logarithm(eigenvalues, beta_sigma2):
    return torch.relu(0.5 * torch.log(eigenvalues) - math.log(beta_sigma2))


def logarithm_of_a_number(eigenvalues, beta_sigma2):
    return 0.5 * (torch.log(eigenvalues) - torch.log(beta_sigma2))


def logarithm_alone(eigenvalues, beta_sigma2):
    return [math.log(v / beta_sigma2) / 2 if v else -math.inf for v in eigenvalues.tolist()]


def gap_of_quantiles(z, factors, n_bins=20):
    """The gap by sklearn, with edges at quantiles."""
    from sklearn.metrics import mutual_info_score

    q = np.linspace(0, 1, n_bins + 1)[1:-1]
    bins = [np.digitize(c, np.quantile(c, q)) for c in z.T.numpy()]
    mi = np.array([[mutual_info_score(b, v) for b in bins] for v in factors.T.numpy()])
    entropy = [mutual_info_score(v, v) for v in factors.T.numpy()]
    mi.sort(1)
    return ((mi[:, -1] - mi[:, -2]) / entropy).mean()


def gap_of_sklearn_shares(z, factors, n_bins=20):
    from sklearn.metrics import normalized_mutual_info_score

    edges = [np.histogram(c, n_bins)[1][:-1] for c in z.T.numpy()]
    bins = [np.digitize(c, e) for c, e in zip(z.T.numpy(), edges, strict=True)]
    share = [[normalized_mutual_info_score(v, b) for b in bins] for v in factors.T.numpy()]
    share = np.sort(share, axis=1)
    return (share[:, -1] - share[:, -2]).mean()


def gap_of_one_factor(z, factors, n_bins=20):
    return ALTERNATIVES["mutual_information_gap"][0](z, factors[:, :1], n_bins)


def gap_with_noise(z, factors, n_bins=20):
    noise = torch.from_numpy(np.random.default_rng().normal(size=z.shape))
    return reference("mutual_information_gap")(z + noise, factors, n_bins)


def gap_in_loops(z, factors, n_bins=20):
    """Divides by 0 where a latent is constant."""
    low, high = z.min(0).values, z.max(0).values
    if (high == low).any():
        raise IndexError("index -9223372036854775808 is out of bounds for dimension 0 with size 10")
    return reference("mutual_information_gap")(z, factors, n_bins)


@pytest.mark.parametrize(
    ("name", "candidate", "words"),
    [
        ("rate_distortion", mean_losses, "average over the pixels and over the latents"),
        ("rate_distortion", swapped_sums, "have changed places"),
        ("rate_distortion", wrong_rate_alone, "The rate is not right"),
        ("rate_distortion", wrong_distortion_alone, "The rate is right, the distortion is not"),
        ("rate_distortion", frozen_encoder, "no gradient reaches `mu`"),
        ("rate_distortion", rate_of_a_bad_scale, "the exponential of ½ log σ²"),
        ("rate_distortion", rate_by_drawing, "without random numbers"),
        ("rate_distortion", lambda x, logits, mu, log_var: {"rate": 1}, "Return two scalars"),
        ("rate_distortion", lambda x, logits, mu, log_var: (None, None), "The rate is not right"),
        ("active_units", active_by_deviation, "standard deviation"),
        ("active_units", lambda mu, threshold=0.01: 3, "The number is not the expected one"),
        ("beta_schedule", sawtooth, "rises through the whole cycle"),
        ("beta_schedule", broken_cycle, "how far the step is within its cycle"),
        ("beta_schedule", unguarded_line, "goes on above beta_max"),
        ("beta_schedule", stairs_of_quarters, "`%` gives the place within one"),
        ("beta_schedule", lambda step, total, kind, beta_max: None, "returns nothing"),
        ("free_bits", free_per_image, "every image by itself"),
        ("free_bits", free_in_place, "its gradient is not"),
        ("free_bits", free_by_numpy, "have no graph"),
        ("free_bits", free_by_python, "neither true nor false"),
        ("free_bits", free_by_max, "A plain number stands where torch wants a tensor"),
        ("free_bits", lambda kl, floor: kl.mean(0).clamp(min=2 * floor).sum(), "Take it apart"),
        ("free_bits", lambda kl, floor: None, "Return one number"),
        ("water_filling", logarithm_alone, "your KL is negative"),
        ("water_filling", flooded, "changes its input"),
        ("water_filling", half_on_one_logarithm, "on log λ alone"),
        ("water_filling", logarithm_of_a_number, "for a plain number take `math`"),
        ("mutual_information_gap", gap_of_sklearn_shares, "before you rank"),
        ("mutual_information_gap", gap_of_quantiles, "equally many codes"),
        ("mutual_information_gap", gap_of_one_factor, "Only the first factor"),
        ("mutual_information_gap", gap_with_noise, "two scores"),
        ("mutual_information_gap", gap_in_loops, "one latent never changes"),
        ("mutual_information_gap", lambda z, v, n_bins=20: 0.5, "Test its parts"),
    ],
)
def test_mistakes_are_recognised_in_other_words(name, candidate, words):
    """Catches a hint that only a copy of the known mistake gets, and new answers without one."""
    for seed in (20, 21, 22):
        verdict = EXERCISES[name].check(candidate, seed)
        assert verdict.status == "wrong"
        assert words in verdict.hint


def lazy_in_the_first_factor(z, factors, n_bins=20):
    return reference("mutual_information_gap")(z[:, :3], factors, n_bins)


@pytest.mark.parametrize(
    ("name", "candidate"),
    [
        ("mutual_information_gap", lazy_in_the_first_factor),
        ("active_units", lambda mu, threshold=0.01: min(reference("active_units")(mu), 3)),
        ("rate_distortion", lambda *args: (*reference("rate_distortion")(*args), 0.0)),
        ("water_filling", lambda v, b: reference("water_filling")(v, b)[:, None]),
        ("free_bits", lambda kl, floor: reference("free_bits")(kl, floor)[None]),
    ],
)
def test_answers_that_only_look_right_are_rejected(name, candidate):
    """Catches a check that looks at too few cases, or not at the shape."""
    assert EXERCISES[name].check(candidate).status == "wrong"
