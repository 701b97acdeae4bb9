"""How good are images: PSNR and SSIM for pairs; for sets distances, precision and recall."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.models import Classifier

SIDE = 32  # the classifiers behind the features see images of this size
WINDOW, SIGMA = 11, 1.5  # pixels


def psnr(x: Tensor, x_hat: Tensor, *, data_range: float = 1.0) -> Tensor:
    """10 log₁₀(data_range² / MSE) of each pair, decibels. (B, …) and (B, …) to (B,).

    Infinite where x̂ = x. For pairs (x, x̂) only: between unrelated images it means nothing.
    """
    mse = ((x - x_hat) ** 2).flatten(1).mean(1)
    return 10 * torch.log10(data_range**2 / mse)


def ssim(x: Tensor, x_hat: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Structural similarity of each pair, in [−1, 1], 1 where x̂ = x. (B, C, H, W) to (B,).

    Mean over channels and places of
    (2 μ_x μ_y + C₁)(2 σ_xy + C₂) / ((μ_x² + μ_y² + C₁)(σ_x² + σ_y² + C₂))
    in Gaussian windows of 11 × 11 pixels, σ = 1.5, that lie inside the image; C₁ = (0.01 L)² and
    C₂ = (0.03 L)² for data from 0 to L = data_range. For pairs only. CourseError below 11 pixels.
    Source: Wang et al. (2004), "Image quality assessment: from error visibility to structural
    similarity".
    """
    if min(x.shape[-2:]) < WINDOW:
        raise CourseError(f"ssim wants images of at least {WINDOW} pixels, not {tuple(x.shape)}")
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    x, y = x.cpu().double(), x_hat.cpu().double()  # Apple's GPUs have no float64
    mu_x, mu_y = _windowed(x), _windowed(y)
    var_x, var_y = _windowed(x * x) - mu_x**2, _windowed(y * y) - mu_y**2
    cov = _windowed(x * y) - mu_x * mu_y
    above = (2 * mu_x * mu_y + c1) * (2 * cov + c2)
    below = (mu_x**2 + mu_y**2 + c1) * (var_x + var_y + c2)
    return (above / below).flatten(1).mean(1)


def _windowed(x: Tensor) -> Tensor:
    """Mean in the window about each place where it fits: (B, C, H, W) to (B, C, H−10, W−10)."""
    line = torch.exp(-0.5 * ((torch.arange(WINDOW).to(x) - WINDOW // 2) / SIGMA) ** 2)
    line = (line / line.sum()).expand(x.shape[1], 1, 1, WINDOW)
    return F.conv2d(F.conv2d(x, line, groups=len(line)), line.mT, groups=len(line))


@torch.no_grad()
def features_of(classifier: Classifier, images: Tensor, *, batch_size: int = 500) -> Tensor:
    """Features of each image in the course's own classifier, (N, d) float64.

    classifier: has `features`, (B, 3, 32, 32) in [0, 1] to (B, d). images: (N, 3, H, W), uint8 or
    float in [0, 1]; other sizes are first brought to 32 × 32 by averaging or interpolation.
    """
    parts = []
    for x in images.split(batch_size):
        x = x.float() / 255 if x.dtype == torch.uint8 else x
        if x.shape[-2:] != (SIDE, SIDE):
            x = F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True)
        parts.append(classifier.features(x).cpu().double())
    return torch.cat(parts)


def feature_statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (d,) and covariance (d, d) of features (N, d), float64, divided by N − 1."""
    if features.ndim != 2 or len(features) < 2:
        raise CourseError(f"features must be (N, d) with N ≥ 2, not {tuple(features.shape)}")
    features = features.cpu().double()
    return features.mean(0), torch.cov(features.T).reshape(2 * features.shape[1:])


def frechet_distance(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½): squared Fréchet distance of two Gaussians.

    mu: (d,), cov: (d, d), also of less than full rank. Uses tr (Σ₁Σ₂)^½ = tr (Σ₁^½ Σ₂ Σ₁^½)^½,
    whose inner matrix is symmetric. Source: Dowson & Landau (1982).
    """
    mu1, cov1, mu2, cov2 = (part.cpu().double() for part in (mu1, cov1, mu2, cov2))
    values, vectors = torch.linalg.eigh(cov1)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.mT  # Σ₁^½
    shared = torch.linalg.eigvalsh(root @ cov2 @ root).clamp(min=0).sqrt().sum()
    distance = ((mu1 - mu2) ** 2).sum() + cov1.trace() + cov2.trace() - 2 * shared
    return max(0.0, distance.item())


def kernel_distance(a: Tensor, b: Tensor) -> float:
    """KID: squared maximum mean discrepancy between two sets of features, without bias.

    Mean of k over pairs within a, plus within b, minus twice that across; k(x, y) = (xᵀy/d + 1)³,
    no feature paired with itself. a: (N, d), b: (M, d). 0 on average where both sets are drawn from
    the same distribution, then below 0 half of the time, whatever N and M.
    Source: Bińkowski et al. (2018), "Demystifying MMD GANs".
    """
    a, b = a.cpu().double(), b.cpu().double()
    return (_within(a) + _within(b) - 2 * _kernel(a, b).mean()).item()


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1) ** 3


def _within(a: Tensor) -> Tensor:
    """Mean of the kernel over all pairs of two different rows."""
    if len(a) < 2:
        raise CourseError(f"KID needs at least two images on each side, not {len(a)}")
    k = _kernel(a, a)
    return (k.sum() - k.diagonal().sum()) / (len(a) * (len(a) - 1))


def precision_recall(real: Tensor, generated: Tensor, *, k: int = 3) -> tuple[float, float]:
    """Fidelity and variety: shares of generated among real features and of real among generated.

    A feature is among the features of a set if it lies within a ball around one of them that
    reaches as far as that one's k-th nearest neighbour in its own set, itself not counted.
    real: (N, d), generated: (M, d). Both are 1 for a set against itself and fall with few
    images, so compare at equal N = M. CourseError where a set has no k neighbours.
    Source: Kynkäänniemi et al. (2019), "Improved precision and recall metric for assessing
    generative models", equations 1 and 2.
    """
    real, generated = real.cpu().double(), generated.cpu().double()
    across = _distances(real, generated)  # (N, M)
    precision = (across <= _radii(real, k)[:, None]).any(0).double().mean()
    recall = (across <= _radii(generated, k)).any(1).double().mean()
    return precision.item(), recall.item()


def _radii(features: Tensor, k: int) -> Tensor:
    """Distance of each row to its k-th nearest other row, (N,)."""
    if k < 1 or len(features) <= k:
        raise CourseError(f"k={k}: {len(features)} images have no such neighbour")
    return _distances(features, features).topk(k + 1, largest=False).values[:, k]


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """(N, M), from differences: a product of matrices rounds the distance of equals above 0."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
