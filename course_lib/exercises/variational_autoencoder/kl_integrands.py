"""Wrong answers to `kl_monte_carlo` that average something else than log q(z|x) − log p(z)."""

from __future__ import annotations

from course_lib.distributions import log_normal
from course_lib.exercises.spec import Mistake
from course_lib.exercises.variational_autoencoder.estimates import (
    log_ratio,
    mean_of,
    normal_noise,
    squares,
    with_log_p,
    with_log_q,
)

_CONSTANT = (
    "A constant of the Gaussian is missing in one of the two log-densities, so it does not cancel. "
    "`log_normal` has all of them."
)
INTEGRANDS = (
    Mistake(
        "log-ratio reversed",
        mean_of(lambda *args: -log_ratio(*args)),
        "The two log-densities have changed places: log q(z|x) comes first, log p(z) is "
        "subtracted.",
    ),
    Mistake(
        "prior, reversed",
        mean_of(
            lambda *args: -log_ratio(*args),
            sample=lambda mu, log_var, n, g: normal_noise((n, *mu.shape), g),
        ),
        "Samples of the prior and log p − log q: this is KL(p ‖ q), the other way round.",
    ),
    Mistake(
        "half log 2π missing in q",
        mean_of(with_log_q(lambda z, mu, lv: -0.5 * (squares(z, mu, lv) + lv.sum(-1)))),
        f"{_CONSTANT} Look for ½ log 2π in log q.",
    ),
    Mistake(
        "half log 2π missing in p",
        mean_of(with_log_p(lambda z: -0.5 * (z**2).sum(-1))),
        f"{_CONSTANT} Look for ½ log 2π in log p.",
    ),
    Mistake(
        "log σ² missing in q",
        mean_of(lambda z, mu, lv: 0.5 * ((z**2).sum(-1) - squares(z, mu, lv))),
        "−½ log σ² is missing in log q(z|x). It depends on x, so it is no constant to drop.",
    ),
    Mistake(
        "log σ for log σ² in q",
        mean_of(lambda z, mu, lv: log_ratio(z, mu, lv) + 0.25 * lv.sum(-1)),
        "log q(z|x) holds −½ log σ², and `log_var` already is log σ²: do not halve it twice.",
    ),
    Mistake(
        "log σ² not halved in q",
        mean_of(lambda z, mu, lv: log_ratio(z, mu, lv) - 0.5 * lv.sum(-1)),
        "log q(z|x) holds −½ log σ², that is −log σ: the ½ is missing.",
    ),
    Mistake(
        "no half",
        mean_of(lambda *args: 2 * log_ratio(*args)),
        "Your estimate is twice the expected one: the ½ of the Gaussian exponent is missing.",
    ),
    Mistake(
        "density of q with exp(log_var) as its sigma",
        mean_of(with_log_q(lambda z, mu, lv: log_normal(z, mu, 2 * lv))),
        "The samples are right; log q(z|x) is evaluated with exp(log σ²) in place of σ.",
    ),
    Mistake(
        "density of q with log_var taken for log sigma^2 of half",
        mean_of(with_log_q(lambda z, mu, lv: log_normal(z, mu, 0.5 * lv))),
        "The samples are right; log q(z|x) is evaluated with log σ in place of log σ². "
        "`log_normal` takes `log_var` as it is.",
    ),
    Mistake(
        "log q alone",
        mean_of(log_normal),
        "Only log q(z|x) is there: the mean is minus an entropy. Subtract log p(z).",
    ),
    Mistake(
        "log p alone",
        mean_of(lambda z, mu, lv: -log_normal(z, 0 * mu, 0 * lv)),
        "Only −log p(z) is there: a cross-entropy. Add log q(z|x).",
    ),
    Mistake(
        "sum of the logarithms",
        mean_of(lambda z, mu, lv: log_normal(z, mu, lv) + log_normal(z, 0 * mu, 0 * lv)),
        "You add log p(z). A ratio of densities is a difference of logarithms.",
    ),
    Mistake(
        "p around mu",
        mean_of(lambda z, mu, lv: log_normal(z, mu, lv) - log_normal(z, mu, 0 * lv)),
        "Your log p(z) is centred on μ. The prior is N(0, I) for every image.",
    ),
    Mistake(
        "absolute value",
        mean_of(lambda *args: log_ratio(*args).abs()),
        "You take absolute values. Single log-ratios may be negative; only their mean is not.",
    ),
    Mistake(
        "square",
        mean_of(lambda *args: 0.5 * log_ratio(*args) ** 2),
        "You average squares of the log-ratio: near the KL only where q and p nearly agree.",
    ),
    Mistake(
        "ratio without logarithm",
        mean_of(lambda *args: log_ratio(*args).exp()),
        "You average q/p itself. The KL is the mean of its logarithm.",
    ),
    Mistake(
        "minus one",
        mean_of(lambda *args: log_ratio(*args) + (-log_ratio(*args)).exp() - 1),
        "This estimate is unbiased and never negative, but its spread is another one: the exercise "
        "asks for the plain mean of log q − log p.",
    ),
)
