"""A small vision transformer that is shown some patches of an image and predicts the others."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.errors import CourseError


def patches_of(x: Tensor, size: int) -> Tensor:
    """Squares of size × size pixels in reading order, each as C rows of rows: (B, N, C·size²).

    x: (B, C, H, W), H and W multiples of size; N = (H/size)·(W/size).
    """
    return F.pixel_unshuffle(x, size).flatten(2).mT


def image_from(patches: Tensor, size: int, *, rows: int) -> Tensor:
    """The images that `patches_of` was given: (B, N, C·size²) to (B, C, rows·size, W)."""
    return F.pixel_shuffle(patches.mT.unflatten(2, (rows, -1)), size)


def grid_positions(rows: int, columns: int, width: int) -> Tensor:
    """sin and cos of row and of column at width/4 frequencies from 1 to 1e-4: (N, width), fixed.

    Source: Vaswani et al. (2017), section 3.5, once for each axis, as in He et al. (2022).
    """
    frequencies = torch.exp(-math.log(10_000) * torch.arange(width // 4) / (width // 4))
    place = torch.cartesian_prod(torch.arange(rows), torch.arange(columns))  # (N, 2)
    angles = (place[:, :, None] * frequencies).flatten(1)  # (N, width / 2)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class TransformerBlock(nn.Module):
    """h + attention(norm(h)), then h + mlp(norm(h)). Source: Dosovitskiy et al. (2021)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.to_qkv = nn.LayerNorm(width), nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, h: Tensor) -> Tensor:
        """(B, N, width) to the same; every token looks at every other."""
        B, N, width = h.shape
        qkv = self.to_qkv(self.norm(h)).view(B, N, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(*qkv.unbind())  # (B, heads, N, width / heads)
        h = h + self.out(seen.transpose(1, 2).reshape(B, N, width))
        return h + self.mlp(h)


class MaskedAutoencoder(nn.Module):
    """Tokens of patches → encoder of the visible ones → decoder, which predicts every patch.

    tokens = embed(x); codes = encode(visible tokens); patches_hat = decode(codes, restore). The
    encoder never sees a hidden patch, nor a token in its place: at a ratio of 3/4 it works on a
    quarter of the tokens. Positions are fixed. size: S, pixels a side, a multiple of `patch`.
    Source: He et al. (2022), "Masked autoencoders are scalable vision learners", much smaller.
    """

    def __init__(
        self,
        *,
        size: int = 32,
        channels: int = 3,
        patch: int = 4,
        width: int = 96,
        depth: int = 4,
        decoder_width: int = 64,
        decoder_depth: int = 1,
        head_width: int = 32,
    ) -> None:
        super().__init__()
        _check_sizes(size=size, patch=patch, widths=(width, decoder_width), head_width=head_width)
        self.patch, self.rows, n_pixels = patch, size // patch, channels * patch**2
        self.to_token = nn.Linear(n_pixels, width)
        self.encoder = _transformer(width, depth, width // head_width)
        self.to_decoder = nn.Linear(width, decoder_width)
        self.mask_token = nn.Parameter(0.02 * torch.randn(decoder_width))
        self.decoder = _transformer(decoder_width, decoder_depth, decoder_width // head_width)
        self.to_pixels = nn.Linear(decoder_width, n_pixels)
        for name, w in (("places", width), ("decoder_places", decoder_width)):
            positions = grid_positions(self.rows, self.rows, w)
            self.register_buffer(name, positions, persistent=False)

    def embed(self, x: Tensor) -> Tensor:
        """x: (B, C, S, S) in [0, 1]; returns a token of each patch and its place, (B, N, width)."""
        return self.to_token(2 * patches_of(x, self.patch) - 1) + self.places

    def encode(self, tokens: Tensor) -> Tensor:
        """The code of each token that is shown, whatever their number: (B, K, width)."""
        return self.encoder(tokens)

    def decode(self, codes: Tensor, restore: Tensor) -> Tensor:
        """Predicted pixels of all N patches, (B, N, C·patch²), in [0, 1] or a little outside.

        codes: (B, K, width) of the visible patches. restore: (B, N), where each patch of the image
        stands among the codes, those of hidden patches counted on from K.
        """
        shown = self.to_decoder(codes)  # (B, K, decoder_width)
        hidden = self.mask_token.expand(len(shown), restore.shape[1] - shown.shape[1], -1)
        h = torch.cat([shown, hidden.to(shown)], 1)
        h = h.gather(1, restore[:, :, None].expand(-1, -1, h.shape[2])) + self.decoder_places
        return (self.to_pixels(self.decoder(h)).float() + 1) / 2

    def features(self, x: Tensor) -> Tensor:
        """The mean of the codes of all patches, none hidden: (B, C, S, S) to (B, width)."""
        return self.encode(self.embed(x)).float().mean(1)


def _transformer(width: int, depth: int, heads: int) -> nn.Sequential:
    """(B, N, width) to the same, normalised."""
    blocks = (TransformerBlock(width, heads) for _ in range(depth))
    return nn.Sequential(*blocks, nn.LayerNorm(width))


def _check_sizes(*, size: int, patch: int, widths: tuple[int, int], head_width: int) -> None:
    """CourseError for sizes that do not work."""
    if patch < 1 or size < patch or size % patch:
        raise CourseError(f"size={size}, patch={patch}: a side must be a multiple of the patch")
    if any(width < 1 or width % 4 or width % head_width for width in widths):
        raise CourseError(f"widths {widths}: must be multiples of 4 and of head_width={head_width}")
