"""`elbo(x, logits, mu, log_var)`: the evidence lower bound of each image, in nats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.exercises.observers import level, outline, reach_hints, reached
from course_lib.exercises.spec import Case, Exercise, Mistake
from course_lib.exercises.variational_autoencoder.elbo_likelihoods import (
    LIKELIHOODS,
    elbo_with,
    kl_terms,
    log_lik,
)

LIKELIHOOD = "log-likelihood in it"
DIVERGENCE = "what the KL adds to it"


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def draw(about: str, B: int, D: int, *, d: int, scale: float, binary: bool = False) -> Case:
        x, logits = torch.rand(2, B, D, generator=g, dtype=torch.float64)
        x, logits = (x > 0.5).to(x) if binary else x, scale * (2 * logits - 1)
        mu, log_var = torch.randn(2, B, d, generator=g, dtype=torch.float64)
        return Case(about, {"x": x, "logits": logits, "mu": mu, "log_var": log_var})

    return [
        draw("4 grey images of 8 pixels, 3 latents", 4, 8, d=3, scale=3),
        draw("black and white pixels, large logits", 3, 20, d=2, scale=4000, binary=True),
        draw("one image", 1, 6, d=2, scale=2),
        draw("as many images as pixels and latents", 3, 3, d=3, scale=2),
    ]


def observe(candidate: Callable, case: Case) -> dict[str, Any]:
    """The ELBO in its two parts: as it is where q is the prior, and what another q changes."""
    x, logits, mu, log_var = case.args.values()
    bound = candidate(x, logits, mu, log_var)
    record: dict[str, Any] = {"result": outline(bound)}
    if record["result"] != outline(x[:, 0]):
        return record | {"_level": level(bound)}
    at_prior = candidate(x, logits, 0 * mu, 0 * log_var)
    return {
        **record,
        LIKELIHOOD: at_prior,
        DIVERGENCE: bound - at_prior,
        **reached(candidate, case.args, ("logits", "mu", "log_var")),
    }


_BETA = (
    "The KL is weighted by something other than 1: a β is hidden inside. The ELBO has none; with "
    "β ≠ 1 it is no bound on log p(x)."
)
MISTAKES = (
    *LIKELIHOODS,
    Mistake(
        "mean over latents",
        elbo_with(kl=lambda mu, log_var: kl_terms(mu, log_var).mean(1)),
        "You average the KL over the latents: a hidden β = 1/d. Sum over the latents.",
    ),
    Mistake(
        "mean over pixels and latents",
        elbo_with(
            lambda x, logits: log_lik(x, logits).mean(1),
            lambda mu, log_var: kl_terms(mu, log_var).mean(1),
        ),
        "You average over pixels and over latents. Both are sums: nats per image.",
    ),
    Mistake(
        "KL added",
        elbo_with(beta=-1.0),
        "You add the KL. It is subtracted: a posterior far from the prior lowers the bound.",
    ),
    Mistake(
        "KL forgotten",
        elbo_with(beta=0.0),
        "Only the log-likelihood is there. Subtract the KL from q(z|x) to the prior.",
    ),
    *(Mistake(f"beta {beta:g}", elbo_with(beta=beta), _BETA) for beta in (0.1, 0.5, 2.0, 4.0)),
    Mistake(
        "likelihood forgotten",
        elbo_with(lambda x, logits: torch.zeros_like(x).sum(1)),
        "Only −KL is there. Add the log-likelihood log p(x|z) of the image.",
    ),
    Mistake(
        "negative ELBO",
        elbo_with(pool=torch.neg),
        "The sign is turned round: this is the loss −ELBO. The ELBO is a bound on log p(x) and "
        "rises as the model learns.",
    ),
    Mistake(
        "mean over batch",
        elbo_with(pool=torch.mean),
        "You average over the batch: the result is one number. Return one value an image, (B,).",
    ),
    Mistake(
        "loss, mean over batch",
        elbo_with(pool=lambda bound: -bound.mean()),
        "This is the training loss, −ELBO averaged over the batch. The exercise asks for the ELBO "
        "of each image, (B,).",
    ),
    Mistake(
        "sum over batch",
        elbo_with(pool=torch.sum),
        "You sum over the batch as well, into one number. Return one value an image, (B,).",
    ),
    Mistake(
        "KL summed over the batch",
        elbo_with(kl=lambda mu, log_var: kl_terms(mu, log_var).sum()),
        "The KL is summed over the batch as well, and every image pays for all. Keep one value an "
        "image.",
    ),
    Mistake(
        "KL averaged over the batch",
        elbo_with(kl=lambda mu, log_var: kl_terms(mu, log_var).sum(1).mean()),
        "The KL is averaged over the batch before it is subtracted. Every image has its own.",
    ),
    Mistake(
        "log sigma for log sigma^2",
        elbo_with(kl=lambda mu, lv: (kl_terms(mu, lv) + 0.25 * lv).sum(1)),
        "In your KL log σ stands where log σ² belongs. Use your `kl_std_normal`.",
    ),
    Mistake(
        "KL of log_var as log sigma",
        elbo_with(kl=lambda mu, lv: kl_terms(mu, 2 * lv).sum(1)),
        "Your KL takes `log_var` for log σ. It is log σ²: use your `kl_std_normal`.",
    ),
    Mistake(
        "mu and log_var exchanged",
        elbo_with(kl=lambda mu, lv: kl_terms(lv, mu).sum(1)),
        "mu and log_var have changed places in the KL.",
    ),
    Mistake(
        "KL the other way round",
        elbo_with(kl=lambda mu, lv: 0.5 * ((mu**2 + 1) * torch.exp(-lv) - 1 + lv).sum(1)),
        "Your KL goes from the prior to q. In the ELBO q comes first: use your `kl_std_normal`.",
    ),
    Mistake(
        "detached",
        elbo_with(pool=Tensor.detach),
        "The values are right, but they have no graph, so nothing can be trained by them: leave "
        "out `.detach()`.",
    ),
)

EXERCISE = Exercise(
    "elbo",
    2,
    cases,
    MISTAKES,
    observe=observe,
    property_hints=reach_hints("logits", "mu", "log_var")
    | {
        "result": "Return one value an image: a tensor of shape (B,).",
        LIKELIHOOD: "Where q is the prior, the KL is 0 and the ELBO is the log-likelihood. There "
        "your value is not Σ [x log x̂ + (1 − x) log(1 − x̂)].",
        DIVERGENCE: "The log-likelihood is right. The KL is not: it is subtracted once, one value "
        "an image, summed over its latents.",
    },
)
