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
n_symbols_eval = 500
vq_steps = 60
symbol_steps = 40
latent_faces = 10_000
latent_steps = 900
drawn_faces = 500
pixel_faces = 90
pixel_steps = 20
layer_steps = 560
masked_steps = 50
n_filled = 300
n_labels = 400
n_subsets = 4
n_faces = 4_000
n_tested = 1_200
code_steps = 350
judge_steps = 180
n_trainings = 5

# %%
import itertools
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

# %%
from course_lib import checkpoints, datasets, diffusion, losses, metrics, models, plots, vq, widgets
from course_lib.codes import code_of, drawn_codes, gaussian_codes, image_of
from course_lib.exact_chain import ChainVAE, GaussianDiffusion, LayerTerms, TopDown, aligned_chain, sigma_points
from course_lib.exercises import check
from course_lib.figures import beyond as figures
from course_lib.metrics import effective_number, feature_statistics, features_of, frechet_distance, linear_probe, share_drawn, student_interval
from course_lib.models import CodeDenoiser, ConvVAE, UNet
from course_lib.pretrained import find as fitting, load_or_train, metrics_of
from course_lib.progress import progress_bar
from course_lib.recipes.classifier import prefix
from course_lib.settings import short_run_note, shortened
from course_lib.synthetic.faces import FACTOR_NAMES, render, sample_factors
from course_lib.training import Record, evaluate, fit, steps_of, to_float

# %%
plots.use_course_style()
torch.manual_seed(seed)
rng = torch.Generator().manual_seed(seed)

# %%
(
    n_symbols_eval, vq_steps, symbol_steps, latent_faces, latent_steps, drawn_faces,
    pixel_faces, pixel_steps, layer_steps, masked_steps, n_filled, n_labels, n_subsets, n_faces,
    n_tested, code_steps, judge_steps, n_trainings
) = shortened(
    (
        n_symbols_eval, vq_steps, symbol_steps, latent_faces, latent_steps, drawn_faces,
        pixel_faces, pixel_steps, layer_steps, masked_steps, n_filled, n_labels, n_subsets,
        n_faces, n_tested, code_steps, judge_steps, n_trainings,
    ),
    (120, 12, 6, 2_000, 120, 200, 40, 5, 60, 6, 60, 60, 2, 1_000, 400, 80, 40, 2),
)

# %% [markdown]
# ## 6.1 · A learned density, discrete
#
# [Notebook 05](05_generation_celeba_cifar.ipynb) ended its faces with a lesson: what is missing is a density,
# not a decoder. It fitted a Gaussian or a mixture to the codes. Densities of vectors are hard to write down;
# those of **symbols** are easy: a classifier that names the next symbol is one. So we make codes of symbols.
#
# A VQ-VAE ([van den Oord et al., 2017](https://arxiv.org/abs/1711.00937)) encodes an image as a grid of
# N = 8 × 8 vectors z, and replaces each by the nearest of the K vectors of a **codebook**. The decoder sees
# these. The code is N symbols out of K, which at most N log₂ K bits can write down.

# %%
drawn_set = "faces" if dict(datasets.at_hand())["celeba"] else "celeba"  # cartoons both
vq_data = datasets.load(drawn_set, size=64)
vq_test = to_float(vq_data.test.images[:n_symbols_eval])  # (M, 3, 64, 64) in [0, 1]
print(f"{vq_data.source}: {len(vq_data.train):,} training images; {len(vq_test)} test images are used")

# %% [markdown]
# ### Exercise 1 · `quantize`
#
# *Difficulty ●○○ · importance ●●● · 8 minutes.* For each z the nearest vector of the codebook by squared
# distance, as an index and as the vector itself. z has any number of dimensions before the last, d.
#
# <details><summary>Hint 1</summary>
#
# With a new dimension in z, (…, 1, d), the differences to all vectors of the codebook are one subtraction,
# (…, K, d).
#
# </details>
# <details><summary>Hint 2</summary>
#
# Square, sum over d, and look for the smallest along K. A tensor of indices picks rows: `table[indices]`.
#
# </details>

# %% exercise="quantize"
def quantize(z: Tensor, codebook: Tensor) -> tuple[Tensor, Tensor]:
    """The index of the vector of the codebook nearest to each z, and that vector, z_q.

    z: (…, d); codebook: (K, d). Returns indices (…) int64 and z_q (…, d).
    """
    ### BEGIN SOLUTION
    distance = ((z[..., None, :] - codebook) ** 2).sum(-1)  # (…, K)
    indices = distance.argmin(-1)
    return indices, codebook[indices]
    ### END SOLUTION


# %% check="quantize"
quantize = check("quantize", quantize)

# %% [markdown]
# Where do the vectors come from? No gradient is needed: each is moved to the mean of the z that chose it, over
# the last batches, the older counting less (an **exponential moving average**, EMA). A vector that is nobody's
# nearest gets no mean and stays where it is: it is **dead**, and its symbol is lost. The repair is to put it
# where some z of the batch is, by lot.
#
# How many symbols are in use? Symbols with shares p_k have the entropy H = −Σ p_k log p_k, and exp(H) is the
# number of equally frequent symbols with the same entropy: the **perplexity**, between 1 and K.
#
# ### Exercise 2 · `codebook_usage`
#
# *Difficulty ●○○ · importance ●●○ · 6 minutes.* The perplexity of all symbols in `indices`.
#
# <details><summary>Hint 1</summary>
#
# `torch.bincount(…, minlength=size)` counts; it wants one dimension. Shares add up to 1.
#
# </details>
# <details><summary>Hint 2</summary>
#
# 0 log 0 counts as 0, and is NaN in floats. `torch.special.entr` is −p log p, with 0 at p = 0.
#
# </details>

# %% exercise="codebook_usage"
def codebook_usage(indices: Tensor, size: int) -> float:
    """exp of the entropy, in nats, of the symbols 0 … size − 1 as often as they occur in `indices`.

    indices: int64 of any shape; all of them count alike. Returns a number between 1 and size.
    """
    ### BEGIN SOLUTION
    counts = torch.bincount(indices.flatten(), minlength=size)
    p = counts / counts.sum()
    entropy = torch.special.entr(p).sum()
    return float(torch.exp(entropy))
    ### END SOLUTION


# %% check="codebook_usage"
codebook_usage = check("codebook_usage", codebook_usage)

# %% [markdown]
# In the plane we can see it. Points on a spiral, and a codebook of K = 24 vectors that begin at random,
# N(0, I), once without and once with revival.

# %% [markdown]
# **Prediction.** How many of the 24 vectors will be in use without revival: 24, 12 or fewer?
#
# ✎ *Double-click here and write your answer:*

# %%
turn = 9 * torch.rand(2_000, 1, generator=rng).sqrt()
spiral = 0.08 * turn * torch.cat([turn.cos(), turn.sin()], 1) + 0.5  # (2000, 2)
spiral += 0.02 * torch.randn(spiral.shape, generator=rng)
toys, toys_told = {}, {}
for name, revive in {"without revival": False, "with revival": True}.items():
    torch.manual_seed(seed)
    toys[name] = models.Codebook(24, 2, revive=revive)
    for batch in spiral.split(100) * 15:
        toys[name](batch)  # in training mode each call moves the vectors
    indices, z_q = quantize(spiral, toys[name].vectors)
    toys_told[name] = {"in use": len(indices.unique()), "perplexity": codebook_usage(indices, 24),
                       "squared error": ((spiral - z_q) ** 2).sum(1).mean()}

# %%
figures.codebooks({name: codebook.vectors for name, codebook in toys.items()}, spiral, toys_told)
plt.show()

# %% [markdown]
# **Figure 1.** The cells of a codebook: every point of a tinted cell becomes its star. Look at how long a piece
# of the spiral one star stands for, and at the crosses: symbols that are paid for and never used.
#
# With revival, a vector that died was put among the points, and got a piece of the spiral. A code of 24 symbols
# draws 24 points, no more: rounding is the bottleneck.
#
# Now the encoder. Where z moves a little, its nearest vector stays the same: the loss, as a function of z, is
# made of flat steps. Its gradient is not small, it is 0, and the encoder cannot learn. The **straight-through
# estimator** ([Bengio et al., 2013](https://arxiv.org/abs/1308.3432)) rounds on the way forwards, and on the
# way back does as if it had not: z gets the gradient of z_q.
#
# ### Exercise 3 · `straight_through`
#
# *Difficulty ●●○ · importance ●●● · 8 minutes.* A tensor with the value of z_q and the gradient of z; z_q gets
# none, as the codebook is not moved by the loss.
#
# <details><summary>Hint 1</summary>
#
# z_q = z + (z_q − z). Which part should count as a constant?
#
# </details>
# <details><summary>Hint 2</summary>
#
# `.detach()` keeps a value and forgets where it came from.
#
# </details>

# %% exercise="straight_through"
def straight_through(z: Tensor, z_q: Tensor) -> Tensor:
    """The value of z_q, with the gradient passed on to z unchanged and none to z_q; shape of z."""
    ### BEGIN SOLUTION
    return z + (z_q - z).detach()
    ### END SOLUTION


# %% check="straight_through"
straight_through = check("straight_through", straight_through)

# %%
torch.manual_seed(seed)
fresh = models.VQVAE(64)
few = vq_test[:32]
for name, passed in {"rounded": lambda z, z_q: z_q, "straight-through": straight_through}.items():
    z = fresh.encode(few)  # (B, 64, d)
    _, z_q = quantize(z, z[0].detach())  # a codebook for now: the 64 vectors of the first image
    loss = losses.squared_error(few, fresh.decode(passed(z, z_q)).mean).mean()
    weights = list(fresh.encoder.parameters())
    gradient = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
    size = torch.cat([part.flatten() for part in gradient]).norm()
    print(f"{name:17s} norm of the encoder's gradient {size:.3g}")

# %% [markdown]
# The estimate is wrong on purpose: it is the gradient of another function, of a decoder that is handed z. Where
# z is near z_q the two functions are near, so the objective has a third term that keeps z near its vector, the
# **commitment**. p(x|z_q) is the Gaussian with the best σ of [notebook 05](05_generation_celeba_cifar.ipynb), so
# its negative logarithm, the distortion, is in nats:
#
# $$\text{loss} = -\log p(x\mid z_q) + w\,\lVert z - z_q\rVert^2,$$
#
# with z_q a constant in the second term. `vq.vq_objective` is the library's; the two must agree.

# %%
def vq_objective(model: nn.Module, x: Tensor) -> tuple[Tensor, vq.VQTerms]:
    """−log p(x|z_q) with the best σ of the batch, plus the commitment. Nats per image."""
    z = model.encode(x)  # (B, 64, d)
    _, z_q = model.codebook(z)  # in training mode this also moves the codebook
    x_hat = model.decode(straight_through(z, z_q)).mean  # (B, 3, 64, 64)
    log_sigma = losses.optimal_log_sigma(x, x_hat) if model.training else model.log_sigma
    nll = losses.gaussian_nll(x, x_hat, log_sigma)  # (B,)
    distance = ((z - z_q) ** 2).sum((1, 2))  # (B,)
    return (nll + vq.COMMITMENT * distance).mean(), vq.VQTerms(-nll, distance, log_sigma)


print(", ".join(f"{either(fresh.eval(), few)[0].item():.3f}" for either in (vq_objective, vq.vq_objective)))

# %% [markdown]
# We train it for `vq_steps` steps, twice: with a codebook that begins at N(0, I) and is left to itself, and with
# one whose dead vectors are revived.

# %%
usage, young, young_told = {}, {}, {}
for name, revive in {"without revival": False, "with revival": True}.items():
    torch.manual_seed(seed)
    young[name], usage[name] = models.VQVAE(64, revive=revive), []
    records = steps_of(young[name], vq_objective, vq_data.train, steps=vq_steps, batch_size=64, lr=4e-3, seed=seed)
    for record in records:
        if record.step % max(1, vq_steps // 12) == 0:
            symbols = young[name].indices_of(vq_test[:32])  # (32, 64)
            usage[name].append((record.step, codebook_usage(symbols, 64)))
    young_told[name] = {"distortion, nats": -record.terms["log_lik"], "revivals": young[name].codebook.revived,
                        "seconds": record.seconds}

# %%
plots.table(young_told, forms={"distortion, nats": ",.0f", "seconds": ".0f"})

# %%
short_run_note("the curves below")
figures.usage({name: [*zip(*points)] for name, points in usage.items()}, size=64)
plt.show()

# %% [markdown]
# **Figure 2.** How many symbols are in use on test images, in the first steps of training. Look at the codebook
# that is left to itself, and how far it stays from the dotted line.
#
# All z of a new encoder lie close together, and few of the vectors of N(0, I) are near. A code of one
# symbol holds nothing, so the decoder learns a mean image. With revival the vectors are put among the z.
#
# Four models with K = 4, 16, 64 and 256 were trained for longer, by `python -m course_lib train vq`: one encoder
# and decoder first, then from there each of the four for a few epochs, with a codebook of its own.

# %% [markdown]
# **Prediction.** K = 256 can write down twice as many bits per symbol as K = 16. Will its PSNR be twice as far
# above that of K = 4, or less? And how many of the 256 symbols are in use?
#
# ✎ *Double-click here and write your answer:*

# %%
Ks = [4, 16, 64, 256]
vqs, vq_cards, vq_codes, distortion = {}, {}, {}, {}
by_size = {}
for K in Ks:
    vqs[K], vq_cards[K] = checkpoints.load(f"faces-vq-{K}")
    vq_codes[K] = vqs[K].indices_of(vq_test)  # (M, 64)
    told = vq_cards[K]["test"]
    distortion[K] = -evaluate(vqs[K], vq_objective, vq_data.test.images[:n_symbols_eval])["log_lik"]
    by_size[f"K = {K}"] = {
        "bits at most": int(64 * math.log2(K)), "perplexity": codebook_usage(vq_codes[K], K),
        "never used": K - len(vq_codes[K].unique()), "distortion, nats": distortion[K],
        "PSNR of all, dB": told["psnr"], "revivals": told["revived"]}
before, own = vq_cards[64]["training"]["seconds_before"], [vq_cards[K]["seconds"] for K in Ks]
print(f"{before:.0f} s of training for all, then {min(own):.0f} to {max(own):.0f} s for each")
above = [vq_cards[K]["test"]["psnr"] - vq_cards[4]["test"]["psnr"] for K in (16, 256)]
print(f"Above K = 4: K = 16 by {above[0]:.1f} dB, K = 256 by {above[1]:.1f} dB, {above[1] / above[0]:.1f} times as much")
plots.table(by_size, forms={"distortion, nats": ",.0f"})

# %% [markdown]
# N log₂ K bits are a **bound**: what a code costs if every grid of symbols is equally likely. A density p(s) of
# the N symbols s_1 … s_N of an image makes likely ones cheaper: s costs −log₂ p(s) bits. Any density can be
# written as a product in which each symbol is guessed from those before it,
#
# $$p(s) = \prod_{n=1}^{N} p(s_n\mid s_1,\dots,s_{n-1}),$$
#
# and each factor is a classifier of K classes. `models.CodePrior` is a small **transformer**
# ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)), in which each place looks at the earlier ones
# alone, row by row. Its cross-entropy, summed over the places, is −log p(s), and that is its loss. We train one
# on the symbols of K = 64 for `symbol_steps` steps.

# %%
n_seen = 64 * symbol_steps
seen_symbols = vq.symbols_of(vqs[64], vq_data.train.images[:n_seen])  # (n, 64) int64
torch.manual_seed(seed)
young_prior, bits = models.CodePrior(64), []
for record in fit(young_prior, vq.prior_objective, seen_symbols.to(torch.uint8), epochs=1, batch_size=64,
                  lr=5e-3, seed=seed):
    bits.append(record.loss / math.log(2))
print(f"{record.step} steps, {record.seconds:.0f} s: from {bits[0]:.0f} to {bits[-1]:.0f} bits per image; "
      f"bound {64 * math.log2(64):.0f}")

# %% [markdown]
# ### Exercise 4 · `bits_per_dim`
#
# *Difficulty ●○○ · importance ●●○ · 4 minutes.* Nats per image, as bits for each of the image's `dims` numbers.
#
# <details><summary>Hint 1</summary>
#
# A bit is the nats of a fair coin: log 2.
#
# </details>
# <details><summary>Hint 2</summary>
#
# It is the same for symbols, for pixels, and for negative nats, which densities above 1 have.
#
# </details>

# %% exercise="bits_per_dim"
def bits_per_dim(nats: Tensor, dims: int) -> Tensor:
    """Bits per dimension of images that cost these nats each; nats: (B,), returns (B,)."""
    ### BEGIN SOLUTION
    return nats / (math.log(2) * dims)
    ### END SOLUTION


# %% check="bits_per_dim"
bits_per_dim = check("bits_per_dim", bits_per_dim)

# %%
priors, symbol_bits, bits_told = {}, {}, {}
for K in Ks:
    priors[K], card = checkpoints.load(f"faces-vq-{K}-prior")
    with torch.no_grad():
        nats = torch.cat([vq.nats_of(priors[K], part) for part in vq_codes[K].split(100)])  # (M,)
    symbol_bits[K] = bits_per_dim(nats, 1).mean().item()
    error = bits_per_dim(nats, 1).std() / len(nats) ** 0.5
    bits_told[f"K = {K}"] = {
        "bound, bits": int(64 * math.log2(K)), "bits per image": f"{symbol_bits[K]:.1f} ± {error:.1f}",
        "per symbol": f"{bits_per_dim(nats, 64).mean():.2f} of {math.log2(K):.0f}",
        "all test images": card["test"]["bits"], "training images": card["test"]["bits_train"]}
plots.table(bits_told)

# %% [markdown]
# Now the plane of [notebook 04](04_beta_vae.ipynb): what a code costs, and what it leaves. A VQ-VAE is a VAE whose
# q(s|x) is certain: KL(q ‖ p) = −log p(s). So distortion + rate is −ELBO for both kinds, and we can place the
# face VAEs of [notebook 05](05_generation_celeba_cifar.ipynb) beside it: their rate is the KL, in bits; their distortion is taken at a z drawn from
# q(z|x), under the same kind of likelihood, with σ calibrated on other images.

# %% [markdown]
# **Prediction.** Which has the smaller −ELBO, VAE or VQ-VAE? And which counts for more in it, rate or distortion?
#
# ✎ *Double-click here and write your answer:*

# %%
gaussian_vaes = {n: checkpoints.load(f"faces-vae-{n}")[0] for n in (20, 128, 1024)}
plane = {"VQ-VAE, N log₂ K": {f"K = {K}": (64 * math.log2(K), distortion[K]) for K in Ks},
         "VQ-VAE, learned prior": {f"K = {K}": (symbol_bits[K], distortion[K]) for K in Ks}, "VAE": {}}
for n, vae in gaussian_vaes.items():
    terms = evaluate(vae, losses.vae_objective, vq_data.test.images[:n_symbols_eval], seed=seed)
    plane["VAE"][f"n = {n}"] = (terms["kl"] / math.log(2), -terms["log_lik"])
totals = {}
for kind, points in plane.items():
    for name, (rate, nats) in points.items():
        totals[f"{kind}, {name}"] = {"rate, bits": rate, "distortion, nats": nats,
                                     "−ELBO, nats": nats + rate * math.log(2)}
plots.table(totals, forms={"rate, bits": ".0f", "distortion, nats": ",.0f", "−ELBO, nats": ",.0f"},
            best={"−ELBO, nats": "min"})

# %%
figures.rate_and_distortion(plane)
plt.show()

# %% [markdown]
# **Figure 3.** Rate and distortion. Each arrow is a step to the left at the same images: the bits that the bound
# overpays, and that the density knows about faces. The thin line joins points of the smallest −ELBO.
#
# The line falls by log 2 = 0.69 nats per bit. It is flat beside the distances between models: here distortion
# decides, and a hundred bits are worth a small change of σ.
#
# Three things differ between the kinds at once: rounding, layers (the VAEs mix all places in a large linear
# layer) and seconds of training, which the cards tell. So this is no verdict on rounding. One thing is simpler
# here: an arithmetic coder turns symbols and p(s) into a file of that many bits; the KL of a VAE is a
# length that only a longer detour reaches. And per number of the image?

# %%
elbos = {name: -row["−ELBO, nats"] for name, row in totals.items()}
per_number = {}
for name in (max(elbos, key=elbos.get), max((n for n in elbos if n.startswith("VQ")), key=elbos.get)):
    told = bits_per_dim(torch.tensor(-elbos[name]), vq_test[0].numel()).item()
    per_number[name] = {"number in [0, 1]": f"{told:.2f}".replace("-", "−"), "number in 256 steps": f"{told + 8:.2f}"}
plots.table(per_number, corner="bits per")

# %% [markdown]
# A density per unit may be above 1, so its bits may be negative; a cell of width 1/256 holds 1/256 of it, which
# adds 8 bits. (A good approximation where σ is much wider than a cell.)
#
# Last, samples. Three densities of the same symbols, K = 64: all grids alike; each place with the frequencies of
# its symbols, independent of other places; the learned p(s), symbol by symbol. The decoder is the same. The ruler
# is that of [notebook 05](05_generation_celeba_cifar.ipynb): Fréchet distance on course features, beside the floor of training images.

# %% [markdown]
# **Prediction.** Symbols as frequent as in real faces, but independent: how much of the way from uniform symbols to
# rebuilt faces do they go?
#
# ✎ *Double-click here and write your answer:*

# %%
M = len(vq_test)
train_symbols = vq.symbols_of(vqs[64], vq_data.train.images[:2_000])  # (2000, 64)
shuffle = torch.rand(train_symbols.shape, generator=rng).argsort(0)  # each place by itself
drawn_symbols = {
    "uniform": torch.randint(64, vq_codes[64].shape, generator=rng),
    "independent places": train_symbols.gather(0, shuffle)[:M],
    "learned prior": priors[64].sample(M, generator=rng),
}

# %%
vae = gaussian_vaes[128]
z_fit = drawn_codes(vae, to_float(vq_data.train.images[:2_000]), generator=rng)
decoded_sets = {name: vq.images_of(vqs[64], s) for name, s in drawn_symbols.items()} | {
    "test images rebuilt": vq.images_of(vqs[64], vq_codes[64]),
    "VAE 128, N(0, I)": image_of(vae, torch.randn(M, 128, generator=rng)),
    "VAE 128, Gaussian": image_of(vae, gaussian_codes(z_fit, M, generator=rng)),
    "training images": to_float(vq_data.train.images[:M]),
}
judge, _ = checkpoints.load("faces32-classifier")
to_test = feature_statistics(features_of(judge, vq_test))


def to_faces(x: Tensor) -> float:
    """Fréchet distance on course features from images x to the test images."""
    return frechet_distance(*feature_statistics(features_of(judge, x)), *to_test)

# %%
from_test = {name: to_faces(x) for name, x in decoded_sets.items()}
far, mid, near, rebuilt = [*from_test.values()][:4]
gone = [(far - value) / (far - rebuilt) for value in (mid, near)]  # of the way from uniform to rebuilt
print(f"Still missing: {near - rebuilt:.1f} by the density, {rebuilt - from_test['training images']:.1f} by encoder, "
      f"rounding and decoder")

# %%
figures.symbol_samples(decoded_sets, from_test, gone)
plt.show()

# %% [markdown]
# **Figure 4.** The same decoder, three densities of its symbols; below, rebuilt test images, the VAE with 128
# latents, and training images. Look at what fits together within a face, and what does not.
#
# Uniform symbols still show the outline that all faces share: it stands in the decoder's weights. Independent
# places have symbols as frequent as they are, and no knowledge of which go with which: blends of several people,
# which may be as far from faces as uniform symbols are. The learned prior guesses each symbol from those before it,
# so what was drawn first decides what follows. The floor of its distance are the rebuilt images: what the decoder
# loses no density can bring back.
#
# And the other codebooks? What their samples lack has two parts: what the decoder does not rebuild, and what the
# density adds to that distance.

# %%
sampled, by_density = {}, {}
for K in Ks:
    if K == 64:  # as above
        sampled[K], far_rebuilt, far_drawn = decoded_sets["learned prior"], rebuilt, near
    else:
        sampled[K] = vq.images_of(vqs[K], priors[K].sample(M, generator=rng))
        far_rebuilt, far_drawn = to_faces(vq.images_of(vqs[K], vq_codes[K])), to_faces(sampled[K])
    by_density[f"K = {K}"] = {"rebuilt images": far_rebuilt, "samples": far_drawn,
                              "the density adds": far_drawn - far_rebuilt}
plots.table(by_density, corner="Fréchet distance", bars=["rebuilt images", "the density adds"])

# %%
told = {K: {"perplexity": codebook_usage(vq_codes[K], K), "bits at most": 64 * math.log2(K),
            "bits by the learned prior": symbol_bits[K], "PSNR in dB": vq_cards[K]["test"]["psnr"]} for K in Ks}
uniform = {K: torch.randint(K, vq_codes[K][:6].shape, generator=rng) for K in Ks}
shelf = widgets.codebooks(vq_test[:6], {
    "decoded": lambda K: vqs[K].image_of(vq_codes[K][:6]),
    "learned prior": lambda K: sampled[K][:6],
    "uniform": lambda K: vqs[K].image_of(uniform[K]),
}, told, start=64)
shelf

# %% [markdown]
# **Figure 5.** Six test faces, rebuilt from 64 symbols out of K, and drawn from two densities. Move K, and look at
# what comes with more symbols in the second row, and what the third row gains by it.
#
# The table above says the same in numbers: with few symbols the decoder limits the samples, with many the density
# has more to learn.
#
# **What was seen.** Rounding has no gradient, and straight-through replaces it; a codebook loses symbols unless
# they are revived; a learned density of symbols saves bits and turns the same decoder into a generator. The line
# "still missing" says where to work next: where the decoder's part is the larger, the sentence of notebook
# [05](05_generation_celeba_cifar.ipynb) is turned round, and what is missing is a decoder, not a density.
# [Esser et al. (2021)](https://arxiv.org/abs/2012.09841) go on there: larger networks, and an adversarial loss
# beside ours. What this kind of density needs is a finite alphabet. The next section keeps vectors.

# %% [markdown]
# ## 6.2 · A learned density, continuous
#
# Notebooks [02](02_convolutional_autoencoder.ipynb) and [05](05_generation_celeba_cifar.ipynb) ended at the
# same place: random numbers make bad codes, a Gaussian fitted to the codes makes better ones, and the decoder
# was the same all the time. **What is missing is a density, not a decoder.** A Gaussian knows mean and
# covariance of the codes and nothing else. How much is left to know, and what does it cost to learn it?
#
# The strongest model of a density that we have met is diffusion. Nothing in it needs pixels: put codes in
# place of images, and it is **latent diffusion**
# ([Rombach et al., 2022](https://arxiv.org/abs/2112.10752)). First the faces and two decoders of
# [notebook 05](05_generation_celeba_cifar.ipynb):
# an autoencoder, which never heard of a prior, and a VAE.

# %%
celebs = datasets.load("celeba", size=64)
painters = {"AE": load_or_train("-ae-128", celebs, steps=100, seed=seed).model}
painters["VAE"], vae_card, _ = load_or_train("-vae-128", celebs, steps=100, seed=seed)
x_codes = celebs.train.images[:latent_faces]
codes = {kind: torch.cat([code_of(model, to_float(part)) for part in x_codes.split(1_000)])
         for kind, model in painters.items()}  # (N, 128) each
print(f"{celebs.source}; codes of {len(x_codes):,} training faces, {codes['AE'].shape[1]} numbers each")

# %% [markdown]
# The forward process and the velocity are those of
# [notebook 05](05_generation_celeba_cifar.ipynb), with z in place of x:
#
# $$z_t = \sqrt{\bar\alpha_t}\,z + \sqrt{1-\bar\alpha_t}\,\varepsilon, \qquad
#   v = \sqrt{\bar\alpha_t}\,\varepsilon - \sqrt{1-\bar\alpha_t}\,z .$$
#
# Two things change. Codes have no range, so each latent is **standardized**, to mean 0 and variance 1, and
# the guess ẑ is not cut off at ±1. And a code has no places, so the network is no U-Net: a residual MLP that
# is told t, `CodeDenoiser`.
#
# One number says what it has learned. If the codes were Gaussian with their mean and covariance, the best
# possible v̂ would be linear, and its error known. In a direction of variance λ it is
# λ/(ᾱ_t λ + 1 − ᾱ_t), averaged over t. **An error below this cannot come from mean and covariance.**

# %%
def linear_error(z: Tensor) -> float:
    """E‖v − v̂‖² of the best linear v̂, for standardized codes (N, d): that of a Gaussian."""
    lam = torch.linalg.eigvalsh(torch.cov(z.T)).clamp(min=0)  # (d,)
    kept = diffusion.noise_schedule()[:, None]  # ᾱ, (T, 1)
    return (lam / (kept * lam + 1 - kept)).mean(0).sum().item()

# %%
def train_briefly(model: nn.Module, objective: Callable, data: tuple, *, steps: int, lr: float) -> dict:
    """Steps of 128 by `fit`, in place; the losses and the seconds."""
    records = fit(model, objective, data, epochs=steps, steps=steps, batch_size=128, lr=lr, seed=seed)
    falling = [(record.loss, record.seconds) for record in records]
    model.cpu().eval().requires_grad_(False)
    return {"losses": [loss for loss, _ in falling], "seconds": falling[-1][1]}

# %% [markdown]
# **Prediction.** We train on the autoencoder's codes, live. Will the error get below the linear one, and in
# how many seconds: one, ten, a hundred?
#
# ✎ *Double-click here and write your answer:*

# %%
torch.manual_seed(seed)
young_denoiser = CodeDenoiser(codes["AE"].shape[1], width=200).learn_scale(codes["AE"])
young_told = train_briefly(young_denoiser, diffusion.code_objective, diffusion.as_labels(codes["AE"]),
                           steps=latent_steps, lr=5e-3)
linear = linear_error(young_denoiser.standardized(codes["AE"]))
every = max(1, len(young_told["losses"]) // 10)
smooth = torch.stack([part.mean() for part in torch.tensor(young_told["losses"]).split(every)])
young_size = sum(p.numel() for p in young_denoiser.parameters())
places = [every * (i + 0.5) for i in range(len(smooth))]
print(f"{young_size:,} parameters, {latent_steps} steps in {young_told['seconds']:.0f} s")
short_run_note("The error and the samples")

# %%
figures.denoiser(places, smooth.tolist(), linear, rate=latent_steps / young_told["seconds"])
plt.show()

# %% [markdown]
# **Figure 6.** Live training on the autoencoder's codes, mean error over tenths of the steps. Look at whether and
# where it falls below the dotted line: from there on the network knows more of the codes than a Gaussian does.
#
# For the VAE's codes the course keeps a denoiser that was trained for longer. Where other faces are at hand,
# one is trained here instead, for the same few steps.

# %%
def kept_or(ending: str, model: nn.Module, *task: object, steps: int, lr: float) -> tuple[nn.Module, dict]:
    """The committed model with this ending and its card; of other faces, `model` trained briefly."""
    if name := fitting(ending, celebs):
        return checkpoints.load(name)
    told = train_briefly(model, *task, steps=steps, lr=lr)
    return model, told | {"parameters": sum(p.numel() for p in model.parameters())}

# %%
denoisers = {"AE": young_denoiser}
denoisers["VAE"], latent_card = kept_or(
    "-latent", CodeDenoiser(codes["VAE"].shape[1], width=200).learn_scale(codes["VAE"]),
    diffusion.code_objective, diffusion.as_labels(codes["VAE"]), steps=latent_steps, lr=3e-3)
print(f"denoiser of the VAE's codes: {latent_card['parameters']:,} parameters, "
      f"trained for {latent_card['seconds']:.0f} s")

# %% [markdown]
# Now all densities on one ruler, [notebook 05](05_generation_celeba_cifar.ipynb)'s Fréchet distance on course features. A distance to test faces
# mixes two things, what the density gets wrong and what the decoder does. So there is a second column:
# distance to test faces *that the same decoder has rebuilt*. There the decoder is on both sides, and only the
# density counts.

# %% [markdown]
# **Prediction.** Order the four for each decoder: N(0, I), fitted Gaussian, latent diffusion, rebuilt
# training faces. Is a learned density of more use to the autoencoder or to the VAE?
#
# ✎ *Double-click here and write your answer:*

# %%
judge, _ = checkpoints.load("faces32-classifier" if celebs.stand_in else "cifar10-classifier")


def statistics_of(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance of the images' course features."""
    return feature_statistics(features_of(judge, x))

# %%
n = drawn_faces
x_held_out, x_seen = to_float(celebs.test.images[:n]), to_float(celebs.train.images[:n])
to_faces, drawn, density_rows = statistics_of(x_held_out), {}, {}
for kind, model in painters.items():
    z, denoiser = codes[kind], denoisers[kind]
    random_codes = {"N(0, I)": torch.randn(n, z.shape[1], generator=rng),
                    "fitted Gaussian": gaussian_codes(z, n, generator=rng),
                    "latent diffusion": diffusion.sample_codes(denoiser, n, steps=100, generator=rng),
                    "rebuilt training faces": z[:n]}
    drawn |= {f"{kind}, {name}": (model, each) for name, each in random_codes.items()}

# %%
for kind, model in painters.items():
    to_rebuilt = statistics_of(image_of(model, code_of(model, x_held_out)))
    for name in (name for name in drawn if name.startswith(f"{kind},")):
        mine = statistics_of(image_of(*drawn[name]))
        density_rows[name] = {"to test faces": frechet_distance(*mine, *to_faces),
                              "to rebuilt test faces": frechet_distance(*mine, *to_rebuilt)}
density_rows["training faces (the floor)"] = {"to test faces": frechet_distance(*statistics_of(x_seen), *to_faces)}
plots.table(density_rows, corner=f"Fréchet distance, {n} faces")

# %%
to_own = {name: row["to rebuilt test faces"] for name, row in density_rows.items() if name in drawn}
way_gone = {}
for kind in painters:  # of the way from the Gaussian to the ceiling, in the second column
    fit_row, own, best = (to_own[f"{kind}, {name}"] for name in (
        "fitted Gaussian", "latent diffusion", "rebuilt training faces"))
    way_gone[kind] = (fit_row - own) / (fit_row - best)

# %% [markdown]
# Read the two columns together. In the second the order is that of the densities. In the first a Gaussian may come
# out ahead of a better density, and even of the ceiling: its codes are more varied than real ones, the images of a
# blurred decoder less varied than real faces, and a distance lets one fault pay for the other.

# %%
figures.density_samples({name: image_of(model, z[:8]) for name, (model, z) in drawn.items()}, to_own, way_gone)
plt.show()

# %% [markdown]
# **Figure 7.** The first of each row, none chosen, with the distances of the second column. Each block of four has
# one decoder: all that changes is where the codes come from. The last row of a block is its **ceiling**.
#
# The ceiling is faces that went through the code: no density can be expected to do better with this decoder. What
# separates it from the floor of the first column is the decoder's, and no learning of densities will bring it back.
#
# A density learned from so many codes could also *be* these codes, learned by heart. Then samples would lie
# nearer to training codes than codes of new faces do.

# %%
by_heart = {}
for kind, denoiser in denoisers.items():
    known = denoiser.standardized(codes[kind])
    fresh = denoiser.standardized(code_of(painters[kind], x_held_out))
    made = denoiser.standardized(drawn[f"{kind}, latent diffusion"][1])
    near_made, near_fresh = (torch.cdist(z, known).min(1).values.median().item() for z in (made, fresh))
    verdict = "learned by heart" if near_made < 0.5 * near_fresh else "not copies"
    by_heart[kind] = {"from a sample": near_made, "from a test face": near_fresh, "samples": verdict}
plots.table(by_heart, corner="to the nearest training code, median", forms=dict.fromkeys(by_heart["AE"], ".2f"))

# %% [markdown]
# How does a code come about? The slider walks through 50 steps of six samples of the VAE's denoiser. Above is
# what the decoder makes of z_t, which is no code yet; below what it makes of the guess ẑ.

# %%
noise_six = torch.randn(6, denoisers["VAE"].latent_dim, generator=rng)
unscaled = denoisers["VAE"].unstandardized
way = [(t, unscaled(z_t), unscaled(guess)) for t, z_t, guess in diffusion.ddim(
    denoisers["VAE"], noise_six, torch.zeros(6).long(), steps=50)]
step_panel = widgets.denoising(way, lambda z: image_of(painters["VAE"], z), start=20)
step_panel

# %% [markdown]
# **Figure 8.** Move the step from 1 to 50. Look at the lower row: at step 1 all guesses are alike, and then faces
# part, first in skin, hair and background, at the end in small things.
#
# From noise alone the best guess is the mean code, and its image is a mean face of this decoder. Unlike pixels,
# noisy codes do not look noisy: the decoder has only faces to show, also for codes that belong to none.
#
# ### Codes or pixels?
#
# The same faces by diffusion of pixels: [notebook 05](05_generation_celeba_cifar.ipynb)'s U-Net, narrower, for 64 × 64, with as many
# parameters as the denoiser of codes. Both cards say for how many seconds they were trained; where they were
# trained by one run of the recipe `latent`, these compare.

# %% [markdown]
# **Prediction.** At equal parameters: how many times as long does pixel diffusion take for one face? And
# whose faces are nearer to test faces?
#
# ✎ *Double-click here and write your answer:*

# %%
unet_64, pixel_card = kept_or("-pixels", UNet(1, widths=(24, 64)), diffusion.diffusion_objective,
                              (x_codes, torch.zeros(len(x_codes)).long()), steps=5, lr=4e-3)
unet_64.to(memory_format=torch.channels_last)
m, face_shape = pixel_faces, tuple(x_held_out.shape[1:])

# %%
def drawn_in(draw: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """The images, and the seconds that 500 of them take."""
    start = time.perf_counter()
    with torch.no_grad():
        x = draw()
    return x, 500 * (time.perf_counter() - start) / len(x)

# %%
rivals = {f"latent, {steps} steps": drawn_in(lambda: image_of(painters["VAE"], diffusion.sample_codes(
    denoisers["VAE"], m, steps=steps, generator=rng))) for steps in (pixel_steps, 100)}
rivals[f"pixels, {pixel_steps} steps"] = drawn_in(lambda: diffusion.sample_ddim(
    unet_64, torch.zeros(m).long(), steps=pixel_steps, generator=rng, shape=face_shape))

# %%
to_few = statistics_of(x_held_out[:m])
rival_distance = {name: frechet_distance(*statistics_of(x), *to_few) for name, (x, _) in rivals.items()}
rival_table = {}
for name, (_, seconds) in rivals.items():
    card = latent_card if name.startswith("latent") else pixel_card
    rival_table[name] = {"parameters": card["parameters"], "s of training": card["seconds"],
                         "s for 500 faces": seconds, "Fréchet distance": rival_distance[name]}
for name, x in {"rebuilt training faces": image_of(painters["VAE"], codes["VAE"][:m]),
                "training faces (floor)": x_seen[:m]}.items():
    rival_table[name] = {"Fréchet distance": frechet_distance(*statistics_of(x), *to_few)}
plots.table(rival_table, corner=f"{m} faces on each side", forms={"s of training": ".0f"})

# %%
share = latent_card["seconds"] / pixel_card["seconds"]
with_vae = (latent_card["seconds"] + vae_card["seconds"]) / pixel_card["seconds"]
ours, theirs = list(rivals)[1:]
print(f"Training: the denoiser of codes took {share:.2f} of the seconds of the U-Net, {with_vae:.2f} with the "
      f"VAE's own {vae_card['seconds']:.0f} s; sampling {rivals[ours][1] / rivals[theirs][1]:.3f}")

# %% [markdown]
# Two things are to be said with it. The VAE had to be trained, too; once it is there it serves every density, and the
# line above gives both shares. And minutes are little for pixels: `faces-pixels` has seen each of its images once,
# `faces-latent` each code 40 times. Pixel diffusion has no decoder that limits it, so with enough training it can
# pass the ceiling at which latent diffusion ends.
#
# The course keeps the same comparison with more faces and more steps of the U-Net, of one run.

# %%
kept_latent, kept_rows = metrics_of("latent", celebs) or {"sizes": {}}, {}
for size, found in kept_latent["sizes"].items():
    kept_rows[f"{size} × {size}, VAE"] = {"s of training": found["vae_seconds"]}
    for row in sorted(found["rows"], key=lambda row: row["frechet"]):
        kept_rows[f"{size} × {size}, {row['name']}"] = {
            "s of training": row.get("train_seconds"), "s to draw": row["sample_seconds"],
            "to test faces": row["frechet"], "to rebuilt": row["frechet_rebuilt"]}
plots.table(kept_rows, corner="500 faces on each side", forms={"s of training": ".0f", "s to draw": ".2f"})

# %%
rival_rows = {name: x[:9] for name, (x, _) in rivals.items()} | {"test faces": x_held_out[:9]}
figures.rivals(rival_rows, rival_distance, {name: seconds for name, (_, seconds) in rivals.items()})
plt.show()

# %% [markdown]
# **Figure 9.** The first of each, and test faces. Look at what each lacks: latent diffusion has the decoder's
# blur, and from the decoder it also has what holds a face together; pixel diffusion must learn both from scratch.
#
# How far pixels have come in their seconds, the third row shows: place and outline come first, skin and
# eyes last. This is a comparison at equal parameters and little time, not a limit of pixels.
#
# ### 128 × 128
#
# Four times as many pixels. A U-Net works at each place, so its cost grows with the area. A code of d numbers has d
# numbers at any size: only the decoder, which runs once for each image, sees the pixels. Time does not depend on the
# values of weights, so we measure it on untrained networks, and pass random images.

# %% [markdown]
# **Prediction.** From 64 to 128 pixels: how many times the seconds per training step, for pixels and for
# codes?
#
# ✎ *Double-click here and write your answer:*

# %%
def milliseconds(work: Callable[[], object], count: int) -> float:
    """Per image, the fastest of three runs."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1_000 * min(times) / count

# %%
def step_of(model: nn.Module, objective: Callable, *batch: Tensor) -> Callable[[], None]:
    """Loss and gradients of one batch, what a training step spends its time on."""
    return lambda: objective(model, *batch)[0].backward()

# %%
speed = {}
for side, batch in ((64, 8), (128, 4)):
    unet = UNet(1, widths=(24, 64)).to(memory_format=torch.channels_last)
    mlp, vae = CodeDenoiser(128, width=200), ConvVAE(128, size=side, width=16, log_sigma=0.0)
    x, y, z = torch.rand(batch, 3, side, side), torch.zeros(batch).long(), torch.randn(128, 128)
    with torch.no_grad():
        speed[side] = {
            "pixels, evaluation": milliseconds(lambda: unet(x, y, y), batch),
            "codes, evaluation": milliseconds(lambda: mlp(z, torch.zeros(128).long()), 128),
            "decoder, once": milliseconds(lambda: image_of(vae, z[:32]), 32)}
    speed[side]["pixels, training"] = milliseconds(step_of(unet, diffusion.diffusion_objective, x, y), batch)
    speed[side]["codes, training"] = milliseconds(step_of(mlp, diffusion.code_objective, z, z), 128)

# %%
for each in speed.values():
    each[f"a sample by {pixel_steps} steps of pixels"] = pixel_steps * each["pixels, evaluation"]
    each["a sample by 100 steps of codes"] = 100 * each["codes, evaluation"] + each["decoder, once"]
plots.table({name: {"64 × 64": small, "128 × 128": speed[128][name], "ratio": speed[128][name] / small}
             for name, small in speed[64].items()}, corner="milliseconds per image",
            forms={"64 × 64": ".3f", "128 × 128": ".3f"})

# %% [markdown]
# Nothing was trained for this table. A small VAE of 128 pixels and a denoiser of its 64 latents were trained
# beforehand, on few faces and for the seconds that the list above names. Pixel diffusion at 128 was only timed, not
# trained, so at this size we compare seconds and no quality.

# %%
if name := fitting("-vae-128px", celebs):
    large_vae, _ = checkpoints.load(name)
    large_denoiser, large_card = checkpoints.load(fitting("-latent-128px", celebs))
    large_codes = diffusion.sample_codes(large_denoiser, 8, steps=100, generator=rng)
    large_rows = {"N(0, I)": torch.randn(8, large_vae.latent_dim, generator=rng), "latent diffusion": large_codes}
    kept_far = {row["name"]: row["frechet"] for row in kept_latent["sizes"]["128"]["rows"]}

# %%
if name:
    figures.large_faces({row: image_of(large_vae, z) for row, z in large_rows.items()}, kept_far)
    plt.show()

# %% [markdown]
# **Figure 10.** 128 × 128: codes from the prior, and codes from latent diffusion, by one small VAE, with the
# distances of the kept run. Nothing in the denoiser knows how many pixels there will be.
#
# **What we have seen.** The two columns of the table answer the question: what a Gaussian leaves is a density, and
# it can be learned in seconds, because it is learned where an image is a hundred numbers. What is left after
# that is the decoder's. Latent diffusion divides the work: an autoencoder, trained once, deals with pixels, and a
# diffusion model deals with what is possible. The price is a ceiling that no density can lift. The first section asked
# for the same density over *symbols* in place of numbers; both are answers to one question.

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
# ### Exercise 5 · `hierarchical_elbo`
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
for layer, name in {"s2": "z₂ moved by s", "s1": "z₁ moved by s"}.items():
    posteriors = [partial(spoiled, **{layer: float(s)}) for s in shifts]
    gap_of[name] = [float((evidence - chain_elbo(q)).mean()) for q in posteriors]
    kl_of[name] = [float(chain.gap(x_chain, q(x_chain)).mean()) for q in posteriors]

# %%
blind = (evidence - chain_elbo(x_alone)).mean()

# %%
figures.chain_gaps(shifts, gap_of, kl_of, blind=float(blind))
plt.show()

# %% [markdown]
# **Figure 11.** The gap between the evidence and your bound on the linear chain (dots), and the KL to
# the exact posterior from its closed form (lines). Look at s = 0: only there the gap is 0.
#
# The dotted line is an encoder whose two layers ignore each other: no training
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
chain_told = {}
for name, one in {"both layers": chain, "upper layer without effect": flat}.items():
    told = one.terms(x_chain, one.posterior(x_chain))
    bound = (told.log_lik - told.kl_upper - told.kl_lower).mean()
    chain_told[name] = {"KL upper": told.kl_upper.mean().item(), "KL lower": told.kl_lower.mean().item(),
                        "ELBO": bound.item()}
plots.table(chain_told, corner="nats per image", forms=dict.fromkeys(chain_told["both layers"], ".3f"))

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
    records = list(progress_bar(records, total=layer_steps))
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
upper_kl, lower_kl = ({name: smoothed(records, f"kl_{layer}") for name, records in layer_records.items()}
                      for layer in ("upper", "lower"))
figures.layers(upper_kl, lower_kl, free=6)
plt.show()

# %% [markdown]
# **Figure 12.** What each layer carries during three trainings, with the nats at the end. Look at when the two
# layers begin to rise, which of them ends higher, and what warm-up does while β is small.
#
# With free bits the upper layer has nothing to gain by saying less than 6 nats.

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
carried, layer_table = {}, {}
for name, vae in layer_vaes.items():
    tested = evaluate(vae, plain_layers, digits.test.images, seed=seed)
    upper, lower, saved = layer_report(vae, x_digits)
    carried[name] = (upper, lower)
    layer_table[name] = {"−ELBO": tested["loss"], "KL upper": float(upper.sum()), "KL lower": float(lower.sum()),
                         "upper, share of KL": float(upper.sum() / (upper.sum() + lower.sum())),
                         "alive of 8 upper": int((upper > lives).sum()), "saved by upper": saved}

# %%
tested = evaluate(one_layer, losses.vae_objective, digits.test.images, seed=seed)
layer_table["one layer"] = {"−ELBO": tested["loss"], "KL lower": tested["kl"]}
plots.table(layer_table, corner="nats per image", forms={"upper, share of KL": ".0%"}, best={"−ELBO": "min"})

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
kept_layers = {}
for kind, runs in by_kind.items():
    layered = [run for run in runs if "living" in run]  # none of one layer
    kept_layers[kind] = {
        "−ELBO": ", ".join(f"{run['negative_elbo']:.1f}" for run in runs),
        "KL lower": ", ".join(f"{run['kl_lower']:.1f}" for run in runs),
        "KL upper": ", ".join(f"{run['kl_upper']:.1f}" for run in layered) or None,
        "alive of 8 upper": ", ".join(str(run["living"]["upper"]) for run in layered) or None,
        "saved by upper": ", ".join(f"{run['saved_by_upper']:.1f}" for run in layered) or None}
plots.table(kept_layers, corner="nats per image, three seeds")

# %%
def pairs_ahead(a: str, b: str) -> str | None:
    """In how many pairs of trainings a has the lower −ELBO than b."""
    won = [x["negative_elbo"] < y["negative_elbo"] for x in by_kind[a] for y in by_kind[b]]
    return f"{sum(won)} of {len(won)}" if a != b else None

# %%
kept_means = {}
for kind, runs in by_kind.items():
    cost = statistics.mean(run["negative_elbo"] for run in runs)
    kept_means[kind] = {
        "mean −ELBO": cost,
        "ahead of one layer, nats": statistics.mean(run["negative_elbo"] for run in by_kind["one layer"]) - cost,
        "in pairs": pairs_ahead(kind, "one layer"), "ahead of plain in pairs": pairs_ahead(kind, "plain"),
        "upper, share of KL": statistics.mean(run["kl_upper"] / (run["kl_upper"] + run["kl_lower"]) for run in runs)}
plots.table(kept_means, forms={"mean −ELBO": ".2f", "upper, share of KL": ".0%"}, best={"mean −ELBO": "min"})

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

# %%
eps_upper, eps_lower = torch.randn(6, 8, generator=rng), torch.randn(6, 16, generator=rng)
pictures = {}
for name in ("plain", "free bits"):
    kept = {"one z₂,\nz₁ drawn": (eps_upper[0].expand(6, 8), eps_lower),
            "another z₂,\nz₁ drawn": (eps_upper[1].expand(6, 8), eps_lower),
            "z₂ drawn,\nz₁ kept": (eps_upper, eps_lower[0].expand(6, 16))}
    pictures[name] = {row: drawn_layers(layer_vaes[name], *eps).view(-1, 28, 28) for row, eps in kept.items()}

# %%
short_run_note("the pictures")
figures.decided(pictures, decided)
plt.show()

# %% [markdown]
# **Figure 13.** Images drawn from two of the models, and what z2 decides of the variance of all drawn images. In the
# first two rows z2 stays and z1 is drawn below it: what stays in the row is what z2 decides.

# %%
def decode_upper(z2: Tensor) -> Tensor:
    """The image of z2, z1 at the mean of its prior, by the model with free bits."""
    vae = layer_vaes["free bits"]
    return vae.p_x(vae.p_z1(z2).mean).mean


# %%
free = layer_vaes["free bits"]
first_z2 = free.q_z2(free.bottom_up(x_digits[:1])).mean[0]  # of the first test digit
upper_slider = widgets.latents(decode_upper, carried["free bits"][0], shown=4, base=first_z2)
upper_slider

# %% [markdown]
# **Figure 14.** The upper latents of the model with free bits, the four that carry most, with z1 at
# the mean of p(z1|z2), from the code of the first test digit on; their numbers count latents, not layers. Move one: the picture is what z2 alone says of
# an image, blurred where z1 would still have to decide.

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
    """T steps of a cosine, like that of the course; 0.01% of the variance is left at T."""
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
three_depths = {f"T = {T}": noising(T) for T in (4, 16, 64)}
layer_costs = {name: m.terms(x_typical, m.reverse()[1]).kl[0] for name, m in three_depths.items()}

# %%
figures.diffusion_layers(layer_costs, depths, gaps)
plt.show()

# %% [markdown]
# **Figure 15.** Diffusion of Gaussian data as a hierarchy of T layers. Left: what each layer costs with the exact
# variance, the top at the right. Right: the gap to the evidence, for two variances of p.
#
# The top costs next to nothing, as its prior is what the noise leaves; most nats stand at the bottom, where the
# image becomes sharp, and in between more layers share them. With the exact variance the gap is that of the top, at
# any T; with the variance of the step it closes as the steps get shorter.
#
# **What we have seen.** The bound of two layers is exact where q is the exact posterior, and then z1
# has to know z2. It does not say which layer does the work: the upper one can earn no more than the
# mismatch of the lower one, and training starts below. Free bits move nats upwards by construction;
# whether a repair pays, −ELBO decides. Diffusion gives up the choice: q is fixed, every layer gets
# its share by schedule, and p alone is learned, which with short steps is enough.
#
# **To think about.** (1) A paper reports that all its upper latents are active, with free bits. What
# do you ask for? (2) In Figure 15 no layer collapses, though the top costs hardly anything. Why is
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

# %% [markdown]
# ## 6.4 · What is learned by filling in
#
# The restorer of [notebook 02](02_convolutional_autoencoder.ipynb) gets an image with a small hole, looks at
# all of it, black square included, and returns it whole. A **masked autoencoder**
# ([He et al., 2022](https://arxiv.org/abs/2111.06377)) changes three things. It cuts the image into patches and
# hides three in four. Its encoder is shown the visible ones *alone*, with nothing in place of the others.
# And nobody wants its pictures: once trained, the decoder is thrown away, and the codes are kept.
#
# The bet: whoever can guess three quarters of an image from the rest knows something of what images are of.
# We take CIFAR-10 where it is at hand, photographs of ten classes, else cartoon faces of the same size in
# ten classes. No class is used before the very end.

# %%
images_32 = datasets.load("cifar10")
kind_32 = prefix(images_32)  # "cifar10", or "faces32" where cartoon faces stand in
x_32 = to_float(images_32.test.images[:n_filled])  # (N, 3, 32, 32) in [0, 1]
print(f"{images_32.source}: {len(images_32.train):,} training images, {len(x_32)} test images are filled in")

# %% [markdown]
# ### Exercise 6 · `patchify`
#
# *Difficulty ●●○ · importance ●●○ · 8 minutes.* Cut images into squares, each laid out as one row of numbers: a
# sentence of N words. The patches stand in reading order, and in a patch one channel after the other.
#
# <details><summary>Hint 1</summary>
#
# `reshape` never moves a number. First take H apart into (row of the grid, row in the patch), and W likewise:
# six axes. Then put them into the order that you want, and only then join some.
#
# </details>
# <details><summary>Hint 2</summary>
#
# What changes slowest in the result? The image, the row of the grid, its column; then, inside of a patch,
# the channel, the row, the column. `permute` takes the six axes in this order.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Try it on `torch.arange(24.).reshape(1, 1, 4, 6)` with size 2: the first patch is 0, 1, 6, 7.
#
# </details>

# %% exercise="patchify"
def patchify(x: Tensor, size: int) -> Tensor:
    """Squares of size × size pixels: (B, C, H, W) to (B, N, C·size²), N = (H/size)·(W/size).

    Patches stand in reading order, row by row; in each, channel by channel, then row by row.
    H and W are multiples of size, and need not be equal.
    """
    ### BEGIN SOLUTION
    B, C, H, W = x.shape
    grid = x.reshape(B, C, H // size, size, W // size, size)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(B, -1, C * size**2)
    ### END SOLUTION


# %% check="patchify"
patchify = check("patchify", patchify)

# %% [markdown]
# The way back takes the same six axes. It also paints masks: each patch gets one value for all of its pixels.

# %%
SIDE, GRID = 4, 8  # pixels a side of a patch, patches a side of an image


def unpatchify(patches: Tensor) -> Tensor:
    """The images that `patchify` was given: (B, 64, C·16) to (B, C, 32, 32)."""
    pixels = patches.reshape(len(patches), GRID, GRID, -1, SIDE, SIDE)
    return pixels.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)


def pixels_of(mask: Tensor) -> Tensor:
    """Which pixels belong to the patches that a mask names: (B, 64) to (B, 1, 32, 32) bool."""
    return unpatchify(mask[:, :, None].expand(-1, -1, SIDE**2))


assert torch.equal(unpatchify(patchify(x_32, SIDE)), x_32)
print("an image is", tuple(patchify(x_32, SIDE).shape[1:]), "numbers: 64 patches of 3 · 4 · 4")

# %% [markdown]
# ### Exercise 7 · `random_masking`
#
# *Difficulty ●●● · importance ●●● · 12 minutes.* Hide M = `round(ratio * N)` of the N tokens of each image,
# every image its own, and keep the other K = N − M. Three results: the visible tokens, the mask, and what puts things back in
# order. Put K visible tokens and then M stand-ins in a row. `restore[b, n]` says where in this row token n of image b
# is to be found.
#
# <details><summary>Hint 1</summary>
#
# How are exactly M of N drawn, in all images at once? Give each token a random number and sort: `argsort` of
# (B, N) random numbers is a random order for each image. The first K of this order are visible.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `tokens.gather(1, index)` wants an index as large as its result, (B, K, D): `index[:, :, None].expand(-1, -1, D)`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `order[b, j]` is the token at place j. `restore[b, n]` is the place of token n, the inverse. What does
# `argsort` of a permutation give? And a token is hidden if its place is K or beyond.
#
# </details>

# %% exercise="random_masking"
def random_masking(tokens: Tensor, ratio: float, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Hide round(ratio · N) tokens of each image, drawn without replacement: (visible, mask, restore).

    tokens: (B, N, D). visible: (B, K, D), the others, in any order; mask: (B, N) bool, True where hidden;
    restore: (B, N) int64, the place of each token in cat([visible, hidden], dim=1).
    """
    ### BEGIN SOLUTION
    B, N, D = tokens.shape
    n_visible = N - round(ratio * N)
    order = torch.rand(B, N, generator=generator).argsort(dim=1).to(tokens.device)  # one per image
    visible = tokens.gather(1, order[:, :n_visible, None].expand(-1, -1, D))
    restore = order.argsort(dim=1)  # the inverse: where each token stands in that order
    mask = restore >= n_visible
    return visible, mask, restore
    ### END SOLUTION


# %% check="random_masking"
random_masking = check("random_masking", random_masking)

# %% [markdown]
# The network is a small vision transformer in three parts.
#
# - `embed(x)`: a linear layer makes a token of each patch's 48 numbers, and adds fixed sines and cosines
#   of its row and column. Without them, patches would have no places.
# - `encode(visible)`: three transformer blocks. In each, every token looks at every other (attention), then
#   passes a small MLP. They take any number of tokens.
# - `decode(codes, restore)`: one learned vector stands for every hidden patch, `restore` puts all in their places, one
#   narrow block mixes them, and a linear layer paints all 64 patches.
#
# One network was trained beforehand; another, with the same layers, stays untrained.

# %%
mae, mae_card = checkpoints.load(f"{kind_32}-mae")
torch.manual_seed(seed)
untrained = checkpoints.build(mae_card).eval().requires_grad_(False)
n_encoder, n_all = (sum(p.numel() for p in part.parameters()) for part in (mae.encoder, mae))
print(f"{n_all:,} parameters, {n_encoder / n_all:.0%} in the encoder; {mae_card['training']['epochs']} epochs "
      f"on: {mae_card['source']}")

# %%
def guess(model: nn.Module, x: Tensor, ratio: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """What a model paints in all patches, and which of them were hidden: (B, N, 48), (B, N)."""
    visible, mask, restore = random_masking(model.embed(x), ratio, generator)
    return model.decode(model.encode(visible), restore), mask

# %% [markdown]
# **Prediction.** With 3/4 of the patches hidden, how many times faster is the encoder? And will the pictures still show
# what is in the image?
#
# ✎ *Double-click here and write your answer:*

# %%
def encoder_seconds(tokens: Tensor) -> float:
    """The fastest of three passes through the encoder."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        mae.encode(tokens)
        times.append(time.perf_counter() - start)
    return min(times)

# %%
tokens_32 = mae.embed(x_32[:60])
all_seen, few_seen = encoder_seconds(tokens_32), encoder_seconds(tokens_32[:, :16])
print(f"60 images: {1e3 * all_seen:.0f} ms with 64 tokens, {1e3 * few_seen:.0f} ms with 16: "
      f"{all_seen / few_seen:.1f} times faster")

# %% [markdown]
# Nearly all work is done once per token, and only attention once per pair of tokens. So a quarter of the
# tokens is about a quarter of the work, or less: hiding much is what makes a large encoder affordable.
#
# Now see it fill in. The predicted patches go where the mask says, the visible ones stay as they are.

# %%
def filled_by_mae(x: Tensor, ratio: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images with the model's patches where some are hidden, (B, 3, 32, 32), and where, (B, 1, 32, 32)."""
    patches_hat, mask = guess(mae, x, ratio, generator)
    hidden = pixels_of(mask)
    return torch.where(hidden, unpatchify(patches_hat), x).clamp(0, 1), hidden

# %%
ratios_32, rows_32, errors_32 = (0.25, 0.5, 0.75, 0.9), {"image": x_32[:10]}, {}
for ratio in ratios_32:
    filled, hidden = filled_by_mae(x_32, ratio, torch.Generator().manual_seed(seed))
    rows_32 |= {f"{ratio:.0%} hidden": x_32[:10].masked_fill(hidden[:10], 0.5), f"{ratio:.0%} filled in": filled[:10]}
    errors_32[f"{ratio:.0%} filled in"] = (filled - x_32)[hidden.expand_as(x_32)].square().mean().sqrt().item()

# %%
figures.filled(rows_32, errors_32)
plt.show()

# %% [markdown]
# **Figure 16.** Test images with a quarter to nine tenths of their patches hidden (grey), and filled in. Look at
# what is continued, edges and areas of one colour, and where the answer is a blur.
#
# Squared error asks for the mean of all that would fit. No term of the loss speaks of the borders between patches,
# and some can be seen. The number is the root mean squared error of a hidden number, over all test images.

# %%
hiding = widgets.masking(x_32[:6], filled_by_mae, seed=seed)
hiding

# %% [markdown]
# **Figure 17.** Move the slider. Look at which share *you* no longer see what it is, and at which the network's
# error is smallest.
#
# It was trained at 75% alone: at other shares it gets a number of tokens that it never
# met, so to be shown more need not help it.
#
# **A planned failure.** Most people forget the inverse in `random_masking` and return the order itself as
# `restore`. Nothing is raised; shapes and dtypes are right. What happens to the error?

# %%
@torch.no_grad()
def hidden_error(patches_hat: Tensor, x: Tensor, mask: Tensor) -> float:
    """Root mean squared error of a hidden number: patches (B, N, 48), images, mask (B, N)."""
    return float((patches_hat - patchify(x, SIDE))[mask].square().mean().sqrt())


def one_colour(x: Tensor, hidden: Tensor) -> Tensor:
    """Each hidden pixel in the mean colour of the visible ones of its image."""
    mean = (x * ~hidden).sum((2, 3), keepdim=True) / (~hidden).sum((2, 3), keepdim=True)
    return torch.where(hidden, mean, x)

# %%
visible, mask, restore = random_masking(mae.embed(x_32), 0.75, torch.Generator().manual_seed(seed))
guesses = {
    "restore": mae.decode(mae.encode(visible), restore),
    "the order instead": mae.decode(mae.encode(visible), restore.argsort(dim=1)),  # the inverse's inverse
    "one colour per image": patchify(one_colour(x_32, pixels_of(mask)), SIDE),
}
print(", ".join(f"{name} {hidden_error(guess_, x_32, mask):.3f}" for name, guess_ in guesses.items()))

# %% [markdown]
# With the order in place of its inverse, codes are decoded at other patches' places: compare the error with that of
# one colour per image, which knows nothing. A network *trained* with this bug is harder to recognise.
# It learns what can be said without knowing what was where, and its loss falls too. A loss that falls proves
# little; hold it against a guess without knowledge.
#
# Now train one for some steps, with your own functions. Only hidden patches count: visible ones could be copied.

# %%
mask_rng = torch.Generator().manual_seed(seed)
no_classes = datasets.Split(images_32.train.images)
settings_32 = {"batch_size": 64, "lr": 1e-3, "seed": seed}


def masked_loss(model: nn.Module, x: Tensor) -> tuple[Tensor, losses.ErrorTerms]:
    """Mean over the batch of Σ (x − x̂)² over the pixels of hidden patches, and the sum per image."""
    patches_hat, mask = guess(model, x, 0.75, mask_rng)
    squares = ((patches_hat - patchify(x, SIDE)) ** 2).sum(2)  # (B, N)
    terms = losses.ErrorTerms((squares * mask).sum(1))  # (B,)
    return terms.squared_error.mean(), terms

# %%
torch.manual_seed(seed)
own_mae = checkpoints.build(mae_card)
own_records = [*steps_of(own_mae, masked_loss, no_classes, steps=masked_steps, **settings_32)]
own_mae, own_seconds = own_mae.cpu().eval().requires_grad_(False), own_records[-1].seconds
print(f"{masked_steps} steps, {own_seconds:.1f} s: squared error of the hidden pixels of an image "
      f"{own_records[0].loss:.0f} → {own_records[-1].loss:.0f}")

# %% [markdown]
# Against whom? **A convolutional restorer** as in [notebook 02](02_convolutional_autoencoder.ipynb) sees the whole image
# with black patches. It is trained on the same kind of masks, with the same loss, for the same seconds. **Neighbours**: each
# hidden pixel becomes a mean of visible ones, weighted by a Gaussian of their distance; this learns nothing at all.
# **One colour**: the mean of what is visible.

# %%
def restorer_loss(model: nn.Module, x: Tensor) -> tuple[Tensor, losses.ErrorTerms]:
    """The same loss for a network that sees the whole image, hidden patches black."""
    hidden = pixels_of(random_masking(patchify(x, SIDE), 0.75, mask_rng)[1])
    squares = (model(x.masked_fill(hidden, 0)) - x) ** 2 * hidden
    terms = losses.ErrorTerms(squares.flatten(1).sum(1))  # (B,)
    return terms.squared_error.mean(), terms


def trained_restorer(steps: int) -> tuple[nn.Module, float]:
    """A restorer after so many steps, and the seconds that they took."""
    torch.manual_seed(seed)
    model = models.ConvAutoencoder(128, size=32)
    records = [*steps_of(model, restorer_loss, no_classes, steps=steps, **settings_32)]
    return model.cpu().eval().requires_grad_(False), records[-1].seconds

# %%
_, seconds_of_ten = trained_restorer(10)
restorer_steps = max(10, round(10 * own_seconds / seconds_of_ten))
restorer_32, restorer_seconds = trained_restorer(restorer_steps)
print(f"restorer: {restorer_steps} steps in {restorer_seconds:.1f} s; "
      f"your transformer: {masked_steps} in {own_seconds:.1f} s")

# %%
def from_neighbours(x: Tensor, hidden: Tensor, width: float = 2.0) -> Tensor:
    """Each hidden pixel as the mean of visible ones, weighted by exp(−distance² / 2 width²)."""
    place = torch.arange(32.0)
    near = torch.exp(-((place[:, None] - place) ** 2) / (2 * width**2))  # (32, 32): of rows, and of columns
    weight = near @ (~hidden).float() @ near
    return torch.where(hidden, near @ (x * ~hidden) @ near / weight, x)


fillers = {"one colour": one_colour, "neighbours": from_neighbours,
           "restorer": lambda x, hidden: restorer_32(x.masked_fill(hidden, 0))}
transformers = {"your transformer": own_mae, "trained beforehand": mae}

# %% [markdown]
# **Prediction.** Order the five by their error at 75%, the smallest first: one colour, neighbours, the restorer, your
# transformer, the transformer that was trained beforehand.
#
# ✎ *Double-click here and write your answer:*

# %%
fill_error = {name: [] for name in [*fillers, *transformers]}
for ratio in ratios_32:
    for name, model in transformers.items():
        patches_hat, mask = guess(model, x_32, ratio, torch.Generator().manual_seed(seed))
        fill_error[name].append(hidden_error(patches_hat, x_32, mask))
    for name, fill in fillers.items():  # on the same masks
        fill_error[name].append(hidden_error(patchify(fill(x_32, pixels_of(mask)), SIDE), x_32, mask))

# %%
fill_columns = [f"{ratio:.0%} hidden" for ratio in ratios_32]
plots.table({name: dict(zip(fill_columns, errors)) for name, errors in fill_error.items()},
            corner="root mean squared error of a hidden number", forms=dict.fromkeys(fill_columns, ".3f"),
            best=dict.fromkeys(fill_columns, "min"), bars=["75% hidden"])

# %% [markdown]
# Compare rows of equal seconds first, the restorer's and your own. A convolution has built in that near pixels
# belong together. A transformer gets places as numbers, and has to find out. The last row had far more
# time, so its lead says nothing about methods. Note how far the neighbours get without any learning, and at
# which share they fall behind. And note the restorer away from 75%: it takes black for a part of the
# image, so another share of black is another image to it.
#
# But pictures were not the aim. **What is in the codes?** A **linear probe** answers: freeze the network, and fit one linear
# classifier to its codes. What the probe finds was made easy to find by the encoder. All get the same
# labelled images, the same logistic regression, the same strengths of regularisation to choose from, by the same
# validation images:
#
# - **raw pixels**, 3,072 numbers;
# - **VAE**: 128 posterior means of a convolutional VAE that was trained on the same images, told no class either;
# - **untrained**: the transformer as it was drawn. What does its shape alone bring?
# - **masked**: the mean of the masked autoencoder's codes over all 64 patches, none hidden;
# - **masked, quarters**: the means over each quarter of the image, four times as many numbers. It keeps some places.
#
# Was the VAE trained for as long? The cards know the steps, and a step can be timed where you are.

# %%
vae_32, vae_card = checkpoints.load(f"{kind_32}-vae")
trained_for = {}
for name, card, loss in (("masked", mae_card, masked_loss), ("VAE", vae_card, losses.optimal_sigma_objective)):
    recipe = card["training"]
    timed = [*steps_of(checkpoints.build(card), loss, no_classes, steps=4, batch_size=recipe["batch_size"])]
    step = (timed[-1].seconds - timed[0].seconds) / 3
    steps = recipe["epochs"] * len(images_32.train) / recipe["batch_size"]
    trained_for[name] = {"parameters": card["parameters"], "epochs": recipe["epochs"], "steps": round(steps),
                         "s at the speed of this machine": round(steps * step)}
plots.table(trained_for)

# %%
@torch.no_grad()
def quarter_codes(model: nn.Module, x: Tensor) -> Tensor:
    """The mean code of the patches in each quarter of the image: (N, 3, 32, 32) to (N, 4, width)."""
    codes = torch.cat([model.encode(model.embed(part)) for part in x.split(250)])  # (N, 64, width)
    return codes.unflatten(1, (2, 4, 2, 4)).mean((2, 4)).flatten(1, 2)


def views_of(x: Tensor) -> dict[str, Tensor]:
    """What the probe may see of images: (N, d) each."""
    quarters = quarter_codes(mae, x)
    return {"raw pixels": x.flatten(1), "VAE": code_of(vae_32, x), "untrained": quarter_codes(untrained, x).mean(1),
            "masked": quarters.mean(1), "masked, quarters": quarters.flatten(1)}

# %% [markdown]
# **Prediction.** Order the five by the share of test images whose class the probe finds. By how many points will *masked*
# lead, or trail, the VAE?
#
# ✎ *Double-click here and write your answer:*

# %%
chosen_32 = torch.randperm(len(images_32.train), generator=rng)[: (n_subsets + 1) * n_labels]
labelled_32, tested_32 = images_32.train.take(chosen_32), images_32.test.take(torch.arange(3 * n_labels))
labelled_views, tested_views = (views_of(to_float(split.images)) for split in (labelled_32, tested_32))
probed = {}
for view, codes in labelled_views.items():
    parts = [*zip(codes.split(n_labels), labelled_32.labels.split(n_labels))]  # the last one validates
    test = tested_views[view], tested_32.labels
    probed[view] = [linear_probe(part, parts[-1], test) for part in parts[:-1]]

# %%
accuracy = {view: [100 * probe.accuracy for probe in found] for view, found in probed.items()}
print(f"{n_subsets} subsets of {n_labels} labelled images, {len(tested_32)} test images; strengths of regularisation C:")
for view, found in probed.items():
    print(f"{view:18s}", ", ".join(f"{strength:g}" for strength in sorted({probe.strength for probe in found})))

# %%
lead = {}
for view in ("raw pixels", "VAE", "untrained", "masked, quarters"):
    pairs = [own - other for own, other in zip(accuracy["masked"], accuracy[view])]  # on the same images
    lead[view] = student_interval(pairs)

# %%
short_run_note("intervals")
found_32 = {view: student_interval(values) for view, values in accuracy.items()}
figures.probes(found_32, lead, own="masked", chance=100 / len(images_32.label_names))
plt.show()

# %% [markdown]
# **Figure 18.** Linear probes: mean over subsets of labelled images with its 95% interval, and by how much *masked* leads
# or trails each other view. Compare the lengths of the intervals left and right.
#
# On the left they say how much the choice of labelled images matters. On the right that choice cancels as far as
# it moves both views alike; where it does not, the interval of a difference is longer than that of either view.
# How much another *training* would change is in neither.
#
# Why should filling in help? A VAE keeps what its likelihood pays for, and squared error pays for the colours
# of large areas first; a class is often a small thing. The masked autoencoder pays for the same squared
# error, but has nothing to copy: from one patch it has to tell what others are like, and that depends on what
# the patch is a part of.
#
# Where *raw pixels* are ahead, ask what the classes are. Cartoon faces are all centred alike, hair and glasses
# sit at the same pixels in each, and a linear map of 3,072 pixels can look there; a mean over all places
# cannot. In photographs a class has no fixed place. A probe measures what is easy to read for *this* question.
#
# All of this is small: minutes of training, few labels, 32 pixels. [He et al. (2022)](https://arxiv.org/abs/2111.06377)
# train large networks for long, and adapt them afterwards; their protocol is another, so their figures may not be
# held against these. What carries over is the method: hide much, encode what is visible alone, and judge codes by
# what a simple reader finds in them, beside the same reader on pixels and on an untrained network.

# %% [markdown]
# ## 6.5 · Debiasing by latent density
#
# **Whom does a network fail?** [Notebook 05](05_generation_celeba_cifar.ipynb) found that a group which is rare
# in training is served worse. If we knew who is in it, we would draw it more often. Often nobody knows.
# [Amini et al. (2019)](https://doi.org/10.1145/3306618.3314243) ask a VAE instead: rare images have
# rare *codes*, and the density of codes needs no label of any group.
#
# We draw the faces, so here the group is known, and used to measure alone. A classifier is to tell whether a
# face wears glasses. Three in a hundred faces have deep skin, on which dark frames stand out less.

# %%
n_latents, n_bins, alpha = 2, 10, 0.03

# %%
class Faces(NamedTuple):
    """Images uint8 (N, 3, 32, 32), whether each wears glasses, 0 or 1 (N,), and has deep skin (N,)."""

    images: Tensor
    worn: Tensor
    deep: Tensor

# %%
def drawn_faces(n: int, *, deep: float, worn: tuple[float, float] = (0.5, 0.5), seed: int) -> Faces:
    """n faces; deep: the share of deep skin; worn: that of glasses on pale and on deep skin."""
    factors = sample_factors(n, seed=seed)
    is_deep = torch.arange(n) < round(deep * n)
    u, v = torch.rand(2, n, generator=torch.Generator().manual_seed(seed))
    glasses = (v < torch.where(is_deep, worn[1], worn[0])).float()
    factors[:, FACTOR_NAMES.index("skin")] = torch.where(is_deep, 0.2 * u, 0.6 + 0.4 * u)
    factors[:, FACTOR_NAMES.index("glasses")] = glasses  # none, or round ones
    return Faces(render(factors, size=32), glasses, is_deep)

# %%
crowd = drawn_faces(n_faces, deep=0.03, seed=seed)
tested = drawn_faces(n_tested, deep=0.5, seed=seed + 1)
print(f"{len(crowd.images):,} faces for training, {crowd.deep.sum()} of them with deep skin; "
      f"{len(tested.images):,} for testing, {tested.deep.sum()} with deep skin")

# %%
four = {"pale, without": ~tested.deep & (tested.worn == 0), "pale, with glasses": ~tested.deep & (tested.worn == 1),
        "deep, without": tested.deep & (tested.worn == 0), "deep, with glasses": tested.deep & (tested.worn == 1)}
figures.collected({name: tested.images[some] for name, some in four.items()}, crowd.deep.float().mean())
plt.show()

# %% [markdown]
# **Figure 19.** Test faces: pale and deep skin, without and with glasses. Look at how few pixels the answer is in,
# and how much of each picture is background.
#
# The classifier is small, and is trained on batches that are *drawn*: image i with probability pᵢ, with
# replacement. How a batch is drawn is all that will change. Each training sees its own half of the
# faces, from its own start.

# %%
class Wrong(NamedTuple):
    """1 for each image that is judged wrongly, (B,)."""

    wrong: Tensor

# %%
def judge() -> nn.Sequential:
    """Logit of "wears glasses": (B, 3, 32, 32) to (B, 1), three convolutions."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 4, stride=2, padding=1), nn.ReLU(),  # 16 × 16
        nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU(),  # 8 × 8
        nn.Conv2d(16, 16, 3, stride=2, padding=1), nn.ReLU(),  # 4 × 4
        nn.Flatten(), nn.Linear(256, 1),
    )

# %%
def glasses_objective(model: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Wrong]:
    """Cross-entropy of the answer, mean over the batch."""
    logit = model(2 * x - 1)[:, 0]
    wrong = ((logit > 0) != (y > 0.5)).float()
    return F.binary_cross_entropy_with_logits(logit, y), Wrong(wrong)

# %%
def trained_judge(some: Faces, p: Tensor, *, seed: int) -> nn.Module:
    """A classifier after judge_steps batches of 64 images, drawn with probabilities p (N,)."""
    g = torch.Generator().manual_seed(seed)
    drawn = torch.multinomial(p, 64 * judge_steps, replacement=True, generator=g)
    torch.manual_seed(seed)
    model = judge()
    for _ in fit(model, glasses_objective, (some.images[drawn], some.worn[drawn]),
                 epochs=1, batch_size=64, lr=3e-3, seed=seed):
        pass
    return model.cpu().eval()

# %%
def half_of(some: Faces, *, seed: int) -> Tensor:
    """Indices of a random half of the faces, (N/2,)."""
    g = torch.Generator().manual_seed(1_000 + seed)
    return torch.randperm(len(some.worn), generator=g)[: len(some.worn) // 2]


@torch.no_grad()
def error_of(model: nn.Module, group: Tensor) -> float:
    """Percent of a group of the test faces, bool (N,), that are judged wrongly."""
    x, y = to_float(tested.images[group]), tested.worn[group]
    return 100 * glasses_objective(model, x, y)[1].wrong.mean().item()

# %% [markdown]
# **Prediction.** Trained on faces as they were collected, the classifier errs on how many percent of the
# pale faces, and on how many of those with deep skin? And if both were drawn equally often?
#
# ✎ *Double-click here and write your answer:*
#
# To weigh an image we look where its code lies. For each latent j a histogram of the codes of all N images
# gives $\hat Q_j$, the share of codes in each of `n_bins` intervals of equal width between the latent's least and
# largest value. Then
#
# $$p(x) \propto \prod_{j=1}^{d} \frac{1}{\hat Q_j(z_j(x)) + \alpha} ,\qquad \sum_x p(x) = 1 .$$
#
# At α = 0 and with one latent, an image in an interval with a tenth as many codes is drawn ten times as often, and the
# histogram of what is drawn is flat. A large α makes all images alike. A product of histograms is the density of the codes only
# where the latents are independent; keep that in mind.
#
# ### Exercise 8 · `debiasing_weights`
#
# *Difficulty ●●○ · importance ●●○ · 12 minutes.* The probability with which each image is drawn.
#
# <details><summary>Hint 1</summary>
#
# First find the number of the interval of each code, 0 to n_bins − 1, for all latents at once: (N, d) whole
# numbers. The largest code of a latent belongs into the last interval.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.bincount(column, minlength=n_bins)` counts the codes of one latent; `counts[column]` looks up the count of
# the interval of each image.
#
# </details>
# <details><summary>Hint 3</summary>
#
# With 80 latents a product of factors up to 500 leaves the range of float32. Add logarithms;
# there is a function that makes of them positive numbers with the sum 1.
#
# </details>

# %% exercise="debiasing_weights"
def debiasing_weights(z: Tensor, n_bins: int = 10, alpha: float = 0.01) -> Tensor:
    """p_i ∝ Π_j 1/(Q̂_j(z_ij) + α), with sum 1: how often image i is drawn.

    z: (N, d) codes. Q̂_j: the share of the N codes of latent j in each of n_bins intervals of equal width
    between its least and its largest value. Returns (N,), finite for any number of latents.
    """
    ### BEGIN SOLUTION
    low, high = z.amin(0), z.amax(0)  # (d,)
    bins = ((z - low) / (high - low).clamp(min=1e-12) * n_bins).long().clamp(max=n_bins - 1)  # (N, d)
    log_p = torch.zeros(len(z))
    for column in bins.T:
        share = torch.bincount(column, minlength=n_bins) / len(z)  # (n_bins,)
        log_p -= torch.log(share[column] + alpha)
    return torch.softmax(log_p, 0)
    ### END SOLUTION


# %% check="debiasing_weights"
debiasing_weights = check("debiasing_weights", debiasing_weights)

# %% [markdown]
# **The codes.** The smallest VAE has a linear encoder and a linear decoder, and
# [notebook 04](04_beta_vae.ipynb) knows where its training ends: each latent is a principal component. So we take its
# codes in closed form, from the same faces and without a word about groups. It sees the middle of each picture,
# from the eyes to the mouth, in 12 × 12 pixels. The paper trains a deep VAE together with the classifier, and weighs
# anew in each epoch. We change one thing at a time; a deep VAE comes below.

# %%
def middle(images: Tensor) -> Tensor:
    """From the eyes to the mouth: (N, 3, 32, 32) to (N, 3, 12, 12)."""
    return images[:, :, 12:24, 10:22].contiguous()

# %%
def linear_codes(images: Tensor, d: int) -> Tensor:
    """Codes of the linear VAE of these images up to scale, which bins do not see: (N, d)."""
    x = to_float(images).flatten(1)
    x = x - x.mean(0)
    directions = torch.linalg.eigh(x.T @ x).eigenvectors  # the smallest eigenvalue first
    return x @ directions[:, -d:].flip(1)

# %%
codes = linear_codes(middle(crowd.images), n_latents)  # (N, 2)
p = debiasing_weights(codes, n_bins, alpha)

# %%
again = torch.multinomial(p, 1_000, replacement=True, generator=rng)
sets = {"1,000 as collected": torch.randperm(len(codes), generator=rng)[:1_000], "1,000 as drawn": again}
figures.code_maps({name: (codes[some], crowd.deep[some].long()) for name, some in sets.items()})
plt.show()

# %% [markdown]
# **Figure 20.** Codes of faces as collected, and as drawn by your weights; a face drawn twice is one point.
# Look at the corner where deep skin lies, and at the other edges.
#
# Few pale faces share the intervals of deep skin, and so a histogram can see that it is rare.
# Pale faces at the other edges are drawn more often, too.

# %%
panel = widgets.resampling(debiasing_weights, codes, crowd.images, crowd.deep, n_bins=n_bins, start=alpha,
                           name="deep skin")
panel

# %% [markdown]
# **Figure 21.** Move α, and look at the faces as drawn: how many are of the group, and how often one comes again. The
# curve is the price: further up, more of a batch is from the group; further left, a batch repeats fewer images.
#
# The *effective number* 1/Σp² says how many
# equally likely images would repeat themselves as often. A small α draws the same few faces over and over.
#
# **Does it help?** Four ways to draw, in the same trainings: as collected; by the density of codes, with α as above and
# with a tenth of it; and by the true groups, each half of a batch. The last one needs the labels that we do not have, and
# is the upper limit.

# %%
def of_groups(*members: Tensor) -> Tensor:
    """Probabilities that give each group the same share, bool (N,) each: (N,)."""
    return sum(some / some.sum().clamp(min=1) for some in members) / len(members)

# %%
def compare(some: Faces, ways: dict, group: Tensor, *, trainings: int) -> dict[str, list[tuple[float, float]]]:
    """For each way to draw, percent wrong in the group and outside, one pair per training."""
    errors = {name: [] for name in ways}
    for training in range(trainings):
        half = half_of(some, seed=training)
        mine = Faces(*(column[half] for column in some))
        for name, weigh in ways.items():
            model = trained_judge(mine, weigh(half), seed=training)
            errors[name].append((error_of(model, group), error_of(model, ~group)))
    return errors

# %%
ways = {
    "as collected": lambda half: torch.ones(len(half)) / len(half),
    "density of codes": lambda half: debiasing_weights(codes[half], n_bins, alpha),
    "density at α / 10": lambda half: debiasing_weights(codes[half], n_bins, alpha / 10),
    "true groups": lambda half: of_groups(crowd.deep[half], ~crowd.deep[half]),
}
errors = compare(crowd, ways, tested.deep, trainings=n_trainings)

# %%
def change_of(errors: dict, name: str) -> str:
    """Mean and interval of the paired differences to "as collected" in the group, and what they say."""
    pairs = zip(errors[name], errors["as collected"], strict=True)
    mean, half = student_interval([mine[0] - theirs[0] for mine, theirs in pairs])
    verdict = "not shown" if abs(mean) <= half else "helps" if mean < 0 else "harms"
    return f"{mean:+.1f} ± {half:.1f} points: {verdict}".replace("-", "−")

# %%
def report(errors: dict, ways: dict, some: Faces, group: Tensor) -> tuple[dict, dict, dict]:
    """For each way: intervals in the group and outside; the group's share of a batch; the change."""
    half = half_of(some, seed=0)
    intervals = {name: [student_interval(column) for column in zip(*errors[name])] for name in ways}
    shares = {name: share_drawn(weigh(half), group[half]) for name, weigh in ways.items()}
    return intervals, shares, {name: change_of(errors, name) for name in list(ways)[1:]}

# %%
short_run_note("the differences between ways to draw")
figures.group_errors(*report(errors, ways, crowd, crowd.deep), names=("deep skin", "pale skin"))
plt.show()

# %% [markdown]
# **Figure 22.** Errors on unseen faces of both groups, for four ways to draw the same training faces: mean and
# 95% interval (Student's t) over trainings, each with its own half of the faces. Look at how far the density of
# codes goes of the way to the true groups, and what pale faces pay.
#
# On the right is the change of the group's error against *as collected*, in the same trainings. More of the group in a
# batch is not all: with a tenth of α a batch repeats fewer faces, so compare both errors of these two ways.
#
# **When it fails.** The weights know one thing: how rare a code is, latent by latent. So there are three ways for a
# rare group to stay unseen. Its factor may not be in the code. It may be in the code, but spread over latents in each of which it
# is nothing special. Or each of its values is frequent, and only their *combination* is rare.

# %% [markdown]
# **Prediction.** (1) The same faces, the same group; but the VAE sees the whole picture in place of its middle, with
# background, shirt and hair. Which share of a batch is deep now? (2) A deep VAE in place of the linear one: more, or
# less? (3) Half of the faces are deep, half wear
# glasses; but of the deep ones only one in twenty wears any. What do the weights do to these?
#
# ✎ *Double-click here and write your answer:*

# %%
class CodeVAE(models.MLPVAE):
    """`MLPVAE` of 12 × 12 colour images with a Gaussian likelihood, for the optimal σ."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__(latent_dim, data_dim=432, hidden=128)
        self.register_buffer("log_sigma", torch.zeros(()))

    def decode(self, z: Tensor) -> Normal:
        """z: (B, d); returns p_x over (B, 3, 12, 12)."""
        mean = torch.sigmoid(self.decoder(z)).view(-1, 3, 12, 12)
        return Normal(mean, self.log_sigma.exp(), validate_args=False)

# %%
def deep_codes(images: Tensor, d: int, *, seed: int) -> Tensor:
    """Posterior means of a VAE with three layers each way, trained on these images: (N, d)."""
    torch.manual_seed(seed)
    vae = CodeVAE(d)
    for _ in fit(vae, losses.optimal_sigma_objective, images, epochs=code_steps, steps=code_steps,
                 batch_size=128, lr=3e-3, seed=seed):
        pass
    return code_of(vae.cpu().eval(), to_float(images))

# %%
whole = F.avg_pool2d(crowd.images.float(), 2).round().byte()  # (N, 3, 16, 16)
other_codes = {
    "linear, 2 latents": codes,
    "linear, 4 latents": linear_codes(middle(crowd.images), 4),
    "linear, 2 latents, whole picture": linear_codes(whole, 2),
    "deep, 2 latents": deep_codes(middle(crowd.images), 2, seed=seed),
    "deep, 2 latents, another start": deep_codes(middle(crowd.images), 2, seed=seed + 1),
    "deep, 4 latents": deep_codes(middle(crowd.images), 4, seed=seed),
}

# %%
shares, code_table = {}, {}
for name, z in other_codes.items():
    apart = ((z[crowd.deep].mean(0) - z[~crowd.deep].mean(0)).abs() / z.std(0)).max()  # in one latent
    p = debiasing_weights(z, n_bins, alpha)
    shares[name] = share_drawn(p, crowd.deep)
    code_table[name] = {"means apart, in s": apart.item(), "deep skin, of a batch": shares[name],
                        "effective number of images": round(effective_number(p))}
least = min(shares, key=shares.get)
if shares[least] < crowd.deep.float().mean():
    print(f"By codes that are {least}, the group is drawn less often than it was collected.")
plots.table(code_table, corner=f"deep skin: {crowd.deep.float().mean():.1%} of the faces",
            forms={"deep skin, of a batch": ".1%"}, bars=["deep skin, of a batch"])

# %%
few = min(3, n_trainings)
blind = other_codes["linear, 2 latents, whole picture"]
errors_whole = compare(crowd, {
    "whole picture": lambda half: debiasing_weights(blind[half], n_bins, alpha),
}, tested.deep, trainings=few)
errors_whole["as collected"] = errors["as collected"][:few]
print(f"Error with deep skin, by codes of the whole picture: {change_of(errors_whole, 'whole picture')}")

# %% [markdown]
# The images are the same, the group is, and so is its share. First, what changed is where the nats go: a VAE spends them
# where they buy most pixels, and a background has more of them than a face. A group is found if its factor is worth
# nats *to the VAE*; whether it matters to the classifier plays no part.
#
# Second, a deep VAE may turn and bend the same
# codes. Read both columns: where the means of the groups lie several standard deviations s apart in one latent, skin is
# in the code. But a product over latents is no density of codes that depend on each other, and a few pale faces far
# outside can take the batch. Without labels nobody would notice any of this.
#
# Now the rare combination. Half of the faces have deep skin; nineteen in twenty pale faces wear glasses, and one in
# twenty of the deep ones. The rare pairs are deep with glasses and pale without.

# %%
mixed = drawn_faces(n_faces, deep=0.5, worn=(0.95, 0.05), seed=seed + 2)
odd, odd_tested = (some.deep == (some.worn == 1) for some in (mixed, tested))  # the rare pairs
codes_mixed = linear_codes(middle(mixed.images), n_latents)

# %%
def within_classes(z: Tensor, y: Tensor) -> Tensor:
    """Weights by the density of the codes of the own class, each class half of a batch: (N,)."""
    p = torch.zeros(len(z))
    for label in (0, 1):
        p[y == label] = debiasing_weights(z[y == label], n_bins, alpha) / 2
    return p

# %%
cells = [(mixed.deep == deep) & (mixed.worn == worn) for deep in (False, True) for worn in (0, 1)]
ways_mixed = {
    "as collected": ways["as collected"],
    "density of codes": lambda half: debiasing_weights(codes_mixed[half], n_bins, alpha),
    "density by class": lambda half: within_classes(codes_mixed[half], mixed.worn[half]),
    "true groups": lambda half: of_groups(*(cell[half] for cell in cells)),
}
errors_mixed = compare(mixed, ways_mixed, odd_tested, trainings=few)

# %%
short_run_note("the differences between ways to draw")
figures.group_errors(*report(errors_mixed, ways_mixed, mixed, odd), names=("rare pairs", "frequent pairs"))
plt.show()

# %% [markdown]
# **Figure 23.** Errors where each value is frequent and two pairs are rare. Look at the shares of a batch: how many
# rare pairs does each way draw, and what does it change?
#
# One histogram per latent sees skin, half and half, and never asks with what it comes. In the third way it does: within
# the class of faces with glasses, deep skin *is* a rare value. The paper, too, weighs within one class, that of faces.
# It needs the label that training has anyway; a rare pair of two unlabelled factors stays unseen, unless the histogram is
# of both latents together, and those of d latents have `n_bins` to the power d cells.

# %% [markdown]
# **What we have seen.** The density of codes can stand in for a label of the group, as far as three things hold: the
# group's factor is worth nats to the VAE, its value is rare in single latents, and the rare images are varied
# enough to be repeated. Where one does not hold, the group may even be drawn less often than before: whatever is odd in other
# ways takes its place. So measure: keep a test set with labels of the groups that matter, and report each.
# A weight is a remedy for rare *images*; for images that nobody collected there is none.
#
# **To think about.** (1) Someone reports that after debiasing the mean error rose. For whom may it have fallen? (2) Noisy
# scans and wrong labels are rare as well. What do these weights do to them? (3) Who decides which groups to measure?
#
# <details><summary>Some answers</summary>
#
# (1) The mean is over the groups as they occur, and a group of three in a hundred hardly moves it. (2) They draw them more
# often: rare is not the same as wanting. (3) Not the density. It finds what varies in pixels.
#
# </details>
#
# **Sources.** [Amini et al. 2019](https://doi.org/10.1145/3306618.3314243), *Uncovering and mitigating
# algorithmic bias through learned latent structure* · [Sagawa et al. 2020](https://arxiv.org/abs/1911.08731),
# *Distributionally robust neural networks for group shifts* (rare pairs).
