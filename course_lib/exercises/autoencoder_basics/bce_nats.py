"""`bce_nats(x, logits)`: cross-entropy in nats per image."""

from collections.abc import Callable
from typing import Any

import torch

from course_lib.exercises.observers import tensor_from
from course_lib.exercises.spec import Case, Exercise

COST = "cost of a pixel that is wrong and sure"
HINTS = {
    COST: "A pixel that is wrong with a logit of ±150 costs 150 nats; yours is cut off or not "
    "finite. There a sigmoid rounds to 0 or 1 and `exp` overflows; a clamp or a small number in "
    "the logarithm only hides it. Which functions take the logits as they are?",
    "result": "The values are not right. Take one pixel and write down two costs, of its white "
    "share x and of its black share 1 − x. Which logarithm and which sign has each?",
}


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def grey(about: str, B: int, D: int, size: float) -> Case:
        x, u = torch.rand(2, B, D, generator=g)
        return Case(about, {"x": x, "logits": size * (2 * u - 1)})

    order = torch.rand(4, 6, generator=g).argsort(1)
    x, logits = torch.tensor([[0, 0, 0, 1, 1, 1], [-150.0, -150, 150, 150, 150, -150]])[:, order]
    return [
        grey("grey pixels, moderate logits", 3, 8, 2.0),
        grey("images of one pixel", 5, 1, 2.0),
        grey("images of 784 pixels", 2, 784, 2.0),
        Case("black and white pixels, logits of ±150", {"x": x, "logits": logits}),
        grey("grey pixels, large logits", 7, 5, 90.0),
    ]


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """The values, and where every logit is ±150 what one wrong pixel costs on average."""
    result = tensor_from(candidate, *case.args.values())
    if "±150" not in case.about:
        return {"result": result}
    wrong = (case.args["logits"] > 0) != (case.args["x"] > 0.5)
    return {COST: f"{float(result.sum() / wrong.sum()):.0f} nats", "result": result}


EXERCISE = Exercise("bce_nats", 2, cases, observe, HINTS, {"x": "B D"}, rtol=1e-4, atol=1e-4)
