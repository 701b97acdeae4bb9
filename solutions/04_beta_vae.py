# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4 · The β-VAE
#
# {{colab_badge}}
#
# **What does a nat of code buy, and what should it cost?** After this notebook you can
#
# - **read** a VAE as a point in the plane of rate and distortion, and **say** which numbers of a
#   table may be compared,
# - **predict** which latents of a linear VAE die, from the eigenvalues of the data,
# - **repair** a posterior that has collapsed, and **measure** what the repair costs,
# - **show** that β and the variance of the decoder are one knob,
# - **score** disentanglement, and **name** what such a score does not say.
#
# | takes | difficulty | you need |
# |---|---|---|
# | 110 minutes, 6 exercises | ●●○ | [notebook 03](03_variational_autoencoder.ipynb): ELBO, closed-form KL, reparameterization |
#
# Run the cells in order. Where you see `raise NotImplementedError`, write your own code; the card
# below it says whether it is right and, if not, why. Unsolved exercises do not stop the notebook.

# %% setup=true

# %% tags=["parameters"]
seed = 0
n_train = 55_000
n_test = 10_000
steps = 900
sprite_epochs = 8
deep_steps = 500
n_seeds = 3

# %%
import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import kl_divergence

# %%
from course_lib import checkpoints, datasets, losses, models, plots, widgets
from course_lib.distributions import kl_full_normal
from course_lib.exact import LinearVAE, with_spectrum
from course_lib.exercises import check
from course_lib.figures import beta as figures
from course_lib.metrics import (
    aggregate_posterior_terms,
    factor_information,
    factor_vae_score,
    pairwise_rotation,
)
from course_lib.progress import progress_bar
from course_lib.settings import short_run_note, shortened
from course_lib.synthetic.sprites import render
from course_lib.training import Record, evaluate, fit, to_float

# %%
plots.use_course_style()
torch.manual_seed(seed)
rng = torch.Generator().manual_seed(seed)
sizes = (n_train, n_test, steps, sprite_epochs, deep_steps, n_seeds)
n_train, n_test, steps, sprite_epochs, deep_steps, n_seeds = shortened(sizes, (8_000, 2_000, 50, 1, 50, 1))

# %%
digits = datasets.load("mnist")
n_valid = min(5_000, len(digits.train) // 12)  # left out of training, as in notebook 03
X_train = digits.train.images[:-n_valid][:n_train]  # bytes
test_images = digits.test.images[:n_test]
X_test = to_float(test_images.flatten(1))  # (N, D)
print(f"{digits.source}: {len(X_train):,} training and {len(X_test):,} test images")

# %% [markdown]
# ## 4.1 · Two terms, two axes
#
# The ELBO has two terms. Until now we added them up; here we keep them apart. The KL is the **rate**
# R, the nats that the code spends per image. The cross-entropy is the **distortion** D, what is
# left to say about the image once the code is known. A VAE is a point (R, D), and its −ELBO is the
# sum of the two coordinates. (As before, the *code* is the vector z of an image and a *latent* one
# of its numbers. There are n of them in the text, which is `d` in the comments on shapes.) The **β-VAE**
# ([Higgins et al., 2017](https://openreview.net/forum?id=Sy2fzU9gl)) puts a price on the rate:
#
# $$\mathcal{L}_\beta = D + \beta R, \qquad
# R = \mathbb{E}_x\,\mathrm{KL}(q(z\mid x)\,\|\,p(z)), \qquad
# D = -\mathbb{E}_x\,\mathbb{E}_q[\log p(x\mid z)].$$
#
# With β = 1 this is the −ELBO of [notebook 03](03_variational_autoencoder.ipynb). With any other β
# it is not, and much of what follows
# comes from that.
#
# ### Exercise 1 · `rate_distortion`
#
# *Difficulty ●○○ · importance ●●● · 6 minutes.* Both coordinates of a batch. Your function is the
# objective of every VAE below.
#
# <details><summary>Hint 1</summary>
#
# Sum over pixels or latents first, so that each image has one number of nats. Then the mean over the
# batch, once.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The KL is that of `kl_std_normal`, the cross-entropy that of `bce_nats`, both from the notebooks
# before.
#
# </details>

# %% exercise="rate_distortion"
def rate_distortion(
    x: Tensor, logits: Tensor, mu: Tensor, log_var: Tensor
) -> tuple[Tensor, Tensor]:
    """(rate, distortion) of a batch: mean KL and mean cross-entropy, nats per image.

    x: (B, D) in [0, 1]; logits: (B, D); mu, log_var: (B, d). Returns two scalars, rate first;
    a batch of two equal images gives what one of them gives.
    """
    ### BEGIN SOLUTION
    rate = 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)  # (B,)
    distortion = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)  # (B,)
    return rate.mean(), distortion.mean()
    ### END SOLUTION


# %% check="rate_distortion"
rate_distortion = check("rate_distortion", rate_distortion)

# %% [markdown]
# The objective reads as the equation. `fit` logs the two terms without their weight, whatever β is.
# `q_z.rsample()` is your `reparameterize`: the draw through which gradients pass
# ([notebook 03](03_variational_autoencoder.ipynb), section 3.4, measures what `sample()` does instead).

# %%
class Point(NamedTuple):
    """The two terms of a batch, unweighted, nats per image."""

    rate: Tensor
    distortion: Tensor


def outputs(vae: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """logits (B, D) from one z ~ q(z|x), and mu, log_var: (B, d) each."""
    q_z = vae.encode(x)
    return vae.decode(q_z.rsample()).logits, q_z.mean, 2 * q_z.stddev.log()


def beta_objective(vae: nn.Module, x: Tensor, beta: float = 1.0) -> tuple[Tensor, Point]:
    """D + β R of a batch, and its two terms. Nats per image."""
    terms = Point(*rate_distortion(x.flatten(1), *outputs(vae, x)))
    return terms.distortion + beta * terms.rate, terms


# %%
def train(vae: nn.Module, objective: Callable, n_steps: int = steps) -> list[Record]:
    """n_steps steps of 128 images; the model changes in place."""
    epochs = -(-n_steps * 128 // len(X_train))  # so many are begun
    records = fit(vae, objective, X_train, epochs=epochs, steps=n_steps, batch_size=128, lr=3e-3, seed=seed)
    records = list(progress_bar(records, total=n_steps))
    vae.cpu().eval().requires_grad_(False)
    return records

# %% [markdown]
# **Prediction.** We train the same network with n = 64 latents for β = 0.1, 0.5, 1, 2 and 10. Which
# way does each of R and D go as β grows? Which β gives the sharpest reconstructions, and does the
# same β give the best samples from the prior?
#
# ✎ *Double-click here and write your answer:*

# %%
betas, vaes, points = [0.1, 0.5, 1, 2, 10], {}, {}
for beta in betas:
    torch.manual_seed(seed)
    vaes[beta] = models.MLPVAE(64)
    train(vaes[beta], partial(beta_objective, beta=beta))
    tested = evaluate(vaes[beta], beta_objective, test_images, seed=seed)
    points[beta] = (tested["rate"], tested["distortion"])
    print(f"β = {beta:4}: R {tested['rate']:6.2f}, D {tested['distortion']:6.2f} nats per image")

# %%
def reconstruct(x: Tensor, beta: float) -> Tensor:
    """x̂ through the posterior mean: (B, D) to (B, D)."""
    return vaes[beta].decode(vaes[beta].encode(x).mean).mean


def decode(z: Tensor, beta: float) -> Tensor:
    """Codes to images: (B, d) to (B, D)."""
    return vaes[beta].decode(z).mean


z_prior = torch.randn(8, 64, generator=rng)  # the same codes for every model
rebuilt, drawn = {"test image": X_test[:6].view(-1, 28, 28)}, {"": torch.ones(6, 28, 28)}
for beta, (R, D) in points.items():
    name = f"β = {beta}\nD {D:.0f}, R {R:.0f}"
    rebuilt[name] = reconstruct(X_test[:6], beta).view(-1, 28, 28)
    drawn[name] = decode(z_prior[:6], beta).view(-1, 28, 28)

# %%
short_run_note("the two columns")
nearest = min(points, key=lambda beta: points[beta][1])  # in the distortion
blocks = {f"Reconstructions: least D at β = {nearest}": rebuilt,
          "Samples: one z ~ N(0, I) per column": drawn}
plots.image_blocks(blocks)
plt.show()

# %% [markdown]
# **Figure 1.** Left: test images through your five models, with their distortion D and rate R in nats.
# Right: the same six codes from the prior through each decoder. After a training of default length the
# two sides ask for different β.
#
# The smallest β reconstructs best, and many of its samples are broken strokes: at that
# price the codes leave the prior, so that a code from the prior is a place which the decoder hardly
# knows. The largest β keeps to the prior and has little left to say.

# %%
family = widgets.beta_family(X_test[:8], reconstruct, decode, points, z=z_prior, start=1)
family

# %% [markdown]
# **Figure 2.** The five models as points in the plane of rate and distortion, each with its β, as your
# function measured them on the test images. Move β. Note that the points lie on a curve that bends:
# the first nats of rate save many nats of distortion each, the last ones hardly any. Every point of
# such a curve is a choice, and β is how we choose. Where a point lies under the line of another β, that other
# training, as short as it is, has not found the least D + βR yet.

# %% [markdown]
# ## 4.2 · Which rows may be compared
#
# The course began with a series of students' reports on autoencoders, which are not published. The one
# on this network prints the following table: MNIST, 300 epochs, one training of each model, measured on
# the test set. "Objective" is what each row was trained on, D + βR. The smallest number of each column
# stands there in bold.

# %%
REPORT = {  # (n, β): cross-entropy, KL, objective, nats per image, as printed
    (1, 1): (156.82, 4.22, 161.04), (2, 1): (137.70, 6.80, 144.49), (64, 1): (76.23, 23.80, 100.03),
    (64, 0.1): (59.18, 77.68, 66.94), (64, 0.5): (69.50, 34.30, 86.65),
    (64, 2): (87.29, 15.46, 118.20), (64, 10): (143.37, 3.69, 180.22),
}
columns = ["cross-entropy", "KL", "objective"]
printed = {f"n = {n}, β = {beta}": dict(zip(columns, row)) for (n, beta), row in REPORT.items()}
plots.table(printed, forms=dict.fromkeys(columns, ".2f"), best=dict.fromkeys(columns, "min"))

# %% [markdown]
# **Prediction.** Before you read on: which of the three columns may be compared *down* the rows with
# n = 64, and what would it tell us? Is the model with β = 0.1 better than the one with β = 1, by 33
# nats? Write down one number, computed from each row, by which you would choose.
#
# ✎ *Double-click here and write your answer:*

# %% [markdown]
# Cross-entropy and KL may be compared, each for what it is: one coordinate. Neither alone says which
# model is better: a code that copies the image has the least distortion, a code that says nothing has
# no rate. The objective may not be compared across β, as the report remarks itself. Each row has a
# currency of its own: with β = 0.1 a nat of rate costs a tenth of a nat.
#
# What may be compared is the same function of (R, D) for all rows. The one with a meaning is β = 1:
# R + D = −ELBO bounds −log p(x), whatever the model was trained on (for grey pixels with the reserve
# of section 3.5). Below, full runs of our own stand beside the report's.

# %%
full = checkpoints.metrics("table1")
rows = {(row["n"], row["beta"]): row for row in full["rows"]}
print(f"ours: {full['source']}, {full['training']['optimizer']}, learning rate up to "
      f"{full['training']['lr']}; {full['date']}, {full['seconds'] / 60:.1f} minutes")
beside = {}
for (n, beta), (D, R, objective) in REPORT.items():
    row = rows[n, beta]
    beside[f"n = {n}, β = {beta}"] = {
        "objective, report": objective, "ours": row["objective"], "−ELBO, report": D + R,
        "ours ": -row["elbo"], "active": row["active_units"], "epochs": row["epochs"]}
plots.table(beside, best={"−ELBO, report": "min", "ours ": "min"})

# %%
curve = {beta: (rows[64, beta]["kl"], rows[64, beta]["cross_entropy"]) for beta in betas}
runs = {"report": {b: REPORT[64, b][1::-1] for b in betas}, "full runs": curve, "yours": points}
total = {name: {f"β = {beta}": R + D for beta, (R, D) in row.items()} for name, row in runs.items()}
plots.table(total, corner="−ELBO", best_in_rows="min")

# %% [markdown]
# By −ELBO the fully trained model with β = 1 wins, in the report and in our runs: it was trained for
# this number. After your short training a neighbour may still be ahead, since no model is at its best
# yet. (Here we only measure. Who chooses a β by such a table needs
# validation images: test images that have been chosen by are used up.)
#
# The same argument holds for any price. Below, each row is a price β′, each column a full run of
# ours; the smallest number of each row should stand on the diagonal.

# %%
costs = {price: {beta: D + price * R for beta, (R, D) in curve.items()} for price in betas}
on_diagonal = sum(min(cost, key=cost.get) == price for price, cost in costs.items())
title = f"{on_diagonal} of {len(betas)} prices choose the model that was trained for them"
costs = {f"β′ = {price}": {f"trained with {b}": c for b, c in cost.items()}
         for price, cost in costs.items()}
plots.table(costs, title=title, corner="D + β′R", best_in_rows="min")

# %% [markdown]
# That is a picture as well. All points of the plane that cost the same at the price β′ lie on a line
# D = c − β′R, and the cheaper, the lower the line. Through each model goes one such line. The lowest
# belongs to the model trained with β = β′, since training pushes the line down for as long as some
# model is still below it. So no model lies below that line: it **touches** the curve and does not cut
# it, and its slope −β is the slope of the curve there. β is **the exchange rate of distortion for
# rate**.

# %%
figures.exchange_rate(curve, points)
plt.show()
if digits.stand_in:
    print("Your points are of the stand-in, the full runs of MNIST: compare shapes, not nats.")

# %% [markdown]
# **Figure 3.** The full runs. Left: through each model the line of equal cost at the price 1; the number
# is that cost, −ELBO. Only the lowest line has no model below it. Right: at each model a
# piece of its own lowest line, of slope −β. Together the pieces follow the curve.
#
# The ELBO has one price, β = 1. Nothing forbids to train with another. But then a lower objective is
# no longer a better bound: with β < 1 it is no bound at all, with β > 1 a loose one.
# ([Alemi et al., 2018](https://arxiv.org/abs/1711.00464), read VAEs in this plane.)

# %% [markdown]
# ## 4.3 · Which latents live
#
# Where does the rate go? Each latent j has a KL of its own, and the rate is their sum. A latent whose
# posterior is the prior for every image costs nothing and says nothing. To count the others,
# [Burda et al. (2016)](https://arxiv.org/abs/1509.00519) look at the posterior mean: a latent is
# **active** if its mean varies over the data,
# Var_x[μ_j(x)] > 0.01.
#
# ### Exercise 2 · `active_units`
#
# *Difficulty ●○○ · importance ●●○ · 5 minutes.* Count them.
#
# <details><summary>Hint 1</summary>
#
# Which of the two dimensions of `mu` are the images? The variance is taken over them, for each latent.
#
# </details>
# <details><summary>Hint 2</summary>
#
# A comparison gives a tensor of booleans, and their sum counts. The result is an `int`.
#
# </details>

# %% exercise="active_units"
def active_units(mu: Tensor, threshold: float = 0.01) -> int:
    """The number of latents whose posterior mean varies: Var_x[μ_j(x)] > threshold.

    mu: (N, d), posterior means of N images.
    """
    ### BEGIN SOLUTION
    return int((mu.var(dim=0) > threshold).sum())
    ### END SOLUTION


# %% check="active_units"
active_units = check("active_units", active_units)

# %% [markdown]
# **Prediction.** Of your 64 latents, how many are active at β = 1? At β = 10? If one model spends
# twice the rate of another, does it use twice as many latents?
#
# ✎ *Double-click here and write your answer:*

# %%
def kl_per_latent(vae: nn.Module, x: Tensor) -> Tensor:
    """Mean over images of KL_j(q(z_j|x) ‖ N(0, 1)): (B, D) to (d,) nats."""
    q_z = vae.encode(x)
    return kl_divergence(q_z, losses.standard_normal(q_z.mean)).mean(0)


spent = {beta: kl_per_latent(vaes[beta], X_test).sort(descending=True).values for beta in betas}
counts = {}
for beta in betas:
    mu = vaes[beta].encode(X_test).mean
    counts[f"β = {beta}"] = {
        "active": active_units(mu), "above 0.1 nats": int((spent[beta] > 0.1).sum()),
        "R": points[beta][0],
        "active, full run": rows[64, beta]["active_units"], "R, full run": curve[beta][0]}
plots.table(counts)

# %%
short_run_note("the closing tail and the counts")
figures.rate_by_latent(spent)
plt.show()

# %% [markdown]
# **Figure 4.** The rate of each of your models, latent by latent; grey, those of up to 0.1 nats. A higher
# price takes nats from each latent, *and* it closes the tail.
#
# After a short training some means still wander, and the count of active latents takes them for active;
# how many latents carry more than 0.1 nats says it better. In the full runs the number of active units falls from each β to the next, and by less than
# the rate: twice the rate is not twice the latents.
#
# What does the rate pay for? With q(z), the aggregated posterior of
# [notebook 03](03_variational_autoencoder.ipynb), it has two parts, none of them negative
# ([Hoffman and Johnson, 2016](https://approximateinference.org/2016/accepted/HoffmanJohnson2016.pdf)):
#
# $$R = I_q(x; z) + \mathrm{KL}(q(z)\,\|\,p(z)).$$
#
# The **information** is what the code tells of its image; the **mismatch** is how far all codes
# together are from the prior. So the rate is an upper bound of the information.

# %% [markdown]
# **Prediction.** Which part is the larger one at β = 10, and which at β = 0.1? (Look at the samples in
# Figure 1.) N images can be told apart with log N nats: what does that mean for N = 2,000 of them?
#
# ✎ *Double-click here and write your answer:*

# %%
n_told = 2_000
rate_parts = {}
for beta in betas:
    q_some = vaes[beta].encode(X_test[:n_told])
    noise = torch.Generator().manual_seed(seed)
    parts = aggregate_posterior_terms(q_some.mean, 2 * q_some.stddev.log(), noise)
    rate_parts[f"β = {beta}"] = {
        "rate": parts.rate, "= information": parts.information, "+ mismatch": parts.mismatch,
        "share of information": parts.information / parts.rate}
title = f"{n_told:,} test images; to tell all of them apart takes log N = {math.log(n_told):.1f} nats"
plots.table(rate_parts, title=title, forms={"share of information": ".0%"}, bars=["share of information"])

# %% [markdown]
# The share of information, in the last column, is the larger the higher the price. At β = 0.1 the information is
# at its ceiling: all 2,000 images are told apart, and the rest of the rate goes into the mismatch. A part of it is only
# that 2,000 narrow Gaussians do not fill a prior. The other part is what Figure 1 shows: codes have left
# the prior, and samples from it fall between them.
#
# Is it a failure that latents die? The next section says when a latent *should*.

# %% [markdown]
# ## 4.4 · Reverse water-filling
#
# For one VAE the answer is known. Let the data be Gaussian with eigenvalues λ_j of the covariance,
# encoder and decoder linear, and the decoder's variance σ² fixed. Then the best model uses principal
# components, one latent for each, and latent j has the rate
# ([Lucas et al., 2019](https://arxiv.org/abs/1911.02469), for β = 1)
#
# $$\mathrm{KL}_j = \tfrac12 \log\frac{\lambda_j}{\beta\sigma^2}
# \quad\text{if } \lambda_j > \beta\sigma^2, \qquad 0 \text{ otherwise.}$$
#
# Here is why. To know a Gaussian number of variance λ_j up to a mean squared error ε_j < λ_j takes
# ½ log(λ_j/ε_j) nats, and no code does it with fewer: this is the Gaussian **rate–distortion function**
# ([Cover and Thomas, 2006](https://doi.org/10.1002/047174882X), theorem 10.3.2). These nats are paid at
# the price β, and the error costs ε_j/(2σ²). The sum of the two has the derivative −β/(2ε_j) + 1/(2σ²)
# in ε_j, which is 0 at ε_j = βσ², the same for all directions. A direction whose variance is below that
# level is not worth its first nat.
#
# The same book (section 10.3.3) calls this **reverse water-filling**: βσ² is the water level, and only
# what stands out of the water is coded. ("Reverse", because in water-filling, which shares out the
# power of a sender among noisy channels, it is the water that is used.)
#
# ### Exercise 3 · `water_filling`
#
# *Difficulty ●●○ · importance ●●● · 8 minutes.* The formula, for all latents at once.
#
# <details><summary>Hint 1</summary>
#
# At λ_j = βσ² both cases give 0, so there is no jump: the negative values have to become 0.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `clamp(min=0)` of the logarithm does it. The ½ may come before or after.
#
# </details>

# %% exercise="water_filling"
def water_filling(eigenvalues: Tensor, beta_sigma2: float) -> Tensor:
    """KL of each latent at the optimum of the linear-Gaussian β-VAE: ½ log(λ_j / βσ²), or 0.

    eigenvalues: (d,), λ_j of the data's covariance; a latent lives where λ_j > βσ². Returns (d,)
    nats.
    """
    ### BEGIN SOLUTION
    return 0.5 * torch.log(eigenvalues / beta_sigma2).clamp(min=0)
    ### END SOLUTION


# %% check="water_filling"
water_filling = check("water_filling", water_filling)

# %% [markdown]
# We put it to the test. A linear-Gaussian model makes data in ten dimensions with six eigenvalues of
# our choice, each half the one before; the other four are noise at 0.1. A linear VAE with eight
# latents is trained on them as any VAE is, by sampled gradients.

# %%
spectrum = torch.tensor([8, 4, 2, 1, 0.5, 0.25])
source = with_spectrum(spectrum, data_dim=10, sigma=0.1**0.5, generator=rng)
X_line = source.sample(4_000, generator=rng)[1]  # (N, 10)
eigenvalues = torch.linalg.eigvalsh(torch.cov(X_line.T)).flip(0)[:8]  # of this sample
print("the eight largest eigenvalues:", ", ".join(f"{value:.2f}" for value in eigenvalues))

# %% [markdown]
# **Prediction.** With βσ² = 0.7, how many of the eight latents will live, which of them by a hair, and
# what is the KL of the second, to one decimal? And if we halve σ² and double β?
#
# ✎ *Double-click here and write your answer:*

# %%
def train_linear(beta: float, sigma: float, n_steps: int = 800) -> Tensor:
    """The KL of each latent of a trained linear VAE, largest first: (8,) nats."""
    torch.manual_seed(seed)
    vae = LinearVAE(8, data_dim=10, sigma=sigma)
    optimizer = torch.optim.Adam(vae.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=n_steps)
    for _ in range(n_steps):
        x = X_line[torch.randint(len(X_line), (500,))]
        loss = losses.beta_vae_loss(losses.elbo_terms(vae, x), beta)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return kl_per_latent(vae.requires_grad_(False), X_line).sort(descending=True).values

# %%
settings = [(1, 0.35), (1, 0.7), (7, 0.1), (1, 2.8), (28, 0.1)]  # β, σ²
measured, agreement = {}, {}
for beta, sigma2 in settings:
    kl, formula = train_linear(beta, sigma2**0.5), water_filling(eigenvalues, beta * sigma2)
    measured[beta, sigma2] = (kl, formula)
    agreement[f"β = {beta}, σ² = {sigma2}"] = {
        "live": int((kl > 0.01).sum()), "formula": int((formula > 0.01).sum()), "R": float(kl.sum()),
        "formula ": float(formula.sum()), "largest error": float((kl - formula).abs().max())}
plots.table(agreement, forms=dict.fromkeys(["R", "formula ", "largest error"], ".3f"))

# %%
figures.water_levels(eigenvalues, {key: measured[key] for key in [(1, 0.35), (7, 0.1), (28, 0.1)]})
plt.show()

# %% [markdown]
# **Figure 5.** Eigenvalues, the water level βσ², and over each bar the nats of your formula. A dot is a
# latent of a trained linear VAE, as high above the water as the eigenvalue that its KL belongs to: on top
# of its bar where the two agree, on the water where the latent is dead.
#
# The VAE leaves those latents unused that the formula leaves under water: to die is the optimum for
# them, whatever the number of latents we offer. At the level 0.7 four live, the fourth by a hair, and
# the second has ½ log(4/0.7) = 0.9 nats. In the table β = 7 with σ² = 0.1 gives
# what β = 1 gives with σ² = 0.7: only the product counts.
#
# Now the eigenvalues of the digits.

# %%
some = to_float(X_train[:8_000]).flatten(1).double()  # float32 is too coarse where λ is nearly 0
digit_eigenvalues = torch.linalg.eigvalsh(torch.cov(some.T)).flip(0)  # (784,) squared pixel values
digit_eigenvalues = digit_eigenvalues.clamp(min=1e-6)
level = widgets.water_filling(water_filling, digit_eigenvalues[:64], start=0.3)
level

# %% [markdown]
# **Figure 6.** The 64 largest eigenvalues of the digits and the water level βσ². Lower the level and
# watch latents come alive, one after another: each halving, three stops, adds ½ log 2 = 0.35 nats to
# every latent that is already out of the water.
#
# What does the formula say about digits, which are not Gaussian, and networks, which are not linear?
# It gives a curve: at the level w the rate is Σ ½ log(λ_j/w) over what stands out, and the squared
# error that remains is Σ min(λ_j, w). No data with these eigenvalues are harder to code than Gaussian
# ones ([Cover and Thomas, 2006](https://doi.org/10.1002/047174882X), chapter 10). So a network can
# do better than the curve.

# %%
levels = torch.logspace(1, -3, 400)  # from high to low water, so that the rate rises
linear_rate = torch.stack([water_filling(digit_eigenvalues, float(w)).sum() for w in levels])
linear_error = torch.stack([digit_eigenvalues.clamp(max=float(w)).sum() for w in levels])
network_rate = [points[beta][0] for beta in betas]
drawn = {beta: decode(vaes[beta].encode(X_test).sample(), beta) for beta in betas}
network_error = [losses.squared_error(X_test, drawn[beta]).mean().item() for beta in betas]
at_rate = np.interp(network_rate, linear_rate, linear_error)  # the curve between two levels
dots = dict(zip(betas, zip(network_rate, network_error, at_rate)))

# %%
short_run_note("the dots")
figures.under_the_curve((linear_rate, linear_error), dots)
plt.show()

# %% [markdown]
# **Figure 7.** Rate and squared error on the digits: the formula for Gaussian data with the digits'
# eigenvalues (line), and your five VAEs of section 4.1, each with its distance from the line. Below the
# line a curved latent does the work of several straight ones.
#
# The best linear VAEs lie on the line, so a dot above it
# has something left to learn (and none was trained on squared error). As a law for single latents the
# formula holds for linear models only. What carries over is the level: a latent that is not worth β
# nats a nat dies.
#
# ## 4.5 · β and σ² are one knob
#
# With a Gaussian likelihood of fixed σ, D = ‖x − x̂‖²/(2σ²) + constant. Multiply the objective by σ²:
#
# $$\sigma^2 (D + \beta R) = \tfrac12\|x - \hat x\|^2 + \beta\sigma^2 R + \text{constant}.$$
#
# β and σ² occur as a product only. So whoever trains on a squared error without σ has chosen a β
# without saying so. We check it on digits: four times the β with a quarter of σ² has to give the
# same model, and to the last digit, since multiplying by 4 rounds nothing.
#
# Which σ² fits the data? The likelihood itself says it. For given x̂, log N(x; x̂, σ² I) is largest where
# σ² is the mean squared error (MSE) per pixel
# ([Rybkin et al., 2021](https://arxiv.org/abs/2006.13202)). We call that the *best* σ² of a model.

# %% [markdown]
# **Prediction.** Pixels lie in [0, 1]. A model is trained with β = 1 and σ² = 1, "the squared error with
# a half in front", and ends at an MSE of 0.05 per pixel. Another model is given its best σ², 0.05. Which
# β must it have, to get the same training? Is that a high price or a low one?
#
# ✎ *Double-click here and write your answer:*

# %%
def half_squares(vae: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """½‖x − x̂‖² at one z ~ q(z|x), and the KL: (B,) each."""
    q_z = vae.encode(x)
    x_hat = vae.decode(q_z.rsample()).mean  # the mean of p(x|z), in [0, 1]
    kl = kl_divergence(q_z, losses.standard_normal(q_z.mean)).sum(1)
    return 0.5 * losses.squared_error(x, x_hat), kl


# %%
def train_gaussian(beta: float, sigma2: float | None) -> tuple[nn.Module, list]:
    """A VAE with p(x|z) = N(x̂, σ² I), and (R, σ²(D + βR)) of each step; σ² None: best of each batch."""
    torch.manual_seed(seed)
    vae, history = models.MLPVAE(64), []
    optimizer = torch.optim.Adam(vae.parameters(), eps=1e-22)  # with 1e-8 the loss's scale matters
    for _ in progress_bar(range(steps // 3)):
        x = to_float(X_train[torch.randint(len(X_train), (128,))]).flatten(1)
        squares, kl = half_squares(vae, x)
        variance = sigma2 or 2 * squares.detach().mean() / 784
        loss = (squares / variance + beta * kl).mean()  # D + β R without D's constant
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append((kl.mean().item(), float(variance * loss.detach())))
    return vae.requires_grad_(False), history

# %%
knobs = {"β = 1, σ² = 1": (1, 1), "β = 1, σ² = 1/16": (1, 1 / 16), "β = 4, σ² = 1/64": (4, 1 / 64),
         "β = 1, σ² = 1/64": (1, 1 / 64), "β = 1, best σ²": (1, None)}
gaussians = {name: train_gaussian(*knob) for name, knob in knobs.items()}
one, other = (torch.tensor(gaussians[name][1]).double()  # (steps, 2)
              for name in ["β = 1, σ² = 1/16", "β = 4, σ² = 1/64"])
print(f"σ²·(D + βR) at step {len(one)}: {one[-1, 1]:.6f} and {other[-1, 1]:.6f}")

# %%
short_run_note("the ends of the curves")
rates = {name: [rate for rate, _ in history] for name, (_, history) in gaussians.items()}
apart = (one - other)[:, 0].abs().max()
told_apart = f"{apart:.1g} nats apart at most" if apart else "the same at every step"
title = f"βσ² = 1/16 twice: the two rates are {told_apart}"
figures.one_knob(rates, twin="β = 4, σ² = 1/64", title=title, width=10)
plt.show()

# %% [markdown]
# **Figure 8.** The rate in training, a mean over ten steps, for five choices of β and σ². The dots, β = 4
# with σ² = 1/64, lie on the curve of β = 1 with σ² = 1/16, step by step. In the end the rate is lower the
# larger βσ² is. (The high rate of the first steps is soon gone.)
# The last curve needed no choice: its σ² follows the error.
#
# So a model trained with β at a fixed σ² is a model with its own best σ² = MSE, trained with the
# **effective price** βσ²/MSE. That is 1/0.05 = 20 for the model of the prediction, a high one: at half of
# it, β = 10 with the cross-entropy of section 4.3, few of the 64 latents were left.

# %%
effective = {}
for name, (vae, _) in gaussians.items():
    squares, kl = half_squares(vae, X_test)
    mse, R = 2 * squares.mean().item() / 784, kl.mean().item()
    beta, sigma2 = knobs[name][0], knobs[name][1] or mse
    own, best = (392 * (math.log(2 * math.pi * s) + mse / s) + R for s in (sigma2, mse))
    effective[name] = {"MSE per pixel": mse, "effective price βσ²/MSE": beta * sigma2 / mse, "R": R,
                       "−ELBO with its own σ": own, "with the best σ": best}
plots.table(effective, forms={"MSE per pixel": ".4f"}, best={"with the best σ": "min"})

# %% [markdown]
# Every model may have its best σ after the fact: the last column. For σ² = 1, an innocent-looking
# choice, that does not make up for the training: each nat was charged at the effective price that the
# table prints, and the rate shows it. The last row, in which nobody chose, is among the best; after so
# short a training only a price below 1 may be ahead of it, as in section 4.2. The nats here are of
# densities over real-valued pixels, so they must not be held against those of section 4.1.

# %% [markdown]
# ## 4.6 · A collapse that need not be
#
# Some latents die because they are not worth their nats. Others die by accident. At the start of
# training the decoder cannot read the code yet, so the code buys nothing, while its KL is charged
# from the first step. The quickest way down is to make q(z|x) = N(0, I) for every image. From there
# hardly any gradient leads back: a code without information gives the decoder no reason to listen.
# This is **posterior collapse** ([Bowman et al., 2016](https://arxiv.org/abs/1511.06349)).
#
# To tell an accident from a fair death we must know what is fair, and section 4.4 does. **A planned
# failure.** Gaussian data again, with eight eigenvalues between 4 and 2, at β = 1 and σ² = ½. The decoder
# is eight linear layers in a row: together they are one matrix, so the optimum is the one of the formula,
# but their product is small at first and grows slowly. (We train by gradient descent with momentum. Adam
# makes small gradients large, and hides much of the effect.)

# %%
wide = torch.tensor([4, 3.5, 3, 3, 2.5, 2.5, 2, 2])
X_deep = with_spectrum(wide, data_dim=10, sigma=0.1**0.5, generator=rng).sample(4_000, generator=rng)[1]
deep_eigenvalues = torch.linalg.eigvalsh(torch.cov(X_deep.T)).flip(0)  # (10,)
fair = water_filling(deep_eigenvalues[:8], 0.5)  # β σ² = 1/2
fair_cost = fair.sum() + deep_eigenvalues.clamp(max=0.5).sum() + 5 * math.log(math.pi)  # R + D
print(f"at the optimum {(fair > 0.1).sum()} of 8 latents live, R {fair.sum():.1f}, −ELBO {fair_cost:.1f}")

# %% [markdown]
# **Prediction.** Of these eight, how many will live after a training at constant β? And after one that is
# three times as long?
#
# ✎ *Double-click here and write your answer:*

# %%
Loss = Callable[[LinearVAE, Tensor, int], Tensor]  # of a model, a batch and the step


def train_deep(loss_of: Loss, n_steps: int, seed: int) -> tuple[LinearVAE, list[float]]:
    """A linear VAE with a decoder of eight layers, and its rate every 10 steps."""
    torch.manual_seed(seed)
    vae, rates = LinearVAE(8, data_dim=10, sigma=0.5**0.5), []
    widths = itertools.pairwise([8, *[32] * 7, 10])
    vae.decoder = nn.Sequential(*(nn.Linear(a, b, bias=False) for a, b in widths))
    optimizer = torch.optim.SGD(vae.parameters(), lr=3e-3, momentum=0.9)
    for step in range(n_steps):
        x = X_deep[torch.randint(len(X_deep), (100,))]
        loss = loss_of(vae, x, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 0:
            rates.append(kl_per_latent(vae, x).sum().item())
    return vae.requires_grad_(False), rates


# %%
def constant(vae: LinearVAE, x: Tensor, step: int) -> Tensor:
    """D + R, at every step the same."""
    return losses.beta_vae_loss(losses.elbo_terms(vae, x), beta=1)


def told(runs: list) -> dict[str, str]:
    """Of each training how many latents live, and its −ELBO."""
    living = [str(int((kl_per_latent(vae, X_deep) > 0.1).sum())) for vae, _ in runs]
    costs = [-losses.elbo(losses.elbo_terms(vae, X_deep)).mean().item() for vae, _ in runs]
    return {"living of 8": " · ".join(living), "−ELBO": " · ".join(f"{cost:.1f}" for cost in costs)}


# %%
seeds_deep = range(seed, seed + n_seeds)
deep = {"constant β": [train_deep(constant, deep_steps, s) for s in seeds_deep],
        "constant, 3 ×": [train_deep(constant, 3 * deep_steps, s) for s in seeds_deep]}
formula_row = {"formula": {"living of 8": str(int((fair > 0.1).sum())), "−ELBO": f"{fair_cost:.1f}"}}
plots.table({name: told(runs) for name, runs in deep.items()} | formula_row, corner="each seed")

# %% [markdown]
# All eight are worth their nats, and at the default length of training about half of them are dead,
# as they still are after three times as many steps. It is no high water, and no slowness that a
# little patience would cure: for as long as we look, these trainings are stuck. Without a formula the
# test is the same: does some other training find a better value *of the same objective*?
#
# Two repairs are in use. The first, **warm-up**, gives the decoder
# time: β starts at 0 and rises. Cyclic schedules
# ([Fu et al., 2019](https://arxiv.org/abs/1903.10145)) do so several times.
#
# ### Exercise 4 · `beta_schedule`
#
# *Difficulty ●●○ · importance ●●○ · 8 minutes.* β at a step of the training.
#
# <details><summary>Hint 1</summary>
#
# Look at the ends first: step 0 gives 0 where β rises, step `total` and all later ones give β_max.
#
# </details>
# <details><summary>Hint 2</summary>
#
# For cycles: in units of cycles a step stands at 4 · step / total. What is after the decimal point is
# the place within the cycle.
#
# </details>
# <details><summary>Hint 3</summary>
#
# In the first half of a cycle β is twice that place, times β_max; in the second it stays at β_max.
#
# </details>

# %% exercise="beta_schedule"
def beta_schedule(step: int, total: int, kind: str, beta_max: float) -> float:
    """β at a step counted from 0; from step `total` on it is beta_max, whatever the kind.

    "constant": beta_max. "linear": from 0 in a straight line to beta_max at `total`.
    "cyclic": four equal cycles of total / 4 steps, each rising from 0 in a straight line to
    beta_max in its first half and staying there in its second.
    """
    ### BEGIN SOLUTION
    if kind == "constant" or step >= total:
        return beta_max
    if kind == "linear":
        return beta_max * step / total
    position = 4 * step / total % 1  # from 0 to 1 within the cycle
    return beta_max * min(1.0, 2 * position)
    ### END SOLUTION


# %% check="beta_schedule"
beta_schedule = check("beta_schedule", beta_schedule)

# %%
price = 4
total = 1_000
kinds = {kind: [beta_schedule(step, total, kind, price) for step in range(total + 100)]
         for kind in ["constant", "linear", "cyclic"]}
figures.schedules(kinds, total=total)
plt.show()

# %% [markdown]
# **Figure 9.** Your three schedules, up to β = 4 and beyond `total` (dotted), and the share of the steps
# before it at the full β. All end at the same β, so they train the same objective in the end.
#
# The second repair, **free bits** ([Kingma et al., 2016](https://arxiv.org/abs/1606.04934)), gives
# every latent an allowance: its KL,
# averaged over the batch, is charged at a floor until it exceeds it. Below the floor there is nothing
# to gain by dying.
#
# ### Exercise 5 · `free_bits`
#
# *Difficulty ●●○ · importance ●●○ · 6 minutes.* The charge that takes the place of the KL in the loss.
#
# <details><summary>Hint 1</summary>
#
# The order of three steps is all there is to it: mean over the batch, floor, sum over latents.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Two latents with means 0.3 and 0 and the floor 0.1 cost 0.4.
#
# </details>

# %% exercise="free_bits"
def free_bits(kl_per_dim: Tensor, floor: float) -> Tensor:
    """Σ_j max(floor, mean over the batch of KL_j): what the loss takes instead of the KL, nats.

    kl_per_dim: (B, d), KL of each latent of each image; floor: nats per latent. Returns a scalar.
    """
    ### BEGIN SOLUTION
    return kl_per_dim.mean(0).clamp(min=floor).sum()
    ### END SOLUTION


# %% check="free_bits"
free_bits = check("free_bits", free_bits)

# %%
def warm_up(vae: LinearVAE, x: Tensor, step: int) -> Tensor:
    """D + β R with your linear schedule; β = 1 is reached at half of the training."""
    beta = beta_schedule(step, deep_steps // 2, "linear", 1)
    return losses.beta_vae_loss(losses.elbo_terms(vae, x), beta)


def with_free_bits(vae: LinearVAE, x: Tensor, step: int) -> Tensor:
    """D + Σ_j max(0.1, KL_j)."""
    q_z = vae.encode(x)
    kl_per_dim = kl_divergence(q_z, losses.standard_normal(q_z.mean))  # (B, d)
    return free_bits(kl_per_dim, 0.1) - losses.elbo_terms(vae, x).log_lik.mean()

# %% [markdown]
# **Prediction.** Which repair brings more latents to life, and which the better −ELBO? They need not be
# the same. How near will they come to the formula?
#
# ✎ *Double-click here and write your answer:*

# %%
deep["warm-up"] = [train_deep(warm_up, deep_steps, s) for s in seeds_deep]
deep["free bits"] = [train_deep(with_free_bits, deep_steps, s) for s in seeds_deep]
plots.table({name: told(runs) for name, runs in deep.items()} | formula_row, corner="each seed")

# %%
short_run_note("the curves and the table")
first = {name: runs[0] for name, runs in deep.items()}
rising = {"constant β": first["constant, 3 ×"][1], "warm-up": first["warm-up"][1],
          "free bits": first["free bits"][1]}
shares = {name: kl_per_latent(vae, X_deep).sort(descending=True).values for name, (vae, _) in first.items()}
figures.collapse(rising, shares | {"formula": fair}, optimum=float(fair.sum()))
plt.show()

# %% [markdown]
# **Figure 10.** One training of each kind (the first seed). Left: the rate in training; the constant β has
# three times the steps, and each number is that of the last batch. Right: what each latent carries at the end; white fields are dead latents.
#
# The constant β, however long, stops
# below the optimum, with latents at 0 that the formula fills. Warm-up lets the code grow while it costs
# little, and most of it stays as β rises; what it had not found by then stays dead, too. Free bits hold
# every latent near the floor or above it.
#
# What does a repair cost? Warm-up spends half of the training on another objective. Free bits change
# the objective for good: a latent keeps about 0.1 nats whether it has something to say or not. So the
# count of living latents is no proof, since free bits raise it *by construction*. The proof is the
# objective.
#
# Now without a formula: digits, a decoder of four narrow layers, β = 4 and 16 latents. A warm-up that is
# ahead after as many steps could also be the *faster* training. So the constant β gets three times
# the steps as well.

# %%
def deep_digits() -> models.MLPVAE:
    """16 latents and a decoder of four hidden layers of 128."""
    torch.manual_seed(seed)
    vae = models.MLPVAE(16)
    vae.decoder = models.mlp(16, 128, 128, 128, 128, 784)
    return vae


def warm_up_digits(total: int) -> Callable:
    """D + β R with your linear schedule, one step a call; β is reached at half of `total`."""
    step = itertools.count()

    def objective(vae: nn.Module, x: Tensor) -> tuple[Tensor, Point]:
        return beta_objective(vae, x, beta_schedule(next(step), total // 2, "linear", price))

    return objective


# %%
constant_digits, n_short = partial(beta_objective, beta=price), steps // 2
plans = {"constant β": (constant_digits, n_short), "warm-up": (warm_up_digits(n_short), n_short),
         "constant, 3 ×": (constant_digits, 3 * n_short)}
collapse, asked, found = {}, {}, {}
for name, (objective, n_steps) in plans.items():
    vae = collapse[name] = deep_digits()
    train(vae, objective, n_steps)
    tested = evaluate(vae, constant_digits, test_images, seed=seed)
    asked[name] = tested["loss"]
    found[name] = {"R": tested["rate"], "D": tested["distortion"], f"D + {price}R": tested["loss"],
                   "latents above 0.1 nats": int((kl_per_latent(vae, X_test) > 0.1).sum())}
plots.table(found, best={f"D + {price}R": "min"})

# %%
ahead = asked["warm-up"] < asked["constant β"]
caught_up = asked["constant, 3 ×"] <= asked["warm-up"]
print("In as many steps", "warm-up" if ahead else "constant β", "is ahead.")
print("Three times as long, constant β",
      "is not behind: here it was slow, not stuck." if caught_up else "stays behind: here it is stuck.")

# %%
shown, beside = {"test image": X_test[:9].view(-1, 28, 28)}, {}
for name, vae in collapse.items():
    label = f"{name}\n{found[name]['latents above 0.1 nats']} of 16 live"
    shown[label] = vae.decode(vae.encode(X_test[:9]).mean).mean.view(-1, 28, 28)
    beside[label] = asked[name]

# %%
title = f"Least D + {price}R, {min(asked.values()):.1f} nats: {min(asked, key=asked.get)}"
plots.image_rows(shown, values=beside, value_label=f"D + {price}R, nats", title=title)
plt.show()

# %% [markdown]
# **Figure 11.** Test images through the three models of digits (a constant β, a warm-up, a constant β for three
# times the steps), and the objective of each. Where few
# latents live, digits of different classes get nearly the same picture.
#
# It is one training of each, so the
# order may turn with another `seed`; what does not turn is the way to ask. Who shows that a repair
# *repairs* compares the same objective, over several seeds, with a constant β that had the time.

# %% [markdown]
# ## 4.7 · One factor, one latent?
#
# β-VAEs became known for something else: with β > 1, single latents often follow single **factors**
# of the data, such as place or size. Such a code is called **disentangled**. To measure it we need
# data whose factors are known. The course draws them: white shapes on black, five factors, every
# combination once, a tenth of them kept for the test.

# %%
sprites = datasets.load("sprites")
factors = sprites.test.factors  # (N, 5) whole numbers
X_sprites = to_float(sprites.test.images).flatten(1)  # (N, 1024)
print(f"{len(sprites.train):,} training and {len(sprites.test):,} test images")

# %%
one_factor = {}
for k, name in enumerate(sprites.factor_names):
    last = int(factors[:, k].max())
    v = torch.tensor([1, 3, 0, 8, 8]).repeat(min(last + 1, 8), 1)  # an upright L, large, in the middle
    v[:, k] = torch.linspace(0, last, len(v)).round()
    one_factor[f"{name}\n{last + 1} values"] = render(v)[:, 0]

# %%
title = f"Five factors, every combination once: {len(sprites.train) + len(sprites.test):,} images"
plots.image_rows(one_factor, title=title)
plt.show()

# %% [markdown]
# **Figure 12.** The data: in each row one factor moves from its least to its largest value, the others
# stay. At most eight of its values are drawn.
#
# Every factor is to be seen: no
# two pictures of the set are the same, and a code could hold all five. We train a β-VAE with ten
# latents on them.

# %% [markdown]
# **Prediction.** At β = 12, a nat has to save 12 nats of distortion. Which factors change many pixels
# and will be in the code, and which only few? How many of the ten latents will live?
#
# ✎ *Double-click here and write your answer:*

# %%
sprite_beta = 12
torch.manual_seed(seed)
sprite_vae = models.MLPVAE(10, data_dim=1_024)
records = fit(sprite_vae, partial(beta_objective, beta=sprite_beta), sprites.train.images,
              epochs=sprite_epochs, batch_size=512, lr=1e-2, seed=seed)
for record in progress_bar(records, total=sprite_epochs * -(-len(sprites.train) // 512)):
    pass
sprite_vae.cpu().eval().requires_grad_(False)
print(f"step {record.step:,}: R {record.terms['rate']:.1f}, D {record.terms['distortion']:.1f} nats")

# %%
z_means = sprite_vae.encode(X_sprites).mean  # (N, 10)
kl_sprites = kl_per_latent(sprite_vae, X_sprites)
order = kl_sprites.argsort(descending=True)
knows = factor_information(z_means, factors)  # (10, 5), each in [0, 1]
walks, start = {}, z_means[factors[:, 1].argmax()]  # from the code of a large sprite
for j in order[:6].tolist():
    z = start.repeat(7, 1)
    z[:, j] = torch.linspace(-2.5, 2.5, 7)
    walks[f"{figures.latent(j)}, {kl_sprites[j]:.1f} nats"] = sprite_vae.decode(z).mean.view(-1, 32, 32)

# %%
short_run_note("the walks and the table")
title = f"{(kl_sprites > 0.1).sum()} of 10 latents live: each moved alone"
figures.walks_and_shares(walks, knows[order[:6]], factors=sprites.factor_names, title=title)
plt.show()

# %% [markdown]
# **Figure 13.** Left: the code of one test image, one latent moved at a time, largest KL first. Right:
# the share I(z_j; v_k)/H(v_k) of each factor that each latent knows; framed, the best latent of
# a factor, where it knows more than a tenth.
#
# Picture and table agree: where a row has one dark field, the walk changes mainly that. (A row of 0.0 nats that knows
# something all the same moves its mean by less than its noise; such scores look at means alone.) Note
# also the pale columns. At this price the code leaves out what few pixels depend on, and the decoder
# blurs it. The angle has a reason of its own: it comes back to where it began, which takes two latents.

# %%
sprite_walk = widgets.latents(
    lambda z: sprite_vae.decode(z).mean, kl_sprites, shape=(1, 32, 32), shown=6, base=start
)
sprite_walk

# %% [markdown]
# **Figure 14.** Your own model, from the code of one sprite, with the six latents of largest KL, or those that
# have any. Move one latent at a time, and name what it does, if it has a name.
#
# ### Exercise 6 · `mutual_information_gap`
#
# *Difficulty ●●● · importance ●●○ · 20 minutes.* For each factor, how much more does its best latent
# know than its second best? That is the **mutual information gap**, MIG
# ([Chen et al., 2018](https://arxiv.org/abs/1802.04942)): 1 if
# each factor has a latent to itself that determines it, 0 if its two best latents know as much.
#
# <details><summary>Hint 1</summary>
#
# Cut each latent into bins, `n_bins` equal intervals from its least to its largest value. The largest
# value itself belongs to the last bin; a latent that never changes has but one.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Count how often each pair (bin, value) occurs, in float64. With p = counts/N, the information is
# Σ p log(p / (p_bin · p_value)), where 0 log 0 = 0.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The entropy of a factor is its information about itself. Sort the informations about one factor over
# the latents, take the gap, divide by the entropy, then average over factors.
#
# </details>

# %% exercise="mutual_information_gap"
def mutual_information_gap(z: Tensor, factors: Tensor, n_bins: int = 20) -> float:
    """Mean over factors of (largest − second largest I(z_j; v_k)) / H(v_k), in [0, 1].

    z: (N, d) codes, each latent cut into n_bins equal intervals from its least to its largest
    value; factors: (N, K) whole numbers from 0. The score is that of Chen et al. (2018), the
    estimator by intervals that of Locatello et al. (2019), who cut posterior means.
    """
    ### BEGIN SOLUTION
    def information(a: Tensor, b: Tensor) -> Tensor:
        joint = torch.zeros(int(a.max()) + 1, int(b.max()) + 1, dtype=torch.float64)
        joint.index_put_((a, b), torch.tensor(1 / len(a), dtype=torch.float64), accumulate=True)
        independent = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
        return torch.xlogy(joint, joint / independent.clamp(min=1e-30)).sum()

    low, high = z.min(0).values, z.max(0).values
    bins = ((z - low) / (high - low).clamp(min=1e-12) * n_bins).long().clamp(max=n_bins - 1)
    gaps = []
    for v in factors.T.long():
        mi = torch.stack([information(column, v) for column in bins.T]).sort().values
        gaps.append((mi[-1] - mi[-2]) / information(v, v))  # I(v; v) is the entropy of v
    return float(torch.stack(gaps).mean())
    ### END SOLUTION


# %% check="mutual_information_gap"
mutual_information_gap = check("mutual_information_gap", mutual_information_gap)

# %% [markdown]
# One name, several estimators. [Chen et al. (2018)](https://arxiv.org/abs/1802.04942) integrate over
# q(z|x), so that a latent's noise counts. Twenty intervals of posterior means, as above, are what
# [Locatello et al. (2019)](https://arxiv.org/abs/1811.12359) use, and many after them. Means have no
# noise: even a dead latent's mean moves a little, and in intervals as narrow as that little it looks as
# if it knew something. So below stand three numbers: of all means, of the means of living latents
# only, and of samples z ~ q(z|x), which have the noise.
#
# The second score asks the other way round. The **FactorVAE score**
# ([Kim and Mnih, 2018](https://arxiv.org/abs/1802.05983)) holds one factor fixed, draws the others, and
# looks for the latent whose variance is the smallest *relative to its variance over all images*. It is
# the share of draws in which that latent tells which factor was held: 1 at best, 1/5 for a code that
# knows nothing, and at most min(m, 5)/5 with m living latents. It does not mind that a factor is spread
# over two latents; MIG does.

# %%
def three_gaps(vae: nn.Module) -> dict[str, float]:
    """MIG of all posterior means, of the living latents' (two at least), and of samples."""
    q_z = vae.encode(X_sprites)
    z = q_z.mean  # (N, 10)
    living = z.var(0).topk(max(2, active_units(z))).indices
    sample = z + sprite_noise * q_z.stddev
    return {"means": mutual_information_gap(z, factors),
            "living": mutual_information_gap(z[:, living], factors),
            "samples": mutual_information_gap(sample, factors)}

# %%
sprite_noise = torch.randn(len(X_sprites), 10, generator=rng)
longer, card = checkpoints.load("sprites-beta-vae")
scored = {}
for name, vae in {"yours": sprite_vae, "trained longer": longer}.items():
    z_found = vae.encode(X_sprites).mean
    gaps = {f"MIG of {way}": gap for way, gap in three_gaps(vae).items()}
    score = factor_vae_score(z_found, factors)
    scored[name] = {"latents live": active_units(z_found), **gaps, "FactorVAE": score}
title = "trained longer: β = {beta:g}, {epochs} epochs".format(**card["training"])
title += f", seed {card['seed']}"
plots.table(scored, title=title, forms=dict.fromkeys([*gaps, "FactorVAE"], ".3f"))

# %% [markdown]
# The three MIGs of one model are three numbers, so a MIG is told with its estimator. The second model comes with the course. It is the one of five seeds
# with the largest MIG of means, which has to be said; below come all five.
#
# Now the control. Let R be a rotation, RᵀR = I. Turn each code, z′ = Rz, and let the decoder turn it
# back, p(x|z′) = p(x|z = Rᵀz′). What becomes of the nats?
#
# - The prior: Rz of z ~ N(0, I) is N(0, RRᵀ) = N(0, I), as before.
# - The posterior N(μ, Σ) becomes N(Rμ, RΣRᵀ). In KL = ½ (tr Σ + ‖μ‖² − d − log det Σ) none of the
#   terms changes: tr RΣRᵀ = tr Σ, ‖Rμ‖ = ‖μ‖, det RΣRᵀ = det Σ. The rate stays.
# - Each z′ decodes to what its z decoded to. The distortion stays, and with it p(x) = E_p[p(x|z)].
#
# So every nat stays. The code of an image is as good as before, and the axes are others.

# %% [markdown]
# **Prediction.** We turn the latents by 45°, two at a time. What do MIG and the FactorVAE score do? And
# at 90°?
#
# ✎ *Double-click here and write your answer:*

# %%
def turned(vae: nn.Module, degrees: float) -> dict[str, float]:
    """Scores and nats of a model whose code is turned and whose decoder turns it back."""
    q_z = vae.encode(X_sprites)
    R = pairwise_rotation(q_z.mean, factors, degrees=degrees)  # (d, d)
    mu, cov = q_z.mean @ R.T, R @ torch.diag_embed(q_z.variance) @ R.T
    z = mu + (sprite_noise * q_z.stddev) @ R.T  # a sample of the turned posterior
    log_lik = vae.decode(z @ R).log_prob(X_sprites).sum(1).mean().item()
    kl = kl_full_normal(mu, cov, torch.zeros(10), torch.eye(10)).mean().item()
    return {"cross-entropy": -log_lik, "KL": kl, "−ELBO": kl - log_lik,
            "MIG": mutual_information_gap(mu, factors), "FactorVAE": factor_vae_score(mu, factors)}

# %%
before_after = {"yours": turned(sprite_vae, 0.0), "yours, turned": turned(sprite_vae, 45.0),
                "trained longer": turned(longer, 0.0), "trained longer, turned": turned(longer, 45.0)}
plots.table(before_after, forms=dict.fromkeys(before_after["yours"], ".3f"))

# %%
angles = [0, 10, 20, 30, 45, 60, 70, 80, 90]
found = [turned(longer, degrees) for degrees in angles]
by_angle = {name: (angles, [scores[name] for scores in found]) for name in ["FactorVAE", "MIG"]}
costs = [scores["−ELBO"] for scores in found]

# %%
def turned_walks(vae: nn.Module, degrees: float) -> dict[str, Tensor]:
    """Along each axis of the turned code, of the two latents that know most; then test images."""
    mu = vae.encode(X_sprites).mean
    R = pairwise_rotation(mu, factors, degrees=degrees)
    pair = factor_information(mu, factors).sum(1).topk(2).indices
    large = factors[:, 1] == factors[:, 1].max()
    spread = torch.linspace(0, int(large.sum()) - 1, 6).long()  # over all shapes
    z_some = mu[large][spread] @ R.T  # (6, d), turned codes of large sprites
    rows = {}
    for j in pair.tolist():
        z_turned = z_some[:1].repeat(6, 1)
        z_turned[:, j] = torch.linspace(-2.5, 2.5, 6)
        rows[f"along {figures.latent(j)}"] = vae.decode(z_turned @ R).mean.view(-1, 32, 32)
    return rows | {"six sprites": vae.decode(z_some @ R).mean.view(-1, 32, 32)}

# %%
walked = {f"{how}: MIG {scores['MIG']:.2f}, −ELBO {scores['−ELBO']:.1f}": turned_walks(longer, degrees)
          for how, degrees, scores in [("as trained", 0, found[0]), ("turned by 45°", 45, found[4])]}
ends = sorted({f"{cost:.3f}" for cost in (min(costs), max(costs))})
title = f"−ELBO over all angles: {' to '.join(ends)} nats"
figures.turned_code(walked, by_angle, title=title)
plt.show()

# %% [markdown]
# **Figure 15.** The model trained for longer, with its code turned by 45° (right) and as it is (left).
# Above: walks along two latents from −2.5 to 2.5, and six sprites decoded from their codes. After the
# turn an axis moves two things at once; the decoded sprites are the same. Below: both scores at each
# angle.
#
# −ELBO, from the turned Gaussians with their full covariances, stays. MIG falls towards the middle and
# is back at 90°, where latents have only changed places.
# What the score rewards is not in the likelihood.
#
# So why do β-VAEs find the axes at all? Because their encoder gives q(z|x) a *diagonal* covariance; a
# turned code would need correlated latents
# ([Rolínek et al., 2019](https://arxiv.org/abs/1812.06775)). Where two latents are equally
# precise, even that does not hold them. And one training is one draw: the committed metrics hold five
# seeds for each of two βs.

# %%
seeds = checkpoints.metrics("sprites")
trainings = {beta: [run for run in seeds["runs"] if run["beta"] == beta] for beta in (1, 12)}
wanted = {"mig": "MIG", "factor_vae": "FactorVAE", "active_units": "latents live",
          "negative_elbo": "−ELBO"}
every = {f"β = {beta}, seed {run['seed']}": {name: run[key] for key, name in wanted.items()}
         for beta, runs in trainings.items() for run in runs}
best = {"MIG": "max", "FactorVAE": "max", "−ELBO": "min"}
plots.table(every, forms={"MIG": ".2f", "FactorVAE": ".2f"}, best=best)

# %%
scores, titles = {}, {}
for key, name in [("mig", "MIG"), ("factor_vae", "FactorVAE")]:
    scores[name] = {beta: [(run[key], run["rotated"][key]) for run in runs]
                    for beta, runs in trainings.items()}
    ahead = [at_12[key] > at_1[key] for at_12 in trainings[12] for at_1 in trainings[1]]
    titles[name] = f"{name}: β = 12 ahead in {sum(ahead)} of {len(ahead)} pairs"
figures.seeds(scores, titles=titles)
plt.show()

# %% [markdown]
# **Figure 16.** All seeds of the committed runs, none left out; each line is one trained model,
# before and after its code is turned. The titles compare each training at β = 12 with each at β = 1.
#
# Of the MIG of β = 12 one training of the five has half of what
# the others have, so who reports the best of them reports the seed. FactorVAE says the same 0.6 of all
# five: three of their latents live, and min(3, 5)/5 is the bound. A code that is
# mixed to begin with has little to lose: there a score can even rise. And the larger MIG of β = 12 has
# its price, the −ELBO in the table.
#
# ## 4.8 · What such a score does not say
#
# - *It needs the factors.* Without them nobody can compute it, so nobody can choose the best seed
#   by it. In a study of over 12,000 models, seeds and hyper-parameters mattered more than the method,
#   and no score that works without labels picked the good ones
#   ([Locatello et al., 2019](https://arxiv.org/abs/1811.12359)).
# - *The images alone do not determine it.* For every disentangled model there is an entangled one with
#   the same p(x); section 4.7 made one by turning the code. What decides is in the choices we
#   made before, such as a diagonal q, or in labels.
# - *It is one definition out of several.* Figure 16 shows two scores on the same codes, and in most
#   pairs of trainings they do not agree which β is better. FactorVAE is at most min(m, 5)/5, so it
#   favours β = 1, where more latents live; MIG subtracts what a second latent knows, and favours β = 12.
# - *It says nothing about use.* Whether such a code helps a task is to be measured on the task.
#
# ## 4.9 · What we have seen
#
# - A VAE is a point in the plane of rate and distortion; −β is the slope of the curve there.
# - Objectives with different β are in different currencies. −ELBO may be compared, whatever the
#   training.
# - The rate is the information of the code plus the mismatch of all codes with the prior.
# - Latents below the water level βσ² die rightly; the formula says which, and the linear VAE obeys.
# - Others die by accident. Warm-up and free bits can bring them back, and the proof is the objective,
#   against a constant β that had the time, and not the count.
# - β and σ² are one knob. A squared error without σ is a choice of β; the likelihood knows the best σ.
# - Turning a disentangled code destroys its MIG and leaves every likelihood alone.
#
# **To think about.** (1) A colleague sums the KL over latents and takes the mean of the squared
# error over pixels and images. Which way did the water level move? (2) Two papers report −ELBO, of a
# model trained at β = 4 and of one at β = 1. What do you ask for? (3) All 64 latents of a model are
# active. Is that good news?
#
# <details><summary>Some answers</summary>
#
# (1) Up, by a factor of the number of pixels, if both used to be summed: the effective β is large, and
# latents die that need not. (2) Rate and distortion, each, on the test set, and −ELBO = R + D for both. (3) Not by
# itself: a low price keeps latents alive, after a short training means still wander, and free bits
# hold every KL up by construction. Look at the objective.
#
# </details>
#
# *Next:* **[05 · Generating CelebA and CIFAR images](05_generation_celeba_cifar.ipynb)**, where σ²
# decides how faces look.
#
# **Sources.** [Alemi et al. (2018)](https://arxiv.org/abs/1711.00464), *Fixing a broken ELBO*.
# [Bowman et al. (2016)](https://arxiv.org/abs/1511.06349), *Generating
# sentences from a continuous space*. [Burda et al. (2016)](https://arxiv.org/abs/1509.00519),
# *Importance weighted autoencoders*. [Chen et al. (2018)](https://arxiv.org/abs/1802.04942),
# *Isolating sources of disentanglement in variational autoencoders*.
# [Cover and Thomas (2006)](https://doi.org/10.1002/047174882X), *Elements of information theory*.
# [Fu et al. (2019)](https://arxiv.org/abs/1903.10145), *Cyclical annealing schedule*.
# [Higgins et al. (2017)](https://openreview.net/forum?id=Sy2fzU9gl), *β-VAE*.
# [Kim and Mnih (2018)](https://arxiv.org/abs/1802.05983), *Disentangling by factorising*.
# [Kingma et al. (2016)](https://arxiv.org/abs/1606.04934),
# *Improved variational inference with inverse autoregressive flow*.
#
# [Locatello et al. (2019)](https://arxiv.org/abs/1811.12359), *Challenging common assumptions in
# the unsupervised learning of
# disentangled representations*. [Lucas et al. (2019)](https://arxiv.org/abs/1911.02469), *Don't
# blame the ELBO!* [Rolínek et al. (2019)](https://arxiv.org/abs/1812.06775),
# *Variational autoencoders pursue PCA directions (by accident)*.
# [Rybkin et al. (2021)](https://arxiv.org/abs/2006.13202), *Simple and
# effective VAE training with calibrated decoders*.
