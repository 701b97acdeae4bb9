"""The convolutional networks of two reports that the course grew from."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from course_lib.distributions import gaussian


class ReportAutoencoder(nn.Module):
    """Report 003: 1 × 28 × 28 to 64 × 7 × 7 and back, three convolutions each way."""

    def __init__(self) -> None:
        super().__init__()
        down, up, act = {"stride": 2, "padding": 1}, nn.ConvTranspose2d, nn.ReLU
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, **down), act(), nn.Conv2d(16, 32, 3, **down), act(),
            nn.Conv2d(32, 64, 3, padding=1), act(),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            up(64, 32, 3, padding=1), act(), up(32, 16, 3, output_padding=1, **down), act(),
            up(16, 1, 3, output_padding=1, **down), nn.Sigmoid(),
        )  # fmt: skip

    def encode(self, x: Tensor) -> Tensor:
        """(B, 1, 28, 28) to (B, 64, 7, 7)."""
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """(B, 64, 7, 7) to (B, 1, 28, 28) in [0, 1]."""
        return self.decoder(z)


def usual_halves(n_encoded: int, n_decoded: int) -> tuple[nn.Sequential, nn.Sequential]:
    """3 × 64 × 64 to n_encoded numbers, and n_decoded numbers to logits of an image.

    Four convolutions of kernel 4 and stride 2 with 32 to 256 channels, and all of it mirrored.
    """
    down, up, act = {"stride": 2, "padding": 1}, nn.ConvTranspose2d, nn.ReLU
    encoder = nn.Sequential(
        nn.Conv2d(3, 32, 4, **down), act(), nn.Conv2d(32, 64, 4, **down), act(),
        nn.Conv2d(64, 128, 4, **down), act(), nn.Conv2d(128, 256, 4, **down), act(),
        nn.Flatten(), nn.Linear(4096, n_encoded),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(n_decoded, 4096), act(), nn.Unflatten(1, (256, 4, 4)),
        up(256, 128, 4, **down), act(), up(128, 64, 4, **down), act(),
        up(64, 32, 4, **down), act(), up(32, 3, 4, **down),
    )  # fmt: skip
    return encoder, decoder


class ReportVAE(nn.Module):
    """Report 000: 3 × 64 × 64 through four convolutions to n latents, and all of it mirrored.

    Its sizes are the usual ones: the report names none. p(x|z) has σ = 1.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.encoder, self.decoder = usual_halves(2 * latent_dim, latent_dim)

    def encode(self, x: Tensor) -> Normal:
        """(B, 3, 64, 64) to q_z over (B, d)."""
        return gaussian(*self.encoder(x).chunk(2, dim=1))

    def decode(self, z: Tensor) -> Normal:
        """(B, d) to p_x over (B, 3, 64, 64)."""
        x_hat = torch.sigmoid(self.decoder(z))
        return Normal(x_hat, torch.ones_like(x_hat), validate_args=False)
