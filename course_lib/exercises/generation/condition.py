"""`condition(z, labels, embedding, weight)`: a code with its class added to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.generation.wrong_conditions import MISTAKES
from course_lib.exercises.observers import level, outline, reach_hints
from course_lib.exercises.spec import Case, Exercise

NEW = "the result is a tensor of its own"
TO_Z, TO_EMBEDDING = "gradients reach z", "gradients reach the embedding"
CLASSES = 9  # more than codes in any case, so that a position in the batch is a class, too


class Embedding:
    """A vector for each class, which nothing but a call with whole numbers leads to."""

    def __init__(self, table: Tensor) -> None:
        self.table = table.clone().requires_grad_()
        self.asked = "not asked"

    def __call__(self, labels: Tensor) -> Tensor:
        self.asked = outline(labels)
        return 2 * F.embedding(labels, self.table)


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def draw(about: str, B: int, d: int, *, weight: float, alike: bool = False) -> Case:
        """No label is 0, and the first two differ unless all are alike."""
        z = torch.randn(B, d, generator=g, dtype=torch.float64)
        labels = 1 + torch.randperm(CLASSES - 1, generator=g)[:B]
        table = torch.randn(CLASSES, d, generator=g, dtype=torch.float64)
        labels = labels[:1].repeat(B) if alike else labels
        return Case(about, {"z": z, "labels": labels, "embedding": table, "weight": weight})

    return [
        draw("5 codes, 3 latents", 5, 3, weight=0.5),
        draw("as many codes as latents", 4, 4, weight=1.5),
        draw("one code", 1, 6, weight=2.0),
        draw("3 codes of one class", 3, 2, weight=0.7, alike=True),
        draw("weight 0", 3, 4, weight=0.0),
    ]


def _reach(result: Tensor, leaf: Tensor) -> bool:
    if not result.requires_grad:
        return False
    (gradient,) = torch.autograd.grad(result.sum(), leaf, allow_unused=True, retain_graph=True)
    return gradient is not None


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """The code, whether it is a new tensor, and what can be trained through it."""
    z, labels, table, weight = case.args.values()
    before = z.clone()
    embedding = Embedding(table)
    code = candidate(z, labels, embedding, weight)
    record: dict[str, Any] = {"result": outline(code), "_labels": embedding.asked}
    if not torch.equal(before, z):  # the record tells which input has changed
        return record
    if record["result"] != outline(z):
        return record | {"_level": level(code)}
    leaf, embedding = z.clone().requires_grad_(), Embedding(table)
    again = candidate(leaf.clone(), labels, embedding, weight)
    return {
        **record,
        "code": code,
        NEW: code.untyped_storage().data_ptr() != z.untyped_storage().data_ptr(),
        TO_Z: _reach(again, leaf),
        TO_EMBEDDING: _reach(again, embedding.table),
    }


EXERCISE = Exercise(
    "condition",
    1,
    cases,
    MISTAKES,
    observe=observe,
    property_hints=reach_hints("z", "the embedding")
    | {
        "result": "Return a tensor of the shape of z, (B, d).",
        NEW: "You hand z itself back. Return a new tensor, whatever the weight.",
    },
)
