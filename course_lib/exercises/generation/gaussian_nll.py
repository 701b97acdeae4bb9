"""`gaussian_nll(x, mean, log_sigma)`: −log N(x; mean, σ²) of each image, in nats."""

import torch

from course_lib.exercises.observers import like, reach, reached, tensor_from, tensor_of
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts

AT_MEAN, ERROR = "value where x is the mean", "share of the error"
SLOPE, SIZES = "gradient of that share with respect to log_sigma", {"x": "B C H W"}


def cases(g: torch.Generator) -> Cases:
    def draw(about: str, *shape: int, log_sigma: float, error: float = 0.3) -> Case:
        mean = 0.4 + 0.2 * torch.rand(shape, generator=g)
        x = (mean + error * (torch.randn(shape, generator=g) + 0.3)).clamp(0, 1)
        shift = 0.3 * torch.rand((), generator=g)
        return Case(about, {"x": x, "mean": mean, "log_sigma": log_sigma + shift})

    yield draw("4 colour images of 5 × 2 pixels, σ < 1", 4, 3, 5, 2, log_sigma=-1.9)
    yield draw("2 grey images, σ > 1", 2, 1, 3, 4, log_sigma=0.3)
    yield draw("as many images as channels, rows and columns", 3, 3, 3, 3, log_sigma=-0.7)
    yield draw("one image, errors far above σ", 1, 2, 3, 2, log_sigma=-5.0)
    yield draw("2 images of 64 × 64 pixels", 2, 3, 64, 64, log_sigma=-2.5, error=0.1)


def observe(candidate: Candidate, case: Case) -> Parts:
    """The result, that of a perfect prediction, and gradients, of what the error adds as well."""
    x, mean, log_sigma = case.args.values()
    found = {"result": (nll := tensor_from(candidate, x, mean, log_sigma))}
    if nll.shape == x.shape[:1] and nll.is_floating_point():
        leaf = log_sigma.clone().requires_grad_()
        found["at the mean"] = tensor_from(candidate, mean.clone(), mean, leaf)
        error = tensor_from(candidate, x, mean, leaf) - found["at the mean"]
        found |= reached(candidate, case.args, ("mean", "log_sigma"))
        (found["slope"],) = torch.autograd.grad(error.sum() + 0 * leaf, leaf)
    return found


def properties(raw: Parts, case: Case) -> Parts:
    """The result, and its two parts: what a perfect prediction costs, and what the error adds."""
    if "slope" not in raw:
        return raw
    error = tensor_of(raw["result"]) - tensor_of(raw["at the mean"])
    found = {"result": raw["result"], AT_MEAN: raw["at the mean"]}
    found |= {ERROR: like(raw["result"], error), SLOPE: {"gradient": raw["slope"]}}
    return found | reach(raw)


EXERCISE = Exercise("gaussian_nll", 2, cases, observe, properties, letters=SIZES, rtol=1e-4,
                    atol=1e-4)  # fmt: skip
