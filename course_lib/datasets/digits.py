"""The stand-in for MNIST: scikit-learn's real handwritten digits, enlarged and warped.

scikit-learn brings 1,797 digits of 8×8 pixels, made by counting the inked points in each 4×4
block of a 32×32 scan. Bicubic interpolation and more contrast come close to that scan again.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.datasets.catalog import Spec
from course_lib.datasets.splits import Dataset, Split

DIGITS = tuple("0123456789")
N_TRAIN, N_TEST = 12_000, 2_000
SIDE = 28
BOX = 20  # a digit fills 20×20 of 28×28, as in MNIST
CONTRAST = 2.6  # steepness of the edge between paper and ink
THRESHOLD = 0.57  # a little above one half: thinner strokes, as in MNIST


def draw_digits(spec: Spec, size: int) -> Dataset:
    """12,000 and 2,000 warped digits (1, 28, 28); no original is behind images of both splits."""
    from sklearn.datasets import load_digits

    source = load_digits()
    originals = torch.from_numpy(source.images).float() / 16  # (1797, 8, 8) in [0, 1]
    labels = torch.from_numpy(source.target).to(torch.int64)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    n_held = len(labels) // 7  # as 2,000 in 14,000
    splits = [
        _vary(originals[index], labels[index], n=n, seed=seed)
        for seed, (index, n) in enumerate(((order[n_held:], N_TRAIN), (order[:n_held], N_TEST)))
    ]
    text = f"stand-in for {spec.title}: scikit-learn's 8×8 handwritten digits, enlarged and warped"
    return Dataset(spec.name, text, *splits, stand_in=True, label_names=DIGITS)


def _vary(originals: Tensor, labels: Tensor, *, n: int, seed: int) -> Split:
    """n warped copies, every original equally often (give or take one), in random order."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(n, generator=generator) % len(labels)
    warps = _warps(n, generator)
    batches = zip(order.split(2000), warps.split(2000), strict=True)
    images = torch.cat([enlarge(originals[index], warp) for index, warp in batches])
    return Split(images, labels[order])


def _warps(n: int, generator: torch.Generator) -> Tensor:
    """Small rotations (±12°), scalings (±10 %), shears (±0.2) and shifts (±1.5 pixels).

    Returns (n, 2, 3): where in the 8×8 original, whose corners are (±1, ±1), each point of the
    28×28 image comes from.
    """
    u = 2 * torch.rand(n, 6, generator=generator) - 1  # (n, 6) in [−1, 1)
    angle, shear = u[:, 0] * math.radians(12), u[:, 1] * 0.2
    scale_x, scale_y = 1 + 0.1 * u[:, 2], 1 + 0.1 * u[:, 3]
    cos, sin = angle.cos(), angle.sin()
    rows = [
        torch.stack((cos / scale_x, (sin + shear) / scale_x), dim=1),
        torch.stack((-sin / scale_y, cos / scale_y), dim=1),
    ]
    matrix = torch.stack(rows, dim=1) * (SIDE / BOX)  # (n, 2, 2)
    shift = u[:, 4:] * (1.5 * 2 / BOX)
    return torch.cat((matrix, shift[:, :, None]), dim=2)


def enlarge(originals: Tensor, warps: Tensor) -> Tensor:
    """(B, 8, 8) in [0, 1] and (B, 2, 3) to uint8 (B, 1, 28, 28): dark paper, full range of grey."""
    grid = F.affine_grid(warps, (len(warps), 1, SIDE, SIDE), align_corners=False)
    soft = F.grid_sample(originals[:, None], grid, mode="bicubic", align_corners=False)
    ink = (0.5 + CONTRAST * (soft - THRESHOLD)).clamp(0, 1)  # (B, 1, 28, 28)
    peak = ink.amax(dim=(1, 2, 3), keepdim=True).clamp(min=0.1)
    return (255 * ink / peak).round().to(torch.uint8)
