"""`ConvAutoencoder(channels, size, latent_dim)`: convolutions each way and a real bottleneck."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.exercises import observers
from course_lib.exercises.spec import Case, Exercise

CONVOLUTIONS = ("Convolution", "Unfold", "Im2Col", "Col2Im")  # as autograd calls them, or by hand
HINTS = observers.MODULE_HINTS | {
    "what encode returns": "`encode` gives one tensor, (B, latent_dim): is there a `return`, is "
    "dimension 0 kept, the rest flattened, the last layer one to `latent_dim` numbers?",
    "rows before columns": "The image lies on its side, (B, C, W, H): where do you unflatten?",
    "what decode returns": "`decode` gives one tensor, (B, C, H, W): is there a `return`, are the "
    "first sides computed from H and W? Follow them with `conv_transpose_out`.",
    "the images stay": "`encode` changes the images that it is given: work on a copy.",
    "all is finite": "There is NaN or infinity in a code or an image: where does it arise?",
    "its layers are registered": "Something that learns is hidden from the optimizer: make layers "
    "in `__init__`, several in `nn.Sequential` or `nn.ModuleList`, a tensor in `nn.Parameter`.",
    "convolutions": "Is there one in `encode`, as `nn.Conv2d`, and is there one in `decode`?",
    "rows stay rows": "A `view` or `reshape` in `encode` scrambles pixels: `permute` moves axes.",
    "no random numbers": "After `eval()` the same input gives two outputs: `F.dropout`, a draw?",
    "no memory": "The image depends on what was encoded before: keep nothing from `encode`.",
    "a batch of one": "A batch of one fails or loses a dimension: is there a `squeeze`?",
    "each code by itself": "An image depends on other codes of its batch: leave dimension 0 alone.",
    "the image counts": "All images get the same code: is x used, are all weights 0?",
    "every channel counts": "Some channels do not reach the code, or only their mean: use all.",
    "the code counts": "All codes give the same image: is z used, are all weights 0?",
    "every number counts": "Some numbers of a code do nothing, or all do the same: is all of z "
    "used, are weights set to one value, is a layer one number wide?",
    "pixels in [0, 1]": "A pixel leaves [0, 1]: which function maps any number into (0, 1)?",
    "pixels below ½": "No pixel is below ½, the sigmoid of 0: is there a ReLU or sigmoid before?",
    "brightness": "All images have the same sum, as after a softmax: which function frees pixels?",
    "colour": "All channels of a decoded image are the same grey: write one map for each.",
    "a free code": "Codes stay below 1 or above −1: is there an activation after the last layer?",
    "model(x) is decode(encode(x))": "`model(x)` is something else: leave `forward` as it is.",
}  # fmt: skip


def cases(seed: int) -> list[Case]:
    d = 6 + int(torch.randint(0, 8, (), generator=observers.seeded(seed)))
    sizes = [
        ("grey images of 28 × 28", 1, 28, 32),
        ("colour images of 20 × 24", 3, (20, 24), d),
        ("colour images of 32 × 32", 3, 32, d + 3),
        ("grey images of 64 × 24", 1, (64, 24), d + 1),
    ]
    return [Case(about, {"channels": C, "size": HW, "latent_dim": d}) for about, C, HW, d in sizes]


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """Properties of a model in evaluation mode, up to the first that fails."""
    return observers.up_to_failure(_properties(candidate, *case.args.values()))


def _properties(candidate: Callable, C: int, size: Any, d: int) -> Iterator[tuple[str, Any]]:
    model, g, B = candidate(C, size, d), observers.seeded(11), 4
    H, W = (size, size) if isinstance(size, int) else size
    yield "it is an nn.Module", isinstance(model, nn.Module)
    model.eval()
    before = torch.rand(B, C, H, W, generator=g) * torch.linspace(0.3, 1, B).view(B, 1, 1, 1)
    x, codes = before.clone().requires_grad_() + 0, torch.randn(B, d, generator=g)  # with a graph
    z = model.encode(x)
    yield "what encode returns", str(getattr(z, "shape", type(z).__name__))
    if not isinstance(z, Tensor) or z.shape != codes.shape:
        return
    y = model.decode(codes)
    yield "rows before columns", H == W or getattr(y, "shape", ())[2:] != (W, H)
    yield "what decode returns", str(getattr(y, "shape", type(y).__name__))
    if not isinstance(y, Tensor) or y.shape != x.shape:
        return
    yield "the images stay", torch.equal(x, before)
    yield "all is finite", bool(z.isfinite().all() and y.isfinite().all())
    yield from _layers(model, x, z, y)
    yield from _ranges(candidate(C, size, d).eval(), before, codes)
    yield from _dependence(model, before, codes)
    yield "model(x) is decode(encode(x))", _close(model(before), model.decode(model.encode(before)))


def _layers(model: nn.Module, x: Tensor, z: Tensor, y: Tensor) -> Iterator[tuple[str, bool]]:
    """What learns, whether it convolves, and what it is given, by the steps of the gradient."""
    down, up = (_graph(result) - _graph(x) for result in (z, y))
    learning = {id(node.variable) for node in down | up if hasattr(node, "variable")}
    maps = [getattr(node, "_saved_input", x) for node in down]
    odd = [m for m in maps if sorted(m.shape) == sorted(x.shape) and not m.equal(x) | m.equal(x.mT)]
    scrambled = any(m.flatten().sort()[0].equal(x.flatten().sort()[0]) for m in odd)
    names = [" ".join(node.name() for node in graph) for graph in (down, up)]
    yield "its layers are registered", learning <= {*map(id, model.parameters())}
    yield "it has parameters", bool([*model.parameters()])
    yield "gradients reach every parameter", observers.gradients_reach(model, model.decode(z))
    yield "convolutions", all(any(part in text for part in CONVOLUTIONS) for text in names)
    yield "rows stay rows", not scrambled


def _graph(result: Tensor) -> set[Any]:
    """All steps through which the gradient of a result flows."""
    seen, queue = set(), [result.grad_fn]
    while queue:
        node = queue.pop()
        if node is not None and node not in seen:
            seen.add(node)
            queue += [following for following, _ in node.next_functions]
    return seen


def _close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-4, atol=1e-5)


def _several(effects: Tensor) -> bool:
    """Whether rows of effects point in more than one direction."""
    first, second = torch.linalg.svdvals(effects.flatten(1).double())[:2]
    return bool(second > 1e-4 * first)


@torch.no_grad()
def _dependence(model: nn.Module, x: Tensor, codes: Tensor) -> Iterator[tuple[str, bool]]:
    """What the code depends on, and what the decoded image depends on."""
    z, y = model.encode(x), model.decode(codes)
    again = torch.equal(z, model.encode(x)) and torch.equal(y, model.decode(codes))
    yield "no random numbers", again
    model.encode(1 - x)
    yield "no memory", _close(model.decode(codes), y)
    z_each = torch.cat([model.encode(image) for image in x.split(1)])
    y_each = torch.cat([model.decode(code) for code in codes.split(1)])
    yield "a batch of one", (z_each.shape, y_each.shape) == (z.shape, y.shape)
    yield "each image by itself", _close(z_each, z)
    yield "each code by itself", _close(y_each, y)
    spread = (z - z.mean(0)).abs().max()
    yield "the image counts", bool(spread > 1e-5 * z.abs().max())
    changed = [x.index_fill(1, torch.tensor([c]), 0.0) for c in range(x.shape[1])]
    changed += [x.flip(1)] if len(changed) > 1 else []  # a mean over the channels stays
    differences = [(model.encode(other) - z).abs().max() for other in changed]
    yield "every channel counts", bool(min(differences) > 1e-4 * spread)
    yield "the code counts", not _close(1e3 * y[:2], 1e3 * y[2:])
    same = codes[:1].expand(codes.shape[1], -1)  # as many rows as a code has numbers
    effects = model.decode(same + 3 * torch.eye(codes.shape[1])) - model.decode(same)
    used = _several(effects) and bool((effects.flatten(1) != 0).any(1).all())
    yield "every number counts", used and _several(z - z.mean(0))


@torch.no_grad()
def _ranges(model: nn.Module, x: Tensor, codes: Tensor) -> Iterator[tuple[str, bool]]:
    """Which values codes and images take, with other and larger weights."""
    z, y = [model.encode(x)], [model.decode(codes)]  # which makes lazy layers
    for seed in (1, 2, 3):
        observers.shake(model, seed=seed)
        z.append(model.encode(x))
        y.append(model.decode(10 * codes))
    z, y = torch.cat(z), torch.cat(y)
    total, grey = y.flatten(1).sum(1), y[:, :1].expand_as(y)
    yield "pixels in [0, 1]", bool(((y >= 0) & (y <= 1)).all())
    yield "pixels below ½", bool((y < 0.5).any())
    yield "brightness", bool(total.max() - total.min() > 1e-3 * total.max())
    yield "colour", y.shape[1] == 1 or not _close(y, grey)
    yield "a free code", bool((z > 1.001).any() and (z < -1.001).any())


EXERCISE = Exercise("ConvAutoencoder", 3, cases, observe, HINTS)
