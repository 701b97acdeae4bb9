"""Answers to `free_bits` whose floor is elsewhere, or is none."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.spec import Mistake


def _right(kl: Tensor, floor: float) -> Tensor:
    return torch.relu(kl.mean(0) - floor).sum() + floor * kl.shape[1]


def _past_the_graph(kl: Tensor, floor: float) -> Tensor:
    """The right value with the gradient of the plain KL."""
    plain = kl.mean(0).sum()
    return plain + (_right(kl, floor) - plain).detach()


_PER_IMAGE = (
    "the mean over the batch comes first, so that an image may use a latent and others not."
)
_SUM = (
    "The floor is on the sum over the latents, so one latent can use it up while the others "
    "collapse. Every latent has its own."
)
_GRAPH = (
    "The values are right, but they have no graph, so the encoder learns nothing from them. Leave "
    "out `.detach()`, `.item()` and numpy."
)
FLOORS = (
    Mistake(
        "floor per image",
        lambda kl, floor: kl.clamp(min=floor).mean(0).sum(),
        f"You put the floor on every image by itself: {_PER_IMAGE}",
    ),
    Mistake(
        "floor per image, summed over the batch",
        lambda kl, floor: kl.clamp(min=floor).sum(),
        "You put the floor on every image by itself and sum over the batch. Average each latent "
        "over the batch first.",
    ),
    Mistake(
        "floor on the sum of each image",
        lambda kl, floor: kl.sum(1).clamp(min=floor).mean(),
        f"You put the floor on the whole KL of each image. {_SUM}",
    ),
    Mistake("floor on the sum", lambda kl, floor: kl.sum(1).mean().clamp(min=floor), _SUM),
    Mistake(
        "floors summed up",
        lambda kl, floor: kl.sum(1).mean().clamp(min=floor * kl.shape[1]),
        f"You compare the sum of the KLs with the sum of the floors. {_SUM}",
    ),
    Mistake(
        "floors summed up for each image",
        lambda kl, floor: kl.sum(1).clamp(min=floor * kl.shape[1]).mean(),
        f"You compare the KL of each image with the sum of the floors. {_SUM}",
    ),
    Mistake(
        "mean over latents",
        lambda kl, floor: kl.mean(0).clamp(min=floor).mean(),
        "You average over the latents at the end. The KLs of independent latents add up.",
    ),
    Mistake(
        "sum over the batch",
        lambda kl, floor: kl.sum(0).clamp(min=floor).sum(),
        "You sum over the batch before the floor. Then a larger batch is always above it: take "
        "the mean.",
    ),
    Mistake(
        "floor after the sum, then averaged",
        lambda kl, floor: kl.sum(0).clamp(min=floor).sum() / len(kl),
        "You sum over the batch before the floor and divide after it. The floor is for the mean.",
    ),
    Mistake(
        "wrong axis",
        lambda kl, floor: kl.mean(1).clamp(min=floor).sum(),
        "You average over dimension 1, the latents, and sum over the images. The images are "
        "dimension 0.",
    ),
    Mistake(
        "wrong axis, mean",
        lambda kl, floor: kl.mean(1).clamp(min=floor).mean(),
        "You average over the latents of an image and put the floor there. Average over the "
        "images, dimension 0, and sum over the latents.",
    ),
    Mistake(
        "largest of the batch",
        lambda kl, floor: kl.amax(0).clamp(min=floor).sum(),
        "You take the largest KL of the batch for each latent. Take the mean.",
    ),
    Mistake(
        "median of the batch",
        lambda kl, floor: kl.quantile(0.5, 0).clamp(min=floor).sum(),
        "You take the median over the batch. Take the mean.",
    ),
    Mistake(
        "ceiling",
        lambda kl, floor: kl.mean(0).clamp(max=floor).sum(),
        "You cut the KL off above the floor. It is the smallest value, not the largest: `min=` of "
        "clamp is a lower bound.",
    ),
    Mistake(
        "ceiling per image",
        lambda kl, floor: kl.clamp(max=floor).mean(0).sum(),
        "You cut every KL off above the floor. It is the smallest value, not the largest, and it "
        "is for the mean over the batch.",
    ),
    Mistake(
        "floor subtracted",
        lambda kl, floor: (kl.mean(0) - floor).clamp(min=0).sum(),
        "You subtract the floor. The gradient is the same, but the loss is d · floor too small: a "
        "latent below the floor counts as the floor, not as 0.",
    ),
    Mistake(
        "floor subtracted per image",
        lambda kl, floor: (kl - floor).clamp(min=0).mean(0).sum(),
        f"You subtract the floor, and from every image by itself. Below it a latent counts as the "
        f"floor, and {_PER_IMAGE}",
    ),
    Mistake(
        "floor subtracted without end",
        lambda kl, floor: (kl.mean(0) - floor).sum(),
        "You subtract the floor everywhere, so the KL still pulls every latent down. Below the "
        "floor it has to be flat.",
    ),
    Mistake(
        "floor added",
        lambda kl, floor: (kl.mean(0) + floor).sum(),
        "You add the floor. Above it a latent counts as it is; only below it the floor stands in.",
    ),
    Mistake(
        "distance from the floor",
        lambda kl, floor: (kl.mean(0) - floor).abs().sum(),
        "You take the distance from the floor, which pulls every latent towards it. A latent above "
        "counts as it is, and one below as the floor.",
    ),
    Mistake(
        "distance of the sum",
        lambda kl, floor: (kl.sum(1).mean() - floor).abs(),
        "This is the distance of the whole KL from a capacity. Free bits put a floor under each "
        "latent.",
    ),
    Mistake(
        "0 below the floor",
        lambda kl, floor: torch.where(kl.mean(0) > floor, kl.mean(0), 0.0).sum(),
        "A latent below the floor counts as 0 in your sum. It counts as the floor.",
    ),
    Mistake(
        "no floor",
        lambda kl, floor: kl.mean(0).sum(),
        "This is the plain KL: the floor is missing.",
    ),
    Mistake(
        "no floor, summed over the batch",
        lambda kl, floor: kl.sum(),
        "This is the plain KL, summed over the batch: the floor is missing, and the mean.",
    ),
    Mistake(
        "floor shared out",
        lambda kl, floor: kl.mean(0).clamp(min=floor / kl.shape[1]).sum(),
        "You divide the floor among the latents. `floor` is what each one may use.",
    ),
    Mistake(
        "floor times the batch",
        lambda kl, floor: kl.sum(0).clamp(min=floor * len(kl)).sum(),
        "Your result is B times too large: the sum over the batch in place of its mean.",
    ),
    Mistake(
        "floor in bits",
        lambda kl, floor: kl.mean(0).clamp(min=floor * math.log(2)).sum(),
        "You turn the floor from bits into nats. In spite of the name it comes in nats.",
    ),
    Mistake(
        "floor turned into bits",
        lambda kl, floor: kl.mean(0).clamp(min=floor / math.log(2)).sum(),
        "You turn the floor from nats into bits. The KL is in nats, too.",
    ),
    Mistake(
        "soft floor",
        lambda kl, floor: (floor + F.softplus(kl.mean(0) - floor)).sum(),
        "Your maximum is soft, as softplus and logsumexp make it, and larger than both. The "
        "exercise asks for one with a corner.",
    ),
    Mistake(
        "largest latent",
        lambda kl, floor: kl.mean(0).max().clamp(min=floor),
        "You return the largest latent alone. Compare each latent with the floor, then sum.",
    ),
    Mistake(
        "not summed",
        lambda kl, floor: kl.mean(0).clamp(min=floor),
        "You return one value a latent, (d,). Sum over the latents.",
    ),
    Mistake(
        "of each image",
        lambda kl, floor: kl.clamp(min=floor).sum(1),
        "You return one value an image, (B,), with the floor on each. Average over the batch "
        "before the floor, then sum over the latents.",
    ),
    Mistake(
        "sign",
        lambda kl, floor: -_right(kl, floor),
        "The sign is turned round. The loss takes this in place of the KL, with the same sign.",
    ),
    Mistake(
        "gradient past the floor",
        _past_the_graph,
        "The value is right, its gradient is not: a latent below the floor must not be pulled "
        "down. The maximum has to be in the graph.",
    ),
    Mistake("detached", lambda kl, floor: _right(kl.detach(), floor), _GRAPH),
)
