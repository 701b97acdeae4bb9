"""What the checks of notebook 05 say about answers that are no copy of a known mistake."""

import inspect
import math
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from alternatives_generation import ALTERNATIVES
from torch.distributions import Normal

from course_lib.exercises import EXERCISES
from course_lib.exercises.card import Card
from course_lib.exercises.generation import EXERCISES as OURS
from course_lib.exercises.generation.slerp import ABOVE_ONE

MANY = range(100, 130)
each_exercise = pytest.mark.parametrize("exercise", OURS, ids=lambda e: e.name)


# --- cases of any seed --------------------------------------------------------------------------


@each_exercise
def test_right_answers_are_accepted_on_many_seeds(exercise):
    """Catches a seed whose cases lie at a limit, where right answers differ by rounding."""
    for answer in [exercise.reference, *ALTERNATIVES[exercise.name]]:
        failed = [seed for seed in MANY if not exercise.check(answer, seed).passed]
        assert not failed, f"{answer.__name__} on seeds {failed}"


@each_exercise
def test_known_mistakes_are_rejected_on_many_seeds(exercise):
    """Catches a mistake that slips through where the seed of the grader is a lucky one."""
    for seed in MANY[::4]:
        right = exercise.records(exercise.reference, seed)
        for mistake in exercise.mistakes:
            pairs = zip(exercise.records(mistake.wrong, seed), right, strict=True)
            assert not all(exercise._same(*pair) for pair in pairs), (mistake.name, seed)


@each_exercise
def test_mistakes_have_names_of_their_own(exercise):
    """Catches two mistakes under one name in the feedback."""
    names = [mistake.name for mistake in exercise.mistakes]
    assert len(set(names)) == len(names) >= 15


@pytest.mark.parametrize("pair", ABOVE_ONE)
@pytest.mark.parametrize("factor", [4, -2])
def test_cosines_round_beyond_one(pair, factor):
    """Catches parallel vectors that a missing clamp survives, by either way to the cosine."""
    a = torch.tensor([pair[0], 0, pair[1], 0], dtype=torch.float64) / 16
    b = factor * a
    assert torch.arccos(torch.dot(a / a.norm(), b / b.norm())).isnan()
    assert torch.arccos(torch.dot(a, b) / (a.norm() * b.norm())).isnan()


def test_the_best_sigma_is_where_the_likelihood_is_largest():
    """Catches two exercises of one notebook that contradict one another."""
    nll, best = EXERCISES["gaussian_nll"].reference, EXERCISES["optimal_log_sigma"].reference
    case = EXERCISES["optimal_log_sigma"].cases(3)[0]
    x, mean = case.args.values()
    log_sigma = best(x, mean).detach().requires_grad_()
    (slope,) = torch.autograd.grad(nll(x, mean, log_sigma).mean(), log_sigma)
    assert abs(slope) < 1e-9 * x[0].numel()
    for step in (-0.1, 0.1):
        assert nll(x, mean, log_sigma + step).mean() > nll(x, mean, log_sigma).mean()


# --- hints and cards ----------------------------------------------------------------------------


@each_exercise
def test_hints_hold_no_line_of_the_solution(exercise):
    """Catches a hint that can be pasted instead of understood."""
    lines = [line.strip() for line in inspect.getsource(exercise.reference).splitlines()]
    code = [line.split("  #")[0].removeprefix("return ") for line in lines]
    body = [line for line in code if len(line) > 12 and not line.startswith(("#", "def "))]
    hints = [m.hint for m in exercise.mistakes] + [*exercise.property_hints.values()]
    assert not [(line, hint) for line in body for hint in hints if line in hint]


@each_exercise
def test_hints_are_short(exercise):
    """Catches a hint that is a lecture."""
    for hint in [m.hint for m in exercise.mistakes] + [*exercise.property_hints.values()]:
        assert 15 < len(hint) <= 260, hint


@each_exercise
def test_cards_show_the_inputs_in_words(exercise):
    """Catches a card that shows the name of a type where the student needs the input."""
    shown = repr(Card(exercise.check(exercise.mistakes[0].wrong))).split("Input")[1].splitlines()[0]
    for name in exercise.cases(20)[0].args:
        assert f"{name} = " in shown
    assert "object" not in shown


# --- the same mistake in other words ------------------------------------------------------------


def log_likelihood(x, mean, log_sigma):
    return Normal(mean, log_sigma.exp()).log_prob(x).sum((1, 2, 3))


def sigma_as_a_number(x, mean, log_sigma):
    s = log_sigma.item()
    terms = (x - mean) ** 2 / (2 * math.exp(s) ** 2) + s + math.log(2 * math.pi) / 2
    return terms.sum((1, 2, 3))


def mse_and_log_sigma(x, mean, log_sigma):
    mse = F.mse_loss(x, mean, reduction="none").flatten(1).sum(1)
    return mse / (2 * log_sigma.exp() ** 2) + log_sigma + 0.5 * math.log(2 * math.pi)


def sigma_by_numpy(x, mean):
    return max(-6.0, float(np.log(np.sqrt(((x - mean) ** 2).numpy().mean()) + 1e-12)))


def each(x, mean):
    return zip(x, mean, strict=True)


def sigma_of_each_image(x, mean):
    return torch.stack([F.mse_loss(a, m).sqrt().log().clamp(min=-6) for a, m in each(x, mean)])


def slerp_of_stable_diffusion(v0, v1, t):
    v0, v1 = v0.numpy(), v1.numpy()
    dot = np.sum(v0 * v1 / (np.linalg.norm(v0) * np.linalg.norm(v1)))
    if abs(dot) > 0.9995:
        return (1 - t) * v0 + t * v1
    theta = np.arccos(dot)
    return (np.sin(theta - theta * t) * v0 + np.sin(theta * t) * v1) / np.sin(theta)


def vector_of_zero_and_one_exchanged(z, y):
    return F.normalize((z[~y.bool()].mean(0) - z[y.bool()].mean(0))[None])[0]


def rows_of_y(z, y):
    step = z[y].mean(0) - z[1 - y].mean(0)
    return step / step.norm()


def condition_by_add_(z, labels, embedding, weight):
    return z.add_(embedding(labels), alpha=weight)


def condition_by_first_label(z, labels, embedding, weight):
    return z + weight * embedding(torch.full_like(labels, int(labels[0])))


def frechet_of_numpy(mu1, cov1, mu2, cov2):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = np.sqrt(cov1.numpy() @ cov2.numpy())
    return float(((mu1 - mu2) ** 2).sum() + (cov1 + cov2).trace() - 2 * np.trace(root))


def frechet_of_scipy(mu1, cov1, mu2, cov2):
    from scipy.linalg import sqrtm

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = sqrtm((cov1 @ cov2).numpy())
    return (mu1 - mu2).square().sum().item() + np.trace((cov1 + cov2).numpy() - 2 * root)


def straight_from_topk(samples, train, k):
    return torch.topk(torch.cdist(samples.flatten(1), train.flatten(1)), k, largest=False)


def mean_squared(samples, train, k):
    gaps = ((samples[:, None] - train[None]) ** 2).flatten(2).mean(2)
    return gaps.argsort(1)[:, :k], gaps.sort(1).values[:, :k]


def report_of_numpy(errors, groups):
    found = {}
    for group in set(groups.tolist()):
        own = errors[groups == group].numpy()
        half = 1.96 * np.std(own) / np.sqrt(len(own))
        found[group] = (own.mean(), own.mean() - half, own.mean() + half)
    return found


def report_of_spread(errors, groups):
    found = {}
    for group in np.unique(groups):
        own = errors[groups == int(group)]
        found[group] = (own.mean(), own.mean() - 1.96 * own.std(), own.mean() + 1.96 * own.std())
    return found


@pytest.mark.parametrize(
    ("name", "candidate", "words"),
    [
        ("gaussian_nll", log_likelihood, "this is the log-likelihood"),
        ("gaussian_nll", sigma_as_a_number, "No gradient reaches `log_sigma`"),
        ("gaussian_nll", mse_and_log_sigma, "are counted once an image"),
        ("optimal_log_sigma", sigma_by_numpy, "Python number"),
        ("optimal_log_sigma", sigma_of_each_image, "one σ for each image"),
        ("slerp", slerp_of_stable_diffusion, "linear interpolation too early"),
        ("attribute_vector", vector_of_zero_and_one_exchanged, "takes the attribute away"),
        ("attribute_vector", rows_of_y, "picks rows 0 and 1"),
        ("condition", condition_by_add_, "You write into z"),
        ("condition", condition_by_first_label, "the same class"),
        ("frechet_distance", frechet_of_numpy, "root of each entry"),
        ("frechet_distance", frechet_of_scipy, "complex number"),
        ("nearest_training", straight_from_topk, "changed places"),
        ("nearest_training", mean_squared, "mean squared difference"),
        ("group_report", report_of_numpy, "s is taken with n"),
        ("group_report", report_of_spread, "interval of the errors, not of their mean"),
    ],
)
def test_mistakes_are_recognised_in_other_words(name, candidate, words):
    """Catches a recognition that knows a mistake only by the code of its copy."""
    for seed in (20, 21, 22):
        verdict = EXERCISES[name].check(candidate, seed)
        assert verdict.status == "wrong"
        assert words in verdict.hint


# --- unknown mistakes ---------------------------------------------------------------------------


def right(name, *args):
    return EXERCISES[name].reference(*args)


def a_tenth_more_error(x, mean, log_sigma):
    return right("gaussian_nll", x, mean + 0.1 * (mean - x), log_sigma)


def three_times_the_constant(x, mean, log_sigma):
    return right("gaussian_nll", x, mean, log_sigma) + x[0].numel() * math.log(2 * math.pi)


def upper_end_from_the_lower(errors, groups):
    return {k: (m, low, m + 2 * (m - low)) for k, (m, low, _) in report(errors, groups).items()}


def report(errors, groups):
    return right("group_report", errors, groups)


@pytest.mark.parametrize(
    ("name", "candidate", "words"),
    [
        ("gaussian_nll", a_tenth_more_error, "What the error adds is not"),
        ("gaussian_nll", three_times_the_constant, "every pixel still costs"),
        ("optimal_log_sigma", lambda x, mean: torch.zeros(5), "one number"),
        ("condition", lambda z, y, e, w: z if w <= 0 else z + w * e(y), "At weight 0 you hand z"),
        ("condition", lambda z, y, e, w: (z + w * e(y))[..., :1], "of the shape of z"),
        ("nearest_training", lambda s, t, k: (1, 2, 3), "two tensors in one tuple"),
        ("group_report", lambda e, g: dict.fromkeys(g.tolist(), "none"), "three numbers"),
        ("group_report", upper_end_from_the_lower, "the upper ends are not"),
        ("group_report", lambda e, g: {k + 1: v for k, v in report(e, g).items()}, "keys are"),
        ("group_report", lambda e, g: {}, "The keys are the groups"),
    ],
)
def test_what_is_wrong_is_named_where_the_mistake_is_unknown(name, candidate, words):
    """Catches a diagnosis that leaves it at "something differs"."""
    verdict = EXERCISES[name].check(candidate)
    assert verdict.status == "wrong"
    assert words in verdict.hint


def frozen_in_part(x, mean):
    return right("optimal_log_sigma", x, mean.detach()) + 0 * x.sum()


def rounded(errors, groups):
    return {k: tuple(round(v, 3) for v in row) for k, row in report(errors, groups).items()}


def keys_by_identity(errors, groups):
    return {torch.tensor(k): v for k, v in report(errors, groups).items()}


def vectors_inside(errors, groups):
    return {k: tuple(torch.tensor([v]) for v in row) for k, row in report(errors, groups).items()}


@pytest.mark.parametrize(
    ("name", "candidate"),
    [
        ("optimal_log_sigma", frozen_in_part),
        ("slerp", lambda a, b, t: right("slerp", a, b + 1e-4 * a, t)),
        ("attribute_vector", lambda z, y: right("attribute_vector", z[1:], y[1:])),
        (
            "frechet_distance",
            lambda m, a, n, b: right("frechet_distance", m, a, n, b.diag().diag()),
        ),
        ("nearest_training", lambda s, t, k: right("nearest_training", s, t[:5], min(k, 5))),
        (
            "nearest_training",
            lambda s, t, k: right("nearest_training", s.bfloat16().float(), t.float(), k),
        ),
        ("group_report", rounded),
        ("group_report", keys_by_identity),
        ("group_report", vectors_inside),
    ],
)
def test_answers_that_only_look_right_are_rejected(name, candidate):
    """Catches a check that looks at too few properties, or too loosely."""
    assert EXERCISES[name].check(candidate).status == "wrong"


# --- containers and types -----------------------------------------------------------------------


@pytest.mark.parametrize("key", [int, np.int64, np.int32])
@pytest.mark.parametrize("row", [tuple, list, torch.tensor, np.array])
def test_reports_count_whatever_their_numbers_are_made_of(key, row):
    """Catches a comparison of types where `report[2]` works and gives three numbers."""

    def candidate(errors, groups):
        return {key(k): row(v) for k, v in report(errors, groups).items()}

    assert EXERCISES["group_report"].check(candidate).passed


def test_groups_may_come_in_any_order():
    """Catches a comparison that takes a dictionary for a list."""

    def candidate(errors, groups):
        return dict(reversed(report(errors, groups).items()))

    assert EXERCISES["group_report"].check(candidate).passed


@pytest.mark.parametrize("whole", [torch.int32, torch.int64])
def test_indices_may_be_whole_numbers_of_any_size(whole):
    """Catches a comparison of types where the indices can pick rows."""

    def candidate(samples, train, k):
        indices, distances = right("nearest_training", samples, train, k)
        return indices.to(whole), distances

    assert EXERCISES["nearest_training"].check(candidate).passed


@pytest.mark.parametrize("kind", [float, torch.tensor, np.float64])
def test_a_distance_counts_as_any_kind_of_number(kind):
    """Catches a comparison that cares for the container instead of the number."""
    name = "frechet_distance"
    assert EXERCISES[name].check(lambda *args: kind(right(name, *args))).passed
