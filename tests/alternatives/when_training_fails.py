"""Right answers to notebook 07, written independently of its solutions."""

import math

import numpy as np
import torch
from torch.distributions import Normal, kl_divergence


def spread_by_distances(x_hat, x):
    """The summed variance is half the mean squared distance of two images drawn at random."""

    def squared(images):
        flat = images.reshape(len(images), -1).double()
        return ((flat[:, None] - flat[None]) ** 2).sum(-1).mean()

    return math.sqrt(squared(x_hat) / squared(x))


def spread_by_norms(x_hat, x):
    a, b = (torch.linalg.norm(images - images.mean(0, keepdim=True)) for images in (x_hat, x))
    return a / b


def spread_by_numpy(x_hat, x):
    return np.sqrt(x_hat.numpy().var(axis=0).sum() / x.numpy().var(axis=0).sum())


def kl_by_noise(z, mu, log_var):
    """log q − log p = ½ (z² − ε² − log σ²), the constants cancel."""
    eps = (z - mu) * torch.exp(-0.5 * log_var)
    return 0.5 * (z**2 - eps**2 - log_var).flatten(0, 1).mean(0)


def kl_latent_by_latent(z, mu, log_var):
    found = []
    for j in range(z.shape[2]):
        q = Normal(mu[:, j], log_var[:, j].exp().sqrt())
        ratios = q.log_prob(z[:, :, j]) - Normal(0, 1).log_prob(z[:, :, j])
        found.append(ratios.mean(0).mean())
    assert kl_divergence(Normal(0, 1), Normal(0, 1)) == 0
    return torch.stack(found)


def gap_with_everything_put_back(model, x):
    modes = {part: part.training for part in model.modules()}
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        model.eval()
        before = model(x)
        model.train()
        after = model(x)
    model.load_state_dict(kept)
    for part, mode in modes.items():
        part.training = mode
    return torch.nn.functional.mse_loss(before, after) ** 0.5


def gap_by_a_stateless_call(model, x):
    modes = [(part, part.training) for part in model.modules()]
    found = []
    for training in (False, True):
        model.train(training)
        state = {name: value.clone() for name, value in model.state_dict().items()}
        found.append(torch.func.functional_call(model, state, (x,)).detach().numpy())
    for part, mode in modes:
        part.training = mode
    return np.sqrt(np.mean((found[0] - found[1]) ** 2))


def diagnose_by_tests(recordings):
    """A list of tests in place of a chain of ifs."""

    def turned_up(curve):
        smooth = np.convolve(curve, np.ones(5) / 5, mode="valid")
        return smooth[-1] - smooth.min() > 5

    tests = {
        "pixels are bytes": lambda r: r["pixels"][1] > 2,
        "the noise is wrong": lambda r: not 0.8 < float(r["noise"][1]) < 1.2,
        "the picture goes past the code": lambda r: (
            r["error_swapped"] / r["error"] < 1.5 and r["error"] < 0.8
        ),
        "the encoder gets no gradient": lambda r: not r["encoder_gradient"],
        "the KL weighs too much": lambda r: float(r["kl"].max()) < 0.05,
        "the KL weighs too little": lambda r: float(r["second_moment"].min()) > 3,
        "train() and eval() differ": lambda r: r["mode_gap"] > 0.4,
        "overfitting": lambda r: turned_up(r["held_out"].numpy()),
    }
    return [next((name for name in tests if tests[name](r)), "nothing") for r in recordings]


ALTERNATIVES = {
    "spread_between_images": [spread_by_distances, spread_by_norms, spread_by_numpy],
    "kl_per_latent_from_samples": [kl_by_noise, kl_latent_by_latent],
    "train_eval_gap": [gap_with_everything_put_back, gap_by_a_stateless_call],
    "diagnose": [diagnose_by_tests],
}
