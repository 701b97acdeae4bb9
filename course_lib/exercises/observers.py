"""What is looked at when an exercise is a class or acts on a model: properties, not one number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.losses import squared_error


def shake(model: nn.Module, *, seed: int = 1) -> None:
    """Move every parameter a little, so that a bias that starts at zero shows itself."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator).to(parameter)


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
    learns = _gradients_reach(model, x_hat)
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


def _gradients_reach(model: nn.Module, x_hat: Tensor) -> bool:
    """Whether every parameter takes part in the reconstruction."""
    if not x_hat.requires_grad:
        return False
    (x_hat**2).sum().backward()
    return all(parameter.grad is not None for parameter in model.parameters())


class TinyAutoencoder(nn.Module):
    """Six pixels, two codes, known weights: what `train_step` is tried on."""

    def __init__(self, D: int, d: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.encoder, self.decoder = nn.Linear(D, d).double(), nn.Linear(d, D).double()

    def encode(self, x: Tensor) -> Tensor:
        """(B, D) to (B, d)."""
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """(B, d) to (B, D) in (0, 1)."""
        return torch.sigmoid(self.decoder(z))

    def forward(self, x: Tensor) -> Tensor:
        """decode(encode(x))."""
        return self.decode(self.encode(x))


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
