# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 3 · The VAE, derived
#
# {{colab_badge}}
#
# **How does a code become a probability?** After this notebook you can
#
# - **state** why the evidence log p(x) of a latent-variable model is out of reach of plain sampling,
# - **derive** the ELBO in two ways, and **check** every line on a model whose evidence is known,
# - **choose** between two estimators of a gradient by their measured variance,
# - **train** a VAE from functions of your own, and **measure** it against an autoencoder,
# - **find** errors in published formulas by evaluating them.
#
# | takes | difficulty | you need |
# |---|---|---|
# | 120 minutes, 8 exercises | ●●○ to ●●● | [notebook 01](01_autoencoder_basics.ipynb), Gaussians, expectations, the chain rule |
#
# Run the cells in order. Where you see `raise NotImplementedError`, write your own code; the card
# below it says whether it is right and, if not, why. Unsolved exercises do not stop the notebook.

# %% setup=true

# %% tags=["parameters"]
seed = 0
n_train = 55_000
n_valid = 5_000
steps = 6_500

# %%
import math
from collections.abc import Callable, Iterable

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import ContinuousBernoulli, Normal, kl_divergence
from tqdm.auto import tqdm

from course_lib import datasets, losses, models, plots, widgets
from course_lib.distributions import kl_full_normal, log_normal
from course_lib.exact import Formula, LinearGaussian
from course_lib.exercises import check
from course_lib.metrics import error_per_image, neighbour_accuracy, two_sample_accuracy
from course_lib.settings import shortened
from course_lib.training import Record, evaluate, fit, to_float

# %%
plots.use_course_style()
torch.manual_seed(seed)
rng = torch.Generator().manual_seed(seed)
n_train, n_valid, steps = shortened((n_train, n_valid, steps), (8_000, 1_000, 250))

# %% [markdown]
# ## 3.1 · A model that could have made the data
#
# [Notebook 02](02_convolutional_autoencoder.ipynb) ended with a decoder that works and codes whose
# density we had to fit afterwards. Now
# we start from the other end, with a story of how an image comes about: first a code z is drawn
# from the **prior** p(z) = N(0, I), then an image from the **likelihood** p(x|z), which the decoder
# describes. Such a story is a **latent-variable model**. It gives every image a probability
# density, the **evidence**
#
# $$p(x) = \int p(x \mid z)\, p(z)\, dz ,$$
#
# and training means making log p(x) large on the data. The one difficulty of this notebook is that
# integral. We work with two models: a linear-Gaussian one, in which the integral is known and every
# claim can be checked, and a network, in which it is not.

# %%
W, b = torch.tensor([[2.0], [1.0]], dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
plane = LinearGaussian(W, b, sigma=0.5)  # z ~ N(0, 1), x|z ~ N(W z + b, 0.25 I): one code, two pixels
z, x = plane.sample(1_500, generator=rng)  # (N, 1), (N, 2)
far = torch.tensor([[0, 4]]).double()
print("log p(x) of the first points:", ", ".join(f"{v:.2f}" for v in plane.log_evidence(x[:3])))
print(f"log p(x) at (0, 4), far from all points: {plane.log_evidence(far).item():.2f}")

# %%
fig, ax = plt.subplots(figsize=(7, 4))
points = ax.scatter(*x.T, c=z[:, 0], s=10, cmap="viridis")
ends = torch.tensor([[-3.0], [3.0]]).double() @ W.T  # W z for z = −3 and 3
ax.plot(*ends.T, color=plots.BLACK, label="W z for z from −3 to 3")
ax.set(xlabel="pixel x₁", ylabel="pixel x₂")
fig.colorbar(points, label="code z")
ax.legend()
plt.show()

# %% [markdown]
# **Figure 1.** 1,500 draws from the model with one code and two pixels; the colour is the code that
# made each point. Note that the data are a thick line: the decoder draws the line, the noise makes it
# thick, and the prior says which part of the line is likely.
#
# The evidence is an average over the prior, so the first idea is to average over samples:
#
# $$\hat p(x) = \frac{1}{S} \sum_{s=1}^{S} p(x \mid z_s), \qquad z_s \sim p(z).$$
#
# This is unbiased for p(x); its logarithm is too small on average, and section 3.3 says why. We try
# it on models with d codes and 20 pixels, where log p(x) is known.
#
# **Prediction.** With 10,000 samples and d = 16 codes, how many nats is the estimate of log p(x) off:
# a hundredth, one, or ten and more?
#
# ✎ *Double-click here and write your answer:*

# %%
def naive_log_evidence(model: LinearGaussian, x: Tensor, S: int) -> Tensor:
    """log (1/S) Σ_s p(x|z_s) with z_s ~ p(z). (B, D) to (B,) nats."""
    z = torch.randn(S, model.W.shape[1], generator=rng, dtype=x.dtype)  # (S, d)
    log_lik = model.log_lik(x, z[:, None])  # (S, B)
    return torch.logsumexp(log_lik, 0) - math.log(S)

# %%
sample_sizes = [10, 100, 1_000, 10_000]
missing = {}
for d in [1, 4, 16]:
    W_d = torch.randn(20, d, generator=rng, dtype=torch.float64)
    model = LinearGaussian(W_d, torch.zeros(20).double(), sigma=1.0)
    x = model.sample(10, generator=rng)[1]  # (B, D)
    truth = model.log_evidence(x)
    gaps = [truth - torch.stack([naive_log_evidence(model, x, S) for _ in range(10)])
            for S in sample_sizes]  # each (10, B): ten repeats for each of ten points
    mean, sd = [gap.mean().item() for gap in gaps], [gap.std(0).mean().item() for gap in gaps]
    missing[f"d = {d}"] = (sample_sizes, mean, sd)
    print(f"d = {d:2d}: with 10,000 samples {mean[-1]:6.2f} nats are missing, sd of repeats {sd[-1]:.2f}")

# %%
fig, ax = plt.subplots(figsize=(8, 4))
plots.curves(missing, ax, x_label="samples S", y_label="log p(x) − estimate (nats)")
ax.set_xscale("log")
ax.set_yscale("symlog", linthresh=1)
ax.set_ylim(-1, 1_000)
ax.legend(ncols=3, loc="upper right")
plt.show()

# %% [markdown]
# **Figure 2.** How much the estimate of log p(x) falls short of the truth; bars show one standard
# deviation over repeats. Note that with one code a thousand samples do, and that with 16 codes
# ten thousand fall tens of nats short. Nearly all samples of the prior
# explain x badly; the sum waits for a lucky one.
#
# Ten thousand decoder passes for one number about one image, and with 16 codes it is still far off:
# the integral is out of reach in this way. We need samples that know x.

# %% [markdown]
# ## 3.2 · Samples that know x: q(z|x)
#
# The codes that explain x well are those of the **posterior** p(z|x). We approximate it by a Gaussian
# q(z|x) = N(μ, σ²) with independent coordinates, whose μ and σ the encoder gives for each image.
# Choosing q from a family so that it comes close to the posterior is **variational** inference; one
# encoder for all images makes it **amortised**. Encoder and decoder together are the **variational
# autoencoder**, or VAE ([Kingma and Welling, 2014](https://arxiv.org/abs/1312.6114);
# [Rezende et al., 2014](https://arxiv.org/abs/1401.4082)).
# Throughout, `log_var` is log σ²: it may be any number, and σ = exp(½ `log_var`) is always positive.
#
# ### Exercise 1 · `reparameterize`
#
# *Difficulty ●○○ · importance ●●● · 5 minutes.* Turn noise ε ~ N(0, I) into a sample of q, in a way
# through which gradients reach μ and `log_var`: the **reparameterization trick**.
#
# <details><summary>Hint 1</summary>
#
# Try it by hand: μ = 0, σ = 3 (so `log_var` = log 9) and ε = 1 have to give 3.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `log_var` is the logarithm of the variance. Half of it is the logarithm of the standard deviation.
#
# </details>

# %% exercise="reparameterize"
def reparameterize(mu: Tensor, log_var: Tensor, eps: Tensor) -> Tensor:
    """z = μ + σ ε with σ = exp(½ log σ²): a sample of N(μ, σ²), differentiable in μ and log σ².

    mu, log_var: (…, d), where log_var is log σ²; eps: noise from N(0, I) of the same shape, or with
    more dimensions in front. Returns the shape of eps.
    """
    ### BEGIN SOLUTION
    return mu + torch.exp(0.5 * log_var) * eps
    ### END SOLUTION


# %% check="reparameterize"
reparameterize = check("reparameterize", reparameterize)

# %% [markdown]
# Two mistakes are common: reading `log_var` as log σ, so that exp(`log_var`) is taken for σ, and
# drawing noise inside the function in place of using ε.
#
# **Prediction.** The panel below draws z against ε. How does each mistake look there, and at which
# `log_var` is the first one invisible?
#
# ✎ *Double-click here and write your answer:*

# %%
playground = widgets.reparameterization({
    "yours": reparameterize,
    "exp(log_var) as σ": lambda mu, log_var, eps: mu + log_var.exp() * eps,
    "noise of its own": lambda mu, log_var, eps: reparameterize(mu, log_var, torch.randn_like(eps)),
}, seed=seed)
playground

# %% [markdown]
# **Figure 3.** Left: 150 fixed ε and the z that they are carried to, with the line z = μ + σε. Right:
# 1,000 such z, and the density N(μ, σ²). Move μ and log σ², then choose another function. Note that
# the noise stays while μ shifts the line and σ tilts it. A wrong σ tilts it otherwise, except at
# log σ² = 0. Noise of its own gives the right density, but no line: nothing ties z to the ε that was
# handed over, so a test with known ε fails.
#
# How far is q from the prior? The **Kullback–Leibler divergence** KL(q ‖ p) = E_q[log q(z) − log p(z)]
# says it in nats. It is 0 if q = p and positive otherwise. For Gaussians the expectation can be
# carried out, coordinate by coordinate. The constants ½ log 2π cancel, E_q[(z − μ)²] = σ², and
# E_q[z²] = μ² + σ²:
#
# $$\mathbb{E}_q\!\left[-\tfrac12\log\sigma^2 - \tfrac{(z-\mu)^2}{2\sigma^2} + \tfrac{z^2}{2}\right]
# = \tfrac12\left(\mu^2 + \sigma^2 - 1 - \log\sigma^2\right).$$
#
# ### Exercise 2 · `kl_std_normal`
#
# *Difficulty ●○○ · importance ●●● · 8 minutes.* The KL of N(μ, σ²) from N(0, I), summed over the
# latents of each row. It is part of every loss from here on.
#
# <details><summary>Hint 1</summary>
#
# Try it at μ = 0, σ = 1 (`log_var = 0`): the result is 0. At μ = 1, σ = 1 it is ½ for each latent.
#
# </details>
# <details><summary>Hint 2</summary>
#
# σ² is `log_var.exp()`. Keep the batch: sum over the last dimension only. Should you need zeros,
# `torch.zeros_like(mu)` has the type and the device of μ.
#
# </details>

# %% exercise="kl_std_normal"
def kl_std_normal(mu: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, I)) = ½ Σ (μ² + σ² − 1 − log σ²), nats.

    mu, log_var: (B, d), where log_var is log σ². Returns (B,).
    """
    ### BEGIN SOLUTION
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(-1)
    ### END SOLUTION


# %% check="kl_std_normal"
kl_std_normal = check("kl_std_normal", kl_std_normal)

# %% [markdown]
# ### Exercise 3 · `kl_monte_carlo`
#
# *Difficulty ●●○ · importance ●●○ · 12 minutes.* Where no closed form exists, the same expectation is
# estimated by sampling. Draw z from q, and average log q(z|x) − log p(z).
#
# <details><summary>Hint 1</summary>
#
# Noise of shape `(n_samples, *mu.shape)` gives each row of the batch samples of its own. Pass
# `generator=generator` and `dtype=mu.dtype` to `torch.randn`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `log_normal(z, mu, log_var)` is log N(z; μ, σ²), summed over the last dimension. The prior is the
# same function with zeros for both.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The samples are dimension 0 of the result: that is what the mean is taken over.
#
# </details>

# %% exercise="kl_monte_carlo"
def kl_monte_carlo(
    mu: Tensor, log_var: Tensor, n_samples: int, generator: torch.Generator
) -> Tensor:
    """The same KL as the mean over samples z ~ N(μ, σ²) of log q(z|x) − log p(z), nats.

    mu, log_var: (B, d); every sample has noise of its own from `generator`. Returns (B,).
    """
    ### BEGIN SOLUTION
    eps = torch.randn(n_samples, *mu.shape, generator=generator, dtype=mu.dtype)  # (S, B, d)
    z = reparameterize(mu, log_var, eps)
    log_q = log_normal(z, mu, log_var)  # (S, B)
    log_p = log_normal(z, torch.zeros_like(mu), torch.zeros_like(log_var))
    return (log_q - log_p).mean(0)
    ### END SOLUTION


# %% check="kl_monte_carlo"
kl_monte_carlo = check("kl_monte_carlo", kl_monte_carlo)

# %% [markdown]
# **Prediction.** The second function estimates what the first computes. With one sample, as in a
# training step, how many nats does the estimate scatter about it when there are d = 64 latents?
#
# ✎ *Double-click here and write your answer:*

# %%
spread = {}
for d in [2, 64]:
    mu = 0.5 * torch.randn(1, d, generator=rng).double().expand(400, d)  # 400 repeats of one q
    log_var = torch.full((400, d), -1.0).double()
    truth = kl_std_normal(mu, log_var)[0]
    estimates = [kl_monte_carlo(mu, log_var, S, rng) - truth for S in [1, 4, 16, 64]]  # (400,) each
    sd = [estimate.std().item() for estimate in estimates]
    beside = [S * (1.1 if d == 64 else 1) for S in [1, 4, 16, 64]]  # so that no bar hides another
    spread[f"d = {d}"] = (beside, [e.mean().item() for e in estimates], sd)
    print(f"d = {d:2d}: KL {truth:.3f} nats; one sample scatters by {sd[0]:.2f}, 64 by {sd[-1]:.2f}")

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 3.8))
sigma = torch.linspace(0.05, 3, 300).double()[:, None]  # one latent, many σ
closed = {f"μ = {m}": (sigma, kl_std_normal(torch.full_like(sigma, m), 2 * sigma.log()))
          for m in [0, 1, 2]}
plots.curves(closed, axes[0], x_label="σ of q", y_label="KL (nats)")
plots.curves(spread, axes[1], x_label="samples S", y_label="estimate − KL (nats)")
plots.doubling_axis(axes[1], [1, 4, 16, 64])
axes[1].axhline(0, color=plots.BLACK, linewidth=1)
plt.show()

# %% [markdown]
# **Figure 4.** Left: the closed form for one latent. It has its minimum at σ = 1, and as σ → 0 it
# grows without bound, slowly: each halving of σ costs about log 2 = 0.69 nats. Right: mean and
# standard deviation of the sampled estimate. Note that it is right on average at every S, and that
# its bar halves when S is four times as large. Where the closed form exists, we use it: it has no
# bar at all.

# %% [markdown]
# ## 3.3 · The ELBO, twice
#
# Now the derivation, line by line, each line beside code that evaluates it. We use the smallest
# model there is: z ~ N(0, 1), x|z ~ N(z, 1), and the observation x = 1. Its evidence is p(x) = N(x;
# 0, 2), and its posterior is N(½, ½). As q(z|x) we take some other Gaussian, N(0.2, 0.64), so that
# nothing holds by accident; while x is fixed we write q(z) for it.

# %%
one = torch.ones(1, 1, dtype=torch.float64)
tiny = LinearGaussian(one, torch.zeros(1).double(), sigma=1.0)
x = one  # (1, 1), the observation
mu, log_var = torch.tensor([[0.2]]).double(), torch.tensor([[0.64]]).double().log()
eps = torch.randn(200_000, 1, 1, generator=rng, dtype=torch.float64)
z = reparameterize(mu, log_var, eps)  # (S, 1, 1) samples of q
zero = torch.zeros_like(mu)  # the prior's mean and log-variance
print(f"log p(x) = {tiny.log_evidence(x).item():.4f}")

# %% [markdown]
# **First way, by Jensen's inequality.** Write the integral as an average over q instead of over the
# prior. Multiplying and dividing by q changes nothing:
#
# $$\log p(x) = \log \int q(z)\,\frac{p(x\mid z)\,p(z)}{q(z)}\,dz
# = \log \mathbb{E}_q\!\left[\frac{p(x\mid z)\,p(z)}{q(z)}\right]. \tag{1}$$
#
# The fraction is the **weight** w of a sample, log w = log p(x|z) + log p(z) − log q(z|x).

# %%
log_w = tiny.log_lik(x, z) + log_normal(z, zero, zero) - log_normal(z, mu, log_var)  # (S, 1)
w = log_w.exp()
error = w.std() / w.mean() / len(w) ** 0.5  # of the logarithm of a mean
print(f"(1)  log E_q[w]   = {w.mean().log():.4f} ± {error:.4f}")

# %% [markdown]
# The logarithm is concave, so the log of an average is at least the average of the logs. That is
# Jensen's inequality, and the right-hand side is the **evidence lower bound**:
#
# $$\log \mathbb{E}_q[w] \;\ge\; \mathbb{E}_q[\log w] =: \mathrm{ELBO}. \tag{2}$$

# %%
line_2 = log_w.mean()
print(f"(2)  E_q[log w]   = {line_2:.4f} ± {log_w.std() / len(log_w) ** 0.5:.4f}")

# %% [markdown]
# Of the three terms of log w, the last two make up minus the KL from the prior, for which we have a
# closed form. What is left is the expected log-likelihood:
#
# $$\mathrm{ELBO} = \mathbb{E}_q[\log p(x\mid z)] - \mathrm{KL}(q(z\mid x)\,\|\,p(z)). \tag{3}$$
#
# Read it as an autoencoder: x goes to q(z|x), and a sample of it back to x. The first term rewards
# the reconstruction, the second charges for leaving the prior. Here the first term has a closed
# form as well, since E_q(x − z)² = (x − μ)² + σ².

# %%
def toy_elbo(mu: Tensor, log_var: Tensor) -> Tensor:
    """(3) for z ~ N(0, 1), x|z ~ N(z, 1), x = 1, with your KL. (B, 1) each, to (B,) nats."""
    squares = (1 - mu) ** 2 + log_var.exp()  # E_q(x − z)²
    expected_log_lik = -0.5 * (squares + math.log(2 * math.pi)).sum(-1)
    return expected_log_lik - kl_std_normal(mu, log_var)


line_3 = toy_elbo(mu, log_var).item()
print(f"(3)  closed form  = {line_3:.4f}")

# %% [markdown]
# **Second way, by an identity.** How far is q from the posterior, which we cannot evaluate? Bayes'
# rule says log p(z|x) = log p(x|z) + log p(z) − log p(x), and log p(x) does not depend on z:
#
# $$\mathrm{KL}(q\,\|\,p(z\mid x)) = \mathbb{E}_q[\log q(z) - \log p(x\mid z) - \log p(z)] + \log p(x)
# = \log p(x) - \mathrm{ELBO}. \tag{4}$$
#
# So the **gap** is not only ≥ 0: it *is* the KL to the posterior. Jensen gives the inequality, the
# identity says what is lost. We check it to the last digit, first on the smallest model.

# %%
posterior_mean, posterior_cov = tiny.posterior(x)  # (1, 1), (1, 1)
q, p = Normal(mu, (0.5 * log_var).exp()), Normal(posterior_mean, posterior_cov.sqrt())
gap = tiny.log_evidence(x).item() - line_3
print(f"(4)  log p(x) − ELBO = {gap:.6f}")
print(f"     KL(q ‖ p(z|x))  = {kl_divergence(q, p).item():.6f}")

# %% [markdown]
# Then on a model with two codes and five pixels, for a thousand random q. At the exact posterior the
# gap is 0. Its two codes are correlated there, so a q with independent coordinates, such as an encoder
# gives, never closes the gap entirely.

# %%
W_5 = torch.randn(5, 2, generator=rng, dtype=torch.float64)
five = LinearGaussian(W_5, torch.randn(5, generator=rng, dtype=torch.float64), sigma=0.7)
x_5 = five.sample(1_000, generator=rng)[1]  # (B, 5)
mean_5, cov_5 = five.posterior(x_5)  # (B, 2), (2, 2)
mu_5 = torch.randn(1_000, 2, generator=rng, dtype=torch.float64)
cov_q = torch.diag_embed(torch.rand(1_000, 2, generator=rng, dtype=torch.float64) + 0.05)
gaps = five.log_evidence(x_5) - five.elbo(x_5, mu_5, cov_q)  # (B,)
error = (gaps - kl_full_normal(mu_5, cov_q, mean_5, cov_5)).abs().max()
at_posterior = (five.log_evidence(x_5) - five.elbo(x_5, mean_5, cov_5)).abs().max()
print(f"smallest gap {gaps.min():.4f}; largest |gap − KL(q ‖ p(z|x))| {error:.0e}")
print(f"largest gap at the exact posterior {at_posterior:.0e}")

# %% [markdown]
# **Prediction.** In the slider below, μ and σ belong to q. Where do they have to stand for the gap to
# vanish? And if σ is made very small, which term of (3) pays?
#
# ✎ *Double-click here and write your answer:*

# %%
slider = widgets.bound(
    toy_elbo,
    log_evidence=tiny.log_evidence(x).item(),
    posterior=(posterior_mean.item(), posterior_cov.sqrt().item()),
)
slider

# %% [markdown]
# **Figure 5.** Left: prior, exact posterior and your q. Right: log p(x), the ELBO computed with
# your `kl_std_normal`, and the gap. Move μ and σ. Note that log p(x) stands still whatever q does:
# improving q never changes the model, it only tightens the bound. The gap closes at the posterior,
# μ = ½ and σ² = ½. A very narrow q pays in the KL. Training moves both: a better q tightens the
# bound, a better decoder raises log p(x) or tightens it too, so we maximise the ELBO over both.

# %% [markdown]
# ## 3.4 · A gradient through a sample
#
# Training needs the gradient of E_q[f(z)] with respect to μ, where q itself depends on μ. Two ways
# bring it inside the expectation. The **score-function** estimator (REINFORCE;
# [Williams, 1992](https://doi.org/10.1007/BF00992696)) uses
# ∇q = q ∇log q:
#
# $$\nabla_\mu \mathbb{E}_q[f(z)] = \mathbb{E}_q\big[f(z)\,\nabla_\mu \log q(z)\big]
# = \mathbb{E}_q\big[f(z)\,(z-\mu)/\sigma^2\big].$$
#
# It asks nothing of f but its values. The **pathwise** estimator writes z = μ + σε and moves the
# gradient into f:
#
# $$\nabla_\mu \mathbb{E}_q[f(z)] = \mathbb{E}_\varepsilon\big[\nabla_\mu f(\mu + \sigma\varepsilon)\big].$$
#
# ### Exercise 4 · `score_gradient`
#
# *Difficulty ●●○ · importance ●●○ · 10 minutes.* The mean over samples of f(z) times the score.
#
# <details><summary>Hint 1</summary>
#
# `f(z)` has one value per sample, (S,); the score has one per sample and latent, (S, d). Give the
# first a second dimension with `[:, None]`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The score divides by the variance, not by the standard deviation.
#
# </details>

# %% exercise="score_gradient"
def score_gradient(
    f: Callable, mu: Tensor, log_var: Tensor, n_samples: int, generator: torch.Generator
) -> Tensor:
    """∇_μ E_q[f(z)] as the mean over samples of f(z) ∇_μ log q(z) = f(z) (z − μ) / σ².

    f: (S, d) to (S,), only evaluated; mu, log_var: (d,). Returns (d,).
    """
    ### BEGIN SOLUTION
    eps = torch.randn(n_samples, *mu.shape, generator=generator, dtype=mu.dtype)  # (S, d)
    z = reparameterize(mu, log_var, eps).detach()
    score = (z - mu) / log_var.exp()  # (S, d)
    return (f(z)[:, None] * score).mean(0)
    ### END SOLUTION


# %% check="score_gradient"
score_gradient = check("score_gradient", score_gradient)

# %% [markdown]
# ### Exercise 5 · `pathwise_gradient`
#
# *Difficulty ●●○ · importance ●●● · 12 minutes.* Draw through your own `reparameterize`, and let
# autograd differentiate.
#
# <details><summary>Hint 1</summary>
#
# Begin with a copy of μ that wants a gradient: `mu.detach().requires_grad_()`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Average f over the samples first. `torch.autograd.grad(value, mu)` returns a tuple with one gradient.
#
# </details>

# %% exercise="pathwise_gradient"
def pathwise_gradient(
    f: Callable, mu: Tensor, log_var: Tensor, n_samples: int, generator: torch.Generator
) -> Tensor:
    """∇_μ E_q[f(z)] as the mean over samples of ∇_μ f(μ + σ ε).

    f: (S, d) to (S,), differentiable; mu, log_var: (d,). Returns (d,).
    """
    ### BEGIN SOLUTION
    mu = mu.detach().requires_grad_()
    eps = torch.randn(n_samples, *mu.shape, generator=generator, dtype=mu.dtype)  # (S, d)
    value = f(reparameterize(mu, log_var, eps)).mean()
    return torch.autograd.grad(value, mu)[0]
    ### END SOLUTION


# %% check="pathwise_gradient"
pathwise_gradient = check("pathwise_gradient", pathwise_gradient)

# %% [markdown]
# We compare them where the truth is known: f(z) = −½‖z − a‖², the shape of a Gaussian log-likelihood,
# has ∇_μ E_q[f(z)] = a − μ. Each estimate uses one sample, as a training step does, and we repeat it
# 1,000 times to measure how it scatters.
#
# **Prediction.** Both are unbiased. By which factor do their standard deviations differ at d = 64?
#
# ✎ *Double-click here and write your answer:*

# %%
def scatter_of(estimator: Callable, d: int) -> tuple[float, float]:
    """Mean of ∂/∂μ₁ over 1,000 one-sample estimates, and their standard deviation."""
    mu, log_var, a = torch.zeros(d), torch.zeros(d), torch.ones(d)  # the truth is 1
    gradients = [estimator(lambda z: -0.5 * ((z - a) ** 2).sum(-1), mu, log_var, 1, rng)[0]
                 for _ in range(1_000)]
    return torch.stack(gradients).mean().item(), torch.stack(gradients).std().item()

# %%
dimensions, found = [1, 4, 16, 64], {}
for name, estimator in {"score": score_gradient, "pathwise": pathwise_gradient}.items():
    means, sds = zip(*[scatter_of(estimator, d) for d in dimensions])
    found[name] = (dimensions, sds, [sd / 2_000**0.5 for sd in sds])  # error of an sd
    for d, m, sd in zip(dimensions, means, sds):
        print(f"{name:8s} d = {d:2d}: {m:6.2f} ± {sd / 1_000**0.5:.2f}, truth 1; one sample scatters by {sd:.1f}")

# %%
fig, ax = plt.subplots(figsize=(8, 3.8))
plots.curves(found, ax, x_label="latent dimensions d", y_label="standard deviation of ∂/∂μ₁")
plots.doubling_axis(ax, dimensions)
ax.set_yscale("log")
plt.show()
ratio = found["score"][1][-1] / found["pathwise"][1][-1]
print(f"At d = 64 the score estimate scatters {ratio:.0f} times as much.")

# %% [markdown]
# **Figure 6.** How far one-sample estimates scatter, against the dimension; bars, smaller than the
# markers, show the error of the measurement. Note that for this f, a sum over coordinates, the
# pathwise estimate of one coordinate does not depend on how many others there are, while the score
# estimate multiplies the noise of all of them into each. To be as sure, it needs (ratio)² times as
# many samples.
#
# Much of that scatter comes from the height of f alone. A constant, the **baseline**, may be
# subtracted from f, since E_q[∇ log q] = 0. How much does it help?

# %%
z = torch.randn(10_000, 64, generator=rng)  # q = N(0, I), so the score is z
f = -0.5 * ((z - 1) ** 2).sum(1)
for name, value in {"f": f, "f minus its mean": f - f.mean()}.items():
    print(f"{name:17s} one score estimate scatters by {(value * z[:, 0]).std():.1f}")

# %% [markdown]
# The baseline removes most of the scatter; what is left still grows with d. VAEs are trained pathwise.
#
# **A planned failure.** Pathwise gradients need an f whose slope tells how f changes. Let
# f(z) = round(z₁), a staircase. Its expectation rises with μ, its slope is 0 almost everywhere.

# %%
def stairs(z: Tensor) -> Tensor:
    """A staircase in the first coordinate: (…, d) to (…)."""
    return torch.round(z[..., 0])


mu, log_var = torch.tensor([0.3]), torch.tensor([0.0])
edges = torch.arange(-8, 9) + 0.5  # each edge adds its density under q
truth = Normal(mu, 1.0).log_prob(edges).exp().sum()
print(f"truth    {truth:.3f}")
for name, estimator in {"score": score_gradient, "pathwise": pathwise_gradient}.items():
    print(f"{name:8s} {estimator(stairs, mu, log_var, 100_000, rng).item():.3f}")

# %% [markdown]
# The pathwise estimate is 0, without any warning; the score-function estimate is right. For codes that
# are whole numbers we need the score function, or a smooth stand-in for the stairs. Our decoders have
# slopes, so we take the pathwise estimate.

# %% [markdown]
# ## 3.5 · Five steps, and an honest word about grey pixels
#
# One training step of a VAE, for a batch x:
#
# 1. **encode**: the encoder gives μ and `log_var` for each image,
# 2. **sample**: ε ~ N(0, I), z = μ + σε, one sample per image,
# 3. **decode**: the decoder gives logits, one per pixel,
# 4. **bound**: log p(x|z) − KL(q(z|x) ‖ p(z)), with p(x|z) = Π x̂ˣ (1 − x̂)¹⁻ˣ and x̂ =
#    sigmoid(logits),
# 5. **step**: minus its mean over the batch is the loss; gradients, and one step of the optimizer.
#
# ### Exercise 6 · `elbo`
#
# *Difficulty ●●○ · importance ●●● · 10 minutes.* Step 4. The logits come from one sample, so the first
# term is a one-sample estimate of E_q[log p(x|z)], which is unbiased.
#
# <details><summary>Hint 1</summary>
#
# log p(x|z) is minus the cross-entropy of [notebook 01](01_autoencoder_basics.ipynb), summed over
# the pixels of each image.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `F.binary_cross_entropy_with_logits` takes the logits first. `reduction="none"` keeps every pixel.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The bound goes up as the model gets better. Its second term is your `kl_std_normal`, subtracted.
#
# </details>

# %% exercise="elbo"
def elbo(x: Tensor, logits: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """log p(x|z) − KL(q(z|x) ‖ p(z)) of each image, nats: one z ~ q(z|x) gave the logits.

    log p(x|z) = Σ [x log x̂ + (1−x) log(1−x̂)] with x̂ = sigmoid(logits).
    x: (B, D) in [0, 1]; logits: (B, D), of any size; mu, log_var: (B, d). Returns (B,).
    """
    ### BEGIN SOLUTION
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="none")  # (B, D)
    return -bce.sum(1) - kl_std_normal(mu, log_var)
    ### END SOLUTION


# %% check="elbo"
elbo = check("elbo", elbo)

# %% [markdown]
# Step 4 writes p(x|z) for pixels in [0, 1]. For black and white pixels that is a Bernoulli
# distribution. For grey ones it is **not a normalised likelihood**: its integral over x ∈ [0, 1] is
# not 1. The *continuous Bernoulli*
# ([Loaiza-Ganem and Cunningham, 2019](https://arxiv.org/abs/1907.06845)) divides by that integral.
#
# **Prediction.** For which x̂ is the integral of x̂ˣ (1 − x̂)¹⁻ˣ over x from 0 to 1 closest to 1?
#
# ✎ *Double-click here and write your answer:*

# %%
x_hat = torch.linspace(0.001, 0.999, 999).double()  # many decoders of one pixel
grid = (torch.arange(2_000).double() + 0.5) / 2_000  # x, midpoints
log_lik = grid[:, None] * x_hat.log() + (1 - grid[:, None]) * (1 - x_hat).log()
integral = log_lik.exp().mean(0)  # over x, for each x̂
normaliser = ContinuousBernoulli(probs=x_hat).log_prob(0 * x_hat) - (1 - x_hat).log()  # at x = 0
print(f"at x̂ = 0.5 the integral is {integral[499]:.3f}; largest value {integral.max():.3f}")
print(f"1/integral is PyTorch's normaliser: off by {(integral.log() + normaliser).abs().max():.1e}")

# %%
fig, ax = plt.subplots(figsize=(7, 3.4))
plots.curves({"∫ x̂ˣ (1 − x̂)¹⁻ˣ dx": (x_hat, integral)}, ax, x_label="x̂", y_label="integral over x")
ax.axhline(1, color=plots.BLACK, linestyle=":")
ax.text(0.5, 0.97, "a normalised likelihood", ha="center", va="top")
ax.set_ylim(0, 1.05)
plt.show()

# %% [markdown]
# **Figure 7.** The integral of the "likelihood" of one grey pixel, against what the decoder says. Note
# that it is at most ½: the total falls short of 1 for every x̂, and most where the decoder is sure.
#
# The course keeps this cross-entropy, as much code for MNIST does (published likelihoods mostly use
# black and white pixels): it is a sound loss, each pixel's best x̂ is its mean, and its values
# compare models that share it. But a value such as −100 nats is then no log-density, and cannot be
# compared with that of another likelihood. Section 3.9 shows by how much.

# %% [markdown]
# ## 3.6 · A VAE from your own functions
#
# The network is that of [notebook 01](01_autoencoder_basics.ipynb), with one change: the encoder's
# last layer has 2n outputs, μ and
# `log_var`. The validation images are taken from the training set: they say when to stop and what to
# choose, so that the test images stay untouched until the end.

# %%
digits = datasets.load("mnist")
images, labels = digits.train.images, digits.train.labels
n_valid = min(n_valid, len(images) // 12)
X_train, X_valid = images[:-n_valid][:n_train], images[-n_valid:]  # bytes
X_test, y_test = to_float(digits.test.images.flatten(1)), digits.test.labels
print(f"{digits.source}: {len(X_train):,} training, {n_valid:,} validation, {len(X_test):,} test images")

# %%
class VAE(nn.Module):
    """q(z|x) = N(μ(x), σ²(x)), p(x|z) by logits; 784 → 256 → 256 → 2n and n → 256 → 256 → 784."""

    def __init__(self, n: int, D: int = 784, h: int = 256) -> None:
        super().__init__()
        self.encoder = models.mlp(D, h, h, 2 * n)
        self.decoder = models.mlp(n, h, h, D)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D) to mu, log_var: (B, n) each."""
        return self.encoder(x).chunk(2, dim=1)

    def logits(self, z: Tensor) -> Tensor:
        """(B, n) to (B, D)."""
        return self.decoder(z)

    def decode(self, z: Tensor) -> Tensor:
        """(B, n) to x̂ in [0, 1], (B, D)."""
        return torch.sigmoid(self.logits(z))

# %%
def objective(vae: VAE, x: Tensor) -> tuple[Tensor, losses.ElboTerms]:
    """Steps 1 to 4: −ELBO, averaged over the batch, and its two terms. Nats per image."""
    x = x.flatten(1)  # (B, D)
    mu, log_var = vae.encode(x)  # 1
    z = reparameterize(mu, log_var, torch.randn_like(mu))  # 2
    bound = elbo(x, vae.logits(z), mu, log_var)  # 3 and 4, (B,)
    kl = kl_std_normal(mu, log_var)
    return -bound.mean(), losses.ElboTerms(log_lik=bound + kl, kl=kl)

# %% [markdown]
# From the next notebook on, `course_lib` brings the same: [`MLPVAE`](../course_lib/models/mlp.py)
# returns distributions, and [`vae_objective`](../course_lib/losses.py) is the objective above. With the same weights and the same noise they must agree.

# %%
torch.manual_seed(seed)
vae, library = VAE(8), models.MLPVAE(8)
library.load_state_dict(vae.state_dict())
batch = to_float(X_valid[:100])
torch.manual_seed(1)
ours = objective(vae, batch)[0].item()
torch.manual_seed(1)
theirs = losses.vae_objective(library, batch)[0].item()
print(f"yours {ours:.3f}, course_lib's {theirs:.3f} nats per image (untrained)")

# %% [markdown]
# `fit` is step 5, many times: batches, gradients, Adam with a learning rate that rises and falls. It
# yields a record after each step, and we keep the mean training loss of each epoch and the validation
# loss at its end.

# %%
def steps_of(model: nn.Module, objective: Callable) -> Iterable[Record]:
    """The records of about `steps` training steps of 128 images each, with a progress bar."""
    epochs = max(1, round(steps * 128 / len(X_train)))
    recipe = {"batch_size": 128, "lr": 3e-3, "seed": seed}
    records = fit(model, objective, X_train, valid=X_valid, epochs=epochs, **recipe)
    return tqdm(records, total=epochs * -(-len(X_train) // 128), leave=False)


def train_vae(n: int) -> tuple[VAE, list[tuple[int, float, float]]]:
    """A trained VAE with n latents, and (step, training loss, validation loss) of each epoch."""
    torch.manual_seed(seed)
    vae, curve, recent = VAE(n), [], []
    for record in steps_of(vae, objective):
        recent.append(record.loss)
        if record.valid:
            curve.append((record.step, sum(recent) / len(recent), record.valid["loss"]))
            recent = []
    return vae.cpu().eval(), curve


# %% [markdown]
# **Prediction.** We train with n = 1, 2 and 64 latents. The ruler of
# [notebook 01](01_autoencoder_basics.ipynb) for grey MNIST:
# every pixel perfect 45.5 nats, always the mean image 205.7 (the stand-in has its own). Guess −ELBO
# for each n. And which of the three will have the largest gap between training and validation?
#
# ✎ *Double-click here and write your answer:*

# %%
vaes, training = {}, {}
for n in [1, 2, 64]:
    vaes[n], training[n] = train_vae(n)
    step, train_loss, valid_loss = training[n][-1]
    print(f"n = {n:2d}: after {step:,} steps training {train_loss:.1f}, validation {valid_loss:.1f}, "
          f"gap {valid_loss - train_loss:+.1f}")

# %%
fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True)
for ax, (n, curve) in zip(axes, training.items()):
    step, train_loss, valid_loss = zip(*curve)
    plots.curves({"training": (step, train_loss), "validation": (step, valid_loss)}, ax,
                 x_label="step", y_label="−ELBO (nats per image)" if n == 1 else "")
    ax.set_title(f"n = {n}")
axes[0].set_ylim(top=250)
plt.show()

# %% [markdown]
# **Figure 8.** −ELBO on training and validation images, at the end of each epoch (the training loss is
# the mean over the epoch, so it lags a little behind). Note how much the second latent buys, and that
# the last 62 together buy more. The printed gap is about a nat or less with MNIST's many images, and
# several nats on the smaller stand-in. A validation curve that turned upwards would tell us to stop.
#
# Nothing is left to choose, so the test images may be used.

# %%
tested = {n: evaluate(vae, objective, digits.test.images, seed=seed) for n, vae in vaes.items()}
for n, t in tested.items():
    print(f"n = {n:2d}: test −ELBO {t['loss']:.1f} = {-t['log_lik']:.1f} (cross-entropy) + {t['kl']:.1f} (KL)")

# %% [markdown]
# ## 3.7 · What the latents hold
#
# With n = 1 the whole model is a line of images. Where should we look? The prior says which codes are
# likely, so we take codes at equal steps of *probability*: u from 0.02 to 0.98 through the normal
# **quantile function**, z = Φ⁻¹(u).

# %%
u = torch.linspace(0.02, 0.98, 24)
with torch.no_grad():
    strip = vaes[1].decode(torch.special.ndtri(u)[:, None])  # (24, D)

# %%
fig, ax = plt.subplots(figsize=(11, 1.8))
plots.image_grid(strip.view(-1, 28, 28), ax, columns=12)
plt.show()

# %% [markdown]
# **Figure 9.** What one latent holds: from z = −2.05 (top left) to 2.05 (bottom right), read as text.
# Note that digits which look alike are neighbours. One number must order all digits on a line, so some
# neighbours have little in common.
#
# **Prediction.** For n = 2 we decode a grid: once through Φ⁻¹, once at equal steps over [−5, 5], as is
# often seen in reports. Which share of the second grid lies where the prior hardly ever samples
# (|z₁| or |z₂| above 3)?
#
# ✎ *Double-click here and write your answer:*

# %%
def square(values: Tensor) -> Tensor:
    """All pairs (z₁, z₂) of values, as rows of an image grid: z₁ to the right, z₂ upwards."""
    return torch.cartesian_prod(values.flip(0), values).flip(1)


side = torch.linspace(0.02, 0.98, 15)
grids = {"Φ⁻¹ of equal probability": square(torch.special.ndtri(side)),
         "equal steps over [−5, 5]": square(torch.linspace(-5, 5, 15))}
with torch.no_grad():
    manifold = {name: vaes[2].decode(z).view(-1, 28, 28) for name, z in grids.items()}
outside = (grids["equal steps over [−5, 5]"].abs() > 3).any(1).float().mean()
drawn = (torch.randn(1_000_000, 2, generator=rng).abs() > 3).any(1).float().mean()
print(f"|z₁| or |z₂| above 3: {outside:.0%} of the grid, {drawn:.2%} of samples from the prior")

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 5.8))
for ax, (name, pictures) in zip(axes, manifold.items()):
    plots.image_grid(pictures, ax, columns=15, title=name)
plt.show()

# %% [markdown]
# **Figure 10.** The manifold of n = 2, z₁ to the right and z₂ upwards. Left: each image stands for
# the same share of the prior. Right: most images lie where the prior hardly ever samples. Note that
# the right-hand picture tells us little about what the model generates: its middle is the left-hand
# one, and the rest is mostly far from the codes that the decoder was trained on.
#
# Walk through your own model: hold an arrow key on a slider, and the tab key leads to the other one.
# As the map choose the manifold or the codes, which are μ of test images.

# %%
with torch.no_grad():
    posteriors = {n: vae.encode(X_test) for n, vae in vaes.items()}  # mu, log_var: (N, n) each
walk = widgets.pad(vaes[2].decode, codes=posteriors[2][0][:3000], labels=y_test[:3000],
                   extent=(-3, 3, -3, 3), start=(0, 0), manifold=True, seed=seed)
walk

# %% [markdown]
# **Figure 11.** Left: the manifold, or the posterior means coloured by digit, with your position.
# Right: your decoder there. Compare the codes with the pad of
# [notebook 01](01_autoencoder_basics.ipynb): they lie about 0 at the
# width of the prior, and between two clusters the decoder blends. The prior, which knew nothing of
# digits, made it so.
#
# ## 3.8 · Does the posterior fill the prior?
#
# If we sample codes from the prior, the decoder should have seen such codes in training. What it
# has seen is the **aggregated posterior**: the codes z ~ q(z|x) of all images x together. We draw
# the latent that carries the most KL, and lay the prior over it.

# %%
first, kl_per_latent = {}, {}
for n, (mu, log_var) in posteriors.items():
    each = kl_std_normal(mu.reshape(-1, 1), log_var.reshape(-1, 1)).view_as(mu)  # (N, n) nats
    kl_per_latent[n] = each.mean(0)
    j = int(kl_per_latent[n].argmax())
    z = reparameterize(mu, log_var, torch.randn(mu.shape, generator=rng))
    first[n] = z[:, j]
    print(f"n = {n:2d}: z has mean {z[:, j].mean():5.2f} and standard deviation {z[:, j].std():.2f}")
mu, least = posteriors[64][0], int(kl_per_latent[64].argmin())
print(f"n = 64, least KL: standard deviation of z {z[:, least].std():.2f}, of μ {mu[:, least].std():.2f}")

# %%
fig, axes = plt.subplots(1, 3, figsize=(11, 3.4), sharey=True)
line = torch.linspace(-4, 4, 200)
for ax, (n, values) in zip(axes, first.items()):
    plots.histogram(values, ax, x_label=f"latent of largest KL, n = {n}", limit=4)
    ax.plot(line, Normal(0, 1).log_prob(line).exp(), color=plots.BLACK, label="prior N(0, 1)")
axes[2].legend()
plt.show()

# %% [markdown]
# **Figure 12.** The first latent (the one with the largest KL) of all test images, sampled from
# their posteriors, with the prior drawn in. Note that place and width nearly fit in all three,
# though training never compared these histograms. With n = 1 and 2 the shape keeps bumps: narrow
# posteriors leave gaps between groups of digits. One latent says nothing about all 64 together;
# section 3.10 tests them jointly. We draw samples and not the means μ. The last printed line says
# why: a latent that carries nothing has μ = 0 for all images, and all of its width is that of its
# σ.
#
# With n = 64 we cannot draw the code. t-SNE places similar codes near each other in a plane.

# %%
from sklearn.manifold import TSNE

some = posteriors[64][0][:1_500]
placed = TSNE(init="pca", random_state=seed).fit_transform(some.numpy())
y_near = labels[:10_000]
with torch.no_grad():
    near = {n: vae.encode(to_float(images[:10_000].flatten(1)))[0] for n, vae in vaes.items()}
for n in vaes:
    share = neighbour_accuracy(near[n], y_near, posteriors[n][0][:2_000], y_test[:2_000])
    print(f"n = {n:2d}: the five nearest codes vote for the right digit in {share:.1%}")
print(f"{(kl_per_latent[64] > 0.01).sum()} of 64 latents have a KL above 0.01 nats")

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.6))
plots.code_map(placed, y_test[:1_500], axes[0], names=[str(i) for i in range(10)])
axes[0].set(xlabel="t-SNE, first axis", ylabel="t-SNE, second axis")
order = kl_per_latent[64].argsort(descending=True)
axes[1].bar(range(1, 65), kl_per_latent[64][order], color=plots.SKY, edgecolor=plots.BLUE)
axes[1].set(xlabel="latents of n = 64, ordered", ylabel="KL (nats)")
plt.show()

# %% [markdown]
# **Figure 13.** Left: t-SNE of 1,500 codes, n = 64, coloured by digit afterwards. Neighbourhoods
# can be read off it; distances between clusters, their sizes and shapes cannot. Right: KL of each
# latent. Note that after a long training only some of the latents carry anything. The others end with
# a KL near 0: there q equals the prior, and the decoder ignores them. The printed votes rise with n.
# [Notebook 04](04_beta_vae.ipynb) asks how many latents survive, and why.

# %%
sliders = widgets.latents(vaes[64].decode, kl_per_latent[64], shown=16, seed=seed)
sliders

# %% [markdown]
# **Figure 14.** One slider for each of the 16 latents with the largest KL, the others at 0. Press
# `random`, then move one slider at a time. A latent with KL near 0 changes nothing. Note that a
# latent changes strokes here and there in the picture: nothing in the ELBO asks for one meaning per
# latent.
#
# ## 3.9 · How likely is a test image?
#
# The ELBO is a bound; how far below log p(x) is it? In (1) the mean of *many* weights stands inside
# the logarithm. With S samples this gives the **importance-weighted bound**
# ([Burda et al., 2016](https://arxiv.org/abs/1509.00519)),
#
# $$\mathcal{L}_S = \mathbb{E}\Big[\log \tfrac{1}{S}\textstyle\sum_{s=1}^{S} w_s\Big], \qquad
# \mathrm{ELBO} = \mathcal{L}_1 \le \mathcal{L}_2 \le \dots \le \log p(x).$$
#
# ### Exercise 7 · `iwae_bound`
#
# *Difficulty ●●○ · importance ●●○ · 8 minutes.* From log-weights to the bound. The weights themselves
# are far too small or too large for floating-point numbers.
#
# <details><summary>Hint 1</summary>
#
# `torch.logsumexp` computes log Σ exp without overflow. Which dimension holds the samples?
#
# </details>
# <details><summary>Hint 2</summary>
#
# A mean is a sum divided by S. What does the division become outside of the logarithm?
#
# </details>

# %% exercise="iwae_bound"
def iwae_bound(log_w: Tensor) -> Tensor:
    """log (1/S) Σ_s w_s of each image, from log-weights of any size, nats.

    log_w: (S, B), log p(x|z_s) + log p(z_s) − log q(z_s|x) with z_s ~ q(z|x). Returns (B,).
    """
    ### BEGIN SOLUTION
    return torch.logsumexp(log_w, dim=0) - math.log(len(log_w))
    ### END SOLUTION


# %% check="iwae_bound"
iwae_bound = check("iwae_bound", iwae_bound)

# %% [markdown]
# First where the truth is known: the model with two codes and five pixels, and a q that is not quite
# the posterior.
#
# **Prediction.** With how many samples is the bound within a hundredth of a nat of log p(x)?
#
# ✎ *Double-click here and write your answer:*

# %%
sizes = [1, 2, 5, 20, 100, 500]
mu_q, log_var_q = mean_5[:200] + 0.3, (1.5 * cov_5.diagonal()).log().expand(200, 2)  # (B, 2)
zero = torch.zeros(2).double()
eps = torch.randn(2_000, 200, 2, generator=rng, dtype=torch.float64)  # (S, B, 2)
z = reparameterize(mu_q, log_var_q, eps)
log_w = five.log_lik(x_5[:200], z) + log_normal(z, zero, zero) - log_normal(z, mu_q, log_var_q)
bounds = [torch.stack([iwae_bound(part).mean() for part in log_w.split(S)]) for S in sizes]
truth = five.log_evidence(x_5[:200]).mean()
exact = five.elbo(x_5[:200], mu_q, torch.diag_embed(log_var_q.exp())).mean()
print(f"exact: ELBO {exact:.4f}, log p(x) {truth:.4f}")
for S, bound in zip(sizes, bounds):
    print(f"S = {S:3d}: {bound.mean():.4f} ± {bound.std() / len(bound) ** 0.5:.4f}")

# %% [markdown]
# The first line agrees with the closed form, and the bound rises to the truth: with 100 samples
# less than a hundredth of a nat is missing. Now your VAEs, on 200 test images (so −ELBO differs a
# little from that of all).

# %%
@torch.no_grad()
def log_weights(vae: VAE, x: Tensor, S: int) -> Tensor:
    """log p(x|z_s) + log p(z_s) − log q(z_s|x), z_s ~ q(z|x). (B, D) to (S, B) nats."""
    mu, log_var = vae.encode(x)  # (B, n)
    zero = torch.zeros_like(mu)
    z = reparameterize(mu, log_var, torch.randn(S, *mu.shape, generator=rng))  # (S, B, n)
    logits = vae.logits(z)  # (S, B, D)
    bce = F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none")
    return -bce.sum(-1) + log_normal(z, zero, zero) - log_normal(z, mu, log_var)

# %%
rising = {}
for n, vae in vaes.items():
    log_w = torch.cat([log_weights(vae, x, 500) for x in X_test[:200].split(20)], dim=1)  # (S, B)
    means = [torch.stack([iwae_bound(part) for part in log_w.split(S)]).mean().item() for S in sizes]
    rising[f"n = {n}"] = (sizes, [m - means[0] for m in means])
    print(f"n = {n:2d}: −ELBO {-means[0]:.2f}, −log p(x) at most {-means[-1]:.2f} (S = 500)")

# %%
fig, axes = plt.subplots(1, 2, figsize=(10.5, 3.8))
known = {"bound": (sizes, [v.mean() for v in bounds], [v.std() / len(v) ** 0.5 for v in bounds])}
plots.curves(known, axes[0], x_label="samples S", y_label="nats")
axes[0].axhline(truth, color=plots.BLACK, linestyle=":", label="log p(x)")
axes[0].legend()
axes[0].set_title("linear-Gaussian model")
plots.curves(rising, axes[1], x_label="samples S", y_label="bound − ELBO (nats)")
axes[1].set_title("VAEs on test digits")
for ax in axes:
    ax.set_xscale("log")
plt.show()

# %% [markdown]
# **Figure 15.** The importance-weighted bound against the number of samples. Left: it rises to the
# exact evidence (bars, smaller than the markers, are standard errors). Right: how much it gains on
# the ELBO of your VAEs. Note that the right-hand curves still rise at S = 500: the truth is higher
# still. The gain is the part of the gap that S samples close, so KL(q ‖ p(z|x)) is at least that
# large on average.
#
# And the honest word about grey pixels, with numbers: the same decoder outputs x̂, read under three
# likelihoods. In logits a, the integral of section 3.5 is tanh(a/2)/a. The Gaussian's σ is the root of
# the mean squared error.

# %%
with torch.no_grad():
    mu, log_var = posteriors[64]
    logits = vaes[64].logits(reparameterize(mu, log_var, torch.randn(mu.shape, generator=rng)))
    x_hat, a = torch.sigmoid(logits), logits.abs().clamp(min=1e-3)
    cross_entropy = -F.binary_cross_entropy_with_logits(logits, X_test, reduction="none").sum(1)
    continuous = cross_entropy + (a / torch.tanh(a / 2)).log().sum(1)  # divided by the integral
    sigma = ((X_test - x_hat) ** 2).mean().sqrt()
    gaussian = Normal(x_hat, sigma).log_prob(X_test).sum(1)
for name, value in [("cross-entropy, as trained", cross_entropy),
                    ("continuous Bernoulli", continuous), (f"Gaussian, σ = {sigma:.3f}", gaussian)]:
    print(f"{name:26s} E_q[log p(x|z)] = {value.mean():8.1f} nats per image")

# %% [markdown]
# The images are the same, the numbers differ by hundreds of nats. Densities may exceed 1, so their
# logarithm may be positive. Nats compare models under *one* likelihood, never two likelihoods with
# each other.

# %% [markdown]
# ## 3.10 · Autoencoder and VAE in one table
#
# "The autoencoder is sharper, the VAE generates" is said often, and often with unequal models. We
# train an autoencoder with the same layers, the same 64 latents, the same batches and the same
# number of steps, each on its own loss: squared error, and the bound. Then we measure three things
# on both.
#
# **Prediction.** Who wins at reconstruction, at generation, and at interpolation? For generation the
# autoencoder may use what [notebook 02](02_convolutional_autoencoder.ipynb) gave it: a mixture of
# ten Gaussians fitted to its codes.
#
# ✎ *Double-click here and write your answer:*

# %%
torch.manual_seed(seed)
ae = models.MLPAutoencoder(64)
*_, last = steps_of(ae, losses.autoencoder_objective)
ae = ae.cpu().eval()
print(f"after {last.step:,} steps: squared error {last.loss:.1f} per training image")

# %%
from sklearn.mixture import GaussianMixture

with torch.no_grad():
    ae_codes = ae.encode(to_float(X_train[:5_000]))
mixture = GaussianMixture(10, tol=0.01, reg_covar=1e-3, random_state=seed).fit(ae_codes.double())
drawn = torch.from_numpy(mixture.sample(1_000)[0]).float()[torch.randperm(1_000, generator=rng)]
prior = torch.randn(1_000, 64, generator=rng)
with torch.no_grad():
    generated = {"AE, N(0, I)": ae.decode(prior), "AE, mixture": ae.decode(drawn),
                 "VAE, N(0, I)": vaes[64].decode(prior)}

# %% [markdown]
# Three numbers judge generated images, each with its blind spot. **Off the data**: the squared
# distance from a generated image to the nearest training image, large for shapes unlike any in the
# data. **Not covered**: from a test image to the nearest generated one, large for digits that the
# model never draws. Both are medians, and blur flatters both: faint images are near to everything.
# **Told apart**: the two-sample test of [notebook 02](02_convolutional_autoencoder.ipynb). A forest
# learns to tell generated images from
# the same model's reconstructions of test images, so that blur gives nothing away. ½ is best.

# %%
X_near = to_float(X_train[:20_000].flatten(1))


def nearest(a: Tensor, b: Tensor) -> Tensor:
    """Squared distance from each row of a to the nearest row of b: (A, D), (B, D) to (A,)."""
    return torch.cdist(a, b).min(1).values ** 2


def vae_reconstruct(x: Tensor, noise: float = 0.0) -> Tensor:
    """Through the posterior mean, or with noise = 1 through a sample of the posterior."""
    mu, log_var = vaes[64].encode(x)
    return vaes[64].decode(reparameterize(mu, log_var, noise * torch.randn_like(mu)))


# %%
rows = {"test images": X_test[1_000:2_000], **generated}
off = {name: nearest(x, X_near).median().item() for name, x in rows.items()}
uncovered = {name: nearest(X_test[:1_000], x).median().item() for name, x in rows.items()}
with torch.no_grad():
    seen = {"AE": ae(X_test[:1_000]), "VAE": vae_reconstruct(X_test[:1_000], noise=1.0)}
    others = vae_reconstruct(X_test[1_000:2_000], noise=1.0)
told = {name: two_sample_accuracy(x, seen[name.split(",")[0]]) for name, x in generated.items()}
told["test images"] = two_sample_accuracy(others, seen["VAE"])  # the best that can be reached
for name in rows:
    print(f"{name:13s} off the data {off[name]:.1f}, not covered {uncovered[name]:.1f}, "
          f"told apart {told[name]:.2f}")

# %%
fig, ax = plt.subplots(figsize=(11, 4))
shown = {name: x[:16].view(-1, 28, 28) for name, x in rows.items()}
plots.image_rows(shown, ax)
plt.show()

# %% [markdown]
# **Figure 16.** Test images, and images generated in three ways. Note the second row: standard
# Gaussian noise in an autoencoder's decoder fails, because its codes were never asked to look like
# that noise. It is no fair comparison, yet reports make it. With a density fitted to its codes the
# autoencoder generates too. Note also the blind spots: on MNIST "off the data" rates this noise no
# worse than the mixture's digits, while "not covered" and "told apart" see the failure on any data.
#
# For interpolation we walk in 20 equal steps from the code of one test image to that of another. A
# smooth path changes the image by about the same amount in each step, and its middle is still a digit.

# %%
@torch.no_grad()
def paths(encode: Callable, decode: Callable, count: int = 200) -> Tensor:
    """Decoded codes on 21 stops between neighbouring test images: (count, 21, D)."""
    z = encode(X_test[: count + 1])  # (count + 1, d)
    t = torch.linspace(0, 1, 21)[:, None]  # (21, 1)
    return decode((1 - t) * z[:-1, None] + t * z[1:, None])


walks = {"AE": paths(ae.encode, ae.decode),
         "VAE": paths(lambda x: vaes[64].encode(x)[0], vaes[64].decode)}
uneven, between = {}, {}
for name, path in walks.items():
    step = path.diff(dim=1).norm(dim=-1)  # (count, 20)
    uneven[name] = (step.max(1).values / step.mean(1)).mean().item()
    middle, end = (nearest(path[:, i], X_near).median().item() for i in (10, 0))
    between[name] = middle / end

# %%
with torch.no_grad():
    error = {"AE": error_per_image(ae, X_test), "VAE": error_per_image(vae_reconstruct, X_test)}
print("                                            AE      VAE")
print(f"reconstruction, squared error per image {error['AE']:6.1f}  {error['VAE']:6.1f}")
print(f"generation from N(0, I), told apart     {told['AE, N(0, I)']:6.2f}  {told['VAE, N(0, I)']:6.2f}")
print(f"generation from a mixture, told apart   {told['AE, mixture']:6.2f}")
print(f"interpolation, largest step / mean step {uneven['AE']:6.2f}  {uneven['VAE']:6.2f}")
print(f"interpolation, off the data, middle/end {between['AE']:6.2f}  {between['VAE']:6.2f}")

# %%
fig, ax = plt.subplots(figsize=(11, 3.6))
pairs = {f"{name}, pair {i + 1}": walks[name][i, ::2].view(-1, 28, 28) for i in (0, 1) for name in walks}
plots.image_rows(pairs, ax)
plt.show()

# %% [markdown]
# **Figure 17.** Walks between the codes of two test images, for two pairs. Note the middles: both
# models show shapes between the two digits. The table divides the distance to the data at the
# middle by that at the ends, since blur alone brings an image nearer. By this number the VAE leaves
# the data less on its way, and in evenness of the steps the autoencoder is no worse.
#
# The table also says what the VAE costs. It reconstructs with a larger error: its codes are noisy,
# every nat is paid for, and most of its 64 latents stay unused (Figure 13). In return it generates
# from N(0, I), without a density fitted afterwards.
#
# ## 3.11 · Errata hunt
#
# Formulas get copied with errors, and the errors survive, because nobody evaluates them. Here are nine
# claims; most stand in published reports on autoencoders, word for word or nearly so.
#
# | name | claim, for q = N(μ, σ²) with n latents |
# |---|---|
# | A | KL(q ‖ N(0, I)) = −½ Σ (1 + log σ² − μ² − σ²) |
# | B | KL(q ‖ N(0, I)) = ½ Σ (1 + log σ² − μ² − σ²) |
# | C | KL(q ‖ N(0, I)) = Σ (σ² + μ² − log σ − 1) |
# | D | KL(q ‖ N(0, I)) = Σ (½ σ² + ½ μ² − log σ − ½) |
#
# The others are about the cross-entropy, the ELBO and the density of q, for images of D pixels:
#
# | name | claim |
# |---|---|
# | E | the cross-entropy of x and x̂ is 0 where x̂ = x |
# | F | ELBO = E_q[log p(x∣z) + log p(z) − log p(z∣x)] |
# | G | log p(x) = ELBO + KL(q ‖ p(z∣x)) |
# | H | q(z∣x) = −½‖ε‖² − log∣det σ∣ − (n/2) log 2π at z = μ + σε |
# | I | mean cross-entropy per pixel + KL = −ELBO / D |
#
# Below, each becomes a pair of functions: its left side and its right side, both from formulas you
# can read.

# %%
def some_q(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random mu, log_var: (4, 3) each, float64."""
    return tuple(torch.randn(2, 4, 3, generator=generator, dtype=torch.float64))


def kl_of_torch(mu: Tensor, log_var: Tensor) -> Tensor:
    """PyTorch's own KL(q ‖ N(0, I)), (B,) nats."""
    q = Normal(mu, (0.5 * log_var).exp())
    return kl_divergence(q, Normal(torch.zeros_like(mu), 1.0)).sum(-1)


claims = {
    "A": lambda mu, log_var: -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(-1),
    "B": lambda mu, log_var: 0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(-1),
    "C": lambda mu, log_var: (log_var.exp() + mu**2 - 0.5 * log_var - 1).sum(-1),
    "D": lambda mu, log_var: (0.5 * log_var.exp() + 0.5 * mu**2 - 0.5 * log_var - 0.5).sum(-1),
}
formulas = {name: Formula(some_q, kl_of_torch, claim) for name, claim in claims.items()}

# %%
def some_x(generator: torch.Generator) -> tuple[Tensor]:
    """Grey pixels, (4, 6) in (0, 1), float64."""
    return (torch.rand(4, 6, generator=generator, dtype=torch.float64),)


def own_cross_entropy(x: Tensor) -> Tensor:
    """BCE(x, x), (B,) nats."""
    return F.binary_cross_entropy(x, x, reduction="none").sum(1)


formulas["E"] = Formula(some_x, own_cross_entropy, lambda x: torch.zeros(len(x)).double())

# %%
def some_q_and_x(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """A Gaussian q and an observation for the smallest model: (4, 1) each."""
    return tuple(torch.randn(3, 4, 1, generator=generator, dtype=torch.float64))


def tiny_elbo(mu: Tensor, log_var: Tensor, x: Tensor) -> Tensor:
    """The ELBO of the smallest model, (B,)."""
    return tiny.elbo(x, mu, torch.diag_embed(log_var.exp()))


# %%
def claim_F(mu: Tensor, log_var: Tensor, x: Tensor) -> Tensor:
    """E_q[log p(x|z) + log p(z) − log p(z|x)], as the mean over z = μ − σ and z = μ + σ.

    These two points give the exact expectation of any polynomial in z up to the third degree.
    """
    mean, cov = tiny.posterior(x)
    sigma = (0.5 * log_var).exp()
    values = [tiny.log_lik(x, z) + log_normal(z, 0 * z, 0 * z) - log_normal(z, mean, 0 * z + cov.log())
              for z in (mu - sigma, mu + sigma)]
    return torch.stack(values).mean(0)


# %%
def claim_G(mu: Tensor, log_var: Tensor, x: Tensor) -> Tensor:
    """ELBO + KL(q ‖ p(z|x)), (B,)."""
    gap = kl_full_normal(mu, torch.diag_embed(log_var.exp()), *tiny.posterior(x))
    return tiny_elbo(mu, log_var, x) + gap


formulas["F"] = Formula(some_q_and_x, tiny_elbo, claim_F)
formulas["G"] = Formula(some_q_and_x, lambda mu, log_var, x: tiny.log_evidence(x), claim_G)

# %%
def some_q_and_noise(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """mu, log_var and eps: (4, 3) each."""
    return tuple(torch.randn(3, 4, 3, generator=generator, dtype=torch.float64))


def density_of_q(mu: Tensor, log_var: Tensor, eps: Tensor) -> Tensor:
    """q(z|x) at z = μ + σε, (B,)."""
    sigma = (0.5 * log_var).exp()
    return Normal(mu, sigma).log_prob(mu + sigma * eps).sum(-1).exp()


def claim_H(mu: Tensor, log_var: Tensor, eps: Tensor) -> Tensor:
    """−½‖ε‖² − log|det σ| − (n/2) log 2π, (B,)."""
    return (-0.5 * eps**2 - 0.5 * log_var - 0.5 * math.log(2 * math.pi)).sum(-1)


formulas["H"] = Formula(some_q_and_noise, density_of_q, claim_H)

# %%
def some_batch(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x and logits: (4, 50); mu and log_var: (4, 3)."""
    x = torch.rand(4, 50, generator=generator, dtype=torch.float64)
    logits = torch.randn(4, 50, generator=generator, dtype=torch.float64)
    return x, logits, *some_q(generator)


# %%
def claim_I(x: Tensor, logits: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """Mean over pixels of the cross-entropy, plus the KL, (B,)."""
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    return bce.mean(1) + kl_of_torch(mu, log_var)


def minus_elbo_per_pixel(x: Tensor, logits: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """−ELBO / D, (B,)."""
    return -elbo(x, logits, mu, log_var) / x.shape[1]


formulas["I"] = Formula(some_batch, minus_elbo_per_pixel, claim_I)

# %% [markdown]
# ### Exercise 8 · `find_the_bug`
#
# *Difficulty ●●○ · importance ●●○ · 15 minutes.* Given a dictionary like `formulas`, return the
# names of the wrong formulas, found by evaluating both sides. The check uses other formulas than
# these nine.
#
# **Prediction.** Which of the nine are wrong? Decide by eye before you let the machine decide.
#
# ✎ *Double-click here and write your answer:*
#
# <details><summary>Hint 1</summary>
#
# `inputs = formula.draw(generator)` gives a tuple; `formula.left(*inputs)` evaluates the left side.
#
# </details>
# <details><summary>Hint 2</summary>
#
# One draw can agree by accident, and a wrong formula may be right for some inputs: try twenty.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `torch.allclose(a, b, rtol=…, atol=…)` compares all entries and both signs of the difference, and
# says `False` for NaN.
#
# </details>

# %% exercise="find_the_bug"
def find_the_bug(formulas: dict[str, Formula]) -> list[str]:
    """The names of those formulas whose two sides are not equal.

    Each formula has `draw(generator)`, which returns a tuple of random inputs, and `left` and
    `right`, which take these inputs; it is right if left(*inputs) = right(*inputs) for all of them,
    up to rounding (relative 1e-6, absolute 1e-9; inputs are float64).
    """
    ### BEGIN SOLUTION
    generator, wrong = torch.Generator().manual_seed(0), []
    for name, formula in formulas.items():
        draws = [formula.draw(generator) for _ in range(20)]
        sides = [(formula.left(*inputs), formula.right(*inputs)) for inputs in draws]
        if not all(torch.allclose(a, b, rtol=1e-6, atol=1e-9) for a, b in sides):
            wrong.append(name)
    return wrong
    ### END SOLUTION


# %% check="find_the_bug"
find_the_bug = check("find_the_bug", find_the_bug)

# %%
wrong = find_the_bug(formulas)
print("wrong:", ", ".join(wrong))
print("right:", ", ".join(name for name in formulas if name not in wrong))

# %% [markdown]
# How do they fail? Each at a point at which it can be seen by hand.

# %%
def at(value: float) -> Tensor:
    return torch.tensor([[value]]).double()


half = math.log(0.5)  # log_var of σ² = ½
x_1, mu_0, log_var_0 = at(1.0), at(0.0), at(0.0)  # q = N(0, 1), the prior
points = {
    "B": ("KL at μ = 1, σ = 1", claims["B"](at(1.0), at(0.0)), kl_of_torch(at(1.0), at(0.0))),
    "C": ("KL at μ = 0, σ² = ½", claims["C"](at(0.0), at(half)), kl_of_torch(at(0.0), at(half))),
    "E": ("one pixel, x = x̂ = 0.5", at(0.0), own_cross_entropy(at(0.5))),
    "F": ("x = 1, q = N(0, 1)", claim_F(mu_0, log_var_0, x_1), tiny_elbo(mu_0, log_var_0, x_1)),
    "H": ("σ = 1, ε = 0", claim_H(at(0.0), at(0.0), at(0.0)), density_of_q(at(0.0), at(0.0), at(0.0))),
}
for name, (where, claimed, true) in points.items():
    print(f"{name}  {where:24s} claimed {claimed.item():8.4f}, true {true.item():8.4f}")

# %% [markdown]
# - **B** has the wrong sign. Minimising it pushes μ and σ away from the prior.
# - **C** has lost a ½ and reads log σ for log σ². Its minimum is at σ = 1/√2, so it trains posteriors
#   that are too narrow.
# - **E** forgets that a grey pixel has entropy: 0.693 nats at x = 0.5.
# - **F** has the posterior where q belongs. The sum is log p(x) for *every* z, here −1.5155, so no
#   gradient reaches the encoder. The true ELBO is −1.919, the gap, 0.403 nats, is KL(q ‖ p(z|x)).
# - **H** is log q, not q. Its sign alone shows it: a density is never negative.
#
# **I** is the easiest to overlook, for it looks like a matter of units. We evaluate it.

# %%
x, logits, mu, log_var = some_batch(torch.Generator().manual_seed(1))
weight = x.shape[1]  # D
loss = claim_I(x, logits, mu, log_var)
bce = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
heavier = (bce + weight * kl_of_torch(mu, log_var)) / weight
print(f"claim I equals (cross-entropy + {weight} KL) / {weight}: off by {(loss - heavier).abs().max():.0e}")
print("on MNIST, D = 784: training with β = 784 in front of the KL, up to the factor 1/784")

# %% [markdown]
# A mean over pixels beside a sum over latents weighs the KL D times as heavily: an effective β of
# D, which nobody states; Adam hardly notices the factor in front. [Notebook 04](04_beta_vae.ipynb)
# shows what such a β
# does. This course sums over pixels and over latents, and averages over the batch once, at the end.
#
# ## 3.12 · What we have seen
#
# - The evidence is an integral that samples of the prior miss: by tens of nats with only 16 codes.
# - ELBO = log p(x) − KL(q ‖ p(z|x)): a bound by Jensen, an identity by Bayes, exact at the posterior.
# - The KL has a closed form without scatter. Pathwise gradients scatter far less than score gradients,
#   and fail without a warning on staircases.
# - A VAE is five steps, all your own; n = 1, 2, 64 show what latents buy, in nats per image.
# - Samples from the prior often decode to digits because the aggregated posterior comes near the
#   prior. A forest still tells them apart, and the price is a larger reconstruction error.
# - Nats compare models under one likelihood, and formulas deserve to be evaluated.
#
# **To think about.** (1) A colleague reports a VAE whose KL is negative on some images. What are
# the first two things you check? (2) Why is the importance-weighted bound not used with S = 500 for
# training? (3) The decoder ignores a latent. What is its KL, and what does its slider do?
#
# <details><summary>Some answers</summary>
#
# (1) The sign of the KL, and log σ for log σ²; a sampled KL may be negative for one image, a closed
# form never. (2) Each step would decode 500 images in place of one, and the encoder's gradient
# shrinks faster than its noise as S grows
# ([Rainforth et al., 2018](https://arxiv.org/abs/1802.04537)). (3) 0 nats: q equals the prior
# there; its slider changes nothing.
#
# </details>
#
# *Next:* **[04 · β-VAE](04_beta_vae.ipynb)**, which puts a price on the KL.
