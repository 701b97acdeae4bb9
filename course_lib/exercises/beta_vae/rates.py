"""Answers to `rate_distortion` whose rate is wrong."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.exercises.beta_vae.terms import kl_terms, pair_of
from course_lib.exercises.spec import Mistake


def _summed(terms: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    """A candidate that sums other terms over the latents."""
    return pair_of(lambda mu, log_var: terms(mu, log_var).sum(1))


def _kept(rate: Callable[[Tensor], Tensor]) -> Callable:
    """A candidate with the right distortion that pools the terms of its rate in this way."""
    return lambda x, logits, mu, log_var: (
        rate(kl_terms(mu, log_var)),
        pair_of()(x, logits, mu, log_var)[1],
    )


def _by_pixels(x: Tensor, logits: Tensor, mu: Tensor, log_var: Tensor) -> tuple[Tensor, Tensor]:
    rate, distortion = pair_of()(x, logits, mu, log_var)
    return rate / x.shape[1], distortion


def _of_mean_posterior(mu: Tensor, log_var: Tensor) -> Tensor:
    return kl_terms(mu.mean(0, keepdim=True), log_var.mean(0, keepdim=True)).sum(1)


def _of_aggregate(mu: Tensor, log_var: Tensor) -> Tensor:
    variance = log_var.exp().mean(0) + mu.var(0, unbiased=False)
    return kl_terms(mu.mean(0, keepdim=True), variance.log()[None]).sum(1)


_ONE_POSTERIOR = (
    "You pool q(z|x) over the batch before the KL. Every image has a posterior and a KL of its "
    "own: average the KLs."
)
RATES = (
    Mistake(
        "mean over latents",
        pair_of(lambda mu, log_var: kl_terms(mu, log_var).mean(1)),
        "The distortion is right; the rate is averaged over the latents, 1/d of what it is. "
        "Independent latents add up.",
    ),
    Mistake(
        "rate summed over the batch",
        _kept(torch.sum),
        "The distortion is right; the rate is summed over the images as well, so it grows with "
        "the batch. Average over the images.",
    ),
    Mistake(
        "rate of each image",
        _kept(lambda terms: terms.sum(1)),
        "The distortion is right; the rate is one value an image. Average over the batch.",
    ),
    Mistake(
        "rate of each latent",
        _kept(lambda terms: terms.mean(0)),
        "The distortion is right; the rate is one value a latent. Sum over the latents.",
    ),
    Mistake(
        "rate averaged twice",
        _kept(lambda terms: terms.sum(1).mean() / len(terms)),
        "The distortion is right; the rate is divided by the number of images twice.",
    ),
    Mistake(
        "rate divided by the pixels",
        _by_pixels,
        "The distortion is right; the rate is divided by the number of pixels: a hidden β = 1/D. "
        "Nats per image are not divided.",
    ),
    Mistake(
        "rate summed over images, averaged over latents",
        _kept(lambda terms: terms.sum(0).mean()),
        "In the rate, sum and mean have changed places: sum over the latents, dimension 1, and "
        "average over the images.",
    ),
    Mistake(
        "sign of the rate",
        _summed(lambda mu, log_var: -kl_terms(mu, log_var)),
        "The rate has the wrong sign. A divergence is never negative.",
    ),
    Mistake(
        "no half",
        _summed(lambda mu, log_var: 2 * kl_terms(mu, log_var)),
        "The distortion is right; the rate is twice too large: the ½ of the KL is missing.",
    ),
    Mistake(
        "half twice",
        _summed(lambda mu, log_var: 0.5 * kl_terms(mu, log_var)),
        "The distortion is right; the rate is half of what it is: the ½ of the KL counts once.",
    ),
    Mistake(
        "log sigma for log sigma^2",
        _summed(lambda mu, log_var: kl_terms(mu, log_var) + 0.25 * log_var),
        "In your KL log σ stands where log σ² belongs, and `log_var` already is log σ².",
    ),
    Mistake(
        "log_var taken for log sigma",
        _summed(lambda mu, log_var: kl_terms(mu, 2 * log_var)),
        "Your KL doubles `log_var`, as if it were log σ. It is log σ² already.",
    ),
    Mistake(
        "sigma for sigma^2",
        _summed(lambda mu, lv: 0.5 * (mu**2 + torch.exp(0.5 * lv) - 1 - lv)),
        "In your KL σ stands where σ² belongs: the exponential of log σ² needs no halving.",
    ),
    Mistake(
        "sigma^2 squared",
        _summed(lambda mu, log_var: 0.5 * (mu**2 + torch.exp(2 * log_var) - 1 - log_var)),
        "In your KL exp(log_var) is squared, as if it were σ. It is σ² already.",
    ),
    Mistake(
        "exp missing",
        _summed(lambda mu, log_var: 0.5 * (mu**2 - 1) + 0 * log_var),
        "In your KL log σ² stands where σ² belongs, and drops out: take its exponential.",
    ),
    Mistake(
        "no one",
        _summed(lambda mu, log_var: kl_terms(mu, log_var) + 0.5),
        "The −1 of the KL is missing: where q is the prior the rate has to be 0.",
    ),
    Mistake(
        "one outside the sum",
        pair_of(lambda mu, lv: 0.5 * ((mu**2 + lv.exp() - lv).sum(1) - 1)),
        "The −1 of the KL is subtracted once. Every latent has one: mind the brackets.",
    ),
    Mistake(
        "no mean",
        _summed(lambda mu, log_var: kl_terms(0 * mu, log_var)),
        "μ² is missing in the KL: a posterior far from the origin costs more.",
    ),
    Mistake(
        "no variance",
        _summed(lambda mu, log_var: kl_terms(mu, 0 * log_var)),
        "Only ½ μ² is there. The rate also depends on σ²: a sharp posterior says more.",
    ),
    Mistake(
        "no logarithm",
        _summed(lambda mu, log_var: kl_terms(mu, log_var) + 0.5 * log_var),
        "−log σ² is missing in the KL: without it σ = 0 would be the cheapest code.",
    ),
    Mistake(
        "sign of the logarithm",
        _summed(lambda mu, log_var: kl_terms(mu, log_var) + log_var),
        "log σ² has the wrong sign in the KL: a small variance costs.",
    ),
    Mistake(
        "mu and log_var exchanged",
        _summed(lambda mu, log_var: kl_terms(log_var, mu)),
        "mu and log_var have changed places in the KL.",
    ),
    Mistake(
        "other way round",
        _summed(lambda mu, lv: 0.5 * ((mu**2 + 1) * torch.exp(-lv) - 1 + lv)),
        "Your KL goes from the prior to q(z|x). The rate goes from q(z|x) to the prior.",
    ),
    Mistake(
        "KL of the mean posterior",
        pair_of(_of_mean_posterior),
        _ONE_POSTERIOR,
    ),
    Mistake("KL of the pooled posterior", pair_of(_of_aggregate), _ONE_POSTERIOR),
)
