"""What each kind of damage in `corrupt` is like, whatever random numbers made it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

HINTS = {
    "spread of the noise, in levels": "The noise has the wrong spread: its standard deviation is "
    "`level`.",
    "mean of the noise, in levels": "The noise has the wrong mean: it is symmetric about 0.",
    "it is normal": "The noise is not normal: draw it with `torch.randn`.",
    "each image has its own noise": "All images get the same noise: draw one number for each "
    "entry of x, (B, C, H, W).",
    "each channel has its own noise": "All channels get the same noise: draw one number for each "
    "entry of x, (B, C, H, W).",
    "what leaves [0, 1] is clamped": "What leaves [0, 1] is to stop at 0 or 1: clamp it.",
    "height of the square": "The square has the wrong height: round(level · min(H, W)).",
    "width of the square": "The square has the wrong width: round(level · min(H, W)).",
    "it is one full square": "What is hidden is not one full square in each image.",
    "it is cut out of all channels": "The square has to be cut out of all channels alike.",
    "it is black": "The square is to be set to 0.",
    "each image has its own place": "All images lose the same square: draw a place for each.",
    "rows where it begins": "Some places never occur, or some that do not fit: the top row of the "
    "square is one of 0 to H − side.",
    "columns where it begins": "Some places never occur, or some that do not fit: the left column "
    "of the square is one of 0 to W − side.",
    "all places equally often": "Some places occur more often than others: draw them with "
    "`torch.randint`.",
    "share of entries hit": "The share of pixels hit is wrong: it is `level`.",
    "share of white among them": "Among the pixels hit, black and white should be equally many.",
    "hit pixels become 0 or 1": "A pixel that is hit becomes exactly 0 or 1.",
    "all channels are hit together": "The channels are hit at different pixels: a pixel is hit in "
    "all of its channels, so draw for (B, 1, H, W).",
    "all channels get one value": "A pixel that is hit becomes black or white, in all of its "
    "channels: draw the value, too, for (B, 1, H, W).",
    "each image has its own pixels": "The same pixels are hit in every image: draw for each.",
}


def settle(measured: Tensor | float, known: list[float], *, error: float) -> float | str:
    """The nearest of the known values if it is within five standard errors."""
    nearest = min(known, key=lambda value: abs(float(measured) - value))
    return nearest if abs(float(measured) - nearest) <= 5 * error + 1e-9 else "another"


def _alike(parts: Tensor) -> bool:
    """Whether the first two rows are the same noise."""
    return len(parts) > 1 and bool(torch.corrcoef(parts[:2])[0, 1] > 0.5)


def gaussian(x: Tensor, y: Tensor, level: float) -> dict[str, Any]:
    """Where no noise reaches 0 or 1 it is seen as it is; elsewhere only how it is cut off."""
    below, above = (torch.special.ndtr(-gap / level).mean() for gap in (x, 1 - x))
    n = x.numel()
    if max(below, above) > 1e-6:
        ends = zip(
            ((y == 0).double().mean(), (y == 1).double().mean()), (below, above), strict=True
        )
        return {
            "what leaves [0, 1] is clamped": all(
                abs(share - p) < 5 * (p * (1 - p) / n) ** 0.5 for share, p in ends
            )
        }
    noise = (y - x) / level
    images, channels = _alike(noise.flatten(1)), _alike(noise.transpose(0, 1).flatten(1))
    independent = n if not (images or channels) else x[0, 0].numel()
    spread = noise.std().item()
    beyond = ((noise - noise.mean()).abs() > 2 * spread).double().mean()
    spreads = [1, level**-0.5, level, 12**-0.5, 3**-0.5, 0.5, 2, (1 - 2 / torch.pi) ** 0.5]
    means = [0, 0.5, -0.5, (2 / torch.pi) ** 0.5]
    return {
        "spread of the noise, in levels": settle(
            spread, spreads, error=spread / (2 * independent) ** 0.5
        ),
        "mean of the noise, in levels": settle(
            noise.mean(), means, error=spread / independent**0.5
        ),
        "it is normal": bool(abs(beyond - 0.0455) < 5 * (0.0455 / independent) ** 0.5),
        "each image has its own noise": not images,
        "each channel has its own noise": not channels,
    }


def _extent(seen: Tensor) -> tuple[Tensor, Tensor]:
    """First place and length of what is seen in each row of (B, n)."""
    first = seen.int().argmax(1)
    return first, seen.shape[1] - seen.flip(1).int().argmax(1) - first


def _only(values: Tensor) -> int | str:
    """The one value that all images share."""
    return int(values[0]) if bool((values == values[0]).all()) else "differs between images"


def _even(places: Tensor) -> bool:
    """Whether each place that occurs does so about equally often."""
    counts = torch.unique(places, return_counts=True)[1].double()
    share = 1 / len(counts)
    error = (share * (1 - share) / len(places)) ** 0.5
    return bool((counts / len(places) - share).abs().max() <= 5 * error)


def mask(x: Tensor, y: Tensor, level: float) -> dict[str, Any]:
    """What is hidden in each image: its extent, its filling, its place."""
    changed = y != x
    hidden = changed.any(1)  # (B, H, W)
    top, height = _extent(hidden.any(2))
    left, width = _extent(hidden.any(1))
    found = {
        "height of the square": _only(height),
        "width of the square": _only(width),
        "it is one full square": torch.equal(hidden.sum((1, 2)), height * width),
        "it is cut out of all channels": torch.equal(changed.all(1), hidden),
        "it is black": bool((y[changed] == 0).all()),
        "each image has its own place": len({*zip(top.tolist(), left.tolist(), strict=True)}) > 1,
    }
    if len(x) < 100:  # too few to say where squares may lie
        return found
    return found | {
        "rows where it begins": top.unique(),
        "columns where it begins": left.unique(),
        "all places equally often": _even(top) and _even(left),
    }


def salt_pepper(x: Tensor, y: Tensor, level: float) -> dict[str, Any]:
    """Which pixels are hit, and what becomes of them; x has neither black nor white in it."""
    hit = y != x  # (B, C, H, W)
    some, values = hit.any(1), y[hit]
    own = bool((some[0] != some[1]).any()) or level == 1
    area = some[0].numel()  # independent even where all images share their pixels
    shares = [level, min(1, 2 * level), level / 2, 1 - level, 0]
    whites = [0.5, 1, 0, min(1, 0.5 / level), level, 1 - level]
    return {
        "share of entries hit": settle(
            hit.double().mean(), shares, error=(level * (1 - level) / area) ** 0.5
        ),
        "share of white among them": settle(
            (values > 0.5).double().mean(), whites, error=0.5 / (max(1, area * level)) ** 0.5
        ),
        "hit pixels become 0 or 1": bool(((values == 0) | (values == 1)).all()),
        "all channels are hit together": torch.equal(hit.all(1), some),
        "all channels get one value": bool(((y == y[:, :1]).all(1) | ~hit.all(1)).all()),
        "each image has its own pixels": own,
    }
