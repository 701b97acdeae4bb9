"""Diffusion of codes beside diffusion of pixels: the same faces, as many parameters, and seconds.

The codes are those of a VAE of `faces`; at 128 pixels a small VAE is trained for them first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from course_lib import checkpoints, datasets
from course_lib.codes import code_of, gaussian_codes, image_of
from course_lib.datasets import Dataset
from course_lib.diffusion import (
    as_labels,
    code_objective,
    diffusion_objective,
    sample_codes,
    sample_ddim,
)
from course_lib.errors import CourseError
from course_lib.losses import optimal_sigma_objective
from course_lib.metrics import feature_statistics, features_of, frechet_distance
from course_lib.models import CodeDenoiser, ConvVAE, UNet
from course_lib.models.calibration import calibrate_sigma, standardize_latents
from course_lib.pretrained import find
from course_lib.recipes import cards
from course_lib.recipes.faces import official_split
from course_lib.training import fit, keep_log_sigma, to_float

EPOCHS = {"latent": 40, "pixels": 1, "vae-128px": 16, "latent-128px": 120}
CODES = {"batch_size": 128, "lr": 3e-3}
PIXELS, PIXEL_FACES = {"batch_size": 16, "lr": 4e-3}, 12_000  # minutes, where an epoch is long
VAE = {"batch_size": 32, "lr": 6e-3, "beta2": 0.99}
DENOISER = {"width": 200, "blocks": 3}
UNET = {"n_classes": 1, "widths": [24, 64]}  # as many parameters as the denoiser, within 2 %
LARGE_VAE = {"latent_dim": 64, "size": 128, "width": 8, "log_sigma": 0.0}
LARGE_DENOISER = {"width": 160, "blocks": 3}
SAMPLING_STEPS = {"latent": 100, "pixels": 25}  # of DDIM
N, SEED = 500, 0  # images on each side of a distance


def run(out: Path) -> None:
    """Trains `faces-latent`, `faces-pixels`, `faces-vae-128px`, `faces-latent-128px`: 20 minutes.

    metrics/latent.json holds their Fréchet distances beside those of N(0, I), of a fitted Gaussian,
    of rebuilt faces and the floor, and the seconds of training and of sampling.
    """
    data = official_split(datasets.load("celeba", size=64))
    if (name := find("-vae-128", data)) is None:
        raise CourseError("no VAE of these faces: python -m course_lib train faces")
    vae, vae_card = checkpoints.load(name)
    denoiser = train_latent(vae, data, "latent", DENOISER, out=out)
    pixels = train_pixels(data, out=out)
    large = official_split(datasets.load("celeba", size=128))
    large_vae = train_vae(large, out=out)
    large_denoiser = train_latent(large_vae.model, large, "latent-128px", LARGE_DENOISER, out=out)
    sizes = {
        "64": compared(data, Trained(vae, vae_card["seconds"]), denoiser, pixels),
        "128": compared(large, large_vae, large_denoiser, None),
    }
    seconds = sum(model.seconds for model in (denoiser, pixels, large_vae, large_denoiser))
    about = cards.card("latent", data, seed=SEED, seconds=seconds, n=N, steps=SAMPLING_STEPS)
    checkpoints.write_json(out / "metrics" / "latent.json", about | {"sizes": sizes})


class Trained(NamedTuple):
    """A model in eval mode on the CPU, and the seconds of its training."""

    model: nn.Module
    seconds: float


def train_latent(vae: ConvVAE, data: Dataset, name: str, sizes: dict, *, out: Path) -> Trained:
    """A denoiser of the mean codes of the training images, kept under this name."""
    z = codes_of(vae, data.train.images)
    torch.manual_seed(SEED)
    model = CodeDenoiser(z.shape[1], **sizes).learn_scale(z)
    epochs = EPOCHS[name]
    test = codes_of(vae, data.test.images)
    records, seconds = cards.run(
        lambda: fit(
            model, code_objective, as_labels(z), valid=as_labels(test), epochs=epochs, seed=SEED,
            **CODES,
        ),
        title=name, steps=epochs * -(-len(z) // CODES["batch_size"]),
    )  # fmt: skip
    kept = {"epochs": epochs} | CODES | {"objective": "code_objective"}
    return _keep(model, model.arguments, data, name, seconds, kept, records, out=out)


def train_pixels(data: Dataset, *, out: Path) -> Trained:
    """A U-Net for the faces themselves, of one class, kept as `pixels`."""
    torch.manual_seed(SEED)
    model = UNet(**UNET).to(memory_format=torch.channels_last)
    images, test = data.train.images[:PIXEL_FACES], data.test.images[:N]
    records, seconds = cards.run(
        lambda: fit(
            model, diffusion_objective, one_class(images), valid=one_class(test),
            epochs=EPOCHS["pixels"], seed=SEED, bfloat16=True, **PIXELS,
        ),
        title="pixels", steps=EPOCHS["pixels"] * -(-len(images) // PIXELS["batch_size"]),
    )  # fmt: skip
    kept = {"epochs": EPOCHS["pixels"], "images": len(images)} | PIXELS
    kept |= {"objective": "diffusion_objective"}
    return _keep(model, UNET, data, "pixels", seconds, kept, records, out=out)


def train_vae(data: Dataset, *, out: Path) -> Trained:
    """A small VAE of 128 pixels with the optimal σ, its latents standardized: `vae-128px`."""
    torch.manual_seed(SEED)
    model, images, epochs = ConvVAE(**LARGE_VAE), data.train.images, EPOCHS["vae-128px"]
    records, seconds = cards.run(
        lambda: fit(
            model, optimal_sigma_objective, images, valid=data.valid.images, epochs=epochs,
            seed=SEED, after_step=keep_log_sigma, bfloat16=True, **VAE,
        ),
        title="vae-128px", steps=epochs * -(-len(images) // VAE["batch_size"]),
    )  # fmt: skip
    model.cpu().eval()
    standardize_latents(model, data.valid.images)
    calibrate_sigma(model, data.valid.images)
    kept = {"epochs": epochs} | VAE | {"objective": "optimal_sigma_objective"}
    return _keep(model, LARGE_VAE, data, "vae-128px", seconds, kept, records, out=out)


def _keep(
    model: nn.Module, arguments: dict, data: Dataset, name: str, seconds: float, training: dict,
    records: list, *, out: Path,
) -> Trained:  # fmt: skip
    """Save a model with its card; what is saved is what is measured later, in half precision."""
    name = f"{'faces' if data.stand_in else 'celeba'}-{name}"
    curve = [round(record.valid["loss"], 2) for record in records]
    about: dict[str, Any] = {"training": training, "curve": curve, "test": {"loss": curve[-1]}}
    card = cards.card("latent", data, seed=SEED, seconds=seconds, **about)
    cards.keep(model, name, arguments, card, out=out)
    print(f"{name}: loss {curve[-1]}, {seconds:.0f} s", flush=True)
    return Trained(checkpoints.load(name, folder=out)[0], seconds)


def codes_of(vae: ConvVAE, images: Tensor) -> Tensor:
    """Mean codes of uint8 images, (N, d), some at a time."""
    return torch.cat([code_of(vae, to_float(part)) for part in images.split(1_000)])


def one_class(images: Tensor) -> tuple[Tensor, Tensor]:
    """The images, all labelled 0: the U-Net wants a class."""
    return images, torch.zeros(len(images), dtype=torch.long)


def compared(data: Dataset, vae: Trained, denoiser: Trained, pixels: Trained | None) -> dict:
    """Fréchet distances to test faces and to rebuilt test faces; seconds, parameters."""
    decoder, ruler = vae.model, Ruler(data, vae.model)
    codes = codes_of(decoder, data.train.images)
    z, others = codes[: ruler.n], to_float(data.train.images[: ruler.n])
    noise, shape = _generator(), others.shape[1:]
    rows = [
        ruler.row("training faces", lambda: others),
        ruler.row("rebuilt training faces", lambda: image_of(decoder, z)),
        ruler.row("N(0, I)", lambda: image_of(
            decoder, torch.randn(ruler.n, z.shape[1], generator=noise))),
        ruler.row("fitted Gaussian", lambda: image_of(
            decoder, gaussian_codes(codes, ruler.n, generator=noise))),
        ruler.row("latent diffusion", lambda: image_of(decoder, sample_codes(
            denoiser.model, ruler.n, steps=SAMPLING_STEPS["latent"], generator=_generator()))),
    ]  # fmt: skip
    _tell(rows[-1], denoiser)
    if pixels:
        unet, y = pixels.model.to(memory_format=torch.channels_last), torch.zeros(ruler.n).long()
        rows.append(ruler.row("pixel diffusion", lambda: _in_parts(unet, y, shape)))
        _tell(rows[-1], pixels)
    return {"vae_seconds": round(vae.seconds, 1), "n": ruler.n, "rows": rows}


def _tell(row: dict, trained: Trained) -> None:
    row["parameters"] = sum(p.numel() for p in trained.model.parameters())
    row["train_seconds"] = round(trained.seconds, 1)


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(SEED)


def _in_parts(unet: UNet, y: Tensor, shape: torch.Size) -> Tensor:
    """Samples of pixel diffusion, 50 at a time, to save memory."""
    noise = _generator()
    return torch.cat([
        sample_ddim(unet, part, steps=SAMPLING_STEPS["pixels"], generator=noise, shape=tuple(shape))
        for part in y.split(50)
    ])  # fmt: skip


class Ruler:
    """Fréchet distances on course features to test faces, and to these rebuilt by the VAE."""

    def __init__(self, data: Dataset, vae: ConvVAE) -> None:
        self.judge, _ = checkpoints.load(
            "faces32-classifier" if data.stand_in else "cifar10-classifier"
        )
        x = to_float(data.test.images[:N])
        self.n = len(x)
        self.to_test = self._statistics(x)
        self.to_rebuilt = self._statistics(image_of(vae, code_of(vae, x)))

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return feature_statistics(features_of(self.judge, x))

    def row(self, name: str, draw: Callable[[], Tensor]) -> dict:
        """The two distances of the images, and the seconds that drawing them took."""
        start = time.perf_counter()
        with torch.no_grad():
            x = draw()
        seconds, mine = time.perf_counter() - start, self._statistics(x)
        found = {
            "frechet": round(frechet_distance(*mine, *self.to_test), 2),
            "frechet_rebuilt": round(frechet_distance(*mine, *self.to_rebuilt), 2),
        }
        print(f"{name}: {found}, {seconds:.1f} s", flush=True)
        return {"name": name} | found | {"sample_seconds": round(seconds, 2)}
