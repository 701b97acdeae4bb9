"""`train_step(model, x, optimizer)`: one gradient step on the squared error."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.exercises.autoencoder_basics.observe import TRAINING_HINTS, observe_training
from course_lib.exercises.records import Record
from course_lib.exercises.spec import Case, Exercise, Mistake


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    batches = torch.rand(3, 5, 6, generator=g, dtype=torch.float64)
    return [Case("three steps on three batches of 5 images of 6 pixels", {"x": batches})]


def loss_remark(records: list[Record]) -> str:
    """What to say where a right step reports its loss on another scale than the course's."""
    share = records[0]["value"]["_loss per squared error"]["numbers"][0]
    if abs(share - 1) < 1e-6:
        return ""
    return (
        f"Your loss is {share:.4g} times the squared error summed over pixels and averaged over "
        "the batch. Adam does not mind; a comparison of losses does. The course's own scale is "
        "`((x - x_hat) ** 2).sum(1).mean()`."
    )


def _error(x: Tensor, x_hat: Tensor) -> Tensor:
    return ((x - x_hat) ** 2).sum(1).mean()


def _step(
    loss_of: Callable[[nn.Module, Tensor], Tensor] = lambda model, x: _error(x, model(x)),
    *,
    clear: bool = True,
    backward: bool = True,
    step: bool = True,
    step_first: bool = False,
    clear_late: bool = False,
    number: Callable[[Tensor], object] = Tensor.item,
) -> Callable:
    """A training step with parts left out or in the wrong order."""

    def candidate(model: nn.Module, x: Tensor, optimizer: torch.optim.Optimizer) -> object:
        loss = loss_of(model, x)
        if clear:
            optimizer.zero_grad()
        if step_first:
            optimizer.step()
        if backward:
            loss.backward()
        if clear_late:
            optimizer.zero_grad()
        if step and not step_first:
            optimizer.step()
        return number(loss)

    return candidate


_GRAPH = (
    "You return the loss as a tensor, and with it the whole graph of this step stays in memory. "
    "Return a plain number: `loss.item()`."
)
_TARGET = "The reconstruction is compared with {what}. An autoencoder's target is its input x."
MISTAKES = (
    Mistake(
        "gradients not cleared",
        _step(clear=False),
        "The first step is right, the next ones are not: gradients add up until they are cleared. "
        "Call `optimizer.zero_grad()` in every step.",
    ),
    Mistake(
        "no backward",
        _step(backward=False),
        "The weights never move: without `loss.backward()` there are no gradients to step along.",
    ),
    Mistake(
        "no step",
        _step(step=False),
        "The weights never move: after `loss.backward()` call `optimizer.step()`.",
    ),
    Mistake(
        "cleared after backward",
        _step(clear_late=True),
        "You clear the gradients between `loss.backward()` and `optimizer.step()`, so nothing is "
        "left to step along. Order: zero_grad, backward, step.",
    ),
    Mistake(
        "step before backward",
        _step(clear=False, step_first=True),
        "You step before the gradients are there. Order: zero_grad, backward, step.",
    ),
    Mistake(
        "step between clearing and backward",
        _step(step_first=True),
        "You step before the gradients are there. Order: zero_grad, backward, step.",
    ),
    Mistake("graph kept", _step(number=lambda loss: loss), _GRAPH),
    Mistake("detached tensor", _step(number=Tensor.detach), _GRAPH),
    Mistake(
        "nothing returned",
        _step(number=lambda loss: None),
        "The step is right, but it returns nothing. Return the loss as a number: `loss.item()`.",
    ),
    Mistake(
        "target is the reconstruction",
        _step(lambda model, x: _error(model(x).detach(), model(x))),
        _TARGET.format(what="itself, and the loss is always 0"),
    ),
    Mistake(
        "target is zero",
        _step(lambda model, x: _error(torch.zeros_like(x), model(x))),
        _TARGET.format(what="zeros"),
    ),
    Mistake(
        "target is the next image",
        _step(lambda model, x: _error(x.roll(1, 0), model(x))),
        _TARGET.format(what="another image of the batch"),
    ),
    Mistake(
        "target is noise",
        _step(lambda model, x: _error(torch.randn_like(x), model(x))),
        _TARGET.format(what="noise"),
    ),
    Mistake(
        "reconstruction detached",
        _step(lambda model, x: _error(x, model(x).detach())),
        "The reconstruction is detached, so no gradient reaches the weights: leave out `.detach()` "
        "and `no_grad`.",
    ),
    Mistake(
        "encoder detached",
        _step(lambda model, x: _error(x, model.decode(model.encode(x).detach()))),
        "The code is detached, so only the decoder learns: leave out `.detach()`.",
    ),
    Mistake(
        "decoder called by itself",
        _step(lambda model, x: _error(x, model.decoder(model.encoder(x)))),
        "You call the layers `encoder` and `decoder`. The methods `encode` and `decode` may do "
        "more, here a sigmoid: call those.",
    ),
    Mistake(
        "summed before squared",
        _step(lambda model, x: ((x - model(x)).sum(1) ** 2).mean()),
        "Errors of opposite sign cancel in your sum. Square first, then sum over pixels.",
    ),
    Mistake(
        "target is the mean image",
        _step(lambda model, x: _error(x.mean(0).expand_as(x), model(x))),
        _TARGET.format(what="the mean image of the batch"),
    ),
    Mistake(
        "uphill",
        _step(lambda model, x: -_error(x, model(x))),
        "The sign of the loss is turned round: this step makes the error larger.",
    ),
    Mistake(
        "absolute error",
        _step(lambda model, x: (x - model(x)).abs().sum(1).mean()),
        "This is the absolute error. The exercise asks for the squared one.",
    ),
    Mistake(
        "root of the error",
        _step(lambda model, x: _error(x, model(x)).sqrt()),
        "You take the root of the squared error, which changes the length of the gradient from "
        "batch to batch. Leave the root out.",
    ),
    Mistake(
        "cross-entropy",
        _step(lambda model, x: F.binary_cross_entropy(model(x), x)),
        "This is the cross-entropy. The exercise asks for the squared error.",
    ),
)


EXERCISE = Exercise(
    "train_step",
    3,
    cases,
    MISTAKES,
    observe=observe_training,
    property_hints=TRAINING_HINTS,
    rtol=1e-6,
    atol=1e-9,
    remark=loss_remark,
)
