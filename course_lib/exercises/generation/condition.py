"""`condition(z, labels, embedding, weight)`: a code with its class added to it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.exercises.observers import reach, reached, tensor_from, tensor_of
from course_lib.exercises.records import Unfit
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts

OWN, CLASS, NEW = "share of z", "share of the class", "the result is a tensor of its own"


def cases(g: torch.Generator) -> Cases:
    def draw(about: str, B: int, d: int, weight: float) -> Case:
        """Ten classes; the label of no code is its own place in the batch."""
        labels = (torch.arange(B) + torch.randint(2, 5, (), generator=g)) % 10
        table = nn.Embedding.from_pretrained(torch.randn(10, d, generator=g), freeze=False)
        args = {"z": torch.randn(B, d, generator=g), "labels": labels}
        return Case(about, args | {"embedding": nn.Sequential(table, nn.SiLU()), "weight": weight})

    yield draw("5 codes, 3 latents", 5, 3, 0.5)
    yield draw("one code", 1, 6, 2.0)
    yield draw("weight 0", 3, 4, 0.0)
    yield draw("64 codes, 64 latents", 64, 64, 0.8)


def observe(candidate: Candidate, case: Case) -> Parts:
    """The code, that for z = 0, and what becomes of it when z is changed later; its gradients."""
    z, labels, embedding, weight = case.args.values()
    code = tensor_from(candidate, z, labels, embedding, weight)
    if (code.shape, code.dtype) != (z.shape, z.dtype):
        raise Unfit(code)
    own, found = z.clone(), {"code": code}
    found["at 0"] = tensor_from(candidate, torch.zeros_like(z), labels, embedding, weight)
    found["later"] = tensor_from(candidate, own, labels, embedding, weight)
    own += 1

    def trained(z: Tensor, table: Tensor) -> Tensor:
        return candidate(z.clone(), labels, lambda y: F.silu(F.embedding(y, table)), weight)

    leaves = {"z": z, "embedding": embedding[0].weight.detach()}
    return found | (reached(trained, leaves, (*leaves,)) if weight else {})


def properties(raw: Parts, case: Case) -> Parts:
    """The code in two parts, whether it is a new tensor, and what can be trained through it."""
    code, at_zero, later = (tensor_of(raw[key]) for key in ("code", "at 0", "later"))
    found = {OWN: code - at_zero, CLASS: raw["at 0"], "result": raw["code"]}
    found[NEW] = torch.equal(code, later)
    return found | reach(raw)


EXERCISE = Exercise("condition", 1, cases, observe, properties, rtol=1e-5, atol=1e-5)
