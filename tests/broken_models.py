"""Models with one fault each, and sound ones, of digits and of faces: trained in seconds."""

import dataclasses
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import datasets
from course_lib.models import mlp
from course_lib.training import to_float


class Vae(nn.Module):
    """A plain tutorial's VAE, with the places where faults go.

    shape: (784,), flat digits and dense layers; or (3, 16, 16), faces and convolutions.
    """

    def __init__(self, how: "How", shape: tuple[int, ...] = (784,)) -> None:
        super().__init__()
        self.how, D = how, shape[0]
        hidden, d = how.hidden, how.latents
        flat, many = len(shape) == 1, 32 * 4 * 4
        norm = nn.BatchNorm1d(hidden, momentum=how.momentum)
        inner = [norm] if how.batch_norm else []
        inner += [nn.Dropout(how.dropout)] if how.dropout else []
        first = nn.Linear(D, hidden) if flat else nn.Sequential(
            nn.Conv2d(3, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(many, hidden),
        )  # fmt: skip
        self.encoder = nn.Sequential(first, *inner, nn.ReLU())
        self.mu, self.log_var = nn.Linear(hidden, d), nn.Linear(hidden, d)
        self.decoder = mlp(d, hidden, hidden, D) if flat else nn.Sequential(
            nn.Linear(d, many), nn.ReLU(), nn.Unflatten(1, (32, 4, 4)),
            nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(16, 3, 4, 2, 1),
        )  # fmt: skip
        self.log_scale = nn.Linear(hidden, D) if how.own_scale else None
        self.skip = (nn.Linear(D, D) if flat else nn.Conv2d(3, 3, 1)) if how.skip else None
        self.fixed = torch.randn(4096, d)
        self.x = None

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(μ, log σ², z), as many tutorials return them."""
        self.x = x
        h = self.encoder(x)
        mu, log_var = self.how.of_mu(self.mu(h)), self.how.of_log_var(self.log_var(h))
        eps = self.fixed[: len(x)] if self.how.fixed_noise else self.how.noise(mu)
        return mu, log_var, mu + self.how.sigma(log_var) * eps

    def decode(self, z: Tensor) -> Tensor | torch.distributions.Normal:
        """z to images, or to a Gaussian with a σ of each pixel."""
        if self.how.detached:
            z = z.detach()
        out = self.decoder(z)
        if self.skip is not None:
            out = out + self.skip(self.x)
        if self.log_scale is not None:
            h = self.decoder[:3](z)
            return torch.distributions.Normal(
                torch.sigmoid(out), self.log_scale(h).exp().clamp(min=1e-4)
            )
        return self.how.output(out)

    def loss(self, x: Tensor) -> Tensor:
        """What is minimised: distortion and KL, as this fault has them."""
        mu, log_var, z = self.encode(x)
        out = self.decode(z)
        target = x.roll(1, 0) if self.how.shuffled else x
        kl = 0.5 * (mu**2 + log_var.exp() - 1 - log_var)
        return self.how.distortion(out, target) + self.how.rate(kl)


def half(log_var: Tensor) -> Tensor:
    """σ of log σ²."""
    return torch.exp(0.5 * log_var)


def bce(x_hat: Tensor, x: Tensor) -> Tensor:
    """Cross-entropy, nats per image, mean over the batch: PyTorch's takes three times as long."""
    x, least = x.clamp(0, 1), 1e-12
    log_lik = x * x_hat.clamp(min=least).log() + (1 - x) * (1 - x_hat).clamp(min=least).log()
    return -log_lik.sum() / len(x)


def bce_of_logits(logits: Tensor, x: Tensor) -> Tensor:
    """The same, from logits."""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)


def squares(x_hat: Tensor, x: Tensor) -> Tensor:
    """Squared error per image with σ² = 0.02, mean over the batch."""
    return 25 * (x_hat - x).square().sum() / len(x)


def likelihood(p_x: torch.distributions.Normal, x: Tensor) -> Tensor:
    """−log p(x|z), mean over the batch."""
    return -p_x.log_prob(x).sum(1).mean()


def rate(kl: Tensor) -> Tensor:
    """Nats per image, mean over the batch."""
    return kl.sum(1).mean()


@dataclasses.dataclass
class How:
    """How a model is built and trained: the defaults are sound."""

    output: Callable = torch.sigmoid
    of_mu: Callable = lambda mu: mu
    of_log_var: Callable = lambda log_var: log_var
    sigma: Callable = half
    noise: Callable = torch.randn_like
    distortion: Callable = bce
    rate: Callable = rate
    fixed_noise: bool = False
    detached: bool = False
    shuffled: bool = False
    skip: bool = False
    own_scale: bool = False
    frozen: bool = False
    batch_norm: bool = False
    momentum: float = 0.1
    dropout: float = 0.0
    prepare: Callable = lambda x: x
    latents: int = 8
    hidden: int = 128
    steps: int = 200
    n_train: int = 4_000
    lr: float = 2e-3


def scaled(a: float, b: float) -> dict[str, Callable]:
    """Distortion and rate with other weights."""
    return {"distortion": lambda p, x: a * bce(p, x), "rate": lambda kl: b * rate(kl)}


def standard(x: Tensor) -> Tensor:
    """Mean 0 and deviation 1, as many pipelines have it."""
    return (x - 0.1307) / 0.3081


def with_black(x: Tensor) -> Tensor:
    """More contrast: without black pixels no output of a tanh is below 0."""
    return ((x - 0.3) / 0.6).clamp(0, 1)


def bce_unchecked(p: Tensor, x: Tensor) -> Tensor:
    """Cross-entropy of whatever the target is."""
    return -(x * p.log() + (1 - x) * (1 - p).log()).sum(1).mean()


def clipped_to_black(out: Tensor) -> Tensor:
    """A decoder whose last layer ends in a ReLU that starts dead."""
    return torch.relu(out - 3)


FAULTS: dict[str, tuple[str, How]] = {
    "bytes": ("pixels are bytes", How(prepare=lambda x: 255 * x, steps=0)),
    "standardised": (
        "pixels outside of [0, 1]", How(prepare=standard, distortion=bce_unchecked)
    ),
    "tanh": (
        "outputs below 0 for images in [0, 1]", How(output=torch.tanh, distortion=squares)
    ),
    "logits": (
        "logits taken for images",
        How(output=lambda out: out, distortion=bce_of_logits),
    ),
    "black": ("the decoder gets no gradient", How(output=clipped_to_black, distortion=squares)),
    "KL 50": ("the KL weighs too much", How(**scaled(1, 50))),
    "mean of pixels": ("pixels are averaged, latents are summed", How(**scaled(1 / 784, 1))),
    "means of both": ("pixels and latents are averaged", How(**scaled(1 / 784, 1 / 8))),
    "mean of latents": (
        "latents are averaged, pixels are summed", How(**scaled(1, 1 / 64), latents=64)
    ),
    "no KL": ("there is no KL in the loss", How(rate=lambda kl: 0.0)),
    "batch/N": ("the KL weighs too little", How(**scaled(1, 0.00025))),
    "subtracted": ("the KL is subtracted", How(**scaled(1, -0.05), steps=100)),
    "frozen": ("the encoder gets no gradient", How(frozen=True)),
    "shuffled": ("targets are not the images' own", How(shuffled=True)),
    "detached": ("the distortion's gradient does not reach the encoder", How(detached=True)),
    "log_var as log_sigma": ("σ of the sample is not σ of the KL", How(sigma=torch.exp)),
    "ReLU on log_var": ("σ never below 1", How(of_log_var=torch.relu)),
    "abs of log_var": ("σ never below 1", How(of_log_var=torch.abs)),
    "tanh on log_var": ("log σ² behind a tanh", How(of_log_var=torch.tanh)),
    "ReLU on mu": ("codes behind a ReLU", How(of_mu=torch.relu)),
    "tanh on mu": ("μ behind a tanh", How(of_mu=torch.tanh)),
    "rand": ("uniform noise for normal noise", How(noise=torch.rand_like)),
    "no noise": ("z is μ, without noise", How(noise=torch.zeros_like)),
    "fixed noise": ("the same noise in every step", How(fixed_noise=True)),
    "stale batch norm": ("train() and eval() differ", How(batch_norm=True, momentum=1e-4)),
    "strong dropout": ("train() and eval() differ", How(dropout=0.8, steps=600)),
    "runaway": (
        "the decoder's σ runs away", How(own_scale=True, distortion=likelihood, lr=5e-4)
    ),
    "skip": ("the picture goes past the code", How(skip=True)),
    "overfitting": ("overfitting", How(n_train=200, steps=1_200)),
}  # fmt: skip
# Of convolutional models of faces: 768 pixels, so that other weights are too large or too small.
FACES: dict[str, tuple[str, How]] = {
    **{
        fault: FAULTS[fault]
        for fault in ("bytes", "logits", "black", "no KL", "frozen", "shuffled", "detached",
                      "log_var as log_sigma", "ReLU on log_var", "abs of log_var",
                      "ReLU on mu", "tanh on mu", "rand", "no noise",
                      "fixed noise", "strong dropout")
    },
    "skip": ("the picture goes past the code", How(skip=True, steps=300)),
    "tanh": (
        "outputs below 0 for images in [0, 1]",
        How(output=torch.tanh, distortion=squares, prepare=with_black),
    ),
    "KL 500": ("the KL weighs too much", How(**scaled(1, 500))),
    "mean of pixels": ("pixels are averaged, latents are summed", How(**scaled(1 / 768, 1))),
    "means of both": ("pixels and latents are averaged", How(**scaled(1 / 768, 1 / 8))),
    "batch/N": ("the KL weighs too little", How(**scaled(1, 0.00025))),
    "subtracted": ("the KL is subtracted", How(**scaled(1, -0.05), steps=40)),
    "tanh on log_var": (
        "log σ² behind a tanh", How(of_log_var=torch.tanh, distortion=squares, steps=300)
    ),
    "stale batch norm": ("train() and eval() differ", How(batch_norm=True, momentum=1e-4)),
    "overfitting": ("overfitting", How(distortion=squares, n_train=60, steps=600)),
}  # fmt: skip
SOUND = {
    "plain": How(),
    "β = 4": How(**scaled(1, 4)),
    "β = 0.5": How(**scaled(1, 0.5)),
    "squared error": How(distortion=squares),
    "linear output": How(output=lambda out: out, distortion=squares),
    "batch norm": How(batch_norm=True),
    "dropout": How(dropout=0.1),
    "64 latents": How(latents=64),
    "2 latents": How(latents=2),
}


def images() -> tuple[Tensor, Tensor]:
    """Flat training and held-out digits in [0, 1]."""
    data = datasets.load("mnist")
    return tuple(to_float(split.images[:4_000].flatten(1)) for split in (data.train, data.test))


def faces() -> tuple[Tensor, Tensor]:
    """Training and held-out faces of 16 × 16 pixels in [0, 1]."""
    data = datasets.load("faces")
    parts = (data.train.images[:2_000], data.test.images[:500])
    return tuple(F.avg_pool2d(to_float(part), 4) for part in parts)


def trained(how: How, x: Tensor, *, seed: int = 0) -> Vae:
    """The model of this description, trained on these images."""
    torch.manual_seed(seed)
    model = Vae(how, tuple(x.shape[1:]))
    if how.frozen:
        for part in (model.encoder, model.mu, model.log_var):
            part.requires_grad_(False)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=how.lr, fused=True)
    x = how.prepare(x[: how.n_train])
    for _ in range(how.steps):
        loss = model.loss(x[torch.randint(len(x), (64,))])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()
