"""`kl_monte_carlo(mu, log_var, n_samples, generator)`: the KL as a mean over samples."""

from __future__ import annotations

import torch

from course_lib.distributions import log_normal
from course_lib.exercises.spec import Case, Exercise, Mistake
from course_lib.exercises.variational_autoencoder.estimates import (
    closed_form,
    mean_of,
    noise_of_shape,
    normal_noise,
    own_generator,
    per_latent,
    scaled_by,
    uniform_sample,
    with_log_q,
)
from course_lib.exercises.variational_autoencoder.kl_integrands import INTEGRANDS
from course_lib.exercises.variational_autoencoder.observe import (
    FROM_GENERATOR,
    NOISE_HINTS,
    OTHER_NOISE,
    OWN_NOISE,
    observe_kl_estimate,
)


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    size, spread = torch.rand(2, 3, 2, generator=g, dtype=torch.float64)
    mu = torch.tensor([1.0, -1.0], dtype=torch.float64) * (0.6 + 0.3 * size)
    signs = torch.tensor([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]], dtype=torch.float64)
    args = {"mu": mu, "log_var": signs * (0.9 + 0.2 * spread), "seed of the generator": seed}
    return [Case("3 images, 2 latents, each row thousands of times", args)]


_N_SAMPLES = (
    "More samples do not make your estimate steadier: does every one of the `n_samples` samples "
    "get noise of its own? The noise has shape (S, B, d)."
)
_SIGMA = (
    "Your samples have the wrong spread. σ is the exponential of half of log σ²; `reparameterize` "
    "does it."
)
MISTAKES = (
    *INTEGRANDS,
    Mistake(
        "samples from the prior",
        mean_of(sample=lambda mu, log_var, n, g: normal_noise((n, *mu.shape), g)),
        "Your samples come from the prior. The mean is over z ~ q(z|x): scale the noise by σ and "
        "add μ.",
    ),
    Mistake("exp(log_var) as sigma", mean_of(sample=scaled_by(torch.exp)), _SIGMA),
    Mistake("log_var as sigma", mean_of(sample=scaled_by(lambda log_var: log_var)), _SIGMA),
    Mistake("no sigma", mean_of(sample=scaled_by(torch.ones_like)), _SIGMA),
    Mistake(
        "exp(log_var) as sigma, twice",
        mean_of(
            with_log_q(lambda z, mu, lv: log_normal(z, mu, 2 * lv)), sample=scaled_by(torch.exp)
        ),
        "Samples and log q agree with each other, but both take exp(log σ²) = σ² for σ.",
    ),
    Mistake(
        "uniform noise",
        mean_of(sample=uniform_sample),
        "Your noise is uniform (`torch.rand`). Gaussian noise is `torch.randn`.",
    ),
    Mistake(
        "logarithm of the mean",
        mean_of(pool=lambda ratio: ratio.exp().mean(0).log()),
        "You take the logarithm of the mean ratio. The KL is the mean of the logarithm.",
    ),
    Mistake(
        "closed form",
        closed_form,
        "This is the closed form of the exercise before: it needs no noise. Here the same number "
        "comes from samples.",
    ),
    Mistake(
        "sum over samples",
        mean_of(pool=lambda ratio: ratio.sum(0)),
        "You sum over the samples, so the estimate grows with their number. Take their mean.",
    ),
    Mistake(
        "mean over latents",
        mean_of(lambda *args: per_latent(*args).mean(-1)),
        "Your estimate is 1/d of the expected one: you average over the latents. Log-densities of "
        "independent latents add up.",
    ),
    Mistake(
        "not summed over latents",
        mean_of(per_latent),
        "You return one value a latent, (B, d). Sum the log-densities over the latents.",
    ),
    Mistake(
        "no mean over samples",
        mean_of(pool=lambda ratio: ratio),
        "You return one value a sample, (S, B). Take the mean over dimension 0.",
    ),
    Mistake(
        "mean over images",
        mean_of(pool=lambda ratio: ratio.mean(1)),
        "You average over dimension 1, the images. The samples are dimension 0.",
    ),
    Mistake(
        "mean over everything",
        mean_of(pool=torch.mean),
        "You average over samples and images. Keep one value an image, (B,): `.mean(0)`.",
    ),
    Mistake(
        "global noise",
        lambda mu, lv, n, g: mean_of()(mu, lv, n, None),
        NOISE_HINTS[FROM_GENERATOR],
    ),
    Mistake(
        "seed of its own",
        own_generator,
        NOISE_HINTS[OTHER_NOISE],
    ),
    Mistake(
        "generator set back",
        lambda mu, lv, n, g: mean_of()(mu, lv, n, g.manual_seed(0)),
        NOISE_HINTS[OTHER_NOISE],
    ),
    Mistake(
        "one noise for all samples",
        mean_of(sample=noise_of_shape(lambda n, B, d: (1, B, d))),
        _N_SAMPLES,
    ),
    Mistake(
        "always ten samples",
        lambda mu, lv, n, g: mean_of()(mu, lv, 10, g),
        _N_SAMPLES,
    ),
    Mistake(
        "one noise for all images",
        mean_of(sample=noise_of_shape(lambda n, B, d: (n, 1, d))),
        "All images share one noise, so their errors go together. Draw (S, B, d) numbers.",
    ),
    Mistake(
        "one noise for all latents",
        mean_of(sample=noise_of_shape(lambda n, B, d: (n, B, 1))),
        "All latents of a sample share one noise, so z moves along a line only. Draw (S, B, d) "
        "numbers.",
    ),
)

EXERCISE = Exercise(
    "kl_monte_carlo",
    3,
    cases,
    MISTAKES,
    observe=observe_kl_estimate,
    property_hints=NOISE_HINTS
    | {
        "result": "Return one value an image: a tensor of shape (B,).",
        OWN_NOISE: "Equal rows give equal estimates. Every image and every sample has noise of its "
        "own: draw (S, B, d) numbers.",
    },
    rtol=0.12,
    atol=0.05,
)
