"""The course's own classifier of 32×32 images: the features behind Fréchet distance and KID."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

FEATURES = 64


def _block(n_in: int, n_out: int) -> list[nn.Module]:
    """Convolution, batch normalisation, ReLU; the bias is the normalisation's."""
    return [
        nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
    ]


class Classifier(nn.Module):
    """p(y|x) = softmax(W·features(x)), five convolutions, 64 features.

    x: (B, 3, 32, 32) in [0, 1]. levels: of each factor that the features are trained to tell as
    well, how many values it takes; each gets a head of its own on the same features.
    """

    def __init__(self, n_classes: int, *, levels: Sequence[int] = (), channels: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, 48, 4, stride=2, padding=1),  # 16 × 16
            nn.ReLU(),
            *_block(48, 64),
            nn.MaxPool2d(2),  # 8 × 8
            *_block(64, 96),
            *_block(96, 128),
            nn.MaxPool2d(2),  # 4 × 4
            *_block(128, 128),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(128, FEATURES),
        )
        self.head = nn.Linear(FEATURES, n_classes)
        self.factor_heads = nn.ModuleList(nn.Linear(FEATURES, n) for n in levels)

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees: (B, 3, 32, 32) to (B, 64)."""
        return self.body(2 * x - 1).float()

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the classes, (B, n_classes)."""
        return self.head(self.features(x)).float()

    def heads(self, x: Tensor) -> list[Tensor]:
        """Logits of the classes, then of the levels of each factor: (B, n) each."""
        features = self.features(x)
        return [head(features).float() for head in (self.head, *self.factor_heads)]
