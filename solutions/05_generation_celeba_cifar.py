# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5 · Generating CelebA and CIFAR images
#
# {{colab_badge}}
#
# **How good are images that no camera took, and what do they do to people?** After this notebook
# you can
#
# - **choose** the likelihood of a VAE on colour images, and **say** what it does to its samples,
# - **steer** what is generated: by attribute vectors, by interpolation, by temperature, by class,
# - **measure** generated images with a floor, a ceiling and equal numbers of images,
# - **compare** a VAE with a diffusion model by quality per second,
# - **test** a model for copies of its training images and for errors that fall on one group.
#
# | takes | difficulty | you need |
# |---|---|---|
# | 220 minutes in three sittings, 8 exercises | ●●○ to ●●● | notebooks [02](02_convolutional_autoencoder.ipynb) and [03](03_variational_autoencoder.ipynb); from 04: rate, distortion, active units |
#
# **Three sittings.** Sections 5.1 to 5.3 (faces, 90 minutes), 5.4 and 5.5 (classes and numbers,
# 70 minutes), 5.6 to 5.8 (diffusion and people, 60 minutes). To begin the second or third, click on its
# heading and choose *Run All Above Selected Cell* in the menu *Run*.
#
# Some models here took longer to train than a notebook may last. They come with the course, each
# with a card that says how it was made, and you train a small one of each kind yourself. Unsolved
# exercises do not stop the notebook.

# %% setup=true

# %% tags=["parameters"]
seed = 0
n_eval = 1_000
n_diffusion = 100
face_steps = 130
fallback_steps = 120
class_steps = 170
diffusion_steps = 40
group_steps = 300

# %%
import io
import math
import time
from collections.abc import Callable, Iterable

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn
from torch.distributions import kl_divergence

# %%
from course_lib import (checkpoints, datasets, diagrams, diffusion, losses, metrics, models, plots,
                        settings, widgets)
from course_lib.codes import code_of, drawn_codes, gaussian_codes, image_of
from course_lib.exercises import check
from course_lib.figures import generation as figures
from course_lib.metrics import (aggregate_posterior_terms, feature_statistics, features_of, gaussian_mismatch,
                                kernel_distance, mean_and_range, precision_recall, psnr, ranking, ssim)
from course_lib.pretrained import as_trained, load_or_train, metrics_of
from course_lib.pretrained import find as fitting
from course_lib.recipes import likelihoods as likelihood_recipe
from course_lib.settings import shortened
from course_lib.training import steps_of, to_float

# %%
plots.use_course_style()
torch.manual_seed(seed)
rng = torch.Generator().manual_seed(seed)
full = (n_eval, n_diffusion, face_steps, fallback_steps, class_steps, diffusion_steps, group_steps)
n_eval, n_diffusion, face_steps, fallback_steps, class_steps, diffusion_steps, group_steps = shortened(
    full, (200, 20, 12, 8, 15, 10, 20))

# %% [markdown]
# ## 5.1 · Faces, 64 × 64
#
# CelebA has 202,599 photographs of 10,177 celebrities with 40 attributes each. It is 1.4 GB large and
# may not be passed on, so nothing here downloads it for you: `python -m course_lib data get celeba`
# asks for it, and where the server's daily quota is used up, [data/README](../data/README.md) says how
# to place the files by hand. Without them we take cartoon faces that the course draws itself, with
# attributes of the same names. The cells below are the same for both; where the text quotes what we
# saw, it says on which.

# %%
faces = datasets.load("celeba", size=64)
x_test = to_float(faces.test.images[:n_eval])  # (N, 3, 64, 64) in [0, 1]
print(f"{faces.source}: {len(faces.train):,} training, {len(faces.valid):,} validation, "
      f"{len(faces.test):,} test images; {len(x_test):,} of these are used")

# %%
plots.image_grid(faces.train.images[:20], plots.page(height=plots.LOW)[1], columns=10)
plt.show()

# %% [markdown]
# **Figure 1.** Training images, 12,288 numbers each. Note what varies: colours of large areas, the
# turn of the head, and small things such as glasses. Squared error sees them in this order.
#
# Autoencoder and VAE share their layers. Four convolutions lead to a grid of 8 × 8 places, a linear
# layer to the code of n numbers; a linear layer and four convolutions lead back, with pixel shuffle
# ([notebook 02](02_convolutional_autoencoder.ipynb)) where the image grows. Between the models n differs,
# 20, 128 or 1024, and one learning rate: the widest autoencoder does not bear that of the others. The VAE
# has a second, smaller layer for log σ²: it sees averages of the grid over four quarters, enough to say how
# sure a code is.
#
# Each of the six was trained beforehand, on the data and for the seconds that its card names. Where
# other faces are at hand, such a model would be a stranger to them. Then `load_or_train` makes one of
# the same kind here, in `fallback_steps` steps: rougher, but on the right images. It also returns which
# training images the model has seen.

# %%
sizes = [20, 128, 1024]
aes, vaes, cards = {}, {}, {}
for n in sizes:
    aes[n], cards["AE", n], _ = load_or_train(f"-ae-{n}", faces, steps=fallback_steps, seed=seed)
    vaes[n], cards["VAE", n], trained_on = load_or_train(f"-vae-{n}", faces, steps=fallback_steps, seed=seed)
print("trained on:", ", ".join({card["source"] for card in cards.values()}))
plots.table({f"{kind}, n = {n}": {"parameters": card["parameters"], "s of training": card["seconds"]}
             for (kind, n), card in cards.items()}, forms={"s of training": ".0f"})

# %% [markdown]
# `code_of(model, x)` and `image_of(model, z)` hide the difference between a code and a distribution
# over codes: of a VAE they take the means. (In the comments d stands for n, the number of latents.)
# A latent counts as active where its posterior mean varies, as in [notebook 04](04_beta_vae.ipynb).

# %% [markdown]
# **Prediction.** Which of the six has the smallest error, and does the VAE with 1024 latents hold eight
# times as many nats as that with 128?
#
# ✎ *Double-click here and write your answer:*

# %%
rebuilt, error = {}, {}
for kind, group in {"AE": aes, "VAE": vaes}.items():
    for n, model in group.items():
        x_hat = image_of(model, code_of(model, x_test))
        rebuilt[kind, n] = x_hat[:10]
        error[kind, n] = losses.squared_error(x_test, x_hat).mean().item()

# %%
rates, by_size = {}, {}
for n in sizes:
    q_z = vaes[n].encode(x_test[:250])
    rates[n] = kl_divergence(q_z, losses.standard_normal(q_z.mean)).sum(1).mean().item()
    active = (q_z.mean.var(0) > 0.01).sum()
    by_size[f"n = {n}"] = {"squared error, AE": error["AE", n], "VAE": error["VAE", n],
                           "KL of the VAE, nats": rates[n], "active latents": int(active)}
best = min(error, key=error.get)
print(f"Smallest error: {best[0]} with n = {best[1]}. With 8 times the latents of 128, "
      f"1024 hold {rates[1024] / rates[128]:.1f} times the nats.")
plots.table(by_size, best={"squared error, AE": "min", "VAE": "min"})

# %%
worst = max(error, key=error.get)
shown = {"test face": x_test[:4]} | {f"{kind}, n = {n}": rebuilt[kind, n][:4] for kind, n in (best, worst)}
off = ((x_test[:10] - rebuilt[best]) ** 2).sum((0, 1))  # (64, 64)
eyes = figures.zoomed(off[None, None])
said = (f"{best[0]}, n = {best[1]}: the middle, {eyes.size / off.numel():.0%} of the pixels, "
        f"has {eyes.sum() / off.sum().item():.0%} of the error")
figures.faces_in_detail(shown, errors={f"{kind}, n = {n}": error[kind, n] for kind, n in (best, worst)}, title=said)
plt.show()

# %% [markdown]
# **Figure 2.** Test images and what two of the six models make of them, the one of the smallest and the one of
# the largest error; at the right the middle of each face. Note what is there, colours, hair, shoulders, and look for what is not:
# things of few pixels, such as the eyes behind glasses, are few of the 12,288 numbers.
#
# Where the table's error
# hardly falls from one n to the next, the code is not what is missing: it is the decoder, or the training.
# And "active" says little: a latent counts as soon as it varies. The KL says how much a code
# holds at most, in nats, whatever n is.
#
# A KL is two things ([notebook 03](03_variational_autoencoder.ipynb)): the **information** that codes
# hold about images, and the **mismatch** KL(q(z) ‖ p) of all codes together with the prior. Neither is known
# for a code of hundreds of nats: N images can show information up to log N. But no density with the mean
# and covariance of the codes is nearer to the prior than a Gaussian, whose KL is a formula.

# %%
x_fit = to_float(faces.train.images[: 4 * n_eval])
code_sets, information = {("AE", n): code_of(aes[n], x_fit) for n in sizes}, {}  # (N, n) each
for n in sizes:
    q_z = vaes[n].encode(x_test[:1_000])
    terms = aggregate_posterior_terms(q_z.mean, 2 * q_z.stddev.log(), rng)
    code_sets["VAE", n] = drawn_codes(vaes[n], x_fit, generator=rng)
    least = gaussian_mismatch(code_sets["VAE", n]) if len(x_fit) > n else 0.0  # a covariance needs more codes
    information[f"n = {n}"] = {"rate": terms.rate, "information at least": terms.information,
                               "at most": terms.rate - least, "mismatch at least": least}
print(f"Rate = information + mismatch, nats per image. Of {len(q_z.mean):,} images no more information "
      f"than log N = {math.log(len(q_z.mean)):.1f} can be seen:")
plots.table(information)

# %% [markdown]
# The mismatch is what samples from the prior suffer from, and it is not in the error of any reconstruction.
# How do codes look? One report shows the histogram of the first latent, and a map of all codes.

# %%
brightness = x_fit.mean((1, 2, 3))
maps, report = {}, {}
for (kind, n), z in code_sets.items():
    first = (z[:, 0] - z[:, 0].mean()) / z[:, 0].std()
    pca = PCA(2, random_state=seed).fit(z)
    maps[kind, n] = pca.transform(z)
    report[f"{kind}, n = {n}"] = {
        "mean of z₁": z[:, 0].mean().item(), "standard deviation": z[:, 0].std().item(),
        "excess kurtosis": (first**4).mean().item() - 3,  # 0 for a Gaussian
        "variance on the map": pca.explained_variance_ratio_.sum()}
plots.table(report, forms={"variance on the map": ".0%"} | dict.fromkeys(list(report["AE, n = 20"])[:3], ".2f"))

# %%
figures.codes_and_maps(code_sets, maps, brightness)
plt.show()

# %% [markdown]
# **Figure 3.** Above: the first latent of 4,000 faces, and the density of N(0, 1) as a line. Below: the codes
# on the two axes along which they vary most, coloured by the brightness of the image: a cloud that is no ellipse
# is no Gaussian, whatever its mean and variance are. Note the width of the
# autoencoder's latents: nothing tells it which to use. The VAE's first latent has the place and the width of
# the line, as its recipe gives each latent mean 0 and variance 1.
#
# One latent on the line is not the prior matched: the kurtosis says how far its shape is from a Gaussian's, and
# the mismatch above also counts how latents depend on each other. In the maps note where brightness changes
# smoothly: there these two axes hold light and colour.
#
# Now codes that belong to no image. An autoencoder was never asked to make its codes look like
# N(0, I), so feeding it such noise is a strawman. The fair opponent fits a density to the codes
# first ([Ghosh et al., 2020](https://arxiv.org/abs/1903.12436)): one Gaussian, or a mixture of ten.
#
# `gaussian_codes(Z, count)` draws from that Gaussian without taking a covariance apart. With ε of N
# independent N(0, 1) numbers, z = z̄ + ε (Z − z̄)/√(N−1) is a sum of the centred codes, the rows of
# Z − z̄. It is Gaussian, and as E[εᵀε] = I its covariance is (Z − z̄)ᵀ(Z − z̄)/(N−1): that of the rows of Z.

# %%
mixture = GaussianMixture(min(10, len(x_fit) // 20), tol=0.01, reg_covar=1e-3, random_state=seed)
mixture.fit(code_sets["AE", 128].double())
drawn = torch.from_numpy(mixture.sample(len(x_test))[0]).float()
drawn = drawn[torch.randperm(len(drawn), generator=rng)]
prior = {n: torch.randn(len(x_test), n, generator=rng) for n in sizes}

# %%
N = len(x_test)
dreams = {f"AE {n}, N(0, I)": (aes[n], prior[n]) for n in sizes}  # a model and codes for it
for n in sizes:
    dreams[f"AE {n}, Gaussian"] = (aes[n], gaussian_codes(code_sets["AE", n], N, generator=rng))
dreams["AE 128, mixture"] = (aes[128], drawn)
if before := as_trained(vaes[128], cards["VAE", 128]):
    dreams["VAE 128, as trained"] = (before, prior[128])
for n in sizes:
    dreams[f"VAE {n}, N(0, I)"] = (vaes[n], prior[n])
    dreams[f"VAE {n}, Gaussian"] = (vaes[n], gaussian_codes(code_sets["VAE", n], N, generator=rng))

# %%
judge, ruler_card = checkpoints.load("faces32-classifier" if faces.stand_in else "cifar10-classifier")
phi_real = features_of(judge, x_test)  # (N, 64)
to_test = feature_statistics(phi_real)
dreamt = {name: image_of(model, z) for name, (model, z) in dreams.items()}
phi_dreamt = {name: features_of(judge, x) for name, x in dreamt.items()}
far = {name: metrics.frechet_distance(*feature_statistics(phi), *to_test) for name, phi in phi_dreamt.items()}

# %%
groups = {
    "Autoencoders, codes from N(0, I)": ["AE 128, N(0, I)", "AE 1024, N(0, I)"],
    "Autoencoders, codes from a density fitted to theirs": [
        "AE 128, Gaussian", "AE 128, mixture", "AE 1024, Gaussian"],
    "VAEs": [name for name in dreams if name.startswith("VAE") and not name.startswith("VAE 20")]}
figures.groups_of_rows({title: {name: dreamt[name][:8] for name in members} for title, members in groups.items()},
                       values=far, value_label="Fréchet distance")
plt.show()

# %% [markdown]
# **Figure 4.** Decoded random codes, and how far such images are from test faces, by the distance that
# section 5.2 builds. Note the first group, the strawman, and the second: with a density fitted to its codes
# the same decoder draws faces.
#
# Training
# leaves each latent's mean and variance a little off 0 and 1 (a row "as trained" shows it, where the card keeps
# them); the recipe then renames the codes, z' = (z − m)/s in encoder and decoder, which changes no
# reconstruction and makes the KL smaller.
#
# What is left for a Gaussian to learn is how latents depend on each other: the larger the mismatch in the
# table above, the more the row of N(0, I) has to lose.
#
# How did training go? The cards keep the curves.

# %%
figures.curves_of_cards(cards)
plt.show()

# %% [markdown]
# **Figure 5.** Training curves from the cards: solid with markers on validation images, dotted on training
# images (their mean over an epoch, so they lag behind; the first two are cut off). Note the units: an
# autoencoder's squared error and a VAE's nats cannot share an axis. A validation curve that turned
# upwards for good while the dotted one falls would say that a model learns its training images by heart.

# %% [markdown]
# ## 5.2 · The likelihood is a modelling choice
#
# [Notebook 03](03_variational_autoencoder.ipynb) trained with cross-entropy, which takes a grey
# value for the chance that a pixel is white.
# For colour images a Gaussian is the usual choice, p(x|z) = N(x; x̂, σ²), one σ for all
# pixels and channels. Its negative logarithm for an image of D numbers is
#
# $$-\log p(x\mid z) = \frac{\lVert x-\hat x\rVert^2}{2\sigma^2} + D\log\sigma + \tfrac{D}{2}\log 2\pi .$$
#
# ### Exercise 1 · `gaussian_nll`
#
# *Difficulty ●○○ · importance ●●● · 8 minutes.* Write it with log σ, so that σ is positive whatever
# an optimizer does, and keep the constants: without them, nats mean nothing.
#
# <details><summary>Hint 1</summary>
#
# 1/σ² is `torch.exp(-2 * log_sigma)`. Every one of the D numbers pays log σ and ½ log 2π.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Form one value per pixel first. Then `.flatten(1)` keeps the batch, and `.sum(1)` adds up the rest.
#
# </details>

# %% exercise="gaussian_nll"
def gaussian_nll(x: Tensor, mean: Tensor, log_sigma: Tensor) -> Tensor:
    """−log N(x; mean, σ²) per image, summed over pixels, constants included, nats.

    x, mean: (B, C, H, W); log_sigma: log σ, one number for all pixels, shape (). Returns (B,).
    """
    ### BEGIN SOLUTION
    squares = (x.to(log_sigma) - mean) ** 2 * torch.exp(-2 * log_sigma)  # uint8 − uint8 wraps
    return (0.5 * squares + log_sigma + 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)
    ### END SOLUTION


# %% check="gaussian_nll"
gaussian_nll = check("gaussian_nll", gaussian_nll)

# %% [markdown]
# Which σ? Dropping the constants and setting σ = 1 gives "squared error plus KL", which stands in many
# tutorials. But σ is a parameter of the model as any other, and the best one has a closed form.
# Set the derivative of the formula above with respect to log σ to zero, for a whole batch:
#
# $$\sigma^{2\,*} = \frac{1}{BD}\sum_{b}\lVert x_b-\hat x_b\rVert^2 = \mathrm{MSE}.$$
#
# ### Exercise 2 · `optimal_log_sigma`
#
# *Difficulty ●●○ · importance ●●● · 8 minutes.* One number for the batch, computed afresh in each
# step ([Rybkin et al., 2021](https://arxiv.org/abs/2006.13202)). It is clamped at −6: a perfect
# reconstruction would drive it to −∞.
#
# <details><summary>Hint 1</summary>
#
# Differentiate: −‖x − x̂‖²/σ² + D = 0 for one image. So σ² is a mean square, and log σ half its log.
#
# </details>
# <details><summary>Hint 2</summary>
#
# log σ ≥ −6 says MSE ≥ e⁻¹². Clamping the MSE before the logarithm keeps gradients finite at 0.
#
# </details>

# %% exercise="optimal_log_sigma"
def optimal_log_sigma(x: Tensor, mean: Tensor) -> Tensor:
    """The log σ that minimises the mean `gaussian_nll` of the batch, clamped at −6, shape ().

    x, mean: (B, C, H, W). One value for all pixels of all images; gradients pass through it, finite
    ones where x = mean as well.
    """
    ### BEGIN SOLUTION
    mse = ((x - mean) ** 2).mean()
    return 0.5 * torch.log(mse.clamp(min=math.exp(-12)))
    ### END SOLUTION


# %% check="optimal_log_sigma"
optimal_log_sigma = check("optimal_log_sigma", optimal_log_sigma)

# %% [markdown]
# With both we write the objective. In training σ is the best one of the batch, in evaluation the
# model's. The objective returns it beside the two terms and changes nothing. z comes from `rsample`, through
# which gradients reach the encoder; after `sample` only the KL would teach it, as section 3.4 of
# [notebook 03](03_variational_autoencoder.ipynb) measures.
# `losses.optimal_sigma_objective` is the library's own; with the same noise the two must agree.

# %%
def objective(vae: nn.Module, x: Tensor) -> tuple[Tensor, losses.GaussianElboTerms]:
    """−ELBO under N(x; x̂, σ²) with the best σ for this batch, its two terms, log σ. Nats per image."""
    q_z = vae.encode(x)
    z = q_z.rsample()  # (B, d)
    x_hat = vae.decode(z).mean  # (B, 3, H, W)
    log_sigma = optimal_log_sigma(x, x_hat) if vae.training else vae.log_sigma
    nll = gaussian_nll(x, x_hat, log_sigma)  # (B,)
    kl = kl_divergence(q_z, losses.standard_normal(z)).sum(1)  # (B,)
    return (nll + kl).mean(), losses.GaussianElboTerms(-nll, kl, log_sigma)

# %%
torch.manual_seed(seed)
own = models.ConvVAE(128, width=16, log_sigma=0.0)
batch = x_test[:32]
values = []
for either in (objective, losses.optimal_sigma_objective):
    torch.manual_seed(1)
    values.append(either(own, batch)[0].item())
print(f"yours {values[0]:.1f}, course_lib's {values[1]:.1f} nats per image (untrained)")

# %% [markdown]
# We train this VAE now, for `face_steps` steps. The loop below writes each step's σ into the model, so that
# it keeps the last one.

# %% [markdown]
# **Prediction.** At σ = 1 the Gaussian of a pixel is wider than the whole range of grey values. Where
# will σ be at the end: near 0.5, 0.1 or 0.01?
#
# ✎ *Double-click here and write your answer:*

# %%
history = []
for record in steps_of(own, objective, faces.train, steps=face_steps, seed=seed):
    own.log_sigma.fill_(record.terms["log_sigma"])
    history.append((record.step, record.loss, own.log_sigma.exp().item(), record.terms["kl"]))
own = own.cpu().eval().requires_grad_(False)
step, loss, sigmas, kls = zip(*history)
print(f"after {step[-1]} steps, {record.seconds:.0f} s: σ = {sigmas[-1]:.3f}, KL = {kls[-1]:.1f} nats")
for name, model in {"yours": own, "that of section 5.1": vaes[128]}.items():
    decibels = psnr(x_test, image_of(model, code_of(model, x_test))).mean()
    print(f"PSNR of reconstructions, {name}: {decibels:.1f} dB")

# %%
settings.short_run_note("the curves below")
figures.own_training(step, loss=loss, sigma=sigmas, kl=kls)
plt.show()

# %% [markdown]
# **Figure 6.** Your own training, thin, and its mean over ten steps. Note σ: already at the first step it is
# far below 1, and it falls as reconstructions get better. Each fall makes errors dearer against the KL, so
# the KL, at first near 0, ends high, though not step by step: the model tunes its own β. A density above 1 has a positive logarithm, so
# −ELBO may pass below zero, the dashed line. Single steps scatter: read the mean.

# %% [markdown]
# To compare samples we need a ruler for **sets** of images: no sample has a partner to be compared
# with. Take a classifier's features φ of all images, 64 numbers each, describe both sets by
# mean and covariance, and measure how far the two Gaussians are from each other.
#
# ### Exercise 3 · `frechet_distance`
#
# *Difficulty ●●● · importance ●●● · 15 minutes.* The squared Fréchet distance of two Gaussians. The
# root is that of a matrix, and covariances of few images do not have full rank.
#
# <details><summary>Hint 1</summary>
#
# The trace of a matrix root is the sum of the roots of the eigenvalues. Those of Σ₁Σ₂ are real and
# not negative, though Σ₁Σ₂ is not symmetric.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.linalg.eigvals` gives complex numbers. Take `.real`, and clamp what rounding pushed below 0.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Try it at μ = 0 with Σ₁ = I and Σ₂ = 4 I in d dimensions: the result is d.
#
# </details>

# %% exercise="frechet_distance"
def frechet_distance(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½): squared distance between two Gaussians.

    mu: (d,), cov: (d, d), possibly of less than full rank. Source: Dowson & Landau (1982).
    """
    ### BEGIN SOLUTION
    # tr (Σ₁Σ₂)^½ is the sum of the roots of the eigenvalues of Σ₁Σ₂, which are real and ≥ 0.
    roots = torch.linalg.eigvals(cov1 @ cov2).real.clamp(min=0).sqrt()
    traces = torch.trace(cov1) + torch.trace(cov2) - 2 * roots.sum()
    return float(((mu1 - mu2) ** 2).sum() + traces)
    ### END SOLUTION


# %% check="frechet_distance"
frechet_distance = check("frechet_distance", frechet_distance)

# %% [markdown]
# The features come from the course's own classifiers of 32 × 32 images, so we say **Fréchet distance on
# course features** and never FID: that name belongs to one network, one size and one number of images, and
# values from different networks cannot be compared. One classifier has seen photographs of ten classes, the
# other cartoon faces; our faces are judged by the one of their kind, at 32 × 32.

# %%
print(f"{ruler_card['name']}, trained on: {ruler_card['source']}; it finds the class of "
      f"{ruler_card['test']['accuracy']:.1%} of test images")
told_apart = ruler_card["test"].get("factors", {})  # of cartoons: what else its features must tell
print(", ".join(f"{name} {share:.0%}" for name, share in told_apart.items()))

# %% [markdown]
# **What does the ruler see?** Features tell what their classifier had to tell, and may drop all else. So
# before we measure with them, we measure *them*: how far apart are two sets of real faces that differ in one
# attribute, and how far are two random halves of the same faces?

# %% [markdown]
# **Prediction.** To which attributes will the ruler be nearly blind?
#
# ✎ *Double-click here and write your answer:*

# %%
def gap(a: Tensor, b: Tensor) -> float:
    """Fréchet distance between two sets of features, (N, 64) and (M, 64)."""
    return frechet_distance(*feature_statistics(a), *feature_statistics(b))


phi_fit, flags = features_of(judge, x_fit), faces.train.factors[: len(x_fit)]  # (N, 64), (N, A)
sight = {}
for i, name in enumerate(faces.factor_names):
    with_it, without = ((flags[:, i] == value).nonzero()[:400, 0] for value in (1, 0))
    size = min(len(with_it), len(without))
    if size >= 100:
        pair = torch.cat([with_it[:size], without[:size]])
        mixed = pair[torch.randperm(len(pair), generator=rng)]
        sight[name] = tuple(gap(phi_fit[p[:size]], phi_fit[p[size:]]) for p in (mixed, pair))
blind = [name for name, (split, differ) in sight.items() if differ < 2 * split]
print(f"Less than twice as far as random halves: {', '.join(map(figures.words, blind)) or 'none'}")

# %%
figures.sight(sight, blind=blind)
plt.show()

# %% [markdown]
# **Figure 7.** What the ruler sees: each bar leads from the distance of two random halves to that of faces
# without and with one attribute. Note the scale, which is logarithmic, and the bars that are short: on these
# a generator can fail unpunished. A ruler trained on hair and glasses alone, as this course once had, sees
# hair and glasses alone: faces in shirts of different colours were no farther apart than random halves.
# On cartoon faces raised brows are such a case: at 32 × 32 even the classifier hardly finds them.
#
# A number alone means nothing. The **floor** is what real images get against other real images of the
# same number; **ceilings** are what spoiled images get.

# %%
def distance(x: Tensor, reference: tuple[Tensor, Tensor]) -> float:
    """Fréchet distance on course features from images x to the (mean, covariance) of others."""
    return frechet_distance(*feature_statistics(features_of(judge, x)), *reference)


some = torch.randperm(len(faces.train), generator=rng)[:N]
x_train = to_float(faces.train.images[some])
ruler = {
    "training images": x_train,
    "8 × 8 means": F.interpolate(F.avg_pool2d(x_test, 8), scale_factor=8.0),
    "one mean image": x_train.mean(0).expand_as(x_test) + 0.01 * torch.randn(x_test.shape, generator=rng),
    "noise": torch.rand(x_test.shape, generator=rng),
}
ruler = {name: distance(x, to_test) for name, x in ruler.items()}

# %%
ruler |= {name: frechet_distance(*feature_statistics(phi), *to_test) for name, phi in phi_dreamt.items()}
worse = [name for name in dreams if ruler[name] > ruler["8 × 8 means"]]
print(f"Farther from test faces than their own 8 × 8 means: {', '.join(worse) or 'none'}")
figures.kept_promises(ruler, [f"{kind} {n}" for kind in ("AE", "VAE") for n in sizes])
plt.show()

# %% [markdown]
# **Figure 8.** Fréchet distance from test faces, for each decoder: where codes come from N(0, I), and where
# they come from a Gaussian fitted to its codes. The lines mark the floor, which no generator can be expected
# to pass, and two ceilings. The 8 × 8 means show how to read a ceiling: they are real faces seen through
# frosted glass, every one a different person, and the ruler gives them credit for layout and colours. A
# sample that is sharp and wrong can be farther away.
#
# Find the strawman of Figure 4, and what a density fitted to the same codes does, for a decoder that nobody
# changed. Then compare each VAE with itself: the prior is what it promises to match, and a Gaussian with the
# covariance of its codes tells how far it has kept the promise.

# %%
source = min(dreams, key=ruler.get)  # the model and the codes with the smallest distance
painter, drawn_for = dreams[source]
sampled = image_of(painter, drawn_for[:12])
gallery = {"test faces": x_test[:6], "rebuilt": image_of(painter, code_of(painter, x_test[:6])),
           "samples 1–6": sampled[:6], "samples 7–12": sampled[6:]}
plots.image_rows(gallery, title=f"Samples: {source}, Fréchet distance {ruler[source]:.1f}; "
                                f"training images {ruler['training images']:.1f}")
plt.show()

# %% [markdown]
# **Figure 9.** For a slide: six test faces, the same faces after the bottleneck of the model whose samples
# come nearest to faces, and twelve of these samples. Note what a reader of your slide should be told: how
# codes were drawn, the distance beside its floor, and that the samples are the first twelve, not the best.
#
# Now three VAEs with n = 128, the same layers and the same training, which differ in nothing but the
# likelihood: cross-entropy, Gaussian with σ = 1, Gaussian with the optimal σ. One training of each would not
# tell a difference between likelihoods from one between seeds. So each is trained three times, for no more
# epochs than the model of section 5.1, by `python -m course_lib train likelihoods`. Where the course keeps
# the figures of these nine for the faces at hand, the table shows them, else those of one training each.

# %% [markdown]
# **Prediction.** Which of the three has the largest KL, which the best reconstructions, and which the best
# samples?
#
# ✎ *Double-click here and write your answer:*

# %%
likelihoods = {"optimal σ": vaes[128]}
for name, ending in {"cross-entropy": "-ce", "σ = 1": "-fixed"}.items():
    likelihoods[name] = load_or_train(f"-vae-128{ending}", faces, steps=fallback_steps, seed=seed).model
kept = metrics_of("likelihoods", faces)
trainings = kept["rows"] if kept else [
    {"likelihood": name} | likelihood_recipe.measured(vae, faces, judge, to_test, seed=seed)
    for name, vae in likelihoods.items()]


def values_of(column: str) -> dict[str, list[float]]:
    """One figure of all trainings under each likelihood."""
    return {name: [row[column] for row in trainings if row["likelihood"] == name] for name in likelihoods}

# %%
heads = {"kl": "KL", "rmse": "root of MSE", "frechet_x_hat": "distance, x̂", "frechet_prior": "z ~ N(0, I)",
         "frechet_fitted": "z ~ fitted"}
for key, head in heads.items():
    print(f"{head:12s} {ranking(values_of(key))}")
told_by = "three trainings" if kept else "one training each, no ranking"
plots.table({name: {head: mean_and_range(values_of(key)[name], digits=4 if key == "rmse" else 1)
                    for key, head in heads.items()} for name in likelihoods},
            title=f"Mean and half the range, {told_by}")

# %% [markdown]
# The last three columns are Fréchet distances. In the ranking "<" says that every training of one lies below
# every training of the other, "≈" that they overlap, and that nothing should be built on their order.
# The optimal σ needs nothing to be tuned. Where it has the largest KL and the best reconstructions, do its
# *samples* win as well? A code that holds many nats is harder to match by N(0, I): its latents depend on each
# other, and independent draws miss the combinations that occur. The last column tests this explanation, with
# a Gaussian fitted to the codes, dependences included.

# %%
under_prior, under_fit = values_of("frechet_prior"), values_of("frechet_fitted")
for name in likelihoods:
    steps_down = [after - first for first, after in zip(under_prior[name], under_fit[name])]
    says = "worse in all" if min(steps_down) > 0 else "better in all" if max(steps_down) < 0 else "better and worse"
    print(f"{name:14s} fitted instead of N(0, I): {min(steps_down):+.1f} to {max(steps_down):+.1f}, {says}")

# %% [markdown]
# Where the fit brings much, what was missing is a density, not a decoder. Where it brings little, mean and
# covariance of the codes were not what was missing. It can even harm: a Gaussian has the right mean and
# covariance and nothing else, and where codes are not Gaussian, a VAE may be nearer to N(0, I) in ways that
# matter to its decoder.

# %%
rebuilt_by, drawn_from = {"test face": x_test[:3]}, {"test face": x_test[3:6]}
for name, vae in likelihoods.items():
    rebuilt_by[name] = image_of(vae, code_of(vae, x_test[:3]))
    drawn_from[name] = image_of(vae, prior[128][:3])
root_mse, prior_gap = ({name: torch.tensor(values_of(key)[name]).mean().item() for name in likelihoods}
                       for key in ("rmse", "frechet_prior"))

# %%
figures.likelihoods(rebuilt_by, drawn_from, errors=root_mse, distances=prior_gap)
plt.show()

# %% [markdown]
# **Figure 10.** Reconstructions, and samples from the same codes z ~ N(0, I), under three likelihoods; the
# numbers are means over all trainings of the table. Note the eyes in the row σ = 1, the planned failure.
#
# With σ = 1 an error of 0.1 in every pixel costs ½ · 12,288 · 0.01 = 61 nats, at σ = 0.05 it costs 400 times
# as much. So with σ = 1 a nat of code must buy a lot of error, small things are not worth their price, and the
# KL stays low. It is a β-VAE with β = 1/σ*², though nobody wrote a β. Its samples need not suffer: with few nats
# in its codes the prior has little to miss. All samples are means x̂; noise of width σ would have to be added to
# them to sample p(x).
#
# [Rybkin et al. (2021)](https://arxiv.org/abs/2006.13202) report 186.5 for σ = 1 and 60.3 for the
# optimal σ on CelebA, by another distance (FID) and with another network. A choice of likelihood is judged
# on the data at hand, and one that wins at x̂ need not win at samples.

# %% [markdown]
# ## 5.3 · Directions in the code
#
# If faces with and without glasses lie in different parts of the code, the way from the one to the
# other is a vector, and adding it to the code of a face should put glasses on.
#
# ### Exercise 4 · `attribute_vector`
#
# *Difficulty ●○○ · importance ●●○ · 6 minutes.* From the mean code of the faces without to that of
# the faces with, of length 1.
#
# <details><summary>Hint 1</summary>
#
# `z[y == 1]` are the codes of the faces that have the attribute, (n, d). Average over the faces.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `.norm()` is the length of a vector. Check the sign: adding the result must go *towards* y = 1.
#
# </details>

# %% exercise="attribute_vector"
def attribute_vector(z: Tensor, y: Tensor) -> Tensor:
    """The direction of an attribute: unit vector from the mean code without it to that with it.

    z: (N, d) codes; y: (N,) 0 or 1, both of which occur. Returns (d,).
    """
    ### BEGIN SOLUTION
    direction = z[y == 1].mean(0) - z[y == 0].mean(0)
    return direction / direction.norm()
    ### END SOLUTION


# %% check="attribute_vector"
attribute_vector = check("attribute_vector", attribute_vector)

# %%
z_train = code_of(vaes[128], x_fit)  # (N, d)
wanted = ["Blond_Hair", "Pale_Skin", "Bald", "Eyeglasses", "Black_Hair", "Mustache"]
flags_test = faces.test.factors[: len(x_test)]
counts = zip(flags.sum(0), (1 - flags).sum(0), flags_test.sum(0), (1 - flags_test).sum(0))
both = [name for name, known in zip(faces.factor_names, counts) if min(known) > 1]
chosen = [name for name in wanted if name in both] or both[:6]
column = {name: faces.factor_names.index(name) for name in chosen}
vectors, units, strengths = {}, {}, {}
for name, i in column.items():
    vectors[name] = attribute_vector(z_train, flags[:, i])
    with_it, without = (z_train[flags[:, i] == value] @ vectors[name] for value in (1, 0))
    units[name] = (with_it.mean() - without.mean()).item()
    strengths[figures.words(name)] = {"have it": flags[:, i].float().mean().item(),
                                      "unit of strength": units[name]}
plots.table(strengths, forms={"have it": ".1%", "unit of strength": ".2f"})

# %% [markdown]
# A strength of 1 moves a face by the whole distance between the two means. We add twice that.

# %% [markdown]
# **Prediction.** Look at the reconstructions in Figure 10 again. Which of these attributes can an arrow
# add, and which can it not? On photographs attributes go together: what would the arrow of a moustache
# do to a face of CelebA, besides the moustache?
#
# ✎ *Double-click here and write your answer:*

# %%
z_test = code_of(vaes[128], x_test)
bare = {name: (flags_test[:, i] == 0).nonzero()[:200, 0] for name, i in column.items()}
plain = {name: image_of(vaes[128], z_test[bare[name]]) for name in chosen}
edited = {}
for name in chosen:
    edited[name] = image_of(vaes[128], z_test[bare[name]] + 2 * units[name] * vectors[name])
count = min(3, *(len(bare[name]) for name in chosen[:4]))

# %%
figures.edits(*({name: x[name][:count] for name in chosen[:4]} for x in (plain, edited)))
plt.show()

# %% [markdown]
# **Figure 11.** Faces without an attribute, as the VAE rebuilds them, the same with twice the unit of
# its vector added, and the change on grey, with its mean size in percent of the range. Note what else
# changes, and what hardly changes for the eye: an arrow can add no more of an attribute than reconstructions
# show of it.
#
# The eye is kind to such pictures. We ask probes: for each attribute a **logistic regression**, which turns a
# weighted sum of features into a probability, on small copies of the images. It is fitted on training
# images. How much more likely does it find each attribute, the named one and the others, after an edit?

# %%
lens = PCA(min(200, len(x_fit) // 2), whiten=True, random_state=seed)
lens.fit(F.avg_pool2d(x_fit, 4).flatten(1))


def seen_by_probes(x: Tensor) -> Tensor:
    """Principal components of images at 16 × 16 pixels: (N, 3, 64, 64) to (N, 200)."""
    return torch.from_numpy(lens.transform(F.avg_pool2d(x, 4).flatten(1)))


# %%
probes, phi_fit, phi_test, right = {}, seen_by_probes(x_fit), seen_by_probes(x_test), {}
for name, i in column.items():
    probes[name] = LogisticRegression(C=0.1, max_iter=300).fit(phi_fit, flags[:, i])
    often = max(flags_test[:, i].float().mean(), 1 - flags_test[:, i].float().mean())
    right[figures.words(name)] = {"probe": probes[name].score(phi_test, flags_test[:, i]),
                                  "always the more frequent answer": often.item()}
plots.table(right, title="right on test images", forms=dict.fromkeys(right[figures.words(name)], ".1%"))

# %%
effect = torch.zeros(len(chosen), len(chosen))  # row: added, column: found
for i, added in enumerate(chosen):
    before, after = seen_by_probes(plain[added]), seen_by_probes(edited[added])
    for j, found in enumerate(chosen):
        gain = probes[found].predict_proba(after) - probes[found].predict_proba(before)
        effect[i, j] = gain[:, 1].mean()

# %%
figures.side_effects(effect, chosen, strength=2)
plt.show()

# %% [markdown]
# **Figure 12.** What each edit (row) does to each probe (column). A perfect set of directions would colour
# the diagonal alone; the frame marks what moves most beside it. Ask whether that is a fault. Hair has one
# colour: who gets blond hair loses black hair, and the other way round. Glasses and beards go with any hair
# and any skin. Where they move with it, a mean over faces has picked up whatever goes together with the
# attribute, in the data or in a code that was never asked to keep attributes apart. A weak probe hides
# effects; how good it is stands above.
#
# So photographs answer the last question above: the arrow of a moustache also points towards men.
#
# Move several attributes of one face yourself.

# %%
walk = widgets.attributes(x_test[:8], lambda x: code_of(vaes[128], x), lambda z: image_of(vaes[128], z),
                          {figures.words(name): v for name, v in vectors.items()},
                          units={figures.words(name): u for name, u in units.items()},
                          start={figures.words(chosen[0]): 2}, seed=seed)
walk

# %% [markdown]
# **Figure 13.** A test face, its reconstruction, and the face with your attributes, in units of the
# distance between the means; it starts with 2 of the first attribute. Note where it breaks: far out, faces
# leave what the decoder has seen. Note also how little it takes to change somebody's face; section 5.7
# comes back to this.
#
# Between two codes there is more than one way. The straight line (lerp) passes through places where
# the prior hardly ever samples: with n latents N(0, I) lives near the sphere of radius √n, and the
# middle of two independent draws has a length of about √(n/2).
#
# ### Exercise 5 · `slerp`
#
# *Difficulty ●●○ · importance ●●○ · 10 minutes.* Interpolation along the great circle
# ([Shoemake, 1985](https://doi.org/10.1145/325334.325242)), which keeps to the sphere.
#
# <details><summary>Hint 1</summary>
#
# The angle comes from the scalar product of the two vectors, each divided by its own length.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Rounding may give a cosine of 1.0000001, and `arccos` of that is NaN: clamp. For nearly parallel
# vectors sin ω goes to 0 in the denominator: there the straight line is the same path.
#
# </details>

# %% exercise="slerp"
def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """(sin((1−t)ω) a + sin(tω) b) / sin ω, with ω the angle between a and b; a at t = 0.

    a, b: (d,), of any norm. Where sin ω < 1e-6, (1−t) a + t b instead. Returns (d,).
    """
    ### BEGIN SOLUTION
    cosine = torch.dot(a / a.norm(), b / b.norm()).clamp(-1, 1)
    omega = torch.arccos(cosine)
    if torch.sin(omega) < 1e-6:
        return (1 - t) * a + t * b
    return (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)
    ### END SOLUTION


# %% check="slerp"
slerp = check("slerp", slerp)

# %% [markdown]
# We try it on the VAE whose samples from the prior are nearest to faces, by Figure 8.
# Besides the Fréchet distance we take two shares that keep apart what it mixes
# ([Kynkäänniemi et al., 2019](https://arxiv.org/abs/1904.06991)). Around each real feature lies a ball
# that reaches as far as its third nearest neighbour. **Precision**: the share of generated images inside a
# ball of a real one, *fidelity*. **Recall**, with the sets swapped: the share of real images inside a ball
# of a generated one, *variety*.

# %% [markdown]
# **Prediction.** Halfway between two draws from N(0, I): whose images come closer to real faces by
# the Fréchet distance, those of lerp or those of slerp? Whose precision is higher, and whose recall?
#
# ✎ *Double-click here and write your answer:*

# %%
n_walk = min(sizes, key=lambda n: ruler[f"VAE {n}, N(0, I)"])
walker, starts = vaes[n_walk], prior[n_walk]
ends = torch.randn(starts.shape, generator=rng)
halfway = {
    "ends": starts,
    "lerp": (starts + ends) / 2,
    "slerp": torch.stack([slerp(start, end, 0.5) for start, end in zip(starts, ends)]),
}
floor = precision_recall(phi_real, features_of(judge, x_train))
print(f"training images: precision {floor[0]:.0%}, recall {floor[1]:.0%}, distance {ruler['training images']:.1f}")

# %%
judged, report = {}, {}
for name, codes in halfway.items():
    phi = features_of(judge, image_of(walker, codes))
    judged[name] = (gap(phi, phi_real), *precision_recall(phi_real, phi))
    report[name] = dict(zip(("Fréchet distance", "precision", "recall"), judged[name]))
for i, what in enumerate(("smaller Fréchet distance", "higher precision", "higher recall")):
    lerp, great_circle = judged["lerp"][i], judged["slerp"][i]
    ahead = "lerp" if (lerp < great_circle) == (i == 0) else "slerp"
    print(f"{what}: {'neither' if abs(lerp - great_circle) < 0.01 else ahead}")
plots.table(report, forms={"precision": ".0%", "recall": ".0%"}, title=f"n = {n_walk}, {len(starts):,} pairs")

# %%
t = torch.linspace(0, 1, 21)
ways = {"lerp": lambda a, b, s: (1 - s) * a + s * b, "slerp": slerp}
lengths = {name: [torch.stack([way(a, b, s) for a, b in zip(starts[:100], ends)]).norm(dim=1).mean().item()
                  for s in t.tolist()] for name, way in ways.items()}
middles = {name: image_of(walker, halfway[name][:8]) for name in ways}

# %%
figures.two_ways(t, lengths, middles, sphere=n_walk**0.5, distances={name: judged[name][0] for name in ways})
plt.show()

# %% [markdown]
# **Figure 14.** Above: the length of codes on the way from one draw of the prior to another, a mean over
# 100 pairs; below: what the middles of eight pairs decode to. Note that lerp's codes are short halfway, and
# its images plainer, closer to the mean face; slerp keeps the variety of the ends. A single plain face may
# look *better*, but a set of plain faces does not look like a set of people: that is recall. Of the
# measures above, precision has nothing against plain faces; the Fréchet distance, which sees the spread of
# a set, has.
#
# The same trade has a knob of its own. **Temperature** τ scales the prior's noise: z = τ ε. At τ = 0
# every sample is the same face.

# %% [markdown]
# **Prediction.** As τ falls from 1 to 0, what do precision and recall do?
#
# ✎ *Double-click here and write your answer:*

# %%
taus = [0.0, 0.4, 0.7, 1.0, 1.2, 1.5, 2.0]
by_tau, at_tau = {}, {}
for tau in taus:
    cool = image_of(walker, tau * starts)
    by_tau[tau] = cool[:6]
    phi = features_of(judge, cool + 1e-4 * torch.randn(cool.shape, generator=rng))
    at_tau[tau] = (gap(phi, phi_real), *precision_recall(phi_real, phi), cool.std(0).mean().item())
print("standard deviation between images: "
      + ", ".join(f"{v[3]:.3f} at τ = {tau:g}" for tau, v in at_tau.items())
      + f"; test images {x_test.std(0).mean():.3f}")
near, precise, wide = (column[1:] for column in list(zip(*at_tau.values()))[:3])  # without the one face of τ = 0
print(f"Nearest at τ = {taus[1 + near.index(min(near))]}, highest precision at "
      f"{taus[1 + precise.index(max(precise))]}, highest recall at {taus[1 + wide.index(max(wide))]}")

# %%
figures.temperatures(by_tau, at_tau, floor=ruler["training images"])
plt.show()

# %% [markdown]
# **Figure 15.** The same six codes at each temperature, and beside each row the Fréchet distance of such
# samples (dotted: training images), precision and recall. Note that plain is not close: at low temperatures
# faces are smooth and the set is poor. At τ = 0 all samples are one, inside a ball or outside, so precision
# is all or nothing and recall about nothing. Note at which τ each curve is best, as printed: they need not
# agree, since eye, precision and distance judge different things. Whoever chooses τ should write it into
# the caption.
#
# Where precision is near 100% for images that anybody tells from real ones, it praises the balls and not
# the faces: around a rare real face the third neighbour is far, its ball is wide, and plain faces lie in
# the middle of many. Recall does not have this fault here. No number replaces a look at the images.
#
# ## 5.4 · Tell it the class
#
# Now 32 × 32 images in ten classes. A **conditional** VAE is told the class y of each image, so its
# code need not hold it: p(x | z, y). We add the class to the code, through an embedding and a small
# MLP, times a weight. Four questions follow, in this order:
#
# | question | what answers it |
# |---|---|
# | One class, or all of them? | −ELBO on unseen images, three trainings each |
# | Who has to be told: the decoder, or the encoder too? | one table with both |
# | Are samples copies? | the nearest training image (Exercise 7) |
# | Does the decoder listen? | the class found in samples, at several weights and codes |

# %%
photos = datasets.load("cifar10")
names = photos.label_names
labels = photos.test.labels
c_test, y_test = to_float(photos.test.images[:2_000]), labels[:2_000]
print(f"{photos.source}: {len(photos.train):,} training, {len(photos.test):,} test images")

# %%
first = [photos.train.images[(photos.train.labels == c).nonzero()[:12, 0]] for c in range(10)]
within = sum(c_test[y_test == c].var(0, correction=0) * (y_test == c).double().mean() for c in range(10))
share = (within.mean() / c_test.var(0, correction=0).mean()).item()
plots.image_rows(dict(zip(names, first)), title=f"{share:.0%} of the pixels' variance lies within the classes")
plt.show()

# %% [markdown]
# **Figure 16.** Twelve training images of each class. Note how much a class leaves open: the share of the
# variance that stands above is of test images, about the mean of their class.
#
# ### Exercise 6 · `condition`
#
# *Difficulty ●○○ · importance ●●○ · 5 minutes.* The code that the decoder gets. The embedding is a
# network: it turns labels into vectors of the code's size.
#
# <details><summary>Hint 1</summary>
#
# `embedding(labels)` has the shape of z. The weight scales it, not z.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Leave z as it is: `+=` would change the caller's tensor. Where the weight is 0, too, return a tensor
# of its own.
#
# </details>

# %% exercise="condition"
def condition(
    z: Tensor, labels: Tensor, embedding: Callable[[Tensor], Tensor], weight: float
) -> Tensor:
    """The class-conditioned code z + weight · embedding(labels), as a new tensor.

    z: (B, d); labels: (B,) int64; embedding: (B,) to (B, d). Returns (B, d); z stays as it is.
    """
    ### BEGIN SOLUTION
    return z + weight * embedding(labels)
    ### END SOLUTION


# %% check="condition"
condition = check("condition", condition)

# %% [markdown]
# Your function goes into the course's network: everything else is `models.ConditionalVAE`.

# %%
class ToldVAE(models.ConditionalVAE):
    """The course's conditional VAE with your `condition`."""

    def condition(self, z: Tensor, y: Tensor) -> Tensor:
        """(B, d) and (B,) to (B, d)."""
        return condition(z, y, self.embedding, self.weight)


def told_vae(split: datasets.Split, own_seed: int, **options) -> nn.Module:
    """A conditional VAE after `class_steps` steps of 32 images from this seed."""
    torch.manual_seed(own_seed)
    model = ToldVAE(64, 10, log_sigma=0.0, **options)
    *_, _ = steps_of(model, losses.optimal_sigma_objective, split, steps=class_steps, batch_size=32,
                     seed=own_seed)
    return model.cpu().eval().requires_grad_(False)

# %% [markdown]
# **One class, or all?** "Training on a single class works better than on all" is easily said, when the one
# class had 5,000 images and the others 100 each. We train four models for the same number of steps: on
# one class; on all classes with as many images *in total*; on 100 images per class; and on 1 image per
# class. Each three times, from three seeds, since one training more would move each number.

# %% [markdown]
# **Prediction.** Which of the four is best on *unseen* images of the first class? In which is the gap
# between images seen in training and unseen ones largest?
#
# ✎ *Double-click here and write your answer:*

# %%
def of_classes(per_class: int, classes: Iterable[int]) -> datasets.Split:
    """The first `per_class` training images of each class."""
    index = [(photos.train.labels == c).nonzero()[:per_class, 0] for c in classes]
    return photos.train.take(torch.cat(index))


total = min(5_000, int((photos.train.labels == 0).sum()))
ONE, ALL, FEW, SINGLE = f"{names[0]} only", "all, equal total", "100 per class", "1 per class"
taught = {ONE: of_classes(total, [0]), ALL: of_classes(total // 10, range(10)),
          FEW: of_classes(100, range(10)), SINGLE: of_classes(1, range(10))}
seeds = range(seed, seed + 3)
told = {name: [told_vae(split, s) for s in seeds] for name, split in taught.items()}

# %%
@torch.no_grad()
def minus_elbo(vae: nn.Module, x: Tensor, y: Tensor) -> tuple[float, float]:
    """−ELBO and KL in nats per image, with the σ that is best for these images."""
    q_z = vae.encode(x, y)
    z = q_z.mean + q_z.stddev * torch.randn(q_z.mean.shape, generator=rng)
    x_hat = vae.decode(z, y).mean
    kl = kl_divergence(q_z, losses.standard_normal(z)).sum(1)
    nll = gaussian_nll(x, x_hat, optimal_log_sigma(x, x_hat))
    return (nll + kl).mean().item(), kl.mean().item()


# %%
unseen, cost = c_test[y_test == 0], {}
for name, trainings in told.items():
    own_images = to_float(taught[name].images[taught[name].labels == 0][:500])
    cost[name] = torch.tensor([[minus_elbo(vae, x, torch.zeros(len(x)).long())[0]
                                for x in (own_images, unseen)] for vae in trainings])  # (3, 2)
print(f"−ELBO in nats per image of class {names[0]}: mean and range of three trainings")
by_teaching = {}
for name, values in cost.items():
    told_ranges = [f"{v.mean():.0f} [{v.min():.0f}, {v.max():.0f}]" for v in values.T]
    by_teaching[name] = {"images": len(taught[name]), "seen": told_ranges[0], "unseen": told_ranges[1],
                         "gap": values.diff().mean().item()}
plots.table(by_teaching, forms={"gap": ".0f"})

# %%
def compare(a: Tensor, b: Tensor) -> tuple[float, float]:
    """Difference of means of three trainings each, and half its 95% interval (Student's t)."""
    half = 2.78 * ((a.var() + b.var()) / 3).sqrt()  # 2.78: four degrees of freedom
    return (a.mean() - b.mean()).item(), half.item()


for first_name, other in ((ONE, ALL), (ONE, FEW)):
    difference, half = compare(cost[first_name][:, 1], cost[other][:, 1])
    verdict = ("three trainings do not rank them" if abs(difference) < half
               else f"{first_name if difference < 0 else other} is ahead")
    print(f"{first_name} − {other}, unseen: {difference:+.0f} ± {half:.0f} nats: {verdict}")
print("unseen images, best first (< in every training, ≈ not): "
      + ranking({name: values[:, 1].tolist() for name, values in cost.items()}))

# %% [markdown]
# Only the first comparison is fair: equal numbers of images, equal steps, and the printed interval is one
# over trainings. It tells what the number of *classes* does. The second, which is often made, mixes two
# questions: how many classes, and how many images. Nor does the order say that few images are good or
# bad: in `class_steps` steps each model draws as many images as the others, and 1,000 images seen more
# often may teach as much as 5,000 seen less often. What too few images do shows in the gap between seen and
# unseen, in the last row above all.
#
# **Who has to be told?** Write z' = z + w e(y) for the code that the decoder gets, e being the embedding and
# w the weight. Then the decoder knows no class, and
#
# $$z\sim N(0, I)\;\Leftrightarrow\; z'\sim N(w\,e(y), I),\qquad
# \mathrm{KL}\big(q(z|x)\,\Vert\,N(0,I)\big)=\mathrm{KL}\big(q(z'|x,y)\,\Vert\,N(w\,e(y),I)\big),$$
#
# with q moved along by w e(y). What we have built is an ordinary VAE whose *prior* has a mean for
# each class. Its encoder pays for that: it sees x alone, and cannot take w e(y) off again. The usual form
# tells both, q(z|x, y) ([Kingma et al., 2014](https://arxiv.org/abs/1406.5298);
# [Sohn et al., 2015](https://papers.nips.cc/paper/5775-learning-structured-output-representation-using-deep-conditional-generative-models)):
# `encoder_told=True` gives the encoder's features a vector of the class.
#
# What is a class worth? For the best model with and the best without it, −log p(x) differs by the
# information I(x; y) ≤ log 10 = 2.3 nats. That bounds −log p(x), not the KL alone: KL and distortion may
# move against each other by more.

# %% [markdown]
# **Prediction.** Both forms are trained on 5,000 images of all classes. How many nats of −ELBO lie between
# them? And by how many decibels does PSNR fall where the decoder is told the *next* class in the list,
# with the right code?
#
# ✎ *Double-click here and write your answer:*

# %%
photo_judge, judge_card = checkpoints.load(fitting("-classifier", photos))
forms = {"decoder": told[ALL], "decoder, encoder": [told_vae(taught[ALL], s, encoder_told=True) for s in seeds]}


@torch.no_grad()
def accuracy(x: Tensor, y: Tensor) -> float:
    """How often the classifier finds the class that was asked for."""
    found_classes = [photo_judge(part).argmax(1) for part in x.split(500)]
    return torch.cat(found_classes).eq(y).double().mean().item()


@torch.no_grad()
def listening(vae: nn.Module, x: Tensor, y: Tensor) -> tuple[float, float]:
    """PSNR in decibels where the decoder is told the class of x, and where it is told the next one."""
    z = vae.encode(x, y).mean
    return tuple(psnr(x, image_of(vae, z, which)).mean().item() for which in (y, (y + 1) % 10))


# %%
asked = torch.arange(n_eval) % 10  # labels to ask for
rows = {}
for form, trainings in forms.items():
    parts = [(*minus_elbo(vae, c_test, y_test), *listening(vae, c_test, y_test),
              accuracy(image_of(vae, torch.randn(len(asked), 64, generator=rng), asked), asked))
             for vae in trainings]
    rows[form] = torch.tensor(parts)  # (3, 5)
difference, half = compare(*(row[:, 0] for row in rows.values()))
print(f"telling the encoder as well saves {difference:+.1f} ± {half:.1f} nats (95%, three trainings each): "
      + ("not told apart from 0" if abs(difference) < half else "more than trainings differ"))
columns = {"−ELBO": ".1f", "KL": ".1f", "PSNR, own class": ".2f", "PSNR, next class": ".2f",
           "class found in samples": ".1%"}
plots.table({form: dict(zip(columns, row.mean(0).tolist())) for form, row in rows.items()},
            corner="told", forms=columns)

# %% [markdown]
# A difference beyond 2.3 nats is not the worth of a class: it says how well each form was trained in these
# steps. Look at the two PSNR columns: where they are alike, the decoder does not listen to the class,
# told by itself or with the encoder, and its samples are found no more often than by guessing, 10%.
#
# **Should the encoder be told?** By Bayes' rule p(z | x, y) ∝ p(x | z, y) p(z): the posterior depends on y
# where the decoder does, and a q(z | x) pays for what it does not know. The smallest example has z ~ N(0, 1),
# y = ±1 by a fair coin and x | z, y ~ N(z + w y, ¼). Its posterior N((x − w y)/1.25, 0.2) is what an encoder
# reaches that is told. The best Gaussian that is not told has the same width, at the mean over y, and a gap of
# w² Var(y | x)/(2 · 1.25 · ¼) nats.

# %%
x_axis = torch.linspace(-12, 12, 2_401)  # steps of 0.01
toy = {}
for w in (0.0, 0.5, 1.0, 2.0, 4.0):
    one, other = (torch.exp(-((x_axis - w * y) ** 2) / 2.5) / (2.5 * math.pi) ** 0.5 for y in (1, -1))  # p(x|y)
    is_one = torch.sigmoid(2 * w * x_axis / 1.25)  # p(y = 1|x)
    gap_nats = w**2 / 0.625 * ((one + other) / 2 * 4 * is_one * (1 - is_one)).sum() * 0.01
    toy[f"w = {w:g}"] = {"y read off x": ((one + other) @ torch.max(is_one, 1 - is_one) / 200).item(),
                       "gap told, nats": 0, "not told": gap_nats.item()}
plots.table(toy, forms={"y read off x": ".0%", "not told": ".2f"})

# %% [markdown]
# A class that changes nothing need not be told, nor one that the image shows. In between it costs nats not to
# tell it; the table above says what it is here, after so few steps. Telling has a price as well: an image of
# unknown class then has no code, or ten. The encoder of the committed model below is not told and codes any.
#
# **Are samples copies?** For each sample we look up the training image that is nearest.
#
# ### Exercise 7 · `nearest_training`
#
# *Difficulty ●●○ · importance ●●● · 10 minutes.* Indices and Euclidean distances of the k nearest
# training images of each sample. It finds copies, here and in section 5.7.
#
# <details><summary>Hint 1</summary>
#
# `.flatten(1)` makes rows of the images; `torch.cdist` gives all distances between two sets of rows.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `topk` with `largest=False` returns the smallest values and where they stand, in this order.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Above 25 rows `cdist` computes ‖x‖² + ‖y‖² − 2x·y by a product of matrices, which is fast. For a copy
# these large numbers cancel, and rounding leaves 0.02, or a root of something below 0. That is good
# enough to *find* neighbours. Take the distances of those that are found once more, from x − y.
#
# </details>

# %% exercise="nearest_training"
def nearest_training(samples: Tensor, train: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Indices of the k nearest training images of each sample, and their distances ‖x − y‖₂.

    samples: (S, …) and train: (N, …), images of the same shape in [0, 1]. Returns indices (S, k)
    int64 and distances (S, k), the nearest first. An exact copy is found, with distance 0: distances
    are taken from differences, not from products that cancel.
    """
    ### BEGIN SOLUTION
    x, y = samples.flatten(1), train.flatten(1)
    indices = torch.cdist(x, y).topk(k, largest=False).indices  # (S, k)
    # Above 25 rows cdist multiplies matrices: good enough to search, but a copy is at 0.02 by it.
    return indices, (x[:, None] - y[indices]).norm(dim=2)
    ### END SOLUTION


# %% check="nearest_training"
nearest_training = check("nearest_training", nearest_training)

# %%
noise64 = torch.randn(200, 64, generator=rng)
drawn_by, neighbours, from_train, from_mean = {}, {}, {}, {}
for name, (vae, *_) in told.items():  # the first of the three trainings
    y = torch.zeros(200).long() if name == ONE else torch.arange(200) % 10
    drawn_by[name] = image_of(vae, noise64, y)
    train = to_float(taught[name].images)
    near, apart = nearest_training(drawn_by[name], train, 1)  # (S, 1) each
    neighbours[name], from_train[name] = train[near[:, 0]], apart.median().item()
    from_mean[name] = (drawn_by[name] - train.mean(0)).flatten(1).norm(dim=1).median().item()
print(f"{SINGLE}: samples lie nearer to " + ("single training images than to their mean: copies, more or less"
      if from_train[SINGLE] < from_mean[SINGLE] else "the mean of all than to any one of them"))

# %%
settings.short_run_note("the samples below")
figures.with_nearest({name: (drawn_by[name][:10], neighbours[name][:10]) for name in told}, from_train,
                     title=f"{SINGLE}: {from_train[SINGLE]:.1f} from the nearest training image, "
                           f"{from_mean[SINGLE]:.1f} from their mean")
plt.show()

# %% [markdown]
# **Figure 17.** Samples, one per class from left to right (the first model knows one class only), and below
# each its nearest training image. The number is the median distance to it. Note the last pair of rows, of
# the model that has seen ten images only: where its samples lie nearer to single images than to their mean,
# it has memorised. Note the others: a blurred sample has a neighbour that shares its colours and not its
# content.
#
# **Does the decoder listen?** A full training on all images took the minutes that its card names; the
# model comes with the course. The classifier reads its samples: how often does it find the class that was
# asked for, while we turn the weight of the class in the code up and down?

# %% [markdown]
# **Prediction.** The classifier's rate on samples, in percent, at weight 0 and at weight 1?
#
# ✎ *Double-click here and write your answer:*

# %%
cvae, cvae_card = checkpoints.load(fitting("-cvae", photos))
for card in (cvae_card, judge_card):
    print(f"{card['name']}: {card['parameters']:,} parameters, {card['seconds']:.0f} s, {card['source']}")
print(f"classifier: right on {judge_card['test']['accuracy']:.1%} of test images; "
      f"VAE: −ELBO {-cvae_card['test']['log_lik'] + cvae_card['test']['kl']:.0f} nats, "
      f"with a KL of {cvae_card['test']['kl']:.0f}")
d_photo = cvae.latent_dim
noise_c = torch.randn(len(asked), d_photo, generator=rng)
obeyed = {}
for weight in (0.0, 0.5, 1.0, 2.0):
    cvae.weight = weight
    obeyed[weight] = accuracy(image_of(cvae, noise_c, asked), asked)
print("class found in samples: " + ", ".join(f"{share:.1%} at weight {w:g}" for w, share in obeyed.items()))
cvae.weight = cvae_card["model"]["arguments"].get("weight", 1.0)

# %%
z_seen, z_ref = code_of(cvae, to_float(photos.train.images[:4_000])), code_of(cvae, c_test)
reader = LogisticRegression(max_iter=300).fit(z_seen, photos.train.labels[:4_000])
own_class, next_class = listening(cvae, c_test, y_test)
print(f"class read from the code alone, by logistic regression: {reader.score(z_ref, y_test):.1%} of test images")
print(f"PSNR, decoder told the own class {own_class:.2f} dB, the next one {next_class:.2f} dB")
chance = 0.1 + 2 * (0.1 * 0.9 / len(asked)) ** 0.5  # guessing, and two standard errors
print("the decoder " + ("listens: its samples follow the weight" if obeyed[1.0] > max(chance, obeyed[0.0])
                        else "does not listen: its samples are found no more often than by guessing"))

# %% [markdown]
# A decoder that does not listen can afford it: the encoder is not told the class, so z holds what the image
# shows, the class as far as the regression reads it, and listening could save no more than about 2.3 nats
# of the −ELBO printed above. That is worth learning where a class decides many pixels: the hair of a
# cartoon does, "cat" does not. So we ask for a class by y, and draw a z ~ N(0, I) that says another.
#
# This is the planned failure of the section. p(z|y) differs from class to class; the repair is that of
# section 5.1, a density fitted to the codes, now one Gaussian for each class.

# %%
photo_stats = feature_statistics(features_of(photo_judge, c_test[: len(asked)]))
means, roots = [], []
for c in range(10):
    of_this = to_float(photos.train.images[photos.train.labels == c][:500])
    mean, cov = feature_statistics(drawn_codes(cvae, of_this, generator=rng))
    means.append(mean.float())
    roots.append(torch.linalg.cholesky(cov + 1e-3 * torch.eye(d_photo)).float())
means, roots = torch.stack(means), torch.stack(roots)  # (10, d), (10, d, d)


def of_class(noise: Tensor, y: Tensor) -> Tensor:
    """Noise to draws from the Gaussian of the codes of class y: (B, d) and (B,) to (B, d)."""
    return means[y] + (roots[y] @ noise[:, :, None])[:, :, 0]

# %% [markdown]
# A report made another mistake here: noise from a uniform distribution, for a decoder that was trained
# on Gaussian codes.

# %% [markdown]
# **Prediction.** What does uniform noise on [0, 1] do, which has no negative numbers?
#
# ✎ *Double-click here and write your answer:*

# %%
noises = {"ε ~ N(0, I)": noise_c, "Gaussian of the class": of_class(noise_c, asked),
          "uniform on [0, 1]": torch.rand(noise_c.shape, generator=rng),
          "uniform on [−1, 1]": 2 * torch.rand(noise_c.shape, generator=rng) - 1}
fed = {name: image_of(cvae, noise, asked) for name, noise in noises.items()}
found_in = {name: accuracy(x, asked) for name, x in fed.items()}
own_stats = {name: feature_statistics(features_of(photo_judge, x)) for name, x in fed.items()}
plots.table({name: {"mean length": noises[name].norm(dim=1).mean().item(), "class found": found_in[name],
                    "Fréchet distance": frechet_distance(*own_stats[name], *photo_stats)} for name in fed},
            forms={"mean length": ".2f", "class found": ".1%", "Fréchet distance": ".2f"})

# %%
figures.by_class({name: x[:10] for name, x in fed.items()}, names, value_label="class found, %",
                 values={name: 100 * share for name, share in found_in.items()})
plt.show()

# %% [markdown]
# **Figure 18.** The same decoder, the same ten classes, four kinds of codes. Note the second row: how often
# the class is found with codes fitted for each class, beside those of the prior. Note the uniform rows: codes in
# [0, 1] lie in one of 2ᵈ orthants, so all samples share the same shift away from the prior's mean. On
# [−1, 1] the mean is right and the codes are too short, as at temperature 0.58: plain samples, whatever their
# class or a distance says of them. The decoder should get the codes that it was trained on.
#
# That a class is found does not make a sample good: a single perfect image per class would be found
# always. Class, temperature and interpolation under your fingers:

# %%
wheel = widgets.class_samples(
    lambda z, y: image_of(cvae, of_class(z, y), y), slerp, noise_c[:12], names=names)
wheel

# %% [markdown]
# **Figure 19.** Samples of one class at temperature τ, and a walk by your `slerp` between the two with a
# coloured corner; the noise goes through the Gaussian of the class. Change the class with the noise held: what changes is what the class decides.
# At τ = 0 each class shows one image, about the mean of all that it knows.
#
# ## 5.5 · Numbers for images
#
# PSNR and SSIM compare two images of the *same* thing: x and x̂. SSIM
# ([Wang et al., 2004](https://doi.org/10.1109/TIP.2003.819861)) compares local
# means, variances and the covariance in small windows, and adds constants that depend on the **range**
# of the data. One report printed 0.9987 as the SSIM between generated images and test images.

# %% [markdown]
# **Prediction.** Which SSIM do two *unrelated* test images have: near 0, 0.5 or 1? And which does a program
# print that takes the pixels, which lie in [0, 1], for numbers from 0 to 255?
#
# ✎ *Double-click here and write your answer:*

# %%
n_pairs = min(300, len(noise_c))
pair_x, pair_y = c_test[:n_pairs], y_test[:n_pairs]
pairs = {
    "x and x̂": image_of(cvae, code_of(cvae, pair_x), pair_y),
    "x and a sample": image_of(cvae, noise_c[:n_pairs], asked[:n_pairs]),
    "x and another x": pair_x.roll(1, 0),
    "x and noise": torch.rand(pair_x.shape, generator=rng),
}
plots.table({name: {"PSNR, dB": psnr(pair_x, other).mean().item(),
                    "SSIM, range 1": ssim(pair_x, other).mean().item(),
                    "SSIM, range 255": ssim(pair_x, other, data_range=255.0).mean().item()}
             for name, other in pairs.items()}, forms={"SSIM, range 1": ".3f", "SSIM, range 255": ".4f"})

# %% [markdown]
# The pixels lie in [0, 1]. Told that they lie in [0, 255], SSIM takes every difference for a rounding
# error: even noise gets a value near 1. At the right range photographs that have nothing in common are
# near 0; aligned faces share a layout, and keep some. Then another fault shows: a sample has no partner,
# so this pair means nothing at any range. For x and x̂ both numbers say something.

# %%
at, one_pair, by_range = 3, {}, {}
for name, other in pairs.items():
    one_pair[name] = torch.stack([pair_x[at], other[at]])
    by_range[name] = [ssim(pair_x[at : at + 1], other[at : at + 1], data_range=r).item() for r in (1.0, 255.0)]
figures.pairs(one_pair, by_range)
plt.show()

# %% [markdown]
# **Figure 20.** One pair of each kind, with its SSIM at the right range, and at range 255. Note that at
# the wrong range the noise is "structurally similar" to the picture by more than 0.9.
#
# Sets are compared by features. Besides the Fréchet distance, which sees mean and covariance only, we
# take the **kernel distance on course features**: the squared maximum mean discrepancy with the kernel
# (φᵀψ/d + 1)³, φ and ψ being features, d = 64 numbers of one image.
# [Bińkowski et al. (2018)](https://arxiv.org/abs/1801.01401) introduced it as KID, on the features of the
# Inception network; on others it has another scale, so we do not call it that. It has no bias: with few
# images it scatters, around the right value. The Fréchet distance does not only scatter, it is too large.

# %% [markdown]
# **Prediction.** We compare *training* images with test images, so the true distance is about 0. What
# does the Fréchet distance say with 100 images in place of 400: half, the same, or several times as much?
#
# ✎ *Double-click here and write your answer:*

# %%
pool = min(3 * n_eval, len(c_all := photos.test.images))
samples = image_of(cvae, torch.randn(pool, d_photo, generator=rng), torch.arange(pool) % 10)
drawn_rows = torch.randperm(len(photos.train), generator=rng)[:pool]
phi = {"test": features_of(photo_judge, c_all[:pool]), "samples": features_of(photo_judge, samples),
       "training": features_of(photo_judge, photos.train.images[drawn_rows])}


def gaussian_distance(a: Tensor, b: Tensor) -> float:
    """Fréchet distance between two sets of features."""
    return frechet_distance(*feature_statistics(a), *feature_statistics(b))


# %%
counts, scatter = [n_eval // 10, n_eval // 5, 2 * n_eval // 5], {}
for name in ("training", "samples"):
    for measure in (gaussian_distance, kernel_distance):
        for count in counts:  # no image is in two draws
            draws = zip(phi[name].split(count), phi["test"].split(count))
            values = [measure(a, b) for a, b in draws if len(a) == count]
            scatter[name, measure, count] = torch.tensor(values)
print(f"draws of N images: {', '.join(f'{pool // count} of {count}' for count in counts)}, on each side")

# %%
null = scatter["training", kernel_distance, counts[0]]
print(f"training images, kernel distance at N = {counts[0]}: {null.mean():.4f} ± "
      f"{null.std() / len(null) ** 0.5:.4f} (mean of {len(null)} draws and its standard error), "
      f"{(null < 0).double().mean():.0%} of the draws below 0")
spreads = {title: {name: [[f(scatter[name, measure, count]).item() for count in counts]
                          for f in (torch.mean, torch.std)] for name in ("training", "samples")}
           for title, measure in {"Fréchet distance": gaussian_distance, "kernel distance": kernel_distance}.items()}

# %%
figures.by_count(spreads, counts)
plt.show()

# %% [markdown]
# **Figure 21.** Both distances to test images against the number of images: mean and standard deviation of
# draws that share no image; the left axis is logarithmic. Note the training images on the left: their distance
# is the larger the fewer the images, and never at 0. The title has the factor, and that of the samples: the bias
# depends on what is measured, so models measured with different N cannot be compared. The kernel distance
# scatters about one value at every N. For two sets of one kind that value is 0, with single draws on both sides
# of it, more often a little below, less often further above.
#
# The table that a report should hold: every row with the same N, the floor, the ceilings, both
# distances, the classifier's rate, and precision and recall
# ([Kynkäänniemi et al., 2019](https://arxiv.org/abs/1904.06991)): around the features of each image lies a
# ball that reaches to its third neighbour in its own set. *Precision* is the share of generated images in
# the balls of real ones, *recall* the share of real images in the balls of generated ones.

# %%
n_rows = len(asked)
x_ref, y_ref = c_test[:n_rows], y_test[:n_rows]
by_memory = image_of(told[SINGLE][0], torch.randn(n_rows, 64, generator=rng), asked)
candidates = {
    "training images": (to_float(photos.train.images[drawn_rows[:n_rows]]), photos.train.labels[drawn_rows[:n_rows]]),
    "reconstructions": (image_of(cvae, z_ref[:n_rows], y_ref), y_ref),
    "samples": (samples[:n_rows], asked),
    "samples, fitted codes": (fed["Gaussian of the class"], asked),
    "samples, 1 per class": (by_memory, asked),
    "8 × 8 means": (F.interpolate(F.avg_pool2d(x_ref, 4), scale_factor=4.0), y_ref),
    "noise": (torch.rand(x_ref.shape, generator=rng), asked),
}

# %%
def measured(x: Tensor, y: Tensor) -> list[float]:
    """Fréchet and kernel distance, precision, recall, and accuracy of images x, asked to be of classes y."""
    mine, theirs = features_of(photo_judge, x), phi["test"][: len(x)]
    pair = precision_recall(theirs, mine)
    return [gaussian_distance(mine, theirs), kernel_distance(mine, theirs), *pair, accuracy(x, y)]


table32 = {name: measured(*pair) for name, pair in candidates.items()}
measures = {"Fréchet": ".2f", "kernel": ".3f", "precision": ".1%", "recall": ".1%", "class found": ".1%"}
plots.table({name: dict(zip(measures, row)) for name, row in table32.items()}, forms=measures,
            bars=["Fréchet"], title=f"{n_rows:,} images per side")

# %%
memory, honest = table32["samples, 1 per class"], table32["samples, fitted codes"]
ceiling, in_noise = table32["8 × 8 means"][0], table32["noise"][2]
for i, (column_name, sign) in enumerate({"Fréchet distance": 1, "kernel distance": 1, "precision": -1,
                                         "recall": -1, "class found": -1}.items()):
    ahead = sign * memory[i] < sign * honest[i]
    print(f"{column_name:16s}: {'the memorising model' if ahead else 'the honest samples'} ahead")
print(f"the honest samples lie {'below' if honest[0] < ceiling else 'beyond'} the ceiling of 8 × 8 means")
if in_noise > 0.5:
    print(f"precision can be fooled: {in_noise:.0%} of the noise lies in the ball of some real image")

# %% [markdown]
# Each number has its blind spot, and the lines above say who is ahead by which: the model that has seen ten
# images, again and again, or the samples of the full VAE from fitted codes. Ten images cannot cover what a data
# set holds: look at the recall. The 8 × 8 means keep the colours and the layout of the test images themselves,
# so a model may lie beyond this ceiling without being worse than a blur in all respects. None of these numbers
# asks whether an image is a copy. (The floor is not a perfect one: the classifier was trained on the training
# images, so it knows their classes better than those of test images.)
#
# So another question belongs to every report: how far is a sample from the nearest training image,
# compared with how far a *test* image is?

# %%
train_pool = to_float(photos.train.images[: 10 * n_eval])
closest = {}
for name, x in {"test images": c_test[:300], "samples": samples[:300]}.items():
    closest[name] = nearest_training(x, train_pool, 1)
print("smallest distance: " + ", ".join(f"{name} {apart.min():.2f}" for name, (_, apart) in closest.items())
      + f"; samples of '{SINGLE}' have a median of {from_train[SINGLE]:.2f} to their ten")

# %%
half_way = {name: apart.median().item() for name, (_, apart) in closest.items()}
found_near = {name: (x[:10], train_pool[closest[name][0][:10, 0]])
              for name, x in {"test images": c_test, "samples": samples}.items()}
figures.with_nearest(found_near, half_way, title=f"Median distance to the nearest of {len(train_pool):,}: "
                     + ", ".join(f"{name} {value:.1f}" for name, value in half_way.items()))
plt.show()

# %% [markdown]
# **Figure 22.** Test images and samples, each with the nearest of 10,000 training images. Note the
# medians beside the rows: plain and blurred images are near to everything, so a distance
# below that of test images is a reason to look, and only a look convicts. A copy shares the content.

# %% [markdown]
# ## 5.6 · Many small steps: diffusion
#
# A VAE draws an image in one pass. A **diffusion model**
# ([Ho et al., 2020](https://arxiv.org/abs/2006.11239)) destroys images step by step
# with noise and learns to undo it. After step t of T = 1,000 an image is
#
# $$x_t = \sqrt{\bar\alpha_t}\,x + \sqrt{1-\bar\alpha_t}\,\varepsilon, \qquad \varepsilon\sim N(0, I),$$
#
# with x in [−1, 1] and a **schedule** ᾱ that falls from 1 to 0. It is a VAE with T latent images in a row,
# $x_1, \dots, x_T$, a *hierarchical* VAE, whose encoder is fixed: it adds noise. It is trained on the terms of
# the ELBO, one for each step, with other weights than the ELBO's.

# %%
diagrams.noise_process()

# %%
kept = diffusion.noise_schedule()  # ᾱ, (T,)
stops = torch.tensor([0, 100, 200, 300, 400, 500, 600, 700, 800, 999])
noisy = {}
for i in (0, 3, 5):
    still = (2 * c_test[i] - 1).expand(len(stops), -1, -1, -1)
    eps_i = torch.randn(still.shape, generator=rng)
    noisy[names[y_test[i]]] = (diffusion.add_noise(still, stops, eps_i).clamp(-1, 1) + 1) / 2

# %%
figures.noise_film(noisy, stops.tolist(), kept)
plt.show()

# %% [markdown]
# **Figure 23.** Above: ᾱ, the share of the image's variance that is left at step t. Below: three test images on
# their way to noise. Note how long the layout survives: large shapes go last, so they come back first.
#
# A U-Net learns to undo it: a network that halves the image twice and comes back, with *skips* that carry
# details across.

# %%
diagrams.unet()

# %% [markdown]
# What it predicts, by squared error and at one random t for each image, is
# a mixture of the noise and the image, the **velocity**
# ([Salimans and Ho, 2022](https://arxiv.org/abs/2202.00512))
#
# $$v = \sqrt{\bar\alpha_t}\,\varepsilon - \sqrt{1-\bar\alpha_t}\,x .$$
#
# From x_t and v both parts follow: x = √ᾱ x_t − √(1−ᾱ) v, and ε = √(1−ᾱ) x_t + √ᾱ v. So for a given x_t the
# errors of the three are one error in three units, ‖v − v̂‖² = ‖ε − ε̂‖²/ᾱ = ‖x − x̂‖²/(1 − ᾱ). Predicting ε
# alone would do in theory; but where sampling starts ᾱ is near 0, and an error of ε is divided by √ᾱ on its
# way to x. We train one from scratch for `diffusion_steps` steps of 16 images, and see that its loss falls.

# %%
torch.manual_seed(seed)
young, falling = models.UNet(10), []
for record in steps_of(young, diffusion.diffusion_objective, photos.train, steps=diffusion_steps,
                       batch_size=16, seed=seed):
    falling.append(record.loss / c_test[0].numel())
young = young.cpu().eval().requires_grad_(False)
unet, unet_card = checkpoints.load(fitting("-ddpm", photos))
print(f"{record.step} steps in {record.seconds:.0f} s: squared error per pixel from {falling[0]:.2f} "
      f"to {sum(falling[-5:]) / len(falling[-5:]):.2f}")
for card in (unet_card, cvae_card):
    print(f"{card['name']}: {card['parameters']:,} parameters, trained for {card['seconds']:,.0f} s")
print(f"squared error of {unet_card['name']} per pixel: "
      f"{unet_card['test']['squared_error'] / c_test[0].numel():.3f}")

# %% [markdown]
# [Notebook 02](02_convolutional_autoencoder.ipynb) has met this network's task already: the best guess of a
# denoiser is the mean E[x | x_t] of all images that x_t may have come from, and (√ᾱ E[x | x_t] − x_t)/(1 − ᾱ)
# is the *score*, the gradient of log p(x_t), the direction in which x_t becomes more probable. Denoiser, score
# and velocity hold the same knowledge. A mean guess leaves an error that has nothing to do with the guess: if
# x̂ is E[x | x_t], the regression of x on x̂ has the slope 1.

# %%
x_0, t_mid = 2 * c_test[:200] - 1, torch.full((200,), 500)
eps_t = torch.randn(x_0.shape, generator=rng)
x_t, alpha = diffusion.add_noise(x_0, t_mid, eps_t), kept[500]
with torch.no_grad():
    v_hat = unet(x_t, t_mid, y_test[:200])
x_0_hat = alpha.sqrt() * x_t - (1 - alpha).sqrt() * v_hat
eps_hat = (1 - alpha).sqrt() * x_t + alpha.sqrt() * v_hat
score = (alpha.sqrt() * x_0_hat - x_t) / (1 - alpha)
off = {"‖v − v̂‖²": (diffusion.velocity(x_0, t_mid, eps_t) - v_hat) ** 2,
       "‖ε − ε̂‖²/ᾱ": (eps_t - eps_hat) ** 2 / alpha, "‖x − x̂‖²/(1 − ᾱ)": (x_0 - x_0_hat) ** 2 / (1 - alpha)}
print(f"t = 500, ᾱ = {alpha:.2f}: " + ", ".join(f"{k} = {v.sum() / 200:.1f}" for k, v in off.items()))
print(f"score and −ε̂/√(1 − ᾱ) differ by at most {(score + eps_hat / (1 - alpha).sqrt()).abs().max():.0e}; "
      f"slope of x on x̂: {(x_0 * x_0_hat).sum() / (x_0_hat**2).sum():.3f}")

# %% [markdown]
# Sampling goes the way back. DDIM ([Song et al., 2021](https://arxiv.org/abs/2010.02502)) does it
# in any number of steps: predict v, compute the clean image x̂ and the noise ε̂ that follow, and mix the two
# again at a smaller t. The steps lie at equal distances, and the last x̂ is the image; a last step at t = 0
# would look at an image without noise and change nothing
# ([Lin et al., 2023](https://arxiv.org/abs/2305.08891)).

# %% [markdown]
# **Prediction.** 5, 10 or 30 steps in place of 1,000: how much worse than 30 is 5? And how many times as
# long as the VAE does it take for one image?
#
# ✎ *Double-click here and write your answer:*

# %%
def timed(draw: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """The images, and milliseconds per image."""
    start = time.perf_counter()
    with torch.no_grad():
        x = draw()
    return x, 1_000 * (time.perf_counter() - start) / len(x)


y_few = torch.arange(n_diffusion) % 10
noise_few = torch.randn(n_diffusion, d_photo, generator=rng)
untrained = diffusion.sample_ddim(young, y_few[:10], steps=10, generator=rng)  # the first call takes longer
runs = {"VAE": timed(lambda: image_of(cvae, noise_few, y_few)),
        "VAE, fitted codes": timed(lambda: image_of(cvae, of_class(noise_few, y_few), y_few))}
for steps in (5, 10, 30):  # from the same noise
    runs[f"DDIM, {steps} steps"] = timed(lambda: diffusion.sample_ddim(
        unet, y_few, steps=steps, generator=torch.Generator().manual_seed(seed)))

# %%
reference = features_of(photo_judge, c_test[:n_diffusion])
by_run = {name: {"ms per image": ms} | dict(zip(measures, measured(x, y_few))) for name, (x, ms) in runs.items()}
floor_row = measured(train_pool[:n_diffusion], photos.train.labels[:n_diffusion])
plots.table(by_run | {"training images": dict(zip(measures, floor_row))}, forms=measures, bars=["Fréchet"])

# %% [markdown]
# How much would these distances move with other images? We leave out each tenth of the images in turn, on
# both sides. From the spread of the ten distances follows the standard error (the *jackknife*).

# %%
def without_tenths(x: Tensor) -> Tensor:
    """Fréchet distance of the images x to as many test images, each tenth of both left out, (10,)."""
    mine, tenth = features_of(photo_judge, x), torch.arange(len(x)) * 10 // len(x)
    return torch.tensor([gaussian_distance(mine[tenth != k], reference[tenth != k]) for k in range(10)])


def standard_error(left_out: Tensor) -> float:
    """√(9/10 · Σ (value − mean)²) over the ten values."""
    return (0.9 * ((left_out - left_out.mean()) ** 2).sum()).sqrt().item()


left_out = {name: without_tenths(x) for name, (x, _) in runs.items()}
whole = {name: gaussian_distance(features_of(photo_judge, x), reference) for name, (x, _) in runs.items()}
for a, b in (("DDIM, 5 steps", "DDIM, 30 steps"), ("DDIM, 10 steps", "DDIM, 30 steps"), ("DDIM, 10 steps", "VAE")):
    difference, half = whole[a] - whole[b], 2.26 * standard_error(left_out[a] - left_out[b])  # t, 9 degrees
    verdict = "not told apart" if abs(difference) < half else f"{a if difference < 0 else b} is nearer to test images"
    print(f"{a} − {b}: {difference:+.1f} ± {half:.1f}: {verdict}")

# %%
ratio = unet_card["seconds"] / cvae_card["seconds"]
print(f"training: {cvae_card['name']} {cvae_card['seconds']:,.0f} s, {unet_card['name']} "
      f"{unet_card['seconds']:,.0f} s, {ratio:.1f} times as long, for {unet_card['parameters'] / 1e6:.1f} and "
      f"{cvae_card['parameters'] / 1e6:.1f} million parameters; one training of each")

# %%
points = {name: (runs[name][1], value, 2.26 * standard_error(left_out[name])) for name, value in whole.items()}
one_each = torch.stack([c_test[y_test == c][0] for c in range(10)])
rows = {name: x[:10] for name, (x, _) in runs.items()} | {"your U-Net": untrained, "test images": one_each}
figures.quality_and_time(points, rows, names=names, floor=floor_row[0], apart=["your U-Net", "test images"])
plt.show()

# %% [markdown]
# **Figure 24.** Quality against time, at equal numbers of images, with 95% intervals over images (not over
# trainings: there is one of each); the dotted line is the floor. Below: samples of the ten classes, those of
# DDIM from the same noise, and a test image of each class. Which model to take depends on how long one may
# wait. Each step asks the U-Net once more; what more of them bring stands above with its interval.
#
# Equal numbers of parameters are not equal cost: the U-Net uses its parameters at many more places, in
# training as in sampling, so the printed seconds belong to this figure. Where the VAE comes first by the
# number, look at the samples before you believe it. Note sharpness: the VAE shows means, and the mean of many
# possible images is blurred; each step of the diffusion model has to guess only a little. With 5 steps each
# guess must reach far. Your own U-Net, after so few steps, still leaves noise: the first that it learns is that
# images are smooth, then where things are.
#
# **And GANs?** One of the reports says that autoencoders reconstruct worse than generative adversarial
# networks ([Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661)). A plain GAN reconstructs nothing: it
# has no encoder. A generator turns noise into images, a discriminator learns to tell these from real ones,
# and the generator learns to deceive it; no pixel is compared with another, so no mean of many images pays,
# and samples are sharp. The price: no likelihood, a training of two networks against each other that may
# fail to settle, and a generator that may leave out part of the data unpunished, which recall shows.
#
# **And the autoencoders of latent diffusion?** There a U-Net works on the codes of an autoencoder
# ([Rombach et al., 2022](https://arxiv.org/abs/2112.10752)), whose loss has four parts: an error of pixels; a
# **perceptual** loss, the distance of x and x̂ in features of a trained network
# ([Zhang et al., 2018](https://arxiv.org/abs/1801.03924)); a GAN's discriminator that judges patches of x̂
# ([Esser et al., 2021](https://arxiv.org/abs/2012.09841)); and the KL with a weight of 10⁻⁶. The second and
# the third make x̂ look real and do not mind a detail in another place. The classifier's features show how.

# %%
some = c_test[:300]
other = {"shifted by one pixel": some.roll(1, 3),
         "blurred, 3 × 3 means": F.avg_pool2d(F.pad(some, (1, 1, 1, 1), "reflect"), 3, 1)}
seen = {name: features_of(photo_judge, x) - features_of(photo_judge, some) for name, x in other.items()}
nearer = {"PSNR": max(other, key=lambda name: psnr(some, other[name]).mean()),
          "features": min(seen, key=lambda name: seen[name].norm(dim=1).mean())}
print("nearer to the image, " + ", ".join(f"by {ruler}: {name}" for ruler, name in nearer.items()))
plots.table({name: {"PSNR, dB": psnr(some, x).mean().item(),
                    "distance in features": seen[name].norm(dim=1).mean().item()} for name, x in other.items()})

# %% [markdown]
# And the KL at that weight? Beside ½‖x − x̂‖² a weight w is the likelihood's σ²
# ([notebook 04](04_beta_vae.ipynb), section 4.5). A linear VAE then keeps each principal component of variance
# λ > w, at ½ log(λ/w) nats, with noise of √(w/λ) in a code of width 1 (section 4.4). We count it on test images.

# %%
widths = torch.linalg.svdvals((some - some.mean(0)).flatten(1)).double()[:-1]
lam = widths**2 / (len(some) - 1)  # variances of the principal components, the largest first
weights = {}
for name, w in {"best σ² of our VAE": (2 * cvae.log_sigma).exp().item(), "10⁻⁶": 1e-6}.items():
    live = lam[lam > w]
    weights[f"w = {name}"] = {
        "σ, grey levels": 255 * w**0.5, f"live of {len(lam)}": len(live), "nats": 0.5 * (live / w).log().sum().item(),
        "noise of the 64th": min(1, w / lam[63].item()) ** 0.5}
plots.table(weights, forms={"σ, grey levels": ".2f", "nats": ",.0f", "noise of the 64th": ".1%"})

# %% [markdown]
# At 10⁻⁶ hardly anything is charged for a code: σ is a fraction of a grey level. This is an autoencoder
# with little noise, whose KL only keeps codes from growing without end. N(0, I) is not their density, so a
# density is learned: the diffusion model, on codes that were first divided by their standard deviation.
#
# Figures from elsewhere, FID on CIFAR-10 as each paper computes it: 2.42 for a GAN with classes
# ([Karras et al., 2020](https://arxiv.org/abs/2006.06676)), 3.17 for diffusion without
# ([Ho et al., 2020](https://arxiv.org/abs/2006.11239)), 106 for a VAE
# ([Ghosh et al., 2020](https://arxiv.org/abs/1903.12436)). None of them compares with our table.
#
# ## 5.7 · What it does to people: four measurements
#
# **Consent.** The faces of CelebA were collected from the web, without asking. Who is in a training set
# may also come *out* of a model. Two things can be measured: whether a sample is a copy, and whether the
# model treats training images differently from others.

# %%
searched = faces.train.images[trained_on[: 10 * n_eval]]  # images that the model has seen
face_made = image_of(vaes[128], prior[128][:200])
near_faces = {}
for name, x in {"test faces": x_test[:200], "samples": face_made}.items():
    parts = [nearest_training(x, to_float(part), 1)[1] for part in searched.split(2_000)]
    near_faces[name] = torch.cat(parts, 1).min(1).values  # (200,)
    print(f"{name:11s} distance to the nearest of {len(searched):,} training faces: "
          f"median {near_faces[name].median():5.2f}, smallest {near_faces[name].min():.2f}")
closer = (near_faces["samples"] < near_faces["test faces"].min()).sum()
print(f"{closer} of {len(face_made)} samples are nearer to a training face than any of the test faces")

# %%
known = to_float(faces.train.images[trained_on[:1_000]])
e_known = losses.squared_error(known, image_of(vaes[128], code_of(vaes[128], known)))
e_test = losses.squared_error(x_test, image_of(vaes[128], code_of(vaes[128], x_test)))
difference = e_test.mean() - e_known.mean()
half = 1.96 * (e_test.var() / len(e_test) + e_known.var() / len(e_known)).sqrt()
print(f"squared error of reconstruction: training {e_known.mean():.1f}, test {e_test.mean():.1f}; "
      f"difference {difference:+.2f} ± {half:.2f}")
print("The interval " + ("excludes 0: the model knows its training faces a little."
                         if difference > half else "does not show that it knows its training faces."))

# %% [markdown]
# A sample much nearer to a training face than test faces are would be a reason to look; a plain or blurred
# sample is near to many faces without being a copy. A model that sees one image per class (section 5.4)
# comes to return its training images: few images, many steps, and a person who never agreed is published with every
# sample. A gap between the errors on training and test images is the weaker sign of the same thing; from it
# one can guess who was in the training set (membership inference). Both belong into the report of any model of
# people, the gap with its interval.
#
# **Groups.** One mean error hides on whom the errors fall.
#
# ### Exercise 8 · `group_report`
#
# *Difficulty ●●○ · importance ●●● · 12 minutes.* The mean error of each group, with a 95% interval of
# this mean, mean ± 1.96 s/√n. The factor 1.96 belongs to large groups: from 30 images on the interval holds
# the true mean of normal errors in 94 to 95% of all cases, with 5 images in 88%, with 2 in 70%. Small groups
# need the wider intervals of Student's t; below we meet one of three.
#
# <details><summary>Hint 1</summary>
#
# The spread of single errors does not shrink with more images; the uncertainty of their *mean* does,
# as 1/√n with n the size of the group.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `groups.unique().tolist()` gives the groups. `.std()` of a tensor divides by n − 1.
#
# </details>

# %% exercise="group_report"
def group_report(errors: Tensor, groups: Tensor) -> dict[int, tuple[float, float, float]]:
    """Mean error of each group with its 95% interval: (mean, low, high), mean ± 1.96 s / √n.

    errors: (N,); groups: (N,) whole numbers, each at least twice, for 95% about 30 times. s is the
    standard deviation with n − 1, n the size of the group.
    """
    ### BEGIN SOLUTION
    report = {}
    for group in groups.unique().tolist():
        own = errors[groups == group]
        mean, half = own.mean().item(), 1.96 * own.std().item() / math.sqrt(len(own))
        report[int(group)] = (mean, mean - half, mean + half)
    return report
    ### END SOLUTION


# %% check="group_report"
group_report = check("group_report", group_report)

# %%
groups = {}
for name, i in column.items():
    groups[name] = group_report(e_test, flags_test[:, i])
group_sizes = {name: int(flags_test[:, i].sum()) for name, i in column.items()}
apart = [figures.words(name) for name, r in groups.items() if r[0][1] > r[1][2] or r[1][1] > r[0][2]]
print(f"Intervals that do not overlap: {', '.join(apart) or 'none'}")

# %%
figures.groups_of_people(groups, group_sizes, total=len(flags_test))
plt.show()

# %% [markdown]
# **Figure 25.** Error of reconstruction in groups of test faces, with 95% intervals; where a group has
# fewer than 30, they are too narrow. But a difference has two possible causes: the group may be *harder* to draw,
# or it may have been *rare* in training. This figure cannot tell them apart; an experiment can.
#
# We train the same small autoencoder on equally many faces at 32 × 32: with half of them, and with only one in
# fifty, from the group. Short trainings end at different overall errors, so we look at the ratio of the
# group's mean error to that of the others under the same model, on the same test images. Another training ends
# elsewhere, with other images and another start: what images alone could not tell is told by three
# trainings of each arm, and the interval is over trainings.

# %% [markdown]
# **Prediction.** If the group's error was equal to that of the others (ratio 1) when it was half of the
# training set, what will the ratio be when it is one in fifty?
#
# ✎ *Double-click here and write your answer:*

# %%
scarce = "Pale_Skin" if "Pale_Skin" in chosen else chosen[0]
has_it = faces.train.factors[:, column[scarce]] == 1
inside, outside = has_it.nonzero()[:, 0], (~has_it).nonzero()[:, 0]
n_group = min(2_000, len(inside), len(outside))


def smaller(images: Tensor) -> Tensor:
    """Means of 2 × 2 pixels, as bytes: (N, 3, 64, 64) to (N, 3, 32, 32)."""
    return F.avg_pool2d(images.float(), 2).round().byte()


def faces_with(share: float, generator: torch.Generator) -> datasets.Split:
    """n_group faces drawn at random, this share of them from the group, at 32 × 32."""
    few = max(1, round(share * n_group))
    mine = inside[torch.randperm(len(inside), generator=generator)[:few]]
    theirs = outside[torch.randperm(len(outside), generator=generator)[: n_group - few]]
    return datasets.Split(smaller(faces.train.images[torch.cat([mine, theirs])]))

# %%
small_test = to_float(smaller(faces.test.images[:n_eval]))
member = faces.test.factors[: len(small_test), column[scarce]]
ratios, as_rebuilt = {"half": [], "one in fifty": []}, {"half": [], "one in fifty": []}
for training in range(3):
    for name, share in {"half": 0.5, "one in fifty": 0.02}.items():
        draw = torch.Generator().manual_seed(training)
        torch.manual_seed(training)
        small = models.ConvAutoencoder(64, size=32, width=16)
        *_, record = steps_of(small, losses.autoencoder_objective, faces_with(share, draw),
                              steps=group_steps, batch_size=24, seed=training)
        small = small.cpu().eval()
        x_hat = image_of(small, code_of(small, small_test))
        e = losses.squared_error(small_test, x_hat)
        as_rebuilt[name].append(x_hat[member == 1])
        ratios[name].append((e[member == 1].mean() / e[member == 0].mean()).item())
    print(f"training {training + 1}: ratio {ratios['half'][-1]:.3f} with half, "
          f"{ratios['one in fifty'][-1]:.3f} with one in fifty; {record.step} steps each")

# %%
change = torch.tensor(ratios["one in fifty"]) - torch.tensor(ratios["half"])  # (3,)
half_width = 4.30 * change.std() / 3**0.5  # Student's t of three values, in place of 1.96
print(f"with {figures.words(scarce)}: the ratio changes by {change.mean():+.3f} ± {half_width:.3f}: "
      + ("being rare costs the group." if change.mean() > half_width else
         "three short trainings do not settle it."))
settings.short_run_note("the faces below")
own = small_test[member == 1]  # (M, 3, 32, 32)
by_share = {name: torch.stack(each) for name, each in as_rebuilt.items()}  # (3, M, 3, 32, 32)
lost = {name: ((x - own) ** 2).sum((0, 2, 3, 4)) for name, x in by_share.items()}
most = (lost["one in fifty"] - lost["half"]).argsort(descending=True)[:8]  # where the error grew most
rows = {f"test faces,\n{figures.words(scarce)}": own[most]}
rows |= {f"{name}\nof the training": x.mean(0)[most] for name, x in by_share.items()}
mean_ratios = {f"{name}\nof the training": sum(each) / len(each) for name, each in ratios.items()}

# %%
figures.rare_group(rows, mean_ratios, change=change.mean().item(), half=half_width.item())
plt.show()

# %% [markdown]
# **Figure 26.** The eight test faces of the group whose error grew most, and the means of what three models
# make of each: the group was half of their training set, or one in fifty. The numbers are the group's error
# relative to that of the others, means of three trainings; above stands their change, with an interval over
# trainings. The test faces are the same, only their share in training has changed. Compare the skin in the two
# rows. Where the interval lies above 0, being rare has a cost. On real people
# that means: with somebody else's features.
#
# **Provenance.** Whoever publishes generated images should mark them. We try three marks: a text in the
# PNG file, bits hidden in the lowest bit of each blue value, and a visible checkered corner.

# %% [markdown]
# **Prediction.** Which of the three survives PNG, which a JPEG copy, which a copy at half the size?
#
# ✎ *Double-click here and write your answer:*

# %%
from PIL import Image
from PIL.PngImagePlugin import PngInfo

NOTE = "generated by faces-vae-128"
BITS = torch.tensor([int(bit) for byte in NOTE.encode() for bit in f"{byte:08b}"])  # (K,)
BOARD = 255 * ((torch.arange(8)[:, None] // 2 + torch.arange(8) // 2) % 2).byte()  # (8, 8)


def marked(x: Tensor) -> bytes:
    """A PNG file of x (3, H, W) in [0, 1] with all three marks."""
    image = (255 * x).round().byte()
    image[:, -8:, -8:] = BOARD
    blue = image[2].flatten()
    blue[: 8 * len(BITS)] = blue[: 8 * len(BITS)] // 2 * 2 + BITS.repeat(8).byte()  # eight copies
    text, file = PngInfo(), io.BytesIO()
    text.add_text("Source", NOTE)
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "PNG", pnginfo=text)
    return file.getvalue()

# %%
def found(data: bytes) -> tuple[bool, bool, bool]:
    """Which marks a file still holds: text, hidden bits, visible corner."""
    picture = Image.open(io.BytesIO(data))
    image = torch.frombuffer(bytearray(picture.convert("RGB").resize((64, 64)).tobytes()), dtype=torch.uint8)
    image = image.view(64, 64, 3)
    bits = (image[..., 2].flatten()[: 8 * len(BITS)] % 2).view(8, -1).float().mean(0).round()
    corner, board = image[-8:, -8:].float().mean(2), BOARD.float()
    alike = torch.corrcoef(torch.stack([corner.flatten(), board.flatten()]))[0, 1]
    return NOTE in picture.info.values(), (bits == BITS).all().item(), (alike > 0.6).item()

# %%
def again(data: bytes, kind: str, side: int = 64, **options) -> bytes:
    """What another program makes of the file: opened, perhaps resized, and saved anew."""
    file = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").resize((side, side)).save(file, kind, **options)
    return file.getvalue()


copies = {
    "the file itself": lambda data: data,
    "saved again as PNG": lambda data: again(data, "PNG"),
    "JPEG, quality 95": lambda data: again(data, "JPEG", quality=95),
    "JPEG, quality 50": lambda data: again(data, "JPEG", quality=50),
    "PNG at half the size": lambda data: again(data, "PNG", side=32),
}

# %%
files = [marked(x) for x in face_made[:100]]
unmarked = [again(data, "PNG") for data in (plots.to_png(x) for x in x_test[:100])]
kept = {name: [found(copy(data)) for data in files] for name, copy in copies.items()}
kept["test faces, not marked"] = [found(data) for data in unmarked]
what = ["text", "hidden bits", "visible corner"]
shares = torch.tensor([[sum(marks) / len(each) for marks in zip(*each)] for each in kept.values()]).T  # (3, 6)


def opened(data: bytes) -> Tensor:
    """The pixels of a file, at 64 × 64: (3, 64, 64), bytes."""
    picture = Image.open(io.BytesIO(data)).convert("RGB").resize((64, 64), Image.NEAREST)
    return torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(64, 64, 3).movedim(2, 0)

# %%
looks = {name: opened(copy(files[0])) for name, copy in copies.items()}
looks["test face, not marked"] = opened(unmarked[0])
lowest_bits = {name: (255 * (x[2] % 2)).expand(3, -1, -1) for name, x in looks.items()}
figures.marks(looks, lowest_bits, shares, kinds=what)
plt.show()

# %% [markdown]
# **Figure 27.** A marked sample, its copies, and a face that nobody marked; the lowest bit of their blue; and
# the share of files that keep each mark. Note that the hidden bits, eight times the same, cannot be seen in the
# picture and do not last: saving as JPEG rounds them away. The text lives in the file, not in the picture, so any
# program that copies pixels drops it. The visible corner lasts longest, and anybody can cut it off. No
# mark of these withstands intent; they help the honest. Marks that last are a subject of research, and
# signed records of origin (C2PA) protect by what a file *proves*, not by what it hides.
#
# **Misuse.** Section 5.3 already holds it: encode a photograph of a person, add a vector, decode. It took
# no special knowledge and milliseconds. With 64 × 64 cartoon faces that is harmless; the same few lines
# on a real face make a picture of somebody doing what they never did. Two questions decide, and no
# metric answers them: did the person agree, and is the viewer told?
#
# **Write down:** for the model that you would publish, the four measurements of this section, each in one
# line with its number.
#
# ✎ *Double-click here and write your answer:*
#
# ## 5.8 · What we have seen
#
# - A ruler sees what its features had to tell. Measure the ruler first, and print floor and ceilings with it.
# - The likelihood is a choice. σ = 1 hides a strong β; the optimal σ needs no tuning. Whether its samples win
#   depends on how well the prior matches the codes, and is to be measured, over several trainings.
# - Directions in the code edit images, with side effects that probes can measure. lerp and low
#   temperatures make images plain: precision and recall keep fidelity and variety apart.
# - One class or many: compare at equal numbers of images, on unseen ones. A model of one image per class
#   generates copies. A decoder listens to a class where that saves nats: tell it a wrong one to find out.
# - PSNR and SSIM are for pairs, at the right range. Fréchet and kernel distance are for sets, with the same
#   N everywhere, a floor and ceilings. The nearest training image belongs beside them.
# - Diffusion buys sharpness with time, step by step.
# - Consent, groups, provenance and misuse can be measured, in part, and what can be measured should be.
#
# **To think about.** (1) A report prints "FID 3.1 on our own features, 500 samples". Which three questions
# do you ask? (2) A VAE's samples become better when z is drawn at τ = 0.8. Does the ELBO change? (3) A
# company removes a person's photographs from its training set and keeps the model. What remains? (4) Which
# likelihood would you take for faces whose codes you only ever sample from a fitted Gaussian?
#
# <details><summary>Some answers</summary>
#
# (1) Which network gave the features, and what it had to tell; what 500 real images get against the same
# reference; how near the samples are to training images. (2) No: τ changes how we sample, not p(x); the ELBO still belongs to
# τ = 1. (3) Whatever the weights hold: section 5.4 shows that it can be the image itself. Only retraining
# without it, or a proof that its influence is gone, removes it. (4) The one with the smallest distance in
# the last column of section 5.2: the prior then no longer matters.
#
# </details>
#
# **Sources.** [Kingma & Welling 2014](https://arxiv.org/abs/1312.6114), *Auto-encoding variational
# Bayes* · [Rybkin, Daniilidis & Levine 2021](https://arxiv.org/abs/2006.13202),
# *Simple and effective VAE training with calibrated decoders* ·
# [Ghosh et al. 2020](https://arxiv.org/abs/1903.12436), *From variational to
# deterministic autoencoders* · [Liu et al. 2015](https://arxiv.org/abs/1411.7766), *Deep learning
# face attributes in the wild* (CelebA) ·
# [Krizhevsky 2009](https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf), *Learning
# multiple layers of features from tiny images* (CIFAR-10).
#
# Of measures and methods: [Wang et al. 2004](https://doi.org/10.1109/TIP.2003.819861)
# (SSIM) · [Heusel et al. 2017](https://arxiv.org/abs/1706.08500) (FID) ·
# [Bińkowski et al. 2018](https://arxiv.org/abs/1801.01401) (KID) ·
# [Kynkäänniemi et al. 2019](https://arxiv.org/abs/1904.06991) (precision and recall) ·
# [Ho, Jain & Abbeel 2020](https://arxiv.org/abs/2006.11239) (DDPM) ·
# [Salimans & Ho 2022](https://arxiv.org/abs/2202.00512), *Progressive distillation for fast
# sampling of diffusion models* · [Song, Meng & Ermon 2021](https://arxiv.org/abs/2010.02502) (DDIM)
# · [Shoemake 1985](https://doi.org/10.1145/325334.325242) (slerp) ·
# [Dowson & Landau 1982](https://doi.org/10.1016/0047-259X%2882%2990077-X) (distance of Gaussians).
#
# *Where next:* a vector-quantised VAE with a prior over its codes, and latent diffusion, which puts the
# model of section 5.6 on the codes of section 5.1.
