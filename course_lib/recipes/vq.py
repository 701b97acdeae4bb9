"""VQ-VAEs of 64×64 faces, codebooks of four sizes, and a density of the symbols of each."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from course_lib import datasets, parallel
from course_lib.datasets import Dataset
from course_lib.errors import CourseError
from course_lib.metrics import psnr
from course_lib.models import VQVAE, CodePrior
from course_lib.recipes import cards
from course_lib.recipes.faces import official_split
from course_lib.training import Objective, evaluate, fit, keep_log_sigma, to_float
from course_lib.vq import perplexity, prior_objective, symbols_of, vq_objective

SIZES = (4, 16, 64, 256)  # K
BASE = 64  # the K of the model whose encoder and decoder the four begin with
EPOCHS = {"base": 10, "images": 4, "symbols": 6}
BATCH, BETA2, SEED = 64, 0.99, 0
RATES = {"base": 4e-3, "images": 2e-3, "symbols": 5e-3}


def run(out: Path) -> None:
    """Trains `faces-vq-K` and `faces-vq-K-prior` (`celeba-…` where CelebA is at hand): 30 minutes.

    A first model with K = 64 is trained for long. Its encoder and decoder are the beginning of all
    four, which go on for a few epochs, each with a new codebook of its own size. Last, with these
    as they are, the density of the symbols.
    σ is calibrated on the validation images; test images are for the figures alone.
    """
    if parallel.is_on():
        raise CourseError("vq: a codebook is moved by one process; start it without torchrun")
    data = official_split(datasets.load("celeba", size=64))
    base, seconds = train_base(data)
    for size in SIZES:
        model = train_images(size, base, data, out=out, seconds_before=seconds)
        train_symbols(model, data, out=out)


def train_base(data: Dataset) -> tuple[VQVAE, float]:
    """The model that all four begin with, and seconds."""
    torch.manual_seed(SEED)
    base = VQVAE(BASE)
    parts = (data.train.images, data.valid.images)
    _, seconds = _trained(base, vq_objective, parts, "base", title="base")
    return base, seconds


def train_images(
    size: int, base: VQVAE, data: Dataset, *, out: Path, seconds_before: float
) -> VQVAE:
    """Train and keep encoder, codebook and decoder for a codebook of this size."""
    torch.manual_seed(SEED)
    model = VQVAE(size)
    model.encoder.load_state_dict(base.encoder.state_dict())
    model.decoder.load_state_dict(base.decoder.state_dict())
    parts = (data.train.images, data.valid.images)
    curve, seconds = _trained(model, vq_objective, parts, "images", title=_name(data, size))
    model.cpu().eval()
    _calibrate(model, data.valid.images)
    before = {"epochs_before": EPOCHS["base"], "seconds_before": round(seconds_before, 1)}
    card = {"training": before | _told("images"), "test": measured(model, data)}
    _keep(model, _name(data, size), data, card | {"curve": {"valid": curve}}, seconds, out)
    return model


def train_symbols(model: VQVAE, data: Dataset, *, out: Path) -> CodePrior:
    """Train and keep the density of the symbols of this model."""
    size = len(model.codebook.vectors)
    parts = (data.train.images, data.valid.images, data.test.images)
    train, valid, test = (symbols_of(model, images).to(torch.uint8) for images in parts)
    torch.manual_seed(SEED)
    prior = CodePrior(size, length=train.shape[1])
    title = f"{_name(data, size)}-prior"
    curve, seconds = _trained(prior, prior_objective, (train, valid), "symbols", title=title)
    prior.cpu().eval()
    bits = {
        f"bits{of}": round(evaluate(prior, prior_objective, codes)["nats"] / math.log(2), 2)
        for of, codes in {"": test, "_train": train[: len(test)]}.items()
    }
    card = {"training": _told("symbols"), "test": bits, "curve": {"valid": curve}}
    _keep(prior, f"{_name(data, size)}-prior", data, card, seconds, out)
    return prior


@torch.no_grad()
def measured(model: VQVAE, data: Dataset) -> dict[str, float]:
    """What a card says of the test images: nats, decibels, and how the codebook is used."""
    images = data.test.images
    terms = evaluate(model, vq_objective, images, batch_size=500)
    symbols = symbols_of(model, images)
    decibels = [
        psnr(to_float(some), model.image_of(codes))
        for some, codes in zip(images.split(500), symbols.split(500), strict=True)
    ]
    size = len(model.codebook.vectors)
    return {
        "distortion": round(-terms["log_lik"], 2),
        "distance": round(terms["distance"], 3),
        "psnr": round(torch.cat(decibels).mean().item(), 2),
        "sigma": round(model.log_sigma.exp().item(), 4),
        "perplexity": round(perplexity(symbols, size), 2),
        "used": len(symbols.unique()),
        "revived": int(model.codebook.revived),
        "bits_uniform": symbols.shape[1] * math.log2(size),
    }


def _trained(
    model: nn.Module, objective: Objective, parts: tuple[Tensor, Tensor], what: str, *, title: str
) -> tuple[list[float], float]:
    """Train on the first part: the loss on the second after each epoch, and seconds."""
    train, valid = parts
    after = None if what == "symbols" else keep_log_sigma
    records, seconds = cards.run(
        lambda: fit(
            model, objective, train, valid=valid, epochs=EPOCHS[what], batch_size=BATCH,
            lr=RATES[what], beta2=BETA2, seed=SEED, after_step=after, bfloat16=True,
        ),
        title=title, steps=EPOCHS[what] * -(-len(train) // BATCH),
    )  # fmt: skip
    return [round(record.valid["loss"], 2) for record in records], seconds


@torch.no_grad()
def _calibrate(model: VQVAE, images: Tensor) -> None:
    """σ² = E‖x − x̂‖²/D over these images: the optimal one."""
    total = sum(
        float((to_float(some) - model.image_of(codes)).square().sum())
        for some, codes in zip(images.split(500), symbols_of(model, images).split(500), strict=True)
    )
    model.log_sigma.fill_(0.5 * math.log(total / images.numel()))


def _name(data: Dataset, size: int) -> str:
    return f"{'faces' if data.stand_in else 'celeba'}-vq-{size}"


def _told(what: str) -> dict:
    """What a card says of this part of the training."""
    return {
        "epochs": EPOCHS[what], "batch_size": BATCH, "lr": RATES[what], "beta2": BETA2,
        "optimizer": "Adam, one cycle",
    }  # fmt: skip


def _keep(
    model: nn.Module, name: str, data: Dataset, card: dict, seconds: float, out: Path
) -> None:
    """Save a model with its card."""
    whole = cards.card("vq", data, seed=SEED, seconds=seconds, **card)
    cards.keep(model, name, model.arguments, whole, out=out)
    print(f"{name}: {card['test']}, {seconds:.0f} s", flush=True)
