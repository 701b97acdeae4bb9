"""Right answers to notebook 01, written independently of its solutions."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def pca_by_truncation(X, k):
    mean = X.mean(0)
    U, S, Vh = torch.linalg.svd(X - mean, full_matrices=False)
    return U[:, :k] * S[:k] @ Vh[:k] + mean


def pca_by_sklearn(X, k):
    from sklearn.decomposition import PCA

    pca = PCA(k, svd_solver="full").fit(X.numpy())
    return torch.from_numpy(pca.inverse_transform(pca.transform(X.numpy()))).to(X.dtype)


def pca_by_vmap(X, k):
    mean = X.mean(0)
    V = torch.svd(X - mean)[2][:, :k]
    return torch.func.vmap(lambda x: mean + V @ (V.T @ (x - mean)))(X)


class Parameters(nn.Module):
    def __init__(self, D, k):
        super().__init__()
        self.A = nn.Parameter(torch.randn(D, k) / math.sqrt(D))
        self.W = nn.Parameter(torch.zeros(k, D))
        self.a, self.b = nn.Parameter(torch.zeros(k)), nn.Parameter(torch.zeros(D))

    def encode(self, x):
        return x.float() @ self.A + self.a

    def decode(self, z):
        return torch.einsum("bk,kd->bd", z, self.W) + self.b


class Lazy(nn.Module):
    def __init__(self, D, k):
        super().__init__()
        self.encode, self.decode = nn.LazyLinear(k), nn.LazyLinear(D)


class DeepLinear(nn.Module):
    def __init__(self, D, k):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(D, 2 * D), nn.Linear(2 * D, k))
        self.decode = nn.Sequential(nn.Linear(k, 2 * D), nn.Linear(2 * D, D))


def angles_by_svd_bases(W, V):
    A, B = (torch.linalg.svd(M, full_matrices=False)[0] for M in (W, V))
    return torch.arccos(torch.clip(torch.linalg.svd(A.T @ B)[1], -1, 1)) * 180 / math.pi


def angles_by_scipy(W, V):
    from scipy.linalg import subspace_angles

    return torch.rad2deg(torch.from_numpy(subspace_angles(W.numpy(), V.numpy()).copy())).sort()[0]


def bce_by_logsigmoid(x, logits):
    a, b = F.logsigmoid(logits), F.logsigmoid(-logits)
    return torch.stack([-(x[i] @ a[i]) - (1 - x[i]) @ b[i] for i in range(len(x))])


def bce_by_distribution(x, logits):
    p_x = torch.distributions.Bernoulli(logits=logits, validate_args=False)
    return -p_x.log_prob(x).sum(1)


def step_by_forward(model, x, optimizer):
    optimizer.zero_grad(set_to_none=False)
    loss = F.mse_loss(model(x), x, reduction="sum") / len(x)
    loss.backward()
    optimizer.step()
    return loss.tolist()


def step_cleared_at_the_end(model, x, optimizer):
    losses = [(model.decode(model.encode(row[None])) - row).pow(2).sum() for row in x]
    (sum(losses) / len(losses)).backward()
    optimizer.step()
    for parameter in model.parameters():
        parameter.grad = None
    return float(sum(losses).detach()) / len(x)


ALTERNATIVES = {
    "pca_reconstruct": [pca_by_truncation, pca_by_sklearn, pca_by_vmap],
    "LinearAutoencoder": [Parameters, Lazy, DeepLinear],
    "principal_angles": [angles_by_svd_bases, angles_by_scipy],
    "bce_nats": [bce_by_logsigmoid, bce_by_distribution],
    "train_step": [step_by_forward, step_cleared_at_the_end],
}
