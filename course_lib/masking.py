"""Masked autoencoding in four functions: an order, what is predicted, the objective, filling in.

Source: He et al. (2022), "Masked autoencoders are scalable vision learners".
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from course_lib.losses import ErrorTerms
from course_lib.models.masked import MaskedAutoencoder, image_from, patches_of

RATIO = 0.75  # the share of the patches that is hidden


def orders(patches: Tensor, generator: Generator | None = None) -> Tensor:
    """The patches of each image in an order of its own, drawn by lot: (B, N, D) to (B, N) int64.

    Without a generator PyTorch's own random numbers are used.
    """
    device = patches.device if generator is None else generator.device
    keys = torch.rand(patches.shape[:2], generator=generator, device=device)
    return keys.sort(dim=1).indices.to(patches.device)


def predicted(
    model: MaskedAutoencoder, x: Tensor, order: Tensor, ratio: float = RATIO
) -> tuple[Tensor, Tensor]:
    """Predicted patches (B, N, C·patch²), and the mask (B, N), True where a patch was hidden.

    order: (B, N), the patches of each image; the last round(ratio · N) of them are hidden.
    """
    N, tokens = order.shape[1], model.embed(x)
    shown = order[:, : N - round(ratio * N)]  # (B, K)
    codes = model.encode(torch.take_along_dim(tokens, shown[:, :, None], dim=1))
    places = torch.empty_like(order).scatter_(1, order, torch.arange(N).to(order).expand_as(order))
    return model.decode(codes, places), places >= shown.shape[1]


def masked_objective(model: MaskedAutoencoder, x: Tensor) -> tuple[Tensor, ErrorTerms]:
    """Mean over the batch of Σ (x − x̂)² over the pixels of hidden patches, for `training.fit`.

    x: (B, C, H, W) in [0, 1]; RATIO of its patches are hidden. Targets are the pixels as they are,
    not normalised in each patch: so errors can be held against those of other ways to fill in.
    """
    patches = patches_of(x, model.patch)
    patches_hat, hidden = predicted(model, x, orders(patches))
    squares = (patches_hat - patches).square().sum(2)  # (B, N)
    terms = ErrorTerms((squares * hidden).sum(1))
    return terms.squared_error.mean(), terms


@torch.no_grad()
def fill_in(
    model: MaskedAutoencoder, x: Tensor, order: Tensor, ratio: float = RATIO
) -> tuple[Tensor, Tensor]:
    """Images whose hidden patches are the model's, (B, C, H, W), and where, (B, 1, H, W) bool."""
    patches_hat, hidden = predicted(model, x, order, ratio)
    filled = torch.where(hidden[:, :, None], patches_hat, patches_of(x, model.patch)).clamp(0, 1)
    flags = hidden[:, :, None].expand(-1, -1, model.patch**2).float()
    image, where = (image_from(part, model.patch, rows=model.rows) for part in (filled, flags))
    return image, where.bool()
