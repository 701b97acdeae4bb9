"""`free_bits(kl_per_dim, floor)`: the KL with a floor for each latent, after the batch mean."""

import torch

from course_lib.exercises.observers import tensor_from
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts

GRADIENT, REACH = "gradient with respect to kl_per_dim", "gradients reach kl_per_dim"


def cases(g: torch.Generator) -> Cases:
    def draw(about: str, B: int, means: list[float], floor: float) -> Case:
        """KLs of this mean over the batch in each latent, and images on both sides of it."""
        size = torch.linspace(0.2, 1.8, B)[torch.randperm(B, generator=g)]
        kl = size[:, None] * (0.2 + torch.rand(B, len(means), generator=g))
        kl = kl / kl.mean(0) * torch.tensor(means)
        return Case(about, {"kl_per_dim": kl, "floor": floor})

    u = 0.2 * float(torch.rand((), generator=g))
    yield draw("6 images, 4 latents", 6, [0.3 + u, 2.5, 0.05, 0.8 + u], 0.5)
    yield draw("as many images as latents", 4, [1.0 + u, 0.1, 3.0, 0.2], 0.4)
    yield draw("one image", 1, [0.02, 1.5 + u, 0.9], 0.25)
    yield draw("floor 0", 5, [0.3, 1.2 + u, 0.01], 0.0)
    yield draw("every latent below its floor", 5, [0.3, 0.02, 0.4 + u], 0.95)
    yield draw("128 images, 16 latents", 128, [4.0, 1.5 + u] + 14 * [0.03 + u / 20], 0.1)


def observe(candidate: Candidate, case: Case) -> Parts:
    """The number, and its gradient."""
    found = {"result": tensor_from(candidate, *case.args.values())}
    leaf = case.args["kl_per_dim"].clone().requires_grad_()
    total = tensor_from(candidate, leaf, case.args["floor"])
    if total.requires_grad:
        (found[GRADIENT],) = torch.autograd.grad(total.sum(), leaf, materialize_grads=True)
    return found


def properties(raw: Parts, case: Case) -> Parts:
    """The number, and its gradient, which is 0 where no latent is above its floor."""
    kl, floor = case.args.values()
    asked = bool((kl.mean(0) > floor).any())
    found = {"result": raw["result"], REACH: GRADIENT in raw or not asked}
    return found | ({GRADIENT: raw.get(GRADIENT, 0 * kl)} if found[REACH] else {})


EXERCISE = Exercise("free_bits", 2, cases, observe, properties, letters={"kl_per_dim": "B d"},
                    rtol=1e-4, atol=1e-6)  # fmt: skip
