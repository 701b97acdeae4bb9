"""What a training step cannot do without: its matrix products and convolutions alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.training import best_device

LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


@torch.no_grad()
def layer_products(model: nn.Module, x: Tensor, n: int) -> Callable[[], None]:
    """The products of one epoch of n images in batches like x, (B, …), on tensors of their shapes.

    Each layer's output, and the gradients of its weight and, but for the first layer, its input.
    """
    model, calls = model.to(best_device()), []

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        calls.append((layer, inputs[0].detach().clone(), torch.ones_like(output)))

    layers = [layer for layer in model.modules() if isinstance(layer, LAYERS)]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    code = model.encode(x.to(best_device()))
    model.decode(code if isinstance(code, Tensor) else code.mean)
    for hook in hooks:
        hook.remove()
    steps = [
        _of_linear(*call, first=not i)
        if isinstance(call[0], nn.Linear)
        else _of_convolution(*call, first=not i)
        for i, call in enumerate(calls)
    ]

    @torch.no_grad()
    def epoch() -> None:
        for _ in range(-(-n // len(x))):
            for step in steps:
                step()

    return epoch


def _of_linear(layer: nn.Linear, x: Tensor, g: Tensor, *, first: bool) -> Callable[[], None]:
    """x: (B, n), gradient of the output g: (B, m)."""

    def step() -> None:
        x @ layer.weight.T
        g.T @ x
        if not first:
            g @ layer.weight

    return step


def _of_convolution(layer: Any, x: Tensor, g: Tensor, *, first: bool) -> Callable[[], None]:
    """x: (B, n, H, W), gradient of the output g: (B, m, H', W'); also of transposed ones."""
    transposed = isinstance(layer, nn.ConvTranspose2d)
    places = (layer.stride, layer.padding, layer.dilation, transposed, layer.output_padding)

    def step() -> None:
        torch.ops.aten.convolution(x, layer.weight, layer.bias, *places, layer.groups)
        torch.ops.aten.convolution_backward(
            g, x, layer.weight, [len(layer.bias)], *places, layer.groups, [not first, True, True]
        )

    return step
