"""`bce_nats(x, logits)`: cross-entropy in nats per image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.spec import Case, Exercise, Mistake


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    grey, logits = torch.rand(3, 8, generator=g), 2 * torch.randn(3, 8, generator=g)
    binary = (torch.rand(2, 6, generator=g) < 0.5).float()
    sure = 150 * (2 * (torch.rand(2, 6, generator=g) < 0.5).float() - 1)
    far = 40 * torch.randn(4, 5, generator=g)
    return [
        Case("grey pixels, moderate logits", {"x": grey, "logits": logits}),
        Case("black and white pixels, logits of ±150", {"x": binary, "logits": sure}),
        Case("grey pixels, large logits", {"x": torch.rand(4, 5, generator=g), "logits": far}),
    ]


def _bce(x: Tensor, logits: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none")


def _bce_of_sigmoid(x: Tensor, logits: Tensor) -> Tensor:
    p = torch.sigmoid(logits)
    return -(x * torch.log(p) + (1 - x) * torch.log(1 - p)).sum(1)


def _bce_eps(x: Tensor, logits: Tensor, eps: float = 1e-8) -> Tensor:
    p = torch.sigmoid(logits)
    return -(x * torch.log(p + eps) + (1 - x) * torch.log(1 - p + eps)).sum(1)


def _bce_clamped(x: Tensor, logits: Tensor) -> Tensor:
    return F.binary_cross_entropy(torch.sigmoid(logits), x, reduction="none").sum(1)


def _bce_clamped_sigmoid(x: Tensor, logits: Tensor, eps: float) -> Tensor:
    p = torch.sigmoid(logits).clamp(eps, 1 - eps)
    return -(x * torch.log(p) + (1 - x) * torch.log(1 - p)).sum(1)


def _bce_probabilities(x: Tensor, logits: Tensor) -> Tensor:
    return _bce(x, torch.sigmoid(logits)).sum(1)


def _bce_swapped(x: Tensor, logits: Tensor) -> Tensor:
    return _bce(logits, x).sum(1)


def _bce_first_term(x: Tensor, logits: Tensor) -> Tensor:
    return -(x * F.logsigmoid(logits)).sum(1)


_UNSTABLE = (
    "For large logits sigmoid rounds to 0 or 1, and the logarithm of 0 is −∞. Work with the logits "
    "themselves: `F.binary_cross_entropy_with_logits`, or `F.logsigmoid` of ±logits."
)
MISTAKES = (
    Mistake(
        "mean over pixels",
        lambda x, logits: _bce(x, logits).mean(1),
        "Your value is 1/D of the expected one: you average over the pixels. Nats per image are a "
        "sum over pixels.",
    ),
    Mistake("log of sigmoid", _bce_of_sigmoid, _UNSTABLE),
    *(
        Mistake(
            f"log of sigmoid plus {eps:g}",
            lambda x, logits, eps=eps: _bce_eps(x, logits, eps),
            f"The small number inside the logarithm hides the overflow and gives wrong values: "
            f"nothing can cost more than −log {eps:g}. {_UNSTABLE}",
        )
        for eps in (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)
    ),
    Mistake(
        "cross-entropy of sigmoid",
        _bce_clamped,
        f"`F.binary_cross_entropy` cuts each logarithm off at −100. {_UNSTABLE}",
    ),
    *(
        Mistake(
            f"sigmoid clamped at {eps:g}",
            lambda x, logits, eps=eps: _bce_clamped_sigmoid(x, logits, eps),
            f"The clamp hides the overflow and gives wrong values: nothing can cost more than "
            f"−log {eps:g}. {_UNSTABLE}",
        )
        for eps in (1e-4, 1e-5, 1e-6, 1e-7)
    ),
    Mistake(
        "exp overflows",
        lambda x, logits: (torch.log(1 + torch.exp(logits)) - x * logits).sum(1),
        "`torch.exp` of a large logit is infinite. `F.softplus(logits)` is log(1 + exp(logits)) "
        "without overflow.",
    ),
    Mistake(
        "mean over batch",
        lambda x, logits: _bce(x, logits).sum(1).mean(),
        "You average over the batch: the result is one number. Return one value an image, (B,).",
    ),
    Mistake(
        "mean over everything",
        lambda x, logits: _bce(x, logits).mean(),
        "You average over pixels and batch (the default of PyTorch's losses): sum over the pixels "
        'and keep the batch, with `reduction="none"` and `.sum(1)`.',
    ),
    Mistake(
        "sum over everything",
        lambda x, logits: _bce(x, logits).sum(),
        "You sum over the batch as well, into one number. Return one value an image, (B,).",
    ),
    Mistake(
        "sum over the batch",
        lambda x, logits: _bce(x, logits).sum(0),
        "You sum over dimension 0, the batch. Pixels are dimension 1: `.sum(1)`.",
    ),
    Mistake(
        "not summed",
        lambda x, logits: _bce(x, logits),
        "You return one value a pixel, (B, D). Sum over the pixels: `.sum(1)`.",
    ),
    Mistake(
        "sign",
        lambda x, logits: -_bce(x, logits).sum(1),
        "The sign is turned round: this is the log-likelihood. A cross-entropy is a cost, ≥ 0.",
    ),
    Mistake(
        "sigmoid twice",
        _bce_probabilities,
        "You pass sigmoid(logits) to a function that applies the sigmoid itself. Pass the logits.",
    ),
    Mistake(
        "arguments swapped",
        _bce_swapped,
        "Image and logits have changed places: `F.binary_cross_entropy_with_logits(logits, x)`.",
    ),
    Mistake(
        "second term missing",
        _bce_first_term,
        "Only −x log p is there. Black pixels pay too: add −(1 − x) log(1 − p).",
    ),
    Mistake(
        "first term missing",
        lambda x, logits: -((1 - x) * F.logsigmoid(-logits)).sum(1),
        "Only −(1 − x) log(1 − p) is there. White pixels pay too: add −x log p.",
    ),
    Mistake(
        "terms exchanged",
        lambda x, logits: _bce(1 - x, logits).sum(1),
        "x and 1 − x have changed places: x goes with log p, 1 − x with log(1 − p).",
    ),
    Mistake(
        "bits",
        lambda x, logits: _bce(x, logits).sum(1) / torch.log(torch.tensor(2.0)),
        "Everywhere 1.443 times too large: these are bits. Nats use the natural logarithm.",
    ),
)


EXERCISE = Exercise("bce_nats", 2, cases, MISTAKES, rtol=1e-4, atol=1e-4)
