"""What is looked at in the exercises of notebook 01 that make or train a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.exercises.observers import MODULE_HINTS, TinyAutoencoder, gradients_reach, shake
from course_lib.losses import squared_error

LINEAR_HINTS = {
    **MODULE_HINTS,
    "the encoder is linear": "The encoder is not linear: use one `nn.Linear`, no activation.",
    "the decoder is linear": "The decoder is not linear: use one `nn.Linear`, no activation.",
    "shape of the code": "The code has the wrong shape: `encode` maps (B, D) to (B, k).",
    "shape of the reconstruction": "The shape is wrong: `decode` maps (B, k) to (B, D).",
    "rank of the reconstructions": "The reconstructions should span exactly k directions.",
}
TRAINING_HINTS = {"type of the loss": "Return the loss as a plain Python number: `loss.item()`."}


def is_affine(f: Callable[[Tensor], Tensor], inputs: Tensor) -> bool:
    """Whether f(a) + f(b) = f(a + b) + f(0), for neighbours a, b among the inputs."""
    a, b = inputs, inputs.roll(1, 0)
    gap = f(a) + f(b) - f(a + b) - f(torch.zeros_like(a))
    return bool(gap.abs().max() < 1e-8 * (1 + f(a).abs().max()))


def moves(f: Callable[[Tensor], Tensor], zero: Tensor) -> bool:
    """Whether f(0) ≠ 0, as a bias makes it."""
    return bool(f(zero).abs().max() > 1e-9)


def observe_linear_autoencoder(candidate: Callable, case: Any) -> dict[str, Any]:
    """Shapes, affinity, rank and biases of a model after its parameters were shaken."""
    D, k = case.args["D"], case.args["k"]
    model = candidate(D, k)
    if not isinstance(model, nn.Module):
        return {"it is an nn.Module": False}
    model.double()
    has_parameters = len(list(model.parameters())) > 0
    shake(model)
    x = torch.randn(4 * D, D, dtype=torch.float64)
    z = model.encode(x)
    x_hat = model.decode(z)
    spread = (x_hat - x_hat.mean(0)).detach()
    learns = gradients_reach(model, x_hat)
    return {
        "it is an nn.Module": True,
        "it has parameters": has_parameters,
        "shape of the code": list(z.shape),
        "shape of the reconstruction": list(x_hat.shape),
        "the encoder is linear": is_affine(model.encode, x),
        "the decoder is linear": is_affine(model.decode, torch.randn_like(z)),
        "each image by itself": torch.allclose(model.encode(x)[:1], model.encode(x[:1])),
        "gradients reach every parameter": learns,
        "rank of the reconstructions": int(torch.linalg.matrix_rank(spread, rtol=1e-9)),
        "the encoder has a bias": moves(model.encode, x[:1] * 0),
        "the decoder has a bias": moves(model.decode, z[:1] * 0),
    }


def trace(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[str]:
    """A list that grows with every zero_grad, backward and step from now on."""
    calls: list[str] = []
    last = [*model.parameters()][-1]
    last.register_post_accumulate_grad_hook(lambda _: calls.append("backward"))
    optimizer.register_step_pre_hook(lambda *_: calls.append("step"))
    zero_grad = optimizer.zero_grad

    def traced(*args: object, **kwargs: object) -> None:
        calls.append("zero_grad")
        zero_grad(*args, **kwargs)

    optimizer.zero_grad = traced
    return calls


def observe_training(candidate: Callable, case: Any) -> dict[str, Any]:
    """Weights and losses over three steps of Adam, which does not see the scale of a loss.

    A gradient that is kept from one step to the next, a target that is not x, or an order of
    calls that loses a step all lead to other weights.
    """
    batches = case.args["x"]
    model = TinyAutoencoder(batches.shape[-1], 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1, eps=1e-16)
    calls = trace(model, optimizer)
    first_error = squared_error(batches[0], model(batches[0])).mean().item()
    kinds, losses, weights = [], [], []
    for x in batches:
        loss = candidate(model, x.clone(), optimizer)
        kinds.append(type(loss).__name__ if not isinstance(loss, float) else "float")
        losses.append(float("nan") if loss is None else float(torch.as_tensor(loss).detach()))
        weights.append(nn.utils.parameters_to_vector(model.parameters()).detach().clone())
    relative = [loss / (losses[0] or float("nan")) for loss in losses]
    return {
        "weights after each step": torch.stack(weights),
        "type of the loss": ", ".join(sorted(set(kinds))),
        "losses, relative to the first": relative,
        "_loss per squared error": losses[0] / first_error,
        "_calls": " ".join(calls),
    }
