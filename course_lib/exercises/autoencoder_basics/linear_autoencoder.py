"""`LinearAutoencoder(D, k)`: one affine map each way."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.exercises.observers import gradient_sizes, seeded, shake, shape_of, tensor_of
from course_lib.exercises.records import finite, is_array, kind_of
from course_lib.exercises.spec import Candidate, Case, Exercise, Parts


def cases(g: torch.Generator) -> list[Case]:
    seed = g.initial_seed()
    D = 9 + seed % 5
    return [Case(f"{D} pixels, code of {k}", {"D": D, "k": k, "seed of the inputs": seed})
            for k in (3, 1)]  # fmt: skip


def _inputs(case: Case) -> tuple[Tensor, Tensor]:
    """Images (40, D) and codes (40, k)."""
    D, k, seed = case.args.values()
    g = seeded(seed)
    return 3 * torch.randn(40, D, generator=g), 3 * torch.randn(40, k, generator=g)


def observe(candidate: Candidate, case: Case) -> Parts:
    """What the model makes of images and codes: as it is, with weights of 0, and with others."""
    (D, k, seed), (x, z) = case.args.values(), _inputs(case)
    model = candidate(D, k)
    if not isinstance(model, nn.Module):
        return {"model": kind_of(model)}
    encode, decode = model.encode, model.decode
    code = encode(x)  # makes lazy layers
    found = {"model": "nn.Module", "encode": shape_of(code)}
    if found["encode"] != str(z.shape):
        return found
    found |= {"code": code, "image": (image := decode(z)), "decode": shape_of(image)}
    if found["decode"] != str(x.shape):
        return found
    found |= {"two codes": encode(x[:2]), "two images": decode(z[:2])}
    found["sizes of parameters"] = [parameter.numel() for parameter in model.parameters()]
    for parameter in model.parameters():
        parameter.data.zero_()
    found |= {"code, weights 0": encode(x), "image, weights 0": decode(z)}
    shake(model, seed=seed)
    found |= {"code, other weights": encode(x), "image, other weights": decode(z)}
    found |= {"code of 0": encode(0 * x[:1]), "image of 0": decode(0 * z[:1])}
    found |= {"code of each pixel": encode(torch.eye(D)), "image of each": decode(torch.eye(k))}
    return found | {"sizes of gradients": gradient_sizes(model, decode(encode(x)))}


def _rank(rows: Tensor) -> int:
    return int(torch.linalg.matrix_rank(rows - rows[0], rtol=1e-4))


def _close(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() <= 1e-3 * b.abs().max())


def properties(raw: Parts, case: Case) -> Iterator[tuple[str, Any]]:
    """What an affine model gives, step by step."""
    D, k, _ = case.args.values()
    yield "it is an nn.Module", raw["model"] == "nn.Module"
    yield "what encode returns", raw["encode"] == f"torch.Size([40, {k}])"
    yield "what decode returns", raw["decode"] == f"torch.Size([40, {D}])"
    x, z = (inputs.double() for inputs in _inputs(case))
    numbers = {key: tensor_of(part) for key, part in raw.items() if is_array(part)}
    code, image = numbers["code"], numbers["image"]
    same = _close(numbers["two codes"], code[:2]) and _close(numbers["two images"], image[:2])
    yield "each image by itself", same
    yield "it has parameters", bool(len(numbers["sizes of parameters"]))
    blank = numbers["code, weights 0"], numbers["image, weights 0"]
    yield "registered weights", all(bool((rows == rows[:1]).all()) for rows in blank)
    codes, images = numbers["code, other weights"], numbers["image, other weights"]
    yield "k directions", min(max(_rank(code), _rank(image)), _rank(codes), _rank(images)) >= k
    a, b = numbers["code of 0"], numbers["image of 0"]
    A, W = numbers["code of each pixel"] - a, numbers["image of each"] - b
    yield "affine encoder", _close(x @ A + a, codes)
    yield "affine decoder", _close(z @ W + b, images)
    moved = (a - blank[0])[0], (b - blank[1])[0]
    yield "biases", all(bool(m.all()) and len(m.unique()) == len(m) for m in moved)
    yield "gradients reach every parameter", finite(raw["sizes of gradients"])
    yield "two matrices", not _close(A, W.T)


EXERCISE = Exercise("LinearAutoencoder", 2, cases, observe, properties)
