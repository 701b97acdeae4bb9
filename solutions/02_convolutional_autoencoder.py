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
# | 160 minutes in two sittings, 8 exercises | ●○○ to ●●● | [notebook 01](01_autoencoder_basics.ipynb): codes, squared error, the training loop |
#
# The first sitting ends with section 2.5. As before, a **code** z is what stands for an image; n is
# how many numbers it has, which comments on shapes write d: (N, d) are N codes of d = n numbers.
#
# Run the cells in order. Where you see `raise NotImplementedError`, write your own code; the card
# below it says whether it is right and, if not, why. Unsolved exercises do not stop the notebook.

# %% setup=true

# %% tags=["parameters"]
seed = 0
n_train = 60_000
n_test = 10_000
billions = 375
n_codes = 2_000
n_drawn = 1_000  # images of each density in section 2.13
n_steps = 200  # of the decoders of section 2.4; other trainings have at least as many

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
from torch.utils.flop_counter import FlopCounterMode

# %%
from course_lib import datasets, diagrams, plots, widgets
from course_lib.exact import Mixture
from course_lib.exercises import check
from course_lib.figures import convolutional as figures
from course_lib.losses import ErrorTerms, autoencoder_objective, squared_error
from course_lib.metrics import error_per_image, neighbour_accuracy
from course_lib.models import MLPAutoencoder
from course_lib.settings import short_run_note, shortened
from course_lib.training import best_device, to_float

plots.use_course_style()
torch.manual_seed(seed)
sizes = n_train, n_test, billions, n_codes, n_drawn, n_steps
n_train, n_test, billions, n_codes, n_drawn, n_steps = shortened(
    sizes, (8_000, 2_000, 30, 500, 300, 40))
device = best_device()

# %%
digits = datasets.load("mnist")
train_images = digits.train.images[:n_train]  # bytes
X, X_test = to_float(train_images), to_float(digits.test.images[:n_test])  # (N, 1, H, W) in [0, 1]
y, y_test = digits.train.labels[:n_train], digits.test.labels[:n_test]
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
digit = X_test[0, 0]  # (28, 28)
by_torch = F.conv2d(digit[None, None], edges[None, None])[0, 0]
print("largest difference to F.conv2d:", (convolve(digit, edges) - by_torch).abs().max().item())

# %% [markdown]
# **Prediction.** We shift the image by three pixels and convolve, or convolve and then shift. Do
# the results differ? And if the image gets a border of one black pixel (**padding** 1) and only
# every second place is kept (**stride** 2), how large is the result?
#
# ✎ *Double-click here and write your answer:*

# %%
before, after = convolve(digit.roll(3, 1), edges), convolve(digit, edges).roll(3, 1)
gap = (before - after).abs()[:, 3:]  # without the 3 columns that went round
print("shift before against shift after:", gap.max().item())
half = F.conv2d(digit[None, None], edges[None, None], stride=2, padding=1)[0, 0]
print(f"28 × 28 with stride 2 becomes {half.shape[0]} × {half.shape[1]}")
print(f"weights: 9 here, {784 * 784:,} in a linear layer from 784 pixels to 784")

# %%
figures.one_kernel(digit, edges, convolve(digit, edges), half)
plt.show()

# %% [markdown]
# **Figure 1.** A patch of the image (framed) times the nine weights, added up, is one number of the
# result (ringed); orange is negative, purple positive. Note that one kernel finds left and right
# edges wherever they are.
#
# Stride 2 keeps a quarter of the numbers. A convolutional layer learns many such kernels at once.
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
sizes = {}
for n, k, s, p, op in cases:
    down = nn.Conv2d(1, 1, k, stride=s, padding=p)(torch.zeros(1, 1, n, n)).shape[-1]
    up = nn.ConvTranspose2d(1, 1, k, stride=s, padding=p, output_padding=op)
    back = up(torch.zeros(1, 1, down, down)).shape[-1]
    ours = conv_out(n, k, s, p), conv_transpose_out(down, k, s, p, op)
    case = f"n = {n}, k = {k}, s = {s}, p = {p}, op = {op}"
    sizes[case] = {"formulas": "{} → {}".format(*ours), "PyTorch": f"{down} → {back}"}
plots.table(sizes, corner="down, and up again")

# %% [markdown]
# ## 2.2 · A bottleneck that does not narrow
#
# Many tutorials stack three convolutions and call the result the code. Let us count.
#
# **Prediction.** A digit goes through 1 → 16 → 32 → 64 channels, with kernels of 3, a padding of 1 and
# strides 2, 2 and 1. How many numbers does this "code" have, and how many had the image?
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
print(f"{copy[0].numel()} of {math.prod(shape)} numbers used")

# %%
figures.another_order(X_test[0], copy[0], F.pixel_shuffle(copy[:1], 4)[0], error)
plt.show()

# %% [markdown]
# **Figure 2.** A "code" that is the image in another order. Note that nothing was learned and
# nothing is lost.
#
# This is the identity trap of [notebook 01](01_autoencoder_basics.ipynb) in convolutional form.
# When such a network looks sharper than one with a code of 128 numbers, the comparison is one of
# code sizes, not of methods. The repair is a linear layer down to a few numbers.
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
diagrams.conv_shapes()

# %% [markdown]
# **Figure 3.** The shapes in one solution, for a digit and a code of 32 numbers: channels × height ×
# width after each layer. Note the one place that is narrow. Yours may take other steps.


# %%
def cost_per_image(model: nn.Module, x: Tensor) -> int:
    """Multiply-adds of a forward and a backward pass, per image of x (B, C, H, W)."""
    with FlopCounterMode(display=False) as counter:  # it counts from the shapes in every layer
        autoencoder_objective(model, x)[0].backward()
    model.zero_grad()
    return counter.get_total_flops() // (2 * len(x))  # a multiply-add is two operations


costs = {}
for channels, size in [(1, 28), (3, 32), (3, 64)]:
    sample, model = torch.rand(8, channels, size, size), ConvAutoencoder(channels, size, 32)
    weights = sum(p.numel() for p in model.parameters())
    costs[f"{channels} × {size} × {size}"] = {
        "code": model.encode(sample).shape[1], "values per number of it": sample[0].numel() / 32,
        "weights": weights, "millions of multiply-adds": cost_per_image(model, sample) / 1e6,
    }  # fmt: skip
plots.table(costs, corner="image", title="Training on one image")

# %% [markdown]
# The same class serves three sizes. Nearly all of a network's work is multiplying two numbers and
# adding the product to a sum, so we count these **multiply-adds**. Compare the last two rows: four
# times as many pixels cost about four times as much.

# %% [markdown]
# ## 2.3 · Against the MLP, at equal cost
#
# To compare two networks we hold fixed what they may spend: here the code, 32 numbers, and the
# multiply-adds of training. (Seconds depend on the machine and on what else it does; we print them.)
# The loop below is that of [notebook 01](01_autoencoder_basics.ipynb), changed. The cheaper network
# gets more steps, and the learning rate rises and falls with the share of steps that is done. The
# objective comes from the library now; it is the squared error you know.
#
# A third change is a repair. At first every gradient says "darker", and long ones drive the *input*
# of the sigmoid so far below 0 that all images stay black and no gradient comes back. So a gradient
# longer than 1 is cut to length 1.
#
# The other half of the repair is **Adam's memory**. Adam steps along a running mean of the gradients,
# divided by the root of a running mean of their squares. Two factors, `betas`, forget the past: with β a
# mean remembers about 1/(1 − β) steps, by default 10 for the gradients (0.9) and 1,000 for their
# squares (0.999). With 0.7 and 0.99 it is 3 and 100. Else the first long gradients push on, and keep
# later steps short, when the images have long been dark enough.

# %%
sixty, tiny = X[:60], ConvAutoencoder(1, 28, 32).eval()
by_hand = ((sixty - tiny.decode(tiny.encode(sixty))) ** 2).sum((1, 2, 3)).mean()
loss, terms = autoencoder_objective(tiny, sixty)
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
def steps_for(billions: float, model: nn.Module, images: Tensor, batch_size: int) -> int:
    """How many steps these many multiply-adds (in 10⁹) pay for, and never fewer than n_steps."""
    per_step = cost_per_image(model, to_float(images[:8])) * batch_size
    return max(n_steps, round(1e9 * billions / per_step))


# %%
def train(
    billions: float, model: nn.Module, images: Tensor, *,
    objective: Callable = autoencoder_objective, batch_size: int = 64, lr: float = 6e-3,
    betas: tuple[float, float] = (0.7, 0.99),
) -> list[float]:  # fmt: skip
    """Train on bytes (N, C, H, W) at this cost; returns the loss of each step."""
    steps, start = steps_for(billions, model, images, batch_size), time.perf_counter()
    parameters = model.train().to(device).parameters()
    optimizer, losses = torch.optim.Adam(parameters, betas=betas, fused=device.type != "mps"), []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * one_cycle(step / steps)
        batch = torch.randint(len(images), (batch_size,))
        losses.append(train_step(model, to_float(images[batch], device), objective, optimizer))
    print(f"{steps:,} steps of {batch_size} images took {time.perf_counter() - start:.1f} s")
    model.cpu().eval()
    return losses


# %% [markdown]
# Each network gets the batch size, the learning rate and the memory that suit it best on these
# images: 128, 0.003 and Adam's defaults for the MLP; 64, 0.006 and the shorter memory for the
# convolutional one (that of the solution; try others for yours). A comparison in which only one
# side was tuned shows nothing.

# %% [markdown]
# **Prediction.** The MLP has layers of 784, 256, 256, 32 and back; the weights of the convolutional network
# are printed above. Which of the two has more? Which one has the lower error on test images, and by
# how much?
#
# ✎ *Double-click here and write your answer:*

# %%
torch.manual_seed(seed)
mlp, conv = MLPAutoencoder(32), ConvAutoencoder(1, 28, 32)
mlp_settings = {"batch_size": 128, "lr": 3e-3, "betas": (0.9, 0.999)}
losses = {
    "MLP": train(billions, mlp, train_images, **mlp_settings),
    "convolutional": train(billions, conv, train_images),
}


# %%
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
test_error, told = {}, {}
for name, model in nets.items():
    test_error[name] = error_per_image(lambda x: reconstruct(model, x), X_test)
    weights = sum(p.numel() for p in model.parameters())
    told[name] = {"weights": weights, "steps": len(losses[name]), "test error": test_error[name]}
plots.table(told, forms={"test error": ".2f"}, best={"test error": "min"})

# %%
short_run_note("the sharp digits on the right")
rows = {name: reconstruct(model, X_test[:5]) for name, model in nets.items()}
figures.race(losses, billions, test_error, {"original": X_test[:5], **rows})
plt.show()

# %% [markdown]
# **Figure 4.** Left: squared error of training batches against what was spent, on a logarithmic
# axis. Right: test images through 32 numbers, and below each what is wrong with it, twice as
# bright; note the errors on test images at the rows.
#
# At equal cost and with a quarter of the weights the convolutional network is ahead. It need not
# learn for each place anew what a stroke looks like. If yours is not ahead, look at its steps: a
# network that works on large images takes fewer of them.

# %% [markdown]
# ## 2.4 · The checkerboard
#
# A decoder has to enlarge. A transposed convolution with kernel 3 and stride 2 stamps 3 × 3 pixels
# at every second place, so some pixels are hit by one stamp, some by two, some by four
# ([Odena et al., 2016](https://doi.org/10.23915/distill.00003)). We count the hits for two sizes of
# kernel.

# %%
hits = {}
for kernel, more in [(3, 1), (4, 0)]:
    stamp = nn.ConvTranspose2d(1, 1, kernel, stride=2, padding=1, output_padding=more, bias=False)
    nn.init.ones_(stamp.weight)
    hits[kernel] = stamp(torch.ones(1, 1, 6, 6))[0, 0, 2:9, 2:9].detach()  # away from the border

# %%
figures.stamps(hits)
plt.show()

# %% [markdown]
# **Figure 5.** How many stamps hit each pixel, at stride 2; two neighbouring stamps are framed.
# Note the checkerboard of the kernel of 3; 4 is a multiple of the stride, and its stamps overlap
# evenly.
#
# There are other ways to enlarge by 2. **Resizing** repeats each pixel and then convolves. A **pixel
# shuffle** makes four channels and lays them side by side as a block of 2 × 2 pixels. Its four
# kernels start at random, so the four pixels of a block start unlike. **ICNR** starts all four from
# the same weights ([Aitken et al., 2017](https://arxiv.org/abs/1707.02937)).


# %%
def enlarge(name: str, c_in: int, c_out: int) -> nn.Module:
    """One of the usual ways from (B, c_in, h, w) to (B, c_out, 2h, 2w)."""
    if name == "transposed, k = 3":
        return nn.ConvTranspose2d(c_in, c_out, 3, stride=2, padding=1, output_padding=1)
    if name == "transposed, k = 4":
        return nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1)
    if name == "resize, then conv":
        return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(c_in, c_out, 3, padding=1))
    conv4 = nn.Conv2d(c_in, 4 * c_out, 3, padding=1)
    if name == "shuffle, ICNR":
        for values in conv4.parameters():  # the four channels of a block begin alike
            values.data = values.data[::4].repeat_interleave(4, dim=0)
    return nn.Sequential(conv4, nn.PixelShuffle(2))


# %%
ways = [
    "transposed, k = 3",
    "transposed, k = 4",
    "resize, then conv",
    "pixel shuffle",
    "shuffle, ICNR",
]
torch.manual_seed(seed)
decoders = {
    way: nn.Sequential(
        nn.Linear(32, 32 * 7 * 7), nn.ReLU(), nn.Unflatten(1, (32, 7, 7)),
        enlarge(way, 32, 16), nn.ReLU(), enlarge(way, 16, 1), nn.Sigmoid(),
    )
    for way in ways
}  # fmt: skip

# %% [markdown]
# How much checkerboard is in an image? The **Fourier transform** writes it as a sum of waves, from long
# ones to the finest, which goes up and down every 2 pixels. The **power** of a wave is the square of
# its height; up to one factor, the powers of all waves add up to the squared differences of the pixels
# from their mean.
# We call **grain** the share of the power in waves with periods of 2 to 2.4 pixels along rows, along
# columns or both.


# %%
def grain(images: Tensor) -> float:
    """Share of the power of (B, 1, H, W) that has a period of 2 to 2.4 pixels, in [0, 1]."""
    images = images - images.mean((2, 3), keepdim=True)
    power = (torch.fft.fft2(images[:, 0]).abs() ** 2).mean(0)  # (H, W)
    fine = [torch.fft.fftfreq(n).abs() > 1 / 2.4 for n in power.shape]
    return float(power[fine[0][:, None] | fine[1]].sum() / power.sum())


board = (torch.arange(28)[:, None] + torch.arange(28)) % 2.0
examples = {"a checkerboard": board[None, None], "noise": torch.rand(50, 1, 28, 28)}
examples["real digits"] = X_test[:500]
told = {name: {"grain": grain(images)} for name, images in examples.items()}
plots.table(told, forms={"grain": ".1%"})

# %% [markdown]
# **Prediction.** The five decoders above have random weights. Which of them show a checkerboard? Does
# training remove it, and how fast?
#
# ✎ *Double-click here and write your answer:*

# %%
with torch.no_grad():
    Z, Z_test = encode_all(conv, X), encode_all(conv, X_test)  # (N, d)
    untrained = {way: decoder(Z_test[:500]) for way, decoder in decoders.items()}

# %% [markdown]
# Now each decoder learns to turn codes of your autoencoder back into digits, `n_steps` each. We take a
# step with each in turn, so that whatever else the machine does slows all of them alike.

# %%
optimizers = {way: torch.optim.Adam(d.parameters(), lr=2e-3) for way, d in decoders.items()}
took, grains, early = {way: [] for way in ways}, {way: [] for way in ways}, {}
for step, batch in enumerate(torch.randint(len(Z), (n_steps + 1, 64))):
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
figures.decoders(*({way: x[way][0, 0] for way in ways} for x in (untrained, early)), grains)
plt.show()

# %% [markdown]
# **Figure 6.** One code through five decoders: with random weights, contrast stretched (top), and after
# 40 steps (bottom), each with its grain over 500 codes. Note who starts smooth: resizing and ICNR,
# because neighbours begin as copies of one pixel.

# %%
figures.grain_falls(grains, grain(X_test[:500]))
plt.show()

# %% [markdown]
# **Figure 7.** The grain during training, on a logarithmic axis. Note that after 40 steps the
# images are still blurred, so they should have less grain than real digits: a way that lies above
# the grey line there has yet to unlearn the grain that it started with.

# %%
time_of = {way: {"ms a step": float(torch.tensor(took[way]).median())} for way in ways}
plots.table(time_of, best={"ms a step": "min"})

# %% [markdown]
# So a fair start costs nothing and helps early; once trained for long enough, the ways differ little.
# That is why the course's own decoders use a plain pixel shuffle. A kernel of 4, whose stamps overlap
# evenly, does not help by that alone as long as its weights are random. Which way is fastest depends
# on the sizes and on the machine: compare the milliseconds above.

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
first, second = (torch.tensor(points).double() for points in maps.values())
first, second = first - first.mean(0), second - second.mean(0)
U, _, Vt = torch.linalg.svd(second.T @ first)  # a turn or a mirror, as the axes mean nothing
maps = {"raw pixels": first, "codes of 32 numbers": second @ U @ Vt}

# %%
def beside_another(points: Tensor, digit: Tensor) -> Tensor:
    """Which points of a map (N, 2) have a nearest neighbour of another digit, (N,)."""
    distance = torch.cdist(points, points).fill_diagonal_(torch.inf)
    return digit[distance.argmin(1)] != digit


shown = y_test[:n_codes]
beside = {name: beside_another(points, shown) for name, points in maps.items()}

# %%
figures.digit_maps(maps, shown, beside)
plt.show()

# %% [markdown]
# **Figure 8.** t-SNE of test images from their pixels and from their codes, coloured by digit
# afterwards; ringed are points whose nearest neighbour on the map is another digit. Note that
# both maps are sorted, and where the rings are: between digits that a stroke or two turns into
# each other.
#
# The second map is turned so that it lies on the first as well as it can.
#
# A number is harder to fool than an eye. **k-means** splits points into ten groups without labels.
# **Normalised mutual information** (NMI) says how much the group tells about the digit: 0 nothing, 1
# all. It does not need to know which group is which digit.

# %%
agreement = {name: {} for name in features}
for name, points in features.items():
    for run in range(3):
        clusters = KMeans(10, n_init=1, random_state=run).fit_predict(points[:4000].numpy())
        nmi = normalized_mutual_info_score(y_test[:4000], clusters)
        agreement[name][f"NMI, run {run + 1}"] = float(nmi)
plots.table(agreement, forms=dict.fromkeys(agreement["raw pixels"], ".2f"))

# %% [markdown]
# Runs of k-means differ, so we look at several before we compare. The loss asked for pixels, not for
# classes, so expect no wonder: what the code surely gains is size, 32 numbers in place of 784. And
# k-means finds ten round groups, which digits are not.
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
precision, search = {}, {}
for name, points in features.items():
    start = time.perf_counter()
    hits = [(y_test[knn_retrieve(points, q, 10)] == y_test[q]).float().mean() for q in range(300)]
    precision[name] = float(torch.stack(hits).mean())
    ms = 1000 * (time.perf_counter() - start) / len(hits)
    search[name] = {"precision at 10": precision[name], "ms a query": ms}
plots.table(search, forms={"precision at 10": ".1%"}, best={"precision at 10": "max"})

# %%
queries = [int((y_test == digit).nonzero()[3]) for digit in (2, 4, 7, 9)]
found = torch.stack([torch.tensor([q, *knn_retrieve(Z_test, q, 10)]) for q in queries])
figures.neighbours(X_test[found], y_test[found], precision)
plt.show()

# %% [markdown]
# **Figure 9.** Left of the line a test image, right of it the ten test images with the nearest codes;
# another digit than that of the query is framed. Note that neighbours share slant and width of the
# stroke as well, and that a wrong neighbour resembles the query.
#
# Compare the two precisions above: the code has a twenty-fourth of the numbers.

# %% [markdown]
# *Here the first sitting ends. If you come back with a new kernel, run all cells down to this one
# first.*

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
restorer_losses = train(billions, restorer, train_images, objective=restoring(any_damage))

# %%
ways_back = {
    "damaged": lambda x: x,
    "blur": lambda x: F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False),
    "autoencoder": lambda x: reconstruct(conv, x),
    "restorer": lambda x: reconstruct(restorer, x),
}
noise.manual_seed(seed + 1)
damaged = {kind: corrupt(X_test, kind, level, noise) for kind, level in LEVELS.items()}
decibels = {}
for kind, bad in damaged.items():
    values = {
        name: float(psnr(X_test, back(bad), 1.0).median()) for name, back in ways_back.items()
    }
    decibels[kind] = values

# %%
short_run_note("the restored digits")
figures.restored(
    {kind: {"clean": X_test[:3], **{name: back(bad[:3]) for name, back in ways_back.items()}}
     for kind, bad in damaged.items()}, decibels,
)  # fmt: skip
plt.show()

# %% [markdown]
# **Figure 10.** Three kinds of damage, what undoes them, and median decibels of all test images:
# the best in bold, in the titles what the restorer gains. What a square took is tinted here and
# black for the networks. Compare the autoencoder of section 2.3 with the restorer, and with the
# blur.
#
# The autoencoder never saw noise, and answers it with strokes that were never there. The restorer
# has the same layers and the same code size, and another pair of images in its loss. We take
# medians, because an image whose hole fell on black background has no error at all and infinitely
# many decibels.
#
# Filling in a hole is called **inpainting**, and there we know more: outside of the hole the input
# is right, so we keep it and take from the network only what is missing. The network is not told
# where the hole is: black may be hole or background. The mask as a second channel would help it.

# %%
noise.manual_seed(seed + 2)
hole = corrupt(torch.ones_like(X_test), "mask", LEVELS["mask"], noise) == 0  # (N, 1, H, W)
holes = X_test.masked_fill(hole, 0)
filled = torch.where(hole, reconstruct(restorer, holes), holes)
in_hole = {
    name: float(((x_hat - X_test) ** 2 * hole).sum((1, 2, 3)).mean())
    for name, x_hat in {"with hole": holes, "filled in": filled}.items()
}

# %%
marked = torch.where(hole, 0.5, X_test)  # shows where the hole is
rows = {"with hole": marked, "filled in": filled, "truth": X_test}
figures.holes({name: x[:10] for name, x in rows.items()}, in_hole)
plt.show()

# %% [markdown]
# **Figure 11.** Holes of 11 × 11 pixels, drawn in grey here and black for the network, and the
# squared error in them over all test images. Note that short gaps are closed and that open
# choices are answered with grey: where several strokes would fit, squared error asks for their
# mean.
#
# The panel runs your own `corrupt` and your own networks. Find the level at which the restored digit
# becomes another one.

# %%
damage_panel = widgets.corruption(
    X_test[:6],
    corrupt,
    {"autoencoder": lambda x: reconstruct(conv, x), "restorer": lambda x: reconstruct(restorer, x)},
    start=("gaussian", 0.4),
)
damage_panel

# %% [markdown]
# **Figure 12.** Choose a kind of damage and move its level. Note that the restorer answers at every
# level, with a digit or a grey mean of several, and that nothing in its answer says how sure it is.

# %% [markdown]
# ## 2.7 · What a denoiser knows
#
# Which network has the smallest denoising loss? For squared error the best answer to a noisy x̃ is the
# mean of all clean x that could have become it, the **posterior mean** E[x | x̃]. With noise
# x̃ = x + σε, ε ~ N(0, I), it has a second meaning, Tweedie's formula
# ([Efron, 2011](https://doi.org/10.1198/jasa.2011.tm11181)):
#
# > E[x | x̃] = x̃ + σ² ∇ log p_σ(x̃).
#
# p_σ is the density of noisy points, and ∇ log p_σ, the direction in which it grows fastest, is its
# **score**. Why: p_σ(x̃) is the mean over x of N(x̃; x, σ²I). Its gradient is the mean of
# N(x̃; x, σ²I) (x − x̃)/σ²; divided by p_σ(x̃) that is the mean of (x − x̃)/σ² over the x that could have
# become x̃. So whoever denoises with squared error learns the score of a density that nobody
# wrote down ([Vincent, 2011](https://doi.org/10.1162/NECO_a_00142)). We check it where the density is
# known: three Gaussians in the plane.

# %%
shape3 = torch.tensor([[-2.0, 0.0], [2.0, 0.0], [0.0, 2.5]])  # the three means, (3, 2)
points3 = Mixture(w=torch.tensor([0.5, 0.3, 0.2]), m=shape3, s=0.4)
sigma = 0.8  # of the noise


class Denoiser(nn.Module):
    """Noisy points (B, 2) to clean ones (B, 2); 64 numbers in between, so no bottleneck."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
        self.decode = nn.Linear(64, 2)


# %% [markdown]
# **Prediction.** Clean points lie around (−2, 0), (2, 0) and (0, 2.5), half of them around the first. A
# noisy point lies at (0, 0). Where does the arrow from it to the denoised point go? And from (−4, 0)?
#
# ✎ *Double-click here and write your answer:*

# %%
torch.manual_seed(seed)
denoiser, steps = Denoiser(), 800
optimizer = torch.optim.Adam(denoiser.parameters())
for step in range(steps):
    optimizer.param_groups[0]["lr"] = 0.01 * one_cycle(step / steps)
    clean = points3.sample(512)  # (512, 2), new ones in each step
    loss = denoising_loss(denoiser, clean, clean + sigma * torch.randn_like(clean)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %%
clean = points3.sample(20_000)
noisy = clean + sigma * torch.randn_like(clean)
with torch.no_grad():
    denoised = denoiser.decode(denoiser.encode(noisy))
guesses = {"noisy points": noisy, "network": denoised}
guesses["E[x | x̃]"] = points3.denoised(noisy, sigma)
lost = {name: squared_error(clean, x).mean().item() for name, x in guesses.items()}
told = {name: {"squared error": error} for name, error in lost.items()}
score, learned = points3.score(noisy, sigma), (denoised - noisy) / sigma**2
score_error = float(((learned - score) ** 2).sum().sqrt() / (score**2).sum().sqrt())
plots.table(told, forms={"squared error": ".3f"}, best={"squared error": "min"})

# %%
side, fine = torch.linspace(-4, 4, 17), torch.linspace(-4, 4, 81)
grid, asked = torch.cartesian_prod(side, side + 1), torch.tensor([[0.0, 0.0], [-4.0, 0.0]])
log_p = points3.log_density(torch.cartesian_prod(fine, fine + 1), sigma).view(81, 81).T
titles = "exact score", f"learned score: {score_error:.0%} off on noisy points"
denoise = {titles[0]: lambda x: points3.denoised(x, sigma)}
denoise[titles[1]] = lambda x: denoiser.decode(denoiser.encode(x))
with torch.no_grad():
    arrows = {title: (grid, (f(grid) - grid) / sigma**2) for title, f in denoise.items()}
    answers = {title: (asked, f(asked)) for title, f in denoise.items()}

# %%
figures.scores((fine, fine + 1), log_p.exp(), arrows, answers)
plt.show()

# %% [markdown]
# **Figure 13.** The score of the noisy points, exact and from the trained denoiser, over their
# density (darker is denser); thick, the ways from the two points of the prediction to their best
# guesses. Note that arrows point uphill, are longest far out, and nearly vanish on the tops and
# on the ridge between two of them.
#
# On the ridge the denoiser answers with a mean of both. Far out, where no training points were,
# the two differ most.
#
# Take small steps along the score, with noise, and you generate. That is a diffusion model, and
# [notebook 05](05_generation_celeba_cifar.ipynb) starts from here: a denoiser for many σ at once.

# %% [markdown]
# ## 2.8 · Other ways to keep a code from copying
#
# A bottleneck keeps a network from copying, and so does damage to its input. Two more ways add a
# penalty to the squared error and need no bottleneck. A **sparse** autoencoder pays for each number
# of the code that is not 0, here λ Σ z (z > 0, so this is the L1 norm). A **contractive** one
# ([Rifai et al., 2011](https://icml.cc/2011/papers/455_icmlpaper.pdf)) pays for a code that moves when
# the image does: λ ‖J‖², with the **Jacobian** J = ∂z/∂x, (n, 784).
#
# For z = sigmoid(Wx + b) it is
# J = diag(z(1 − z)) W, so ‖J‖² = Σ_j (z_j(1 − z_j))² Σ_i W_ji². We compare them at one size, n = 256,
# and equally many steps, each with one λ.


# %%
class Wide(nn.Module):
    """784 → n → 784: z = sigmoid(Wx + b), numbers in (0, 1), and a decoder of one layer."""

    def __init__(self, n: int = 256) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(784, n), nn.Linear(n, 784)

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x.flatten(1)).sigmoid()

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z).sigmoid().view(-1, 1, 28, 28)


def jacobian_norm2(model: Wide, z: Tensor) -> Tensor:
    """‖∂z/∂x‖² at each code z: (B, n) to (B,)."""
    return ((z * (1 - z)) ** 2) @ (model.encoder.weight**2).sum(1)


# %%
def noisy_input(x: Tensor) -> Tensor:
    """x with Gaussian noise of sd 0.4, in [0, 1]."""
    return (x + 0.4 * torch.randn_like(x)).clamp(0, 1)


PENALTIES = {
    "plain": lambda model, z: 0 * z.sum(1),
    "denoising": lambda model, z: 0 * z.sum(1),
    "sparse": lambda model, z: 0.5 * z.sum(1),
    "contractive": lambda model, z: 0.5 * jacobian_norm2(model, z),
}


def wide_loss(name: str, model: Wide, x: Tensor) -> Tensor:
    """Squared error per image and the penalty of this kind, (B,)."""
    z = model.encode(noisy_input(x) if name == "denoising" else x)
    return squared_error(x, model.decode(z)) + PENALTIES[name](model, z)


# %% [markdown]
# **Prediction.** Which of the four has the smallest error on clean images, and which on noisy ones?
# Whose code has the most numbers near 0?
#
# ✎ *Double-click here and write your answer:*

# %%
wide, steps = {}, 2 * n_steps
for name in PENALTIES:
    torch.manual_seed(seed)  # the same first weights for all
    wide[name] = Wide()
    optimizer = torch.optim.Adam(wide[name].parameters(), fused=True)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 5e-3 * one_cycle(step / steps)
        batch = X[torch.randint(len(X), (128,))]
        loss = wide_loss(name, wide[name], batch).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# %%
torch.manual_seed(seed)
probe, labels = X_test[:2000], y_test[:2000]
probe_noisy, wide_codes, told = noisy_input(probe), {}, {}
for name, model in wide.items():
    with torch.no_grad():
        z_probe, z_train = wide_codes.setdefault(name, model.encode(probe)), model.encode(X[:3000])
        clean_error = squared_error(probe, model.decode(z_probe)).mean()
        noisy_error = squared_error(probe, reconstruct(model, probe_noisy)).mean()
        jacobian = jacobian_norm2(model, z_probe).mean().sqrt()
    right = neighbour_accuracy(z_train, y[:3000], z_probe[:1000], labels[:1000])
    told[name] = {"error": float(clean_error), "on noisy images": float(noisy_error)}
    told[name] |= {"‖J‖": float(jacobian), "neighbours right": right}
least = dict.fromkeys(["error", "on noisy images"], "min")
plots.table(told, forms={"neighbours right": ".0%"}, best=least)

# %%
busy = {name: z.var(0).argsort(descending=True)[:16] for name, z in wide_codes.items()}
kernels = {
    name: model.encoder.weight[busy[name]].detach().view(16, 28, 28) for name, model in wide.items()
}
figures.penalties(wide_codes, kernels)
plt.show()

# %% [markdown]
# **Figure 14.** Top: how the numbers of the codes are distributed, and the share near 0 (the first
# bar of the sparse code is cut). Bottom: the weights W of the 16 numbers that vary most. Note that
# sparsity piles the code up at 0: few of 256 numbers speak for an image.
#
# The contractive code and the denoising one have a smaller Jacobian than the plain one: small
# changes of the image move them less, so both do better on noisy images than the plain one. The
# sparse code has a small Jacobian as well: its row of the table says that this alone need not
# help. Each pays with its error on clean images.

# %% [markdown]
# ## 2.9 · Colouring
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
painter, to_colour = ConvAutoencoder(3, 32, 128), restoring(to_grey)
paint_losses = train(billions, painter, coloured.train.images, objective=to_colour, lr=2e-3)

# %% [markdown]
# The network's picture is blurred by its bottleneck, but we know the brightness of each pixel. So
# we take
# from the network only the **chroma**, its picture minus its grey, and add it to the grey picture.

# %%
grey = to_grey(C_test)
painted = reconstruct(painter, grey)
repaired = (grey + painted - to_grey(painted)).clamp(0, 1)
chroma = {"truth": C_test, "network": painted}
decibels = {name: float(psnr(C_test, x_hat, 1.0).median())
            for name, x_hat in {"grey": grey, "network": painted, "grey + chroma": repaired}.items()}
strength = {name: float((c - to_grey(c)).abs().mean()) for name, c in chroma.items()}

# %%
short_run_note("the colours")
rows = {"grey": grey, "network": painted, "grey + chroma": repaired, "truth": C_test}
figures.coloured({name: x[:10] for name, x in rows.items()}, decibels, strength)
plt.show()

# %% [markdown]
# **Figure 15.** Ten test images coloured from their grey. Compare the colours with the truth; the
# title does so for their mean strength.
#
# The network's colours are paler. Where one grey may come from several colours, squared error
# asks for the mean of them, and the mean of many colours is near grey.

# %% [markdown]
# ## 2.10 · Compressing, against JPEG
#
# A code of 32 numbers is no file yet. We round each number to b bits between the smallest and the
# largest value that training codes take, so an image costs 32 b / 8 = 4 b bytes. That is a lossy
# codec, and JPEG is its rival. What an image costs is called the **rate**, what is lost the
# **distortion**; here these are bytes and squared error.
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

# %%
near = min(mosaic, key=lambda size: abs(size - 32))
print(f"error of our code {ours[32]:.1f} at 32 bytes, ", end="")
print(f"of JPEG {mosaic[near]:.1f} at {near:.0f} bytes")
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
smallest = min(mosaic)
rows = {
    "original": some, "code, 20 B": through_code(some, 5),
    f"JPEG, {smallest:.0f} B": through_mosaic(some, 1)[1], "inverted": inverted,
    "code, 32 B": through_code(inverted, 8), f"JPEG, {size:.0f} B": back,
}  # fmt: skip
wanted = dict(zip(rows, [some] * 3 + [inverted] * 3))
lost = {name: squared_error(wanted[name], x).mean().item() for name, x in rows.items()}
lost = {name: error for name, error in lost.items() if error > 0}  # not of the images themselves

# %%
both = {"code": ours, "JPEG": mosaic}
figures.codecs(both, {name: x[:5] for name, x in rows.items()}, lost)
plt.show()

# %% [markdown]
# **Figure 16.** Left: rate and distortion, bytes against error. Right: digits at low rates, and
# inverted digits at high ones, with their errors. Compare the errors of digits, where the code takes fewer
# bytes than JPEG can, and those of inverted digits.
#
# JPEG's error keeps falling with more bytes and the code's does not: after a few bits per number
# only what the bottleneck drops is still missing, and more bits buy nothing. For inverted digits
# the code is useless. It is short because the decoder knows digits, and knows nothing else.

# %% [markdown]
# ## 2.11 · Finding what is odd
#
# A network that has learned normal images should fail on others. So the reconstruction error can serve
# as an alarm, and no example of an anomaly is needed. We keep all twos and all ones out of the
# training and see whether their errors are larger.
#
# ### Exercise 8 · `anomaly_auroc`
#
# *Difficulty ●●○ · importance ●●○ · 10 minutes.* Any alarm needs a threshold. Lower it, and it finds
# more anomalies and raises more false alarms; the curve of one share against the other is the **ROC
# curve** (receiver operating characteristic). The area under it (**AUROC**) needs no threshold: it is
# the chance that a random anomaly has a larger error than a random normal image. ½ is a coin, 1 is
# perfect, and 0 is perfectly wrong.
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
guard_losses = train(billions / 2, guard, train_images[normal], lr=2e-3)

# %%
groups = {"normal": X_test[(y_test != 1) & (y_test != 2)], "two": X_test[y_test == 2]}
groups |= {"one": X_test[y_test == 1], "blank": torch.zeros(100, 1, 28, 28)}
errors = {name: squared_error(x, reconstruct(guard, x)) for name, x in groups.items()}
told = {name: {"mean error": float(error.mean())} for name, error in errors.items()}
for name in ["two", "one", "blank"]:
    told[name]["AUROC"] = anomaly_auroc(errors["normal"], errors[name])
plots.table(told, forms=dict.fromkeys(["mean error", "AUROC"], ".2f"))

# %% [markdown]
# An AUROC below ½ means that anomalies pass as *more* normal than normal images. In MNIST this happens
# to ones: whoever can draw a four can draw a plain stroke. Where ones have a serif and a foot, as in
# the stand-in, they come out less low. The error measures how *hard to draw* an image is. That is not
# the same as unusual. A blank image is the easiest of all to draw and far from all that was seen; which
# of the two wins differs from run to run, and nothing in the training decides it.
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


# %%
def found_at(normal: Tensor, odd: Tensor, false_alarms: Tensor) -> Tensor:
    """Share of `odd` above the thresholds that let these shares of `normal` through, the ROC curve."""
    return (odd > normal.quantile(1 - false_alarms)[:, None]).float().mean(1)


# %%
share, odd = torch.linspace(0, 1, 101), ["two", "one", "blank"]
alarms = {"squared error": errors, "distance of the code": unusual}
curves = {
    title: {name: (share, found_at(alarm["normal"], alarm[name], share)) for name in odd}
    for title, alarm in alarms.items()
}
areas = {
    title: {name: anomaly_auroc(alarm["normal"], alarm[name]) for name in odd}
    for title, alarm in alarms.items()
}

# %%
figures.alarms(curves, areas)
plt.show()

# %% [markdown]
# **Figure 17.** ROC curves of two alarms: the share found against the share of false alarms, as
# the threshold falls, each with its AUROC; the thin line is a coin. Look first at the curve of the ones on the
# left, then see how far the distance of the code (right) lifts them, and whether it still finds
# the twos.
#
# Where ones are plain strokes their curve on the left runs *below* the coin's, and an alarm for
# *large* errors finds fewer of them than chance. All blank images are one image, so its curve is
# a step.
#
# **Where to put the threshold?** An area needs none, an alarm that is switched on does. The training images
# may not choose it, as their errors can be too small, nor the anomalies, which nobody has yet. What is left
# are normal images that training never saw, as validation images. Half of the normal test images play them:
# the 95% quantile of their errors is the threshold, so that about 5% of the others should be false alarms.

# %%
told = {}
for title, alarm in alarms.items():
    held_out, fresh = alarm["normal"][::2], alarm["normal"][1::2]
    threshold = held_out.quantile(0.95)
    raised = {name: float((a > threshold).float().mean()) for name, a in alarm.items()}
    raised["normal"] = float((fresh > threshold).float().mean())
    true = raised["two"] / max(raised["two"] + 99 * raised["normal"], 1e-9)  # one two in 100 images
    told[title] = {"threshold": float(threshold), "false alarms": raised["normal"]}
    told[title] |= {f"{name} found": raised[name] for name in odd} | {"true alarms, 1 in 100": true}
plots.table(told, forms=dict.fromkeys([*told[title]][1:], ".1%"), corner="alarm")

# %% [markdown]
# The last column tells which share of the alarms is true where one image in 100 is a two and 99
# are normal. Where anomalies are rare, most alarms can be false although the threshold does what
# it promises and the AUROC is high. So a threshold follows from what a false alarm costs and from
# how rare anomalies are. The AUROC knows neither.

# %% [markdown]
# ## 2.12 · With few images
#
# So far there were tens of thousands of images. With 500, each is seen dozens of times, and the network
# learns these 500 rather than digits: it **overfits**. **Data augmentation** makes new images from old ones by changes
# that do not matter, here shifts by up to 2 pixels each way. Whether that helps, and which learning rate
# is best, is **tuned** on 1,000 images set aside for it, the **validation set**. The test images are
# looked at once, at the end: whoever chooses by the test error chooses by its luck too.


# %%
def shifted(x: Tensor) -> Tensor:
    """Each of (B, 1, H, W) moved by −2 to 2 pixels in both directions; black comes in."""
    B, _, H, W = x.shape
    padded = F.pad(x, (2, 2, 2, 2))[:, 0]  # (B, H + 4, W + 4)
    row = torch.randint(5, [B, 1], device=x.device) + torch.arange(H, device=x.device)  # (B, H)
    column = torch.randint(5, [B, 1], device=x.device) + torch.arange(W, device=x.device)
    image = torch.arange(B, device=x.device)[:, None, None]
    return padded[image, row[:, :, None], column[:, None, :]][:, None]


def augmented(model: nn.Module, x: Tensor) -> tuple[Tensor, ErrorTerms]:
    """The autoencoder's objective on shifted images."""
    return autoencoder_objective(model, shifted(x))


# %% [markdown]
# **Prediction.** Two networks see equally many images drawn from the 500, one as they are and one
# shifted. Which has the lower error on the 500 images themselves, and which on new ones?
#
# ✎ *Double-click here and write your answer:*

# %%
few, validation = train_images[:500], X[500:1500]
rates, tried = (2e-3, 8e-3), {}
for name, objective in {"as they are": autoencoder_objective, "shifted": augmented}.items():
    for lr in rates:
        torch.manual_seed(seed)
        model = ConvAutoencoder(1, 28, 32)
        train(billions / 4, model, few, objective=objective, lr=lr)
        tried[name, lr] = model

# %%
table = {
    key: [squared_error(x, reconstruct(model, x)).mean().item() for x in (X[:500], validation)]
    for key, model in tried.items()
}
best = min(table, key=lambda key: table[key][1])
print(f"chosen by validation: {best[0]}, rate {best[1]:.3f}")
final = squared_error(X_test, reconstruct(tried[best], X_test)).mean()
print(f"its error on the test images, looked at once: {final:.1f}")

# %%
figures.overfitting(shifted(X[:1].expand(9, -1, -1, -1)), table, best)
plt.show()

# %% [markdown]
# **Figure 18.** Left: what augmentation makes of one image. Right: for each network the error on
# the 500 images that were trained on (dot) and on validation images (diamond); the bar between
# them is the overfitting. Compare the gaps of both kinds at one learning rate (lr).
#
# Only the diamonds may choose. The test error differs a little from that of validation, by chance
# and because the choice was made by the latter.

# %% [markdown]
# ## 2.13 · What is missing is a density
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
torch.manual_seed(seed)
root = torch.linalg.cholesky(covariance(Z))  # ε ~ N(0, I) becomes ε rootᵀ ~ N(0, Σ)
drawn = {
    "N(0, I)": torch.randn(n_drawn, 32),
    "box": low + (high - low) * torch.rand(n_drawn, 32),
    "Gaussian": Z.mean(0) + torch.randn(n_drawn, 32) @ root.T,
    "mixture of 10": torch.from_numpy(mixture.sample(n_drawn)[0]).float()[torch.randperm(n_drawn)],
}
with torch.no_grad():
    generated = {name: conv.decode(z) for name, z in drawn.items()}

# %% [markdown]
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
real, others = reconstruct(conv, X_test[: 2 * n_drawn]).chunk(2)
compared = {**generated, "test images": others}
near = {name: to_nearest(images) for name, images in compared.items()}
apart = {name: told_apart(images, real) for name, images in compared.items()}

# %%
figures.drawn({name: images[:9] for name, images in compared.items()}, apart, near)
plt.show()

# %% [markdown]
# **Figure 19.** Nine codes from each of the four distributions, decoded by the same decoder, and in the
# last row reconstructions of test images; with the distance to the nearest training image and how
# often the forest tells the set from such reconstructions. Note that the first two rows show patches and
# strokes more often than digits.
#
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
plots.table({f"halfway {name}": {"to the nearest training image": to_nearest(images)}
             for name, images in halfway.items()})

# %%
pairs = X_test[[int((y_test == digit).nonzero()[0]) for digit in (4, 9, 3, 5, 1, 7, 0, 6)]]
walk = widgets.interpolation(pairs, conv.encode, conv.decode)
walk

# %% [markdown]
# **Figure 20.** Move t from one digit to the other, in pixels and in code. Note what happens around
# the middle: the pixels show both digits at once, the code bends one stroke into another. Some
# codes on the way belong to no digit. The printed distance to the nearer end is smaller for the pixel
# mix, which is half of that very image; it does not make it a digit.

# %% [markdown]
# ## 2.14 · What we have seen
#
# - A convolution uses few weights everywhere. At equal cost and equal code it reconstructs these images
#   better than an MLP.
# - Count the numbers of a code before you praise it: 64 × 7 × 7 is larger than the image.
# - How a decoder enlarges decides whether it starts with a checkerboard, and what a step costs; training
#   can remove it.
# - The same loss with a damaged input denoises, fills in and colours. It answers with a mean where the
#   input leaves a choice.
# - That mean is the posterior mean, and it holds the score of the noisy images: the start of diffusion.
# - Sparse and contractive penalties shape a code as well: few numbers speak, or none moves much.
# - An autoencoder compresses what it was trained on, and nothing else.
# - The reconstruction error is a poor alarm for simple images. The distance of the code, a first
#   density, is not blind to them, though one Gaussian is a rough one.
# - With few images a network overfits; shifted copies narrow the gap, and settings are chosen on
#   validation images.
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
