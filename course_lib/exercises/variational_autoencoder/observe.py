"""What is looked at in estimates: where the noise comes from, and their mean over many calls."""

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.exercises import observers
from course_lib.exercises.observers import estimate, like, seeded, tensor_from, tensor_of
from course_lib.exercises.spec import Candidate, Case, Cases, Parts

FROM_GENERATOR = "all noise comes from the generator"
NEW_NOISE = "new numbers from the generator give another result"
DIFFERENTIATED, NOT_ZERO = "f is differentiated", "the result is not 0"
POINTS = "different points z at which a call evaluates f"
SECOND_CALL = "a second call with the same mu gives the same"
RANK = "directions in which the points z scatter"
SPREAD = "mean square distance of the points z from mu"
STILL = "points z lie at mu where sigma is nearly 0"
MEAN = "mean of the result over many calls"
CALLS = {16: 64, 2: 160, 1: 90}  # over how many calls the mean is taken, by n_samples


class Noted(torch.autograd.Function):
    """The identity in z; what passes is noted, also from inside `vmap` and `torch.func.grad`."""

    @staticmethod
    def forward(z: Tensor, notes: SimpleNamespace) -> Tensor:
        notes.points.append(z.detach().reshape(-1, z.shape[-1]).clone())
        return z.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        ctx.notes = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        ctx.notes.differentiated += 1
        return gradient, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:
        ctx.notes.differentiated += 1
        return tangent.clone()

    @staticmethod
    def vmap(info: Any, in_dims: tuple, z: Tensor, notes: SimpleNamespace) -> tuple[Tensor, int]:
        return Noted.apply(z.movedim(in_dims[0], 0), notes), 0


# `apply` asks for it at each call: found anew, it takes as long as all the rest.
Noted.forward.__signature__ = inspect.signature(Noted.forward)  # type: ignore[attr-defined]


def fits(result: Tensor, truth: Tensor) -> bool:
    """Whether all is right but the numbers, which depend on the noise."""
    right_kind = result.shape == truth.shape and result.dtype == truth.dtype
    return right_kind and bool(result.isfinite().all())


def noise_of(result: Callable[[Generator], Tensor], seed: int) -> Parts:
    """Four results: twice with one generator, then with one of the same seed, and of another."""
    before, g = observers.random_mark(), seeded(seed)
    made = torch.stack([result(own) for own in (g, g, seeded(seed), seeded(seed + 1))])
    return {"four results": made, "random state": [before, observers.random_mark()]}


def noise(raw: Parts) -> dict[str, bool]:
    """Whether the generator, and nothing else, decides what comes out."""
    first, later, again, other = tensor_of(raw["four results"])
    before, after = raw["random state"]["numbers"]
    same = torch.allclose(first, again) and before == after
    new = not (torch.equal(first, later) or torch.equal(first, other))  # close may be chance
    return {FROM_GENERATOR: same, NEW_NOISE: new}


def gradient_cases(g: Generator, *rows: tuple[str, str, list[float], torch.dtype, int]) -> Cases:
    """Of each row about, f, near which numbers log σ² is, dtype, n_samples. μ is near 1."""
    for about, f, log_var, dtype, n in rows:
        near, factor = 0.9 + 0.2 * torch.rand(2, len(log_var), generator=g, dtype=dtype)
        inputs = {"mu": near, "log_var": factor * torch.tensor(log_var, dtype=dtype)}
        seed = {"seed of the generator": g.initial_seed()}
        yield Case(about, {"f": f, **inputs, "n_samples": n, **seed})


def observe_gradient(candidate: Candidate, case: Case, functions: dict) -> Parts:
    """Results of many calls, and the points at which f is evaluated.

    functions: name to f, (…, d) to (…), and the gradient of its mean under N(mu, var).
    """
    name, mu, log_var, n, seed = case.args.values()
    notes = SimpleNamespace(points=[], differentiated=0)  # `vmap` would copy a dict

    def f(z: Tensor) -> Tensor:
        return functions[name][0](Noted.apply(z, notes))

    def call(generator: Generator, f: Callable = f) -> Tensor:
        own = mu.detach().clone(), log_var.clone()
        return tensor_from(candidate, f, *own, n, generator).detach().clone()

    def smooth(generator: Generator) -> Tensor:  # a step may come out as 0, less a baseline
        return call(generator, lambda z: z.cos().sum(-1))

    def points() -> Tensor:  # a baseline may be taken at μ, or at as many samples again
        z = torch.cat([mu[None], *notes.points])
        return z[(z != mu).any(1)]

    found = {"result": call(seeded(seed)), "times differentiated": notes.differentiated}
    if not fits(found["result"], mu):
        return found
    found |= {"points": points(), **noise_of(smooth, seed)}
    twice = [candidate(f, mu, log_var, n, seeded(seed)).clone() for _ in range(2)]
    notes.points, g = [], seeded(seed + 2)
    draws = torch.stack([call(g) for _ in range(CALLS[n])])
    found |= {"two calls": torch.stack(twice), "draws": draws, "points of draws": points()}
    notes.points = [z[:0] for z in notes.points[:1]]
    tensor_from(candidate, f, mu.detach().clone(), 0 * log_var - 20, n, seeded(seed))
    return found | {"points of little noise": torch.cat(notes.points)}


def gradient_properties(raw: Parts, case: Case, functions: dict) -> Parts:
    """Shape, noise, the points at which f is evaluated, and the mean over many calls."""
    name, mu, log_var, n, _ = case.args.values()
    found = {DIFFERENTIATED: raw["times differentiated"]["numbers"] != [0]}
    if "draws" not in raw:
        return found | {"result": raw["result"]}
    asked = len(tensor_of(raw["points"]).unique(dim=0))
    truth = functions[name][1](mu.double(), log_var.double().exp())
    found |= {"result": truth.to(mu), POINTS: n if asked == 2 * n else asked}
    found |= {NOT_ZERO: any(raw["four results"]["numbers"]), **noise(raw)}
    if not all(found[key] for key in (POINTS, NOT_ZERO, FROM_GENERATOR, NEW_NOISE)):
        return found
    found[SECOND_CALL] = torch.allclose(*tensor_of(raw["two calls"]))
    draws, z = tensor_of(raw["draws"]), tensor_of(raw["points of draws"])
    if not draws.isfinite().all():
        return found | {"result": like(raw["result"], draws[~draws.isfinite().all(1)][0])}
    if len(z) > 1_000:  # enough for a mean of squares to be nearly normal
        found[RANK] = int(torch.linalg.matrix_rank(z - mu, rtol=1e-3))
        calls = (z - mu).square().tensor_split(CALLS[n])  # independent, as samples need not be
        found[SPREAD] = estimate(torch.stack([x.mean(0) for x in calls]), log_var.exp())
    still = tensor_of(raw["points of little noise"])
    found[STILL] = bool(((still - mu).abs() < 5e-3).all())
    return found | {MEAN: estimate(draws, truth)}
