"""Three likelihoods of the faces' VAE with 128 latents, three trainings of each."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.distributions import kl_divergence

from course_lib import checkpoints, datasets
from course_lib.codes import code_of, drawn_codes, gaussian_codes, image_of
from course_lib.losses import standard_normal
from course_lib.metrics import feature_statistics, features_of, frechet_distance
from course_lib.models import Classifier, ConvVAE
from course_lib.recipes import cards
from course_lib.recipes.faces import ROWS, TRAINING, official_split, train_model
from course_lib.training import to_float

EPOCHS, SEEDS = 5, (0, 1, 2)
NAMES = {"vae-128": "optimal σ", "vae-128-ce": "cross-entropy", "vae-128-fixed": "σ = 1"}
N, N_FIT = 1_000, 4_000  # images on each side of a distance; images whose codes are fitted


def run(out: Path) -> None:
    """Writes metrics/likelihoods.json: nine trainings as in `faces`, measured on test images."""
    data = official_split(datasets.load("celeba", size=64))
    judge, _ = checkpoints.load("faces32-classifier" if data.stand_in else "cifar10-classifier")
    x_test = to_float(data.test.images[:N])
    to_test = feature_statistics(features_of(judge, x_test))
    others = features_of(judge, data.train.images[:N])
    rows, total = [], 0.0
    for row in (row for row in ROWS if row.name in NAMES):
        for seed in SEEDS:
            title = f"{NAMES[row.name]}, seed {seed}"
            trained = train_model(row, data, epochs=EPOCHS, seed=seed, title=title)
            total += trained.seconds
            figures = measured(trained.model.cpu(), data, judge, to_test, seed=seed)
            rows.append({"likelihood": NAMES[row.name], "seed": seed} | figures)
            print(f"{title}: {figures}, {trained.seconds:.0f} s", flush=True)
    about = cards.card(
        "likelihoods", data, seed=SEEDS[0], seconds=total, training={"epochs": EPOCHS} | TRAINING
    )
    floor = frechet_distance(*feature_statistics(others), *to_test)
    about |= {"n": N, "floor": round(floor, 2), "rows": rows}
    checkpoints.write_json(out / "metrics" / "likelihoods.json", about)


@torch.no_grad()
def measured(
    vae: ConvVAE, data: datasets.Dataset, judge: Classifier, to_test: tuple, *, seed: int
) -> dict[str, float]:
    """KL and error on test images; Fréchet distances of x̂, of samples, of fitted codes' images."""
    generator = torch.Generator().manual_seed(seed)
    x_test, x_fit = (to_float(x) for x in (data.test.images[:N], data.train.images[:N_FIT]))

    def distance(x: Tensor) -> float:
        return frechet_distance(*feature_statistics(features_of(judge, x)), *to_test)

    x_hat = image_of(vae, code_of(vae, x_test))
    codes = drawn_codes(vae, x_fit, generator=generator)
    q_z = vae.encode(x_test[:500])
    figures = {
        "kl": kl_divergence(q_z, standard_normal(q_z.mean)).sum(1).mean().item(),
        "rmse": ((x_test - x_hat) ** 2).mean().sqrt().item(),
        "frechet_x_hat": distance(x_hat),
        "frechet_prior": distance(
            image_of(vae, torch.randn(N, vae.latent_dim, generator=generator))
        ),
        "frechet_fitted": distance(image_of(vae, gaussian_codes(codes, N, generator=generator))),
    }
    return {key: round(value, 4 if key == "rmse" else 2) for key, value in figures.items()}
