"""`ConvAutoencoder(channels, size, latent_dim)`: convolutions each way and a real bottleneck."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.exercises import observers
from course_lib.exercises.observers import tensor_of
from course_lib.exercises.records import finite, is_array, kind_of
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts

CONVOLUTIONS = ("Convolution", "Unfold", "Im2Col", "Col2Im")  # as autograd calls them, or by hand


def cases(g: torch.Generator) -> Cases:
    d = 6 + int(torch.randint(0, 8, (), generator=g))
    sizes = [
        ("grey images of 28 × 28", 1, 28, 32),
        ("colour images of 20 × 24", 3, (20, 24), d),
        ("colour images of 32 × 32", 3, 32, d + 3),
        ("grey images of 64 × 24", 1, (64, 24), d + 1),
    ]
    own = {"seed of the images": g.initial_seed()}
    for about, C, HW, d in sizes:
        yield Case(about, {"channels": C, "size": HW, "latent_dim": d} | own)


def _inputs(case: Case) -> tuple[Tensor, Tensor]:
    """Four images, (4, C, H, W), each brighter than the one before, and four codes, (4, d)."""
    C, size, d, seed = case.args.values()
    H, W = (size, size) if isinstance(size, int) else size
    g = observers.seeded(seed)
    x = torch.rand(4, C, H, W, generator=g) * torch.linspace(0.3, 1, 4).view(4, 1, 1, 1)
    return x, torch.randn(4, d, generator=g)


def _seen(images: Tensor, seed: int) -> Tensor:
    """Of (B, C, H, W) 40 pixels, and the sum, least and largest of each channel: (B, C, 43)."""
    if images.ndim != 4:
        return images
    pixels = images.detach().double().flatten(2)
    places = torch.randint(pixels.shape[2], (40,), generator=observers.seeded(seed))
    ends = pixels.sum(2, True), pixels.amin(2, True), pixels.amax(2, True)
    return torch.cat([pixels[..., places], *ends], 2)


def observe(candidate: Candidate, case: Case) -> Parts:
    """What a model in evaluation mode makes of images and codes."""
    (C, size, d, seed), (before, codes) = case.args.values(), _inputs(case)
    model = candidate(C, size, d)
    if not isinstance(model, nn.Module):
        return {"model": kind_of(model)}
    model.eval()
    x = before.clone().requires_grad_() + 0  # with a graph
    found = {"model": "nn.Module", "encode": observers.shape_of(z := model.encode(x))}
    if found["encode"] != str(codes.shape):
        return found
    found["decode"] = observers.shape_of(y := model.decode(codes))
    if found["decode"] != str(x.shape):
        return found
    found |= {"images after": _seen(x, seed)} | _layers(model, x, z, y)
    other = candidate(C, size, d).eval()
    with torch.no_grad():
        found |= _with_other_weights(other, before, codes, seed)
        return found | _results(model, before, codes, seed)


def _layers(model: nn.Module, x: Tensor, z: Tensor, y: Tensor) -> Parts:
    """What learns, whether it convolves, and what it is given, by the steps of the gradient."""
    down, up = (_graph(result) - _graph(x) for result in (z, y))
    learning = {id(node.variable) for node in down | up if hasattr(node, "variable")}
    maps = [getattr(node, "_saved_input", x) for node in down]
    odd = [m for m in maps if sorted(m.shape) == sorted(x.shape) and not m.equal(x) | m.equal(x.mT)]
    steps = [" ".join(sorted({node.name() for node in graph})) for graph in (down, up)]
    return {
        "learning unregistered": len(learning - {*map(id, model.parameters())}),
        "sizes of gradients": observers.gradient_sizes(model, model.decode(z)),
        "steps of encode": steps[0],
        "steps of decode": steps[1],
        "scrambled": sum(m.flatten().sort()[0].equal(x.flatten().sort()[0]) for m in odd),
    }


def _graph(result: Tensor) -> set[Any]:
    """All steps through which the gradient of a result flows."""
    seen, queue = set(), [result.grad_fn]
    while queue:
        node = queue.pop()
        if node is not None and node not in seen:
            seen.add(node)
            queue += [following for following, _ in node.next_functions]
    return seen


def _with_other_weights(model: nn.Module, x: Tensor, codes: Tensor, seed: int) -> Parts:
    """Codes and images of a model with four sets of weights."""
    z, y = [model.encode(x)], [model.decode(codes)]  # which makes lazy layers
    for i in (1, 2, 3):
        observers.shake(model, seed=4 * seed + i)
        z.append(model.encode(x))
        y.append(model.decode(10 * codes))
    return {
        "codes, other weights": torch.cat(z),
        "images, other weights": _seen(torch.cat(y), seed),
        "an image, other weights": y[-1][:1],
    }


def _results(model: nn.Module, x: Tensor, codes: Tensor, seed: int) -> Parts:
    """Codes and images of one model, in a batch and alone, and for changed inputs."""
    encode, decode = model.encode, lambda z: _seen(model.decode(z), seed)
    found = {"code": encode(x), "image": decode(codes)}
    found |= {"code again": encode(x), "image again": decode(codes)}
    encode(1 - x)
    found["image after another code"] = decode(codes)
    found["codes alone"] = torch.cat([encode(image) for image in x.split(1)])
    found["images alone"] = torch.cat([decode(code) for code in codes.split(1)])
    changed = [x.index_fill(1, torch.tensor([c]), 0.0) for c in range(x.shape[1])]
    changed += [x.flip(1)] if len(changed) > 1 else []  # a mean over the channels stays
    found["codes without a channel"] = torch.stack([encode(other) for other in changed])
    same = codes[:1].expand(codes.shape[1], -1)  # as many rows as a code has numbers
    found |= {"at one code": decode(same), "moved": decode(same + 3 * torch.eye(codes.shape[1]))}
    return found | {"model(x)": _seen(model(x), seed), "both ways": decode(encode(x))}


def _close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-4, atol=1e-5)


def _several(effects: Tensor) -> bool:
    """Whether rows of effects point in more than one direction."""
    first, second = torch.linalg.svdvals(effects.flatten(1))[:2]
    return bool(second > 1e-4 * first)


def properties(raw: Parts, case: Case) -> Iterator[tuple[str, Any]]:
    """What is asked of the model, step by step."""
    seed, (x, codes) = case.args["seed of the images"], _inputs(case)
    B, C, H, W = x.shape
    yield "it is an nn.Module", raw["model"] == "nn.Module"
    yield "what encode returns", raw["encode"]
    if raw["encode"] != str(codes.shape):
        return
    yield "rows before columns", H == W or raw["decode"] != f"torch.Size([{B}, {C}, {W}, {H}])"
    yield "what decode returns", raw["decode"]
    if raw["decode"] != str(x.shape):
        return
    n = {key: tensor_of(part) for key, part in raw.items() if is_array(part)}
    z, y = n["code"], n["image"]
    yield "the images stay", torch.allclose(n["images after"], _seen(x, seed), rtol=0, atol=1e-9)
    yield "all is finite", bool(z.isfinite().all() and y.isfinite().all())
    yield "its layers are registered", not n["learning unregistered"]
    yield "it has parameters", bool(len(n["sizes of gradients"]))
    yield "gradients reach every parameter", finite(raw["sizes of gradients"])
    steps = raw["steps of encode"], raw["steps of decode"]
    yield "convolutions", all(any(part in text for part in CONVOLUTIONS) for text in steps)
    yield "rows stay rows", not n["scrambled"]
    yield from _ranges(n["codes, other weights"], n["images, other weights"])
    yield from _dependence(n, z, y)
    yield "model(x) is decode(encode(x))", _close(n["model(x)"], n["both ways"])


def _dependence(n: dict[str, Tensor], z: Tensor, y: Tensor) -> Iterator[tuple[str, bool]]:
    """What the code depends on, and what the decoded image depends on."""
    again = torch.equal(n["code again"], z) and torch.equal(n["image again"], y)
    yield "no random numbers", again
    yield "no memory", _close(n["image after another code"], y)
    alone = n["codes alone"], n["images alone"]
    yield "a batch of one", [part.shape for part in alone] == [z.shape, y.shape]
    yield "each image by itself", _close(alone[0], z)
    yield "each code by itself", _close(alone[1], y)
    spread = (z - z.mean(0)).abs().max()
    yield "the image counts", bool(spread > 1e-5 * z.abs().max())
    differences = (n["codes without a channel"] - z).abs().flatten(1).amax(1)
    yield "every channel counts", bool(differences.min() > 1e-4 * spread)
    yield "the code counts", not _close(1e3 * y[:2], 1e3 * y[2:])
    effects = n["moved"] - n["at one code"]
    used = _several(effects) and bool((effects.flatten(1) != 0).any(1).all())
    yield "every number counts", used and _several(z - z.mean(0))


def _ranges(z: Tensor, y: Tensor) -> Iterator[tuple[str, bool]]:
    """Which values codes and images take, with other and larger weights."""
    total, least, most = y[..., -3].sum(1), y[..., -2], y[..., -1]
    yield "pixels in [0, 1]", bool((least >= 0).all() and (most <= 1).all())
    yield "pixels below ½", bool((least < 0.5).any())
    yield "brightness", bool(total.max() - total.min() > 1e-3 * total.max())
    yield "colour", y.shape[1] == 1 or not _close(y, y[:, :1].expand_as(y))
    yield "a free code", bool((z > 1.001).any() and (z < -1.001).any())


EXERCISE = Exercise(
    "ConvAutoencoder", 3, cases, observe, properties,
    pictures=dict.fromkeys(
        ("pixels below ½", "brightness", "colour"), "an image, other weights"
    ),
)  # fmt: skip
