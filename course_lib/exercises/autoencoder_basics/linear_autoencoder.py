"""`LinearAutoencoder(D, k)`: one affine map each way."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.exercises.observers import MODULE_HINTS, gradients_reach, shake
from course_lib.exercises.spec import Case, Exercise

BENDS = "This half of the model is not affine. What does it do besides one matrix and one bias?"
HINTS = MODULE_HINTS | {
    "what encode returns": "`encode` returns a tensor, k numbers for each image. What is yours?",
    "what decode returns": "`decode` returns a tensor, D numbers for each code. What is yours?",
    "each image by itself": "What comes out depends on other images of a batch, or changes with "
    "every call. Where do statistics of the batch come in, or random numbers?",
    "registered weights": "With all parameters at 0 the output still depends on the input: is a "
    "weight a plain tensor, or a layer in a list? No optimizer sees those.",
    "k directions": "Codes should vary in k directions, at the start too: equal weights stay "
    "equal. Does each layer start at random, and is none narrower than k?",
    "encoder: shares along a line": BENDS,
    "decoder: shares along a line": BENDS,
    "biases": "A bias is missing, or not learned, or one number for all. What does affine mean?",
    "two matrices": "Encoder and decoder share a weight. How many matrices does the text have?",
}


def cases(seed: int) -> list[Case]:
    D = 9 + seed % 5
    return [Case(f"{D} pixels, code of {k}", {"D": D, "k": k}) for k in (3, 1)]


def _rank(rows: Tensor) -> int:
    return int(torch.linalg.matrix_rank((rows - rows[0]).detach().double(), rtol=1e-4))


def _shares(f: Callable, points: Tensor, t: Tensor) -> Tensor:
    """Where f(a + t (b − a)) lies between f(a) and f(b): at t, if f is affine."""
    (a, b), (start, end) = points.chunk(2), f(points).chunk(2)
    along, moved = end - start, f(a + t[:, None] * (b - a)) - start
    return (moved * along).sum(1) / (along**2).sum(1).clamp(min=1e-12)


def _properties(model: Any, D: int, k: int, t: Tensor) -> Iterator[tuple[str, Any, Any]]:
    """Name, value, and the value that those after it rely on."""
    yield "it is an nn.Module", isinstance(model, nn.Module), True
    encode, decode = model.encode, model.decode
    x, z = 3 * torch.randn(40, D), 3 * torch.randn(40, k)
    code = encode(x)  # makes lazy layers
    yield "what encode returns", str(getattr(code, "shape", code)), f"torch.Size([40, {k}])"
    image = decode(z)
    yield "what decode returns", str(getattr(image, "shape", image)), f"torch.Size([40, {D}])"
    pairs = ((encode(x[:2]), code[:2]), (decode(z[:2]), image[:2]))
    yield "each image by itself", all(torch.allclose(*pair, atol=1e-4) for pair in pairs), True
    yield "it has parameters", any(True for _ in model.parameters()), True
    for parameter in model.parameters():
        parameter.data.zero_()
    blank = (encode(x).detach(), decode(z).detach())
    yield "registered weights", all(bool((rows == rows[:1]).all()) for rows in blank), True
    shake(model)
    ranks = max(_rank(code), _rank(image)), _rank(encode(x)), _rank(decode(z))
    yield "k directions", min(ranks) >= k, True
    yield "encoder: shares along a line", _shares(encode, x, t), t
    yield "decoder: shares along a line", _shares(decode, z, t), t
    moved = (encode(0 * x) - blank[0])[0], (decode(0 * z) - blank[1])[0]
    yield "biases", all(bool(m.all()) and len(m.unique()) == len(m) for m in moved), True
    yield "gradients reach every parameter", gradients_reach(model, decode(encode(x))), True
    A, W = encode(torch.eye(D)) - encode(0 * x[:1]), decode(torch.eye(k)) - decode(0 * z[:1])
    yield "two matrices", not torch.allclose(A, W.T, atol=1e-4), True


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """Properties up to the first that fails; shares along lines are other numbers on each seed."""
    (D, k), t, found = case.args.values(), 2 + torch.rand(20), {}
    for name, value, asked in _properties(candidate(D, k), D, k, t):
        found[name] = value
        if value != asked if asked is not t else not torch.allclose(value, t, rtol=1e-2):
            break
    return found


EXERCISE = Exercise("LinearAutoencoder", 2, cases, observe, HINTS, rtol=1e-2, atol=1e-2)
