"""`hierarchical_elbo(vae, x, eps2, eps1)`: the ELBO of two layers, and the KL of each."""

from typing import Any

import torch
from torch import Tensor

from course_lib import devices
from course_lib.exact_chain import ChainVAE, LinearChain, aligned_chain, sigma_points
from course_lib.exercises.observers import seeded, tensor_of
from course_lib.exercises.records import TENSORS, kind_of
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts
from course_lib.models import HierarchicalVAE

TRIPLE, SEED, EVIDENCE = "the result", "seed of the network", "log p(x)"
UPPER, LOWER, BOUND = "KL of the upper layer", "KL of the lower layer", "ELBO"
EXACT = "mean ELBO at the exact posterior of a linear chain"
PARTS = ("up", "evidence", "upper", "prior", "decoder")
LOWERS, UPPERS = 5, 3  # latents of the chain


def cases(g: torch.Generator) -> Cases:
    def draw(B: int, D: int, d1: int, d2: int) -> dict[str, Any]:
        x = torch.rand(B, D, generator=g)
        eps2, eps1 = (torch.randn(B, d, generator=g) for d in (d2, d1))
        return {"x": x, "eps2": eps2, "eps1": eps1, SEED: _seed(g)}

    yield Case("4 images of 12 pixels, 3 lower and 2 upper latents", draw(4, 12, 3, 2))
    yield Case("one image, as many latents in both layers", draw(1, 9, 3, 3))
    yield Case("images of the size of digits", draw(8, 784, 16, 8))
    binary = draw(6, 30, 4, 2)
    yield Case("black and white pixels", binary | {"x": (binary["x"] > 0.6).float()})
    seed, points = _seed(g), sigma_points(UPPERS + LOWERS)
    chain = _chain(seed)
    x = chain.sample(3, generator=g)[2]  # float64
    eps2, eps1 = (part.repeat(3, 1) for part in points.split([UPPERS, LOWERS], 1))
    rows = {"x": x.repeat_interleave(len(points), 0), "eps2": eps2, "eps1": eps1, SEED: seed}
    yield Case("a linear chain and its exact posterior", rows | {EVIDENCE: chain.log_evidence(x)})


def observe(candidate: Candidate, case: Case) -> Parts:
    """The three parts by name, and the size of the ELBO's gradient in each part of the network."""
    inputs = [case.args[name] for name in ("x", "eps2", "eps1")]
    vae = _model(case)
    three = candidate(vae, *inputs)
    whole = isinstance(three, tuple | list) or (isinstance(three, Tensor) and three.ndim > 0)
    if not whole or len(three) != 3:
        return {TRIPLE: kind_of(three), "_number": three}
    found = {TRIPLE: "three parts", UPPER: three[1], LOWER: three[2], BOUND: three[0]}
    if not all(type(part) in TENSORS for part in three) or isinstance(vae, ChainVAE):
        return found
    three[0].sum().backward() if three[0].requires_grad else None
    for name in PARTS:
        grads = [p.grad for p in getattr(vae, name).parameters()]
        found[f"gradient of {name}"] = [0.0 if x is None else float(x.norm()) for x in grads]
    return found


def properties(raw: Parts, case: Case) -> Parts:
    """The parts; on the chain, whether their mean is the evidence; else whether all can learn."""
    found = {key: raw[key] for key in (TRIPLE, UPPER, LOWER) if key in raw}
    if EVIDENCE in case.args and BOUND in raw:
        evidence, bound = case.args[EVIDENCE], tensor_of(raw[BOUND])
        fits = bound.shape == case.args["x"].shape[:1]
        mean = bound.view(len(evidence), -1).mean(1) if fits else evidence + 1
        found[EXACT] = bool((mean - evidence).abs().max() < 1e-6)
    return found | {key: raw[key] for key in raw if key not in found}


def _seed(g: torch.Generator) -> int:
    return int(torch.randint(10**6, (), generator=g))


def _chain(seed: int) -> LinearChain:
    return aligned_chain(LOWERS, UPPERS, 7, generator=seeded(seed))


def _model(case: Case) -> HierarchicalVAE | ChainVAE:
    """What the candidate gets: a small network, or the chain of this case."""
    x, eps2, eps1, seed = (case.args[name] for name in ("x", "eps2", "eps1", SEED))
    if EVIDENCE in case.args:
        return ChainVAE(_chain(seed))
    with devices.seeded(seed):
        vae = HierarchicalVAE(eps1.shape[1], eps2.shape[1], data_dim=x.shape[1], hidden=8)
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter.mul_(1.6)  # farther from q = p than a network begins
    return vae


EXERCISE = Exercise("hierarchical_elbo", 3, cases, observe, properties,
                    letters={"x": "B D", "eps2": "B d"}, rtol=1e-4, atol=1e-5)  # fmt: skip
