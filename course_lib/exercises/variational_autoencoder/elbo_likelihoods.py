"""Building blocks of answers to `elbo`, and those whose likelihood is wrong."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.spec import Mistake


def log_lik(x: Tensor, logits: Tensor) -> Tensor:
    """log p(x|z) of each pixel, (B, D)."""
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none")


def kl_terms(mu: Tensor, log_var: Tensor) -> Tensor:
    """The KL of each latent, (B, d)."""
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var)


def elbo_with(
    log_p: Callable[[Tensor, Tensor], Tensor] = lambda x, logits: log_lik(x, logits).sum(1),
    kl: Callable[[Tensor, Tensor], Tensor] = lambda mu, log_var: kl_terms(mu, log_var).sum(1),
    *,
    beta: float = 1.0,
    pool: Callable[[Tensor], Tensor] = lambda bound: bound,
) -> Callable:
    """A candidate with another likelihood, another KL, a weight, or another result of both."""
    return lambda x, logits, mu, log_var: pool(log_p(x, logits) - beta * kl(mu, log_var))


def _of_sigmoid(eps: float) -> Callable:
    def log_p(x: Tensor, logits: Tensor) -> Tensor:
        p = torch.sigmoid(logits)
        return (x * torch.log(p + eps) + (1 - x) * torch.log(1 - p + eps)).sum(1)

    return elbo_with(log_p)


def _of_clamped(eps: float) -> Callable:
    def log_p(x: Tensor, logits: Tensor) -> Tensor:
        p = torch.sigmoid(logits).clamp(eps, 1 - eps)
        return (x * torch.log(p) + (1 - x) * torch.log(1 - p)).sum(1)

    return elbo_with(log_p)


_UNSTABLE = (
    "For large logits sigmoid rounds to 0 or 1, and the logarithm of 0 is −∞. Work with the logits "
    "themselves: the loss of PyTorch whose name ends in `_with_logits`."
)
_SMALL = (1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6)
LIKELIHOODS = (
    Mistake(
        "mean over pixels",
        elbo_with(lambda x, logits: log_lik(x, logits).mean(1)),
        "You average the log-likelihood over the pixels and sum the KL over the latents: a hidden "
        "β = D. Sum over the pixels.",
    ),
    Mistake(
        "sign of the likelihood",
        elbo_with(lambda x, logits: -log_lik(x, logits).sum(1)),
        "The KL is right, but the cross-entropy enters with a plus. log p(x|z) is minus the "
        "cross-entropy.",
    ),
    Mistake(
        "likelihood averaged over everything",
        elbo_with(lambda x, logits: log_lik(x, logits).mean()),
        "The log-likelihood is averaged over pixels and batch, the default of PyTorch's losses. "
        'Keep the batch, with `reduction="none"`, and sum over the pixels.',
    ),
    Mistake(
        "likelihood summed over the batch",
        elbo_with(lambda x, logits: log_lik(x, logits).sum()),
        "The log-likelihood is summed over the batch as well, and every image gets that of all. "
        'Keep the batch, with `reduction="none"`, and sum over the pixels.',
    ),
    Mistake(
        "sigmoid twice",
        elbo_with(lambda x, logits: log_lik(x, torch.sigmoid(logits)).sum(1)),
        "You pass sigmoid(logits) to a function that applies the sigmoid itself. Pass the logits.",
    ),
    Mistake(
        "arguments swapped",
        elbo_with(lambda x, logits: log_lik(logits, x).sum(1)),
        "Image and logits have changed places: PyTorch's losses take the prediction first.",
    ),
    Mistake(
        "second term missing",
        elbo_with(lambda x, logits: (x * F.logsigmoid(logits)).sum(1)),
        "Only x log x̂ is there. Black pixels count too: add (1 − x) log(1 − x̂).",
    ),
    Mistake(
        "squared error",
        elbo_with(lambda x, logits: -((x - torch.sigmoid(logits)) ** 2).sum(1)),
        "The likelihood here is Bernoulli, not Gaussian: a cross-entropy, not a squared error.",
    ),
    Mistake(
        "half a squared error",
        elbo_with(lambda x, logits: -0.5 * ((x - torch.sigmoid(logits)) ** 2).sum(1)),
        "The likelihood here is Bernoulli, not Gaussian: a cross-entropy, not a squared error.",
    ),
    Mistake("log of sigmoid", _of_sigmoid(0.0), _UNSTABLE),
    *(Mistake(f"log of sigmoid plus {eps:g}", _of_sigmoid(eps), _UNSTABLE) for eps in _SMALL),
    *(Mistake(f"sigmoid clamped at {eps:g}", _of_clamped(eps), _UNSTABLE) for eps in _SMALL),
    Mistake(
        "cross-entropy of sigmoid",
        elbo_with(
            lambda x, logits: (
                -F.binary_cross_entropy(torch.sigmoid(logits), x, reduction="none").sum(1)
            )
        ),
        f"`F.binary_cross_entropy` cuts each logarithm off at −100. {_UNSTABLE}",
    ),
    Mistake(
        "exp overflows",
        elbo_with(lambda x, logits: (x * logits - torch.log(1 + torch.exp(logits))).sum(1)),
        "`torch.exp` of a large logit is infinite. `F.softplus(logits)` is log(1 + exp(logits)) "
        "without overflow.",
    ),
)
