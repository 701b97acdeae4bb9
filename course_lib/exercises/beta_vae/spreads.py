"""Answers to `active_units` that compare something else than the variance of each latent."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.exercises.spec import Mistake


def count_of(spread: Callable[[Tensor], Tensor], *, relate: Callable = torch.gt) -> Callable:
    """A candidate that compares another spread of each latent, or compares it otherwise."""
    return lambda mu, threshold=0.01: relate(spread(mu), threshold).sum()


def _eigenvalues(mu: Tensor) -> Tensor:
    return torch.linalg.eigvalsh(torch.cov(mu.T))


_NO_VARIANCE = "What counts is the variance of each latent over the images."
SPREADS = (
    Mistake(
        "variance over latents",
        count_of(lambda mu: mu.var(1)),
        "You take the variance over dimension 1, the latents of one image, and count images. The "
        "images are dimension 0.",
    ),
    Mistake(
        "variance of everything",
        count_of(lambda mu: mu.var()),
        "You take one variance of all numbers. Each latent has its own, over the images.",
    ),
    Mistake(
        "standard deviation",
        count_of(lambda mu: mu.std(0)),
        "You compare the standard deviation with the threshold, or the variance with its square. "
        "The threshold is on the variance, as both stand.",
    ),
    Mistake(
        "variance squared",
        count_of(lambda mu: mu.var(0) ** 2),
        "You square the variance. It is a square already.",
    ),
    Mistake(
        "mean square",
        count_of(lambda mu: (mu**2).mean(0)),
        "You compare the mean of μ². A latent that is always 3 does not vary: take its mean off "
        "before squaring.",
    ),
    Mistake(
        "half a mean square",
        count_of(lambda mu: 0.5 * (mu**2).mean(0)),
        "You compare ½ μ², what the mean adds to the KL. A latent that is always 3 has a KL but "
        "says nothing: compare its variance.",
    ),
    Mistake(
        "mean",
        count_of(lambda mu: mu.mean(0)),
        f"You compare the mean of each latent. {_NO_VARIANCE}",
    ),
    Mistake(
        "size of the mean",
        count_of(lambda mu: mu.mean(0).abs()),
        f"You compare the mean of each latent. {_NO_VARIANCE}",
    ),
    Mistake(
        "mean size",
        count_of(lambda mu: mu.abs().mean(0)),
        f"You compare the mean size of μ. {_NO_VARIANCE}",
    ),
    Mistake(
        "mean deviation",
        count_of(lambda mu: (mu - mu.mean(0)).abs().mean(0)),
        "You compare the mean absolute deviation. The variance is the mean of its square.",
    ),
    Mistake(
        "largest size",
        count_of(lambda mu: mu.abs().amax(0)),
        f"You compare the largest |μ|. One image can make that large. {_NO_VARIANCE}",
    ),
    Mistake(
        "range",
        count_of(lambda mu: mu.amax(0) - mu.amin(0)),
        f"You compare the range. Two images can make that large. {_NO_VARIANCE}",
    ),
    Mistake(
        "sum of squares",
        count_of(lambda mu: ((mu - mu.mean(0)) ** 2).sum(0)),
        "You sum the squared deviations over the images. The variance is their mean: a sum grows "
        "with the number of images.",
    ),
    Mistake(
        "sum of squares about 0",
        count_of(lambda mu: (mu**2).sum(0)),
        "You sum μ² over the images. Take off the mean of each latent first, and divide by the "
        "number of images.",
    ),
    Mistake(
        "first image",
        count_of(lambda mu: mu[0].abs()),
        f"You look at one image. {_NO_VARIANCE}",
    ),
    Mistake(
        "largest value",
        count_of(lambda mu: mu.amax(0)),
        f"You compare the largest μ. One image can make that large. {_NO_VARIANCE}",
    ),
    Mistake(
        "deviations cancel",
        count_of(lambda mu: (mu - mu.mean(0)).round(decimals=9).mean(0) ** 2),
        "You average the deviations and square the mean: they cancel. Square first.",
    ),
    Mistake(
        "variance of exp",
        count_of(lambda mu: mu.exp().mean(0)),
        "You take `mu` for a log-variance. It holds posterior means; their spread over the images "
        "is what counts, not the variance of q(z|x).",
    ),
    Mistake(
        "centred on each image",
        count_of(lambda mu: ((mu - mu.mean(1, keepdim=True)) ** 2).mean(0)),
        "You take off the mean of each image, over its latents. Take off the mean of each latent, "
        "over the images.",
    ),
    Mistake(
        "centred on all",
        count_of(lambda mu: ((mu - mu.mean()) ** 2).mean(0)),
        "You take off one mean of all numbers. Each latent has a mean of its own, over the images.",
    ),
    Mistake(
        "eigenvalues",
        count_of(_eigenvalues),
        "You count eigenvalues of the covariance, directions of the code. The count is of "
        "latents, each by itself: two that agree are two.",
    ),
    Mistake(
        "whole covariance",
        count_of(lambda mu: torch.cov(mu.T)),
        "You count entries of the whole covariance matrix. The variances are its diagonal.",
    ),
    Mistake(
        "part of the largest",
        count_of(lambda mu: mu.var(0) / mu.var(0).max()),
        "You divide by the largest variance. The threshold is on the variance itself: all latents "
        "may be dead.",
    ),
    Mistake(
        "part of the sum",
        count_of(lambda mu: mu.var(0) / mu.var(0).sum()),
        "You divide by the sum of the variances. The threshold is on the variance itself: all "
        "latents may be dead.",
    ),
    Mistake(
        "standardised first",
        count_of(lambda mu: ((mu - mu.mean(0)) / (mu.std(0) + 1e-12)).var(0)),
        "You standardise `mu` first, which gives every latent variance 1.",
    ),
)
