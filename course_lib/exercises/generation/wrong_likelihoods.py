"""Wrong answers to `gaussian_nll`, from the parts of the formula."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.spec import Mistake

_CONSTANT = 0.5 * math.log(2 * math.pi)


def _squares(error: Tensor, log_sigma: Tensor) -> Tensor:
    return 0.5 * error**2 * torch.exp(-2 * log_sigma)


def _with(
    *,
    error: Callable[[Tensor, Tensor], Tensor] = _squares,
    log: Callable[[Tensor], Tensor] = lambda log_sigma: log_sigma,
    constant: float = _CONSTANT,
    pool: Callable[[Tensor], Tensor] = lambda terms: terms.flatten(1).sum(1),
) -> Callable:
    """A candidate with another error term, logarithm or constant, or another sum of them."""

    def candidate(x: Tensor, mean: Tensor, log_sigma: Tensor) -> Tensor:
        return pool(error(x - mean, log_sigma) + log(log_sigma) + constant)

    return candidate


def _counted(
    logs: Callable[[Tensor], float], constants: Callable[[Tensor], float] | None = None
) -> Callable:
    """A candidate that counts log σ and the constant this many times instead of once a pixel."""

    def candidate(x: Tensor, mean: Tensor, log_sigma: Tensor) -> Tensor:
        squares = _squares(x - mean, log_sigma).flatten(1).sum(1)
        return squares + logs(x) * log_sigma + (constants or logs)(x) * _CONSTANT

    return candidate


def _pixels(x: Tensor) -> int:
    return x[0].numel()


def _once(x: Tensor) -> int:
    return 1


def _loss_of_pytorch(x: Tensor, mean: Tensor, log_sigma: Tensor) -> Tensor:
    return F.gaussian_nll_loss(mean, x, torch.exp(2 * log_sigma).expand_as(x))


def _loss_of_pytorch_per_image(x: Tensor, mean: Tensor, log_sigma: Tensor) -> Tensor:
    var = torch.exp(2 * log_sigma).expand_as(x)
    return F.gaussian_nll_loss(mean, x, var, reduction="none").flatten(1).sum(1)


def _parts_pooled(*, squares: str, log: str) -> Callable:
    """A candidate that sums one part over the pixels and averages the other."""

    def candidate(x: Tensor, mean: Tensor, log_sigma: Tensor) -> Tensor:
        error = getattr(_squares(x - mean, log_sigma).flatten(1), squares)(1)
        rest = (log_sigma + _CONSTANT).expand_as(x).flatten(1)
        return error + getattr(rest, log)(1)

    return candidate


def _log_of_the_density(x: Tensor, mean: Tensor, log_sigma: Tensor) -> Tensor:
    sigma = torch.exp(log_sigma)
    density = torch.exp(-0.5 * ((x - mean) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
    return -torch.log(density).flatten(1).sum(1)


def _norm_of(pool: Callable[[Tensor], Tensor], power: int) -> Callable:
    """A candidate whose error is a norm over images, or over the batch, to a power."""

    def candidate(x: Tensor, mean: Tensor, log_sigma: Tensor) -> Tensor:
        error = 0.5 * pool(x - mean) ** power * torch.exp(-2 * log_sigma)
        return error.expand(len(x)) + _pixels(x) * (log_sigma + _CONSTANT)

    return candidate


def _frozen(mean: bool, log_sigma: bool) -> Callable:
    def candidate(x: Tensor, m: Tensor, s: Tensor) -> Tensor:
        return _with()(x, m.detach() if mean else m, s.detach() if log_sigma else s)

    return candidate


_LOG_VAR = "You take `log_sigma` for log σ². It is log σ, so σ² is exp(2 log σ)."
_RAW = "You take `log_sigma` for σ itself. It is a logarithm: take its exponential first."
_ONCE = "{what} once an image. Every pixel has a density of its own, so it counts once a pixel."
_NO_CONSTANT = "½ log 2π of every pixel is missing. It changes no gradient, but without it these "
_NO_CONSTANT += "are not the nats of a density."
_BATCH = "You {what} over the batch: the result is one number. Return one value an image, (B,)."
_PIXELS = "Sum over channels, rows and columns of an image, and keep dimension 0: (B,)."
_TORCH = (
    "`F.gaussian_nll_loss` leaves ½ log 2π out unless you give it `full=True`, {rest}nats per "
    "image need the whole sum."
)
MISTAKES = (
    Mistake("no constant", _with(constant=0), _NO_CONSTANT),
    Mistake("no constant, no log sigma", _with(log=torch.zeros_like, constant=0),
            "Only the squared error is there. log σ and ½ log 2π of every pixel are missing, and "
            "without log σ an endless σ would be best."),
    Mistake("no log sigma", _with(log=torch.zeros_like),
            "log σ is missing: without it an endless σ would be best."),
    Mistake("log sigma alone", _with(error=lambda e, s: torch.zeros_like(e)),
            "The squared error is missing: x and the mean do not matter to your result."),
    Mistake("log sigma once", _counted(_once, _pixels), _ONCE.format(what="log σ is counted")),
    Mistake("constant once", _counted(_pixels, _once), _ONCE.format(what="½ log 2π is counted")),
    Mistake("both once", _counted(_once), _ONCE.format(what="log σ and ½ log 2π are counted")),
    Mistake("log sigma once, no constant", _counted(_once, lambda x: 0),
            _ONCE.format(what="log σ is counted") + " And ½ log 2π is missing."),
    Mistake("once a place", _counted(lambda x: x[0, 0].numel()), "log σ and ½ log 2π are counted "
            "H·W times. An image has C·H·W numbers: each channel counts."),
    Mistake("once a channel", _counted(lambda x: x.shape[1]), "log σ and ½ log 2π are counted "
            "C times. An image has C·H·W numbers: each counts."),
    Mistake("whole batch counted", _counted(Tensor.numel), "log σ and ½ log 2π are counted for "
            "all images of the batch. Each image pays for its own C·H·W numbers only."),
    Mistake("sigma for sigma^2", _with(error=lambda e, s: 0.5 * e**2 * torch.exp(-s)),
            "You divide the squared error by σ. It is divided by σ²."),
    Mistake("log_sigma taken for log sigma^2",
            _with(error=lambda e, s: 0.5 * e**2 * torch.exp(-s), log=lambda s: 0.5 * s), _LOG_VAR),
    Mistake("variance as scale",
            _with(error=lambda e, s: 0.5 * e**2 * torch.exp(-4 * s), log=lambda s: 2 * s),
            "You use σ² where σ belongs: `Normal` takes the standard deviation, not the variance."),
    Mistake("log_sigma taken for sigma",
            _with(error=lambda e, s: 0.5 * (e / s) ** 2, log=torch.log), _RAW),
    Mistake("log_sigma taken for sigma in the error", _with(error=lambda e, s: 0.5 * (e / s) ** 2),
            _RAW),
    Mistake("log_sigma taken for sigma^2",
            _with(error=lambda e, s: 0.5 * e**2 / s, log=lambda s: 0.5 * torch.log(s)),
            "You take `log_sigma` for σ². It is log σ, so σ² is exp(2 log σ)."),
    Mistake("times sigma^2", _with(error=lambda e, s: 0.5 * e**2 * torch.exp(2 * s)),
            "You multiply the squared error by σ². Dividing by it takes a minus in the exponent."),
    Mistake("no sigma in the error", _with(error=lambda e, s: 0.5 * e**2),
            "The squared error is not divided by σ²."),
    Mistake("no half in the error", _with(error=lambda e, s: 2 * _squares(e, s)),
            "The ½ in front of the squared error is missing."),
    Mistake("no half at all",
            _with(error=lambda e, s: 2 * _squares(e, s), log=lambda s: 2 * s,
                  constant=2 * _CONSTANT),
            "Everywhere twice the expected value: the ½ in front is missing."),
    Mistake("half of log sigma", _with(log=lambda s: 0.5 * s),
            "You halve log σ. ½ log σ² is log σ: the half is used up by the square."),
    Mistake("log sigma^2 without half", _with(log=lambda s: 2 * s),
            "log σ² stands where log σ belongs: ½ log σ² is log σ."),
    Mistake("constant without half", _with(constant=2 * _CONSTANT),
            "log 2π stands where ½ log 2π belongs: the density divides by the *root* of 2πσ²."),
    Mistake("constant without 2", _with(constant=0.5 * math.log(math.pi)),
            "½ log π stands where ½ log 2π belongs."),
    Mistake("sign of the constant", _with(constant=-_CONSTANT),
            "½ log 2π has the wrong sign: it makes the density smaller, and −log of it larger."),
    Mistake("sign of log sigma", _with(log=torch.neg),
            "log σ has the wrong sign: a wide Gaussian has a small density, and a large −log."),
    Mistake("sign of both", _with(log=torch.neg, constant=-_CONSTANT),
            "log σ and ½ log 2π have the wrong sign. Only the squared error is negative inside "
            "the logarithm of the density."),
    Mistake("log-likelihood", _with(pool=lambda terms: -terms.flatten(1).sum(1)),
            "The sign is turned round: this is the log-likelihood. Asked for is −log N, which "
            "training makes small."),
    Mistake("not squared", _with(error=lambda e, s: 0.5 * e * torch.exp(-2 * s)),
            "The error is not squared, and errors of opposite sign cancel."),
    Mistake("norm not squared", _norm_of(lambda e: e.flatten(1).norm(dim=1), 1),
            "You divide the norm of x − mean by 2σ², not its square: `norm` takes a root."),
    Mistake("errors of the whole batch", _norm_of(torch.norm, 2),
            "Every image pays for the errors of the whole batch. Each pays for its own: keep "
            "dimension 0 when you sum."),
    Mistake("logarithm of the density", _log_of_the_density, "Far from the mean the density "
            "rounds to 0, and its logarithm is −∞. Take the logarithm on paper: the formula above "
            "has no `exp` around the error."),
    Mistake("log_sigma as the scale of Normal",
            lambda x, mean, s: -torch.distributions.Normal(mean, s).log_prob(x).flatten(1).sum(1),
            _RAW),
    Mistake("absolute error", _with(error=lambda e, s: e.abs() * torch.exp(-s)),
            "This is the absolute error over σ, as in a Laplace density. A Gaussian squares it."),
    Mistake("mean over pixels", _with(pool=lambda terms: terms.flatten(1).mean(1)),
            "You average over the pixels. Densities of pixels multiply, so their logarithms add "
            "up: nats per image are a sum."),
    Mistake("error averaged", _parts_pooled(squares="mean", log="sum"),
            "You average the squared error over the pixels, but sum log σ. Both are sums."),
    Mistake("log sigma averaged", _parts_pooled(squares="sum", log="mean"),
            _ONCE.format(what="log σ and ½ log 2π are counted")),
    Mistake("mean over everything", _with(pool=torch.mean), f"You average over all numbers of the "
            f"batch. {_PIXELS}"),
    Mistake("sum over batch", _with(pool=torch.sum), _BATCH.format(what="sum")),
    Mistake("mean over batch", _with(pool=lambda terms: terms.flatten(1).sum(1).mean()),
            _BATCH.format(what="average")),
    Mistake("sum over images", _with(pool=lambda terms: terms.sum(0)),
            f"You sum over dimension 0, the images. {_PIXELS}"),
    Mistake("sum over channels", _with(pool=lambda terms: terms.sum(1)),
            f"You sum over the channels only. {_PIXELS}"),
    Mistake("sum over places", _with(pool=lambda terms: terms.sum((2, 3))),
            f"You sum over rows and columns only, one value a channel. {_PIXELS}"),
    Mistake("sum over the last axis", _with(pool=lambda terms: terms.sum(-1)),
            f"You sum over the last axis only. {_PIXELS}"),
    Mistake("not summed", _with(pool=lambda terms: terms),
            f"You return one value a pixel. {_PIXELS}"),
    Mistake("column", _with(pool=lambda terms: terms.flatten(1).sum(1, keepdim=True)),
            "You return a column. Without `keepdim` the result is (B,)."),
    Mistake("kept dimensions", _with(pool=lambda terms: terms.sum((1, 2, 3), keepdim=True)),
            "You return (B, 1, 1, 1). Without `keepdim` the result is (B,)."),
    Mistake("loss of PyTorch", _loss_of_pytorch, _TORCH.format(rest="and averages; ")),
    Mistake("loss of PyTorch, per image", _loss_of_pytorch_per_image, _NO_CONSTANT),
    Mistake("bits", _with(pool=lambda terms: terms.flatten(1).sum(1) / math.log(2)),
            "Everywhere 1.443 times too large: these are bits. Nats use the natural logarithm."),
    Mistake("detached", _with(pool=lambda terms: terms.flatten(1).sum(1).detach()),
            "The values are right, but they have no graph, so neither the decoder nor σ can learn: "
            "leave out `.detach()`."),
    Mistake("mean detached", _frozen(mean=True, log_sigma=False),
            "No gradient reaches `mean`, so the decoder cannot learn: do not detach it."),
    Mistake("log sigma detached", _frozen(mean=False, log_sigma=True),
            "No gradient reaches `log_sigma`. Where σ is a parameter it has to learn: use torch "
            "all the way, without `.item()`, `math.exp` and `.detach()`."),
)  # fmt: skip
