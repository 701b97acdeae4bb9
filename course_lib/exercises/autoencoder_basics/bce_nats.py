"""`bce_nats(x, logits)`: cross-entropy in nats per image."""

import torch

from course_lib.exercises.observers import tensor_of, tensor_result
from course_lib.exercises.spec import Case, Cases, Exercise, Parts

COST = "cost of a pixel that is wrong and sure"


def cases(g: torch.Generator) -> Cases:
    def grey(about: str, B: int, D: int, size: float) -> Case:
        x, u = torch.rand(2, B, D, generator=g)
        return Case(about, {"x": x, "logits": size * (2 * u - 1)})

    order = torch.rand(4, 6, generator=g).argsort(1)
    x, logits = torch.tensor([[0, 0, 0, 1, 1, 1], [-150.0, -150, 150, 150, 150, -150]])[:, order]
    yield grey("grey pixels, moderate logits", 3, 8, 2.0)
    yield grey("images of one pixel", 5, 1, 2.0)
    yield grey("images of 784 pixels", 2, 784, 2.0)
    yield Case("black and white pixels, logits of ±150", {"x": x, "logits": logits})
    yield grey("grey pixels, large logits", 7, 5, 90.0)


def properties(raw: Parts, case: Case) -> Parts:
    """The values, and where every logit is ±150 what one wrong pixel costs on average."""
    if "±150" not in case.about:
        return raw
    wrong = (case.args["logits"] > 0) != (case.args["x"] > 0.5)
    return {COST: f"{tensor_of(raw['result']).sum() / wrong.sum():.0f} nats"} | raw


EXERCISE = Exercise("bce_nats", 2, cases, tensor_result, properties, letters={"x": "B D"},
                    rtol=1e-4, atol=1e-4)  # fmt: skip
