"""`denoising_loss(model, clean, noisy)`: squared error per image against the clean image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.exercises.observers import TinyAutoencoder
from course_lib.exercises.spec import Case, Exercise, Mistake


class TinyImages(TinyAutoencoder):
    """Images (B, C, H, W), three codes, known weights: what the loss is tried on."""

    def __init__(self, *shape: int) -> None:
        super().__init__(shape[0] * shape[1] * shape[2], 3)
        self.shape = shape

    def encode(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, 3)."""
        return torch.tanh(super().encode(x.flatten(1)))

    def decode(self, z: Tensor) -> Tensor:
        """(B, 3) to (B, C, H, W) in (0, 1)."""
        return super().decode(3 * z).unflatten(1, self.shape)


def observe_loss(candidate: Callable, case: Any) -> dict[str, Any]:
    """The loss of each image, and the gradient of a weighted sum of them in the weights."""
    clean, noisy = case.args["clean"], case.args["noisy"]
    model = TinyImages(*clean.shape[1:])
    loss = candidate(model, clean, noisy)
    reached = isinstance(loss, Tensor) and loss.requires_grad
    if reached:
        weight = torch.arange(1, loss.numel() + 1, dtype=loss.dtype).view(loss.shape)
        (weight * loss).sum().backward()
    layers = {"decoder": model.decoder, "encoder": model.encoder}
    return {
        "loss": loss,
        **{f"gradient reaches the {name}": layers[name].weight.grad is not None for name in layers},
        "gradient": [layer.weight.grad.norm().item() for layer in layers.values() if reached
                     and layer.weight.grad is not None],
    }  # fmt: skip


_GRADIENT = "The values are right, but no gradient reaches the {}: "
LOSS_HINTS = {
    "gradient reaches the decoder": _GRADIENT.format("decoder")
    + "leave out `.detach()`, `.item()` and `no_grad`.",
    "gradient reaches the encoder": _GRADIENT.format("encoder")
    + "leave out `.detach()` and `no_grad` around the code.",
    "gradient": "The values are right, their gradient is not: which part is detached?",
}


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def images(*shape: int) -> dict[str, Tensor]:
        clean = torch.rand(shape, generator=g, dtype=torch.float64)
        noise = 0.3 * torch.randn(shape, generator=g, dtype=torch.float64)
        return {"clean": clean, "noisy": (clean + noise).clamp(0, 1)}

    return [
        Case("five colour images of 4 × 6 pixels", images(5, 3, 4, 6)),
        Case("two grey images of 7 × 5 pixels", images(2, 1, 7, 5)),
        Case("a batch of one", images(1, 3, 5, 4)),
    ]


def _restored(model: nn.Module, noisy: Tensor) -> Tensor:
    return model.decode(model.encode(noisy))


def _error(x: Tensor, x_hat: Tensor) -> Tensor:
    return ((x - x_hat) ** 2).flatten(1).sum(1)


def _after(change: Callable[[Tensor], object]) -> Callable:
    """The right loss and one step too many."""
    return lambda model, clean, noisy: change(_error(clean, _restored(model, noisy)))


def _pixels(change: Callable[[Tensor], object]) -> Callable:
    """Another reduction of the squared error of each pixel, (B, C, H, W)."""
    return lambda model, clean, noisy: change((clean - _restored(model, noisy)) ** 2)


def _between(distance: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    """Another distance between the clean and the restored image, summed per image."""
    return lambda model, clean, noisy: (
        distance(clean, _restored(model, noisy)).flatten(1).sum(1)
    )  # fmt: skip


def _loss_code_detached(model: nn.Module, clean: Tensor, noisy: Tensor) -> Tensor:
    return _error(clean, model.decode(model.encode(noisy).detach()))


def _loss_layers(model: nn.Module, clean: Tensor, noisy: Tensor) -> Tensor:
    x_hat = model.decoder(model.encoder(noisy.flatten(1)))
    return _error(clean.flatten(1), x_hat)


def _loss_no_grad(model: nn.Module, clean: Tensor, noisy: Tensor) -> Tensor:
    with torch.no_grad():
        return _error(clean, _restored(model, noisy))


_BATCH = "Return one value an image, (B,)."
MISTAKES = (
    Mistake(
        "target noisy",
        lambda m, clean, noisy: _error(noisy, _restored(m, noisy)),
        "The target is the noisy image, so the model learns to keep the noise. Compare with the "
        "clean one.",
    ),
    Mistake(
        "clean fed in",
        lambda m, clean, noisy: _error(clean, _restored(m, clean)),
        "The clean image goes in, so there is no noise to remove. Encode the noisy one.",
    ),
    Mistake(
        "both exchanged",
        lambda m, clean, noisy: _error(noisy, _restored(m, clean)),
        "Clean and noisy have changed places: the noisy image goes in, the clean one is the "
        "target.",
    ),
    Mistake(
        "noise left over",
        lambda m, clean, noisy: _error(clean, noisy),
        "You compare the two inputs; the model is never asked. Restore the noisy image first.",
    ),
    Mistake(
        "two restored images",
        lambda m, clean, noisy: _error(_restored(m, clean), _restored(m, noisy)),
        "Both images go through the model. The target is the clean image as it is.",
    ),
    Mistake(
        "in the code",
        lambda m, clean, noisy: _error(m.encode(clean), m.encode(noisy)),
        "You compare codes. The loss compares images, so decode first.",
    ),
    Mistake(
        "model predicts the noise",
        lambda m, clean, noisy: _error(noisy - clean, _restored(m, noisy)),
        "The target is the noise. Here the decoder writes the image itself, in [0, 1].",
    ),
    Mistake("mean over pixels", _pixels(lambda e: e.flatten(1).mean(1)),
            "You average over pixels and channels. The course's errors are sums over one image."),
    Mistake("mean over batch", _after(Tensor.mean), f"You average over the batch. {_BATCH}"),
    Mistake("sum over everything", _after(Tensor.sum), f"You sum over the batch as well. {_BATCH}"),
    Mistake("mean over everything", _pixels(Tensor.mean), "You average over pixels and batch (the "
            f"default of `F.mse_loss`). Sum over the pixels of each image. {_BATCH}"),
    Mistake("sum over the batch", _pixels(lambda e: e.sum(0)), "You sum over dimension 0, the "
            "batch. Pixels and channels are the dimensions after it."),
    Mistake("one dimension summed", _pixels(lambda e: e.sum(1)), "You sum over the channels only. "
            "An image has three dimensions, (C, H, W): `.flatten(1)` makes one of them."),
    Mistake("channels kept", _pixels(lambda e: e.sum((2, 3))), "You sum over H and W and keep the "
            f"channels. {_BATCH}"),
    Mistake("last dimension summed", _pixels(lambda e: e.sum(-1)), "You sum over the last "
            "dimension only: `.flatten(1)` makes one dimension of (C, H, W)."),
    Mistake("mean over channels", _pixels(lambda e: e.mean(1).flatten(1).sum(1)), "You average "
            "over the channels. Sum over them, as over pixels."),
    Mistake("not summed", _pixels(lambda e: e), "You return one value a pixel. Sum over C, H and "
            f"W. {_BATCH}"),
    Mistake("half", _after(lambda loss: loss / 2), "Half of the expected value: the exercise asks "
            "for the squared error without ½."),
    Mistake("root", _after(Tensor.sqrt), "You take the root. The exercise asks for the squared "
            "error."),
    Mistake("sign", _after(Tensor.neg), "The sign is turned round: a loss is ≥ 0."),
    Mistake("absolute error", _between(lambda x, y: (x - y).abs()), "This is the absolute error. "
            "The exercise asks for the squared one."),
    Mistake("summed before squared", lambda m, clean, noisy:
            (clean - _restored(m, noisy)).flatten(1).sum(1) ** 2,
            "Errors of opposite sign cancel in your sum. Square first, then sum over pixels."),
    Mistake("cross-entropy", _between(lambda x, y: F.binary_cross_entropy(y, x, reduction="none")),
            "This is the cross-entropy. The exercise asks for the squared error."),
    Mistake("layers called", _loss_layers, "You call the layers `encoder` and `decoder`. The "
            "methods `encode` and `decode` may do more, here a sigmoid: call those."),
    Mistake("detached", _loss_no_grad, LOSS_HINTS["gradient reaches the decoder"]),
    Mistake("plain numbers", _after(Tensor.tolist), LOSS_HINTS["gradient reaches the decoder"]),
    Mistake("code detached", _loss_code_detached, LOSS_HINTS["gradient reaches the encoder"]),
)  # fmt: skip


EXERCISE = Exercise(
    "denoising_loss",
    2,
    cases,
    MISTAKES,
    observe=observe_loss,
    property_hints=LOSS_HINTS,
    rtol=1e-6,
    atol=1e-9,
)
