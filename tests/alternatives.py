"""Right answers written independently of the solutions, in other ways that people choose."""

import math

import torch
import torch.nn.functional as F
from alternatives_beta import ALTERNATIVES as BETA
from alternatives_convolutional import ALTERNATIVES as CONVOLUTIONAL
from alternatives_generation import ALTERNATIVES as GENERATION
from alternatives_variational import ALTERNATIVES as VARIATIONAL
from torch import nn


def pca_by_svd(X, k):
    mean = X.mean(dim=0, keepdim=True)
    _, _, Vh = torch.linalg.svd(X - mean, full_matrices=False)
    return (X - mean) @ Vh[:k].T @ Vh[:k] + mean


def pca_by_truncation(X, k):
    mean = X.mean(0)
    U, S, Vh = torch.linalg.svd(X - mean, full_matrices=False)
    S = S.clone()
    S[k:] = 0
    return U @ torch.diag(S) @ Vh + mean


def pca_by_left_projector(X, k):
    mean = X.mean(0)
    U = torch.linalg.svd(X - mean, full_matrices=False)[0][:, :k]
    return U @ (U.T @ (X - mean)) + mean


def pca_by_sklearn(X, k):
    from sklearn.decomposition import PCA

    pca = PCA(k, svd_solver="full").fit(X.numpy())
    return torch.from_numpy(pca.inverse_transform(pca.transform(X.numpy())))


class TiedAutoencoder(nn.Module):
    def __init__(self, D, k):
        super().__init__()
        self.W = nn.Parameter(torch.randn(D, k) / math.sqrt(D))
        self.a, self.b = nn.Parameter(torch.zeros(k)), nn.Parameter(torch.zeros(D))

    def encode(self, x):
        return x @ self.W + self.a

    def decode(self, z):
        return z @ self.W.T + self.b


class AttributesOnly(nn.Module):
    def __init__(self, D, k):
        super().__init__()
        self.encode = nn.Linear(D, k)
        self.decode = nn.Linear(k, D)

    def forward(self, x):
        return self.decode(self.encode(x))


class DeepLinear(nn.Module):
    def __init__(self, D, k):
        super().__init__()
        self.down = nn.Sequential(nn.Linear(D, 2 * D), nn.Linear(2 * D, k))
        self.up = nn.Sequential(nn.Linear(k, 2 * D), nn.Linear(2 * D, D))

    def encode(self, x):
        return self.down(x)

    def decode(self, z):
        return self.up(z)


def angles_by_svd_bases(W, V):
    A = torch.linalg.svd(W, full_matrices=False)[0]
    B = torch.linalg.svd(V, full_matrices=False)[0]
    s = torch.linalg.svd(A.T @ B)[1]
    return torch.arccos(torch.clip(s, -1, 1)) * 180 / math.pi


def angles_by_scipy(W, V):
    from scipy.linalg import subspace_angles

    return torch.rad2deg(torch.from_numpy(subspace_angles(W.numpy(), V.numpy()).copy())).sort()[0]


def bce_by_hand(x, logits):
    return (logits.clamp(min=0) - x * logits + torch.log1p(torch.exp(-logits.abs()))).sum(dim=1)


def bce_by_logsigmoid(x, logits):
    return -(x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)).sum(-1)


def bce_by_distribution(x, logits):
    p_x = torch.distributions.Bernoulli(logits=logits, validate_args=False)
    return -p_x.log_prob(x).sum(1)


def step_by_forward(model, x, optimizer):
    optimizer.zero_grad(set_to_none=False)
    loss = F.mse_loss(model(x), x, reduction="sum") / len(x)
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def step_cleared_at_the_end(model, x, optimizer):
    model.train()
    loss = (model.decode(model.encode(x)) - x).pow(2).sum(dim=1).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.detach().item()


def step_of_half_the_error(model, x, optimizer):
    optimizer.zero_grad()
    loss = 0.5 * (model(x) - x).square().sum() / x.shape[0]
    loss.backward()
    optimizer.step()
    return loss.item()


ALTERNATIVES = {
    "pca_reconstruct": [pca_by_svd, pca_by_truncation, pca_by_left_projector, pca_by_sklearn],
    "LinearAutoencoder": [TiedAutoencoder, AttributesOnly, DeepLinear],
    "principal_angles": [angles_by_svd_bases, angles_by_scipy],
    "bce_nats": [bce_by_hand, bce_by_logsigmoid, bce_by_distribution],
    "train_step": [step_by_forward, step_cleared_at_the_end, step_of_half_the_error],
}
ALTERNATIVES |= CONVOLUTIONAL | VARIATIONAL | BETA | GENERATION
