"""Answers to `water_filling` that take another ratio or another threshold."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.exercises.spec import Mistake


def kl_of(eigenvalues: Tensor, level: float) -> Tensor:
    """½ log(λ/βσ²), or 0."""
    return 0.5 * (torch.log(eigenvalues.clamp(min=level)) - math.log(level))


def _of_ratio(shape: Callable[[Tensor], Tensor]) -> Callable:
    """A candidate that makes something else of λ/βσ²."""
    return lambda eigenvalues, level: shape(eigenvalues / level)


def is_active(eigenvalues: Tensor, level: float) -> Tensor:
    """Whether λ > βσ²."""
    return eigenvalues > level


_NEGATIVE = (
    "Where λ < βσ² your KL is negative. No divergence is: such a latent is switched off and its KL "
    "is 0."
)
WATER_LEVELS = (
    Mistake("negative where inactive", _of_ratio(lambda r: 0.5 * r.log()), _NEGATIVE),
    Mistake(
        "negative where inactive, no half",
        _of_ratio(torch.log),
        f"{_NEGATIVE} And the ½ is missing.",
    ),
    *(
        Mistake(
            f"ratio at least {eps:g}",
            _of_ratio(lambda r, eps=eps: 0.5 * r.clamp(min=eps).log()),
            f"A small number keeps the logarithm finite, but not from being negative. {_NEGATIVE}",
        )
        for eps in (1e-12, 1e-10, 1e-8, 1e-6)
    ),
    Mistake(
        "absolute value",
        _of_ratio(lambda r: 0.5 * r.log().abs()),
        "You take the absolute value, so that a latent far below βσ² seems to say much. It is "
        "switched off: 0.",
    ),
    Mistake(
        "NaN where inactive",
        lambda v, b: torch.where(is_active(v, b), kl_of(v, b), math.nan),
        "Where λ ≤ βσ² you return NaN. Such a latent has a KL of 0.",
    ),
    Mistake(
        "times a mask",
        lambda v, b: 0.5 * torch.log(v / b) * is_active(v, b),
        "You multiply by 0 where a latent is off. At λ = 0 that is −∞ times 0, which is NaN: "
        "choose, do not multiply.",
    ),
    Mistake(
        "root of log",
        lambda v, b: torch.log(torch.sqrt(v - b) / math.sqrt(b)),
        "You take the root of λ − βσ², NaN where it is negative. The ratio λ/βσ² belongs under the "
        "logarithm.",
    ),
    Mistake(
        "no half",
        lambda v, b: 2 * kl_of(v, b),
        "Twice too large: the ½ in front of the logarithm is missing.",
    ),
    Mistake(
        "half twice",
        lambda v, b: 0.5 * kl_of(v, b),
        "Half of what it should be: ½ log of the variances, not of their roots.",
    ),
    Mistake(
        "half inside",
        _of_ratio(lambda r: (0.5 * r).log().clamp(min=0)),
        "The ½ is inside the logarithm, where it also moves the threshold. It stands in front.",
    ),
    Mistake(
        "half inside, too",
        _of_ratio(lambda r: 0.5 * (0.5 * r).log().clamp(min=0)),
        "There is a second ½ inside the logarithm, which moves the threshold to 2 βσ².",
    ),
    Mistake(
        "bits",
        lambda v, b: kl_of(v, b) / math.log(2),
        "These are bits, 1.443 times too large: `log2` counts bits, `log` nats.",
    ),
    Mistake(
        "decimal logarithm",
        lambda v, b: kl_of(v, b) / math.log(10),
        "This is the decimal logarithm. Nats use the natural one.",
    ),
    Mistake(
        "log of 1 plus",
        _of_ratio(lambda r: 0.5 * torch.log1p(r)),
        "½ log(1 + λ/βσ²) is the capacity of a channel whose signal is λ. Here λ is the variance "
        "of the data, noise included, and below βσ² nothing gets through.",
    ),
    Mistake(
        "logarithm of the difference",
        lambda v, b: 0.5 * torch.log((v - b).clamp(min=1)),
        "You take the logarithm of λ − βσ². It is one of the ratio, so that units cancel.",
    ),
    Mistake(
        "ratio of the difference",
        lambda v, b: 0.5 * torch.log(((v - b) / b).clamp(min=1)),
        "You subtract βσ² from λ before the logarithm. What the latent transmits is λ against "
        "βσ², with nothing taken off.",
    ),
    Mistake(
        "ratio of the difference, plus one",
        lambda v, b: 0.5 * torch.log1p((v - b).clamp(min=0)),
        "You take log(1 + λ − βσ²). Divide λ by βσ² instead.",
    ),
    Mistake(
        "ratio turned round",
        _of_ratio(lambda r: -0.5 * r.log().clamp(max=0)),
        "The ratio is turned round: you give a KL to the latents that are off. λ is on top.",
    ),
    Mistake(
        "sign",
        lambda v, b: -kl_of(v, b),
        "The sign is turned round: a KL is never negative.",
    ),
    Mistake(
        "cut off above",
        _of_ratio(lambda r: 0.5 * r.log().clamp(max=0)),
        "You cut off above 0 and keep what is negative. A KL of at least 0 needs a lower bound: "
        "`min=`.",
    ),
    Mistake(
        "level squared",
        lambda v, b: kl_of(v, b**2),
        "You square βσ², or the ½ is on log λ alone. The argument is the product as it stands, and "
        "the ½ is for the whole logarithm of the ratio.",
    ),
    Mistake(
        "root of the level",
        lambda v, b: kl_of(v, math.sqrt(b)),
        "You take the root of βσ². The argument is compared with λ as it stands.",
    ),
    Mistake(
        "level missing",
        lambda v, b: kl_of(v, 1.0),
        "βσ² is missing: this is ½ log λ, with the threshold at 1.",
    ),
    Mistake(
        "threshold at 1",
        lambda v, b: torch.where(v > 1, 0.5 * torch.log(v / b), 0.0),
        "You switch latents off where λ ≤ 1. The threshold is βσ²: the ratio is compared with 1.",
    ),
    Mistake(
        "threshold at 0",
        lambda v, b: torch.where(v > 0, 0.5 * torch.log(v / b), 0.0),
        f"You switch off only what has λ = 0. {_NEGATIVE}",
    ),
    Mistake(
        "level as it is in inactive latents",
        lambda v, b: torch.where(is_active(v, b), kl_of(v, b), b),
        "An inactive latent gets βσ² from you. βσ² is a variance; the KL of such a latent is 0.",
    ),
    Mistake(
        "squared eigenvalues",
        lambda v, b: 0.5 * torch.log(v**2 / b).clamp(min=0),
        "You square the eigenvalues. Those of a covariance are variances already; only singular "
        "values of the data need that.",
    ),
    Mistake(
        "roots of the eigenvalues",
        lambda v, b: 0.5 * torch.log(v.sqrt() / b).clamp(min=0),
        "You take the roots of the eigenvalues, standard deviations. βσ² is a variance: compare "
        "variances.",
    ),
    Mistake(
        "parts of the sum",
        lambda v, b: 0.5 * torch.log(v / v.sum() / b).clamp(min=0),
        "You divide the eigenvalues by their sum. They are compared with βσ² as they are.",
    ),
    Mistake(
        "linear",
        _of_ratio(lambda r: 0.5 * (r - 1).clamp(min=0)),
        "This is ½ (λ/βσ² − 1): the logarithm is missing.",
    ),
    Mistake(
        "ratio",
        _of_ratio(lambda r: r.clamp(min=0)),
        "You return the ratio λ/βσ². Take ½ of its logarithm, where that is positive.",
    ),
    Mistake(
        "difference",
        lambda v, b: (v - b).clamp(min=0),
        "You return λ − βσ², the squared weight of the decoder. The KL is ½ log of a ratio.",
    ),
    Mistake(
        "part kept",
        _of_ratio(lambda r: (1 - 1 / r).clamp(min=0)),
        "1 − βσ²/λ is how far a code is shrunk. The KL is ½ log of a ratio.",
    ),
    Mistake(
        "posterior variance",
        _of_ratio(lambda r: (1 / r).clamp(max=1)),
        "You return βσ²/λ, the variance of q(z|x). Its KL from the prior, averaged over the data, "
        "is −½ of the logarithm of that.",
    ),
    Mistake(
        "KL without the mean",
        _of_ratio(lambda r: 0.5 * (1 / r.clamp(min=1) - 1 + r.clamp(min=1).log())),
        "You put only the variance of q(z|x) into the KL. Over the data μ² adds 1 − βσ²/λ, and "
        "½ log(λ/βσ²) is left.",
    ),
    Mistake(
        "KL of the eigenvalue",
        _of_ratio(lambda r: 0.5 * (r - 1 - r.log())),
        "This is the KL of a Gaussian of variance λ/βσ² from the standard one. At the optimum only "
        "½ log(λ/βσ²) is left of it.",
    ),
)
