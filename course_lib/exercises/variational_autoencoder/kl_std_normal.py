"""`kl_std_normal(mu, log_var)`: KL from a diagonal Gaussian to the standard normal."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.exercises.observers import reach_hints
from course_lib.exercises.spec import Case, Exercise, Mistake
from course_lib.exercises.variational_autoencoder.observe import observe_result_and_reach


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    mu, log_var = torch.randn(2, 5, 3, generator=g, dtype=torch.float64)
    square = torch.randn(2, 4, 4, generator=g, dtype=torch.float64)
    one = torch.randn(2, 1, 6, generator=g, dtype=torch.float64)
    sure = -4 - 4 * torch.rand(3, 2, generator=g, dtype=torch.float64)
    zeros = torch.zeros(2, 3, dtype=torch.float64)
    return [
        Case("5 images, 3 latents", {"mu": mu, "log_var": log_var}),
        Case("as many images as latents", {"mu": square[0], "log_var": square[1]}),
        Case("one image", {"mu": one[0], "log_var": one[1]}),
        Case("small variances", {"mu": 3 * mu[:3, :2], "log_var": sure}),
        Case("q is the prior: no divergence", {"mu": zeros, "log_var": zeros}),
    ]


def _terms(mu: Tensor, log_var: Tensor) -> Tensor:
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var)


def _summed(terms: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    """A candidate that sums other terms over the latents."""
    return lambda mu, log_var: terms(mu, log_var).sum(-1)


def _reversed(mu: Tensor, log_var: Tensor) -> Tensor:
    return 0.5 * ((mu**2 + 1) * torch.exp(-log_var) - 1 + log_var)


_SIGN = (
    "The sign is turned round: this is −KL, and minimising it drives q away from the prior. A "
    "divergence is never negative; it is 0 at μ = 0, σ = 1."
)
_LOG = "log σ stands where log σ² belongs, and `log_var` already is log σ²."
MISTAKES = (
    Mistake("sign", _summed(lambda mu, log_var: -_terms(mu, log_var)), _SIGN),
    Mistake(
        "no half",
        _summed(lambda mu, log_var: 2 * _terms(mu, log_var)),
        "Everywhere twice the expected value: the ½ in front of the sum is missing.",
    ),
    Mistake(
        "sign and no half",
        _summed(lambda mu, log_var: -2 * _terms(mu, log_var)),
        f"{_SIGN} The ½ in front of the sum is missing, too.",
    ),
    Mistake(
        "log sigma for log sigma^2",
        _summed(lambda mu, log_var: 0.5 * (mu**2 + log_var.exp() - 1 - 0.5 * log_var)),
        f"{_LOG} With log σ the smallest value is not at σ = 1.",
    ),
    Mistake(
        "no half, log sigma for log sigma^2",
        _summed(lambda mu, log_var: mu**2 + log_var.exp() - 1 - 0.5 * log_var),
        f"Two slips at once: the ½ in front is missing, and {_LOG} This formula is in print; at "
        "μ = 0, σ² = ½ it gives −0.153, and a divergence is never negative.",
    ),
    Mistake(
        "sigma for sigma^2",
        _summed(lambda mu, log_var: 0.5 * (mu**2 + torch.exp(0.5 * log_var) - 1 - log_var)),
        "σ stands where σ² belongs: the exponential of log σ² is σ², without halving.",
    ),
    Mistake(
        "log_var taken for log sigma",
        _summed(lambda mu, log_var: 0.5 * (mu**2 + torch.exp(2 * log_var) - 1 - 2 * log_var)),
        "You treat `log_var` as log σ and double it. It is log σ² already.",
    ),
    Mistake(
        "variance squared",
        _summed(lambda mu, log_var: 0.5 * (mu**2 + torch.exp(log_var) ** 2 - 1 - log_var)),
        "You square the exponential of log σ²: that is σ⁴. It is σ² already.",
    ),
    Mistake(
        "exp missing",
        _summed(lambda mu, log_var: 0.5 * (mu**2 + log_var - 1 - log_var)),
        "log σ² stands where σ² belongs, and log σ² drops out: take its exponential.",
    ),
    Mistake(
        "log_var taken for the variance",
        _summed(lambda mu, log_var: 0.5 * (mu**2 + log_var - 1 - torch.log(log_var))),
        "You treat `log_var` as σ² and take its logarithm: NaN where it is negative. It is log σ²; "
        "σ² is its exponential.",
    ),
    Mistake(
        "log_var taken for sigma",
        _summed(lambda mu, log_var: 0.5 * (mu**2 + log_var**2 - 1 - torch.log(log_var**2))),
        "You treat `log_var` as σ and square it. It is log σ²; σ² is its exponential.",
    ),
    Mistake(
        "no one",
        _summed(lambda mu, log_var: 0.5 * (mu**2 + log_var.exp() - log_var)),
        "The −1 is missing, so the divergence of the prior from itself is d/2 instead of 0.",
    ),
    Mistake(
        "one outside the sum",
        lambda mu, log_var: 0.5 * ((mu**2 + log_var.exp() - log_var).sum(-1) - 1),
        "The −1 is subtracted once, outside the sum. Every latent has one: mind the brackets.",
    ),
    Mistake(
        "no mean",
        _summed(lambda mu, log_var: 0.5 * (log_var.exp() - 1 - log_var)),
        "μ² is missing: moving away from the origin has to cost something.",
    ),
    Mistake(
        "mean not squared",
        _summed(lambda mu, log_var: 0.5 * (mu + log_var.exp() - 1 - log_var)),
        "μ is not squared: a negative mean would be paid for.",
    ),
    Mistake(
        "no logarithm",
        _summed(lambda mu, log_var: 0.5 * (mu**2 + log_var.exp() - 1)),
        "−log σ² is missing: without it σ = 0 would be the best answer.",
    ),
    Mistake(
        "sign of the logarithm",
        _summed(lambda mu, log_var: 0.5 * (mu**2 + log_var.exp() - 1 + log_var)),
        "log σ² has the wrong sign: small variances cost, they do not pay.",
    ),
    Mistake(
        "sign of the one",
        _summed(lambda mu, log_var: 0.5 * (mu**2 + log_var.exp() + 1 - log_var)),
        "The 1 has the wrong sign: with −1 the divergence of the prior from itself is 0.",
    ),
    Mistake(
        "half of the variance terms only",
        _summed(lambda mu, log_var: mu**2 + 0.5 * (log_var.exp() - 1 - log_var)),
        "The ½ applies to μ² as well: mind the brackets.",
    ),
    Mistake(
        "half of the mean only",
        _summed(lambda mu, log_var: 0.5 * mu**2 + log_var.exp() - 1 - log_var),
        "The ½ applies to all four terms: mind the brackets.",
    ),
    Mistake(
        "other way round",
        _summed(_reversed),
        "This is KL(N(0, I) ‖ q). The divergence is not symmetric: q comes first here.",
    ),
    Mistake(
        "mean over latents",
        lambda mu, log_var: _terms(mu, log_var).mean(-1),
        "Your KL is 1/d of the expected value: you average over the latents. Independent latents "
        "add up.",
    ),
    Mistake(
        "summed over the batch",
        lambda mu, log_var: _terms(mu, log_var).sum(),
        "You sum over the batch as well, into one number. Return one value an image, (B,).",
    ),
    Mistake(
        "mean over the batch",
        lambda mu, log_var: _terms(mu, log_var).sum(-1).mean(),
        "You average over the batch: the result is one number. Return one value an image, (B,).",
    ),
    Mistake(
        "mean over everything",
        lambda mu, log_var: _terms(mu, log_var).mean(),
        "You average over latents and batch. Sum over the latents and keep the batch: (B,).",
    ),
    Mistake(
        "sum over images",
        lambda mu, log_var: _terms(mu, log_var).sum(0),
        "You sum over dimension 0, the images. The latents are the last dimension.",
    ),
    Mistake(
        "not summed",
        _terms,
        "You return one value a latent, (B, d). Sum over the latents.",
    ),
    Mistake(
        "column",
        lambda mu, log_var: _terms(mu, log_var).sum(-1, keepdim=True),
        "You return a column, (B, 1). Without `keepdim` it is (B,).",
    ),
    Mistake(
        "bits",
        _summed(lambda mu, log_var: _terms(mu, log_var) / torch.log(torch.tensor(2.0))),
        "Everywhere 1.443 times too large: these are bits. Nats use the natural logarithm.",
    ),
    Mistake(
        "detached",
        lambda mu, log_var: _terms(mu, log_var).sum(-1).detach(),
        "The values are right, but they have no graph, so no gradient reaches the encoder: leave "
        "out `.detach()`.",
    ),
)

EXERCISE = Exercise(
    "kl_std_normal",
    2,
    cases,
    MISTAKES,
    observe=observe_result_and_reach,
    property_hints=reach_hints("mu", "log_var"),
)
