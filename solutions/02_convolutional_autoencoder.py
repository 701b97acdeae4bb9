# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2 · Convolutional autoencoder
#
# {{colab_badge}}
#
# **What does a network gain that knows which pixels are neighbours?** After this notebook you can
#
# - **calculate** the sizes that convolutions and transposed convolutions make,
# - **build** a convolutional autoencoder with a real bottleneck, and **compare** it fairly with an
#   MLP,
# - **use** it to denoise, fill in, colour, compress and search images, and to find odd ones,
# - **say** where each of these uses fails, and why random codes do not generate.
#
# | takes | difficulty | you need |
# |---|---|---|
# | 120 minutes, 8 exercises | ●○○ to ●●● | [notebook 01](01_autoencoder_basics.ipynb): codes, squared error, the training loop |
#
# Run the cells in order. Where you see `raise NotImplementedError`, write your own code; the card
# below it says whether it is right and, if not, why. Unsolved exercises do not stop the notebook.

# %% setup=true

# %% tags=["parameters"]
seed = 0
seconds = 24
n_codes = 2_000

# %%
import io
import math
import time
from collections.abc import Callable

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.manifold import TSNE
from sklearn.metrics import normalized_mutual_info_score
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

# %%
from course_lib import datasets, plots, widgets
from course_lib.exercises import check
from course_lib.losses import ErrorTerms, autoencoder_objective, squared_error
from course_lib.metrics import error_per_image
from course_lib.models import MLPAutoencoder
from course_lib.settings import shortened
from course_lib.training import best_device, to_float

plots.use_course_style()
torch.manual_seed(seed)
seconds, n_codes = shortened((seconds, n_codes), (2, 500))
device = best_device()

# %%
digits = datasets.load("mnist")
X, X_test = to_float(digits.train.images), to_float(digits.test.images)  # (N, 1, H, W) in [0, 1]
y, y_test = digits.train.labels, digits.test.labels
print(f"{digits.source}: {len(X):,} training and {len(X_test):,} test images")

# %% [markdown]
# ## 2.1 · One small pattern, everywhere
#
# The MLP of [notebook 01](01_autoencoder_basics.ipynb) reads an image as a list. Permute the 784
# pixels of all images in the same
# way, and it learns as well as before: it does not know which pixels are neighbours. A
# **convolution** does. It lays a small **kernel** of weights on every place of the image,
# multiplies and adds. The same few weights serve all places. (Strictly this is a cross-correlation:
# the kernel is not flipped. The field calls it convolution all the same.)

# %%
def convolve(x: Tensor, kernel: Tensor) -> Tensor:
    """(H, W) and (k, k) to (H − k + 1, W − k + 1): at each place the sum of k² products."""
    k = len(kernel)
    patches = x.unfold(0, k, 1).unfold(1, k, 1)  # (H − k + 1, W − k + 1, k, k)
    return (patches * kernel).sum((-2, -1))


edges = torch.tensor([[-1.0, 0.0, 1.0]] * 3)  # light on the right, dark on the left
x = X_test[0, 0]  # (28, 28)
by_torch = F.conv2d(x[None, None], edges[None, None])[0, 0]
print("largest difference to F.conv2d:", (convolve(x, edges) - by_torch).abs().max().item())

# %% [markdown]
# **Prediction.** We shift the image by three pixels and convolve, or convolve and then shift. Do
# the results differ? And if the image gets a border of one black pixel (**padding** 1) and only
# every second place is kept (**stride** 2), how large is the result?
#
# ✎ *Double-click here and write your answer:*

# %%
first, after = convolve(x.roll(3, 1), edges), convolve(x, edges).roll(3, 1)
print("shift before against shift after:", (first - after).abs()[:, 3:].max().item())  # 3 columns went round
half = F.conv2d(x[None, None], edges[None, None], stride=2, padding=1)[0, 0]
print(f"28 × 28 with stride 2 becomes {half.shape[0]} × {half.shape[1]}")
print(f"weights: 9 here, {784 * 784:,} in a linear layer from 784 pixels to 784")

# %%
fig, axes = plt.subplots(1, 3, figsize=(10, 3.4))
plots.image_grid(x[None], axes[0], columns=1, title="image, 28 × 28")
plots.signed_image(convolve(x, edges), axes[1])
axes[1].set_title("stride 1, 26 × 26")
plots.signed_image(half, axes[2])
axes[2].set_title("stride 2, padding 1, 14 × 14")
plt.show()

# %% [markdown]
# **Figure 1.** A digit and what nine weights make of it; orange is negative, purple positive. Note
# that one kernel finds left and right edges wherever they are, and that stride 2 keeps a quarter of
# the numbers. A convolutional layer learns many such kernels at once.
#
# ### Exercise 1 · `conv_out`
#
# *Difficulty ●○○ · importance ●●● · 5 minutes.* The side n of the input, padded by p on both sides, is
# covered by a kernel of side k that moves in steps of s. How many places does it stop at?
#
# <details><summary>Hint 1</summary>
#
# The padded input has side n + 2p. The last place at which the kernel fits begins k before its end.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Count the steps of s that fit into that stretch, rounded down with `//`. Then count the place
# where it starts.
#
# </details>

# %% exercise="conv_out"
def conv_out(n: int, k: int, s: int, p: int) -> int:
    """Side of the output of a convolution.

    n: side of the input; k: side of the kernel; s: stride; p: padding on each side.
    """
    ### BEGIN SOLUTION
    return (n + 2 * p - k) // s + 1
    ### END SOLUTION


# %% check="conv_out"
conv_out = check("conv_out", conv_out)

# %% [markdown]
# ### Exercise 2 · `conv_transpose_out`
#
# *Difficulty ●○○ · importance ●●○ · 5 minutes.* A **transposed convolution** goes the other way:
# each input number stamps the kernel, multiplied by that number, into the output. Neighbouring
# stamps begin s pixels apart, and where they overlap they add up. Padding p then removes p pixels
# on every side. The floor in `conv_out` lets several sizes n come out alike, so an **output
# padding** op says which of them is wanted.
#
# <details><summary>Hint 1</summary>
#
# The first and the last of n stamps begin (n − 1) s pixels apart, and each is k wide.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Padding is removed on two sides, output padding is added on one.
#
# </details>

# %% exercise="conv_transpose_out"
def conv_transpose_out(n: int, k: int, s: int, p: int, op: int) -> int:
    """Side of the output of a transposed convolution.

    op: output padding, on one side only; the others as in `conv_out`.
    """
    ### BEGIN SOLUTION
    return (n - 1) * s - 2 * p + k + op
    ### END SOLUTION


# %% check="conv_transpose_out"
conv_transpose_out = check("conv_transpose_out", conv_transpose_out)

# %%
cases = [(28, 3, 2, 1, 1), (32, 4, 2, 1, 0), (64, 5, 2, 2, 1), (29, 3, 2, 1, 0)]
for n, k, s, p, op in cases:
    down = nn.Conv2d(1, 1, k, stride=s, padding=p)(torch.zeros(1, 1, n, n)).shape[-1]
    up = nn.ConvTranspose2d(1, 1, k, stride=s, padding=p, output_padding=op)
    back = up(torch.zeros(1, 1, down, down)).shape[-1]
    ours = conv_out(n, k, s, p), conv_transpose_out(down, k, s, p, op)
    print(f"n={n}, k={k}, s={s}, p={p}, op={op}: formulas {ours}, PyTorch {(down, back)}")

# %% [markdown]
# ## 2.2 · A bottleneck that does not narrow
#
# Many tutorials stack three convolutions and call the result the code. Let us count.
#
# **Prediction.** A digit goes through 1 → 16 → 32 → 64 channels with strides 2, 2 and 1. How many
# numbers does this "code" have, and how many had the image?
#
# ✎ *Double-click here and write your answer:*

# %%
layers = nn.Sequential(
    nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
    nn.Conv2d(32, 64, 3, stride=1, padding=1),
)
shape = tuple(layers(X_test[:1]).shape[1:])
print(f"code {shape} = {math.prod(shape)} numbers for {X_test[0].numel()} pixels")

# %% [markdown]
# Four numbers for each pixel compress nothing. Such a code has room for four copies of the image, and
# convolutions can make one without any learning: `F.pixel_unshuffle` moves each block of 4 × 4
# pixels into 16 channels, and `F.pixel_shuffle` moves them back.

# %%
copy = F.pixel_unshuffle(X_test, 4)  # (N, 16, 7, 7), a convolution with kernel 4 and stride 4
error = squared_error(X_test, F.pixel_shuffle(copy, 4)).mean()
print(f"{copy[0].numel()} of {math.prod(shape)} numbers used, squared error {error:.1f}")

# %%
fig, axes = plt.subplots(1, 3, figsize=(10, 3.4))
plots.image_grid(X_test[:1], axes[0], columns=1, title="image")
plots.image_grid(copy[0], axes[1], columns=4, title="16 channels of 7 × 7")
plots.image_grid(F.pixel_shuffle(copy[:1], 4), axes[2], columns=1, title="put back")
plt.show()

# %% [markdown]
# **Figure 2.** A "code" that is the image in another order. Note that nothing was learned and the
# error is 0. This is the identity trap of [notebook 01](01_autoencoder_basics.ipynb) in
# convolutional form. When such a network
# looks sharper than one with a code of 128 numbers, the comparison is one of code sizes, not of
# methods. The repair is a linear layer down to a few numbers.
#
# ### Exercise 3 · `ConvAutoencoder`
#
# *Difficulty ●●○ · importance ●●● · 20 minutes.* Two convolutions, then a linear layer to
# `latent_dim` numbers; a linear layer, then two convolutions and an upsampling back to an image. It
# has to work for 1 and 3 channels and for every side that is a multiple of 4. There is at least one
# convolution each way, no activation on the code, and `decode` knows nothing but the code.
#
# <details><summary>Hint 1</summary>
#
# Bring H × W down to h × w = H/4 × W/4, either in two layers of stride 2 or in one of stride 4: a
# kernel of 8, a stride of 4 and a padding of 2 do it, and `conv_out` says so. A convolution costs
# most where the image is large, so going to a coarse grid early makes the network fast.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `nn.Flatten()` stands before the linear layer of the encoder. After the decoder's linear layer
# `nn.Unflatten(1, (channels, h, w))` makes a grid again: rows come first.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `nn.PixelShuffle(r)` makes r × r pixels from r² channels, so the last convolution gives r² times as
# many channels as the image has. `torch.sigmoid` in `decode` keeps the pixels in [0, 1].
#
# </details>

# %% exercise="ConvAutoencoder"
class ConvAutoencoder(nn.Module):
    """Images of `size` pixels a side, or (H, W), through a code of `latent_dim` numbers."""

    def __init__(self, channels: int, size: int | tuple[int, int], latent_dim: int) -> None:
        super().__init__()
        H, W = (size, size) if isinstance(size, int) else size
        ### BEGIN SOLUTION
        h, w = H // 4, W // 4
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, 32, 8, stride=4, padding=2), nn.SiLU(),  # (B, 32, h, w)
            nn.Conv2d(32, 32, 3, padding=1), nn.SiLU(),
            nn.Flatten(), nn.Linear(32 * h * w, latent_dim),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 32 * h * w), nn.SiLU(), nn.Unflatten(1, (32, h, w)),
            nn.Conv2d(32, 32, 3, padding=1), nn.SiLU(),
            nn.Conv2d(32, 16 * channels, 3, padding=1), nn.PixelShuffle(4),  # (B, C, H, W)
        )
        ### END SOLUTION

    def encode(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in [0, 1] to (B, latent_dim), any real numbers."""
        ### BEGIN SOLUTION
        return self.encoder(x)
        ### END SOLUTION

    def decode(self, z: Tensor) -> Tensor:
        """(B, latent_dim) to (B, C, H, W) in [0, 1]."""
        ### BEGIN SOLUTION
        return torch.sigmoid(self.decoder(z))
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


# %% check="ConvAutoencoder"
ConvAutoencoder = check("ConvAutoencoder", ConvAutoencoder)

# %%
for channels, size in [(1, 28), (3, 32), (3, 64)]:
    model, x = ConvAutoencoder(channels, size, 32), torch.rand(64, channels, size, size)
    z, start = model.encode(x), time.perf_counter()
    ((x - model(x)) ** 2).sum().backward()
    ms = 1000 * (time.perf_counter() - start)
    weights = sum(p.numel() for p in model.parameters())
    print(f"{tuple(x.shape)} → {tuple(z.shape)} → {tuple(model.decode(z).shape)}, ", end="")
    print(f"{x[0].numel() / 32:.1f} values per number of the code, {weights:,} weights, {ms:.0f} ms")

# %% [markdown]
# The same class serves three sizes. The milliseconds are those of one forward and one backward pass
# with 64 images: four times as many pixels cost three to four times as much.

# %% [markdown]
# ## 2.3 · Against the MLP, at equal time
#
# To compare two networks we hold fixed what they may spend: here the code, 32 numbers, and the time
# of training. The loop below is that of [notebook 01](01_autoencoder_basics.ipynb), changed. It
# stops by the clock, so the
# faster network gets more steps, and its learning rate rises and falls with the share of time that
# is used. The objective comes from the library now; it is the squared error you know.
#
# A third change is a repair. At first every gradient says "darker", and long ones drive the *input*
# of the sigmoid so far below 0 that all images stay black and no gradient comes back. So a gradient
# longer than 1 is cut to length 1, and Adam remembers fewer of them than by default (`betas`), or
# it would push on long after the images are dark enough.

# %%
some, tiny = X[:64], ConvAutoencoder(1, 28, 32).eval()
by_hand = ((some - tiny.decode(tiny.encode(some))) ** 2).sum((1, 2, 3)).mean()
loss, terms = autoencoder_objective(tiny, some)
print(f"as in notebook 01: {by_hand:.4f}, from the library: {loss:.4f}")

# %%
def train_step(model: nn.Module, x: Tensor, objective: Callable, optimizer) -> float:
    """One gradient step on the objective, as in notebook 01, with gradients clipped."""
    loss, _ = objective(model, x)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


# %%
def one_cycle(share: float) -> float:
    """The learning rate's height in [0, 1]: up during 0.3 of the training, then down to 0."""
    return 0.5 - 0.5 * math.cos(math.pi * min(share / 0.3, (1 - share) / 0.7))


# %%
def train_for(
    seconds: float, model: nn.Module, images: Tensor, *,
    objective: Callable = autoencoder_objective, batch_size: int = 64, lr: float = 6e-3,
    betas: tuple[float, float] = (0.7, 0.99),
) -> list[float]:  # fmt: skip
    """Train on bytes (N, C, H, W) for this long; returns the loss of each step."""
    model.train()
    parameters = model.to(device).parameters()
    optimizer = torch.optim.Adam(parameters, betas=betas, fused=device.type != "mps")
    losses, start = [], time.perf_counter()
    while (share := (time.perf_counter() - start) / seconds) < 1:
        optimizer.param_groups[0]["lr"] = lr * one_cycle(share)
        batch = torch.randint(len(images), (batch_size,))
        losses.append(train_step(model, to_float(images[batch], device), objective, optimizer))
    model.cpu().eval()
    return losses


# %% [markdown]
# Each network gets the batch size, the learning rate and the memory that suit it best on these
# images: 128, 0.003 and Adam's defaults for the MLP; 64, 0.006 and the shorter memory for the
# convolutional one (that of the solution; try others for yours). A comparison in which only one
# side was tuned shows nothing. Let nothing else run meanwhile.
#
# **Prediction.** Which one has the lower error on test images, and by how much? Which one has more
# weights?
#
# ✎ *Double-click here and write your answer:*

# %%
train_for(0.5, MLPAutoencoder(32), digits.train.images)  # the device starts up outside of the race
torch.manual_seed(seed)
mlp, conv = MLPAutoencoder(32), ConvAutoencoder(1, 28, 32)
losses = {
    "MLP": train_for(
        seconds, mlp, digits.train.images, batch_size=128, lr=3e-3, betas=(0.9, 0.999)
    ),
    "convolutional": train_for(seconds, conv, digits.train.images),
}

# %%
def smoothed(loss: list[float]) -> Tensor:
    """Means of up to 50 losses in a row."""
    width = max(1, min(50, len(loss) // 4))
    return torch.tensor(loss).unfold(0, width, width).mean(1)


@torch.no_grad()
def encode_all(model: nn.Module, x: Tensor) -> Tensor:
    """Codes (N, d), in batches so that memory stays small."""
    return torch.cat([model.encode(batch) for batch in x.split(1000)])


# %%
@torch.no_grad()
def reconstruct(model: nn.Module, x: Tensor) -> Tensor:
    """decode(encode(x)) as images, (B, C, H, W)."""
    return torch.cat([model.decode(model.encode(part)) for part in x.split(1000)]).view_as(x)


nets = {"MLP": mlp, "convolutional": conv}
test_error = {}
for name, model in nets.items():
    test_error[name] = error_per_image(lambda x: reconstruct(model, x), X_test)
    weights = sum(p.numel() for p in model.parameters())
    print(f"{name:13s} {weights:7,} weights, {len(losses[name]):5,} steps, ", end="")
    print(f"{1000 * seconds / len(losses[name]):.1f} ms a step, test error {test_error[name]:.2f}")
print(f"convolutional against MLP: {test_error['convolutional'] / test_error['MLP']:.0%}")

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 3.8), width_ratios=[1, 1.25])
smooth = {name: smoothed(loss) for name, loss in losses.items()}
clock = {name: (torch.linspace(0, seconds, len(s)), s) for name, s in smooth.items()}
plots.curves(clock, axes[0], x_label="seconds", y_label="squared error per image (training)")
axes[0].set_yscale("log")
rows = {"original": X_test[:5], **{name: reconstruct(m, X_test[:5]) for name, m in nets.items()}}
plots.image_rows(rows, axes[1])
plt.show()

# %% [markdown]
# **Figure 3.** Left: squared error of training batches against the clock, on a logarithmic axis.
# Right: test images through 32 numbers. Note where each curve ends, and compare the test errors
# printed above: that is where the convolutional network wins. It need not learn for each place anew
# what a stroke looks like. If yours does not win, look at its steps: a network that works on large
# images takes fewer of them.

# %% [markdown]
# ## 2.4 · The checkerboard
#
# A decoder has to enlarge. A transposed convolution with kernel 3 and stride 2 stamps 3 × 3 pixels
# at every second place, so some pixels are hit by one stamp, some by two, some by four
# ([Odena et al., 2016](https://doi.org/10.23915/distill.00003)). We count the hits, and compare
# other ways to enlarge by 2.

# %%
stamp = nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1, output_padding=1, bias=False)
nn.init.ones_(stamp.weight)
print(stamp(torch.ones(1, 1, 4, 4))[0, 0, :6, :6].int())

# %%
def enlarge(name: str, c_in: int, c_out: int) -> nn.Module:
    """One of the usual ways from (B, c_in, h, w) to (B, c_out, 2h, 2w)."""
    if name == "transposed, k = 3":
        return nn.ConvTranspose2d(c_in, c_out, 3, stride=2, padding=1, output_padding=1)
    if name == "transposed, k = 4":
        return nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1)
    if name == "resize, then conv":
        return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(c_in, c_out, 3, padding=1))
    return nn.Sequential(nn.Conv2d(c_in, 4 * c_out, 3, padding=1), nn.PixelShuffle(2))


# %%
ways = ["transposed, k = 3", "transposed, k = 4", "resize, then conv", "pixel shuffle"]
torch.manual_seed(seed)
decoders = {
    way: nn.Sequential(
        nn.Linear(32, 32 * 7 * 7), nn.ReLU(), nn.Unflatten(1, (32, 7, 7)),
        enlarge(way, 32, 16), nn.ReLU(), enlarge(way, 16, 1), nn.Sigmoid(),
    )
    for way in ways
}  # fmt: skip

# %% [markdown]
# A checkerboard repeats every second pixel. In the Fourier transform that is the highest frequency,
# along rows, columns or both. Its **grain** is the share of an image's power with periods of 2 to
# 2.4 pixels; the strokes of digits have little of it.
#
# **Prediction.** The decoders above have random weights. Which of the four show a checkerboard? Does
# training remove it, and how fast? Which one takes the most time for a step?
#
# ✎ *Double-click here and write your answer:*

# %%
def grain(images: Tensor) -> float:
    """Share of the power of (B, 1, H, W) that has a period of 2 to 2.4 pixels, in [0, 1]."""
    images = images - images.mean((2, 3), keepdim=True)
    power = (torch.fft.fft2(images[:, 0]).abs() ** 2).mean(0)  # (H, W)
    fine = [torch.fft.fftfreq(n).abs() > 1 / 2.4 for n in power.shape]
    return float(power[fine[0][:, None] | fine[1]].sum() / power.sum())


# %%
with torch.no_grad():
    Z, Z_test = encode_all(conv, X), encode_all(conv, X_test)  # (N, d)
    untrained = {way: decoder(Z_test[:500]) for way, decoder in decoders.items()}

# %% [markdown]
# Now each decoder learns to turn codes of your autoencoder back into digits. We take a step with each
# in turn, so that whatever else the machine does slows all of them alike.

# %%
optimizers = {way: torch.optim.Adam(d.parameters(), lr=2e-3) for way, d in decoders.items()}
took, grains, early = {way: [] for way in ways}, {way: [] for way in ways}, {}
for step, batch in enumerate(torch.randint(len(Z), (201, 64))):
    for way, decoder in decoders.items():
        if step % 20 == 0:
            images = decoder(Z_test[:500]).detach()
            grains[way].append(grain(images))
        if step == 40:
            early[way] = images
        start = time.perf_counter()
        loss = squared_error(X[batch], decoder(Z[batch])).mean()
        optimizers[way].zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimizers[way].step()
        took[way].append(1000 * (time.perf_counter() - start))

# %%
print(f"grain of real digits: {grain(X_test[:500]):.1%}")
for way in ways:
    before, now, end = grains[way][0], grains[way][2], grains[way][-1]
    print(f"{way:18s} untrained {before:5.1%}, 40 steps {now:5.1%}, 200 steps {end:5.1%}; ", end="")
    print(f"{torch.tensor(took[way]).median():4.1f} ms a step")

# %%
fig = plt.figure(figsize=(12, 4.4))
pictures, chart = fig.subfigures(1, 2, width_ratios=[1.45, 1])
for column, way in zip(pictures.subplots(2, 4).T, ways):
    raw = untrained[way][0, 0]
    column[0].imshow((raw - raw.min()) / (raw.max() - raw.min()))
    column[1].imshow(early[way][0, 0], vmin=0, vmax=1)
    column[0].set_title(way.replace(", ", ",\n"), fontsize=12)
    for ax in column:
        ax.set_axis_off()
ax = chart.subplots()
lines = {way: (range(0, 201, 20), values) for way, values in grains.items()}
plots.curves(lines, ax, x_label="step", y_label="grain, share of power")
ax.set_yscale("log")
ax.legend(fontsize=11)
plt.show()

# %% [markdown]
# **Figure 4.** Left: one code through four decoders, with random weights, contrast stretched (top),
# and after 40 steps (bottom). Right: the grain during training, on a logarithmic axis. Note the
# fine grain of random weights in all but one, a plain checkerboard for k = 4. After 40 steps the
# images are still blurred, so they should have less grain than real digits, as the resized one has;
# the others have several times that. Only resizing starts smooth, because neighbours begin as
# copies of one pixel. Training has to unlearn the grain that the others start with.
#
# A kernel of 4 is a multiple of the stride, so its stamps overlap evenly; with random weights this
# alone does not help. Which way is fastest depends on the sizes and on the machine: measure it on
# yours.

# %% [markdown]
# ## 2.5 · What the code knows
#
# Nobody told the autoencoder about digits. Are images of the same digit neighbours in the code?
# **t-SNE** draws a map in two dimensions that keeps close points close. Only neighbourhoods count in
# it: sizes of clusters and distances between them mean nothing.
#
# **Prediction.** Will the map of codes look much better sorted than the map of raw pixels?
#
# ✎ *Double-click here and write your answer:*

# %%
pixels = X_test.flatten(1)  # (N, 784)
features = {"raw pixels": pixels, "codes of 32 numbers": Z_test}
maps = {}
for name, points in features.items():
    tsne = TSNE(init="pca", perplexity=30, random_state=seed)
    maps[name] = tsne.fit_transform(points[:n_codes].numpy())

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 5.2))
for ax, (name, points) in zip(axes, maps.items()):
    plots.code_map(points, y_test[:n_codes], ax, names=list("0123456789"), size=9)
    ax.set(title=name, xticks=[], yticks=[], xlabel="", ylabel="")
    ax.spines[:].set_visible(False)
plt.show()

# %% [markdown]
# **Figure 5.** t-SNE of test images from their pixels and from their codes, coloured by digit
# afterwards. Note that both maps are sorted by digit, and look where the classes touch: those are
# the digits that a stroke or two turns into each other.
#
# A number is harder to fool than an eye. **k-means** splits points into ten groups without labels.
# **Normalised mutual information** (NMI) says how much the group tells about the digit: 0 nothing, 1
# all. It does not need to know which group is which digit.

# %%
for name, points in features.items():
    nmi = []
    for run in range(3):
        groups = KMeans(10, n_init=1, random_state=run).fit_predict(points[:4000].numpy())
        nmi.append(normalized_mutual_info_score(y_test[:4000], groups))
    print(f"{name:20s} NMI {min(nmi):.2f} to {max(nmi):.2f} in three runs")

# %% [markdown]
# Runs of k-means differ, so we look at several before we compare. The codes are sorted by digit
# about as well as the pixels or a little better, not much: the loss asked for pixels, not for
# classes. What we gain is size, 32 numbers in place of 784. k-means finds ten round groups, and
# digits are not round groups.
#
# ### Exercise 4 · `knn_retrieve`
#
# *Difficulty ●○○ · importance ●●○ · 8 minutes.* Search by example: given one code, find the k nearest
# others.
#
# <details><summary>Hint 1</summary>
#
# `(z - z[query])` subtracts one code from all; `.norm(dim=1)` gives a distance for each.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The nearest to a code is the code itself, at distance 0. Give it an infinite distance, then sort
# upwards.
#
# </details>

# %% exercise="knn_retrieve"
def knn_retrieve(z: Tensor, query: int, k: int) -> Tensor:
    """Indices of the k codes nearest to z[query] by Euclidean distance, nearest first.

    z: (N, d); query: the index of one of them, which is not among its own neighbours. Returns (k,).
    """
    ### BEGIN SOLUTION
    distance = (z - z[query]).norm(dim=1)  # (N,)
    distance[query] = torch.inf
    return distance.argsort()[:k]
    ### END SOLUTION


# %% check="knn_retrieve"
knn_retrieve = check("knn_retrieve", knn_retrieve)

# %% [markdown]
# **Precision at 10** is the share of the ten neighbours that show the same digit, averaged over
# queries.

# %%
for name, points in features.items():
    start = time.perf_counter()
    hits = [(y_test[knn_retrieve(points, q, 10)] == y_test[q]).float().mean() for q in range(300)]
    ms = 1000 * (time.perf_counter() - start) / len(hits)
    print(f"{name:20s} precision at 10 {torch.stack(hits).mean():.1%}, {ms:.1f} ms a query")

# %%
queries = [int((y_test == digit).nonzero()[3]) for digit in (2, 4, 7, 9)]
found = torch.stack([torch.tensor([q, *knn_retrieve(Z_test, q, 10)]) for q in queries])
fig, ax = plt.subplots(figsize=(10, 3.8))
plots.image_rows({f"a {int(y_test[row[0]])}": X_test[row] for row in found}, ax)
ax.axvline(28.5, color=plots.VERMILION, linewidth=4)
plt.show()

# %% [markdown]
# **Figure 6.** Left of the line a test image, right of it the ten test images with the nearest codes.
# Note that neighbours share slant and width of the stroke as well, and that a wrong neighbour
# resembles the query. The code finds neighbours at least about as well as all 784 pixels do, from a
# twenty-fourth of the numbers.

# %% [markdown]
# ## 2.6 · Restoring: denoising and filling in
#
# An autoencoder returns what its code can express. If we damage the input and ask for the *clean*
# image, it has to learn what images look like in order to undo the damage
# ([Vincent et al., 2008](https://doi.org/10.1145/1390156.1390294)).
#
# ### Exercise 5 · `corrupt`
#
# *Difficulty ●●○ · importance ●●○ · 15 minutes.* Three kinds of damage with one level each:
# Gaussian noise, a missing square, and salt and pepper. Level 0 changes nothing.
#
# <details><summary>Hint 1</summary>
#
# Make a new tensor; `x += …` and `x[…] = 0` would damage the clean image too, which we need as the
# target. Pass `generator=generator` to every `torch.rand`, `torch.randn` and `torch.randint`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Salt and pepper take two draws for each pixel: one says whether it is hit, one whether it becomes
# 0 or 1.
# `torch.where(hit, a, b)` chooses.
#
# </details>
# <details><summary>Hint 3</summary>
#
# For the square draw a top and a left edge for each image, from 0 to H − side and from 0 to W − side,
# both included. A row number is inside if it is at least `top` and below `top + side`; broadcasting
# rows against columns gives the whole square.
#
# </details>

# %% exercise="corrupt"
def corrupt(x: Tensor, kind: str, level: float, generator: torch.Generator) -> Tensor:
    """A damaged copy of x, in [0, 1] as x is; level 0 changes nothing, and x stays as it was.

    "gaussian": x + level · N(0, 1), clamped to [0, 1].
    "salt_pepper": each pixel is hit with probability `level`: all its channels become 0, or all 1,
    with equal chances.
    "mask": each image loses one square, set to 0, of round(level · min(H, W)) pixels a side, at a
    place drawn for each image by itself.
    x: (B, C, H, W); level: in [0, 1]. Every random number comes from `generator`.
    """
    ### BEGIN SOLUTION
    B, _, H, W = x.shape
    if kind == "gaussian":
        return (x + level * torch.randn(x.shape, generator=generator, dtype=x.dtype)).clamp(0, 1)
    if kind == "salt_pepper":
        hit = torch.rand(B, 1, H, W, generator=generator) < level
        salt = (torch.rand(B, 1, H, W, generator=generator) < 0.5).to(x.dtype)
        return torch.where(hit, salt, x)
    side = round(level * min(H, W))
    top = torch.randint(H - side + 1, (B, 1, 1), generator=generator)
    left = torch.randint(W - side + 1, (B, 1, 1), generator=generator)
    row, column = torch.arange(H)[:, None], torch.arange(W)
    inside = (row >= top) & (row < top + side) & (column >= left) & (column < left + side)
    return x.masked_fill(inside[:, None], 0)
    ### END SOLUTION


# %% check="corrupt"
corrupt = check("corrupt", corrupt)

# %% [markdown]
# ### Exercise 6 · `denoising_loss`
#
# *Difficulty ●○○ · importance ●●● · 5 minutes.* The squared error of
# [notebook 01](01_autoencoder_basics.ipynb) with two images: one
# goes in, the other is wanted.
#
# <details><summary>Hint 1</summary>
#
# The noisy image goes through `encode` and `decode`. The clean image is seen by the loss alone.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `.flatten(1)` makes (B, C·H·W) of (B, C, H, W), so that one sum serves all shapes. Keep one value per
# image.
#
# </details>

# %% exercise="denoising_loss"
def denoising_loss(model: nn.Module, clean: Tensor, noisy: Tensor) -> Tensor:
    """‖clean − decode(encode(noisy))‖² per image, summed over pixels and channels.

    clean, noisy: (B, C, H, W). Returns (B,).
    """
    ### BEGIN SOLUTION
    x_hat = model.decode(model.encode(noisy))
    return ((clean - x_hat) ** 2).flatten(1).sum(1)
    ### END SOLUTION


# %% check="denoising_loss"
denoising_loss = check("denoising_loss", denoising_loss)

# %% [markdown]
# ### Exercise 7 · `psnr`
#
# *Difficulty ●○○ · importance ●●○ · 8 minutes.* Restoration is reported in decibels, as the **peak
# signal-to-noise ratio**: 10 log₁₀ of the squared range of a pixel over the mean squared error. Ten
# decibels more are a tenth of the error.
#
# <details><summary>Hint 1</summary>
#
# First a mean squared error for each image, (B,), then the logarithm. The mean of the logarithms is
# not the
# logarithm of the mean.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.log10`, and the range squared: with bytes a wrong range of 1 gives 48 decibels too few.
#
# </details>

# %% exercise="psnr"
def psnr(x: Tensor, x_hat: Tensor, data_range: float) -> Tensor:
    """10 log₁₀(data_range² / MSE) of each image, in decibels.

    x, x_hat: (B, …) of the same shape; data_range: the largest minus the smallest value that a
    pixel can have, 1 or 255. Returns (B,), infinite where the images are equal.
    """
    ### BEGIN SOLUTION
    mse = ((x - x_hat) ** 2).flatten(1).mean(1)  # (B,)
    return 10 * torch.log10(data_range**2 / mse)
    ### END SOLUTION


# %% check="psnr"
psnr = check("psnr", psnr)

# %% [markdown]
# One network is to undo all three kinds. In each step it sees one kind at one random level.

# %%
noise = torch.Generator().manual_seed(seed)
LEVELS = {"gaussian": 0.4, "mask": 0.4, "salt_pepper": 0.25}  # for tests


def any_damage(x: Tensor) -> Tensor:
    """The batch with a random kind of damage, of a random level below 0.6."""
    kind = list(LEVELS)[int(torch.randint(3, (), generator=noise))]
    level = 0.6 * float(torch.rand((), generator=noise))
    return corrupt(x.cpu(), kind, level, noise).to(x.device)


def restoring(damage: Callable) -> Callable:
    """The objective of a model that gets damage(x) and is asked for x."""
    def objective(model: nn.Module, x: Tensor) -> tuple[Tensor, ErrorTerms]:
        error = denoising_loss(model, x, damage(x))  # (B,)
        return error.mean(), ErrorTerms(error)
    return objective


# %% [markdown]
# **Prediction.** The autoencoder of section 2.3 never saw noise. Will it remove some? Compare it with
# the new network, and with a blur: each pixel replaced by the mean of its 3 × 3 neighbours.
#
# ✎ *Double-click here and write your answer:*

# %%
torch.manual_seed(seed)
restorer = ConvAutoencoder(1, 28, 32)
restorer_losses = train_for(seconds, restorer, digits.train.images, objective=restoring(any_damage))

# %%
ways_back = {
    "damaged": lambda x: x,
    "blur": lambda x: F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False),
    "autoencoder": lambda x: reconstruct(conv, x),
    "restorer": lambda x: reconstruct(restorer, x),
}
noise.manual_seed(seed + 1)
damaged = {kind: corrupt(X_test, kind, level, noise) for kind, level in LEVELS.items()}
for kind, x in damaged.items():
    values = {name: psnr(X_test, back(x), 1.0).median() for name, back in ways_back.items()}
    print(f"{kind:11s}", ", ".join(f"{name} {value:4.1f} dB" for name, value in values.items()))

# %%
fig, axes = plt.subplots(1, 3, figsize=(12, 4.2))
for ax, (kind, x) in zip(axes, damaged.items()):
    rows = {"clean": X_test[:4], **{name: back(x[:4]) for name, back in ways_back.items()}}
    plots.image_rows(rows, ax)
    ax.set_title(kind.replace("_", " and "))
for ax in axes[1:]:
    ax.set_yticks([])
plt.show()

# %% [markdown]
# **Figure 7.** Three kinds of damage, and what undoes them. Note that the autoencoder of section
# 2.3 is far behind the restorer, and on noise behind a blur: it never saw such inputs, and answers
# noise with strokes that were never there. The restorer has the same layers and the same code size,
# and another pair of images in its loss. We print medians, because an image whose hole fell on
# black background (holes are hard to see here; Figure 8 marks them) has no error at all and
# infinitely many decibels.
#
# Filling in a hole is called **inpainting**, and there we know more: outside of the hole the input
# is right, so we keep it and take from the network only what is missing. The network is not told
# where the hole is: black may be hole or background. The mask as a second channel would help it.

# %%
noise.manual_seed(seed + 2)
hole = corrupt(torch.ones_like(X_test), "mask", LEVELS["mask"], noise) == 0  # (N, 1, H, W)
holes = X_test.masked_fill(hole, 0)
filled = torch.where(hole, reconstruct(restorer, holes), holes)
for name, x_hat in {"hole left black": holes, "filled in": filled}.items():
    inside = ((x_hat - X_test) ** 2 * hole).sum((1, 2, 3)).mean()
    print(f"{name:16s} squared error in the hole {inside:5.1f}")

# %%
fig, ax = plt.subplots(figsize=(10, 3.4))
grey = torch.where(hole, 0.5, X_test)  # shows where the hole is
plots.image_rows({"with hole": grey[:12], "filled in": filled[:12], "truth": X_test[:12]}, ax)
plt.show()

# %% [markdown]
# **Figure 8.** Holes of 11 × 11 pixels, drawn in grey here and black for the network. Note that
# short gaps are closed and that open choices are answered with grey: where several strokes would
# fit, squared error asks for their mean.
#
# The panel runs your own `corrupt` and your own networks. Find the level at which the restored digit
# becomes another one.

# %%
damage_panel = widgets.corruption(
    X_test[:8],
    corrupt,
    {"autoencoder": lambda x: reconstruct(conv, x), "restorer": lambda x: reconstruct(restorer, x)},
    start=("gaussian", 0.4),
)
damage_panel

# %% [markdown]
# **Figure 9.** Choose a kind of damage and move its level. Note that the restorer answers at every
# level, with a digit or a grey mean of several, and that nothing in its answer says how sure it is.

# %% [markdown]
# ## 2.7 · Colouring
#
# Taking the colour away is one more damage: the three channels become their mean. Nothing else
# changes, neither the loss nor the network, which has 3 channels now. We use CIFAR-10 if it is at
# hand, and otherwise the course's cartoon faces.

# %%
name = "cifar10" if dict(datasets.at_hand())["cifar10"] else "faces"
coloured = datasets.load(name, size=32)
torch.manual_seed(seed)
C_test = to_float(coloured.test.images[torch.randperm(len(coloured.test))[:1000]])  # (N, 3, 32, 32)
print(f"{coloured.source}: {len(coloured.train):,} training images")


def to_grey(x: Tensor) -> Tensor:
    """(B, 3, H, W) with the mean of the channels in each of them."""
    return x.mean(1, keepdim=True).expand_as(x)


# %% [markdown]
# **Prediction.** A shirt was red or blue, and its grey is the same. Which colour does the network
# paint, if its loss is the squared error?
#
# ✎ *Double-click here and write your answer:*

# %%
torch.manual_seed(seed)
painter = ConvAutoencoder(3, 32, 128)
paint_losses = train_for(
    0.8 * seconds, painter, coloured.train.images, objective=restoring(to_grey), lr=2e-3
)

# %% [markdown]
# The network's picture is blurred by its bottleneck, but we know the brightness of each pixel. So
# we take
# from the network only the **chroma**, its picture minus its grey, and add it to the grey picture.

# %%
grey = to_grey(C_test)
painted = reconstruct(painter, grey)
repaired = (grey + painted - to_grey(painted)).clamp(0, 1)
chroma = {"truth": C_test, "network": painted}
for name, x_hat in {"grey": grey, "network": painted, "grey + chroma": repaired}.items():
    print(f"{name:14s} {psnr(C_test, x_hat, 1.0).median():.1f} dB")
strength = {name: (c - to_grey(c)).abs().mean() for name, c in chroma.items()}
print(", ".join(f"mean strength of colour, {name}: {s:.3f}" for name, s in strength.items()))

# %%
fig, ax = plt.subplots(figsize=(10, 4.4))
rows = {"grey": grey, "network": painted, "grey + chroma": repaired, "truth": C_test}
plots.image_rows({name: x[:10] for name, x in rows.items()}, ax)
plt.show()

# %% [markdown]
# **Figure 10.** Ten test images coloured from their grey. Note that the colours are paler than the
# truth, as the last line printed says. Where one grey may come from several colours, squared error
# asks for the mean of them, and the mean of many colours is near grey.

# %% [markdown]
# ## 2.8 · Compressing, against JPEG
#
# A code of 32 numbers is no file yet. We round each number to b bits between the smallest and the
# largest value that training codes take, so an image costs 32 b / 8 = 4 b bytes. That is a lossy
# codec, and JPEG is its rival.
#
# **What is counted.** A JPEG of one digit is mostly **header**: tables that say how to decode. To
# be fair to JPEG we put 400 digits into one mosaic, each padded to 32 × 32 so that JPEG's blocks of
# 8 × 8 fit, and divide the bytes of the file by 400. We also print what single files cost. On our
# side the decoder's weights are not counted; every receiver must have them beforehand. JPEG also
# packs its numbers with a Huffman code, and ours are stored plainly.
#
# **Prediction.** At equal bytes, which of the two has the smaller squared error?
#
# ✎ *Double-click here and write your answer:*

# %%
low, high = Z.min(0).values, Z.max(0).values  # (d,) each


def quantise(z: Tensor, bits: int) -> Tensor:
    """Codes rounded to the nearest of 2^bits equally spaced values per number."""
    top = 2**bits - 1
    return low + (high - low) * (top * (z - low) / (high - low)).round().clamp(0, top) / top


@torch.no_grad()
def through_code(x: Tensor, bits: int) -> Tensor:
    """(B, 1, 28, 28) through the encoder, 4·bits bytes an image, and the decoder."""
    return conv.decode(quantise(conv.encode(x), bits))


# %%
def jpeg(image: Tensor, quality: int) -> tuple[bytes, Tensor]:
    """One image (H, W) as a JPEG file, and the image in that file."""
    file = io.BytesIO()
    Image.fromarray(plots.to_uint8(image)).save(file, "JPEG", quality=quality, optimize=True)
    back = torch.frombuffer(bytearray(Image.open(file).tobytes()), dtype=torch.uint8)
    return file.getvalue(), back.view(image.shape) / 255


def through_mosaic(x: Tensor, quality: int) -> tuple[float, Tensor]:
    """400 images as one JPEG: bytes an image, header shared, and what comes back."""
    tiles = F.pad(x, (2, 2, 2, 2), mode="replicate").view(20, 20, 32, 32)
    file, back = jpeg(tiles.permute(0, 2, 1, 3).reshape(640, 640), quality)
    tiles = back.view(20, 32, 20, 32).permute(0, 2, 1, 3).reshape(400, 1, 32, 32)
    return len(file) / 400, tiles[..., 2:30, 2:30]


# %%
some = X_test[:400]
ours = {4 * b: squared_error(some, through_code(some, b)).mean().item() for b in range(2, 9)}
mosaic = {}
for quality in (1, 4, 7, 10, 15, 20, 30):
    size, back = through_mosaic(some, quality)
    mosaic[size] = squared_error(some, back).mean().item()
for name, curve in {"autoencoder": ours, "JPEG mosaic": mosaic}.items():
    print(f"{name}:", ", ".join(f"{size:.0f} B {error:.1f}" for size, error in curve.items()))

# %%
near = min(mosaic, key=lambda size: abs(size - 32))
enough = min((size for size, e in mosaic.items() if e <= ours[32]), default=math.inf)
print(f"our code {ours[32]:.1f} at 32 bytes, JPEG {mosaic[near]:.1f} at {near:.0f} bytes", end="")
print(f"; as good as ours from {enough:.0f} bytes on")
file, _ = jpeg(X_test[0, 0], 10)
header = file.index(b"\xff\xda")  # the marker after which the picture's own bits begin
print(f"one digit as a JPEG file: {len(file)} bytes, {header} of them header")
weights = torch.autograd.grad(conv.decode(Z_test[:1]).sum(), [*conv.parameters()], allow_unused=True)
bytes_of = 4 * sum(w.numel() for w in weights if w is not None)  # those that decode uses
print(f"our decoder, once for all images: {bytes_of:,} bytes")

# %% [markdown]
# The code is made for digits. What happens to something else? We send **inverted** digits, black on
# white, through both, at the highest rate of each curve.

# %%
inverted = 1 - some
size, back = through_mosaic(inverted, 30)
print(f"inverted: JPEG {squared_error(inverted, back).mean():5.1f} at {size:.0f} bytes, ", end="")
print(f"autoencoder {squared_error(inverted, through_code(inverted, 8)).mean():5.1f} at 32 bytes")

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 3.8), width_ratios=[1, 1.1])
both = {"autoencoder": ours, "JPEG mosaic": mosaic}
lines = {name: (list(curve), list(curve.values())) for name, curve in both.items()}
plots.curves(lines, axes[0], x_label="bytes per image", y_label="squared error per image")
axes[0].set_ylim(0, 1.05 * max(ours.values()))
worst = through_mosaic(some, 1)[1]
rows = {"original": some, "code, 20 B": through_code(some, 5), "JPEG, smallest": worst}
rows |= {"inverted": inverted, "through code": through_code(inverted, 8)}
plots.image_rows({name: x[:6] for name, x in rows.items()}, axes[1])
plt.show()

# %% [markdown]
# **Figure 11.** Left: rate and distortion, bytes against error. Right: digits at low rates, and
# inverted digits. Note, at the smallest size that JPEG reaches, which error is smaller, and that
# JPEG's keeps falling with more bytes. The code's does not: after a few bits per number only what
# the bottleneck drops is still missing, and more bits buy nothing. For inverted digits the code is
# useless. It is short because the decoder knows digits, and knows nothing else.

# %% [markdown]
# ## 2.9 · Finding what is odd
#
# A network that has learned normal images should fail on others. So the reconstruction error can serve
# as an alarm, and no example of an anomaly is needed. We keep all twos and all ones out of the
# training and see whether their errors are larger.
#
# ### Exercise 8 · `anomaly_auroc`
#
# *Difficulty ●●○ · importance ●●○ · 10 minutes.* Any alarm needs a threshold. The **area under the ROC
# curve** needs none: it is the chance that a random anomaly has a larger error than a random normal
# image. ½ is a coin, 1 is perfect, and 0 is perfectly wrong.
#
# <details><summary>Hint 1</summary>
#
# `err_out[:, None] > err_in` compares all pairs at once, (M, N).
#
# </details>
# <details><summary>Hint 2</summary>
#
# A pair with equal errors counts one half. Such pairs are rare among real numbers and common once
# errors are rounded. `==` finds them.
#
# </details>

# %% exercise="anomaly_auroc"
def anomaly_auroc(err_in: Tensor, err_out: Tensor) -> float:
    """P(err_out > err_in) + ½ P(err_out = err_in) for a random pair: the area under the ROC curve.

    err_in: (N,) errors of normal images; err_out: (M,) errors of anomalies. Returns a float.
    """
    ### BEGIN SOLUTION
    larger = (err_out[:, None] > err_in).double()  # (M, N)
    equal = (err_out[:, None] == err_in).double()
    return float((larger + 0.5 * equal).mean())
    ### END SOLUTION


# %% check="anomaly_auroc"
anomaly_auroc = check("anomaly_auroc", anomaly_auroc)

# %% [markdown]
# **Prediction.** Neither twos nor ones were seen in training. Which of them are found? And what does
# the alarm say to an image that is black all over?
#
# ✎ *Double-click here and write your answer:*

# %%
normal = (y != 1) & (y != 2)
torch.manual_seed(seed)
guard = ConvAutoencoder(1, 28, 32)
guard_losses = train_for(max(4, seconds / 2), guard, digits.train.images[normal], lr=2e-3)

# %%
groups = {"normal": X_test[(y_test != 1) & (y_test != 2)], "two": X_test[y_test == 2]}
groups |= {"one": X_test[y_test == 1], "blank": torch.zeros(100, 1, 28, 28)}
errors = {name: squared_error(x, reconstruct(guard, x)) for name, x in groups.items()}
for name in ["two", "one", "blank"]:
    auroc = anomaly_auroc(errors["normal"], errors[name])
    print(f"{name:5s} mean error {errors[name].mean():5.2f}, AUROC {auroc:.2f}")
print(f"normal digits: mean error {errors['normal'].mean():.2f}")

# %% [markdown]
# The alarm finds most twos. An AUROC below ½ means that anomalies pass as *more* normal than normal
# images. In MNIST this happens to ones: whoever can draw a four can draw a plain stroke. Where ones
# have a serif and a foot, as in the stand-in, they come out less low. A blank image goes either way
# from run to run: it is the easiest of all to draw, and far from all that was seen. So the failure
# depends on the data and on the run, and has to be measured. The error measures how *hard to draw*
# an image is. That is not the same as unusual.
#
# The repair asks another question: not "can this code be decoded?" but "do normal images have such
# codes?" We fit a Gaussian to the codes of normal images and measure how far a code lies from its
# mean, in units of its covariance, the (squared) **Mahalanobis distance**.

# %%
def covariance(z: Tensor) -> Tensor:
    """Of codes (N, d), with a little added to the diagonal, so that an unused number does no harm."""
    C = torch.cov(z.T)
    return C + 1e-4 * C.diagonal().mean() * torch.eye(len(C))


# %%
with torch.no_grad():
    Z_normal = encode_all(guard, X[normal][:10_000])  # (N, d)
    spread = torch.linalg.inv(covariance(Z_normal))
    offset = {name: encode_all(guard, x) - Z_normal.mean(0) for name, x in groups.items()}
unusual = {name: ((o @ spread) * o).sum(1) for name, o in offset.items()}  # (B,)
for name in ["two", "one", "blank"]:
    print(f"{name:5s} AUROC {anomaly_auroc(unusual['normal'], unusual[name]):.2f} by the code")

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 3.6))
for ax, (label, scores) in zip(axes, {"squared error per image": errors, "squared Mahalanobis distance": unusual}.items()):
    top = float(scores["normal"].quantile(0.995))
    for i, name in enumerate(["normal", "two", "one"]):
        values = scores[name].clamp(max=top)
        ax.hist(values, 40, range=(0, top), density=True, histtype="step", linewidth=2.2,
                color=plots.PALETTE[i], linestyle=plots.LINE_STYLES[i], label=name)  # fmt: skip
    ax.set(xlabel=label, ylabel="density")
axes[1].legend()
plt.show()

# %% [markdown]
# **Figure 12.** Two alarms on normal digits and on digits that were held out. Look first at the
# ones on the left: where they are plain strokes they lie *left* of the normal digits, and no
# threshold from below finds them. By the distance of the code (right) they no longer lie left of
# the normal digits, but many still lie among them. Read the AUROC: no longer turned round, and not
# yet a good alarm. The last bar collects all that lies beyond; for blank images see the numbers.

# %% [markdown]
# ## 2.10 · What is missing is a density
#
# [Notebook 01](01_autoencoder_basics.ipynb) ended with random codes that decode to no digit. It is
# often said that this shows the
# need for a variational autoencoder (VAE, [notebook 03](03_variational_autoencoder.ipynb)). Is the
# decoder to blame, or the way we drew
# the codes? We draw from four distributions:
#
# 1. N(0, I), which has nothing to do with the codes,
# 2. each number by itself, uniform between its smallest and largest value,
# 3. a Gaussian with the mean and the covariance of the training codes,
# 4. a **mixture** of ten such Gaussians, fitted to 5,000 of the training codes.
#
# **Prediction.** For which of the four do the decoded images look like digits?
#
# ✎ *Double-click here and write your answer:*

# %%
mixture = GaussianMixture(10, reg_covar=1e-3, tol=0.01, random_state=seed).fit(Z[:5_000].double())
one_gaussian = torch.distributions.MultivariateNormal(Z.mean(0), covariance(Z))
torch.manual_seed(seed)
drawn = {
    "N(0, I)": torch.randn(1_000, 32),
    "box": low + (high - low) * torch.rand(1_000, 32),
    "Gaussian": one_gaussian.sample((1_000,)),
    "mixture of 10": torch.from_numpy(mixture.sample(1_000)[0]).float()[torch.randperm(1_000)],
}
with torch.no_grad():
    generated = {name: conv.decode(z) for name, z in drawn.items()}

# %%
fig, axes = plt.subplots(1, 4, figsize=(12, 3.5))
for ax, (name, images) in zip(axes.flat, generated.items()):
    plots.image_grid(images[:36], ax, columns=6, title=name)
plt.show()

# %% [markdown]
# **Figure 13.** Thirty-six codes from each of the four distributions, decoded by the same decoder.
# Note that the first two show patches and strokes, and hardly a digit. The Gaussian gives many
# digits among its images, the mixture more.
#
# Two numbers for what we see. The first is that of [notebook 01](01_autoencoder_basics.ipynb), the
# median squared distance to the
# nearest training image. It favours pale images and is blind to variety: one good digit a thousand
# times would pass. The second is a **two-sample test**
# ([Lopez-Paz and Oquab, 2017](https://arxiv.org/abs/1610.06545)): a random forest
# learns to tell drawn images from reconstructions of test images, and is judged on images that its
# trees have not seen. Where it is right half of the time, the two kinds look alike to it.

# %%
def to_nearest(images: Tensor) -> float:
    """Median squared distance of images (B, 1, H, W) to the nearest of 10,000 training images."""
    distance = torch.cdist(images.flatten(1), X[:10_000].flatten(1)).min(1).values
    return float((distance**2).median())


def told_apart(a: Tensor, b: Tensor) -> float:
    """How often a random forest knows which set an unseen image is from: ½ if they are alike."""
    both = torch.cat([a, b]).flatten(1)
    kind = torch.arange(len(both)) < len(a)
    forest = RandomForestClassifier(100, oob_score=True, n_jobs=-1, random_state=seed)
    return forest.fit(both, kind).oob_score_


# %%
real = reconstruct(conv, X_test[:1000])
for name, images in {**generated, "other test images": reconstruct(conv, X_test[1000:2000])}.items():
    print(f"{name:18s} to nearest training image {to_nearest(images):5.1f}, ", end="")
    print(f"told apart from test images {told_apart(images, real):.0%}")

# %% [markdown]
# The first two fail and the fitted ones come much nearer, the mixture nearer than the single
# Gaussian. It is the same decoder each time. So what an autoencoder lacks is not a decoder but a
# density of its codes ([Ghosh et al., 2020](https://arxiv.org/abs/1903.12436)), and a random code
# from N(0, I) is no fair opponent for
# a VAE. The forest still tells all of them from real reconstructions more often than by chance: ten
# Gaussians are a guess about the shape of the density.
#
# Last, a walk between two images. Halfway in pixels is a double exposure. Halfway in code is one
# image, if the codes in between are codes of digits.

# %%
a, b = X_test[:500], X_test[500:1000]
with torch.no_grad():
    halfway = {"in pixels": (a + b) / 2, "in code": conv.decode((Z_test[:500] + Z_test[500:1000]) / 2)}
for name, images in halfway.items():
    print(f"halfway {name}: {to_nearest(images):.1f} from the nearest training image")

# %%
pairs = X_test[[int((y_test == digit).nonzero()[0]) for digit in (4, 9, 3, 5, 1, 7, 0, 6)]]
walk = widgets.interpolation(pairs, conv.encode, conv.decode)
walk

# %% [markdown]
# **Figure 14.** Move t from one digit to the other, in pixels and in code. Note what happens around
# the middle: the pixels show both digits at once, the code bends one stroke into another. Some
# codes on the way belong to no digit. The printed distance to the nearer end is smaller for the pixel
# mix, which is half of that very image; it does not make it a digit.

# %% [markdown]
# ## 2.11 · What we have seen
#
# - A convolution uses few weights everywhere. At equal time and equal code it reconstructs better than
#   an MLP.
# - Count the numbers of a code before you praise it: 64 × 7 × 7 is larger than the image.
# - How a decoder enlarges decides whether it starts with a checkerboard, and what a step costs.
# - The same loss with a damaged input denoises, fills in and colours. It answers with a mean where the
#   input leaves a choice.
# - An autoencoder compresses what it was trained on, and nothing else.
# - The reconstruction error is a poor alarm for simple images. The distance of the code, a first
#   density, is not blind to them, though one Gaussian is a rough one.
# - A density fitted to the codes also makes the decoder generate.
#
# **To think about.** (1) You permute the pixels of all images in the same way and train both
# networks again. Which error changes? (2) Your colleague trains an autoencoder on healthy X-ray
# images and wants to find the ill ones. What do you ask first? (3) The mixture was fitted after
# training. What could be gained if the encoder knew during training which density its codes should
# have?
#
# <details><summary>Some answers</summary>
#
# (1) That of the convolutional one: it relies on neighbours. The MLP never knew them. (2) Whether
# ill images
# are more complicated or simpler than healthy ones, and what the AUROC is for each illness, not for
# all together.
# (3) Codes with fewer holes and a density that need not be guessed; the price is paid in
# reconstruction. [Notebook 03](03_variational_autoencoder.ipynb) derives it.
#
# </details>
#
# *Next:* **[03 · The variational autoencoder](03_variational_autoencoder.ipynb)**, in which the
# density of the codes is part of the loss.
