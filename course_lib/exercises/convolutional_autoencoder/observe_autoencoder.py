"""What is looked at in `ConvAutoencoder`: shapes, ranges, what depends on what, convolutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from course_lib.exercises.convolutional_autoencoder.autoencoder_hints import TAKES_HINTS
from course_lib.exercises.observers import gradients_reach, shake


class _Convolutions(TorchDispatchMode):
    """Notes whether a convolution runs, as a layer, as a function, or by hand from patches."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # noqa: ANN001
        self.seen |= any(part in func.__name__ for part in ("convolution", "im2col", "col2im"))
        return func(*args, **(kwargs or {}))


def observe_autoencoder(candidate: Callable, case: Any) -> dict[str, Any]:
    """Properties of a model in evaluation mode, on images of different brightness."""
    (channels, size, latent_dim), B = case.args.values(), 4
    H, W = (size, size) if isinstance(size, int) else size
    model = candidate(channels, size, latent_dim)
    if not isinstance(model, nn.Module):
        return {"it is an nn.Module": False}
    model.eval()
    found = {"it is an nn.Module": True}
    g = torch.Generator().manual_seed(11)
    x = torch.rand(B, channels, H, W, generator=g) * torch.linspace(0.3, 1, B).view(B, 1, 1, 1)
    codes = torch.randn(B, latent_dim, generator=g)
    found |= dict.fromkeys(TAKES_HINTS, True)
    z, unfit = _encoded(model, x)
    if unfit:
        return found | {unfit: False}
    found |= {"the code is a tensor": isinstance(z, Tensor)}
    if not isinstance(z, Tensor):
        return found
    found |= {"the code is flat": z.ndim == 2, "shape of the code": list(z.shape)}
    if z.shape != codes.shape:
        return found
    x_hat = model.decode(codes)
    found |= {"shape of the image": list(getattr(x_hat, "shape", ()))}
    if found["shape of the image"] != list(x.shape):
        return found
    return {**found, **_registered(model, x), **_dependence(model, x, codes),
            **_ranges(model, lambda: candidate(channels, size, latent_dim), x, codes)}  # fmt: skip


def _encoded(model: nn.Module, x: Tensor) -> tuple[Any, str]:
    """The codes; or, where `encode` fails, the images it was written for instead."""
    (_, C, H, W), side = x.shape, 28
    try:
        with torch.no_grad():
            return model.encode(x), ""
    except NotImplementedError:
        raise
    except Exception:
        one, other, turned, square = TAKES_HINTS
        instead = {(1, H, W): one, (C, side, side): other, (1, side, side): one,
                   (C, W, H): turned, (C, H, H): square, (C, W, W): square}  # fmt: skip
        for shape, unfit in instead.items():
            if shape != (C, H, W) and _runs(
                lambda shape=shape: model.encode(x.new_ones(4, *shape))
            ):
                return None, unfit
        raise


def _runs(f: Callable[[], Tensor], shape: tuple[int, ...] | None = None) -> bool:
    """Whether this works, and gives a tensor of this shape."""
    try:
        with torch.no_grad():
            result = f()
    except Exception:
        return False
    return shape is None or result.shape == shape


def _leaves(result: Tensor) -> set[int]:
    """The identities of all tensors that this one's gradient flows to."""
    seen, queue = set(), [result.grad_fn]
    leaves = set()
    while queue:
        node = queue.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        queue += [following for following, _ in node.next_functions]
        leaves |= {id(node.variable)} if hasattr(node, "variable") else set()
    return leaves


def _registered(model: nn.Module, x: Tensor) -> dict[str, bool]:
    """Whether the optimizer sees what learns, and the gradient reaches what it sees."""
    x_hat = model.decode(model.encode(x))
    known = {id(parameter) for parameter in model.parameters()}
    return {
        "its layers are registered": _leaves(x_hat) <= known,
        "it has parameters": len(known) > 0,
        "gradients reach every parameter": gradients_reach(model, x_hat),
    }


def _close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def _dependence(model: nn.Module, x: Tensor, codes: Tensor) -> dict[str, bool]:
    """What the code depends on, and what the decoded image depends on."""
    z, x_hat = model.encode(x), model.decode(codes)
    again = torch.equal(z, model.encode(x)) and torch.equal(x_hat, model.decode(codes))
    model.encode(1 - x)
    if not (again and _close(model.decode(codes), x_hat)):
        return {"evaluation is not random": again, "decode knows the code alone": not again}
    alone = _runs(lambda: model.encode(x[:1]), z[:1].shape)
    alone = alone and _runs(lambda: model.decode(codes[:1]), x_hat[:1].shape)
    channels = [x.index_fill(1, torch.tensor([c]), 0.0) for c in range(x.shape[1])]
    same = codes[:1].expand(codes.shape[1], -1)  # as many rows as a code has numbers
    shifted = model.decode(same + 3 * torch.eye(codes.shape[1])) - model.decode(same)
    return {
        "evaluation is not random": True,
        "decode knows the code alone": True,
        "a batch of one": alone,
        "each image by itself": _close(model.encode(x[:2]), z[:2]),
        "each code by itself": _close(model.decode(codes[:2]), x_hat[:2]),
        "the image reaches the code": not _close(1e3 * z[:2], 1e3 * z[2:]),
        "every channel reaches the code": all(
            not torch.equal(model.encode(c), z) for c in channels
        ),
        "the code reaches the image": not _close(1e3 * x_hat[:2], 1e3 * x_hat[2:]),
        "every number of the code counts": bool((shifted.flatten(1).abs().amax(1) > 0).all()),
    }


@torch.no_grad()
def _ranges(model: nn.Module, make: Callable, x: Tensor, codes: Tensor) -> dict[str, bool]:
    """Which values codes and images take, over models with other and larger weights."""
    z, y = [], []
    for seed in (1, 2, 3):
        other = make().eval()
        shake(other, seed=seed)
        z.append(other.encode(x[:2]))
        y.append(other.decode(10 * codes[:2]))
    z, y = torch.stack(z), torch.stack(y)
    with _Convolutions() as encoding:
        code = model.encode(x)
    with _Convolutions() as decoding:
        x_hat = model.decode(code)
    return {
        "nothing below 0": bool((y >= 0).all()),
        "nothing above 1": bool((y <= 1).all()),
        "values below one half": bool((y < 0.5).any()),
        "the code takes both signs": bool((z > 0).any() and (z < 0).any()),
        "the code is unbounded": bool((z.abs() > 1.001).any()),
        "a convolution in encode": encoding.seen,
        "a convolution in decode": decoding.seen,
        "model(x) is decode(encode(x))": _runs(lambda: model(x), x.shape)
        and torch.allclose(model(x), x_hat, atol=1e-3),
    }
