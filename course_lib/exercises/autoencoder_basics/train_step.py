"""`train_step(model, x, optimizer)`: one gradient step on the squared error."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from course_lib.exercises.observers import TinyAutoencoder, number_from, tensor_of
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts

STEPS, FIRST, LATER = "steps with a gradient", "first gradient", "later gradients"
NUMBER = "a plain number"


class Descent:
    """Stands for an optimizer: notes each gradient, is blind to its size, and quick to load."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.gradients = model, []
        self.param_groups = [{"params": [*model.parameters()], "lr": 0.3}]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """As an optimizer does."""
        self.model.zero_grad(set_to_none)

    def step(self, closure: Callable = lambda: None) -> Any:
        """One step of length 0.3 along the gradient."""
        loss, parameters = closure(), self.param_groups[0]["params"]
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        self.gradients.append(nn.utils.parameters_to_vector(parts))
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.data -= 0.3 * part / (1e-9 + self.gradients[-1].norm())
        return loss


def cases(g: torch.Generator) -> Cases:
    names = ("x", "second x", "third x")
    for B, D in ((4, 6), (7, 5), (2, 90)):
        batches = dict(zip(names, torch.rand(3, B, D, generator=g), strict=True))
        yield Case(f"three calls, {B} images of {D} pixels each", batches)


def observe(candidate: Candidate, case: Case) -> Parts:
    """The gradients of the steps, and the losses that were returned."""
    model, losses = TinyAutoencoder(case.args["x"].shape[1], 2).float(), {}
    optimizer = Descent(model)
    for name, x in case.args.items():
        losses[name] = number_from(candidate, model, x, optimizer)
    return {"losses": losses} | dict(enumerate(optimizer.gradients[:9]))


def properties(raw: Parts, case: Case) -> Parts:
    """Gradients of three steps, whatever the scale of the loss; then the loss of the first."""
    losses, steps = raw["losses"], [tensor_of(raw[key]) for key in raw if key != "losses"]
    found: Parts = {STEPS: f"{sum(bool(g.all()) for g in steps)} of 3"}
    if found[STEPS] == "3 of 3" and len(steps) == 3:
        gradients = torch.stack(steps) / steps[0].norm()
        found |= {FIRST: gradients[0], LATER: gradients[1:]}
    kinds = [losses[name]["kind"] for name in case.args]
    found[NUMBER] = not any(kind == "int" or kind.startswith("tensor") for kind in kinds)
    return found | {"result": losses["x"]}


EXERCISE = Exercise("train_step", 3, cases, observe, properties, letters={"x": "B D"}, rtol=1e-4,
                    atol=1e-5)  # fmt: skip
