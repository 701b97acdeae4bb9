"""`iwae_bound(log_w)`: the logarithm of a mean of weights, from their logarithms."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_lib.exercises.spec import Case, Exercise, Mistake


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def draw(S: int, B: int) -> Tensor:
        return 2 * torch.randn(S, B, generator=g, dtype=torch.float64)

    apart = torch.tensor([800.0, 0.0, -800.0], dtype=torch.float64)
    return [
        Case("5 samples, 3 images", {"log_w": draw(5, 3)}),
        Case("as many samples as images", {"log_w": draw(4, 4)}),
        Case("large log-weights", {"log_w": 800 + draw(6, 2)}),
        Case("log-weights around 800, 0 and −800", {"log_w": apart + draw(7, 3)}),
        Case("one sample: the bound is the ELBO", {"log_w": draw(1, 3)}),
    ]


def _right(log_w: Tensor) -> Tensor:
    return torch.logsumexp(log_w, 0) - math.log(len(log_w))


def _shifted(log_w: Tensor, shift: Tensor, *, back: bool = True) -> Tensor:
    """The bound with this shift taken out of the exponential, and put back or not."""
    return torch.exp(log_w - shift).mean(0).log() + (shift if back else 0 * shift)


_OVERFLOW = (
    "exp(800) overflows to infinity and exp(−800) underflows to 0. Stay with logarithms: "
    "`torch.logsumexp` takes the largest out first."
)
_ELBO = (
    "This is the mean of the log-weights, the ELBO. The importance-weighted bound is the logarithm "
    "of the mean weight, which is never smaller."
)
_BATCH = "One number for the whole batch: return one value an image, (B,)."
MISTAKES = (
    Mistake("mean of logs", lambda log_w: log_w.mean(0), _ELBO),
    Mistake(
        "log S missing",
        lambda log_w: torch.logsumexp(log_w, 0),
        "This is the logarithm of a sum: it grows with S without end. A mean divides by S, so "
        "subtract log S.",
    ),
    Mistake(
        "log S added",
        lambda log_w: torch.logsumexp(log_w, 0) + math.log(len(log_w)),
        "You add log S. Dividing by S inside the logarithm subtracts it.",
    ),
    Mistake(
        "divided by S outside",
        lambda log_w: torch.logsumexp(log_w, 0) / len(log_w),
        "You divide the logarithm by S. The sum inside is divided; outside, log S is subtracted.",
    ),
    Mistake(
        "S subtracted",
        lambda log_w: torch.logsumexp(log_w, 0) - len(log_w),
        "You subtract S, not its logarithm.",
    ),
    Mistake(
        "log-weights divided by S",
        lambda log_w: torch.logsumexp(log_w / len(log_w), 0),
        "You divide the log-weights by S, which takes the S-th root of each weight.",
    ),
    Mistake(
        "log of B",
        lambda log_w: torch.logsumexp(log_w, 0) - math.log(log_w.shape[1]),
        "You subtract log B, the number of images. The mean is over S samples, dimension 0.",
    ),
    Mistake(
        "log of all",
        lambda log_w: torch.logsumexp(log_w, 0) - math.log(log_w.numel()),
        "You subtract log(S·B). The mean is over the S samples of one image.",
    ),
    Mistake(
        "wrong axis",
        lambda log_w: torch.logsumexp(log_w, 1) - math.log(log_w.shape[1]),
        "You average over dimension 1, the images. The samples are dimension 0: (S, B) to (B,).",
    ),
    Mistake(
        "wrong axis, log S",
        lambda log_w: torch.logsumexp(log_w, 1) - math.log(log_w.shape[0]),
        "You sum over dimension 1, the images. The samples are dimension 0: (S, B) to (B,).",
    ),
    Mistake(
        "mean of logs, wrong axis",
        lambda log_w: log_w.mean(1),
        "You average log-weights, and over the images: the samples are dimension 0, and the mean "
        "is one of weights.",
    ),
    Mistake("overflow", lambda log_w: torch.log(torch.exp(log_w).mean(0)), _OVERFLOW),
    *(
        Mistake(
            f"overflow hidden by {eps:g}",
            lambda log_w, eps=eps: torch.log(torch.exp(log_w).mean(0) + eps),
            f"The small number inside the logarithm hides the underflow: no bound is below "
            f"log {eps:g}. {_OVERFLOW}",
        )
        for eps in (1e-12, 1e-10, 1e-8, 1e-6)
    ),
    Mistake(
        "overflow and log S missing",
        lambda log_w: torch.log(torch.exp(log_w).sum(0)),
        f"{_OVERFLOW} And a mean divides by S.",
    ),
    Mistake(
        "largest not put back",
        lambda log_w: _shifted(log_w, log_w.max(0).values, back=False),
        "You take the largest log-weight out and never put it back: add it at the end.",
    ),
    Mistake(
        "largest of all images",
        lambda log_w: _shifted(log_w, log_w.max()),
        "You take out the largest log-weight of all images, and an image far below it underflows "
        "to −∞. Take the largest of each image: `.max(0)`.",
    ),
    Mistake(
        "mean taken out",
        lambda log_w: _shifted(log_w, log_w.mean()),
        "You take out the mean of all log-weights, and images far from it overflow or underflow. "
        "Take the largest of each image, as `torch.logsumexp` does.",
    ),
    Mistake(
        "largest weight",
        lambda log_w: log_w.max(0).values,
        "This is the largest log-weight, near the logarithm of the sum. All weights count, and "
        "the sum is divided by S.",
    ),
    Mistake(
        "weighted mean of logs",
        lambda log_w: (log_w.softmax(0) * log_w).sum(0),
        "You average log-weights with normalised weights. The bound is the logarithm of the plain "
        "mean weight.",
    ),
    Mistake(
        "sum of logs",
        lambda log_w: log_w.sum(0),
        "You sum the log-weights: that is the logarithm of their product. Sum the weights.",
    ),
    Mistake(
        "weights returned",
        lambda log_w: torch.exp(log_w).mean(0),
        "This is the mean weight itself. Return its logarithm, without taking `exp` of −800.",
    ),
    Mistake(
        "log_w taken for weights",
        lambda log_w: torch.log(log_w.mean(0)),
        "You treat `log_w` as weights and take the logarithm of a mean of logarithms. It holds "
        "log-weights already.",
    ),
    Mistake(
        "normalised weights",
        lambda log_w: torch.log_softmax(log_w, 0).mean(0),
        "You normalise the weights, and what they say about log p(x) is lost. Use them as they "
        "are.",
    ),
    Mistake(
        "sign",
        lambda log_w: -_right(log_w),
        "The sign is turned round: this is a loss. The bound lies below log p(x) and rises.",
    ),
    Mistake("mean over batch", lambda log_w: _right(log_w).mean(), _BATCH),
    Mistake("sum over batch", lambda log_w: _right(log_w).sum(), _BATCH),
    Mistake(
        "over everything",
        lambda log_w: torch.logsumexp(log_w.flatten(), 0) - math.log(log_w.numel()),
        f"{_BATCH} Only the samples, dimension 0, are averaged inside the logarithm.",
    ),
    Mistake(
        "row",
        lambda log_w: _right(log_w)[None],
        "You return a row, (1, B). Without `keepdim` it is (B,).",
    ),
    Mistake(
        "not pooled",
        lambda log_w: log_w - math.log(len(log_w)),
        "You return one value a sample, (S, B). Pool the samples of each image, dimension 0.",
    ),
    Mistake(
        "bits",
        lambda log_w: _right(log_w) / math.log(2),
        "Everywhere 1.443 times too large: these are bits. Nats use the natural logarithm.",
    ),
)

EXERCISE = Exercise("iwae_bound", 2, cases, MISTAKES)
