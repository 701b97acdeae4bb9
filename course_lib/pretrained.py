"""The model that a notebook asks for: the committed one of the data at hand, or one trained now."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_lib import checkpoints, devices, losses
from course_lib.datasets import Dataset, Split
from course_lib.models import ConvVAE
from course_lib.models.calibration import calibrate_sigma, standardize_latents
from course_lib.training import steps_of

BATCH = 128
N_CALIBRATE = 2_000  # training images for the scale of the latents and for σ


class Pretrained(NamedTuple):
    """A model in eval mode, its card, and the indices of the training images that it has seen."""

    model: nn.Module
    card: dict
    seen: Tensor  # (M,) int64


def find(ending: str, data: Dataset) -> str | None:
    """The name of the committed model with this ending that was trained on these data, or None.

    "-vae-128" may be `faces-vae-128` or `celeba-vae-128`: the cards say what each was trained on.
    """
    for name in (name for name in checkpoints.names() if name.endswith(ending)):
        card = checkpoints.card(name)
        if (card["data"], card["stand_in"]) == (data.name, data.stand_in):
            return name
    return None


def metrics_of(name: str, data: Dataset) -> dict | None:
    """The committed metrics of full runs on these data, or None where there are none of these."""
    path = checkpoints.DATA / "metrics" / f"{name}.json"
    about = checkpoints.metrics(name) if path.exists() else {}
    same = (about.get("data"), about.get("stand_in")) == (data.name, data.stand_in)
    return about if same else None


def as_trained(vae: ConvVAE, card: dict) -> ConvVAE | None:
    """A copy of the VAE before its latents were given mean 0 and variance 1: the same p(x|x').

    None where the card does not keep the mean and scale that the latents had.
    """
    if "standardized" not in card:
        return None
    mean, scale = (torch.tensor(card["standardized"][key]) for key in ("mean", "scale"))
    plain = copy.deepcopy(vae)
    plain.rescale_code(-mean / scale, 1 / scale)
    return plain


def load_or_train(ending: str, data: Dataset, *, steps: int, seed: int = 0) -> Pretrained:
    """The committed model with this ending, else one of the same kind after `steps` steps.

    A model of other faces would be a stranger to these; one trained here is rougher, but on the
    right images. Its card is that of the committed one, with the source, seconds and curve of now.
    A committed model has seen all training images.
    """
    if name := find(ending, data):
        return Pretrained(*checkpoints.load(name), torch.arange(len(data.train)))
    card = checkpoints.card("faces" + ending)
    order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(seed))
    seen = order[: steps * BATCH]
    with devices.seeded(seed):
        model = checkpoints.build(card)
    trained = _train(model, card, data.train.take(seen), steps=steps, seed=seed)
    told = {"source": f"{data.source}, here", "seed": seed, "data": data.name}
    return Pretrained(model, {**card, **told, "stand_in": data.stand_in, **trained}, seen)


def _train(model: nn.Module, card: dict, split: Split, *, steps: int, seed: int) -> dict:
    """Train as the card's objective says, in place; what is to be told of it."""
    objective = getattr(losses, card["training"]["objective"])
    every, curve = max(1, steps // 8), []
    for record in steps_of(model, objective, split, steps=steps, batch_size=BATCH, seed=seed):
        if record.step % every == 0:
            curve.append(record.loss)
    model.cpu().eval().requires_grad_(False)
    told = {"seconds": record.seconds, "curve": {"train": curve}, "every": every}
    if isinstance(model, ConvVAE):  # mean 0 and variance 1 of each latent, as in the recipe
        mean, scale = standardize_latents(model, split.images[:N_CALIBRATE])
        told["standardized"] = {"mean": mean.tolist(), "scale": scale.tolist()}
    if objective is losses.optimal_sigma_objective:
        calibrate_sigma(model, split.images[:N_CALIBRATE])
    return told
