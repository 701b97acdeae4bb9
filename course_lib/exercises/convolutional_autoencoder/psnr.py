"""`psnr(x, x_hat, data_range)`: peak signal-to-noise ratio of each image, in decibels."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.exercises.spec import Case, Exercise, Mistake


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def pair(*shape: int, noise: float, scale: float = 1) -> dict[str, Tensor]:
        """Images whose errors grow from the first to the last."""
        x = torch.rand(shape, generator=g, dtype=torch.float64)
        size = torch.linspace(0.2, 1, shape[0], dtype=torch.float64).view(-1, *[1] * (x.ndim - 1))
        error = noise * size * torch.randn(shape, generator=g, dtype=torch.float64)
        return {"x": scale * x, "x_hat": scale * (x + error).clamp(0, 1)}

    grey, same, bytes_ = pair(4, 1, 5, 7, noise=0.3), pair(3, 6, 4, noise=0.2), pair(2, 3, 4, 6,
        noise=0.1, scale=255)  # fmt: skip
    same["x_hat"][1] = same["x"][1]
    single = {name: image.float() for name, image in pair(2, 9, noise=0.02).items()}
    return [
        Case("four grey images in [0, 1]", {**grey, "data_range": 1.0}),
        Case("two colour images from 0 to 255", {**bytes_, "data_range": 255.0}),
        Case("the second of three pairs is equal", {**same, "data_range": 1.0}),
        Case("flat images in float32, from −1 to 1",
             {**{k: 2 * v - 1 for k, v in single.items()}, "data_range": 2.0}),
    ]  # fmt: skip


def _mse(x: Tensor, x_hat: Tensor) -> Tensor:
    return ((x - x_hat) ** 2).flatten(1).mean(1)


def _decibels(mse: Tensor, data_range: float | Tensor) -> Tensor:
    return 10 * torch.log10(data_range**2 / mse)


def _psnr_last_axis(x: Tensor, x_hat: Tensor, r: float) -> Tensor:
    return _decibels(((x - x_hat) ** 2).mean(-1), r)


def _psnr_of_rows(x: Tensor, x_hat: Tensor, r: float) -> Tensor:
    return _psnr_last_axis(x, x_hat, r).flatten(1).mean(1)


def _psnr_observed(x: Tensor, x_hat: Tensor, r: float) -> Tensor:
    flat = x.flatten(1)
    return _decibels(_mse(x, x_hat), flat.amax(1) - flat.amin(1))


def _psnr_signal(x: Tensor, x_hat: Tensor, r: float) -> Tensor:
    return 10 * torch.log10((x**2).flatten(1).mean(1) / _mse(x, x_hat))


def _psnr_abs(x: Tensor, x_hat: Tensor, r: float) -> Tensor:
    return _decibels((x - x_hat).abs().flatten(1).mean(1), r)


def _psnr_sum(x: Tensor, x_hat: Tensor, r: float) -> Tensor:
    return _decibels(((x - x_hat) ** 2).flatten(1).sum(1), r)


def _psnr_signed(x: Tensor, x_hat: Tensor, r: float) -> Tensor:
    return _decibels((x - x_hat).flatten(1).mean(1) ** 2, r)


def _finite(x: Tensor, x_hat: Tensor, r: float, *, most: float) -> Tensor:
    return _decibels(_mse(x, x_hat), r).nan_to_num(posinf=most)


_POOLED = (
    "You return one number for the whole batch. PSNR belongs to an image: take the mean over the "
    "pixels of each image and keep dimension 0."
)
_EPS = (
    "Equal images have an infinite PSNR, yours have a finite one. Leave out the special case, and "
    "the small number added to the error: PyTorch divides by 0 without complaint."
)
_RANGE = "The range is {what}. A pixel of 0 to 255 and one of 0 to 1 need their own: `data_range`."
MISTAKES = (
    Mistake("pooled error", lambda x, y, r: _decibels(((x - y) ** 2).mean(), r), _POOLED),
    Mistake(
        "pooled error, repeated",
        lambda x, y, r: _decibels(((x - y) ** 2).mean(), r).expand(len(x)),
        "Every image gets the same value, that of the pooled error. Take the mean over the pixels "
        "of each image and keep dimension 0.",
    ),
    Mistake(
        "mean of the decibels",
        lambda x, y, r: _decibels(_mse(x, y), r).mean(),
        "You average over the batch. Return one value an image, (B,).",
    ),
    Mistake("only the last axis", _psnr_last_axis, "You average over the last axis only: "
            "`.flatten(1)` makes one axis of all pixels of an image."),
    Mistake("mean over rows", _psnr_of_rows, "You average decibels over the rows of an image. "
            "Average the squared error over all its pixels first, then take the logarithm."),
    Mistake(
        "natural logarithm",
        lambda x, y, r: 10 * torch.log(r**2 / _mse(x, y)),
        "`torch.log` is the natural logarithm, 2.303 times too large. Decibels are tens of "
        "`torch.log10`.",
    ),
    Mistake(
        "binary logarithm",
        lambda x, y, r: 10 * torch.log2(r**2 / _mse(x, y)),
        "`torch.log2` counts doublings. Decibels are tens of `torch.log10`.",
    ),
    Mistake(
        "factor 20",
        lambda x, y, r: 2 * _decibels(_mse(x, y), r),
        "Twice too large: 20 log₁₀ goes with the ratio of range and *root* of the error, 10 log₁₀ "
        "with the ratio of their squares.",
    ),
    Mistake(
        "bels",
        lambda x, y, r: _decibels(_mse(x, y), r) / 10,
        "These are bels. A decibel is a tenth of one: 10 log₁₀.",
    ),
    Mistake(
        "root of the error",
        lambda x, y, r: _decibels(_mse(x, y).sqrt(), r),
        "You divide by the root of the error. With 10 log₁₀ both are squares: range² over MSE.",
    ),
    Mistake(
        "range not squared",
        lambda x, y, r: 10 * torch.log10(r / _mse(x, y)),
        "The range is not squared. Where it is 1 this does not show; at 255 it is 24 dB too few.",
    ),
    Mistake(
        "range forgotten",
        lambda x, y, r: _decibels(_mse(x, y), 1),
        "The range is missing: images of 0 to 255 would score 48 dB less than the same in [0, 1].",
    ),
    Mistake("range 255", lambda x, y, r: _decibels(_mse(x, y), 255),
            _RANGE.format(what="fixed at 255")),
    Mistake("range from the image", _psnr_observed, _RANGE.format(what="read off each image")),
    Mistake("brightest pixel", lambda x, y, r: _decibels(_mse(x, y), x.max()),
            _RANGE.format(what="the brightest pixel of the batch")),
    Mistake("range of the batch", lambda x, y, r: _decibels(_mse(x, y), x.max() - x.min()),
            _RANGE.format(what="read off the batch")),
    Mistake("signal power", _psnr_signal, "This is the signal-to-noise ratio: the numerator is "
            "the power of the image. The *peak* ratio has range² there."),
    Mistake(
        "sign",
        lambda x, y, r: -_decibels(_mse(x, y), r),
        "The sign is turned round: better images have more decibels, so range² is on top.",
    ),
    Mistake("sum over pixels", _psnr_sum, "You sum the squared error. PSNR uses its mean over the "
            "pixels, so that images of all sizes compare."),
    Mistake("absolute error", _psnr_abs, "This is the absolute error. MSE squares the "
            "differences."),
    Mistake("mean before squaring", _psnr_signed, "Errors of opposite sign cancel in your mean. "
            "Square first, then average."),
    *(
        Mistake(f"error plus {eps:g}", lambda x, y, r, eps=eps: _decibels(_mse(x, y) + eps, r),
                _EPS)
        for eps in (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)
    ),
    *(
        Mistake(f"equal images score {most:g}",
                lambda x, y, r, most=most: _finite(x, y, r, most=most), _EPS)
        for most in (0, 99, 100)
    ),
)  # fmt: skip


EXERCISE = Exercise("psnr", 1, cases, MISTAKES, rtol=1e-4, atol=1e-4)
