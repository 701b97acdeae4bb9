"""`rate_distortion(x, logits, mu, log_var)`: mean KL and mean cross-entropy, nats per image."""

import torch
from torch import Tensor

from course_lib.exercises.observers import reach, reached
from course_lib.exercises.records import TENSORS, kind_of
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts, named_result

PAIR, LARGE = "the result", "distortion at large logits"
GRADIENTS = ("logits", "mu", "log_var")


def cases(g: torch.Generator) -> Cases:
    def draw(B: int, D: int, *, d: int) -> dict[str, Tensor]:
        x, logits = torch.rand(2, B, D, generator=g)
        mu, log_var = torch.randn(2, B, d, generator=g)
        return {"x": x, "logits": 6 * logits - 3, "mu": mu, "log_var": log_var}

    one, binary, prior = draw(1, 6, d=2), draw(3, 20, d=2), draw(5, 7, d=3)
    binary |= {"x": (binary["x"] > 0.5).float(), "logits": 60 * binary["logits"]}
    binary["x"][0, :2], binary["logits"][0, :2] = torch.tensor([[1.0, 0.0], [-250.0, 250.0]])
    yield Case("4 grey images of 8 pixels, 3 latents", draw(4, 8, d=3))
    yield Case("one image", one)
    yield Case("two images equal to the one before", {k: v.repeat(2, 1) for k, v in one.items()})
    yield Case("black and white pixels, large logits", binary)
    yield Case("q is the prior", prior | {k: 0 * prior[k] for k in ("mu", "log_var")})
    yield Case("images of the size of digits, 64 latents", draw(16, 784, d=64))


def observe(candidate: Candidate, case: Case) -> Parts:
    """Both numbers by name, and their gradients.

    A list of two and one tensor of two unpack like the tuple, so they are as good.
    """
    pair = named_result(candidate, case)["result"]
    pairs = isinstance(pair, tuple | list) or (isinstance(pair, Tensor) and pair.ndim > 0)
    if not pairs or len(pair) != 2:
        return {PAIR: kind_of(pair), "_number": pair}
    found = {PAIR: "two parts", "rate": pair[0], "distortion": pair[1]}
    if not all(type(part) in TENSORS for part in pair):
        return found
    return found | reached(lambda *args: sum(part.sum() for part in candidate(*args)), case.args,
                           GRADIENTS)  # fmt: skip


def properties(raw: Parts, case: Case) -> Parts:
    """Both numbers by name, and whether something can be trained by them."""
    large = case.args["logits"].abs().max() > 100
    found = {LARGE if large and k == "distortion" else k: raw[k] for k in raw if "grad" not in k}
    return found | reach(raw)


EXERCISE = Exercise("rate_distortion", 2, cases, observe, properties,
                    letters={"mu": "B d", "x": "B D"}, rtol=1e-4, atol=1e-5)  # fmt: skip
