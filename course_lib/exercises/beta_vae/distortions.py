"""Answers to `rate_distortion` whose distortion is wrong."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.beta_vae.terms import cross_entropy, pair_of
from course_lib.exercises.spec import Mistake


def _summed(terms: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    """A candidate that sums other terms over the pixels."""
    return pair_of(distortion=lambda x, logits: terms(x, logits).sum(1))


def _kept(distortion: Callable[[Tensor], Tensor]) -> Callable:
    """A candidate with the right rate that pools its cross-entropies in this way."""
    return lambda x, logits, mu, log_var: (
        pair_of()(x, logits, mu, log_var)[0],
        distortion(cross_entropy(x, logits)),
    )


def _of_probability(p: Callable[[Tensor], Tensor], eps: float = 0.0) -> Callable:
    """The cross-entropy from probabilities, a small number added in the logarithm."""

    def terms(x: Tensor, logits: Tensor) -> Tensor:
        q = p(torch.sigmoid(logits))
        return -(x * torch.log(q + eps) + (1 - x) * torch.log(1 - q + eps))

    return _summed(terms)


def _entropy(x: Tensor) -> Tensor:
    return -torch.xlogy(x, x) - torch.xlogy(1 - x, 1 - x)


_UNSTABLE = (
    "For large logits sigmoid rounds to 0 or 1, and the logarithm of 0 is −∞. Work with the logits "
    "themselves: the loss of PyTorch whose name ends in `_with_logits`."
)
_CLAMPED = f"No pixel of yours can cost more than a fixed amount. {_UNSTABLE}"
_SQUARED = (
    "The distortion here is a cross-entropy, −log p(x|z) of a Bernoulli, not a squared error."
)
_SMALL = (1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6)
DISTORTIONS = (
    Mistake(
        "mean over pixels",
        _kept(torch.mean),
        "The rate is right; the distortion is averaged over the pixels, the default of PyTorch's "
        "losses: a hidden β = D. Sum over the pixels.",
    ),
    Mistake(
        "distortion summed over the batch",
        _kept(torch.sum),
        "The rate is right; the distortion is summed over the images as well, so it grows with "
        "the batch. Average over the images.",
    ),
    Mistake(
        "distortion of each image",
        _kept(lambda terms: terms.sum(1)),
        "The rate is right; the distortion is one value an image. Average over the batch.",
    ),
    Mistake(
        "distortion of each pixel",
        _kept(lambda terms: terms.mean(0)),
        "The rate is right; the distortion is one value a pixel. Sum over the pixels.",
    ),
    Mistake(
        "distortion averaged twice",
        _kept(lambda terms: terms.sum(1).mean() / len(terms)),
        "The rate is right; the distortion is divided by the number of images twice.",
    ),
    Mistake(
        "mean times 784",
        _kept(lambda terms: 784 * terms.mean()),
        "You multiply a mean by 784, the pixels of MNIST. Images of another size have another "
        "number: sum over the pixels.",
    ),
    Mistake(
        "distortion summed over images, averaged over pixels",
        _kept(lambda terms: terms.sum(0).mean()),
        "In the distortion, sum and mean have changed places: sum over the pixels, dimension 1, "
        "and average over the images.",
    ),
    Mistake(
        "sign of the distortion",
        _kept(lambda terms: -terms.sum(1).mean()),
        "This is the log-likelihood. The distortion is minus that, a cost: larger is worse.",
    ),
    Mistake(
        "sigmoid twice",
        _summed(lambda x, logits: cross_entropy(x, torch.sigmoid(logits))),
        "You pass sigmoid(logits) to a function that applies the sigmoid itself. Pass the logits.",
    ),
    Mistake(
        "arguments swapped",
        _summed(lambda x, logits: cross_entropy(logits, x)),
        "Image and logits have changed places: PyTorch's losses take the prediction first.",
    ),
    Mistake(
        "second term missing",
        _summed(lambda x, logits: -x * F.logsigmoid(logits)),
        "Only −x log x̂ is there. Black pixels count too: the term of 1 − x is missing.",
    ),
    Mistake(
        "sigmoid of 1 minus the logits",
        _summed(lambda x, a: -x * F.logsigmoid(a) - (1 - x) * F.logsigmoid(1 - a)),
        "1 − x̂ is sigmoid(−logits), not sigmoid(1 − logits).",
    ),
    Mistake(
        "1 minus the logarithm",
        _summed(lambda x, a: -x * F.logsigmoid(a) - (1 - x) * (1 - F.logsigmoid(a))),
        "log(1 − x̂) is not 1 − log x̂. In logits it is `F.logsigmoid(-logits)`.",
    ),
    Mistake(
        "black and white",
        _summed(lambda x, logits: cross_entropy((x > 0.5).to(x), logits)),
        "You round the pixels to black and white. The images are grey: take them as they are.",
    ),
    Mistake("squared error", _summed(lambda x, logits: (x - torch.sigmoid(logits)) ** 2), _SQUARED),
    Mistake(
        "half a squared error",
        _summed(lambda x, logits: 0.5 * (x - torch.sigmoid(logits)) ** 2),
        _SQUARED,
    ),
    Mistake("squared error of logits", _summed(lambda x, logits: (x - logits) ** 2), _SQUARED),
    Mistake(
        "entropy of the image taken off",
        _summed(lambda x, logits: cross_entropy(x, logits) - _entropy(x)),
        "You subtract the entropy of the pixels. That makes a perfect image cost 0, but the "
        "distortion here is the cross-entropy itself.",
    ),
    Mistake(
        "entropy of the prediction",
        _summed(lambda x, logits: cross_entropy(torch.sigmoid(logits), logits)),
        "This is the entropy of the prediction: the image x is not in it.",
    ),
    Mistake("log of sigmoid", _of_probability(lambda p: p), _UNSTABLE),
    *(
        Mistake(f"log of sigmoid plus {eps:g}", _of_probability(lambda p: p, eps), _CLAMPED)
        for eps in _SMALL
    ),
    *(
        Mistake(
            f"sigmoid clamped at {eps:g}",
            _of_probability(lambda p, eps=eps: p.clamp(eps, 1 - eps)),
            _CLAMPED,
        )
        for eps in _SMALL
    ),
    Mistake(
        "cross-entropy of sigmoid",
        _summed(
            lambda x, logits: F.binary_cross_entropy(torch.sigmoid(logits), x, reduction="none")
        ),
        f"`F.binary_cross_entropy` cuts each logarithm off at −100. {_UNSTABLE}",
    ),
    Mistake(
        "exp overflows",
        _summed(lambda x, logits: torch.log(1 + torch.exp(logits)) - x * logits),
        "`torch.exp` of a large logit is infinite. `F.softplus(logits)` is log(1 + exp(logits)) "
        "without overflow.",
    ),
)
