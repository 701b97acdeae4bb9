"""Wrong answers to `optimal_log_sigma`."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.spec import Mistake


def _mse(x: Tensor, mean: Tensor) -> Tensor:
    return ((x - mean) ** 2).mean()


def _of(
    spread: Callable[[Tensor], Tensor],
    report: Callable[[Tensor], Tensor] = lambda square: 0.5 * torch.log(square),
    *,
    clamp: Callable[[Tensor], Tensor] = lambda log_sigma: log_sigma.clamp(min=-6),
) -> Callable:
    """A candidate: a spread of the errors x − mean in place of σ², its logarithm, a clamp."""
    return lambda x, mean: clamp(report(spread(x - mean)))


def _square(error: Tensor) -> Tensor:
    return (error**2).mean()


def _per_image(error: Tensor) -> Tensor:
    return (error**2).flatten(1).mean(1)


def _reported(report: Callable[[Tensor], Tensor]) -> Callable:
    """The right mean square, clamped where it should be, then reported otherwise."""
    return lambda x, mean: report(_mse(x, mean).clamp(min=math.exp(-12)))


def _right(x: Tensor, mean: Tensor) -> Tensor:
    return _reported(lambda square: 0.5 * torch.log(square))(x, mean)


def _same(value: Tensor) -> Tensor:
    return value


def _soft(log_sigma: Tensor) -> Tensor:
    return -6 + F.softplus(log_sigma + 6)


def _bounded(least: float, most: float = math.inf) -> Callable[[Tensor], Tensor]:
    return lambda log_sigma: log_sigma.clamp(least, most)


_ROOT = (
    "This is log σ², the logarithm of the mean squared error. Half of it is the logarithm of the "
    "root, log σ."
)
_PER = "You return one σ for each {what}. Asked for is one for all pixels of all images: {why}"
_WHY_PIXEL = "with one for each pixel the error of the training set can be explained away."
_OPEN = (
    "The clamp is missing: for a perfect prediction log σ falls without end, and the likelihood "
    "grows without end. Keep log σ at −6 or above."
)
_POOLED = "You average {what}. Average the squared errors of all images first, then take the root "
_POOLED += "and the logarithm once."
_PLACE = "The clamp is at the wrong place: {what} It is log σ that stays at −6 or above."
_BIAS = "You divide by n − 1. The σ that maximises the likelihood divides by n, all pixels of all "
_BIAS += "images."
_SPREAD = (
    "A standard deviation takes the mean of the errors out first. σ has to cover a constant error, "
    "too: take the root of the mean *squared* error."
)
MISTAKES = (
    Mistake("log of the MSE", _of(_square, torch.log), _ROOT),
    Mistake("log of the MSE, clamped at -12", _of(_square, torch.log, clamp=_bounded(-12)), _ROOT),
    Mistake("log of the MSE, no clamp", _of(_square, torch.log, clamp=_same), _ROOT),
    Mistake("sigma", _reported(torch.sqrt), "This is σ. Asked for is its logarithm."),
    Mistake("sigma, no clamp", _of(_square, torch.sqrt, clamp=_same),
            "This is σ. Asked for is its logarithm, at −6 or above."),
    Mistake("variance", _reported(_same),
            "This is σ², the mean squared error. Asked for is log σ."),
    Mistake("variance, no clamp", _of(_square, _same, clamp=_same),
            "This is σ², the mean squared error. Asked for is log σ, at −6 or above."),
    Mistake("no clamp", _of(_square, clamp=_same), _OPEN),
    *(Mistake(f"no clamp but {eps:g} added",
              _of(lambda e, eps=eps: _square(e) + eps, clamp=_same),
              "The small number added to the error keeps log σ finite, but not at −6 or above. "
              "Clamp it.")
      for eps in (math.exp(-12), 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)),
    *(Mistake(f"no clamp but {eps:g} added to sigma",
              _of(lambda e, eps=eps: (_square(e).sqrt() + eps) ** 2, clamp=_same),
              "The small number added to σ keeps log σ finite, but not at −6 or above. Clamp it.")
      for eps in (1e-6, 1e-8)),
    Mistake("clamped from above", _of(_square, clamp=_bounded(-math.inf, -6)),
            "The clamp is on the wrong side: yours holds log σ at −6 or *below*. −6 is the least."),
    Mistake("clamped at +6", _of(_square, clamp=_bounded(6)),
            "The least log σ is −6, a small σ, not +6."),
    *(Mistake(f"clamped at {most} from above", _of(_square, clamp=_bounded(-6, most)),
              "log σ has no upper bound: with pixels from 0 to 255 σ is far above 1.")
      for most in (0, 1, 2, 3)),
    Mistake("max of Python", lambda x, mean: max(-6, 0.5 * torch.log(_mse(x, mean))),
            "Python's `max` hands back the bare number −6 where the clamp holds. Stay with "
            "tensors: `clamp`."),
    Mistake("clamped at 0", _of(_square, clamp=_bounded(0)),
            "log σ may be negative: for pixels in [0, 1] σ is mostly below 1. The least is −6."),
    Mistake("variance clamped at exp(-6)",
            _of(lambda e: _square(e).clamp(min=math.exp(-6)), clamp=_same),
            _PLACE.format(what="you hold log σ² at −6, so log σ stops at −3.")),
    Mistake("log of the MSE clamped at -6",
            _of(_square, lambda square: 0.5 * torch.log(square).clamp(min=-6), clamp=_same),
            _PLACE.format(what="you hold log σ² at −6, so log σ stops at −3.")),
    *(Mistake(f"{name} clamped at {least:g}",
              _of(lambda e, a=least, p=power: (_square(e) ** p).clamp(min=a) ** (1 / p),
                  clamp=_same),
              _PLACE.format(what=f"you hold {name} at {least:g}."))
      for name, power, least in (("σ²", 1.0, 1e-6), ("σ", 0.5, 1e-6), ("σ²", 1.0, 1e-8))),
    Mistake("soft clamp", _of(_square, clamp=_soft), "A soft clamp lifts log σ a little everywhere "
            "and is no longer the minimum. Leave it as it is above −6."),
    Mistake("per pixel", _of(lambda e: (e**2).mean(0)),
            _PER.format(what="pixel", why=_WHY_PIXEL)),
    Mistake("per channel", _of(lambda e: (e**2).mean((0, 2, 3))),
            _PER.format(what="channel", why="average over dimension 1 as well.")),
    Mistake("per image", _of(_per_image),
            _PER.format(what="image", why="average over the batch as well.")),
    Mistake("repeated", lambda x, mean: _right(x, mean).expand(len(x)),
            "The value is right, but it stands there once an image. Return one number, shape ()."),
    Mistake("not averaged", _of(lambda e: e**2),
            _PER.format(what="pixel of each image", why="average the squares first.")),
    Mistake("kept dimensions", _of(lambda e: (e**2).mean((0, 1, 2, 3), keepdim=True)),
            "The value is right, in the wrong shape: without `keepdim` it is ()."),
    Mistake("shape (1,)", lambda x, mean: _right(x, mean)[None],
            "The value is right, in the wrong shape: one number has shape (), not (1,)."),
    Mistake("mean of the log sigmas", lambda x, mean: _of(_per_image)(x, mean).mean(),
            _POOLED.format(what="the log σ of the images")),
    Mistake("mean of the log sigmas of pixels",
            lambda x, mean: _of(lambda e: (e**2).mean(0))(x, mean).mean(),
            _POOLED.format(what="the log σ of the pixels")),
    Mistake("mean of the sigmas", _of(lambda e: _per_image(e).sqrt().mean() ** 2),
            _POOLED.format(what="the σ of the images")),
    Mistake("log of every error",
            lambda x, mean: torch.log((x - mean).abs()).clamp(min=-6).mean(),
            _POOLED.format(what="logarithms of errors")),
    Mistake("log of every error, clamped late",
            lambda x, mean: torch.log((x - mean).abs()).mean().clamp(min=-6),
            _POOLED.format(what="logarithms of errors")),
    Mistake("summed", _of(lambda e: (e**2).sum()),
            "You sum the squared errors. σ² is their mean: it does not grow with the number of "
            "pixels."),
    Mistake("sum over pixels, mean over images", _of(lambda e: (e**2).flatten(1).sum(1).mean()),
            "You sum over the pixels and average over the images. σ² belongs to one pixel: average "
            "over both."),
    Mistake("absolute error", _of(lambda e: e.abs().mean() ** 2), "This is the mean absolute "
            "error, the best scale of a Laplace density. For a Gaussian it is the root of the "
            "mean square."),
    Mistake("median", _of(lambda e: (e**2).median()),
            "This is the median of the squares. The likelihood is largest at their mean."),
    Mistake("errors averaged first", _of(lambda e: e.mean() ** 2),
            "Errors of opposite sign cancel in your mean. Square first, then average."),
    Mistake("standard deviation", _of(Tensor.var), _SPREAD),
    Mistake("standard deviation with n", _of(lambda e: e.var(unbiased=False)), _SPREAD),
    Mistake("n - 1", _of(lambda e: (e**2).sum() / (e.numel() - 1)), _BIAS),
    Mistake("spread of the images", lambda x, mean: torch.log(x.std()).clamp(min=-6),
            "This is the spread of the images. σ is the size of the errors, x − mean."),
    Mistake("sign", lambda x, mean: -_right(x, mean),
            "The sign is turned round: the logarithm of a small σ is negative."),
    Mistake("twice", _of(_square, lambda square: 2 * torch.log(square)),
            "You double the logarithm of the mean squared error. The root halves it."),
    Mistake("root of the logarithm", _of(_square, lambda square: torch.log(square).sqrt()),
            "You take the root of the logarithm, which is NaN where it is negative. The root "
            "belongs inside: log √MSE = ½ log MSE."),
    Mistake("half inside", _of(_square, lambda square: torch.log(0.5 * square)),
            "The ½ stands inside the logarithm. Outside, it takes the root."),
    Mistake("half inside as well", _of(_square, lambda square: 0.5 * torch.log(0.5 * square)),
            "There is one ½ too many: the ½ of the Gaussian's exponent drops out where the "
            "derivative is 0."),
    *(Mistake(f"logarithm to base {base}",
              _of(_square, lambda square, b=base: 0.5 * torch.log(square) / math.log(b)),
              f"This is a logarithm to base {base}. Nats use the natural one, `torch.log`.")
      for base in (2, 10)),
    Mistake("log1p", _of(_square, lambda square: 0.5 * torch.log1p(square)),
            "`log1p` is the logarithm of 1 + x. log σ has to be able to become negative."),
    Mistake("detached", lambda x, mean: _right(x, mean).detach(),
            "The value is right, but gradients do not pass: leave out `.detach()` and `no_grad`."),
    Mistake("mean detached", lambda x, mean: _right(x, mean.detach()),
            "The value is right, but gradients do not pass: leave out `.detach()` and `no_grad`."),
    Mistake("number", lambda x, mean: _right(x, mean).item(),
            "You return a Python number, which has no gradient. Stay with PyTorch: leave out "
            "`.item()` and `math.log`."),
)  # fmt: skip
