"""Right answers to the exercises of notebook 02, written independently of the solutions."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def conv_out_by_walking(n, k, s, p):
    return sum(1 for start in range(-p, n + p, s) if start + k <= n + p)


def conv_out_by_floor(n, k, s, p):
    return math.floor((n + 2 * p - (k - 1) - 1) / s + 1)


def conv_out_by_torch(n, k, s, p):
    return F.conv1d(torch.zeros(1, 1, n), torch.zeros(1, 1, k), stride=s, padding=p).shape[-1]


def conv_out_as_tensor(n, k, s, p):
    return torch.tensor(n + 2 * p - k).div(s, rounding_mode="floor") + 1


def transpose_out_of_pytorch(n, k, s, p, op):
    return (n - 1) * s - 2 * p + 1 * (k - 1) + op + 1


def transpose_out_by_spreading(n, k, s, p, op):
    last_start = s * (n - 1)
    return np.int64(last_start + k + op - p - p)


class BatchNormAutoencoder(nn.Module):
    def __init__(self, channels, size, latent_dim):
        super().__init__()
        H, W = (size, size) if isinstance(size, int) else size
        self.grid = (16, H // 4, W // 4)
        self.conv1 = nn.Conv2d(channels, 8, kernel_size=4, stride=2, padding=1)
        self.conv2 = nn.Conv2d(8, 16, kernel_size=4, stride=2, padding=1)
        self.norm1, self.norm2, self.norm3 = (
            nn.BatchNorm2d(8),
            nn.BatchNorm2d(16),
            nn.BatchNorm2d(8),
        )
        self.to_code = nn.Linear(math.prod(self.grid), latent_dim)
        self.from_code = nn.Linear(latent_dim, math.prod(self.grid))
        self.up1 = nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1, output_padding=1)
        self.up2 = nn.ConvTranspose2d(8, channels, 3, stride=2, padding=1, output_padding=1)
        self.drop = nn.Dropout(0.2)

    def encode(self, x):
        x = F.leaky_relu(self.norm1(self.conv1(x)))
        x = F.leaky_relu(self.norm2(self.conv2(x)))
        return self.to_code(self.drop(x).flatten(start_dim=1))

    def decode(self, z):
        x = F.relu(self.from_code(z)).view(-1, *self.grid)
        return self.up2(F.relu(self.norm3(self.up1(x)))).sigmoid()

    def forward(self, x):
        return self.decode(self.encode(x))


class PoolingAutoencoder(nn.Module):
    def __init__(self, channels, size, latent_dim):
        super().__init__()
        H, W = (size, size) if isinstance(size, int) else size
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, 8, 3, padding="same"), nn.Tanh(), nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 5, padding="same"), nn.GELU(), nn.AvgPool2d(2),
            nn.Flatten(), nn.LazyLinear(latent_dim),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 8 * H * W // 16), nn.SiLU(), nn.Unflatten(1, (8, H // 4, W // 4)),
            nn.Upsample(scale_factor=2), nn.Conv2d(8, 8, 3, padding=1), nn.GroupNorm(2, 8),
            nn.SiLU(), nn.Upsample(size=(H, W), mode="bilinear"),
            nn.Conv2d(8, channels, 3, padding=1),
        )  # fmt: skip
        self.encoder(torch.zeros(2, channels, H, W))

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return (torch.tanh(self.decoder(z)) + 1) / 2

    def forward(self, x):
        return self.decode(self.encode(x))


class FunctionalAutoencoder(nn.Module):
    """Weights as parameters, one kernel as large as what is left of the image, tied both ways."""

    def __init__(self, channels, size, latent_dim):
        super().__init__()
        H, W = size if isinstance(size, tuple) else (size, size)
        self.first = nn.Parameter(torch.randn(12, channels, 4, 4) / 8)
        self.second = nn.Parameter(torch.randn(latent_dim, 12, H // 4, W // 4) / 40)
        self.bias, self.out = nn.Parameter(torch.zeros(12)), nn.Parameter(torch.zeros(channels))

    def encode(self, x):
        features = F.elu(F.conv2d(x, self.first, self.bias, stride=4))
        return F.conv2d(features, self.second)[:, :, 0, 0]

    def decode(self, z):
        features = F.elu(F.conv_transpose2d(z[:, :, None, None], self.second))
        return torch.sigmoid(F.conv_transpose2d(features, self.first, self.out, stride=4))

    def forward(self, x):
        return self.decode(self.encode(x))


def corrupt_in_another_order(x, kind, level, generator):
    x = x.clone()
    if kind == "salt_pepper":
        salt = torch.randint(0, 2, (x.shape[0], *x.shape[-2:]), generator=generator).bool()
        hit = torch.rand(x.shape[0], *x.shape[-2:], generator=generator) < level
        for image, white, mask in zip(x, salt, hit, strict=True):
            image[:, mask & white] = 1
            image[:, mask & ~white] = 0
    elif kind == "mask":
        side = int(level * min(x.shape[-2:]) + 0.5)
        for image in x:
            left = int(torch.randint(0, x.shape[-1] - side + 1, (1,), generator=generator))
            top = int(torch.randint(0, x.shape[-2] - side + 1, (1,), generator=generator))
            image[:, top : top + side, left : left + side] = 0.0
    elif kind == "gaussian":
        noise = torch.empty_like(x).normal_(0, 1, generator=generator)
        x = torch.clip(x + noise * level, min=0, max=1)
    else:
        raise ValueError(kind)
    return x


def corrupt_with_one_draw_per_pixel(x, kind, level, generator):
    B, _, H, W = x.shape
    if kind == "gaussian":
        u, v = torch.rand(2, *x.shape, generator=generator, dtype=torch.float64)
        normal = torch.sqrt(-2 * torch.log1p(-u)) * torch.cos(2 * math.pi * v)
        return torch.minimum(torch.maximum(x + level * normal, x * 0), x * 0 + 1).to(x.dtype)
    if kind == "mask":
        side = round(level * min(H, W))
        keep = torch.ones(B, 1, H, W, dtype=x.dtype)
        places = torch.rand(B, 2, generator=generator)
        for b in range(B):
            top, left = int(places[b, 0] * (H - side + 1)), int(places[b, 1] * (W - side + 1))
            keep[b, :, top : top + side, left : left + side] = 0
        return x * keep
    r = torch.rand(B, 1, H, W, generator=generator)
    pepper, salt = r < level / 2, r >= 1 - level / 2
    return x.masked_fill(pepper, 0).masked_fill(salt, 1)


def denoising_by_mse(model, clean, noisy):
    return F.mse_loss(model(noisy), clean, reduction="none").sum(dim=(1, 2, 3))


def denoising_one_by_one(model, clean, noisy):
    restored = model.decode(model.encode(noisy))
    return torch.stack([(a - b).square().sum() for a, b in zip(restored, clean, strict=True)])


def psnr_by_roots(x, x_hat, data_range):
    rmse = torch.stack([(a - b).pow(2).mean().sqrt() for a, b in zip(x, x_hat, strict=True)])
    return 20 * torch.log10(data_range / rmse)


def psnr_by_natural_logarithm(x, x_hat, data_range):
    mse = ((x / data_range - x_hat / data_range) ** 2).view(len(x), -1).mean(dim=-1)
    return -10 * mse.log() / math.log(10)


def psnr_by_numpy(x, x_hat, data_range):
    with np.errstate(divide="ignore"):
        error = (x.numpy() - x_hat.numpy()).reshape(len(x), -1)
        return 10 * np.log10(data_range**2 / (error**2).mean(axis=1))


def auroc_by_sklearn(err_in, err_out):
    from sklearn.metrics import roc_auc_score

    labels = np.r_[np.zeros(len(err_in)), np.ones(len(err_out))]
    return roc_auc_score(labels, torch.cat([err_in, err_out]).numpy())


def auroc_by_ranks(err_in, err_out):
    from scipy.stats import rankdata

    n, m = len(err_in), len(err_out)
    ranks = rankdata(torch.cat([err_out, err_in]).numpy())
    return (ranks[:m].sum() - m * (m + 1) / 2) / (n * m)


def auroc_by_loops(err_in, err_out):
    points = 0.0
    for out in err_out.tolist():
        for normal in err_in.tolist():
            points += 1 if out > normal else 0.5 if out == normal else 0
    return torch.tensor(points / (len(err_in) * len(err_out)))


def knn_by_squares(z, query, k):
    squared = ((z - z[query : query + 1]) ** 2).sum(dim=1)
    squared[query] = float("inf")
    return torch.topk(squared, k, largest=False).indices


def knn_by_cdist(z, query, k):
    order = torch.cdist(z[query][None], z)[0].argsort()
    return order[order != query][:k]


def knn_as_list(z, query, k):
    others = [i for i in range(len(z)) if i != query]
    return sorted(others, key=lambda i: float(torch.dist(z[i], z[query])))[:k]


ALTERNATIVES = {
    "conv_out": [conv_out_by_walking, conv_out_by_floor, conv_out_by_torch, conv_out_as_tensor],
    "conv_transpose_out": [transpose_out_of_pytorch, transpose_out_by_spreading],
    "ConvAutoencoder": [BatchNormAutoencoder, PoolingAutoencoder, FunctionalAutoencoder],
    "corrupt": [corrupt_in_another_order, corrupt_with_one_draw_per_pixel],
    "denoising_loss": [denoising_by_mse, denoising_one_by_one],
    "psnr": [psnr_by_roots, psnr_by_natural_logarithm, psnr_by_numpy],
    "anomaly_auroc": [auroc_by_sklearn, auroc_by_ranks, auroc_by_loops],
    "knn_retrieve": [knn_by_squares, knn_by_cdist, knn_as_list],
}
