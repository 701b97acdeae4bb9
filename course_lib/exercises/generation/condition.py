"""`condition(z, labels, embedding, weight)`: a code with its class added to it."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.exercises.observers import reach_hints, reached, seeded, tensor_from
from course_lib.exercises.records import Unfit
from course_lib.exercises.spec import Case, Exercise

OWN, CLASS, NEW = "share of z", "share of the class", "the result is a tensor of its own"


def cases(seed: int) -> list[Case]:
    g = seeded(seed)

    def draw(about: str, B: int, d: int, weight: float) -> Case:
        """Ten classes; the label of no code is its own place in the batch."""
        labels = (torch.arange(B) + torch.randint(2, 5, (), generator=g)) % 10
        table = nn.Embedding.from_pretrained(torch.randn(10, d, generator=g), freeze=False)
        args = {"z": torch.randn(B, d, generator=g), "labels": labels}
        return Case(about, args | {"embedding": nn.Sequential(table, nn.SiLU()), "weight": weight})

    return [
        draw("5 codes, 3 latents", 5, 3, 0.5),
        draw("one code", 1, 6, 2.0),
        draw("weight 0", 3, 4, 0.0),
        draw("64 codes, 64 latents", 64, 64, 0.8),
    ]


def observe(candidate: Callable, case: Case) -> dict[str, object]:
    """The code in two parts, whether it is a new tensor, and what can be trained through it."""
    z, labels, embedding, weight = case.args.values()
    code = tensor_from(candidate, z, labels, embedding, weight)
    if (code.shape, code.dtype) != (z.shape, z.dtype):
        raise Unfit(code)
    at_zero = tensor_from(candidate, torch.zeros_like(z), labels, embedding, weight)
    new = code.untyped_storage().data_ptr() != z.untyped_storage().data_ptr()
    found = {OWN: code - at_zero, CLASS: at_zero, "result": code, NEW: new}

    def trained(z: Tensor, table: Tensor) -> Tensor:
        return candidate(z.clone(), labels, lambda y: F.silu(F.embedding(y, table)), weight)

    leaves = {"z": z, "embedding": embedding[0].weight.detach()}
    return found | (reached(trained, leaves, (*leaves,)) if weight else {})


HINTS = reach_hints("z", "embedding") | {
    OWN: "z does not come through as it is: what is done to it besides the addition?",
    CLASS: "z comes through, what is added to it is not right: does each code get the vector of "
    "its own label, times the weight, once?",
    NEW: "You hand z itself back, or a view of it. Return a new tensor, whatever the weight.",
}
EXERCISE = Exercise("condition", 1, cases, observe, HINTS, rtol=1e-5, atol=1e-5)
