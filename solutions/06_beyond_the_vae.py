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
import time

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

# %%
from course_lib import checkpoints, datasets, losses, models, plots, widgets
from course_lib.codes import code_of
from course_lib.exercises import check
from course_lib.metrics import linear_probe, mean_interval
from course_lib.recipes.classifier import prefix
from course_lib.settings import short_run_note, shortened
from course_lib.training import steps_of, to_float

# %%
plots.use_course_style()
torch.manual_seed(seed)
rng = torch.Generator().manual_seed(seed)

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
masked_steps, n_filled, n_labels, n_subsets = shortened((60, 300, 500, 4), (6, 60, 60, 2))
x_32 = to_float(images_32.test.images[:n_filled])  # (N, 3, 32, 32) in [0, 1]
print(f"{images_32.source}: {len(images_32.train):,} training images, {len(x_32)} test images are filled in")

# %% [markdown]
# ### Exercise 1 · `patchify`
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
# ### Exercise 2 · `random_masking`
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
ratios_32, rows_32 = (0.25, 0.5, 0.75, 0.9), {"image": x_32[:10]}
for ratio in ratios_32:
    filled, hidden = filled_by_mae(x_32[:10], ratio, torch.Generator().manual_seed(seed))
    rows_32 |= {f"{ratio:.0%} hidden": x_32[:10].masked_fill(hidden, 0.5), f"{ratio:.0%} filled in": filled}

# %%
fig, ax = plt.subplots(figsize=(8.6, 7.4))
plots.image_rows(rows_32, ax)
plt.show()

# %% [markdown]
# **Figure 1.** Test images with a quarter to nine tenths of their patches hidden (grey), and filled in. Note
# what is continued, edges and areas of one colour, and where the answer is a blur: squared error asks for the
# mean of all that would fit. No term of the loss speaks of the borders between patches, and some can be seen.

# %%
hiding = widgets.masking(x_32[:6], filled_by_mae, seed=seed)
hiding

# %% [markdown]
# **Figure 2.** Move the slider. Note at which share *you* no longer see what it is, and at which the network's
# error is smallest. It was trained at 75% alone: at other shares it gets a number of tokens that it never
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
print(f"{'root mean squared error, hidden':32s}" + "".join(f"{ratio:7.0%}" for ratio in ratios_32))
for name, errors in fill_error.items():
    print(f"{name:32s}" + "".join(f"{error:7.3f}" for error in errors))
print("at 75%:", " < ".join(sorted(fill_error, key=lambda name: fill_error[name][2])))

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
for name, card, loss in (("masked", mae_card, masked_loss), ("VAE", vae_card, losses.optimal_sigma_objective)):
    recipe = card["training"]
    timed = [*steps_of(checkpoints.build(card), loss, no_classes, steps=4, batch_size=recipe["batch_size"])]
    step = (timed[-1].seconds - timed[0].seconds) / 3
    steps = recipe["epochs"] * len(images_32.train) / recipe["batch_size"]
    print(f"{name:8s}{card['parameters']:9,} parameters, {recipe['epochs']:3d} epochs: {steps:6.0f} steps, "
          f"{steps * step:5.0f} s at the speed of this machine")

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
accuracy = {view: [probe.accuracy for probe in found] for view, found in probed.items()}
print(f"{n_subsets} subsets of {n_labels} labelled images, {len(tested_32)} test images: mean, 95% interval, strengths")
for view, found in probed.items():
    mean, low, high = mean_interval(accuracy[view])
    strengths = ", ".join(f"{strength:g}" for strength in sorted({probe.strength for probe in found}))
    print(f"{view:18s} {mean:6.1%}  [{low:.1%}, {high:.1%}]   C = {strengths}")

# %%
for view in ("raw pixels", "VAE", "untrained", "masked, quarters"):
    pairs = [100 * (own - other) for own, other in zip(accuracy["masked"], accuracy[view])]  # on the same images
    mean, low, high = mean_interval(pairs)
    verdict = "ahead" if low > 0 else "behind" if high < 0 else "not told apart"
    print(f"masked − {view:18s} {mean:+5.1f} points [{low:+.1f}, {high:+.1f}]: {verdict}")

# %%
short_run_note("intervals")
fig, ax = plt.subplots(figsize=(8.6, 2.8))
for row, view in enumerate(accuracy):
    mean, low, high = mean_interval(accuracy[view])
    ax.errorbar(mean, row, xerr=[[mean - low], [high - mean]], fmt="o", capsize=4, color=plots.BLUE)
ax.axvline(1 / len(images_32.label_names), color=plots.BLACK, linestyle=":")
ax.set_yticks(range(len(accuracy)), list(accuracy))
ax.set_xlabel("share of test images whose class is found")
plt.show()

# %% [markdown]
# **Figure 3.** Linear probes: mean over subsets of labelled images with its 95% interval; dotted, pure guessing. Note that
# the intervals say how much the choice of labelled images matters. The printed differences are sharper, as
# they compare on the same images. How much another *training* would change is in neither.
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
