# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 6 · Beyond the VAE
#
# {{colab_badge}}
#
# **What came after the plain VAE?** After this notebook you can
#
# - **quantize** a code, and **learn** a prior over its symbols,
# - **replace** the missing density of an autoencoder by a diffusion model of its codes,
# - **stack** latents, and **see** which layer does the work,
# - **hide** most of an image, and **measure** what a network learns from filling it in,
# - **use** the density of codes to treat rare images more fairly, and **tell** when that fails.
#
# | takes | difficulty | you need |
# |---|---|---|
# | 100 minutes, 8 exercises | ●●● | [notebook 05](05_generation_celeba_cifar.ipynb): decoders of faces, Fréchet distance, diffusion |
#
# This notebook is optional: nothing else builds on it. Each of its five sections stands alone. Run the cells in order. Where you see
# `raise NotImplementedError`, write your own code; the card
# below it says whether it is right and, if not, why. Unsolved exercises do not stop the notebook.

# %% setup=true

# %% tags=["parameters"]
seed = 0
layer_steps = 700

# %%
import itertools
import math
import statistics
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from tqdm.auto import tqdm

# %%
from course_lib import checkpoints, datasets, losses, metrics, models, plots, widgets
from course_lib.exact_chain import (
    ChainVAE,
    GaussianDiffusion,
    LayerTerms,
    TopDown,
    aligned_chain,
    sigma_points,
)
from course_lib.exercises import check
from course_lib.settings import short_run_note, shortened
from course_lib.training import Record, evaluate, fit, to_float

# %%
plots.use_course_style()
torch.manual_seed(seed)
rng = torch.Generator().manual_seed(seed)
(layer_steps,) = shortened((layer_steps,), (60,))

# %% [markdown]
# ## 6.3 · Deep hierarchies
#
# A VAE has one layer of latents, with the prior N(0, I). Why not two, of which the upper one writes
# the prior of the lower? Images are drawn from the top:
#
# $$z_2 \sim \mathcal{N}(0, I), \qquad z_1 \sim p(z_1\mid z_2), \qquad x \sim p(x\mid z_1).$$
#
# The networks of p(z1|z2) and p(x|z1) return means and variances, as decoders do. The hope: z2 says
# *what* is to be seen, z1 *how*. The question of this section is which layer does the work, and what
# becomes of it with three layers, or a thousand.

# %% [markdown]
# **The bound.** An encoder of two layers has two distributions. Going down as the generation does
# (**top-down inference**), they are q(z2|x) and q(z1|z2, x), and the KL of both layers together is,
# by the chain rule, that of the upper one and the mean of that of the lower one:
#
# $$\log p(x) \ge \mathbb{E}_q[\log p(x\mid z_1)] - \mathrm{KL}\big(q(z_2\mid x)\,\|\,\mathcal{N}(0, I)\big)
# - \mathbb{E}_{q(z_2\mid x)}\,\mathrm{KL}\big(q(z_1\mid z_2, x)\,\|\,p(z_1\mid z_2)\big).$$
#
# The lower layer pays only for what z2 has not said. In code, `vae.bottom_up(x)` is one pass up that
# both distributions share; `vae.q_z2(h)`, `vae.q_z1(h, z2)`, `vae.p_z1(z2)` and `vae.p_x(z1)` are the
# four of the equation.
#
# ### Exercise 1 · `hierarchical_elbo`
#
# *Difficulty ●●○ · importance ●●● · 12 minutes.* The bound of each image, with one sample of z2 and
# of z1, and what each layer costs. The noise is handed in.
#
# <details><summary>Hint 1</summary>
#
# One pass up, then down: q(z2|x), a z2 = μ + σ·ε, with it both distributions of z1, a z1, the
# likelihood.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `kl_divergence(q, p)` of two diagonal Gaussians gives one number per latent,
# `losses.standard_normal(z2)` is N(0, I) in the shape of z2. Sum over the latents of a layer, not
# over images.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Which z2 stands in p(z1|z2)? The same sample as in q(z1|z2, x).
#
# </details>

# %% exercise="hierarchical_elbo"
def hierarchical_elbo(
    vae: nn.Module, x: Tensor, eps2: Tensor, eps1: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """(ELBO, KL of the upper layer, KL of the lower layer), nats per image: (B,) each.

    x: (B, D); eps2: (B, d2) and eps1: (B, d1), the noise of z2 ~ q(z2|x) and z1 ~ q(z1|z2, x).
    Both KLs in closed form, given z2.
    """
    ### BEGIN SOLUTION
    h = vae.bottom_up(x)
    q_z2 = vae.q_z2(h)
    z2 = q_z2.mean + q_z2.stddev * eps2  # (B, d2)
    p_z1, q_z1 = vae.p_z1(z2), vae.q_z1(h, z2)
    z1 = q_z1.mean + q_z1.stddev * eps1  # (B, d1)
    log_lik = vae.p_x(z1).log_prob(x).sum(1)
    kl_upper = kl_divergence(q_z2, losses.standard_normal(z2)).sum(1)
    kl_lower = kl_divergence(q_z1, p_z1).sum(1)
    return log_lik - kl_upper - kl_lower, kl_upper, kl_lower
    ### END SOLUTION


# %% check="hierarchical_elbo"
hierarchical_elbo = check("hierarchical_elbo", hierarchical_elbo)

# %% [markdown]
# **Where the truth is known.** Let all three maps be linear and all noise Gaussian, z1 = A z2 + a +
# noise and x = B z1 + b + noise. Then x is Gaussian, its evidence log p(x) is known, and so is the
# exact posterior, layer by layer. With it in place of an encoder the bound has to *be* the evidence.
#
# The mean over the noise needs no random numbers here. The bound is a quadratic in (ε2, ε1), and the
# mean of a quadratic under N(0, I) is its mean over 2n points ±√n e_i.

# %%
chain = aligned_chain(4, 2, 8, generator=rng)  # d1 = 4, d2 = 2, D = 8
x_chain = chain.sample(500, generator=rng)[2]  # (N, 8), float64
chain_points = sigma_points(2 + 4)

# %%
def chain_elbo(infer: Callable[[Tensor], TopDown]) -> Tensor:
    """The mean over the noise of your bound with this q, exact up to rounding: (N,) nats."""
    vae, n = ChainVAE(chain, infer), len(x_chain)
    at = [hierarchical_elbo(vae, x_chain, eps[:2].expand(n, 2), eps[2:].expand(n, 4))[0]
          for eps in chain_points]
    return torch.stack(at).mean(0)

# %%
evidence = chain.log_evidence(x_chain)
error = (chain_elbo(chain.posterior) - evidence).abs().max()
print(f"log p(x) from {evidence.min():.1f} to {evidence.max():.1f} nats; at the exact posterior your "
      f"bound is off by {error:.0e} at most")

# %% [markdown]
# **Prediction.** Now we spoil the posterior: we move the mean of z2 by s, or that of z1, or let
# q(z1|x) look at x alone, at the best mean and variance that it can then have. Which of these opens a
# gap, and how does it grow with s?
#
# ✎ *Double-click here and write your answer:*

# %%
def spoiled(x: Tensor, s2: float = 0.0, s1: float = 0.0) -> TopDown:
    """The exact posterior with the mean of q(z2|x) moved by s2, that of q(z1|z2, x) by s1."""
    q = chain.posterior(x)
    return q._replace(mu2=q.mu2 + s2, mu1=q.mu1 + s1)

# %%
def x_alone(x: Tensor) -> TopDown:
    """The best q(z2|x) q(z1|x): z1 does not know which z2 was drawn."""
    q = chain.posterior(x)
    precision = torch.eye(2).double() + chain.A.T @ torch.linalg.solve(chain.S1, chain.A)  # z2 | z1
    mean = q.mu1 + q.mu2 @ q.gain.T
    return q._replace(mu1=mean, gain=0 * q.gain, cov2=torch.linalg.inv(precision))

# %%
shifts = torch.linspace(-1, 1, 17)
gap_of, kl_of = {}, {}
for layer in ("s2", "s1"):
    posteriors = [partial(spoiled, **{layer: float(s)}) for s in shifts]
    name = f"z{layer[1]} moved by s"
    gap_of[name] = [float((evidence - chain_elbo(q)).mean()) for q in posteriors]
    kl_of[name] = [float(chain.gap(x_chain, q(x_chain)).mean()) for q in posteriors]

# %%
blind = (evidence - chain_elbo(x_alone)).mean()
off = max(abs(a - b) for name in gap_of for a, b in zip(gap_of[name], kl_of[name]))
print(f"gap and KL to the exact posterior differ by {off:.0e} nats at most")
print(f"with q(z1|x) in place of q(z1|z2, x) the gap is {blind:.2f} nats at best")

# %%
fig, ax = plt.subplots(figsize=(8, 3.8))
for (name, kl), gap, colour in zip(kl_of.items(), gap_of.values(), [plots.BLUE, plots.ORANGE]):
    ax.plot(shifts, kl, color=colour, label=f"KL to the posterior, {name}")
    ax.plot(shifts, gap, "o", color=colour, label=f"gap of your bound, {name}")
ax.set(xlabel="s", ylabel="nats per image")
ax.axhline(float(blind), color=plots.BLACK, linestyle=":", label="q(z1|x), which does not see z2")
ax.legend()
plt.show()

# %% [markdown]
# **Figure 1.** The gap between the evidence and your bound on the linear chain (dots), and the KL to
# the exact posterior from its closed form (lines). Note that they agree at every s, and that there is
# no gap at s = 0 alone. The dotted line is an encoder whose two layers ignore each other: no training
# closes its gap, since given x the two latents of the exact posterior are *not* independent. That is
# the reason for going down from z2 to z1.

# %% [markdown]
# **What can an upper layer earn?** The likelihood p(x|z1) never sees z2. All that z2 can do is write
# a better prior for z1. For any q(z1|x) the two KLs together are at least the information I(x; z1).
# With one layer and the prior N(0, I) the rate is I(x; z1) + KL(q(z1) ‖ N(0, I)), the information and
# the *mismatch* of [notebook 04](04_beta_vae.ipynb). So the upper layer can earn the mismatch at
# most, and that is what training makes small anyway.
#
# If all codes z1 together are Gaussian, there is nothing to earn. We take the upper layer of our
# chain away and widen the noise of z1 to make up for it.

# %%
flat = replace(chain, A=0 * chain.A, S1=chain.S1 + chain.A @ chain.A.T)  # z2 has no effect any more
difference = (flat.log_evidence(x_chain) - evidence).abs().max()
print(f"without the upper layer log p(x) changes by {difference:.0e} nats at most")
for name, one in {"both layers": chain, "upper layer without effect": flat}.items():
    told = one.terms(x_chain, one.posterior(x_chain))
    print(f"{name:27s} KL upper {told.kl_upper.mean():.2f}, lower {told.kl_lower.mean():.2f}, "
          f"ELBO {(told.log_lik - told.kl_upper - told.kl_lower).mean():.3f} nats per image")

# %% [markdown]
# Two very different ways to share out the nats, and one and the same bound. So the objective does not
# protect the upper layer. Training does not either: at the start z1 says nothing yet, so there is no
# prior for it to learn and nothing for z2 to say, while the KL of z2 is charged from the first step.
# The lower layer is next to x and learns at once. An upper layer that dies meanwhile has
# **collapsed**, and as long as p(z1|z2) ignores z2, no gradient wakes it.
#
# We try it on digits: 16 lower and 8 upper latents, and beside it a VAE of one layer with as many
# parameters.

# %%
digits = datasets.load("mnist")
n_left_out = min(5_000, len(digits.train) // 12)  # from training, as in the notebooks before
X_digits = digits.train.images[:-n_left_out]
both_sizes = models.HierarchicalVAE(16, 8), models.MLPVAE(16, hidden=139)
n_two, n_one = (sum(p.numel() for p in vae.parameters()) for vae in both_sizes)
print(f"{digits.source}: {len(X_digits):,} training images; "
      f"{n_two:,} parameters in two layers, {n_one:,} in one")

# %%
def layer_terms(vae: nn.Module, x: Tensor) -> LayerTerms:
    """The terms of your bound, one sample of each layer: (B,) each."""
    x = x.flatten(1)
    eps2, eps1 = (torch.randn(len(x), d, device=x.device) for d in (vae.d2, vae.d1))
    bound, upper, lower = hierarchical_elbo(vae, x, eps2, eps1)
    return LayerTerms(bound + upper + lower, upper, lower)

# %%
def plain_layers(vae: nn.Module, x: Tensor, beta: float = 1.0) -> tuple[Tensor, LayerTerms]:
    """−ELBO of a batch; with β < 1 the KLs of both layers cost less."""
    terms = layer_terms(vae, x)
    return (beta * (terms.kl_upper + terms.kl_lower) - terms.log_lik).mean(), terms

# %% [markdown]
# Two repairs are known from [notebook 04](04_beta_vae.ipynb). **Warm-up** lets β rise from 0 to 1 in
# the first half of the training: z2 may find something to say while it is cheap ([Sønderby et al.,
# 2016](https://arxiv.org/abs/1602.02282)). **Free bits** leave the upper layer 6 nats per image free
# of charge, max(6, KL) in place of its KL ([Kingma et al., 2016](https://arxiv.org/abs/1606.04934)).

# %%
def warm_layers(total: int) -> Callable:
    """The objective with β rising from 0 to 1 in so many steps, one step a call."""
    step = itertools.count()
    return lambda vae, x: plain_layers(vae, x, beta=min(1.0, next(step) / total))

# %%
def free_layers(vae: nn.Module, x: Tensor, floor: float = 6.0) -> tuple[Tensor, LayerTerms]:
    """−ELBO with the upper KL, averaged over the batch, charged at the floor at least."""
    terms = layer_terms(vae, x)
    charge = terms.kl_upper.mean().clamp(min=floor) + terms.kl_lower.mean()
    return charge - terms.log_lik.mean(), terms

# %% [markdown]
# **Prediction.** Of the nats that the plain model spends, which share is in the upper layer, and how
# many of its eight latents carry more than 0.1 nats? Does each repair raise that number, and does it
# lower −ELBO? Are two layers better than one?
#
# ✎ *Double-click here and write your answer:*

# %%
def train_layers(vae: nn.Module, objective: Callable) -> list[Record]:
    """layer_steps steps of 128 digits; the model changes in place."""
    epochs = -(-layer_steps * 128 // len(X_digits))
    records = fit(vae, objective, X_digits, epochs=epochs, steps=layer_steps, batch_size=128,
                  lr=3e-3, seed=seed)
    records = list(tqdm(records, total=layer_steps, leave=False))
    vae.cpu().eval().requires_grad_(False)
    return records


# %%
plans_of_layers = {"plain": plain_layers, "warm-up": warm_layers(layer_steps // 2),
                   "free bits": free_layers}
layer_vaes, layer_records = {}, {}
for name, objective in plans_of_layers.items():
    torch.manual_seed(seed)
    layer_vaes[name] = models.HierarchicalVAE(16, 8)
    layer_records[name] = train_layers(layer_vaes[name], objective)

# %%
torch.manual_seed(seed)
one_layer = models.MLPVAE(16, hidden=139)
one_records = train_layers(one_layer, losses.vae_objective)

# %%
def smoothed(records: list[Record], term: str) -> tuple[Tensor, Tensor]:
    """Steps and means of a term over short windows of the training."""
    values = torch.tensor([record.terms[term] for record in records])
    window = max(1, len(values) // 45)
    means = torch.stack([part.mean() for part in values.split(window)])
    return window * torch.arange(len(means)), means

# %%
short_run_note("the curves")
fig, axes = plt.subplots(1, 2, figsize=(11, 3.8), sharey=True)
for ax, layer in zip(axes, ["upper", "lower"]):
    rising = {name: smoothed(records, f"kl_{layer}") for name, records in layer_records.items()}
    plots.curves(rising, ax, x_label="training step", y_label=f"KL of the {layer} layer (nats)")
plt.show()

# %% [markdown]
# **Figure 2.** What each layer carries during training, three trainings. Note when the two layers
# begin to rise, and which of them ends higher; that with free bits the upper layer has nothing to
# gain by saying less than 6 nats; and what warm-up does while β is small.

# %%
lives = 0.1  # nats per image


def layer_report(vae: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, float]:
    """KL of each upper and lower latent, (d2,) and (d1,), and what the upper layer saves, nats."""
    h = vae.bottom_up(x)
    q_z2 = vae.q_z2(h)
    z2 = q_z2.mean + q_z2.stddev * torch.randn(q_z2.mean.shape, generator=rng)
    q_z1 = vae.q_z1(h, z2)
    upper = kl_divergence(q_z2, losses.standard_normal(z2)).mean(0)
    lower = kl_divergence(q_z1, vae.p_z1(z2)).mean(0)
    return upper, lower, metrics.one_gaussian_rate(q_z1) - float(upper.sum() + lower.sum())

# %%
x_digits = to_float(digits.test.images).flatten(1)
carried = {}
print("            −ELBO   KL upper   lower   alive of 8 upper, 16 lower   saved")
for name, vae in layer_vaes.items():
    tested = evaluate(vae, plain_layers, digits.test.images, seed=seed)
    upper, lower, saved = layer_report(vae, x_digits)
    carried[name] = (upper, lower)
    print(f"{name:9s} {tested['loss']:7.2f} {upper.sum():10.2f} {lower.sum():7.2f}"
          f" {(upper > lives).sum():18} {(lower > lives).sum():9} {saved:7.2f}")

# %%
tested = evaluate(one_layer, losses.vae_objective, digits.test.images, seed=seed)
print(f"one layer {tested['loss']:7.2f} {'':10} {tested['kl']:7.2f}")

# %%
for name, (upper, lower) in carried.items():
    share = float(upper.sum() / (upper.sum() + lower.sum()))
    print(f"{name}: the {'upper' if share > 0.5 else 'lower'} layer wins, with "
          f"{max(share, 1 - share):.0%} of the nats")

# %% [markdown]
# How many of the eight upper latents are alive says how far the collapse went. The last column is
# what the upper layer earned, at most: the nats that q(z1|z2, x) would cost under *one* Gaussian, the
# best that there is for all codes, less the KLs of both layers. Where it is negative, a prior with
# one mean and one covariance would have been cheaper than eight latents and a network.
#
# One training of each is one draw, and a short one. The course keeps a longer run of the same code,
# three seeds of each kind.

# %%
kept_runs = checkpoints.metrics("hierarchy")
print(f"{kept_runs['source']}, {kept_runs['training']['steps']:,} steps; three seeds each")
by_kind = {}
for row in kept_runs["rows"]:
    by_kind.setdefault(row["kind"], []).append(row)

# %%
for kind, runs in by_kind.items():
    costs = ", ".join(f"{run['negative_elbo']:6.2f}" for run in runs)
    upper_nats = ", ".join(f"{run['kl_upper']:4.1f}" for run in runs)
    lower_nats = ", ".join(f"{run['kl_lower']:4.1f}" for run in runs)
    alive = ", ".join(str(run["living"]["upper"]) for run in runs if "living" in run)
    saved = ", ".join(f"{run['saved_by_upper']:.1f}" for run in runs if "living" in run)
    layered = f"KL upper {upper_nats}, alive {alive}; saved {saved}" if alive else ""
    print(f"{kind:9s} −ELBO {costs}; KL lower {lower_nats}; {layered}")

# %%
def pairs_ahead(a: str, b: str) -> str:
    """In how many pairs of trainings a has the lower −ELBO than b, in words."""
    won = [x["negative_elbo"] < y["negative_elbo"] for x in by_kind[a] for y in by_kind[b]]
    return f"{a} is ahead of {b} in {sum(won)} of {len(won)} pairs of trainings"

# %%
for a, b in [("plain", "one layer"), ("warm-up", "one layer"), ("free bits", "one layer"),
             ("warm-up", "plain"), ("free bits", "plain")]:
    print(pairs_ahead(a, b))

# %%
for kind, runs in by_kind.items():
    cost = statistics.mean(run["negative_elbo"] for run in runs)
    lead = statistics.mean(run["negative_elbo"] for run in by_kind["one layer"]) - cost
    share = statistics.mean(run["kl_upper"] / (run["kl_upper"] + run["kl_lower"]) for run in runs)
    print(f"{kind:9s} mean −ELBO {cost:6.2f}, {lead:4.1f} nats better than one layer; "
          f"{share:.0%} of the KL in the upper layer")

# %% [markdown]
# Read the two tables as in [notebook 04](04_beta_vae.ipynb): a repair that brings more latents to
# life has repaired something only if −ELBO says so, too. Free bits raise the KL of the upper layer
# *by construction*, so look at the other column. And compare the lead over one layer with what the
# upper layer saved: the two are not far apart where it is the better prior that makes the difference.
# The short training above need not agree with the longer one: a network of two layers has more to
# learn before its prior is of use.
#
# What does z2 hold? We draw images twice: one z2 with several z1 below it, and several z2 with the
# same noise of z1. The variance of the images tells the same in a number: the part of it that z2
# decides.

# %%
def drawn_layers(vae: nn.Module, eps2: Tensor, eps1: Tensor) -> Tensor:
    """Images from the noise of both layers: (N, d2) and (N, d1) to (N, D)."""
    p_z1 = vae.p_z1(eps2)  # z2 is its noise, as its prior is N(0, I)
    return vae.p_x(p_z1.mean + p_z1.stddev * eps1).mean

# %%
def share_of_z2(vae: nn.Module, K: int = 100, S: int = 20) -> float:
    """The part of the images' variance that z2 decides, from S draws of z1 below each of K z2."""
    eps2, eps1 = torch.randn(K, 8, generator=rng), torch.randn(K * S, 16, generator=rng)
    images = drawn_layers(vae, eps2.repeat_interleave(S, 0), eps1).view(K, S, -1)
    return 1 - float(images.var(1).mean(0).sum() / images.flatten(0, 1).var(0).sum())

# %%
decided = {name: share_of_z2(vae) for name, vae in layer_vaes.items()}
print("of the variance of drawn images z2 decides",
      ", ".join(f"{name} {share:.0%}" for name, share in decided.items()))

# %%
eps_upper, eps_lower = torch.randn(10, 8, generator=rng), torch.randn(10, 16, generator=rng)
pictures = {}
for name in ("plain", "free bits"):
    for i in (0, 1):
        same_z2 = eps_upper[i].expand(10, 8)
        pictures[f"{name}: one z2, z1 drawn {i + 1}"] = drawn_layers(layer_vaes[name], same_z2, eps_lower)
    same_z1 = eps_lower[0].expand(10, 16)
    pictures[f"{name}: z2 drawn, z1 kept"] = drawn_layers(layer_vaes[name], eps_upper, same_z1)

# %%
short_run_note("the pictures")
fig, ax = plt.subplots(figsize=(9, 4.4))
plots.image_rows({name: images.view(-1, 28, 28) for name, images in pictures.items()}, ax)
plt.show()

# %% [markdown]
# **Figure 3.** Images drawn from two of the models. In the first two rows of each z2 stays and z1 is
# drawn below it; in the third z2 is drawn and the noise of z1 stays. Note how much of a row changes:
# what stays in a row of the first kind is what z2 decides. The printed shares say it for all images.

# %%
def decode_upper(z2: Tensor) -> Tensor:
    """The image of z2, z1 at the mean of its prior, by the model with free bits."""
    vae = layer_vaes["free bits"]
    return vae.p_x(vae.p_z1(z2).mean).mean


# %%
upper_slider = widgets.latents(decode_upper, carried["free bits"][0], shown=4)
upper_slider

# %% [markdown]
# **Figure 4.** The upper latents of the model with free bits, the four that carry most, with z1 at
# the mean of p(z1|z2). Move one: the picture is what z2 alone says of an image, and it is blurred
# where z1 would still have to decide.

# %% [markdown]
# **Very deep.** With top-down inference one can go on: z_L, …, z_1, x, and one KL for each layer,
#
# $$\log p(x) \ge \mathbb{E}_q[\log p(x\mid z_1)] - \mathrm{KL}(q(z_L\mid x)\,\|\,p(z_L))
# - \sum_{l<L}\mathbb{E}_q\,\mathrm{KL}\big(q(z_l\mid z_{>l}, x)\,\|\,p(z_l\mid z_{>l})\big).$$
#
# [Child (2021)](https://arxiv.org/abs/2011.10650) stacks dozens of layers, from 1 × 1 to the full
# size of the image. Each gets what the layers above have said *and* what the pass up has seen at its
# size; the last weights of each block start small, and steps with too large a gradient are skipped.
# The paper's argument for depth: with a layer for each pixel such a VAE can be any autoregressive
# model, and it may do with fewer, since the latents of one layer are drawn at once.

# %% [markdown]
# ### Diffusion: the limit in which q is fixed
#
# Now choose the encoder once and for all: q(x_t|x_{t−1}) adds a little noise, for t = 1 … T. All
# layers have the size of x, and no parameter is left in q. With z_l = x_l the bound above is that of
# a **diffusion model** ([Ho et al., 2020](https://arxiv.org/abs/2006.11239)), term by term:
#
# $$\log p(x) \ge \mathbb{E}_q[\log p(x\mid x_1)] - \mathrm{KL}(q(x_T\mid x)\,\|\,p(x_T))
# - \sum_{t=2}^{T}\mathbb{E}_q\,\mathrm{KL}\big(q(x_{t-1}\mid x_t, x)\,\|\,p(x_{t-1}\mid x_t)\big).$$
#
# q(x_{t−1}|x_t, x) is a Gaussian that everyone can write down. No layer can collapse, since q is not
# trained: the nats of each layer are set by the schedule of the noise. What is learned is p alone.
# One network serves all layers, and each layer can be trained by itself, as q(x_t|x) needs no pass
# through the others.

# %% [markdown]
# **Prediction.** Take Gaussian data, x ~ N(0, diag λ), and two steps of noise as the two layers. The
# best p(x_{t−1}|x_t) is then a Gaussian too. How large is the gap of the bound, with two layers only
# and an encoder that nobody has trained?
#
# ✎ *Double-click here and write your answer:*

# %%
spectrum = torch.tensor([4, 1, 0.25, 0.05], dtype=torch.float64)  # λ


def noising(T: int) -> GaussianDiffusion:
    """T steps of a cosine, like that of notebook 05; 0.01% of the variance is left at T."""
    t = torch.arange(1, T + 1, dtype=torch.float64)
    return GaussianDiffusion(spectrum, torch.cos(0.497 * math.pi * t / T) ** 2)

# %%
two_steps = noising(2)
mean_gain, exact_variance = two_steps.reverse()  # of p(x_{t−1}|x_t), (T, D) each
to_x, to_next, own_variance = two_steps.posterior()  # of q(x_{t−1}|x_t, x), (T, 1) each

# %%
class FixedQ:
    """Diffusion in two steps as a VAE of two layers: z2 = x_2, z1 = x_1, nothing to learn in q."""

    def bottom_up(self, x: Tensor) -> Tensor:
        return x

    def q_z2(self, x: Tensor) -> Normal:
        return Normal(two_steps.kept[1].sqrt() * x, (1 - two_steps.kept[1]).sqrt())

    def q_z1(self, x: Tensor, z2: Tensor) -> Normal:
        return Normal(to_x[1] * x + to_next[1] * z2, own_variance[1].sqrt())

    def p_z1(self, z2: Tensor) -> Normal:
        return Normal(mean_gain[1] * z2, exact_variance[1].sqrt())

    def p_x(self, z1: Tensor) -> Normal:
        return Normal(mean_gain[0] * z1, exact_variance[0].sqrt())

# %%
x_typical = spectrum.sqrt()[None]  # the bound is quadratic in x: here it has its mean over the data
step_points = sigma_points(4 + 4)
bounds = [hierarchical_elbo(FixedQ(), x_typical, e[None, :4], e[None, 4:]) for e in step_points]
elbo_two, top_two, lower_two = torch.stack([torch.cat(b) for b in bounds]).mean(0)
gap_two = float(two_steps.log_evidence(x_typical) - elbo_two)
print(f"mean log p(x) {float(two_steps.log_evidence(x_typical)):.4f}, your bound {elbo_two:.4f}: "
      f"the gap is {gap_two:.0e} nats")
print(f"KL of x_2 {top_two:.4f}, of x_1 {lower_two:.4f} nats")

# %% [markdown]
# The gap is as small as the KL between what is left of the image in x_T and N(0, I), with two steps
# already. On Gaussian data q is no restriction: its exact reverse is Gaussian, however large the
# step. Real images are not Gaussian. Given a noisy x_t they leave several possibilities, and a
# Gaussian p(x_{t−1}|x_t) fits only if the step is so short that the noise decides. Then also its
# variance needs no learning: it is β_t, that of the step itself. On our Gaussian data we can watch
# how many layers that takes.

# %%
depths = [2, 4, 8, 16, 32, 64, 128, 250, 500, 1000]
gaps = {"variance β_t": [], "exact variance": []}
for T in depths:
    steps_T = noising(T)
    for name, variance in zip(gaps, (steps_T.beta[:, None], steps_T.reverse()[1])):
        told = steps_T.terms(x_typical, variance)
        gaps[name].append(float(steps_T.log_evidence(x_typical) - told.log_lik + told.kl.sum()))

# %%
halves = gaps["variance β_t"][-1] / gaps["variance β_t"][-2]
print("     T   gap with β_t   with the exact variance")
for T, fixed, exact in zip(depths, *gaps.values()):
    print(f"{T:6}   {fixed:12.4f}   {exact:10.1e}")
print(f"from 500 to 1,000 steps the gap with β_t changes by a factor of {halves:.2f}")

# %%
three_depths = {f"T = {T}": noising(T) for T in (4, 16, 64)}
layer_costs = {name: m.terms(x_typical, m.reverse()[1]).kl[0] for name, m in three_depths.items()}
by_layer = {name: (torch.arange(1, len(kl) + 1) / len(kl), kl) for name, kl in layer_costs.items()}
by_depth = {name: (depths, gap) for name, gap in gaps.items()}

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 3.8))
plots.curves(by_layer, axes[0], x_label="layer t / T (1: the top)", y_label="KL of the layer (nats)")
plots.curves(by_depth, axes[1], x_label="layers T", y_label="gap (nats per image)")
axes[0].set_yscale("log")
axes[1].set(xscale="log", yscale="log")
plt.show()

# %% [markdown]
# **Figure 5.** Diffusion of Gaussian data as a hierarchy of T layers. Left: what each layer costs
# with the exact variance. Note that the top costs next to nothing, as its prior is what the noise
# leaves, and that most nats stand at the bottom, where the image becomes sharp; in between, more
# layers share them. Right: the gap to the evidence. With the exact variance it is that of the top, at
# any T; with the variance of the step it closes as the steps get shorter.
#
# **What we have seen.** The bound of two layers is exact where q is the exact posterior, and then z1
# has to know z2. It does not say which layer does the work: the upper one can earn no more than the
# mismatch of the lower one, and training starts below. Free bits move nats upwards by construction;
# whether a repair pays, −ELBO decides. Diffusion gives up the choice: q is fixed, every layer gets
# its share by schedule, and p alone is learned, which with short steps is enough.
#
# **To think about.** (1) A paper reports that all its upper latents are active, with free bits. What
# do you ask for? (2) In Figure 5 no layer collapses, though the top costs hardly anything. Why is
# that no failure?
#
# <details><summary>Some answers</summary>
#
# (1) −ELBO without the allowance, against the model without free bits, over seeds: the count is held
# up by construction. (2) The top is *meant* to say nothing: q(x_T|x) is the prior by the schedule,
# and the layers below say all there is. A collapsed layer is one that could have said something worth
# its nats.
#
# </details>
