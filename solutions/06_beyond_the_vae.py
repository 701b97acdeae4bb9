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

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

# %%
from course_lib import checkpoints, datasets, losses, models, plots, vq, widgets
from course_lib.codes import drawn_codes, gaussian_codes, image_of
from course_lib.exercises import check
from course_lib.metrics import feature_statistics, features_of, frechet_distance
from course_lib.settings import short_run_note, shortened
from course_lib.training import evaluate, fit, steps_of, to_float

# %%
plots.use_course_style()
torch.manual_seed(seed)
rng = torch.Generator().manual_seed(seed)
n_symbols_eval, vq_steps, symbol_steps = shortened((n_symbols_eval, vq_steps, symbol_steps), (100, 8, 5))

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
vq_data = datasets.load("faces" if dict(datasets.at_hand())["celeba"] else "celeba", size=64)  # cartoons
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
toys = {}
for name, revive in {"without revival": False, "with revival": True}.items():
    torch.manual_seed(seed)
    toys[name] = models.Codebook(24, 2, revive=revive)
    for batch in spiral.split(100) * 15:
        toys[name](batch)  # in training mode each call moves the vectors
    indices, z_q = quantize(spiral, toys[name].vectors)
    print(f"{name:15s} perplexity {codebook_usage(indices, 24):4.1f} of 24, {len(indices.unique())} in use, "
          f"mean squared error {((spiral - z_q) ** 2).sum(1).mean():.4f}; {toys[name].revived} revivals")

# %%
fig, axes = plt.subplots(1, 2, figsize=(8.6, 4.2))
for ax, (name, codebook) in zip(axes, toys.items()):
    plots.nearest_cells(codebook.vectors, spiral, ax, title=name)
axes[0].legend(loc="upper right", fontsize=9)
plt.show()

# %% [markdown]
# **Figure 1.** The cells of a codebook: every point of a tinted cell becomes its star. Note the large cells on
# the left, each for a long piece of the spiral, and the crosses, symbols that are paid for and never used;
# others lie outside the picture. On the right every vector has a piece of the spiral, since one that died was
# put among the points. A code of 24 symbols draws 24 points, no more: rounding is the bottleneck.
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
usage, young = {}, {}
for name, revive in {"without revival": False, "with revival": True}.items():
    torch.manual_seed(seed)
    young[name], usage[name] = models.VQVAE(64, revive=revive), []
    records = steps_of(young[name], vq_objective, vq_data.train, steps=vq_steps, batch_size=64, lr=4e-3, seed=seed)
    for record in records:
        if record.step % max(1, vq_steps // 12) == 0:
            symbols = young[name].indices_of(vq_test[:32])  # (32, 64)
            usage[name].append((record.step, codebook_usage(symbols, 64)))
    print(f"{name:15s} after {record.step} steps: perplexity {usage[name][-1][1]:4.1f} of 64, distortion "
          f"{-record.terms['log_lik']:,.0f} nats, {young[name].codebook.revived} revivals, {record.seconds:.0f} s")

# %%
short_run_note("the curves below")
fig, ax = plt.subplots(figsize=(6.4, 3))
plots.curves({name: zip(*points) for name, points in usage.items()}, ax, x_label="step",
             y_label="perplexity of 64 symbols")
ax.set_ylim(0, 64)
plt.show()

# %% [markdown]
# **Figure 2.** How many symbols are in use on test images, in the first steps of training. Note the codebook that
# is left to itself: all z of a new encoder lie close together, and few of its vectors are near. A code of one
# symbol holds nothing, so the decoder learns a mean image. The other one begins among the z.
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
print("   K   bits at most   perplexity   never used   distortion   PSNR (all test images, as its card says)")
for K in Ks:
    vqs[K], vq_cards[K] = checkpoints.load(f"faces-vq-{K}")
    vq_codes[K] = vqs[K].indices_of(vq_test)  # (M, 64)
    told = vq_cards[K]["test"]
    distortion[K] = -evaluate(vqs[K], vq_objective, vq_data.test.images[:n_symbols_eval])["log_lik"]
    print(f"{K:4d} {64 * math.log2(K):12.0f} {codebook_usage(vq_codes[K], K):14.1f} {K - len(vq_codes[K].unique()):10d}"
          f" {distortion[K]:14,.0f} nats {told['psnr']:5.1f} dB, {told['revived']} revivals")
before, own = vq_cards[64]["training"]["seconds_before"], [vq_cards[K]["seconds"] for K in Ks]
print(f"{before:.0f} s of training for all, then {min(own):.0f} to {max(own):.0f} s for each")
above = [vq_cards[K]["test"]["psnr"] - vq_cards[4]["test"]["psnr"] for K in (16, 256)]
print(f"Above K = 4: K = 16 by {above[0]:.1f} dB, K = 256 by {above[1]:.1f} dB, {above[1] / above[0]:.1f} times as much")

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
priors, symbol_bits = {}, {}
for K in Ks:
    priors[K], card = checkpoints.load(f"faces-vq-{K}-prior")
    with torch.no_grad():
        nats = torch.cat([vq.nats_of(priors[K], part) for part in vq_codes[K].split(100)])  # (M,)
    symbol_bits[K] = bits_per_dim(nats, 1).mean().item()
    error = bits_per_dim(nats, 1).std() / len(nats) ** 0.5
    print(f"K = {K:3d}: {symbol_bits[K]:5.1f} ± {error:.1f} bits per image in place of {64 * math.log2(K):.0f}, or "
          f"{bits_per_dim(nats, 64).mean():.2f} per symbol in place of {math.log2(K):.0f}; "
          f"all test images {card['test']['bits']:.1f}, as many training images {card['test']['bits_train']:.1f}")

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
        totals[f"{kind}, {name}"] = total = nats + rate * math.log(2)
        print(f"{kind:22s} {name:9s} {rate:5.0f} bits, distortion {nats:8,.0f}, −ELBO {total:8,.0f} nats")

# %%
fig, ax = plt.subplots(figsize=(8.6, 4.2))
series = {kind: zip(*points.values()) for kind, points in plane.items()}
plots.curves(series, ax, x_label="rate, bits per image", y_label="distortion, nats per image")
for points in (plane["VQ-VAE, learned prior"], plane["VAE"]):
    for name, place in points.items():
        ax.annotate(name, place, xytext=(6, 6), textcoords="offset points", fontsize=10)
ends = torch.tensor(ax.get_xlim())
ax.plot(ends, min(totals.values()) - math.log(2) * ends, color="0.4", linewidth=1)
plt.show()
best_vq = min((name for name in totals if name.startswith("VQ")), key=totals.get)
best = min(totals, key=totals.get)
print(f"Smallest −ELBO: {best}; of the VQ-VAEs: {best_vq}, {totals[best_vq] - totals[best]:,.0f} nats above")

# %% [markdown]
# **Figure 3.** Rate and distortion. The thin line joins points of the smallest −ELBO: it falls by log 2 = 0.69
# nats per bit. Note how flat it is beside the distances between models: here distortion decides, and a hundred
# bits are worth a small change of σ. From each K to its point with a learned prior it is a step to the left, and
# the images stay the same: what the bound overpays is what the density knows about faces.
#
# Three things differ between the kinds at once: rounding, layers (the VAEs mix all places in a large linear
# layer) and seconds of training, which the cards tell. So this is no verdict on rounding. One thing is simpler
# here: an arithmetic coder turns symbols and p(s) into a file of that many bits; the KL of a VAE is a
# length that only a longer detour reaches. And per number of the image?

# %%
for name in (best, best_vq):
    told = bits_per_dim(torch.tensor(totals[name]), vq_test[0].numel())
    print(f"{name}: {told:.2f} bits per number in [0, 1], {told + 8:.2f} per number in 256 steps")

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
    "uniform": torch.randint(64, (M, 64), generator=rng),
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
for name, value in from_test.items():
    print(f"{name:20s} Fréchet distance {value:7.1f}")
far, mid, near, rebuilt = [*from_test.values()][:4]
print(f"Of the way from uniform symbols to rebuilt images independent places go {(far - mid) / (far - rebuilt):.0%}, "
      f"the learned prior {(far - near) / (far - rebuilt):.0%}")
print(f"Still missing: {near - rebuilt:.1f} by the density, {rebuilt - from_test['training images']:.1f} by encoder, "
      f"rounding and decoder")

# %%
fig, ax = plt.subplots(figsize=(8.6, 6))
plots.image_rows({name: x[:10] for name, x in decoded_sets.items()}, ax)
plt.show()

# %% [markdown]
# **Figure 4.** The same decoder, three densities of its symbols; below, rebuilt test images, the VAE with 128
# latents, and training images. Note what uniform symbols still show: the outline that all faces share stands in the
# decoder's weights, and within it nothing fits together. Independent places have symbols as frequent as they are,
# and no knowledge of which go with which: blends of several people, which may be as far from faces as uniform
# symbols are. The learned prior guesses each symbol from those before it, so what was drawn first decides what
# follows. The floor of its distance are the rebuilt images: what the decoder loses no density can bring back.
#
# And the other codebooks? What their samples lack has two parts: what the decoder does not rebuild, and what the
# density adds to that distance.

# %%
sampled = {64: decoded_sets["learned prior"]}
sampled |= {K: vq.images_of(vqs[K], priors[K].sample(M, generator=rng)) for K in Ks if K != 64}
for K in Ks:
    rebuilt, drawn = to_faces(vq.images_of(vqs[K], vq_codes[K])), to_faces(sampled[K])
    print(f"K = {K:3d}: rebuilt images {rebuilt:6.1f}, samples {drawn:6.1f}: the density adds {drawn - rebuilt:5.1f}")

# %%
told = {K: {"perplexity": codebook_usage(vq_codes[K], K), "bits at most": 64 * math.log2(K),
            "bits with the learned prior": symbol_bits[K], "distortion in nats": distortion[K],
            "PSNR in dB": vq_cards[K]["test"]["psnr"]} for K in Ks}
uniform = {K: torch.randint(K, (8, 64), generator=rng) for K in Ks}
shelf = widgets.codebooks(vq_test[:8], {
    "decoded": lambda K: vqs[K].image_of(vq_codes[K][:8]),
    "learned prior": lambda K: sampled[K][:8],
    "uniform": lambda K: vqs[K].image_of(uniform[K]),
}, told, start=64)
shelf

# %% [markdown]
# **Figure 5.** Eight test faces, rebuilt from 64 symbols out of K, and drawn from two densities. Note what comes
# with more symbols in the second row, and in the third row what the lines above say: with few symbols the decoder
# limits the samples, with many the density has more to learn.
#
# **What was seen.** Rounding has no gradient, and straight-through replaces it; a codebook loses symbols unless
# they are revived; a learned density of symbols saves bits and turns the same decoder into a generator. The line
# "still missing" says where to work next: where the decoder's part is the larger, the sentence of notebook
# [05](05_generation_celeba_cifar.ipynb) is turned round, and what is missing is a decoder, not a density.
# [Esser et al. (2021)](https://arxiv.org/abs/2012.09841) go on there: larger networks, and an adversarial loss
# beside ours. What this kind of density needs is a finite alphabet. The next section keeps vectors.
