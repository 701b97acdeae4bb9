"""`rate_distortion(x, logits, mu, log_var)`: mean KL and mean cross-entropy, nats per image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.exercises.beta_vae.distortions import DISTORTIONS
from course_lib.exercises.beta_vae.rates import RATES
from course_lib.exercises.beta_vae.terms import cross_entropy, kl_terms, pair_of
from course_lib.exercises.observers import outline, reach_hints, reached
from course_lib.exercises.spec import Case, Exercise, Mistake

KIND = "kind of the result"


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def draw(B: int, D: int, *, d: int, scale: float) -> dict[str, Tensor]:
        x, logits = torch.rand(2, B, D, generator=g, dtype=torch.float64)
        mu, log_var = torch.randn(2, B, d, generator=g, dtype=torch.float64)
        return {"x": x, "logits": scale * (2 * logits - 1), "mu": mu, "log_var": log_var}

    one, binary, prior = draw(1, 6, d=2, scale=2), draw(3, 20, d=2, scale=4000), draw(5, 7, d=3,
        scale=2)  # fmt: skip
    binary["x"] = (binary["x"] > 0.5).double()
    prior["mu"], prior["log_var"] = 0 * prior["mu"], 0 * prior["log_var"]
    return [
        Case("4 grey images of 8 pixels, 3 latents", draw(4, 8, d=3, scale=3)),
        Case("one image", one),
        Case("two images equal to the one before", {k: v.repeat(2, 1) for k, v in one.items()}),
        Case("black and white pixels, large logits", binary),
        Case("q is the prior: the rate is 0", prior),
        Case("as many images as pixels and latents", draw(3, 3, d=3, scale=2)),
    ]


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """Both numbers by name, and whether something can be trained by them."""
    pair = candidate(*case.args.values())
    if isinstance(pair, Tensor) and pair.shape == (2,):
        pair = tuple(pair)
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        return {KIND: outline(pair), "_number": pair if isinstance(pair, Tensor) else None}

    def total(*args: Tensor) -> Tensor | None:
        parts = [part for part in candidate(*args) if isinstance(part, Tensor)]
        return parts[0].sum() + parts[1].sum() if len(parts) == 2 else None

    return {
        KIND: "two results",
        "rate": pair[0],
        "distortion": pair[1],
        **reached(total, case.args, ("logits", "mu", "log_var")),
    }


_rate_and_distortion = pair_of()


def _elbo(x: Tensor, logits: Tensor, mu: Tensor, log_var: Tensor, beta: float = 1.0) -> Tensor:
    rate, distortion = _rate_and_distortion(x, logits, mu, log_var)
    return -(beta * rate + distortion)


_IMAGES = (
    "You return one value an image. Average over the batch at the end: two numbers, nats per image."
)
_BATCH = (
    "You sum over the batch, so twice as many images give twice the numbers. Sum over pixels and "
    "latents, then average over the images."
)
_GRAPH = (
    "The values are right, but they have no graph, so nothing can be trained by them. Return "
    "tensors, without `.detach()`, `.item()` and `no_grad`."
)
BOTH = (
    Mistake(
        "swapped",
        lambda *args: _rate_and_distortion(*args)[::-1],
        "Rate and distortion have changed places. The rate is the KL, what the code costs; it "
        "comes first.",
    ),
    Mistake(
        "means over pixels and latents",
        pair_of(lambda *q: kl_terms(*q).mean(1), lambda *p: cross_entropy(*p).mean(1)),
        "You average over the pixels and over the latents. Nats per image are sums over both; only "
        "the batch is averaged.",
    ),
    Mistake("sum over the batch", pair_of(pool=torch.sum), _BATCH),
    Mistake(
        "averaged twice",
        pair_of(pool=lambda terms: terms.mean() / len(terms)),
        "You divide by the number of images twice. After the mean nothing is left to divide.",
    ),
    Mistake("one value an image", pair_of(pool=lambda terms: terms), _IMAGES),
    Mistake(
        "sum over images, mean over the rest",
        pair_of(lambda *q: kl_terms(*q).sum(0), lambda *p: cross_entropy(*p).sum(0)),
        "Sum and mean have changed places: you sum over the images, dimension 0, and average over "
        "pixels and latents.",
    ),
    Mistake(
        "mean over the batch alone",
        pair_of(
            lambda *q: kl_terms(*q).mean(0),
            lambda *p: cross_entropy(*p).mean(0),
            pool=lambda terms: terms,
        ),
        "You return one value a latent and one a pixel. Sum over latents and over pixels.",
    ),
    Mistake(
        "not pooled",
        pair_of(kl_terms, cross_entropy, pool=lambda terms: terms),
        "You return a value for each latent and each pixel. Sum over these, dimension 1, and "
        "average over the images.",
    ),
    Mistake(
        "first image",
        pair_of(pool=lambda terms: terms[0]),
        "You return what the first image gives. Average over the batch.",
    ),
    Mistake(
        "both signs",
        lambda *args: tuple(-value for value in _rate_and_distortion(*args)),
        "Both signs are turned round. Rate and distortion are costs, never negative here.",
    ),
    Mistake(
        "bits",
        lambda *args: tuple(value / 0.6931471805599453 for value in _rate_and_distortion(*args)),
        "Both are 1.443 times too large: these are bits. Nats use the natural logarithm.",
    ),
    Mistake(
        "divided by the pixels",
        lambda x, *rest: tuple(v / x.shape[1] for v in _rate_and_distortion(x, *rest)),
        "You divide both by the number of pixels. Nats per image are not divided.",
    ),
    Mistake(
        "the loss",
        lambda *args: -_elbo(*args),
        "This is one number, rate plus distortion: −ELBO. Return the two apart, the rate first.",
    ),
    Mistake(
        "the ELBO",
        _elbo,
        "This is one number, the ELBO. Return rate and distortion apart, both as costs.",
    ),
    Mistake(
        "distortion alone",
        lambda *args: _rate_and_distortion(*args)[1],
        "Only the distortion comes back. Return both, the rate first.",
    ),
    Mistake(
        "rate alone",
        lambda *args: _rate_and_distortion(*args)[0],
        "Only the rate comes back. Return both, the rate first.",
    ),
    Mistake(
        "rate and loss",
        lambda *args: (_rate_and_distortion(*args)[0], -_elbo(*args)),
        "The second number is rate plus distortion, −ELBO. The distortion is the cross-entropy "
        "alone.",
    ),
    Mistake(
        "detached",
        lambda *args: tuple(value.detach() for value in _rate_and_distortion(*args)),
        _GRAPH,
    ),
    Mistake(
        "floats", lambda *args: tuple(value.item() for value in _rate_and_distortion(*args)), _GRAPH
    ),
)

EXERCISE = Exercise(
    "rate_distortion",
    2,
    cases,
    (*BOTH, *RATES, *DISTORTIONS),
    observe=observe,
    property_hints=reach_hints("logits", "mu", "log_var")
    | {
        KIND: "Return two scalars, the rate first: `return rate, distortion`.",
        "rate": "The rate is not right. It is one number: the KL from q(z|x) to N(0, I) in closed "
        "form, without random numbers, summed over the latents, averaged over the images.",
        "distortion": "The rate is right, the distortion is not. It is one number: the "
        "cross-entropy, summed over the pixels, averaged over the images.",
    },
)
