"""What exercises share: how raw values are observed, and which properties are made of them."""

from collections.abc import Callable
from math import nan
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.exercises.records import TENSORS, Unfit, finite, is_array, kind_of, plain

# What these properties say where they fail; an exercise adds those of its own.
MODULE_HINTS = {
    "it is an nn.Module": "Derive the class from `nn.Module`.",
    "it has parameters": "No parameter is registered: use `nn.Linear` (or `nn.Parameter`) as an "
    "attribute. The optimizer does not see a plain tensor, nor layers in a list.",
    "gradients reach every parameter": "Some parameters get no gradient, so they never learn: "
    "leave out `.detach()` and `no_grad`, and use every layer that you make.",
    "each image by itself": "The code of an image depends on the others in its batch: treat each "
    "row by itself, without statistics over dimension 0.",
}


def seeded(seed: int) -> torch.Generator:
    """A generator that starts at this seed."""
    return torch.Generator().manual_seed(seed)


def shake(model: nn.Module, *, seed: int = 1) -> None:
    """Move every parameter a little, so that a bias that starts at zero shows itself."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator).to(parameter)


def gradient_sizes(model: nn.Module, x_hat: Tensor) -> list[float]:
    """The norm of each parameter's gradient of the sum of x_hat², NaN where none arrives."""
    if x_hat.requires_grad:
        (x_hat**2).sum().backward()
    return [nan if p.grad is None else float(p.grad.norm()) for p in model.parameters()]


def random_mark() -> float:
    """A number that is another one in every state of PyTorch's own random numbers."""
    state = torch.get_rng_state().double()
    return float(state @ torch.arange(len(state)).double())


def shape_of(result: Any) -> str:
    """The shape of a tensor in words, or what else this is."""
    return str(result.shape) if type(result) in TENSORS else kind_of(result)


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
        return self.decoder(z).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """decode(encode(x))."""
        return self.decode(self.encode(x))


def tensor_from(candidate: Callable, *args: Any) -> Tensor:
    """What the candidate returns, if it is a tensor. Raises Unfit, which ends the observation."""
    result = candidate(*args)
    if type(result) not in TENSORS:
        raise Unfit(result)
    return result


def number_from(candidate: Callable, *args: Any) -> Any:
    """What the candidate returns, if it holds numbers. Raises Unfit, which ends the observation."""
    result = candidate(*args)
    if not is_array(plain(result)):
        raise Unfit(result)
    return result


def tensor_result(candidate: Callable, case: Any) -> dict[str, Any]:
    """The usual observation, where an exercise asks for a tensor."""
    return {"result": tensor_from(candidate, *case.args.values())}


def named_result(candidate: Callable, case: Any) -> dict[str, Any]:
    """The usual observation, where an exercise has a hint of its own for every other "result"."""
    result = candidate(*case.args.values())
    if result is None:
        raise Unfit(result)
    return {"result": result}


def reached(candidate: Callable, args: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The gradient of the sum of the candidate's result with respect to each of these, or None."""
    own = {k: v.clone().requires_grad_(k in names) for k, v in args.items()}
    # Copies, as in a network: what changes a leaf in place raises, and hides that an input changed.
    total = tensor_from(candidate, *(v.clone() for v in own.values())).sum()
    inputs, gradients = [own[name] for name in names], [None] * len(names)
    if total.requires_grad:
        gradients = torch.autograd.grad(total, inputs, allow_unused=True)
    return {f"gradient of {name}": part for name, part in zip(names, gradients, strict=True)}


def reach(raw: dict[str, Any], *names: str) -> dict[str, Any]:
    """Of what `reached` gave: does a gradient arrive, is it finite, and which numbers are in it."""
    found = {}
    for name in names:
        gradient = raw[f"gradient of {name}"]
        found[f"gradients reach {name}"] = gradient is not None
        if gradient is not None:
            found[f"the gradient of {name} is finite"] = finite(gradient)
            found[f"gradient of {name}"] = gradient
    return found


def reach_hints(*names: str) -> dict[str, str]:
    """What to say where no gradient reaches one of these, or one that is not finite or wrong."""
    hints = {}
    for name in names:
        hints[f"gradients reach {name}"] = (
            f"The values are right, but no gradient reaches `{name}`, so nothing can be trained by "
            "it. Leave out `.detach()`, `.item()`, `no_grad`, `torch.tensor` and numpy."
        )
        hints[f"the gradient of {name} is finite"] = (
            f"The values are right, but the gradient of `{name}` is NaN or infinite: which step "
            "has an infinite slope there?"
        )
        hints[f"gradient of {name}"] = (
            f"The values are right, but the gradient of `{name}` is not: is a part of the "
            "result detached, or made by `.data`, `.item()` or numpy?"
        )
    return hints
