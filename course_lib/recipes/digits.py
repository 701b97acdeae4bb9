"""Networks for drawn digits in the lecture demo: autoencoder, denoiser, diffusion."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import checkpoints, datasets
from course_lib.datasets import Dataset
from course_lib.diffusion import diffusion_objective
from course_lib.errors import CourseError
from course_lib.losses import vae_objective
from course_lib.models import MLPVAE, ConvAutoencoder, MLPAutoencoder, UNet
from course_lib.recipes import cards, table1
from course_lib.training import Data, Objective, evaluate, fit, to_float

SEED, BATCH = 0, 256
EPOCHS = {"autoencoder": 40, "denoiser": 15, "ddpm": 8}
HALVES = ("mnist-encoder-64", "mnist-decoder-64-beta-1")  # of the VAE that measures drawings
FRAME = 2  # black pixels around an image: the denoiser's layers want 32 × 32
WIDTHS = (32, 48)  # of the U-Net: light enough for JavaScript
DAMAGE = 0.9  # the strongest: standard deviation of noise, side of a hole as a share of the image


def run(out: Path) -> None:
    """Trains `mnist-autoencoder-2`, `-denoiser`, `-ddpm`: half an hour.

    Writes metrics/digits.json: an ordinary test digit of each class, and quantiles of −ELBO of all,
    by the VAE with 64 latents of `table1`.
    """
    data, start = datasets.load("mnist"), time.perf_counter()
    nats = negative_elbo(vae_of_table1(data), data)
    train_autoencoder(data, out=out)
    train_denoiser(data, out=out)
    train_ddpm(data, out=out)
    about = cards.card("digits", data, seed=SEED, seconds=time.perf_counter() - start) | {
        "images": [image.flatten().tolist() for image in ordinary(data, nats)],
        "negative_elbo": cards.rounded(nats.quantile(torch.linspace(0, 1, 101))),
    }
    checkpoints.write_json(out / "metrics" / "digits.json", about)


def vae_of_table1(data: Dataset) -> MLPVAE:
    """The VAE whose halves `table1` keeps. CourseError where it was trained on other digits."""
    vae = MLPVAE(64)
    for name in HALVES:
        half, card = checkpoints.load(name)
        if card["stand_in"] != data.stand_in:
            raise CourseError(f"{name} knows other digits than {data.source}: train table1 first")
        vae.load_state_dict(half.state_dict(), strict=False)
    return vae


def train_autoencoder(data: Dataset, *, out: Path) -> None:
    """Two numbers for an image and no prior; cross-entropy, as the VAE has it."""
    torch.manual_seed(SEED)
    model = MLPAutoencoder(2)
    told = trained("autoencoder", model, cross_entropy, data, title="autoencoder, n = 2")
    with torch.no_grad():
        z = model.encode(to_float(data.test.images[: table1.N_MAP_CODES]))
    places = torch.cat([z, data.test.labels[: len(z), None]], 1).double().round(decimals=2)
    card = told | {"codes": places.tolist()}
    cards.keep(model, "mnist-autoencoder-2", {"latent_dim": 2}, card, out=out)


def train_denoiser(data: Dataset, *, out: Path) -> None:
    """An autoencoder of 32 × 32 pixels that gets a damaged image and is compared with the whole."""
    torch.manual_seed(SEED)
    model = ConvAutoencoder(64, size=28 + 2 * FRAME, channels=1)
    told = trained("denoiser", model, restoring, data, title="denoiser")
    cards.keep(model, "mnist-denoiser", model.arguments, told, out=out)


def train_ddpm(data: Dataset, *, out: Path) -> None:
    """The diffusion model of `ddpm`, narrower and with one channel."""
    torch.manual_seed(SEED)
    sizes = {"n_classes": 10, "channels": 1, "widths": WIDTHS}
    model = UNet(**sizes).to(memory_format=torch.channels_last)
    told = trained("ddpm", model, diffusion_objective, data, title="ddpm", batch_size=64, lr=1e-3)
    cards.keep(model, "mnist-ddpm", sizes, told, out=out)


class Nats(NamedTuple):
    """What autoencoder and denoiser minimise, (B,)."""

    cross_entropy: Tensor


def cross_entropy(model: nn.Module, x: Tensor, given: Tensor | None = None) -> tuple[Tensor, Nats]:
    """Nats per image of x, where x̂ = decode(encode(given)) are probabilities of ink; given: x.

    Like squared error it is smallest at the mean; unlike it, it gets out of an image all black.
    """
    logits = model.decoder(model.encode(x if given is None else given)).float()
    nats = F.binary_cross_entropy_with_logits(logits, x.view_as(logits), reduction="none")
    terms = Nats(nats.flatten(1).sum(1))
    return terms.cross_entropy.mean(), terms


def restoring(model: nn.Module, x: Tensor) -> tuple[Tensor, Nats]:
    """`cross_entropy` of x and what the model makes of damaged x."""
    x = F.pad(x, 4 * [FRAME])
    return cross_entropy(model, x, damaged(x))


def damaged(x: Tensor) -> Tensor:
    """Gaussian noise on some images, a black square in others, both on others: (B, 1, S, S).

    How strong is drawn for each image, up to `DAMAGE`; the values stay in [0, 1].
    """
    B, _, S, _ = x.shape
    noise, hole, chosen = (torch.rand(B, 1, 1, 1, device=x.device) for _ in range(3))
    noisy = (x + DAMAGE * noise * (chosen < 0.6) * torch.randn_like(x)).clamp(0, 1)
    half = DAMAGE / 4 * hole * S * (chosen > 0.4)  # a side of up to half of the image is enough
    place = torch.arange(S, device=x.device) + 0.5
    from_top, from_left = (half + torch.rand_like(half) * (S - 2 * half) for _ in range(2))
    rows, columns = (place[:, None] - from_top).abs(), (place - from_left).abs()
    return noisy.masked_fill(torch.maximum(rows, columns) < half, 0)


def trained(
    kind: str, model: nn.Module, objective: Objective, data: Dataset, *, title: str, **recipe: Any
) -> dict:
    """Train as `EPOCHS` says; the model ends on the CPU, and what a card tells comes back."""
    recipe = {"epochs": EPOCHS[kind], "batch_size": BATCH, "lr": 2e-3} | recipe
    images, test = (
        (part.images, part.labels) if kind == "ddpm" else part.images
        for part in (data.train, data.test)
    )
    _, seconds = cards.run(
        lambda: fit(model, objective, images, seed=SEED, bfloat16=True, **recipe),
        title=title, steps=recipe["epochs"] * -(-len(data.train) // recipe["batch_size"]),
    )  # fmt: skip
    model.cpu().eval()
    return cards.card(
        "digits", data, seed=SEED, seconds=seconds, training=recipe,
        test=terms_of(model, objective, test),
    )  # fmt: skip


def terms_of(model: nn.Module, objective: Objective, test: Data) -> dict[str, float]:
    """The terms of an objective on test images, without their sum."""
    terms = evaluate(model, objective, test, seed=SEED)
    return {name: round(value, 2) for name, value in terms.items() if name != "loss"}


@torch.no_grad()
def negative_elbo(vae: MLPVAE, data: Dataset) -> Tensor:
    """−ELBO of each test image, nats, with one z drawn for each: (N,)."""
    torch.manual_seed(SEED)
    _, terms = vae_objective(vae, to_float(data.test.images))
    return terms.kl - terms.log_lik


def ordinary(data: Dataset, nats: Tensor) -> list[Tensor]:
    """Of each class the test image whose −ELBO is the median of the class."""
    found = []
    for digit in range(10):
        own = (data.test.labels == digit).nonzero()[:, 0]
        found.append(data.test.images[own[nats[own].argsort()[len(own) // 2]]])
    return found
