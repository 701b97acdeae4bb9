"""Right answers to the exercises of notebook 02, written independently of the solutions."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def conv_out_by_walking(n, k, s, p):
    return sum(1 for start in range(-p, n + p, s) if start + k <= n + p)


def transpose_out_of_pytorch(n, k, s, p, op):
    return np.int64((n - 1) * s - 2 * p + 1 * (k - 1) + op + 1)


def lazy_autoencoder(channels, size, latent_dim):
    H, W = (size, size) if isinstance(size, int) else size
    model = nn.Sequential()  # with layers that learn their sizes from the first image
    model.encode = nn.Sequential(
        nn.LazyConv2d(8, 3, padding="same"), nn.BatchNorm2d(8), nn.Tanh(), nn.MaxPool2d(4),
        nn.Dropout(), nn.Flatten(), nn.LazyLinear(latent_dim),
    )  # fmt: skip
    model.decode = nn.Sequential(
        nn.Linear(latent_dim, H * W // 2), nn.SiLU(), nn.Unflatten(1, (8, H // 4, W // 4)),
        nn.Upsample(size=(H, W)), nn.Conv2d(8, channels, 3, padding=1), nn.Sigmoid(),
    )  # fmt: skip
    model.forward = lambda x: model.decode(model.encode(x))
    return model


class FunctionalAutoencoder(nn.Module):
    def __init__(self, channels, size, latent_dim):  # the same weights both ways
        super().__init__()
        H, W = size if isinstance(size, tuple) else (size, size)
        self.first = nn.Parameter(torch.randn(12, channels, 4, 4) / 8)
        self.second = nn.Parameter(torch.randn(latent_dim, 12, H // 4, W // 4) / 40)

    def encode(self, x):
        return F.conv2d(F.elu(F.conv2d(x, self.first, stride=4)), self.second)[:, :, 0, 0]

    def decode(self, z):
        features = F.elu(F.conv_transpose2d(z[:, :, None, None], self.second))
        return (torch.tanh(F.conv_transpose2d(features, self.first, stride=4)) + 1) / 2

    def forward(self, x):
        return torch.vmap(lambda image: self.decode(self.encode(image[None]))[0])(x)


def corrupt_in_another_order(x, kind, level, generator):
    B, _, H, W = x.shape
    if kind == "salt_pepper":  # one draw for each pixel
        r = torch.rand(B, 1, H, W, generator=generator)
        return x.masked_fill(r < level / 2, 0).masked_fill(r >= 1 - level / 2, 1)
    if kind == "gaussian":
        return (x + level * torch.empty_like(x).normal_(0, 1, generator=generator)).clip(0, 1)
    x, side = x.clone(), int(level * min(H, W) + 0.5)
    for image, place in zip(x, torch.rand(B, 2, generator=generator), strict=True):
        left, top = int(place[0] * (W - side + 1)), int(place[1] * (H - side + 1))
        image[:, top : top + side, left : left + side] = 0
    return x


def denoising_by_einsum(model, clean, noisy):
    difference = model.decode(model.encode(noisy)) - clean
    return torch.einsum("bchw,bchw->b", difference, difference)


def denoising_by_vmap(model, clean, noisy):
    return torch.vmap(lambda c, n: (model(n[None])[0] - c).square().sum())(clean, noisy)


def psnr_by_roots(x, x_hat, data_range):
    rmse = torch.stack([(a - b).pow(2).mean().sqrt() for a, b in zip(x, x_hat, strict=True)])
    return 20 * torch.log10(data_range / rmse)


def psnr_one_by_one(x, x_hat, data_range):
    errors = [F.mse_loss(a, b).item() for a, b in zip(x.double(), x_hat.double(), strict=True)]
    return torch.tensor([10 * math.log10(data_range**2 / e) if e else math.inf for e in errors])


def auroc_by_sklearn(err_in, err_out):
    from sklearn.metrics import roc_auc_score

    labels = np.r_[np.zeros(len(err_in)), np.ones(len(err_out))]
    return roc_auc_score(labels, torch.cat([err_in, err_out]).numpy())


def auroc_by_loops(err_in, err_out):
    points = [(b > a) + 0.5 * (b == a) for a in err_in.tolist() for b in err_out.tolist()]
    return np.float32(np.mean(points))


def knn_by_squares(z, query, k):
    squared = torch.vmap(lambda code: (code - z[query]).square().sum())(z)
    squared[query] = squared.max() + 1
    return torch.topk(squared, k, largest=False).indices


def knn_by_cdist(z, query, k):
    order = torch.cdist(z[query][None], z)[0].argsort()
    return order[order != query][:k]


def knn_by_sorting(z, query, k):
    others = [i for i in range(len(z)) if i != query]
    return torch.tensor(sorted(others, key=lambda i: float(torch.dist(z[i], z[query])))[:k])


ALTERNATIVES = {
    "conv_out": [conv_out_by_walking],
    "conv_transpose_out": [transpose_out_of_pytorch],
    "ConvAutoencoder": [lazy_autoencoder, FunctionalAutoencoder],
    "corrupt": [corrupt_in_another_order],
    "denoising_loss": [denoising_by_einsum, denoising_by_vmap],
    "psnr": [psnr_by_roots, psnr_one_by_one],
    "anomaly_auroc": [auroc_by_sklearn, auroc_by_loops],
    "knn_retrieve": [knn_by_squares, knn_by_cdist, knn_by_sorting],
}
