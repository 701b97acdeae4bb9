"""`train_step(model, x, optimizer)`: one gradient step on the squared error."""

from collections.abc import Callable
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.exercises.observers import TinyAutoencoder, number_from
from course_lib.exercises.spec import Case, Exercise

STEPS, FIRST, LATER = "steps with a gradient", "first gradient", "later gradients"
NUMBER = "a plain number"
HINTS = {
    STEPS: "Three calls should make three steps, with a gradient for every weight. Of `zero_grad`, "
    "`backward` and `step`: is each called, and when? Is anything detached?",
    FIRST: "The gradient of the very first step has another direction. Which two images does your "
    "loss compare, how, and which way should it go?",
    LATER: "The first gradient is right, those after it are not. Do they still hold the first, is "
    "loss or gradient scaled anew each time, or do weights move other than by the optimizer?",
    NUMBER: "You return the loss as a tensor, which may hold the whole graph of the step, or "
    "without its decimals: which method of a tensor gives its plain number?",
    "result": "The step is right, the number is not. Asked for is the loss *before* the step, "
    "squared error summed over pixels and averaged over images.",
}


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


def cases(seed: int) -> list[Case]:
    g, found, names = torch.Generator().manual_seed(seed), [], ("x", "second x", "third x")
    for B, D in ((4, 6), (7, 5), (2, 90)):
        batches = dict(zip(names, torch.rand(3, B, D, generator=g), strict=True))
        found.append(Case(f"three calls, {B} images of {D} pixels each", batches))
    return found


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """Gradients of three steps, whatever the scale of the loss; then the loss of the first."""
    model, losses = TinyAutoencoder(case.args["x"].shape[1], 2).float(), []
    optimizer = Descent(model)
    for x in case.args.values():
        losses.append(number_from(candidate, model, x, optimizer))
    found: dict[str, Any] = {STEPS: f"{sum(bool(g.all()) for g in optimizer.gradients)} of 3"}
    if found[STEPS] == "3 of 3" and len(optimizer.gradients) == 3:
        gradients = torch.stack(optimizer.gradients) / optimizer.gradients[0].norm()
        found |= {FIRST: gradients[0], LATER: gradients[1:]}
    found[NUMBER] = not any(isinstance(loss, Tensor | Integral) for loss in losses)
    return found | {"result": losses[0]}


EXERCISE = Exercise("train_step", 3, cases, observe, HINTS, {"x": "B D"}, rtol=1e-4, atol=1e-5)
