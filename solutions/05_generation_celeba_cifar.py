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
# | 150 minutes, 8 exercises | ●●○ to ●●● | notebooks [02](02_convolutional_autoencoder.ipynb) and [03](03_variational_autoencoder.ipynb); from 04: rate, distortion, active units |
#
# Some models here took longer to train than a notebook may last. They come with the course, each
# with a card that says how it was made, and you train a small one of each kind yourself. Unsolved
# exercises do not stop the notebook.

# %% setup=true

# %% tags=["parameters"]
seed = 0
n_eval = 1_000
n_diffusion = 300
face_steps = 400
fallback_steps = 120
class_steps = 700
diffusion_steps = 250
group_steps = 300

# %%
import io
import math
import time
from collections.abc import Callable, Iterable

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import kl_divergence

from course_lib import checkpoints, datasets, diffusion, losses, models, plots, widgets
from course_lib.codes import code_of, drawn_codes, gaussian_codes, image_of
from course_lib.exercises import check
from course_lib.metrics import feature_statistics, features_of, kernel_distance, psnr, ssim
from course_lib.pretrained import find as fitting, load_or_train
from course_lib.settings import shortened
from course_lib.training import steps_of, to_float

# %%
plots.use_course_style()
torch.manual_seed(seed)
rng = torch.Generator().manual_seed(seed)
full = (n_eval, n_diffusion, face_steps, fallback_steps, class_steps, diffusion_steps, group_steps)
n_eval, n_diffusion, face_steps, fallback_steps, class_steps, diffusion_steps, group_steps = shortened(
    full, (300, 60, 30, 15, 120, 40, 40))

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
fig, ax = plt.subplots(figsize=(11, 2.9))
plots.image_grid(faces.train.images[:24], ax, columns=12)
plt.show()

# %% [markdown]
# **Figure 1.** Training images, 12,288 numbers each. Note what varies: colours of large areas, the
# turn of the head, and small things such as glasses. Squared error sees them in this order.
#
# Autoencoder and VAE share their layers. Four convolutions lead to a grid of 8 × 8 places, a linear
# layer to the code of n numbers; a linear layer and four convolutions lead back, with pixel shuffle
# ([notebook 02](02_convolutional_autoencoder.ipynb)) where the image grows. Only n differs between
# the models, 20, 128 or 1024, and the VAE
# has a second linear layer, for log σ².
#
# Each of the six was trained beforehand, on the data and for the seconds that its card names. Where
# other faces are at hand, such a model would be a stranger to them. Then we train one of the same kind
# here, for `fallback_steps` steps: rougher, but on the right images.

# %%
sizes = [20, 128, 1024]
aes, vaes, cards = {}, {}, {}
for n in sizes:
    aes[n], cards["AE", n], _ = load_or_train(f"-ae-{n}", faces, steps=fallback_steps, seed=seed)
    vaes[n], cards["VAE", n], trained_on = load_or_train(f"-vae-{n}", faces, steps=fallback_steps, seed=seed)
for (kind, n), card in cards.items():
    print(f"{kind:3s} n = {n:4d}: {card['parameters']:9,} parameters, {card['seconds']:5.0f} s of training, "
          f"{card['source']}")

# %% [markdown]
# `code_of(model, x)` and `image_of(model, z)` hide the difference between a code and a distribution
# over codes: of a VAE they take the means. (In the comments d stands for n, the number of latents.)
#
# **Prediction.** Which of the six has the smallest error, and does the VAE with 1024 latents hold eight
# times as many nats as that with 128? A latent counts as active where its posterior mean varies, as in
# [notebook 04](04_beta_vae.ipynb).
#
# ✎ *Double-click here and write your answer:*

# %%
rebuilt, error = {}, {}
for kind, group in {"AE": aes, "VAE": vaes}.items():
    for n, model in group.items():
        x_hat = image_of(model, code_of(model, x_test))
        rebuilt[f"{kind}, n = {n}"] = x_hat[:12]
        error[kind, n] = losses.squared_error(x_test, x_hat).mean()
print("         n   squared error AE, VAE   KL of the VAE   active latents")
for n in sizes:
    mu = code_of(vaes[n], x_test)
    kl = kl_divergence(vaes[n].encode(x_test[:250]), losses.standard_normal(mu[:250])).sum(1).mean()
    active = (mu.var(0) > 0.01).sum()
    print(f"      {n:4d}   {error['AE', n]:11.1f} {error['VAE', n]:10.1f} {kl:13.1f} nats {active:12d}")

# %%
fig, ax = plt.subplots(figsize=(11, 6.6))
plots.image_rows({"test image": x_test[:12], **rebuilt}, ax)
plt.show()

# %% [markdown]
# **Figure 2.** Test images and what the six models make of them. Note what is there, colours, hair,
# shoulders, and what is not: eyes and glasses melt into a bar, since they are few of the 12,288
# numbers. Where the error hardly falls from one n to the next, the code is not what is missing: it is
# the decoder, or the training. And note that "active" says little: a latent counts as soon as it
# varies. The KL says how much the code holds, in nats, whatever n is.
#
# Now codes that belong to no image. An autoencoder was never asked to make its codes look like
# N(0, I), so feeding it such noise is a strawman. The fair opponent fits a density to the codes
# first ([Ghosh et al., 2020](https://arxiv.org/abs/1903.12436)): one Gaussian, or a mixture of ten.

# %%
from sklearn.mixture import GaussianMixture

x_fit = to_float(faces.train.images[:4_000])
fitted = {n: code_of(aes[n], x_fit) for n in sizes}  # (N, n)

# %%
mixture = GaussianMixture(min(10, len(x_fit) // 20), tol=0.01, reg_covar=1e-3, random_state=seed)
mixture.fit(fitted[128].double())
drawn = torch.from_numpy(mixture.sample(len(x_test))[0]).float()
drawn = drawn[torch.randperm(len(drawn), generator=rng)]
prior = {n: torch.randn(len(x_test), n, generator=rng) for n in sizes}

# %%
dreams = {f"AE {n}, N(0, I)": (aes[n], prior[n]) for n in sizes}  # a model and codes for it
dreams |= {f"AE {n}, Gaussian": (aes[n], gaussian_codes(fitted[n], len(x_test), generator=rng)) for n in sizes}
dreams["AE 128, mixture"] = (aes[128], drawn)
dreams |= {f"VAE {n}, N(0, I)": (vaes[n], prior[n]) for n in sizes}
own_codes = drawn_codes(vaes[128], x_fit, generator=rng)
dreams["VAE 128, Gaussian"] = (vaes[128], gaussian_codes(own_codes, len(x_test), generator=rng))

# %%
fig, ax = plt.subplots(figsize=(11, 10))
plots.image_rows({name: image_of(model, z[:12]) for name, (model, z) in dreams.items()}, ax)
plt.show()

# %% [markdown]
# **Figure 3.** Decoded random codes. Note the first three rows, the strawman, and the rows below: with
# a density fitted to its codes the same decoder draws faces. The last row does the same for a VAE. Its
# recipe gives each latent mean 0 and variance 1 over the images, as the prior has; what is left for a
# Gaussian to learn is how latents depend on each other. Section 5.2 puts numbers on the rows.
#
# How did training go? The cards keep the curves.

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 3.6))
for ax, kind, label in zip(axes, ("AE", "VAE"), ("squared error per image", "−ELBO (nats per image)")):
    for n, colour, marker in zip(sizes, plots.PALETTE, plots.CLASS_MARKERS):
        for part, curve in cards[kind, n]["curve"].items():
            style = {"linestyle": ":"} if part == "train" else {"marker": marker}
            every = cards[kind, n].get("every", 1)  # steps, of models trained here
            place = range(every, every * len(curve) + 1, every)
            ax.plot(place, curve, color=colour, label=f"n = {n}, {part}", **style)
    second = [curve[1] for n in sizes for curve in cards[kind, n]["curve"].values()]
    ax.set(xlabel="step" if "every" in cards[kind, 20] else "epoch", ylabel=label)
    ax.set_ylim(top=max(second))
    ax.legend(fontsize=9)
    ax.set_title(kind)
plt.show()

# %% [markdown]
# **Figure 4.** Training curves from the cards: solid with markers on validation images, dotted on training
# images (their mean over an epoch, so they lag behind; the first epoch is cut off). Note the units: an
# autoencoder's squared error and a VAE's nats cannot share an axis. A validation curve that turned
# upwards for good while the dotted one falls would say that a model learns its training images by heart.
#
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
# model's. The objective returns it beside the two terms and changes nothing.
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
# **Prediction.** We train this VAE now, for `face_steps` steps. At σ = 1 the Gaussian of a pixel is
# wider than the whole range of grey values. Where will σ be at the end: near 0.5, 0.1 or 0.01?
# (The loop below writes each step's σ into the model, so that it keeps the last one.)
#
# ✎ *Double-click here and write your answer:*

# %%
history = []
for record in steps_of(own, objective, faces.train, steps=face_steps, seed=seed):
    own.log_sigma.fill_(record.terms["log_sigma"])
    history.append((record.step, record.loss, own.log_sigma.exp().item(), record.terms["kl"]))
own = own.cpu().eval().requires_grad_(False)
step, loss, sigmas, rates = zip(*history)
print(f"after {step[-1]} steps, {record.seconds:.0f} s: σ = {sigmas[-1]:.3f}, KL = {rates[-1]:.1f} nats")
for name, model in {"yours": own, "that of section 5.1": vaes[128]}.items():
    decibels = psnr(x_test, image_of(model, code_of(model, x_test))).mean()
    print(f"PSNR of reconstructions, {name}: {decibels:.1f} dB")

# %%
fig, axes = plt.subplots(1, 3, figsize=(11, 3.4))
shown = {"−ELBO (nats per image)": loss, "σ": sigmas, "KL (nats per image)": rates}
for ax, (name, values) in zip(axes, shown.items()):
    plots.curves({name: (step, values)}, ax, x_label="step", y_label=name)
    ax.get_legend().remove()
axes[0].set_ylim(top=max(loss[len(loss) // 10:]))
plt.show()

# %% [markdown]
# **Figure 5.** Your own training. Note σ: it falls as reconstructions get better, and each fall makes
# errors dearer against the KL. So the KL, at first near 0, rises: the model tunes its own β. A density
# above 1 has a positive logarithm, so −ELBO may pass below zero.
#
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
# The features come from the course's own classifiers of 32 × 32 images, one of cartoon faces and one of
# photographs, so we say **Fréchet distance on course features** and never FID: that name belongs to one
# network, one size and one number of images, and values from different networks cannot be compared.
# Our 64 × 64 faces are first brought to 32 × 32.
#
# A number alone means nothing. The **floor** is what real images get against other real images of the
# same number; **ceilings** are what images get that anybody would call bad.

# %%
judge, card = checkpoints.load("faces32-classifier" if faces.stand_in else "cifar10-classifier")
print(f"features of a classifier of {card['source']}, accuracy {card['test']['accuracy']:.1%}")


def distance(x: Tensor, reference: tuple[Tensor, Tensor]) -> float:
    """Fréchet distance on course features from images x to the (mean, covariance) of others."""
    return frechet_distance(*feature_statistics(features_of(judge, x)), *reference)


# %%
to_test = feature_statistics(features_of(judge, x_test))
some = torch.randperm(len(faces.train), generator=rng)[: len(x_test)]
x_train = to_float(faces.train.images[some])
ruler = {
    "training images": x_train,
    "8 × 8 means": F.interpolate(F.avg_pool2d(x_test, 8), scale_factor=8.0),
    "one mean image": x_train.mean(0).expand_as(x_test) + 0.01 * torch.randn(x_test.shape, generator=rng),
    "noise": torch.rand(x_test.shape, generator=rng),
}
ruler = {name: distance(x, to_test) for name, x in ruler.items()}
ruler |= {name: distance(image_of(model, z), to_test) for name, (model, z) in dreams.items()}
for name, value in ruler.items():
    print(f"{name:18s} {value:8.2f}")

# %% [markdown]
# The first line is the floor; no generator can be expected below it. Find the strawman of Figure 3,
# and what a density fitted to the same codes does to its number, for a decoder that nobody changed. Then
# compare the VAE of 128 latents with itself: the prior is what it promises to match, and a Gaussian with
# the covariance of its codes tells how far it has kept the promise.
#
# Now three VAEs with n = 128, the same layers and the same training, which differ in nothing but the
# likelihood: cross-entropy, Gaussian with σ = 1, Gaussian with the optimal σ.
#
# **Prediction.** Which of the three has the largest KL, which the best reconstructions, and which the best
# samples?
#
# ✎ *Double-click here and write your answer:*

# %%
likelihoods = {"optimal σ": vaes[128]}
for name, ending in {"cross-entropy": "-ce", "σ = 1": "-fixed"}.items():
    likelihoods[name] = load_or_train(f"-vae-128{ending}", faces, steps=fallback_steps, seed=seed).model


def drawn_thrice(vae: nn.Module, codes: Callable[[], Tensor]) -> Tensor:
    """Fréchet distances of three sets of samples, each from codes drawn anew, (3,)."""
    return torch.tensor([distance(image_of(vae, codes()), to_test) for _ in range(3)])


# %%
seen, made, table, N = {}, {}, {}, len(x_test)
for name, vae in likelihoods.items():
    x_hat, codes = image_of(vae, code_of(vae, x_test)), drawn_codes(vae, x_fit, generator=rng)
    q_z = vae.encode(x_test[:500])
    table[name] = {
        "KL": kl_divergence(q_z, losses.standard_normal(q_z.mean)).sum(1).mean().item(),
        "error": ((x_test - x_hat) ** 2).mean().sqrt().item(), "x̂": distance(x_hat, to_test),
        "prior": drawn_thrice(vae, lambda: torch.randn(N, 128, generator=rng)),
        "fitted": drawn_thrice(vae, lambda codes=codes: gaussian_codes(codes, N, generator=rng)),
    }
    seen[f"{name}, x̂"], made[f"{name}, sample"] = x_hat[:12], image_of(vae, prior[128][:12])

# %%
print("                                       Fréchet distance, and ± half the range of three draws")
print("                  KL   root of MSE       x̂        z ~ N(0, I)      z ~ fitted Gaussian")
for name, row in table.items():
    p, f = ((x.mean(), (x.max() - x.min()) / 2) for x in (row["prior"], row["fitted"]))
    print(f"{name:14s} {row['KL']:5.1f} {row['error']:13.4f} {row['x̂']:8.1f} "
          f"{p[0]:12.1f} ± {p[1]:.1f} {f[0]:18.1f} ± {f[1]:.1f}")
print(f"floor {ruler['training images']:.1f}; {N:,} images on each side")

# %% [markdown]
# The optimal σ needs nothing to be tuned and has the largest KL and the best reconstructions. Do its
# *samples* win as well? On our cartoon faces they do not: by the column z ~ N(0, I) it is the worst of the
# three. A code that holds many nats is harder to match by N(0, I): its latents depend on each other, and
# independent draws miss the combinations that occur. The two others hold less and match the prior better;
# which of them leads is a matter of a few units, about what another draw changes.
#
# The last column tests this explanation. With a Gaussian fitted to the codes, dependences included, the
# optimal σ wins clearly, and its distance falls towards that of its own reconstructions. To the two others
# the fit brings nothing: their prior was matched. What the optimal σ lacks is a density, not a decoder.

# %%
fig, ax = plt.subplots(figsize=(11, 6.2))
plots.image_rows({"test image": x_test[:12]} | seen | made, ax)
plt.show()

# %% [markdown]
# **Figure 6.** Reconstructions, and samples from the same codes z ~ N(0, I), under three likelihoods.
# Note the row σ = 1, the planned failure: an error of 0.1 in every pixel costs ½ · 12,288 · 0.01 = 61
# nats there, at σ = 0.05 it costs 400 times as much. So with σ = 1 a nat of code must buy a lot of
# error, small things are not worth their price, and the KL stays low. It is a β-VAE with β = 1/σ*²,
# though nobody wrote a β. All samples are means x̂; noise of width σ would have to be added to them to
# sample p(x).
#
# [Rybkin et al. (2021)](https://arxiv.org/abs/2006.13202) report the opposite order on CelebA,
# 186.5 for σ = 1 and 60.3 for the optimal σ, by
# another distance (FID), with a larger, hierarchical VAE and 32 × 32 pixels. Both are measurements.
# A choice of likelihood is judged on the data at hand, and one that wins at x̂ need not win at samples.
#
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
vae = vaes[128]
z_train, flags = code_of(vae, x_fit), faces.train.factors[: len(x_fit)]  # (N, d), (N, A)
wanted = ["Blond_Hair", "Pale_Skin", "Bald", "Eyeglasses", "Black_Hair", "Mustache"]
flags_test = faces.test.factors[: len(x_test)]
counts = zip(flags.sum(0), (1 - flags).sum(0), flags_test.sum(0), (1 - flags_test).sum(0))
both = [name for name, known in zip(faces.factor_names, counts) if min(known) > 1]
chosen = [name for name in wanted if name in both] or both[:6]
column = {name: faces.factor_names.index(name) for name in chosen}
vectors, units = {}, {}
for name, i in column.items():
    vectors[name] = attribute_vector(z_train, flags[:, i])
    with_it, without = (z_train[flags[:, i] == value] @ vectors[name] for value in (1, 0))
    units[name] = (with_it.mean() - without.mean()).item()
    print(f"{name:20s} {flags[:, i].float().mean():6.1%} have it; unit of strength {units[name]:.2f}")

# %% [markdown]
# A strength of 1 moves a face by the whole distance between the two means. We add twice that.
#
# **Prediction.** Look at the reconstructions in Figure 6 again. Which of these attributes can an arrow
# add, and which can it not? On photographs attributes go together: what would the arrow of a moustache
# do to a face of CelebA, besides the moustache?
#
# ✎ *Double-click here and write your answer:*

# %%
z_test = code_of(vae, x_test)
bare = {name: (flags_test[:, i] == 0).nonzero()[:200, 0] for name, i in column.items()}
plain = {name: image_of(vae, z_test[bare[name]]) for name in chosen}
edited = {name: image_of(vae, z_test[bare[name]] + 2 * units[name] * vectors[name]) for name in chosen}
shown = chosen[:4]
count = min(10, *(len(bare[name]) for name in shown))
rows = {}
for name in shown:
    rows |= {f"no {name}": plain[name][:count], f"+ 2 {name}": edited[name][:count]}

# %%
fig, ax = plt.subplots(figsize=(11, 8.2))
plots.image_rows(rows, ax)
plt.show()

# %% [markdown]
# **Figure 7.** Faces without an attribute, as the VAE rebuilds them, and below with twice the unit of
# its vector added. Note what else changes, and what hardly changes for the eye: of glasses the
# reconstructions keep a shadow, and an arrow can add no more than that.
#
# The eye is kind to such pictures. We ask probes: for each attribute a logistic regression on small
# copies of the images, fitted on training images. How much more likely does it find each attribute,
# the named one and the others, after an edit than before?

# %%
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

lens = PCA(min(200, len(x_fit) // 2), whiten=True, random_state=seed)
lens.fit(F.avg_pool2d(x_fit, 4).flatten(1))


def seen_by_probes(x: Tensor) -> Tensor:
    """Principal components of images at 16 × 16 pixels: (N, 3, 64, 64) to (N, 200)."""
    return torch.from_numpy(lens.transform(F.avg_pool2d(x, 4).flatten(1)))


# %%
probes, phi_fit, phi_test = {}, seen_by_probes(x_fit), seen_by_probes(x_test)
for name, i in column.items():
    probes[name] = LogisticRegression(C=0.1, max_iter=300).fit(phi_fit, flags[:, i])
    often = max(flags_test[:, i].float().mean(), 1 - flags_test[:, i].float().mean())
    print(f"{name:12s} probe right on {probes[name].score(phi_test, flags_test[:, i]):.1%} of test images, "
          f"always the more frequent answer on {often:.1%}")

# %%
effect = torch.zeros(len(chosen), len(chosen))  # row: added, column: found
for i, added in enumerate(chosen):
    before, after = seen_by_probes(plain[added]), seen_by_probes(edited[added])
    for j, found in enumerate(chosen):
        gain = probes[found].predict_proba(after) - probes[found].predict_proba(before)
        effect[i, j] = gain[:, 1].mean()
named = effect.diagonal()
others = (effect - torch.diag(named)).abs().max(1).values
for name, own_probe, other in zip(chosen, named, others):
    print(f"+ 2 {name:12s} its own probe {own_probe:+.2f}, the most moved of the others {other:.2f}")

# %%
fig, ax = plt.subplots(figsize=(7.5, 5))
drawing = ax.imshow(effect, cmap="PuOr", vmin=-1, vmax=1)
ax.set_xticks(range(len(chosen)), chosen, rotation=30, ha="right")
ax.set_yticks(range(len(chosen)), [f"+ 2 {name}" for name in chosen])
ax.grid(False)
fig.colorbar(drawing, label="change in the probe's probability")
plt.show()

# %% [markdown]
# **Figure 8.** What each edit (row) does to each probe (column). A perfect set of directions would
# colour the diagonal alone. Some side effects are no fault: who gets blond hair loses black hair. Others
# are: a mean over faces picks up whatever goes together with the attribute, in the data or in a code
# that was never asked to keep attributes apart. A weak probe hides effects; how good it is stands above.
#
# Move several attributes of one face yourself.

# %%
walk = widgets.attributes(x_test[:8], lambda x: code_of(vaes[128], x),
                          lambda z: image_of(vaes[128], z), vectors, units=units, seed=seed)
walk

# %% [markdown]
# **Figure 9.** A test face, its reconstruction, and the face with your attributes, in units of the
# distance between the means. Note where it breaks: far out, faces leave what the decoder has seen. Note
# also how little it takes to change somebody's face; section 5.7 comes back to this.
#
# Between two codes there is more than one way. The straight line (lerp) passes through places where
# the prior hardly ever samples: in d dimensions N(0, I) lives near the sphere of radius √d, and the
# middle of two independent draws has length √(d/2).
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
# We try it on the VAE with n = 20, the one whose samples from the prior are nearest to faces: find its row
# in the list of distances above.
#
# **Prediction.** Halfway between two draws from N(0, I): whose images come closer to real faces by
# the Fréchet distance, those of lerp, or those of slerp? And which look better to you?
#
# ✎ *Double-click here and write your answer:*

# %%
vae, a = vaes[20], prior[20]
b = torch.randn(a.shape, generator=rng)
halfway = {
    "ends": a,
    "lerp": (a + b) / 2,
    "slerp": torch.stack([slerp(start, end, 0.5) for start, end in zip(a, b)]),
}
for name, codes in halfway.items():
    value = distance(image_of(vae, codes), to_test)
    print(f"{name:6s} mean length {codes.norm(dim=1).mean():5.2f}, Fréchet distance {value:6.2f}")
print(f"√20 = {20**0.5:.2f}, √10 = {10**0.5:.2f}")

# %%
t = torch.linspace(0, 1, 11)
ways = {}
for i in (0, 1):
    ways[f"lerp, pair {i + 1}"] = torch.stack([(1 - s) * a[i] + s * b[i] for s in t])
    ways[f"slerp, pair {i + 1}"] = torch.stack([slerp(a[i], b[i], s.item()) for s in t])
fig, ax = plt.subplots(figsize=(11, 4.4))
plots.image_rows({name: image_of(vae, way) for name, way in ways.items()}, ax)
plt.show()

# %% [markdown]
# **Figure 10.** Two walks between codes drawn from the prior, on a straight line and on the great
# circle. Note the middles: lerp's are plainer, closer to the mean face; slerp keeps the variety of the
# ends. A single plain face may look *better*; a set of plain faces does not look like a set of people,
# and the Fréchet distance judges sets, as the printed numbers show.
#
# The same trade has a knob of its own. **Temperature** τ scales the prior's noise: z = τ ε. At τ = 0
# every sample is the same face.

# %%
taus = [0.0, 0.4, 0.7, 1.0, 1.2, 1.5, 2.0]
by_tau, at_tau = {}, []
for tau in taus:
    x = image_of(vae, tau * a)
    at_tau.append(distance(x + 1e-4 * torch.randn(x.shape, generator=rng), to_test))
    by_tau[f"τ = {tau}"] = x[:10]
    print(f"τ = {tau:4.2f}: Fréchet distance {at_tau[-1]:7.2f}, "
          f"standard deviation between images {x.std(0).mean():.3f}")
print(f"test images: {x_test.std(0).mean():.3f}")

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8), width_ratios=(1, 1.9))
plots.curves({"VAE, n = 20": (taus, at_tau)}, left, x_label="temperature τ", y_label="Fréchet distance")
left.axhline(ruler["training images"], color=plots.BLACK, linestyle=":", label="floor")
left.legend()
plots.image_rows(by_tau, right)
plt.show()

# %% [markdown]
# **Figure 11.** Left: Fréchet distance against temperature. Right: the same ten codes at each. Note
# that plain is not close: low temperatures give smooth faces and a poor set. Note where the curve is
# lowest: beyond τ = 1, where the spread of the images comes near that of test images, as printed. Samples
# of the prior are too plain. And look at the rows there: single faces are worse than at τ = 1. Eye and
# distance judge different things, so whoever chooses τ should write it into the caption.
#
# ## 5.4 · Tell it the class
#
# Now 32 × 32 images in ten classes. A **conditional** VAE is told the class y of each image, so its
# code need not hold it: p(x | z, y). We add the class to the code, through an embedding and a small
# MLP, times a weight.

# %%
photos = datasets.load("cifar10")
names = photos.label_names
labels = photos.test.labels
c_test, y_test = to_float(photos.test.images[:2_000]), labels[:2_000]
print(f"{photos.source}: {len(photos.train):,} training, {len(photos.test):,} test images")

# %%
fig, ax = plt.subplots(figsize=(8, 6.4))
first = [photos.train.images[(photos.train.labels == c).nonzero()[:12, 0]] for c in range(10)]
plots.image_rows(dict(zip(names, first)), ax)
plt.show()

# %% [markdown]
# **Figure 12.** Twelve training images of each class. Note how much a class leaves open: at this size
# colours of background and object vary more within a class than between classes.
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
# Leave z as it is: `+=` would change the caller's tensor.
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
# Your function goes into the course's network: everything else is `models.ConditionalVAE`. The encoder
# does not see the class.

# %%
class ToldVAE(models.ConditionalVAE):
    """The course's conditional VAE with your `condition`."""

    def condition(self, z: Tensor, y: Tensor) -> Tensor:
        """(B, d) and (B,) to (B, d)."""
        return condition(z, y, self.embedding, self.weight)

# %% [markdown]
# "Training on a single class works better than on all" is easily said, when the one class had 5,000
# images and the others 100 each. We train four models for about the same number of steps: on one class;
# on all classes with as many images *in total*; on 100 images per class; and on 1 image per class.
#
# **Prediction.** Which of the four is best on *unseen* images of the first class? And what will the
# model with one image per class generate?
#
# ✎ *Double-click here and write your answer:*

# %%
def of_classes(per_class: int, classes: Iterable[int]) -> datasets.Split:
    """The first `per_class` training images of each class."""
    index = [(photos.train.labels == c).nonzero()[:per_class, 0] for c in classes]
    return photos.train.take(torch.cat(index))


total = min(5_000, int((photos.train.labels == 0).sum()))
taught = {f"{names[0]} only": of_classes(total, [0]), "all, equal total": of_classes(total // 10, range(10)),
          "100 per class": of_classes(100, range(10)), "1 per class": of_classes(1, range(10))}

# %%
told = {}
for name, split in taught.items():
    torch.manual_seed(seed)
    told[name] = ToldVAE(64, 10, log_sigma=0.0)
    goal = losses.optimal_sigma_objective
    *_, record = steps_of(told[name], goal, split, steps=class_steps, batch_size=64)
    told[name] = told[name].cpu().eval().requires_grad_(False)
    print(f"{name:18s} {len(split):5,} images, {record.step} steps, {record.seconds:.0f} s: "
          f"training −ELBO {record.loss:.0f}, KL {record.terms['kl']:.0f} nats")

# %% [markdown]
# How well does each model explain images of the first class, those that it has seen in training, and
# test images, which no model has seen? σ is fitted to the errors on the images at hand, so that a model
# is not punished twice for being too sure.

# %%
@torch.no_grad()
def minus_elbo(vae: nn.Module, x: Tensor, y: Tensor) -> float:
    """−ELBO in nats per image, with the σ that is best for these images."""
    q_z = vae.encode(x)
    z = q_z.mean + q_z.stddev * torch.randn(q_z.mean.shape, generator=rng)
    x_hat = vae.decode(z, y).mean
    kl = kl_divergence(q_z, losses.standard_normal(z)).sum(1)
    return (gaussian_nll(x, x_hat, optimal_log_sigma(x, x_hat)) + kl).mean().item()


unseen = c_test[y_test == 0]
print(f"−ELBO in nats per image of class {names[0]}:   seen   unseen")
for name, vae in told.items():
    seen = to_float(taught[name].images[taught[name].labels == 0][:500])
    values = [minus_elbo(vae, x, torch.zeros(len(x)).long()) for x in (seen, unseen)]
    print(f"{name:18s} {values[0]:23.0f} {values[1]:8.0f}")

# %% [markdown]
# Compare the first two rows: equal numbers of images, equal steps. The one-class model has seen ten
# times as many images of its class, and one expects it to lead. On CIFAR-10 it does for the first few
# hundred steps; soon the difference is what another seed changes. On cartoon faces it is at best even:
# what edges and colours are, any class teaches, and variety teaches it better. Comparing it with the
# third row, as is often done, mixes two questions: how many classes, and how many images. The last row
# shows what too few do: look at the gap between seen and unseen.
#
# What do they generate? For each sample we look up the training image that is nearest.
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
codes = torch.randn(200, 64, generator=rng)
every = torch.arange(200) % 10  # labels to ask for
made, gaps = {}, {}
for name, vae in told.items():
    y = torch.zeros_like(every) if "only" in name else every
    made[name] = image_of(vae, codes, y)
    train = to_float(taught[name].images)
    near, apart = nearest_training(made[name], train, 1)  # (S, 1) each
    to_mean = (made[name] - train.mean(0)).flatten(1).norm(dim=1).median()
    gaps[name] = train[near[:, 0]]
    print(f"{name:18s} median distance to the nearest of its {len(train):5,} training images "
          f"{apart.median():5.2f}, to their mean {to_mean:5.2f}")

# %%
fig, ax = plt.subplots(figsize=(11, 8))
rows = {}
for name in told:
    rows[f"{name}: samples"] = made[name][:10]
    rows[f"{name}: nearest"] = gaps[name][:10]
plots.image_rows(rows, ax)
plt.show()

# %% [markdown]
# **Figure 13.** Samples, one per class from left to right (the first model knows one class only), and
# below each its nearest training image. Note the last pair of rows: its samples are sharp, and each of
# them is a training image. That model has memorised, and by looks alone it would win. Note the others: a
# blurred sample has a neighbour that shares its colours and not its content.
#
# A full training on all images took the minutes that its card names; the model comes with the course.
# Which one fits is decided by the data at hand, through the cards.

# %%
cvae, cvae_card = checkpoints.load(fitting("-cvae", photos))
judge, judge_card = checkpoints.load(fitting("-classifier", photos))
for card in (cvae_card, judge_card):
    print(f"{card['name']}: {card['parameters']:,} parameters, {card['seconds']:.0f} s, {card['source']}, "
          f"test: {card['test']}")

# %% [markdown]
# Does the model obey? The course's classifier reads the samples: how often does it find the class that
# was asked for? We turn the weight of the class in the code up and down.
#
# **Prediction.** The classifier's rate on samples, in percent, at weight 0 and at weight 1?
#
# ✎ *Double-click here and write your answer:*

# %%
@torch.no_grad()
def accuracy(x: Tensor, y: Tensor) -> float:
    """How often the classifier finds the class that was asked for."""
    return torch.cat([judge(part).argmax(1) for part in x.split(500)]).eq(y).double().mean().item()


asked = torch.arange(len(x_test)) % 10
d = cvae.latent_dim
eps = torch.randn(len(asked), d, generator=rng)
obeyed = {}
for weight in (0.0, 0.5, 1.0, 2.0):
    cvae.weight = weight
    obeyed[weight] = accuracy(image_of(cvae, eps, asked), asked)
    print(f"weight {weight:3.1f}: class found in {obeyed[weight]:.1%} of samples")
cvae.weight = cvae_card["model"]["arguments"].get("weight", 1.0)
print(f"test images: {accuracy(c_test, y_test):.1%}; guessing: 10%")

# %% [markdown]
# On CIFAR-10 the rate stays at that of guessing, whatever the weight; on cartoon faces it follows the
# weight. Why would a decoder not listen to the class that it was told in training? Two measurements. How
# often can a logistic regression read the class from the code alone, z without y? And what does it
# cost to tell the decoder a *wrong* class together with the right code?
#
# **Prediction.** By how many decibels does PSNR fall if the decoder is told the next class in the list?
#
# ✎ *Double-click here and write your answer:*

# %%
z_seen, z_ref = code_of(cvae, to_float(photos.train.images[:4_000])), code_of(cvae, c_test)
reader = LogisticRegression(max_iter=300).fit(z_seen, photos.train.labels[:4_000])
print(f"class read from the code alone: {reader.score(z_ref, y_test):.1%} of test images")
for name, y in {"its own class": y_test, "the next class": (y_test + 1) % 10}.items():
    decibels = psnr(c_test, image_of(cvae, z_ref, y)).mean()
    print(f"decoder told {name:14s}: PSNR {decibels:.2f} dB")
print(f"KL of the code {cvae_card['test']['kl']:.0f} nats; log 10 = {math.log(10):.1f} nats")

# %% [markdown]
# Where a wrong class changes nothing, the decoder does not listen, and it can afford that: the
# **encoder is not told the class**, so it puts into z what the image shows, and the class is in z already,
# as the regression finds, better or worse. Listening would save at most log 10 nats of the KL printed
# above. That is worth learning where the class decides many pixels: the hair of a cartoon does, "cat" does
# not. So at sampling we ask for a class by y, and draw a z ~ N(0, I) that says another.
#
# This is the planned failure of the section. p(z|y) differs from class to class; the repair is that of
# section 5.1, a density fitted to the codes, now one Gaussian for each class.

# %%
to_test32 = feature_statistics(features_of(judge, c_test[: len(asked)]))
means, roots = [], []
for c in range(10):
    x = to_float(photos.train.images[photos.train.labels == c][:500])
    mean, cov = feature_statistics(drawn_codes(cvae, x))
    means.append(mean.float())
    roots.append(torch.linalg.cholesky(cov + 1e-3 * torch.eye(d)).float())
means, roots = torch.stack(means), torch.stack(roots)  # (10, d), (10, d, d)


def of_class(eps: Tensor, y: Tensor) -> Tensor:
    """Noise to draws from the Gaussian of the codes of class y: (B, d) and (B,) to (B, d)."""
    return means[y] + (roots[y] @ eps[:, :, None])[:, :, 0]

# %% [markdown]
# A report made another mistake here: noise from a uniform distribution, for a decoder that was trained
# on Gaussian codes.
#
# **Prediction.** What does uniform noise on [0, 1] do, which has no negative numbers?
#
# ✎ *Double-click here and write your answer:*

# %%
noises = {"ε ~ N(0, I)": eps, "Gaussian of the class": of_class(eps, asked),
          "uniform on [0, 1]": torch.rand(eps.shape, generator=rng),
          "uniform on [−1, 1]": 2 * torch.rand(eps.shape, generator=rng) - 1}
fed = {name: image_of(cvae, noise, asked) for name, noise in noises.items()}
for name, x in fed.items():
    print(f"{name:21s} mean length {noises[name].norm(dim=1).mean():5.2f}, class found in "
          f"{accuracy(x, asked):5.1%}, Fréchet distance {distance(x, to_test32):6.2f}")

# %%
fig, ax = plt.subplots(figsize=(11, 3.6))
plots.image_rows({name: x[:20] for name, x in fed.items()}, ax)
plt.show()

# %% [markdown]
# **Figure 14.** The same decoder, the same classes twice, four kinds of codes. Note the second row: codes
# fitted for each class raise the rate at which the class is found, as printed. Note the uniform rows: codes in
# [0, 1] lie in one of 2ᵈ orthants, so all samples share the same shift away from the prior's mean. On
# [−1, 1] the mean is right and the codes are too short, as at temperature 0.58: plain samples, whatever a
# distance says of them. The decoder should get the codes that it was trained on.
#
# That a class is found does not make a sample good: a single perfect image per class would be found
# always. Class, temperature and interpolation under your fingers:

# %%
wheel = widgets.class_samples(lambda z, y: image_of(cvae, of_class(z, y), y), slerp, eps[:12], names=names)
wheel

# %% [markdown]
# **Figure 15.** Samples of one class at temperature τ, and a walk by your `slerp`; the noise goes through
# the Gaussian of the class. Change the class with the noise held: what changes is what the class decides.
# At τ = 0 each class shows one image, about the mean of all that it knows.
#
# ## 5.5 · Numbers for images
#
# PSNR and SSIM compare two images of the *same* thing: x and x̂. SSIM
# ([Wang et al., 2004](https://doi.org/10.1109/TIP.2003.819861)) compares local
# means, variances and the covariance in small windows, and adds constants that depend on the **range**
# of the data. One report printed 0.9987 as the SSIM between generated images and test images.
#
# **Prediction.** Which SSIM do two *unrelated* test images have: near 0, 0.5 or 1?
#
# ✎ *Double-click here and write your answer:*

# %%
x, y = c_test[: min(500, len(eps))], y_test[: min(500, len(eps))]
pairs = {
    "x and x̂": image_of(cvae, code_of(cvae, x), y),
    "x and a sample": image_of(cvae, eps[: len(x)], asked[: len(x)]),
    "x and another x": x.roll(1, 0),
    "x and noise": torch.rand(x.shape, generator=rng),
}
print("                    PSNR    SSIM, range 1    SSIM, range 255")
for name, other in pairs.items():
    wrong = ssim(x, other, data_range=255.0).mean()
    print(f"{name:16s} {psnr(x, other).mean():5.1f} dB {ssim(x, other).mean():12.3f} {wrong:18.4f}")

# %% [markdown]
# The pixels lie in [0, 1]. Told that they lie in [0, 255], SSIM takes every difference for a rounding
# error: even noise gets a value near 1. At the right range photographs that have nothing in common are
# near 0; aligned faces share a layout, and keep some. Then another fault shows: a sample has no partner,
# so this pair means nothing at any range. For x and x̂ both numbers say something.

# %%
fig, axes = plt.subplots(1, 4, figsize=(11, 3.2))
i = 3
for ax, (name, other) in zip(axes, pairs.items()):
    both = torch.cat([x[i : i + 1], other[i : i + 1]])
    right, wrong = (ssim(both[:1], both[1:], data_range=r).item() for r in (1.0, 255.0))
    plots.image_grid(both, ax, columns=2, title=f"{name}\nSSIM {right:.2f}, not {wrong:.4f}")
plt.show()

# %% [markdown]
# **Figure 16.** One pair of each kind, with its SSIM at the right range, and at range 255. Note that at
# the wrong range the noise is "structurally similar" to the picture by more than 0.9.
#
# Sets are compared by features. Besides the Fréchet distance, which sees mean and covariance only, we
# take **KID** ([Bińkowski et al., 2018](https://arxiv.org/abs/1801.01401)): the squared maximum
# mean discrepancy with the kernel
# (φᵀψ/d + 1)³. It has no bias: with few images it scatters, around the right value. The Fréchet
# distance does not only scatter, it is too large.
#
# **Prediction.** We compare *training* images with test images, so the true distance is about 0. What
# does the Fréchet distance say with 100 images in place of 800: half, the same, or several times as much?
#
# ✎ *Double-click here and write your answer:*

# %%
samples = image_of(cvae, torch.randn(2_000, d, generator=rng), torch.arange(2_000) % 10)
phi = {"test": features_of(judge, c_test), "samples": features_of(judge, samples)}
some = torch.randperm(len(photos.train), generator=rng)[:2_000]
phi["training"] = features_of(judge, photos.train.images[some])


def subset(name: str, count: int) -> Tensor:
    """Features of `count` images of this set, drawn anew, (count, 64)."""
    return phi[name][torch.randperm(len(phi[name]), generator=rng)[:count]]


def gaussian_distance(a: Tensor, b: Tensor) -> float:
    """Fréchet distance between two sets of features."""
    return frechet_distance(*feature_statistics(a), *feature_statistics(b))


# %%
counts, repeats = [100, 200, 400, 800], 20
scatter = {}
for name in ("training", "samples"):
    for measure in (gaussian_distance, kernel_distance):
        values = torch.tensor([[measure(subset(name, count), subset("test", count))
                                for _ in range(repeats)] for count in counts])
        scatter[name, measure] = values  # (counts, repeats)

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 3.6))
for ax, measure, label in zip(axes, (gaussian_distance, kernel_distance), ("Fréchet distance", "KID")):
    for name, colour, marker in zip(("training", "samples"), plots.PALETTE, plots.CLASS_MARKERS):
        values = scatter[name, measure]
        ax.errorbar(counts, values.mean(1), values.std(1), color=colour, marker=marker, capsize=4, label=name)
    ax.set(xscale="log", xlabel="images N on each side", ylabel=label)
    ax.set_xticks(counts, counts)
    ax.minorticks_off()
    ax.legend()
axes[0].set_yscale("log")
axes[1].axhline(0, color=plots.BLACK, linewidth=1)
plt.show()
floors = scatter["training", gaussian_distance].mean(1)
print(f"training: mean Fréchet distance {floors[0]:.2f} at N = {counts[0]}, {floors[-1]:.2f} at N = {counts[-1]}")

# %% [markdown]
# **Figure 17.** Both distances to test images against the number of images: mean and standard deviation of
# 20 draws; the left axis is logarithmic. Note the training images on the left: about ten times as far at
# N = 100 as at N = 800, and never at 0. The distance of the samples hardly changes: the bias depends on
# what is measured, so models measured with different N cannot be compared. KID scatters about one value
# at every N; that of training images is below 0 as often as above.
#
# The table that a report should hold: every row with the same N, the floor, the ceilings, both
# distances, and the classifier's rate.

# %%
N = len(asked)
x_ref, y_ref = c_test[:N], y_test[:N]
candidates = {
    "training images": (to_float(photos.train.images[some[:N]]), photos.train.labels[some[:N]]),
    "reconstructions": (image_of(cvae, z_ref[:N], y_ref), y_ref),
    "samples": (samples[:N], asked),
    "samples, fitted codes": (fed["Gaussian of the class"], asked),
    "samples, 1 per class": (image_of(told["1 per class"], torch.randn(N, 64, generator=rng), asked), asked),
    "8 × 8 means": (F.interpolate(F.avg_pool2d(x_ref, 4), scale_factor=4.0), y_ref),
    "noise": (torch.rand(x_ref.shape, generator=rng), asked),
}

# %%
def row_of(x: Tensor, y: Tensor) -> str:
    """Fréchet distance, KID and accuracy of images x, asked to be of classes y."""
    mine, theirs = features_of(judge, x), features_of(judge, c_test[: len(x)])
    frechet = gaussian_distance(mine, theirs)
    return f"{frechet:9.2f} {kernel_distance(mine, theirs):9.3f} {accuracy(x, y):9.1%}"


print(f"{N:,} images a side        Fréchet       KID     class found")
for name, (x, y) in candidates.items():
    print(f"{name:22s} {row_of(x, y)}")

# %% [markdown]
# Each number has its blind spot. Find the row of the memorising model: ten images, again and again, and it
# beats every honest sample of the VAE by Fréchet distance and by the classifier's rate. None of these
# numbers asks whether an image is a copy. (The floor flatters, too: the classifier was trained on the
# training images.) So another question belongs to every report: how far is a sample from the nearest
# training image, compared with how far a *test* image is?

# %%
base = to_float(photos.train.images[:10_000])
closest = {}
for name, x in {"test images": c_test[:300], "samples": samples[:300]}.items():
    closest[name] = nearest_training(x, base, 1)
_, copied = nearest_training(made["1 per class"], to_float(taught["1 per class"].images), 1)
for name, (_, apart) in closest.items():
    print(f"{name:26s} median distance to the nearest training image {apart.median():5.2f}, "
          f"smallest {apart.min():.2f}")
print(f"samples of '1 per class'   median distance to the nearest training image {copied.median():5.2f}")

# %%
fig, ax = plt.subplots(figsize=(11, 3.6))
rows = {}
for name, x in {"test images": c_test, "samples": samples}.items():
    rows[name] = x[:14]
    rows[f"nearest to {name}"] = base[closest[name][0][:14, 0]]
plots.image_rows(rows, ax)
plt.show()

# %% [markdown]
# **Figure 18.** Test images and samples, each with the nearest of 10,000 training images. Note the
# printed medians beside the pictures: plain and blurred images are near to everything, so a distance
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
# with x in [−1, 1] and a **schedule** ᾱ that falls from 1 to 0. It is a VAE whose encoder is fixed and
# whose code has the size of the image.

# %%
left = diffusion.noise_schedule()  # ᾱ, (T,)
stops = torch.tensor([0, 100, 200, 300, 400, 500, 600, 700, 800, 999])
noisy = {}
for i in (0, 3, 5):
    still = (2 * c_test[i] - 1).expand(len(stops), -1, -1, -1)
    eps_i = torch.randn(still.shape, generator=rng)
    noisy[names[y_test[i]]] = (diffusion.add_noise(still, stops, eps_i).clamp(-1, 1) + 1) / 2

# %%
fig, (ax, images) = plt.subplots(1, 2, figsize=(11, 3.2), width_ratios=(1, 2.2))
plots.curves({"ᾱ": (range(len(left)), left)}, ax, x_label="step t", y_label="share of the variance")
ax.get_legend().remove()
plots.image_rows(noisy, images)
images.set_xlabel("t = " + ", ".join(str(t) for t in stops.tolist()))
plt.show()

# %% [markdown]
# **Figure 19.** Left: ᾱ, the share of the variance that is still image. Right: three test images on
# their way to noise. Note how long the layout survives: large shapes go last, so they come back first.
#
# A U-Net learns to undo it. What it predicts, by squared error and at one random t for each image, is
# a mixture of the noise and the image, the **velocity**
# ([Salimans and Ho, 2022](https://arxiv.org/abs/2202.00512))
#
# $$v = \sqrt{\bar\alpha_t}\,\varepsilon - \sqrt{1-\bar\alpha_t}\,x .$$
#
# From x_t and v both parts follow: x = √ᾱ x_t − √(1−ᾱ) v. Predicting ε alone would do in theory; but
# where sampling starts ᾱ is near 0, and x = (x_t − √(1−ᾱ) ε)/√ᾱ blows every error up. We train one from
# scratch for `diffusion_steps` steps of 16 images, and see that its loss falls.

# %%
torch.manual_seed(seed)
young = models.UNet(10)
falling = []
for record in steps_of(young, diffusion.diffusion_objective, photos.train,
                       steps=diffusion_steps, batch_size=16):
    falling.append(record.loss / c_test[0].numel())
young = young.cpu().eval().requires_grad_(False)
unet, unet_card = checkpoints.load(fitting("-ddpm", photos))
print(f"{record.step} steps in {record.seconds:.0f} s: squared error per pixel from {falling[0]:.2f} "
      f"to {sum(falling[-5:]) / len(falling[-5:]):.2f}")
print(f"{unet_card['name']}: {unet_card['parameters']:,} parameters, {unet_card['seconds']:.0f} s, "
      f"{unet_card['test']['squared_error'] / c_test[0].numel():.3f}; VAE: {cvae_card['parameters']:,} parameters")

# %% [markdown]
# Sampling goes the way back. DDIM ([Song et al., 2021](https://arxiv.org/abs/2010.02502)) does it
# in any number of steps: predict v,
# compute the clean image x̂ and the noise ε̂ that follow, and mix the two again at a smaller t.
#
# **Prediction.** 5, 10 or 50 steps in place of 1,000: how much worse than 50 is 5? And how many times as
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
noise = torch.randn(n_diffusion, d, generator=rng)
runs = {"VAE": timed(lambda: image_of(cvae, noise, y_few)),
        "VAE, fitted codes": timed(lambda: image_of(cvae, of_class(noise, y_few), y_few))}
for steps in (5, 10, 50):
    runs[f"DDIM, {steps} steps"] = timed(
        lambda: diffusion.sample_ddim(unet, y_few, steps=steps, generator=rng))
untrained = diffusion.sample_ddim(young, y_few[:20], steps=10, generator=rng)

# %%
reference = features_of(judge, c_test[:n_diffusion])
quality = {}
for name, (x, cost) in runs.items():
    quality[name] = (cost, gaussian_distance(features_of(judge, x), reference))
    print(f"{name:17s} {cost:7.1f} ms per image {row_of(x, y_few)}")
print(f"training images {'':22s} {row_of(base[:n_diffusion], photos.train.labels[:n_diffusion])}")

# %%
fig, ax = plt.subplots(figsize=(7, 3.8))
for (name, (cost, value)), colour, marker in zip(quality.items(), plots.PALETTE, plots.CLASS_MARKERS):
    ax.plot(cost, value, marker, color=colour, label=name)
ax.axhline(gaussian_distance(features_of(judge, base[:n_diffusion]), reference),
           color=plots.BLACK, linestyle=":", label="training images")
ax.set(xscale="log", xlabel="milliseconds per image", ylabel="Fréchet distance", ylim=(0, None))
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# **Figure 20.** Quality against time, at equal numbers of images; the dotted line is the floor. Note that
# the comparison has two axes: which model to take depends on how long one may wait. More steps help, each
# at about the same price. On CIFAR-10 ten steps are ahead of the VAE, at many times the cost; on cartoon
# faces the VAE comes first by this number. Look at Figure 21 before you believe it.

# %%
fig, ax = plt.subplots(figsize=(11, 4.6))
rows = {name: x[:20] for name, (x, _) in runs.items()}
plots.image_rows(rows | {"your U-Net": untrained, "test images": c_test[:20]}, ax)
plt.show()

# %% [markdown]
# **Figure 21.** Samples of the ten classes, twice. Note sharpness: the VAE shows means, and the mean of
# many possible images is blurred; each step of the diffusion model has to guess only a little. With 5
# steps each guess must reach far, and images are pale and soft again. Your own U-Net, after so few steps,
# still leaves noise: the first that it learns is that images are smooth, then where things are.
#
# ## 5.7 · What it does to people: four measurements
#
# **Consent.** The faces of CelebA were collected from the web, without asking. Who is in a training set
# may also come *out* of a model. Two things can be measured: whether a sample is a copy, and whether the
# model treats training images differently from others.

# %%
searched = faces.train.images[trained_on[:20_000]]
face_made = image_of(vaes[128], prior[128][:200])
for name, x in {"test faces": x_test[:200], "samples": face_made}.items():
    parts = [nearest_training(x, to_float(part), 1)[1] for part in searched.split(2_000)]
    apart = torch.cat(parts, 1).min(1).values  # (200,)
    print(f"{name:11s} distance to the nearest of {len(searched):,} training faces: "
          f"median {apart.median():5.2f}, smallest {apart.min():.2f}")
known = to_float(faces.train.images[trained_on[:1_000]])
gap = losses.squared_error(known, image_of(vaes[128], code_of(vaes[128], known)))
print(f"squared error of reconstruction: training {gap.mean():.1f}, test {error['VAE', 128]:.1f}")

# %% [markdown]
# A sample much nearer to a training face than test faces are would be a reason to look. The model that saw
# one image per class (Figure 13) returned its training images: few images, many steps, and a person who
# never agreed is published with every sample. A gap between the errors on training and test images is the
# weaker sign of the same thing; from it one can guess who was in the training set (membership inference).
# Both belong into the report of any model of people.
#
# **Groups.** One mean error hides on whom the errors fall.
#
# ### Exercise 8 · `group_report`
#
# *Difficulty ●●○ · importance ●●● · 12 minutes.* The mean error of each group, with a 95% interval of
# this mean. The factor 1.96 belongs to large groups: from 30 images on the interval holds the true mean
# of normal errors in 94 to 95% of all cases, with 5 images in 88%, with 2 in 70%: small groups would
# need the wider intervals of Student's t.
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
errors = losses.squared_error(x_test, image_of(vaes[128], z_test))
groups = {}
for name, i in column.items():
    groups[name] = group_report(errors, flags_test[:, i])
    without, with_it = groups[name][0], groups[name][1]
    print(f"{name:20s} without {without[0]:5.1f} [{without[1]:.1f}, {without[2]:.1f}], "
          f"with {with_it[0]:5.1f} [{with_it[1]:.1f}, {with_it[2]:.1f}], n = {flags_test[:, i].sum()}")

# %%
def draw_report(ax: plt.Axes, reports: dict[str, dict], labels: tuple[str, str], x_label: str) -> None:
    """Mean and interval of groups 0 and 1, one line of the chart for each report."""
    for value, (colour, shift) in enumerate([(plots.BLUE, 0.12), (plots.VERMILION, -0.12)]):
        rows = [report[value] for report in reports.values()]
        mean, low, _ = torch.tensor(rows).T
        place = torch.arange(len(rows)) + shift
        ax.errorbar(mean, place, xerr=mean - low, fmt=plots.CLASS_MARKERS[value], capsize=4,
                    color=colour, label=labels[value])
    ax.set_yticks(range(len(reports)), reports)
    ax.set_xlabel(x_label)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))


fig, ax = plt.subplots(figsize=(9, 3.6))
draw_report(ax, groups, ("without", "with"), "squared error per image")
plt.show()

# %% [markdown]
# **Figure 22.** Error of reconstruction in groups of test faces, with 95% intervals; where the printed n
# is below 30, they are too narrow. Note where the intervals do not overlap. But a difference has two
# possible causes: the group may be *harder* to draw, or it may have been *rare* in training. This figure
# cannot tell them apart; an experiment can.
#
# We train the same small autoencoder twice, on equally many faces at 32 × 32: with half of them, and
# with only one in fifty, from the group. Short trainings end at different overall errors, so each
# error is divided by the mean error of the other group under the same model. Both models are tested on
# the same images, so we may take the *difference* of these ratios image by image.
#
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


mixed = {}
for name, share in {"half": 0.5, "one in fifty": 0.02}.items():
    few = max(1, round(share * n_group))
    index = torch.cat([inside[:few], outside[: n_group - few]])
    mixed[name] = datasets.Split(smaller(faces.train.images[index]))

# %%
small_test = to_float(smaller(faces.test.images[:n_eval]))
member = faces.test.factors[: len(small_test), column[scarce]]
paid = {}
for name, split in mixed.items():
    torch.manual_seed(seed)
    model = models.ConvAutoencoder(64, size=32, width=16)
    *_, record = steps_of(model, losses.autoencoder_objective, split, steps=group_steps, seed=seed)
    model = model.cpu().eval()
    paid[name] = losses.squared_error(small_test, image_of(model, code_of(model, small_test)))
    print(f"{name:13s} {len(split):,} faces, {record.step} steps, {record.seconds:.0f} s: "
          f"mean error {paid[name].mean():.1f}")

# %%
ratio = {name: e / e[member == 0].mean() for name, e in paid.items()}
both_reports = {f"{scarce}: {name}": group_report(r, member) for name, r in ratio.items()}
change = group_report(ratio["one in fifty"] - ratio["half"], member)[1]
print(f"with {scarce}: the ratio changes by {change[0]:+.2f} [{change[1]:+.2f}, {change[2]:+.2f}]")
fig, ax = plt.subplots(figsize=(9, 2.4))
draw_report(ax, both_reports, ("without", "with"), "error / mean error without")
plt.show()

# %% [markdown]
# **Figure 23.** Errors of both groups, relative to the group without, when the group is half of the
# training set and when it is one in fifty. Note the printed change with the interval of a paired
# difference: the group's test faces are the same, only their share in training has changed. What is rare
# is drawn as something common. On real people that means: with somebody else's features.
#
# **Provenance.** Whoever publishes generated images should mark them. We try three marks: a text in the
# PNG file, bits hidden in the lowest bit of each blue value, and a visible checkered corner.
#
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
print(f"share of {len(files):3d} files that keep   text   hidden bits   visible corner")
for name, copy in copies.items():
    kept = torch.tensor([found(copy(data)) for data in files]).float().mean(0)
    print(f"{name:28s} {kept[0]:6.0%} {kept[1]:13.0%} {kept[2]:16.0%}")
plain = [again(data, "PNG") for data in (plots.to_png(x) for x in x_test[:100])]
alarm = torch.tensor([found(data) for data in plain]).float().mean(0)
print(f"{'test faces, not marked':28s} {alarm[0]:6.0%} {alarm[1]:13.0%} {alarm[2]:16.0%}")

# %%
fig, axes = plt.subplots(1, 4, figsize=(11, 3.2))
views = {"sample": plots.to_png(face_made[0]), "marked": files[0],
         "JPEG, quality 50": copies["JPEG, quality 50"](files[0]),
         "half the size": copies["PNG at half the size"](files[0])}
for ax, (name, data) in zip(axes, views.items()):
    ax.imshow(Image.open(io.BytesIO(data)))
    ax.set_title(name)
    ax.set_axis_off()
plt.show()

# %% [markdown]
# **Figure 24.** A sample, the marked file, and two copies. Note that the hidden bits cannot be seen and
# do not last: saving as JPEG rounds them away. The text lives in the file, not in the picture, so any
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
# - The likelihood is a choice. σ = 1 hides a strong β; the optimal σ needs no tuning and reconstructs best.
#   Whether its samples win depends on how well the prior matches the codes, and is to be measured.
# - Directions in the code edit images, with side effects that probes can measure. lerp and low
#   temperatures make images plain, and a set of plain images is far from the data.
# - One class or many: compare at equal numbers of images, on unseen ones. A model of one image per class
#   generates copies. A decoder listens to a class where that saves nats: tell it a wrong one to find out.
# - PSNR and SSIM are for pairs, at the right range. Fréchet distance and KID are for sets, with the same
#   N everywhere, a floor and ceilings. The nearest training image belongs beside them.
# - Diffusion buys sharpness with time, step by step.
# - Consent, groups, provenance and misuse can be measured, in part, and what can be measured should be.
#
# **To think about.** (1) A report prints "FID 3.1 on our own features, 500 samples". Which three questions
# do you ask? (2) A VAE's samples become better when z is drawn at τ = 0.8. Does the ELBO change? (3) A
# company removes a person's photographs from its training set and keeps the model. What remains?
#
# <details><summary>Some answers</summary>
#
# (1) Which network gave the features; what 500 real images get against the same reference; how near the
# samples are to training images. (2) No: τ changes how we sample, not p(x); the ELBO still belongs to
# τ = 1. (3) Whatever the weights hold: Figure 13 shows that it can be the image itself. Only retraining
# without it, or a proof that its influence is gone, removes it.
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
# multiple layers of features from tiny images* (CIFAR-10) ·
# [Wang et al. 2004](https://doi.org/10.1109/TIP.2003.819861)
# (SSIM) · [Heusel et al. 2017](https://arxiv.org/abs/1706.08500) (FID) ·
# [Bińkowski et al. 2018](https://arxiv.org/abs/1801.01401) (KID) ·
# [Ho, Jain & Abbeel 2020](https://arxiv.org/abs/2006.11239) (DDPM) ·
# [Salimans & Ho 2022](https://arxiv.org/abs/2202.00512), *Progressive distillation for fast
# sampling of diffusion models* · [Song, Meng & Ermon 2021](https://arxiv.org/abs/2010.02502) (DDIM)
# · [Shoemake 1985](https://doi.org/10.1145/325334.325242) (slerp) ·
# [Dowson & Landau 1982](https://doi.org/10.1016/0047-259X%2882%2990077-X) (distance of Gaussians).
#
# *Where next:* a vector-quantised VAE with a prior over its codes, and latent diffusion, which puts the
# model of section 5.6 on the codes of section 5.1.
