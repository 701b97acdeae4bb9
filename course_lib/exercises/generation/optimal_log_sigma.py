"""`optimal_log_sigma(x, mean)`: the one log σ that fits a batch best, not below −6."""

import torch

from course_lib.exercises.observers import reach, reached, tensor_result
from course_lib.exercises.records import is_array
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts

ERRORS, SMALL = torch.tensor([0.9, -0.3, 0.1, 0.7]).view(2, 1, 1, 2), "small errors"
REACH = [words.format(name) for name in ("x", "mean")
         for words in ("gradients reach {}", "the gradient of {} is finite")]  # fmt: skip
FINITE = [key for key in REACH if "is finite" in key]


def cases(g: torch.Generator) -> Cases:
    def draw(about: str, *shape: int, error: float, scale: float = 1) -> Case:
        x, noise = scale * torch.rand(shape, generator=g), torch.randn(shape, generator=g)
        size = error * torch.linspace(0.3, 2, shape[0]).view(-1, 1, 1, 1)
        return Case(about, {"x": x, "mean": x + size * (noise + 0.4)})

    yield draw("4 colour images", 4, 3, 5, 2, error=0.15)
    yield draw("one small grey image", 1, 1, 3, 3, error=0.5)
    yield draw("2 images of 32 × 32 pixels", 2, 3, 32, 32, error=0.1)
    yield draw("pixels from 0 to 255", 3, 3, 3, 3, error=30, scale=255)
    yield draw(f"{SMALL}, a little more than the clamp allows", 5, 1, 4, 4, error=4e-3)
    yield draw(f"{SMALL}, less than the clamp allows", 3, 1, 4, 4, error=3e-4)
    yield draw(f"{SMALL}: none at all", 2, 2, 3, 2, error=0)


def observe(candidate: Candidate, case: Case) -> Parts:
    """log σ, that of known errors, and gradients."""
    found = tensor_result(candidate, case) | reached(candidate, case.args, ("x", "mean"))
    return found | {"known": candidate(torch.zeros_like(ERRORS), ERRORS)}


def properties(raw: Parts, case: Case) -> Parts:
    """log σ, under a name that says where it is wrong, and the gradients of right values."""
    result, known, (x, mean) = raw["result"], raw["known"], case.args.values()
    found = {SMALL: {"log σ": result}} if SMALL in case.about else {"result": result}
    found |= dict.fromkeys(REACH, True)
    if is_array(known) and not known["shape"] and abs(known["numbers"][0] + 0.5249) < 1e-3:
        free = (x - mean).abs().max() > 5e-3  # where the clamp holds, a bare −6 will do
        told = reach(raw)
        found |= {k: v for k, v in told.items() if k in FINITE or (free and k in REACH)}
    return found


EXERCISE = Exercise("optimal_log_sigma", 2, cases, observe, properties, rtol=3e-4, atol=1e-5)
