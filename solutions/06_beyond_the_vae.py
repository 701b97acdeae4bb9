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

# %%
import math
from collections.abc import Callable

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

# %%
from course_lib import datasets, losses, plots, widgets
from course_lib.exact_chain import ChainVAE, GaussianDiffusion, TopDown, aligned_chain, sigma_points
from course_lib.exercises import check
from course_lib.settings import short_run_note, shortened

# %%
plots.use_course_style()
torch.manual_seed(seed)
rng = torch.Generator().manual_seed(seed)

# %% [markdown]
# ## 6.3 · Deep hierarchies
#
# A VAE has one layer of latents, with the prior N(0, I). Why not two, of which the upper one writes the prior of
# the lower? Images are drawn from the top:
#
# $$z_2 \sim \mathcal{N}(0, I), \qquad z_1 \sim p(z_1\mid z_2), \qquad x \sim p(x\mid z_1).$$
#
# The networks of p(z1|z2) and p(x|z1) return means and variances, as decoders do. The hope: z2 says *what*
# is to be seen, z1 *how*. The question of this section is which layer does the work, and what becomes of it with
# three layers, or a thousand.

# %% [markdown]
# **The bound.** An encoder of two layers has two distributions. Going down as the generation does
# (**top-down inference**), they are q(z2|x) and q(z1|z2, x), and the KL of both layers together is, by the chain
# rule, that of the upper one and the mean of that of the lower one:
#
# $$\log p(x) \ge \mathbb{E}_q[\log p(x\mid z_1)] - \mathrm{KL}\big(q(z_2\mid x)\,\|\,\mathcal{N}(0, I)\big)
# - \mathbb{E}_{q(z_2\mid x)}\,\mathrm{KL}\big(q(z_1\mid z_2, x)\,\|\,p(z_1\mid z_2)\big).$$
#
# The lower layer pays only for what z2 has not said. In code, `vae.bottom_up(x)` is one pass up that both
# distributions share; `vae.q_z2(h)`, `vae.q_z1(h, z2)`, `vae.p_z1(z2)` and `vae.p_x(z1)` are the four of the
# equation.
#
# ### Exercise 1 · `hierarchical_elbo`
#
# *Difficulty ●●○ · importance ●●● · 12 minutes.* The bound of each image, with one sample of z2 and of z1, and what each
# layer costs. The noise is handed in.
#
# <details><summary>Hint 1</summary>
#
# One pass up, then down: q(z2|x), a z2 = μ + σ·ε, with it both distributions of z1, a z1, the likelihood.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `kl_divergence(q, p)` of two diagonal Gaussians gives one number per latent, `losses.standard_normal(z2)` is N(0, I)
# in the shape of z2. Sum over the latents of a layer, not over images.
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
# **Where the truth is known.** Let all three maps be linear and all noise Gaussian, z1 = A z2 + a + noise and
# x = B z1 + b + noise. Then x is Gaussian, its evidence log p(x) is known, and so is the exact posterior,
# layer by layer. With it in place of an encoder the bound has to *be* the evidence.
#
# The mean over the noise needs no random numbers here. The bound is a quadratic in (ε2, ε1), and the mean of a
# quadratic under N(0, I) is its mean over 2n points ±√n e_i.

# %%
chain = aligned_chain(4, 2, 8, generator=rng)  # d1 = 4, d2 = 2, D = 8
x_chain = chain.sample(500, generator=rng)[2]  # (N, 8), float64
points = sigma_points(2 + 4)


def chain_elbo(infer: Callable[[Tensor], TopDown]) -> Tensor:
    """The mean over the noise of your bound with this q, exact up to rounding: (N,) nats."""
    vae, n = ChainVAE(chain, infer), len(x_chain)
    at = [hierarchical_elbo(vae, x_chain, p[:2].expand(n, 2), p[2:].expand(n, 4))[0] for p in points]
    return torch.stack(at).mean(0)


evidence = chain.log_evidence(x_chain)
error = (chain_elbo(chain.posterior) - evidence).abs().max()
print(f"log p(x) from {evidence.min():.1f} to {evidence.max():.1f} nats; at the exact posterior your "
      f"bound is off by {error:.0e} at most")

# %% [markdown]
# **Prediction.** Now we spoil the posterior: we move the mean of z2 by s, or that of z1, or let q(z1|x) look at
# x alone, at the best mean and variance that it can then have. Which of these opens a gap, and how does it grow with s?
#
# ✎ *Double-click here and write your answer:*

# %%
def spoiled(x: Tensor, s2: float = 0.0, s1: float = 0.0) -> TopDown:
    """The exact posterior with the mean of q(z2|x) moved by s2, that of q(z1|z2, x) by s1."""
    q = chain.posterior(x)
    return q._replace(mu2=q.mu2 + s2, mu1=q.mu1 + s1)


def x_alone(x: Tensor) -> TopDown:
    """The best q(z2|x) q(z1|x): z1 does not know which z2 was drawn."""
    q = chain.posterior(x)
    precision = torch.eye(2).double() + chain.A.T @ torch.linalg.solve(chain.S1, chain.A)
    return q._replace(mu1=q.mu1 + q.mu2 @ q.gain.T, gain=0 * q.gain, cov2=torch.linalg.inv(precision))

# %%
shifts = torch.linspace(-1, 1, 9)
moved = {"z2 moved by s": lambda s: lambda x: spoiled(x, s2=s), "z1 moved by s": lambda s: lambda x: spoiled(x, s1=s)}
gap_of = {name: [(evidence - chain_elbo(q(float(s)))).mean() for s in shifts] for name, q in moved.items()}
kl_of = {name: [chain.gap(x_chain, q(float(s))(x_chain)).mean() for s in shifts] for name, q in moved.items()}
blind = (evidence - chain_elbo(x_alone)).mean()
off = max(abs(a - b) for name in moved for a, b in zip(gap_of[name], kl_of[name]))
print(f"gap and KL to the exact posterior differ by {off:.0e} nats at most")
print(f"with q(z1|x) in place of q(z1|z2, x) the gap is {blind:.2f} nats at best")

# %%
fig, ax = plt.subplots(figsize=(8, 3.8))
plots.curves({f"KL, {name}": (shifts, kl) for name, kl in kl_of.items()}, ax,
             x_label="s", y_label="gap (nats per image)")
for gap, colour in zip(gap_of.values(), [plots.BLUE, plots.ORANGE]):
    ax.plot(shifts, gap, "o", color=colour)
ax.axhline(float(blind), color=plots.BLACK, linestyle=":", label="q(z1|x), which does not see z2")
ax.legend()
plt.show()

# %% [markdown]
# **Figure 1.** The gap between the evidence and your bound on the linear chain (dots), and the KL to the exact
# posterior from its closed form (lines). Note that they agree at every s, and that there is no gap at s = 0 alone. The dotted
# line is an encoder whose two layers ignore each other: no training closes its gap, since given x the two latents
# of the exact posterior are *not* independent. That is the reason for going down from z2 to z1.

# %% [markdown]
# **Very deep.** With top-down inference one can go on: z_L, …, z_1, x, and one KL for each layer,
#
# $$\log p(x) \ge \mathbb{E}_q[\log p(x\mid z_1)] - \mathrm{KL}(q(z_L\mid x)\,\|\,p(z_L))
# - \sum_{l<L}\mathbb{E}_q\,\mathrm{KL}\big(q(z_l\mid z_{>l}, x)\,\|\,p(z_l\mid z_{>l})\big).$$
#
# [Child (2021)](https://arxiv.org/abs/2011.10650) stacks dozens of layers, from 1 × 1 to the full size of the image.
# Each gets what the layers above have said *and* what the pass up has seen at its size, its last weights
# start near zero, and steps whose gradient is too large are skipped. The paper's argument for depth: with a layer for each pixel,
# such a VAE can be any autoregressive model, which the layers of one size then need not be.

# %% [markdown]
# ### Diffusion: the limit in which q is fixed
#
# Now choose the encoder once and for all: q(x_t|x_{t−1}) adds a little noise, for t = 1 … T. All layers have the
# size of x, and no parameter is left in q. With z_l = x_l the bound above is that of a **diffusion model**
# ([Ho et al., 2020](https://arxiv.org/abs/2006.11239)), term by term:
#
# $$\log p(x) \ge \mathbb{E}_q[\log p(x\mid x_1)] - \mathrm{KL}(q(x_T\mid x)\,\|\,p(x_T))
# - \sum_{t=2}^{T}\mathbb{E}_q\,\mathrm{KL}\big(q(x_{t-1}\mid x_t, x)\,\|\,p(x_{t-1}\mid x_t)\big).$$
#
# q(x_{t−1}|x_t, x) is a Gaussian that everyone can write down. No layer can collapse, since q is not trained: the
# nats of each layer are set by the schedule of the noise. What is learned is p alone. One network serves all layers, and each layer can be trained
# by itself, as q(x_t|x) needs no pass through the others.

# %% [markdown]
# **Prediction.** Take Gaussian data, x ~ N(0, diag λ), and two steps of noise as the two layers. The best
# p(x_{t−1}|x_t) is then a Gaussian too. How large is the gap of the bound, with two layers only and an encoder
# that nobody has trained?
#
# ✎ *Double-click here and write your answer:*

# %%
spectrum = torch.tensor([4, 1, 0.25, 0.05], dtype=torch.float64)  # λ


def noising(T: int) -> GaussianDiffusion:
    """T steps of a cosine, like the schedule of notebook 05; 0.01% of the variance is left at T."""
    t = torch.arange(1, T + 1, dtype=torch.float64)
    return GaussianDiffusion(spectrum, torch.cos(0.497 * math.pi * t / T) ** 2)


two = noising(2)
mean_gain, exact_variance = two.reverse()  # of p(x_{t−1}|x_t), (T, D) each
to_x, to_next, own_variance = two.posterior()  # of q(x_{t−1}|x_t, x), (T, 1) each

# %%
class FixedQ:
    """Diffusion in two steps as a VAE of two layers: z2 = x_2, z1 = x_1, nothing to learn in q."""

    def bottom_up(self, x: Tensor) -> Tensor:
        return x

    def q_z2(self, x: Tensor) -> Normal:
        return Normal(two.kept[1].sqrt() * x, (1 - two.kept[1]).sqrt())

    def q_z1(self, x: Tensor, z2: Tensor) -> Normal:
        return Normal(to_x[1] * x + to_next[1] * z2, own_variance[1].sqrt())

    def p_z1(self, z2: Tensor) -> Normal:
        return Normal(mean_gain[1] * z2, exact_variance[1].sqrt())

    def p_x(self, z1: Tensor) -> Normal:
        return Normal(mean_gain[0] * z1, exact_variance[0].sqrt())

# %%
x_typical = spectrum.sqrt()[None]  # the bound is quadratic in x: here it has its mean over the data
noise = sigma_points(4 + 4)
bounds = [hierarchical_elbo(FixedQ(), x_typical, e[None, :4], e[None, 4:]) for e in noise]
elbo_two, top_two, lower_two = torch.stack([torch.cat(b) for b in bounds]).mean(0)
entropy_gap = float(two.log_evidence(x_typical) - elbo_two)
print(f"mean log p(x) {float(two.log_evidence(x_typical)):.4f}, your bound {elbo_two:.4f}: the gap is {entropy_gap:.0e} nats")
print(f"KL of x_2 {top_two:.4f}, of x_1 {lower_two:.4f} nats")

# %% [markdown]
# The gap is as small as the KL between what is left of the image in x_T and N(0, I), with two steps already. For the
# Gaussian q is no restriction: its exact reverse is Gaussian, however large the step. Real images are
# not Gaussian. Given a noisy x_t they leave several possibilities, and a Gaussian p(x_{t−1}|x_t) fits only if the
# step is so short that the noise decides. Then also its variance needs no learning: it is β_t, that of the step
# itself. On our Gaussian data we can watch how many layers that takes.

# %%
depths = [2, 4, 8, 16, 32, 64, 128, 250, 500, 1000]
gaps = {"variance β_t": [], "exact variance": []}
for T in depths:
    model = noising(T)
    for name, variance in zip(gaps, (model.beta[:, None], model.reverse()[1])):
        terms = model.terms(x_typical, variance)
        gaps[name].append(float(model.log_evidence(x_typical) - terms.log_lik + terms.kl.sum()))
halves = gaps["variance β_t"][-1] / gaps["variance β_t"][-2]
print("     T   gap with β_t   with the exact variance")
for T, fixed, exact in zip(depths, *gaps.values()):
    print(f"{T:6}   {fixed:12.4f}   {exact:10.1e}")
print(f"from 500 to 1,000 steps the gap with β_t changes by a factor of {halves:.2f}")

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 3.8))
layers = {f"T = {T}": noising(T) for T in (4, 16, 64)}
costs = {name: m.terms(x_typical, m.reverse()[1]).kl[0] for name, m in layers.items()}
plots.curves({name: (torch.arange(1, len(kl) + 1) / len(kl), kl) for name, kl in costs.items()}, axes[0],
             x_label="layer t / T (1: the top)", y_label="KL of the layer (nats)")
plots.curves({name: (depths, gap) for name, gap in gaps.items()}, axes[1],
             x_label="layers T", y_label="gap (nats per image)")
axes[0].set_yscale("log")
axes[1].set(xscale="log", yscale="log")
plt.show()

# %% [markdown]
# **Figure 5.** Diffusion of Gaussian data as a hierarchy of T layers. Left: what each layer costs. Note that the top
# costs next to nothing, its prior being what the noise leaves; and that with more layers each pays less. Right: the gap to the evidence.
# With the exact variance there is none worth the name at any T; with the variance of the step it closes as the
# steps get shorter.
