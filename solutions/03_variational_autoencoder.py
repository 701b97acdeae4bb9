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
# | 180 minutes in two sittings (3.1 to 3.6, 3.7 to 3.12), 8 exercises | ●●○ to ●●● | [notebook 01](01_autoencoder_basics.ipynb), Gaussians, expectations, the chain rule |
#
# Run the cells in order. Where you see `raise NotImplementedError`, write your own code; the card
# below it says whether it is right and, if not, why. Unsolved exercises do not stop the notebook.

# %% setup=true

# %% tags=["parameters"]
seed = 0
n_train = 55_000
n_valid = 5_000
n_test = 10_000
steps = 2_600
n_judged = 1_000  # images on each side of a comparison

# %%
import math
from collections.abc import Callable, Iterable

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import ContinuousBernoulli, Normal, kl_divergence

from course_lib import datasets, diagrams, errata, losses, models, plots, settings, widgets
from course_lib.distributions import bernoulli, kl_full_normal, log_normal
from course_lib.exact import Formula, LinearGaussian
from course_lib.exercises import check
from course_lib.figures import variational as figures
from course_lib.metrics import aggregate_posterior_terms, neighbour_accuracy, two_sample_accuracy
from course_lib.progress import progress_bar
from course_lib.settings import shortened
from course_lib.training import Record, evaluate, fit, to_float

# %%
plots.use_course_style()
torch.manual_seed(seed)
rng = torch.Generator().manual_seed(seed)
full = n_train, n_valid, n_test, steps, n_judged
n_train, n_valid, n_test, steps, n_judged = shortened(full, (6_000, 500, 2_000, 80, 200))

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
# integral. The **code** of an image is the whole vector z; one of its numbers is a **latent**, and n
# says how many there are. (Comments on shapes write d for n, as they write B for the batch.)

# %%
diagrams.graphical_model()

# %% [markdown]
# **Figure 1.** The VAE as a graphical model. Green: the story, which the decoder with its weights θ
# tells for each of N images. Blue and dashed: what section 3.2 adds, an encoder with weights φ. Note
# that only x is seen, so it alone is shaded.
#
# We work with two models: a linear-Gaussian one, in which the integral is known and every
# claim can be checked, and a network, in which it is not.

# %%
W, b = torch.tensor([[2.0], [1.0]], dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
plane = LinearGaussian(W, b, sigma=0.5)  # z ~ N(0, 1), x|z ~ N(W z + b, 0.25 I): one latent, two pixels
z_plane, x_plane = plane.sample(1_500, generator=rng)  # (N, 1), (N, 2)
spots = torch.tensor([[0, 0], [0, 4]]).double()  # on the line, and far from all points
log_p_spots = dict(zip([(0, 0), (0, 4)], plane.log_evidence(spots).tolist()))

# %%
figures.linear_cloud(x_plane, z_plane, W, log_p_spots)
plt.show()

# %% [markdown]
# **Figure 2.** 1,500 draws from the model with one latent and two pixels; the colour is the code that
# made each point, the black line W z, and the crosses are two points with their evidence. The decoder
# draws the line, the noise makes it equally thick in all directions, and the prior says which part of
# it is likely.
#
# The evidence is an average over the prior, so the first idea is to average over samples:
#
# $$\hat p(x) = \frac{1}{S} \sum_{s=1}^{S} p(x \mid z_s), \qquad z_s \sim p(z).$$
#
# This is unbiased for p(x); its logarithm is too small on average, and section 3.3 says why. We try
# it on models with n = 1, 4 and 16 latents, where log p(x) is known: 20 pixels, the entries of W
# drawn from N(0, 1), noise of σ = 1 in each pixel.

# %% [markdown]
# **Prediction.** Among 10,000 samples from the prior, how many explain a given x well if n = 16, and
# by how many nats is the estimate of log p(x) off: a hundredth, one, or ten and more?
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
    x_d = model.sample(10, generator=rng)[1]  # (B, D)
    log_p = model.log_evidence(x_d)
    short = [log_p - torch.stack([naive_log_evidence(model, x_d, S) for _ in range(10)])
             for S in sample_sizes]  # each (10, B): ten repeats for each of ten points
    mean, sd = [gap.mean().item() for gap in short], [gap.std(0).mean().item() for gap in short]
    missing[d] = (mean, sd)

# %%
figures.shortfall(sample_sizes, missing)
plt.show()

# %% [markdown]
# **Figure 3.** How much the estimate of log p(x) falls short of the truth; bars show one standard
# deviation over repeats. With one latent a thousand samples do; with 16 latents ten thousand fall tens
# of nats short, and each nat is a factor of 2.7 in p(x). Nearly all samples of the prior explain x
# badly; the sum waits for a lucky one.
#
# Ten thousand decoder passes for one number about one image, and with 16 latents it is still far off:
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
# Training needs samples of q, and gradients that reach μ and `log_var` through them. Drawing has no
# derivative; adding and multiplying have.

# %%
diagrams.reparameterization()

# %% [markdown]
# **Figure 4.** Left: z is drawn from q, and the gradient ends at z. Right: z is computed from μ, σ and
# a noise ε that comes from outside, and the gradient passes. Note that ε needs no gradient.
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

# %% [markdown]
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
# **Figure 5.** Left: 150 fixed ε and the z that they are carried to, with the line z = μ + σε. Right:
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
# The second function estimates what the first computes. We try both on one q for n = 2 and one for
# n = 64 latents: log σ² = −1 in each latent, so σ = 0.61, and μ drawn from N(0, ¼).

# %% [markdown]
# **Prediction.** With one sample, as in a training step, one latent alone scatters by half a nat or so.
# By how many nats does the estimate scatter with n = 64 latents: ½, 4 or 32?
#
# ✎ *Double-click here and write your answer:*

# %%
spread = {}
for d in [2, 64]:
    mu_d = 0.5 * torch.randn(1, d, generator=rng).double().expand(400, d)  # 400 repeats of one q
    log_var_d = torch.full((400, d), -1.0).double()
    kl_d = kl_std_normal(mu_d, log_var_d)[0]
    estimates = [kl_monte_carlo(mu_d, log_var_d, S, rng) - kl_d for S in [1, 4, 16, 64]]  # (400,) each
    sd = [estimate.std().item() for estimate in estimates]
    spread[f"n = {d}"] = ([1, 4, 16, 64], [e.mean().item() for e in estimates], sd)

# %%
widths = torch.linspace(0.05, 3, 300).double()[:, None]  # one latent, many σ
closed = {f"μ = {m}": (widths, kl_std_normal(torch.full_like(widths, m), 2 * widths.log()))
          for m in [0, 1, 2]}

# %%
figures.kl_two_ways(closed, spread)
plt.show()

# %% [markdown]
# **Figure 6.** Left: the closed form for one latent. It has its minimum at σ = 1, and as σ → 0 it
# grows without bound, slowly: each halving of σ costs about log 2 = 0.69 nats. Right: mean and
# standard deviation of the sampled estimate, less the closed form. The bar halves when S is four times
# as large. The scatter of independent latents adds up in squares, so n of one kind scatter √n times
# as much as one. Where the closed form exists, we use it: it has no bar at all.

# %% [markdown]
# ## 3.3 · The ELBO, twice
#
# Now the derivation, line by line, each line beside code that evaluates it. We use the smallest
# model there is: z ~ N(0, 1), x|z ~ N(z, 1), and the observation x = 1. Its evidence and its posterior
# come out by completing the square in z: up to constants, log p(x|z) + log p(z) is
#
# $$-\tfrac12 (x - z)^2 - \tfrac12 z^2 \;=\; -\Big(z - \frac{x}{2}\Big)^2 - \frac{x^2}{4}.$$
#
# As a function of z, the first term on the right is the exponent of N(x/2, ½), since
# (z − x/2)² = (z − x/2)²/(2·½). The rest, −x²/4, is the exponent of N(0, 2) in x. So p(z|x) = N(½, ½)
# at x = 1, and p(x) = N(x; 0, 2).
#
# As q(z|x) we take some other Gaussian, N(0.2, 0.64), so that nothing holds by accident; while x is
# fixed we write q(z) for it.

# %%
one = torch.ones(1, 1, dtype=torch.float64)
tiny = LinearGaussian(one, torch.zeros(1).double(), sigma=1.0)
mu_q, log_var_q = torch.tensor([[0.2]]).double(), torch.tensor([[0.64]]).double().log()
eps_q = torch.randn(200_000, 1, 1, generator=rng, dtype=torch.float64)
z_q = reparameterize(mu_q, log_var_q, eps_q)  # (S, 1, 1) samples of q
zero = torch.zeros_like(mu_q)  # the prior's mean and log-variance
posterior_mean, posterior_cov = tiny.posterior(one)  # at x = 1; (1, 1), (1, 1)
print(f"posterior: mean {posterior_mean.item():.2f}, variance {posterior_cov.item():.2f}")
print(f"log p(x) = {tiny.log_evidence(one).item():.4f}")

# %% [markdown]
# **First way, by Jensen's inequality.** Write the integral as an average over q instead of over the
# prior. Multiplying and dividing by q changes nothing:
#
# $$\log p(x) = \log \int q(z)\,\frac{p(x\mid z)\,p(z)}{q(z)}\,dz
# = \log \mathbb{E}_q\!\left[\frac{p(x\mid z)\,p(z)}{q(z)}\right]. \tag{1}$$
#
# The fraction is the **weight** w of a sample, log w = log p(x|z) + log p(z) − log q(z|x).

# %%
log_w = tiny.log_lik(one, z_q) + log_normal(z_q, zero, zero) - log_normal(z_q, mu_q, log_var_q)  # (S, 1)
w = log_w.exp()
w_error = w.std() / w.mean() / len(w) ** 0.5  # of the logarithm of a mean
print(f"(1)  log E_q[w]   = {w.mean().log():.4f} ± {w_error:.4f}")

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


line_3 = toy_elbo(mu_q, log_var_q).item()
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
q, p = Normal(mu_q, (0.5 * log_var_q).exp()), Normal(posterior_mean, posterior_cov.sqrt())
print(f"(4)  log p(x) − ELBO = {tiny.log_evidence(one).item() - line_3:.6f}")
print(f"     KL(q ‖ p(z|x))  = {kl_divergence(q, p).item():.6f}")

# %% [markdown]
# Then on a model with two latents and five pixels, for a thousand random q. At the exact posterior the
# gap is 0. The two latents are correlated there, so a q with independent coordinates, such as an
# encoder gives, never closes the gap entirely.

# %%
W_5 = torch.randn(5, 2, generator=rng, dtype=torch.float64)
five = LinearGaussian(W_5, torch.randn(5, generator=rng, dtype=torch.float64), sigma=0.7)
x_5 = five.sample(1_000, generator=rng)[1]  # (B, 5)
mean_5, cov_5 = five.posterior(x_5)  # (B, 2), (2, 2)
mu_5 = torch.randn(1_000, 2, generator=rng, dtype=torch.float64)
cov_q = torch.diag_embed(torch.rand(1_000, 2, generator=rng, dtype=torch.float64) + 0.05)
gaps = five.log_evidence(x_5) - five.elbo(x_5, mu_5, cov_q)  # (B,)
off = (gaps - kl_full_normal(mu_5, cov_q, mean_5, cov_5)).abs().max()
at_posterior = (five.log_evidence(x_5) - five.elbo(x_5, mean_5, cov_5)).abs().max()
print(f"smallest gap {gaps.min():.4f}; largest |gap − KL(q ‖ p(z|x))| {off:.0e}")
print(f"largest gap at the exact posterior {at_posterior:.0e}")

# %% [markdown]
# **Prediction.** In the slider below, μ and σ belong to q. Where do they have to stand for the gap to
# vanish? And if σ is made very small, which term of (3) pays?
#
# ✎ *Double-click here and write your answer:*

# %%
slider = widgets.bound(
    toy_elbo,
    log_evidence=tiny.log_evidence(one).item(),
    posterior=(posterior_mean.item(), posterior_cov.sqrt().item()),
)
slider

# %% [markdown]
# **Figure 7.** Left: prior, exact posterior and your q. Right: log p(x), the ELBO computed with
# your `kl_std_normal`, and the gap between them. A q that is higher than the picture is cut at its top.
# Move μ and σ. Note that log p(x) stands still whatever q does:
# improving q never changes the model, it only tightens the bound. The gap closes at the posterior,
# μ = ½ and σ² = ½. A very narrow q pays in the KL. Training moves both: a better q tightens the
# bound, a better decoder raises log p(x) or tightens it too, so we maximise the ELBO over both.

# %% [markdown]
# ## 3.4 · A gradient through a sample
#
# Training needs the gradient of E_q[f(z)] with respect to μ, where q itself depends on μ. Two ways
# bring it inside the expectation. The **score-function** estimator (REINFORCE;
# [Williams, 1992](https://doi.org/10.1007/BF00992696)) uses the score ∇log q, the gradient of a
# log-density (here with respect to μ), and ∇q = q ∇log q:
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
# has ∇_μ E_q[f(z)] = a − μ. We take q = N(0, I) and a = (1, …, 1), so z = ε, the truth is 1 in each
# coordinate, and f has the mean −n. Each estimate of ∂/∂μ₁ uses one sample, as a training step
# does: ε₁ times f(z) by the score, 1 − ε₁ by the path. We repeat both 1,000 times to measure how they
# scatter.

# %% [markdown]
# **Prediction.** Both are unbiased. By which factor do their standard deviations differ at n = 64?
#
# ✎ *Double-click here and write your answer:*

# %%
def scatter_of(estimator: Callable, d: int) -> tuple[float, float, float]:
    """Mean of ∂/∂μ₁ over 1,000 one-sample estimates, their sd, and the standard error of that sd."""
    mu, log_var, a = torch.zeros(d), torch.zeros(d), torch.ones(d)  # the truth is 1
    found = torch.stack([estimator(lambda z: -0.5 * ((z - a) ** 2).sum(-1), mu, log_var, 1, rng)[0]
                         for _ in range(1_000)])
    sd, fourth = found.std(), ((found - found.mean()) ** 4).mean()
    error = ((fourth - sd**4) / len(found)).sqrt() / (2 * sd)  # sd/√(2N) if they were normal
    return found.mean().item(), sd.item(), error.item()

# %%
dimensions, found, means_found = [1, 4, 16, 64], {}, {}
for name, estimator in {"score": score_gradient, "pathwise": pathwise_gradient}.items():
    averages, sds, errors = zip(*[scatter_of(estimator, d) for d in dimensions])
    found[name] = (dimensions, sds, errors)
    means_found[name] = {f"n = {d}": f"{m:.2f} ± {sd / 1_000**0.5:.2f}".replace("-", "−")
                         for d, m, sd in zip(dimensions, averages, sds)}
plots.table(means_found, corner="mean of 1,000 (truth 1)")

# %%
figures.gradient_scatter(found, dimensions)
plt.show()

# %% [markdown]
# **Figure 8.** How far one-sample estimates scatter, against the number of latents; bars are the
# standard error of that measurement, from the fourth moment of the estimates. (The score's have
# heavy tails, so that the formula sd/√(2N), which holds for normal values, would be several times
# too small at n = 1.) For this f, a sum over coordinates, the pathwise estimate of one coordinate
# does not depend on how many others there are, while the score estimate multiplies the noise of all
# of them into each. To be as sure, it needs (ratio)² times as many samples.
#
# Much of that scatter comes from the height of f alone. A constant, the **baseline**, may be
# subtracted from f, since E_q[∇ log q] = 0. How much does it help?

# %%
scores = torch.randn(10_000, 64, generator=rng)  # q = N(0, I), so the score is z
heights = -0.5 * ((scores - 1) ** 2).sum(1)  # f(z)
for name, value in {"f": heights, "f minus its mean": heights - heights.mean()}.items():
    print(f"{name:17s} one score estimate scatters by {(value * scores[:, 0]).std():.1f}")

# %% [markdown]
# The baseline removes most of the scatter; what is left still grows with n. VAEs are trained pathwise.
#
# **A planned failure.** Pathwise gradients need an f whose slope tells how f changes. Let
# f(z) = round(z₁), a staircase. Its expectation rises with μ, its slope is 0 almost everywhere.

# %%
def stairs(z: Tensor) -> Tensor:
    """A staircase in the first coordinate: (…, d) to (…)."""
    return torch.round(z[..., 0])


mu_stairs, log_var_stairs = torch.tensor([0.3]), torch.tensor([0.0])
edges = torch.arange(-8, 9) + 0.5  # each edge adds its density under q
slope = Normal(mu_stairs, 1.0).log_prob(edges).exp().sum()
print(f"truth    {slope:.3f}")
for name, estimator in {"score": score_gradient, "pathwise": pathwise_gradient}.items():
    print(f"{name:8s} {estimator(stairs, mu_stairs, log_var_stairs, 100_000, rng).item():.3f}")

# %% [markdown]
# The pathwise estimate is 0, without any warning; the score-function estimate is right. For codes that
# are whole numbers we need the score function, or a smooth stand-in for the stairs. Our decoders have
# slopes, so we take the pathwise estimate.
#
# **Why `rsample`?** PyTorch's distributions draw in two ways. `rsample()` is your `reparameterize`: its
# result depends on μ and σ, and the gradient passes. `sample()` returns the same kind of draw as a
# constant. We take the bound of section 3.3 at μ = 0.3, σ = 1, with one term sampled in each of the two ways.

# %%
mu_drawn, unit = torch.tensor([[0.3]], requires_grad=True), torch.zeros(1, 1)  # log_var of σ = 1
truth = torch.autograd.grad(toy_elbo(mu_drawn, unit).sum(), mu_drawn)[0].item()
for name in ["rsample", "sample"]:
    z = getattr(Normal(mu_drawn, 1.0), name)((100_000,))  # (S, 1, 1)
    bound = (-0.5 * (1 - z) ** 2).mean() - kl_std_normal(mu_drawn, unit).sum()
    slope = torch.autograd.grad(bound, mu_drawn)[0].item()
    print(f"{name + '()':9s} ∂ELBO/∂μ = {slope:6.3f}, truth {truth:.3f}")

# %% [markdown]
# `sample()` raises no error. The reconstruction no longer reaches μ, and what is left is −μ, the gradient
# of minus the KL: it pulls every code to the prior, here against the true direction. The next notebooks
# call `rsample()` in training, and `sample()` only where nothing is learned from the draw.

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

# %% [markdown]
# **Prediction.** For which x̂ is the integral of x̂ˣ (1 − x̂)¹⁻ˣ over x from 0 to 1 closest to 1?
#
# ✎ *Double-click here and write your answer:*

# %%
means = torch.linspace(0.001, 0.999, 999).double()  # x̂ of many decoders of one pixel
grid = (torch.arange(2_000).double() + 0.5) / 2_000  # x, midpoints
log_lik = grid[:, None] * means.log() + (1 - grid[:, None]) * (1 - means).log()
integral = log_lik.exp().mean(0)  # over x, for each x̂
normaliser = ContinuousBernoulli(probs=means).log_prob(0 * means) - (1 - means).log()  # at x = 0
print(f"at x̂ = 0.5 the integral is {integral[499]:.3f}")
print(f"1/integral is PyTorch's normaliser: off by {(integral.log() + normaliser).abs().max():.1e}")

# %%
figures.unnormalised(means, integral)
plt.show()

# %% [markdown]
# **Figure 9.** The integral of the "likelihood" of one grey pixel, against what the decoder says. The
# total falls short of 1 for every x̂, and most where the decoder is sure.
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
test_images, y_test = digits.test.images[:n_test], digits.test.labels[:n_test]
X_test = to_float(test_images.flatten(1))  # (N, D)
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
    return progress_bar(records, total=epochs * -(-len(X_train) // 128))


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
# Two marks to judge −ELBO by, as in [notebook 01](01_autoencoder_basics.ipynb). Grey pixels have an
# **entropy**, −x log x − (1 − x) log(1 − x): what cross-entropy charges even where x̂ = x. And the mean
# of all training images needs no code at all.

# %%
def cross_entropy(x_hat: Tensor, x: Tensor) -> float:
    """Mean over images of −Σ [x log x̂ + (1−x) log(1−x̂)], nats. (B, D) or (D,), and (B, D)."""
    return F.binary_cross_entropy(x_hat.expand_as(x), x, reduction="none").sum(1).mean().item()


X_check = to_float(X_valid.flatten(1))
marks = {"every pixel perfect": cross_entropy(X_check, X_check),
         "always the mean image": cross_entropy(to_float(X_train.flatten(1)).mean(0), X_check)}
for name, value in marks.items():
    print(f"{name:21s} {value:6.1f} nats per validation image")

# %% [markdown]
# **Prediction.** We train with n = 1, 2 and 64 latents. Guess −ELBO for each n: between the two marks,
# how far down? And which of the three will have the largest gap between training and validation?
#
# ✎ *Double-click here and write your answer:*

# %%
vaes, training, overfit = {}, {}, {}
for n in [1, 2, 64]:
    vaes[n], training[n] = train_vae(n)
    at_end = evaluate(vaes[n], objective, X_train[:10_000], seed=seed)  # training images, last weights
    overfit[n] = training[n][-1][2] - at_end["loss"]

# %%
settings.short_run_note("Figures 10 to 22")
figures.learning_curves(training, overfit, marks)
plt.show()

# %% [markdown]
# **Figure 10.** −ELBO on training and validation images, at the end of each epoch (the training
# loss is the mean over the epoch, so it lags a little behind), between the two marks. The gap is
# −ELBO of validation less that of training images, both at the end: what a model has learned of the
# training images alone, up to some tenths of a nat by which the two sets differ. A validation curve
# that turned upwards would tell us to stop.
#
# Nothing is left to choose, so the test images may be used.

# %%
tested = {n: evaluate(vae, objective, test_images, seed=seed) for n, vae in vaes.items()}
plots.table({f"n = {n}": {"−ELBO": t["loss"], "cross-entropy": -t["log_lik"], "KL": t["kl"]}
             for n, t in tested.items()}, corner="test images, nats")

# %% [markdown]
# The two terms have names. The mean cross-entropy is the **distortion**, nats that remain to be said
# about an image once its code is known. The mean KL is the **rate**, nats that the code charges.
#
# **Why one sample per image?** One z is a noisy estimate of E_q[log p(x|z)]. With the same number of decoder
# passes we can take 128 images with one sample each, or 16 images with eight. How far does each gradient
# scatter around its mean, all weights together?

# %%
def gradient(vae: VAE, x: Tensor, S: int, generator: torch.Generator) -> Tensor:
    """The gradient of −ELBO with S samples for each of the images x, all weights in a row."""
    x = x.repeat_interleave(S, 0)  # (B S, D)
    mu_x, log_var_x = vae.encode(x)
    codes = reparameterize(mu_x, log_var_x, torch.randn(mu_x.shape, generator=generator))
    loss = -elbo(x, vae.logits(codes), mu_x, log_var_x).mean()
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(vae.parameters()))])

# %%
own, scatter = torch.Generator().manual_seed(seed), {}
for B, S in [(128, 1), (16, 8)]:
    picks = torch.randint(len(X_train), (30, B), generator=own)  # 30 batches
    g = torch.stack([gradient(vaes[64], to_float(X_train[pick].flatten(1)), S, own) for pick in picks])
    scatter[S] = g.var(0).sum().sqrt().item()  # √ of the variance, summed over the weights
    print(f"{B:3d} images × {S} samples: a gradient scatters by {scatter[S]:.1f} nats per unit of weight")
ratio = scatter[8] / scatter[1]
print(f"eight samples of 16 images scatter {ratio:.1f} times as much; of the variance with one sample "
      f"each, {(ratio**2 - 1) / 7:.0%} comes from the images, the rest from the noise ε")

# %% [markdown]
# The variance has two parts: images differ, Var_x/B, and so does the noise, Var_ε/(B S). At equal B S the
# second is the same, and the first is eight times as large with an eighth of the images: that is how the last
# line tells them apart. So a step takes many images and one sample of each. Several samples help where there
# are no more images to take.
#
# **Why N(0, I), and no other Gaussian?** Because it does not matter. We rename the code of the trained VAE,
# z′ = 3 + 2z. The prior becomes N(3, 2²), each posterior N(3 + 2μ, (2σ)²), and the decoder's first layer
# undoes the renaming: W z + b = (W/2) z′ + (b − 3/2 · the row sums of W).

# %%
renamed = VAE(64)
renamed.load_state_dict(vaes[64].state_dict())
with torch.no_grad():
    renamed.decoder[0].bias -= 1.5 * renamed.decoder[0].weight.sum(1)
    renamed.decoder[0].weight /= 2
    mu_x, log_var_x = vaes[64].encode(X_test[:1_000])
    z = reparameterize(mu_x, log_var_x, torch.randn(mu_x.shape, generator=own))
    moved = (renamed.decode(3 + 2 * z) - vaes[64].decode(z)).abs().max()
print(f"pixels between 0 and 1 move by at most {moved:.0e}")

# %%
q_renamed = Normal(3 + 2 * mu_x, 2 * (0.5 * log_var_x).exp())
kl_before, kl_after = kl_std_normal(mu_x, log_var_x), kl_divergence(q_renamed, Normal(3.0, 2.0)).sum(1)
to_old = kl_divergence(q_renamed, Normal(0.0, 1.0)).sum(1).mean()
print(f"KL before {kl_before.mean():.3f} nats, after {kl_after.mean():.3f}; "
      f"largest change of an image {(kl_after - kl_before).abs().max():.0e}")
print(f"the new codes against the old prior N(0, I): {to_old:.0f} nats")

# %% [markdown]
# Every image and every nat stays, as long as code and prior are renamed together. So any Gaussian with
# independent coordinates is the same model, and N(0, I) is the one without numbers to choose. A prior of
# another shape, such as a mixture, is another model: section 3.10 fits one to the codes.
#
# **Here the first sitting ends.** For the second one run the cells above again (*Run · Run All Above
# Selected Cell*): your solutions stay in the file, only the training has to be repeated.
#
# ## 3.7 · What the latents hold
#
# With n = 1 the whole model is a line of images. Where should we look? The prior says which codes are
# likely, so we take codes at equal steps of *probability*: u from 1/24 to 23/24 through the normal
# **quantile function**, z = Φ⁻¹(u). Below the images we draw the codes of test images by label, at
# Φ(z), so that both have the same axis.

# %%
u = (torch.arange(12) + 0.5) / 12
with torch.no_grad():
    strip = vaes[1].decode(torch.special.ndtri(u)[:, None]).view(-1, 28, 28)
    codes_1 = vaes[1].encode(X_test[:3_000])[0][:, 0]  # μ

# %%
figures.one_latent(torch.special.ndtr(codes_1), y_test[:3_000], strip, torch.special.ndtri(u))
plt.show()

# %% [markdown]
# **Figure 11.** What one latent holds. Top: the images at 12 codes, each for the same share of the
# prior. Below: the codes μ of 3,000 test images, one row per digit. Digits which look alike share a
# part of the line; and one number must order all digits, so that some neighbours have little in common.

# %% [markdown]
# **Prediction.** For n = 2 we decode a grid of 15 × 15 codes: once through Φ⁻¹, once at equal steps
# over [−5, 5], as is often seen in reports. Which share of the second grid lies where the prior hardly
# ever samples (|z₁| or |z₂| above 3)?
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
    manifold = {name: vaes[2].decode(grid_z).view(-1, 28, 28) for name, grid_z in grids.items()}
    posteriors = {n: vae.encode(X_test) for n, vae in vaes.items()}  # mu, log_var: (N, n) each
outside = (grids["equal steps over [−5, 5]"].abs() > 3).any(1).float().mean()
rare = (torch.randn(1_000_000, 2, generator=rng).abs() > 3).any(1).float().mean()

# %%
figures.manifolds(*manifold.values(), reach=5, shares=(outside, rare))
plt.show()

# %% [markdown]
# **Figure 12.** The manifold of n = 2, z₁ to the right and z₂ upwards. Left: through Φ⁻¹. Right: at equal
# steps over [−5, 5]; the rings hold half and 99% of the prior. What the model generates lies within the
# rings. The rest is mostly far from the codes that the decoder was trained on.
#
# Which digits live where? We lay the codes of test images over the manifold, with their labels.

# %%
with torch.no_grad():
    plain = vaes[2].decode(square(torch.linspace(-3, 3, 15))).view(-1, 28, 28)

# %%
figures.regions(plain, posteriors[2][0][:3_000], y_test[:3_000], reach=3)
plt.show()

# %% [markdown]
# **Figure 13.** Left: the manifold at equal steps over [−3, 3]. Right: the codes μ of 3,000 test images
# at the same places, as the commonest label in each cell, the darker the more of its codes have it. Codes fill
# most of the rings, and most digits have a region of their own: labels, which training never saw, stand where
# the left picture shows their digit.
#
# Walk through your own model: hold an arrow key on a slider, and the tab key leads to the other one.
# As the map choose the manifold or the codes.

# %%
walk = widgets.pad(vaes[2].decode, codes=posteriors[2][0][:3000], labels=y_test[:3000],
                   extent=(-3, 3, -3, 3), start=(0, 0), manifold=True, seed=seed)
walk

# %% [markdown]
# **Figure 14.** The manifold, or the posterior means coloured by digit, with your position; and
# your decoder there. Compare the codes with the pad of
# [notebook 01](01_autoencoder_basics.ipynb): they lie about 0 at the
# width of the prior, and between two clusters the decoder blends. The rate made it so, although the
# prior knows nothing of digits.
#
# ## 3.8 · Does the posterior fill the prior?
#
# If we sample codes from the prior, the decoder should have seen such codes in training. What it
# has seen is the **aggregated posterior** q(z), the mean of q(z|x) over all images x. We draw
# the latent that carries the most KL, and lay the prior over it.

# %%
first, kl_per_latent = {}, {}
for n, (mu_n, log_var_n) in posteriors.items():
    each = kl_std_normal(mu_n.reshape(-1, 1), log_var_n.reshape(-1, 1)).view_as(mu_n)  # (N, n) nats
    kl_per_latent[n] = each.mean(0)
    j = int(kl_per_latent[n].argmax())
    first[n] = reparameterize(mu_n, log_var_n, torch.randn(mu_n.shape, generator=rng))[:, j]
least = int(kl_per_latent[64].argmin())
print(f"n = 64, least KL ({kl_per_latent[64][least]:.4f} nats): μ has standard deviation "
      f"{posteriors[64][0][:, least].std():.2f}, σ is {(posteriors[64][1][:, least] / 2).exp().mean():.2f}")

# %%
settings.short_run_note("these fits, and the latent without any KL,")
figures.fit_to_prior(first)
plt.show()

# %% [markdown]
# **Figure 15.** The latent of largest KL of all test images, sampled from their posteriors, with
# the prior drawn in, and their mean ± standard deviation, 0 ± 1 for a perfect fit. Where posteriors
# are narrow, as with few latents, groups of digits may leave gaps between them. We draw samples,
# not the means μ. The printed line says why: a latent that carries nothing has μ near 0 for all
# images, and all of its width is that of σ.
#
# Nothing in the ELBO mentions q(z). Yet it is in there. Add and subtract log q(z) inside the rate:
#
# $$\underbrace{\mathbb{E}_x\,\mathrm{KL}(q(z\mid x)\,\|\,p)}_{\text{rate}}
# = \underbrace{\mathbb{E}\Big[\log \frac{q(z\mid x)}{q(z)}\Big]}_{\text{information } I_q(x;\,z)}
# + \underbrace{\mathbb{E}\Big[\log \frac{q(z)}{p(z)}\Big]}_{\text{mismatch } \mathrm{KL}(q(z)\,\|\,p)}
# \tag{5}$$
#
# ([Hoffman and Johnson, 2016](https://approximateinference.org/2016/accepted/HoffmanJohnson2016.pdf)).
# The **information** is what z tells about which image it came from; the **mismatch** is how far all
# codes together are from the prior. So training does compare q(z) with the prior: it pays the
# mismatch in full, and the information on top. As the mismatch is not negative, the rate bounds the
# information from above.
#
# To estimate (5) from N images, q(z) is the mixture of all N posteriors, the one that z was drawn
# from included. Such a mixture is at least q(z|x)/N, so the estimate of the information is at most
# log N. First we try it where both parts are known: on the model with two latents, at q = N(μ, ½ I)
# with the exact posterior's means.

# %%
mu_lg = five.posterior(five.sample(5_000, generator=rng)[1])[0]  # (N, 2)
log_var_lg = torch.full_like(mu_lg, math.log(0.5))
origin, identity = torch.zeros(2).double(), torch.eye(2).double()
cov_z = (identity - cov_5) + 0.5 * identity  # of q(z): that of the means, and that of each q(z|x)
exact_parts = {"information": 0.5 * torch.logdet(cov_z / 0.5),
               "mismatch": kl_full_normal(origin, cov_z, origin, identity)}
parts = aggregate_posterior_terms(mu_lg, log_var_lg, rng)
plots.table({name: {"exact": value.item(), "from 5,000 draws": getattr(parts, name)}
             for name, value in exact_parts.items()},
            forms=dict.fromkeys(["exact", "from 5,000 draws"], ".3f"), corner="nats")

# %% [markdown]
# **Prediction.** Now your VAEs, on 5,000 test images: log 5,000 = 8.5 nats. Their rates are the KLs
# in the table of section 3.6. For which n can the estimate of the information not be the whole
# truth?
#
# ✎ *Double-click here and write your answer:*

# %%
limit = math.log(len(X_test[:5_000]))
shares = {n: aggregate_posterior_terms(mu_n[:5_000], log_var_n[:5_000], rng)
          for n, (mu_n, log_var_n) in posteriors.items()}

# %%
figures.rate_parts(shares, limit)
plt.show()

# %% [markdown]
# **Figure 16.** The rate of three VAEs, in two parts. With one and two latents most of the rate is
# information, and the mismatch is small: that is why Figure 15 nearly fits. Where a title says that the
# information is at its limit, there is more of it than the bar shows, and less mismatch.
#
# Note n = 64. If these 5,000 images were all there is, the split would be true: after log 5,000 nats
# the code names its image, and the rest is mismatch. But among all digits that could be written, a
# code of 64 latents may tell more, and then less is mismatch. From 5,000 images we learn a lower bound
# of the information and an upper bound of the mismatch
# ([Poole et al., 2019](https://arxiv.org/abs/1905.06922), on bounds of this kind). Section 3.10 tests
# all 64 latents jointly in another way.
#
# With n = 64 we cannot draw the code. t-SNE places similar codes near each other in a plane.

# %%
from sklearn.manifold import TSNE

some = posteriors[64][0][: 3 * n_judged // 2]
placed = TSNE(init="pca", random_state=seed).fit_transform(some.numpy())
y_near = labels[:10_000]
with torch.no_grad():
    near = {n: vae.encode(to_float(images[:10_000].flatten(1)))[0] for n, vae in vaes.items()}
    from_prior = vaes[64].decode(torch.randn(49, 64, generator=rng)).view(-1, 28, 28)
votes = {n: neighbour_accuracy(near[n], y_near, posteriors[n][0][:2_000], y_test[:2_000]) for n in vaes}
found_in = {f"n = {n}": {
    "the five nearest codes vote for the right digit": f"{votes[n]:.1%}",
    "latents with a KL above 0.01 nats": int((kl_per_latent[n] > 0.01).sum())} for n in vaes}
plots.table(found_in)

# %%
figures.many_latents(placed, y_test[: len(some)], from_prior, right=votes[64])
plt.show()

# %% [markdown]
# **Figure 17.** n = 64. Left: t-SNE of 1,500 codes, coloured by digit afterwards. Neighbourhoods
# can be read off it; distances between clusters, their sizes and shapes cannot, so the axes carry no
# numbers. Right: what the model generates, from samples of the prior. (Reports often show
# *reconstructions* of test images here; section 3.11 measures the difference.) The table
# says how many latents carry anything: after a long training the others end with a KL near 0,
# where q equals the prior and the decoder ignores them.
# [Notebook 04](04_beta_vae.ipynb) asks how many latents survive, and why.

# %%
settings.short_run_note("latents without any KL")
sliders = widgets.latents(vaes[64].decode, kl_per_latent[64], shown=16, seed=seed)
sliders

# %% [markdown]
# **Figure 18.** One slider for each of the 16 latents with the largest KL, the others at 0; a latent with
# less than 0.01 nats changes nothing and has none. Press `random`, then move one slider at a time. Note that a
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
# Why does it rise with S? The mean of S weights is also the mean, over the S ways to leave one out, of
# the means of the S − 1 others. The logarithm is concave, so the log of that mean of means is at least
# the mean of their logs, and each of these is 𝓛 with S − 1 samples: Jensen again.
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
# First where the truth is known: the model with two latents and five pixels, and a q that is not
# quite the posterior. Its means are 0.3 too large, its variances 1.5 times those of the posterior.

# %%
x_200, mu_200 = x_5[:200], mean_5[:200] + 0.3  # (B, 5), (B, 2)
log_var_200 = (1.5 * cov_5.diagonal()).log().expand(200, 2)
log_p_200 = five.log_evidence(x_200).mean()
elbo_200 = five.elbo(x_200, mu_200, torch.diag_embed(log_var_200.exp())).mean()
print(f"exact: ELBO {elbo_200:.4f}, log p(x) {log_p_200:.4f}, gap {log_p_200 - elbo_200:.4f} nats")

# %% [markdown]
# **Prediction.** That gap is what S = 1 misses. With how many samples is the bound within a hundredth
# of a nat of log p(x): 5, about 100 or about 10,000?
#
# ✎ *Double-click here and write your answer:*

# %%
sizes = [1, 2, 5, 20, 100, 500]
eps_200 = torch.randn(2_000, 200, 2, generator=rng, dtype=torch.float64)  # (S, B, 2)
z_200 = reparameterize(mu_200, log_var_200, eps_200)
log_prior = log_normal(z_200, torch.zeros(2).double(), torch.zeros(2).double())
log_w_200 = five.log_lik(x_200, z_200) + log_prior - log_normal(z_200, mu_200, log_var_200)
bounds = [torch.stack([iwae_bound(part).mean() for part in log_w_200.split(S)]) for S in sizes]
found_S = {f"S = {S}": {
    "bound": f"{bound.mean():.4f} ± {bound.std() / len(bound) ** 0.5:.4f}",
    "missing": (log_p_200 - bound.mean()).item()} for S, bound in zip(sizes, bounds)}
plots.table(found_S, forms={"missing": ".4f"}, corner="nats")

# %% [markdown]
# The first row agrees with the closed form, and the bound rises to the truth; the last column
# answers the prediction. Now your VAEs, on 200 test images (so −ELBO differs by some nats from that
# of all).

# %%
@torch.no_grad()
def log_weights(vae: VAE, x: Tensor, S: int, q: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """log p(x|z_s) + log p(z_s) − log q(z_s|x), z_s ~ q(z|x). (B, D) to (S, B) nats.

    q: mu and log_var of each image, (B, n) each; those of the encoder unless given.
    """
    mu, log_var = q or vae.encode(x)  # (B, n)
    zero = torch.zeros_like(mu)
    z = reparameterize(mu, log_var, torch.randn(S, *mu.shape, generator=rng))  # (S, B, n)
    logits = vae.logits(z)  # (S, B, D)
    log_lik = bernoulli(logits).log_prob(x).sum(-1)
    return log_lik + log_normal(z, zero, zero) - log_normal(z, mu, log_var)

# %%
rising, beneath = {}, {}
for n, vae in vaes.items():
    log_w_n = torch.cat([log_weights(vae, x, 500) for x in X_test[: n_judged // 5].split(20)], dim=1)  # (S, B)
    at_S = [torch.stack([iwae_bound(part) for part in log_w_n.split(S)]).mean().item() for S in sizes]
    rising[f"n = {n}"] = (sizes, [value - at_S[0] for value in at_S])
    beneath[f"n = {n}"] = {"−ELBO": -at_S[0], "−log p(x) at most (S = 500)": -at_S[-1],
                           "gain from S = 100 to 500": f"{at_S[-1] - at_S[-2]:.2f}"}
plots.table(beneath, corner="nats")

# %%
exactly = sizes, [v.mean() for v in bounds], [v.std() / len(v) ** 0.5 for v in bounds]
figures.rising_bounds(exactly, log_p_200, rising)
plt.show()

# %% [markdown]
# **Figure 19.** The importance-weighted bound against the number of samples. Left: it rises to the
# exact evidence (bars, smaller than the markers, are standard errors). Right: how much it gains on
# the ELBO of your VAEs. Where the bound still gains from S = 100 to 500, the truth is higher still. The
# gain is the part of the gap that S samples close, so KL(q ‖ p(z|x)) is at least that large on average.
#
# Whose fault is the gap? The best Gaussian with independent coordinates may still not be the
# posterior; and the encoder, which serves all images at once, may not find that best one:
#
# $$\log p(x) - \mathrm{ELBO} = \underbrace{\log p(x) - \mathrm{ELBO}(\text{best } q)}_{\text{approximation gap}}
# + \underbrace{\mathrm{ELBO}(\text{best } q) - \mathrm{ELBO}(\text{encoder's } q)}_{\text{amortisation gap}}$$
#
# ([Cremer et al., 2018](https://arxiv.org/abs/1801.03558)). We take 100 test images and optimise μ and
# `log_var` of each on its own, by gradient steps from the encoder's values; the decoder stays as it is.

# %% [markdown]
# **Prediction.** Figure 19 shows how large the gap is at least. Which share of it is the encoder's, for
# n = 2 and for n = 64?
#
# ✎ *Double-click here and write your answer:*

# %%
def own_posteriors(vae: VAE, x: Tensor, n_steps: int) -> tuple[Tensor, Tensor]:
    """μ and log σ² of each image, optimised for it alone from the encoder's values. (B, n) each."""
    mu, log_var = (part.clone().requires_grad_() for part in vae.requires_grad_(False).encode(x))
    optimizer = torch.optim.Adam([mu, log_var], lr=0.03)
    for _ in range(n_steps):
        eps = torch.randn(5, *mu.shape, generator=rng)  # (S, B, n), five samples per image
        logits = vae.logits(reparameterize(mu, log_var, eps))  # (S, B, D)
        terms = [elbo(x, logits_s, mu, log_var) for logits_s in logits]
        optimizer.zero_grad()
        (-torch.stack(terms).mean(0).sum()).backward()
        optimizer.step()
    return mu.detach(), log_var.detach()


# %%
halves, x_100 = {}, X_test[: n_judged // 10]
for n in [2, 64]:
    own = own_posteriors(vaes[n], x_100, n_steps=min(150, steps))
    by_encoder = torch.cat([log_weights(vaes[n], x, 500) for x in x_100.split(20)], dim=1)
    by_own = torch.cat([log_weights(vaes[n], x_100[i], 500, (own[0][i], own[1][i]))
                        for i in torch.arange(len(x_100)).split(20)], dim=1)  # (S, B)
    log_p_100 = iwae_bound(by_own).mean()
    halves[n] = [(log_p_100 - by_own.mean()).item(), (by_own.mean() - by_encoder.mean()).item()]

# %%
figures.gap_parts(halves)
plt.show()

# %% [markdown]
# **Figure 20.** The gap of 100 test images in two parts; for log p(x) stands the importance-weighted
# bound of the optimised q with 500 samples, so the true gap is at least as large. A longer search for q
# could still move some of the first part to the second. The second part goes when each image gets a
# search of its own: it is the price of one encoder for all.
#
# And the honest word about grey pixels, with numbers: the same decoder outputs x̂, read under three
# likelihoods. In logits a, the integral of section 3.5 is tanh(a/2)/a. The Gaussian's σ is the root of
# the mean squared error.

# %%
with torch.no_grad():
    codes_64 = reparameterize(*posteriors[64], torch.randn(posteriors[64][0].shape, generator=rng))
    logits_64 = vaes[64].logits(codes_64)
    x_hat, a = torch.sigmoid(logits_64), logits_64.abs().clamp(min=1e-3)
    as_trained = -F.binary_cross_entropy_with_logits(logits_64, X_test, reduction="none").sum(1)
    continuous = as_trained + (a / torch.tanh(a / 2)).log().sum(1)  # divided by the integral
    sigma_x = ((X_test - x_hat) ** 2).mean().sqrt()
    gaussian = Normal(x_hat, sigma_x).log_prob(X_test).sum(1)
read_as = {"cross-entropy, as trained": as_trained, "continuous Bernoulli": continuous,
           f"Gaussian, σ = {sigma_x:.3f}": gaussian}
plots.table({name: {"E_q[log p(x|z)], nats per image": value.mean().item()}
             for name, value in read_as.items()})

# %% [markdown]
# The images are the same, and the numbers lie many hundreds of nats apart. A density may exceed 1, so its
# logarithm may be positive. Nats compare models under *one* likelihood, never two likelihoods with
# each other.

# %% [markdown]
# ## 3.10 · Autoencoder and VAE in one table
#
# "The autoencoder is sharper, the VAE generates" is said often, and often with unequal models. We
# train autoencoders with the same layers, the same 64 latents, the same batches and the same
# number of steps. One gets squared error, which is also what the table measures; so that the VAE is
# not beaten on a metric that it never saw, the other gets the cross-entropy of the VAE, without
# rate and noise. Each model may also draw its codes from a mixture of ten Gaussians fitted to them,
# as in [notebook 02](02_convolutional_autoencoder.ipynb).

# %% [markdown]
# **Prediction.** Who wins at reconstruction, at generation, and at interpolation: the autoencoder
# ("AE") on squared error, the one on cross-entropy, or the VAE? And does the VAE gain from a mixture in
# place of N(0, I)? Figure 16 has the mismatch.
#
# ✎ *Double-click here and write your answer:*

# %%
def cross_entropy_objective(model: nn.Module, x: Tensor) -> tuple[Tensor, losses.ElboTerms]:
    """Mean cross-entropy of x and decode(encode(x)): −ELBO without noise and without KL."""
    logits = model.decoder(model.encode(x))  # (B, D)
    bce = F.binary_cross_entropy_with_logits(logits, x.flatten(1), reduction="none").sum(1)
    return bce.mean(), losses.ElboTerms(log_lik=-bce, kl=torch.zeros_like(bce))


aes = {}
for name, ae_objective in {"AE squared": losses.autoencoder_objective,
                           "AE cross": cross_entropy_objective}.items():
    torch.manual_seed(seed)
    ae = models.MLPAutoencoder(64)
    *_, last = steps_of(ae, ae_objective)
    aes[name] = ae.cpu().eval()
    print(f"{name:10s} after {last.step:,} steps: loss {last.loss:.1f} in the last batch")

# %%
from sklearn.mixture import GaussianMixture


def draw_codes(codes: Tensor, count: int = n_judged) -> Tensor:
    """Samples of a mixture of ten Gaussians fitted to codes: (N, d) to (count, d)."""
    fitted = GaussianMixture(10, tol=0.01, reg_covar=1e-3, random_state=seed).fit(codes.double())
    return torch.from_numpy(fitted.sample(count)[0]).float()[torch.randperm(count, generator=rng)]


prior, X_fit = torch.randn(n_judged, 64, generator=rng), to_float(X_train[:5_000].flatten(1))
with torch.no_grad():
    generated = {"AE squared, N(0, I)": aes["AE squared"].decode(prior)}
    for name, ae in aes.items():
        generated[f"{name}, mixture"] = ae.decode(draw_codes(ae.encode(X_fit)))
    generated["VAE, N(0, I)"] = vaes[64].decode(prior)
    mu_fit, log_var_fit = vaes[64].encode(X_fit)
    z_fit = reparameterize(mu_fit, log_var_fit, torch.randn(mu_fit.shape, generator=rng))
    generated["VAE, mixture"] = vaes[64].decode(draw_codes(z_fit))

# %% [markdown]
# Three numbers judge generated images, each with its blind spot. **Off the data**: the squared
# distance from a generated image to the nearest training image, large for shapes unlike any in the
# data. **Not covered**: from a test image to the nearest generated one, large for digits that the
# model never draws. Both are medians, and blur flatters both: faint images are near to everything.
# **Told apart**: the two-sample test of [notebook 02](02_convolutional_autoencoder.ipynb). A forest
# learns to tell generated images from
# the same model's reconstructions of test images, so that blur gives nothing away. ½ is best; the
# first row tries the VAE's other reconstructions.

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
X_seen, X_other = X_test[: 2 * n_judged].chunk(2)
rows = {"test images": X_other, **generated}
off = {name: nearest(x, X_near).median().item() for name, x in rows.items()}
uncovered = {name: nearest(X_seen, x).median().item() for name, x in rows.items()}
with torch.no_grad():
    seen = {name: ae(X_seen) for name, ae in aes.items()}
    seen["VAE"] = vae_reconstruct(X_seen, noise=1.0)
    others = vae_reconstruct(X_other, noise=1.0)
told = {name: two_sample_accuracy(x, seen[name.split(",")[0]]) for name, x in generated.items()}
told["test images"] = two_sample_accuracy(others, seen["VAE"])  # the best that can be reached
judges = {"off the data": off, "not covered": uncovered, "told apart": told}
blind = [name for name, found in judges.items()
         if found["AE squared, N(0, I)"] < 1.1 * found["AE squared, mixture"]]
print("blind to the noise of the second row:", ", ".join(blind) or "none of the three")
plots.table({name: {judge: found[name] for judge, found in judges.items()} for name in rows},
            forms={"told apart": ".2f"})

# %%
figures.generated({name: x[:12].view(-1, 28, 28) for name, x in rows.items()}, told)
plt.show()

# %% [markdown]
# **Figure 21.** Test images, and images generated in five ways, each with how often a forest tells
# them apart. Standard Gaussian noise in an autoencoder's decoder fails, because its codes were never
# asked to look like that noise. It is no fair comparison, yet reports make it. With a density fitted to
# its codes an autoencoder generates too; the last two rows say what one adds to the VAE. The printed
# line names the numbers that do not see this failure: one number alone is no judge.
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


walks = {name: paths(ae.encode, ae.decode) for name, ae in aes.items()}
walks["VAE"] = paths(lambda x: vaes[64].encode(x)[0], vaes[64].decode)
uneven, between = {}, {}
for name, path in walks.items():
    lengths = path.diff(dim=1).norm(dim=-1)  # (count, 20)
    uneven[name] = (lengths.max(1).values / lengths.mean(1)).mean().item()
    halfway, end = (nearest(path[:, i], X_near).median().item() for i in (10, 0))
    between[name] = halfway / end

# %%
with torch.no_grad():
    rebuilt = {name: ae(X_test) for name, ae in aes.items()} | {"VAE": vae_reconstruct(X_test)}
table = {
    "reconstruction, squared error per image": {
        n: losses.squared_error(X_test, x).mean().item() for n, x in rebuilt.items()},
    "reconstruction, cross-entropy per image": {
        n: cross_entropy(x, X_test) for n, x in rebuilt.items()},
    "generation from N(0, I), told apart": {
        n: told[f"{n}, N(0, I)"] for n in ("AE squared", "VAE")},
    "generation from a mixture, told apart": {n: told[f"{n}, mixture"] for n in rebuilt},
    "interpolation, largest step / mean step": uneven,
    "interpolation, off the data, middle/end": between,
}
plots.table(table, forms=dict.fromkeys(rebuilt, ".2f"), best_in_rows="min")

# %%
figures.walks({name: path[:2, ::2].view(2, -1, 28, 28) for name, path in walks.items()}, between)
plt.show()

# %% [markdown]
# **Figure 22.** Walks between the codes of two test images, for two pairs, the middles framed: all
# models show shapes between the two digits. The table divides the distance to the data at the
# middle by that at the ends, since blur alone brings an image nearer. Its best numbers are bold; the
# interpolation rows are close enough that another training could turn them.
#
# The table also says what the VAE costs. It reconstructs with a larger error than "AE cross", by both
# measures, although both were trained on cross-entropy: its codes are noisy, every nat is paid for,
# and many of its 64 latents stay unused (the table above Figure 17). In return it generates from
# N(0, I), without a density fitted afterwards.
#
# ## 3.11 · Errata hunt
#
# Formulas get copied with errors, and the errors survive, because nobody evaluates them. Here are nine
# claims; most stand in students' reports on autoencoders, word for word or nearly so.
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
# Below, each becomes a pair of functions: its left side and its right side. The right sides are the
# claims, which you can read here; [`errata`](../course_lib/errata.py) draws random inputs and has the
# left sides, from other formulas.

# %%
claims = {
    "A": lambda mu, log_var: -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(-1),
    "B": lambda mu, log_var: 0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(-1),
    "C": lambda mu, log_var: (log_var.exp() + mu**2 - 0.5 * log_var - 1).sum(-1),
    "D": lambda mu, log_var: (0.5 * log_var.exp() + 0.5 * mu**2 - 0.5 * log_var - 0.5).sum(-1),
}
formulas = {name: Formula(errata.some_q, errata.kl, claim) for name, claim in claims.items()}
formulas["E"] = Formula(errata.some_x, errata.own_cross_entropy, lambda x: 0 * x.sum(1))

# %% [markdown]
# F is an expectation over q. Its integrand is a sum of log-densities of Gaussians, a polynomial of
# second degree in z, and for these no sampling is needed: the mean of the values at z = μ − σ and
# z = μ + σ is exact, since these two points have the mean, the variance and the third central moment
# (0) of q. This is a *two-point quadrature*.

# %%
def claim_F(mu: Tensor, log_var: Tensor, x: Tensor) -> Tensor:
    """E_q[log p(x|z) + log p(z) − log p(z|x)] in the smallest model, (B,)."""
    mean, cov = tiny.posterior(x)
    return errata.two_point_mean(
        lambda z: tiny.log_lik(x, z) + log_normal(z, 0 * z, 0 * z) - log_normal(z, mean, cov.log()),
        mu, log_var)


def claim_G(mu: Tensor, log_var: Tensor, x: Tensor) -> Tensor:
    """ELBO + KL(q ‖ p(z|x)), (B,)."""
    gap = kl_full_normal(mu, torch.diag_embed(log_var.exp()), *tiny.posterior(x))
    return errata.tiny_elbo(mu, log_var, x) + gap


formulas["F"] = Formula(errata.some_q_and_x, errata.tiny_elbo, claim_F)
formulas["G"] = Formula(errata.some_q_and_x, lambda mu, log_var, x: tiny.log_evidence(x), claim_G)

# %%
def claim_H(mu: Tensor, log_var: Tensor, eps: Tensor) -> Tensor:
    """−½‖ε‖² − log|det σ| − (n/2) log 2π, (B,)."""
    return (-0.5 * eps**2 - 0.5 * log_var - 0.5 * math.log(2 * math.pi)).sum(-1)


def claim_I(x: Tensor, logits: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """Mean over pixels of the cross-entropy, plus the KL, (B,)."""
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    return bce.mean(1) + errata.kl(mu, log_var)


formulas["H"] = Formula(errata.some_q_and_noise, errata.density_of_q, claim_H)
formulas["I"] = Formula(errata.some_batch, lambda x, *rest: -elbo(x, *rest) / x.shape[1], claim_I)

# %% [markdown]
# **Prediction.** Which of the nine are wrong? Decide by eye before you let the machine decide.
#
# ✎ *Double-click here and write your answer:*

# %% [markdown]
# ### Exercise 8 · `find_the_bug`
#
# *Difficulty ●●○ · importance ●●○ · 15 minutes.* Given a dictionary like `formulas`, return the
# names of the wrong formulas, found by evaluating both sides. The check uses other formulas than
# these nine.
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
places = {
    "B": ("KL at μ = 1, σ = 1", (at(1.0), at(0.0))),
    "C": ("KL at μ = 0, σ² = ½", (at(0.0), at(half))),
    "E": ("one pixel, x = x̂ = 0.5", (at(0.5),)),
    "F": ("x = 1, q = N(0, 1)", (at(0.0), at(0.0), at(1.0))),
    "H": ("σ = 1, ε = 0", (at(0.0), at(0.0), at(0.0))),
}
values = {f"{name}: {where}": {"claimed": formulas[name].right(*inputs).item(),
                               "true": formulas[name].left(*inputs).item()}
          for name, (where, inputs) in places.items()}
plots.table(values, forms={"claimed": ".4f", "true": ".4f"})

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
x_I, logits_I, mu_I, log_var_I = errata.some_batch(torch.Generator().manual_seed(1))
weight = x_I.shape[1]  # D
loss_I = claim_I(x_I, logits_I, mu_I, log_var_I)
bce_I = F.binary_cross_entropy_with_logits(logits_I, x_I, reduction="none").sum(1)
heavier = (bce_I + weight * errata.kl(mu_I, log_var_I)) / weight
off_I = (loss_I - heavier).abs().max()
print(f"claim I equals (cross-entropy + {weight} KL) / {weight}: off by {off_I:.0e}")
print("on MNIST, D = 784: training with β = 784 in front of the KL, up to the factor 1/784")

# %% [markdown]
# A mean over pixels beside a sum over latents weighs the KL D times as heavily: an effective β of
# D, which nobody states; Adam hardly notices the factor in front. [Notebook 04](04_beta_vae.ipynb)
# shows what such a β
# does. This course sums over pixels and over latents, and averages over the batch once, at the end.
#
# ### Three more that no formula shows
#
# Published reports on autoencoders also contain errors that stand between the lines. Each has its
# number.

# %%
batch_128 = to_float(X_train[:128].flatten(1))
with torch.no_grad():
    rebuilt_128 = aes["AE squared"](batch_128)
as_sum = F.mse_loss(rebuilt_128, batch_128, reduction="sum") / F.mse_loss(rebuilt_128, batch_128)
print(f"J  told apart: other reconstructions {told['test images']:.2f}, "
      f"samples of N(0, I) {told['VAE, N(0, I)']:.2f}")
print(f"K  the same error at batch 128, as a sum: {as_sum:,.0f} times its mean")
print(f"L  10,177 identities in CelebA, not 10,077: {10_177 - 10_077} people are missing")

# %% [markdown]
# - **J** shows *reconstructions* of test images under the heading of generated ones. The forest cannot
#   tell them from others of their kind, but samples of the prior it can: what looks like generation is
#   the encoder's work.
# - **K** compares an autoencoder's loss, a mean over batch and pixels, with a VAE's loss, a sum over
#   both. At batch 128 the factor between them is 128 · 784, before either model has learned anything.
# - **L** is a slip of a digit in the number of people in CelebA. No evaluation finds it, only the source
#   ([Liu et al., 2015](https://arxiv.org/abs/1411.7766)) does.
#
# ## 3.12 · What we have seen
#
# - The evidence is an integral that samples of the prior miss: by tens of nats with only 16 latents.
# - ELBO = log p(x) − KL(q ‖ p(z|x)): a bound by Jensen, an identity by Bayes, exact at the posterior.
# - The KL has a closed form without scatter. On our smooth f pathwise gradients scatter far less than
#   score gradients; on staircases they fail without a warning.
# - A VAE is five steps, all your own; n = 1, 2, 64 show what latents buy, in nats per image.
# - The rate is information plus mismatch. Samples from the prior often decode to digits because
#   training pays for the mismatch. A forest still tells them apart, and the price is a larger
#   reconstruction error.
# - The gap has two parts: what no Gaussian q can do, and what one encoder for all images does not.
# - Nats compare models under one likelihood, and formulas deserve to be evaluated.
#
# **To think about.** (1) A colleague reports a VAE whose KL is negative on some images. What are
# the first two things you check? (2) Why is the importance-weighted bound not used with S = 500 for
# training? (3) The decoder ignores a latent. What is its KL, and what does its slider do?
#
# <details><summary>Some answers</summary>
#
# (1) The sign of the KL, and log σ for log σ²; a sampled KL may be negative for one image, a closed
# form only by rounding, next to 0. (2) Each step would decode 500 images in place of one, and the encoder's gradient
# shrinks faster than its noise as S grows
# ([Rainforth et al., 2018](https://arxiv.org/abs/1802.04537)). (3) 0 nats once training has
# ended, since only q = p costs nothing; its slider changes nothing.
#
# </details>
#
# *Next:* **[04 · β-VAE](04_beta_vae.ipynb)**, which puts a price on the KL.
