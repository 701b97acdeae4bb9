"""`straight_through(z, z_q)`: the value of the rounded code, the gradient of the unrounded one."""

import torch

from course_lib.exercises.observers import reached, tensor_from, tensor_result
from course_lib.exercises.records import is_array
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts

REACH, FREE = "gradients reach z", "no gradient reaches z_q"
OF_Z, OF_Q = "gradient of z", "gradient of z_q"


def cases(g: torch.Generator) -> Cases:
    def draw(about: str, *shape: int, step: float = 0.5) -> Case:
        z = torch.randn(shape, generator=g)
        return Case(about, {"z": z, "z_q": z + step * torch.randn(shape, generator=g)})

    yield draw("5 vectors of 3 numbers", 5, 3)
    yield draw("one vector", 4)
    yield draw("far from the codebook", 3, 2, step=20.0)
    yield draw("8 images of 64 places", 8, 64, 16)


def observe(candidate: Candidate, case: Case) -> Parts:
    """The value, and the gradients of half the sum of its squares that arrive."""

    def half_square(*args: torch.Tensor) -> torch.Tensor:
        return 0.5 * tensor_from(candidate, *args) ** 2

    arrived = reached(half_square, case.args, ("z", "z_q"))
    return tensor_result(candidate, case) | {k: v for k, v in arrived.items() if v is not None}


def properties(raw: Parts, case: Case) -> Parts:
    """The value; a gradient at z, which is that of the value; and none at z_q, or zeros."""
    of_q = raw.get(OF_Q)
    free = of_q is None or (is_array(of_q) and not any(of_q["numbers"]))
    found = {"result": raw["result"], REACH: OF_Z in raw, FREE: free}
    return found | ({OF_Z: raw[OF_Z]} if OF_Z in raw else {})


EXERCISE = Exercise("straight_through", 1, cases, observe, properties, letters={"z": "N d"},
                    rtol=1e-4, atol=1e-5)  # fmt: skip
