"""What exercises share: how raw values are observed, and which properties are made of them."""

from collections.abc import Sequence
from math import nan
from typing import Any

import torch
from torch import Tensor, nn

from course_lib import devices
from course_lib.exercises.records import TENSORS, Unfit, finite, is_array, kind_of, plain
from course_lib.exercises.spec import Candidate, Case, Parts


def seeded(seed: int) -> torch.Generator:
    """A generator that starts at this seed."""
    return torch.Generator().manual_seed(seed)


def shake(model: nn.Module, *, seed: int = 1) -> None:
    """Move every parameter a little, so that a bias that starts at zero shows itself."""
    generator = seeded(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator).to(parameter))


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
        with devices.seeded(3):
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


def tensor_from(candidate: Candidate, *args: Any) -> Tensor:
    """What the candidate returns, if it is a tensor. Raises Unfit, which ends the observation."""
    result = candidate(*args)
    if type(result) not in TENSORS:
        raise Unfit(result)
    return result


def number_from(candidate: Candidate, *args: Any) -> Any:
    """What the candidate returns, if it holds numbers. Raises Unfit, which ends the observation."""
    result = candidate(*args)
    if not is_array(plain(result)):
        raise Unfit(result)
    return result


def tensor_result(candidate: Candidate, case: Case) -> Parts:
    """The same as `named_result`, where an exercise asks for a tensor."""
    return {"result": tensor_from(candidate, *case.args.values())}


def reached(candidate: Candidate, args: dict[str, Any], names: tuple[str, ...]) -> Parts:
    """The gradient of the sum of the candidate's result with respect to each of these, or None."""
    own = {k: v.clone().requires_grad_(k in names) for k, v in args.items()}
    # Copies, as in a network: what changes a leaf in place raises, and hides that an input changed.
    total = tensor_from(candidate, *(v.clone() for v in own.values())).sum()
    inputs = [own[name] for name in names]
    gradients: Sequence[Tensor | None] = [None] * len(names)
    if total.requires_grad:
        gradients = torch.autograd.grad(total, inputs, allow_unused=True)
    return {f"gradient of {name}": part for name, part in zip(names, gradients, strict=True)}


def reach(raw: Parts) -> Parts:
    """Of what `reached` gave: does a gradient arrive, is it finite, and which numbers are in it."""
    found = {}
    for key, gradient in raw.items():
        if key.startswith("gradient of "):
            name = key.removeprefix("gradient of ")
            found[f"gradients reach {name}"] = gradient is not None
            if gradient is not None:
                found[f"the gradient of {name} is finite"] = finite(gradient)
                found[key] = gradient
    return found


def tensor_of(array: dict[str, Any]) -> Tensor:
    """The numbers of a plain value, in float64. Raises TypeError where it holds none."""
    if not is_array(array):
        raise TypeError("no numbers")
    return torch.tensor(array["numbers"], dtype=torch.float64).reshape(array["shape"])


def like(array: dict[str, Any], numbers: Tensor) -> dict[str, Any]:
    """Numbers made of those of a plain value, as of its kind."""
    return plain(numbers) | {"kind": array["kind"]}


def estimate(draws: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Independent estimates of `truth` in rows: what is compared is their mean, (R, …) to (…).

    The truth of the judge's own record counts, and the standard error of the candidate's mean.
    """
    mean, spread = draws.double().mean(0), draws.double().std(0)
    return {"mean": mean, "standard error": spread / len(draws) ** 0.5, "truth": truth.double()}
