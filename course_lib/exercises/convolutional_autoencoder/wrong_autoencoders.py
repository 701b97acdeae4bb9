"""Ways to get `ConvAutoencoder` wrong: each changes one part of a small right one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def encode_rightly(model: nn.Module, x: Tensor) -> Tensor:
    """The encoder's output as it is."""
    return model.encoder(x)


def decode_rightly(model: nn.Module, z: Tensor) -> Tensor:
    """The decoder's output through a sigmoid."""
    return torch.sigmoid(model.decoder(z))


def same(*sizes: int) -> tuple[int, ...]:
    """Sizes as they are."""
    return sizes


def down(C: int, h: int, w: int, d: int) -> list[nn.Module]:
    """Layers from (B, C, 4h, 4w) to (B, d)."""
    return [
        nn.Conv2d(C, 4, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(6 * h * w, d),
    ]  # fmt: skip


def down_turned(C: int, h: int, w: int, d: int) -> list[nn.Module]:
    """A layer that knows the size of what it gets, with width before height."""
    return [nn.LayerNorm((C, 4 * w, 4 * h)), *down(C, h, w, d)]


def up(C: int, h: int, w: int, d: int) -> list[nn.Module]:
    """Layers from (B, d) to (B, C, 4h, 4w)."""
    return [
        nn.Linear(d, 6 * h * w), nn.ReLU(), nn.Unflatten(1, (6, h, w)),
        nn.ConvTranspose2d(6, 4, 4, stride=2, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(4, C, 4, stride=2, padding=1),
    ]  # fmt: skip


def up_too_small(C: int, h: int, w: int, d: int) -> list[nn.Module]:
    """Transposed convolutions without output padding: 7 to 13 to 25 pixels."""
    layers = up(C, h, w, d)
    layers[3], layers[5] = (nn.ConvTranspose2d(a, b, 3, 2, 1) for a, b in ((6, 4), (4, C)))
    return layers


def up_once(C: int, h: int, w: int, d: int) -> list[nn.Module]:
    """Half of the side: one doubling is missing."""
    return [*up(C, h, w, d)[:4], nn.ReLU(), nn.Conv2d(4, C, 3, padding=1)]


def dense_down(C: int, h: int, w: int, d: int) -> list[nn.Module]:
    """No convolution."""
    return [nn.Flatten(), nn.Linear(16 * C * h * w, 8), nn.ReLU(), nn.Linear(8, d)]


def dense_up(C: int, h: int, w: int, d: int) -> list[nn.Module]:
    """No convolution."""
    n = 16 * C * h * w
    return [nn.Linear(d, 8), nn.ReLU(), nn.Linear(8, n), nn.Unflatten(1, (C, 4 * h, 4 * w))]


def autoencoder(
    *,
    encode: Callable = encode_rightly,
    decode: Callable = decode_rightly,
    layers: tuple[Callable, Callable] = (down, up),
    takes: Callable = same,
    gives: Callable = same,
    hold: Callable[[list], object] = lambda layers: nn.Sequential(*layers),
    unused: bool = False,
) -> Callable:
    """A class with these parts; `takes` and `gives` change (C, h, w, d) of the two halves."""

    class Candidate(nn.Module):
        def __init__(self, channels: int, size: int | tuple[int, int], latent_dim: int) -> None:
            super().__init__()
            self.C, self.d = channels, latent_dim
            self.H, self.W = (size, size) if isinstance(size, int) else size
            sizes = (channels, self.H // 4, self.W // 4, latent_dim)
            self.encoder = hold(layers[0](*takes(*sizes)))
            self.decoder = hold(layers[1](*gives(*sizes)))
            self.extra = nn.Linear(2, 2) if unused else None

        def encode(self, x: Tensor) -> Tensor:
            return encode(self, x)

        def decode(self, z: Tensor) -> Tensor:
            return decode(self, z)

        def forward(self, x: Tensor) -> Tensor:
            return self.decode(self.encode(x))

    return Candidate


class Listed(list):
    """A plain list of layers that can be called, as students do in a loop."""

    def __call__(self, x: Tensor) -> Tensor:
        for layer in self:
            x = layer(x)
        return x


def remembering(model: nn.Module, x: Tensor) -> Tensor:
    """Keeps the image for `decode`."""
    model.x = x
    return model.encoder(x)


def with_memory(model: nn.Module, z: Tensor) -> Tensor:
    """Adds what `encode` kept."""
    return torch.sigmoid(model.decoder(z) + model.x)


def standardised(x: Tensor) -> Tensor:
    """By the mean and spread of the batch."""
    return (x - x.mean(0)) / (x.std(0, correction=0) + 1e-5)


def mixed(z: Tensor) -> Tensor:
    """(B, d) read in the order of (d, B): numbers of different images in one row."""
    return z.reshape(z.shape[1], z.shape[0]).T


def dropped(x: Tensor) -> Tensor:
    """Dropout that `eval()` does not switch off."""
    return nn.functional.dropout(x, 0.2)
