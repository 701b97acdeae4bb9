# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1 · Autoencoder basics
#
# {{colab_badge}}
#
# **How few numbers does a picture need?** After this notebook you can
#
# - **compress** images with principal components and **state** the error before you compute it,
# - **train** an autoencoder with a loop of your own, and **show** that a linear one is PCA,
# - **compare** squared error and cross-entropy, and say what both are blind to,
# - **judge** a code: by its error, by its neighbours, and by what it decodes to.
#
# | takes | difficulty | you need |
# |---|---|---|
# | 90 minutes, 5 exercises | ●○○ to ●●○ | Python, tensors in PyTorch, matrices and eigenvalues |
#
# Run the cells in order. Where you see `raise NotImplementedError`, write your own code; the card
# below it says whether it is right and, if not, why. Unsolved exercises do not stop the notebook.

# %% setup=true

# %% tags=["parameters"]
seed = 0
n_train = 60_000
n_test = 10_000
steps = 1_500

# %%
from collections.abc import Callable

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import checkpoints, datasets, diagrams, plots, widgets
from course_lib.exercises import check
from course_lib.figures import autoencoder_basics as figures
from course_lib.metrics import error_per_image, neighbour_accuracy
from course_lib.progress import progress_bar
from course_lib.settings import short_run_note, shortened
from course_lib.training import best_device, to_float

plots.use_course_style()
torch.manual_seed(seed)
n_train, n_test, steps = shortened((n_train, n_test, steps), (8_000, 2_000, 60))

# %% [markdown]
# ## 1.1 · What is in a digit?
#
# Our images are handwritten digits of 28 × 28 = 784 pixels, each between 0 (black) and 1 (white).
# We keep them in memory as bytes and turn a batch into floats when we need it. The training images
# teach the model. The test images judge it, and no model ever learns from them. For eigenvalues we keep
# some training images in double precision.

# %%
digits = datasets.load("mnist")
X_train = digits.train.images[:n_train].flatten(1)  # (N, D) bytes
y_train = digits.train.labels[:n_train]  # (N,)
X = to_float(X_train)  # (N, D) in [0, 1]
X_pca = X[:20_000].double()  # enough for eigenvalues, which want double precision
X_test, y_test = to_float(digits.test.images[:n_test].flatten(1)), digits.test.labels[:n_test]
N, D = X.shape
print(f"{digits.source}: {N:,} training and {len(X_test):,} test images of {D} pixels")

# %%
def to_nearest(images: Tensor) -> float:
    """Median over images (B, D) of the squared distance to the nearest training image."""
    return float((torch.cdist(images, X).min(1).values ** 2).median())


some = X_test[:12]
whose = torch.randint(len(X_test), some.shape)  # for each pixel, the image that it is taken from
independent = X_test.gather(0, whose)
distances = to_nearest(some), to_nearest(independent)

# %%
figures.independent_pixels(some.view(-1, 28, 28), independent.view(-1, 28, 28), distances)
plt.show()

# %% [markdown]
# **Figure 1.** Left: test images. Right: pictures of independent pixels, each of them that of a test
# image drawn at random. Over each block stands the squared distance to the nearest training image.
#
# Digits share a lot: strokes of similar width, a black border, one connected shape. Independent
# pixels have nothing of it except the border. A code can be short because pixels depend on each other.

# %% [markdown]
# **Prediction.** One number, the average brightness, hardly describes a digit. 784 numbers describe
# it fully. How many numbers suffice to remove nine tenths of the squared error that remains when we
# always show the average image? Write your guess into the next cell.

# %%
my_guess = None  # how many numbers per image?

# %% [markdown]
# ## 1.2 · The best linear code: principal components
#
# To compress means to map an image x to a short **code** z and back to a **reconstruction** x̂. The
# numbers in a code are its latents, each a **latent**. We write n for how many there are, and k where they are
# principal components (in the shapes of tensors later notebooks write d).
#
# Principal component analysis does both with matrices. Let x̄ be the mean image and let the columns
# of V be the k directions in which the images vary most, with VᵀV = I. Then
#
# $$z = V^\top (x - \bar x), \qquad \hat x = V z + \bar x .$$
#
# No other linear code of k numbers has a smaller squared error
# ([Eckart and Young, 1936](https://doi.org/10.1007/BF02288367)).
#
# ### Exercise 1 · `pca_reconstruct`
#
# *Difficulty ●○○ · importance ●●● · 10 minutes.* Encode every image with k principal components and
# decode it again.
#
# <details><summary>Hint 1</summary>
#
# Subtract `X.mean(0)` first, and remember to add it at the end.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `U, S, Vh = torch.linalg.svd(X_centred, full_matrices=False)` sorts the singular values downwards.
# The **rows** of `Vh` are the principal directions, so V is `Vh[:k].T`. Without `full_matrices=False`
# U is N × N: 3 GB for our 20,000 images.
#
# </details>
# <details><summary>Hint 3</summary>
#
# With many images the eigenvectors of the D × D covariance are cheaper than an SVD of X:
# `torch.linalg.eigh(torch.cov(X.T))`. It sorts **upwards**.
#
# </details>

# %% exercise="pca_reconstruct"
def pca_reconstruct(X: Tensor, k: int) -> Tensor:
    """Best rank-k reconstruction of X about its mean: x̂ = V Vᵀ (x − x̄) + x̄.

    X: (N, D), one image per row; k: number of components. Returns (N, D).
    """
    ### BEGIN SOLUTION
    mean = X.mean(0)  # (D,)
    eigenvectors = torch.linalg.eigh(torch.cov(X.T)).eigenvectors  # columns, variance upwards
    V = eigenvectors[:, -k:]  # (D, k)
    return (X - mean) @ V @ V.T + mean
    ### END SOLUTION


# %% check="pca_reconstruct"
pca_reconstruct = check("pca_reconstruct", pca_reconstruct)

# %% [markdown]
# The error of PCA is known before any image is reconstructed. Let λ₁ ≥ λ₂ ≥ … be the eigenvalues of
# the covariance, taken with 1/N (`correction=0`). Dropping a direction loses its variance. So the
# squared error per image, on average over the images, is the sum of the eigenvalues that were dropped:
#
# $$\tfrac{1}{N}\textstyle\sum_i \lVert x_i - \hat x_i \rVert^2 = \sum_{j>k} \lambda_j .$$
#
# We compare the formula with your reconstructions.

# %%
eigenvalues = torch.linalg.eigvalsh(torch.cov(X_pca.T, correction=0)).flip(0)  # (D,) downwards
both = {}
for k in [1, 8, 64]:
    measured = ((X_pca - pca_reconstruct(X_pca, k)) ** 2).sum(1).mean()
    dropped = eigenvalues[k:].sum()
    both[f"k = {k}"] = {"measured": float(measured), "from eigenvalues": float(dropped)}
plots.table(both, corner="error per image", forms=dict.fromkeys(both["k = 1"], ".3f"))

# %%
share = eigenvalues.cumsum(0) / eigenvalues.sum()  # of the variance explained by k components
needed = int((share < 0.9).sum()) + 1
print(f"Nine tenths of the squared error are gone with k = {needed}. Your guess: {my_guess}.")

# %%
first = [int((y_train == digit).nonzero()[0]) for digit in range(10)]  # one image of each
by_components, lost = {"original": X_pca[first]}, {}
for k in [1, 8, 32, 64]:
    by_components[f"k = {k}"] = pca_reconstruct(X_pca, k)[first]
    lost[f"k = {k}"] = float(eigenvalues[k:].sum())

# %%
shown = {name: x.view(-1, 28, 28).numpy() for name, x in by_components.items()}
figures.by_components(shown, lost, total=float(eigenvalues.sum()))
plt.show()

# %% [markdown]
# **Figure 2.** Ten training images from more and more components, with the squared error per image at
# the right; a frame marks the digit that each number of components reconstructs worst.
#
# Every reconstruction is a blurred sum of the same few patterns, and the blur goes only where the
# error is small: PCA adds and subtracts whole images, it cannot bend a stroke.

# %% [markdown]
# ## 1.3 · A linear autoencoder finds the same span
#
# An **autoencoder** learns both maps from data. Its **encoder** sends x to a code z, the
# **bottleneck**; its **decoder** sends z to x̂; both are trained to make ‖x − x̂‖² small. Nobody tells
# it about covariances.

# %%
diagrams.autoencoder()

# %% [markdown]
# **Figure 3.** An autoencoder. The encoder turns the D numbers of an image into the n numbers of its
# code, the decoder makes an image of them again, and the loss compares the two. Note that nothing
# but the code passes from the left half to the right one.
#
# We begin with the simplest autoencoder, affine in both directions, to see what training finds when
# the best answer is known.
#
# ### Exercise 2 · `LinearAutoencoder`
#
# *Difficulty ●○○ · importance ●●○ · 8 minutes.* A module with `encode` and `decode`, both affine:
# each with a matrix and a bias of its own.
#
# <details><summary>Hint 1</summary>
#
# `nn.Linear(n_in, n_out)` is an affine map with a bias.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `__init__` calls `super().__init__()` and then makes one layer from D to k and one from k to D.
# There is no activation anywhere.
#
# </details>

# %% exercise="LinearAutoencoder"
class LinearAutoencoder(nn.Module):
    """z = A x + a and x̂ = W z + b: D pixels, a code of k numbers."""

    def __init__(self, D: int, k: int) -> None:
        ### BEGIN SOLUTION
        super().__init__()
        self.encoder = nn.Linear(D, k)
        self.decoder = nn.Linear(k, D)
        ### END SOLUTION

    def encode(self, x: Tensor) -> Tensor:
        """(B, D) to (B, k)."""
        ### BEGIN SOLUTION
        return self.encoder(x)
        ### END SOLUTION

    def decode(self, z: Tensor) -> Tensor:
        """(B, k) to (B, D)."""
        ### BEGIN SOLUTION
        return self.decoder(z)
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        """x̂ = decode(encode(x)), so that model(x) reconstructs."""
        return self.decode(self.encode(x))


# %% check="LinearAutoencoder"
LinearAutoencoder = check("LinearAutoencoder", LinearAutoencoder)

# %% [markdown]
# **Prediction.** PyTorch does not replace a gradient by the next one: it *adds* the next one to it, until
# somebody clears the sum. What happens to the weights of a model if nobody ever does?
#
# ✎ *Double-click here and write your answer:*

# %% [markdown]
# ### Exercise 3 · `train_step`
#
# *Difficulty ●●○ · importance ●●● · 12 minutes.* One step of gradient descent. Reconstruct the
# batch, measure the squared error **summed over pixels and averaged over the batch**, and let the
# optimizer take one step. Return the loss as a plain number.
#
# <details><summary>Hint 1</summary>
#
# The reconstruction is `model.decode(model.encode(x))`, and its target is `x` itself.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Three calls in this order: `optimizer.zero_grad()`, `loss.backward()`, `optimizer.step()`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# A tensor keeps the graph it came from alive. `loss.item()` is a number and keeps nothing.
#
# </details>

# %% exercise="train_step"
def train_step(model: nn.Module, x: Tensor, optimizer: torch.optim.Optimizer) -> float:
    """One gradient step on the mean over the batch of ‖x − decode(encode(x))‖².

    x: (B, D). Returns the loss before the step, squared error per image.
    """
    ### BEGIN SOLUTION
    x_hat = model.decode(model.encode(x))  # (B, D)
    loss = ((x - x_hat) ** 2).sum(1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
    ### END SOLUTION


# %% check="train_step"
train_step = check("train_step", train_step)

# %% [markdown]
# Training is many such steps, each on a **batch** of images drawn at random. The loop below calls *your*
# `train_step` and keeps every loss. The steps get smaller towards the end, so that training settles.
# The models of digits in this notebook learn through it.

# %%
def train(model: nn.Module, images: Tensor, *, steps: int, lr: float = 2e-3) -> list[float]:
    """Train on bytes (N, D) in batches of 256; returns the loss of each step."""
    device = best_device()
    optimizer = torch.optim.Adam(model.to(device).parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    losses = []
    for batch in progress_bar(torch.randint(len(images), (steps, 256))):
        losses.append(train_step(model, to_float(images[batch], device), optimizer))
        schedule.step()
    model.cpu()
    return losses


# %% [markdown]
# ### Exercise 4 · `principal_angles`
#
# *Difficulty ●●○ · importance ●●○ · 15 minutes.* Did the linear autoencoder find the principal
# components? We cannot compare its matrix with V entry by entry: rotating the code and undoing it in
# the decoder changes every weight and no reconstruction. What can agree is the **span** of the
# columns. Two spans are compared by their principal angles, all 0° where the spans are the same.
#
# With orthonormal bases Q_W and Q_V of the two spans, the cosines of the angles are the singular
# values of Q_Wᵀ Q_V ([Björck and Golub, 1973](https://doi.org/10.1090/S0025-5718-1973-0348991-3)).
#
# <details><summary>Hint 1</summary>
#
# `Q, R = torch.linalg.qr(W)` gives an orthonormal basis Q of the columns of W.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.linalg.svdvals` sorts downwards, so the angles come out upwards.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Rounding can make a cosine 1.0000001, and the arccosine of that is NaN: use `clamp`.
#
# </details>

# %% exercise="principal_angles"
def principal_angles(W: Tensor, V: Tensor) -> Tensor:
    """Angles between the column spaces of W and V, in degrees, ascending.

    W: (D, k), V: (D, m), both of full column rank. Returns (min(k, m),).
    """
    ### BEGIN SOLUTION
    Q_W, Q_V = torch.linalg.qr(W).Q, torch.linalg.qr(V).Q
    cosines = torch.linalg.svdvals(Q_W.T @ Q_V).clamp(max=1)
    return torch.rad2deg(torch.acos(cosines))
    ### END SOLUTION


# %% check="principal_angles"
principal_angles = check("principal_angles", principal_angles)

# %% [markdown]
# First a case whose truth we know. We draw points in 20 dimensions that vary in 3 directions, the
# columns of a known matrix, plus a little noise. A linear autoencoder with a code of 3 numbers should
# find that span.

# %%
true_W, true_b = torch.randn(20, 3), torch.randn(20)
points = torch.randn(20_000, 3) @ true_W.T + true_b + 0.1 * torch.randn(20_000, 20)  # (N, 20)
small = LinearAutoencoder(20, 3)
adam = torch.optim.Adam(small.parameters(), lr=1e-2)
for batch in torch.randint(len(points), (1_500, 256)):
    train_step(small, points[batch], adam)

# %%
@torch.no_grad()
def decoder_matrix(model: nn.Module, k: int) -> Tensor:
    """W of x̂ = W z + b, (D, k): what each unit code adds to the image."""
    return (model.decode(torch.eye(k)) - model.decode(torch.zeros(1, k))).T


# %%
angles = principal_angles(decoder_matrix(small, 3), true_W)
print("angles to the true span in degrees:", [round(angle, 1) for angle in angles.tolist()])
print(f"error {error_per_image(small, points):.3f}")
print(f"best possible, 17 directions of noise: {17 * 0.1**2:.3f}")

# %% [markdown]
# The angles are a fraction of a degree and the error is that of the noise outside the span. And your
# prediction? We train once more and never clear the gradients.

# %%
sloppy = LinearAutoencoder(20, 3)
adam = torch.optim.Adam(sloppy.parameters(), lr=1e-2)
for batch in torch.randint(len(points), (1_500, 256)):
    drawn_points = points[batch]
    loss = ((drawn_points - sloppy(drawn_points)) ** 2).sum(1).mean()
    loss.backward()  # adds to the gradients of all earlier steps
    adam.step()
print(f"error with gradients never cleared: {loss.item():.3g}")

# %% [markdown]
# The sum of all gradients points where the model *was*, so the steps overshoot and the error ends far
# above the best possible one. Now the digits, with a code of six numbers. How much variance have the
# directions on both sides of the sixth?

# %%
toy = torch.linalg.eigvalsh(torch.cov(points.T)).flip(0)
sides = ["last but one", "last one kept", "first left out", "second"]
around = {"toy data, 3 kept": toy[1:5], "digits, 6 kept": eigenvalues[4:8]}
around = {name: dict(zip(sides, values.tolist())) for name, values in around.items()}
plots.table(around, corner="variance along components", forms=dict.fromkeys(sides, ".2f"))

# %% [markdown]
# **Prediction.** In the toy data the first direction that is left out has far less variance than the
# last one that is kept. In digits the two are close, so that taking the wrong one costs little. Will
# training still find the span of the six components, or one that is turned by many degrees?
#
# ✎ *Double-click here and write your answer:*

# %%
linear = LinearAutoencoder(D, 6)  # a step costs little, so that a short run takes all of them, too
linear_losses = train(linear, X_train[: len(X_pca)], steps=max(steps, 2_000), lr=1e-2)

# %%
components = torch.linalg.eigh(torch.cov(X_pca.T)).eigenvectors.flip(1).float()  # (D, D) columns
mean = X_pca.mean(0).float()  # (D,)
V, W = components[:, :6], decoder_matrix(linear, 6)  # (D, 6) each
linear_error = error_per_image(linear, X[: len(X_pca)])
turned = principal_angles(W, V).tolist()  # degrees
print(f"error {linear_error:.2f}, that of PCA with six components {eigenvalues[6:].sum():.2f}")
if turned[-1] >= 5:
    print("Where an angle is wide, component 7 is mixed in.")

# %%
columns = {
    "component": V.T,
    "decoder": W.T,
    "decoder, from\ncomponents": (V @ V.T @ W).T,
}
figures.spans({name: rows.view(-1, 28, 28) for name, rows in columns.items()}, turned)
plt.show()

# %% [markdown]
# **Figure 4.** Left: six principal components, the six columns of the trained decoder, and these
# columns put together from the six components alone, V Vᵀ w; purple is positive, orange negative.
# Right: the angles between the two spans; directions agree where the angle is less than 5°.
#
# No column equals a component. Yet the last two rows agree, as far as the angles do: the columns lie
# in the span of the components. The error is nearly that of PCA, whatever the angles. Where the last one is wide, components 6 and 7
# have nearly the same variance, so mixing them costs next to nothing, and training pulls them apart
# slowly. The autoencoder *is* PCA, up to a change of basis in the code
# that the loss cannot see.

# %% [markdown]
# ## 1.4 · What a loss sees, and what it does not
#
# Squared error is one way to compare x with x̂. **Cross-entropy** is the other common one. It reads a
# pixel x ∈ [0, 1] as the share of white and x̂ as a probability:
#
# $$\mathrm{BCE}(x, \hat x) = -\sum_{i=1}^{D} \big[ x_i \log \hat x_i + (1 - x_i) \log (1 - \hat x_i) \big].$$
#
# With the natural logarithm the unit is the **nat**, and the sum over pixels gives nats per image.
# Networks output **logits**, x̂ = sigmoid(logits), because the formula can then be evaluated without
# ever taking the logarithm of 0.
#
# ### Exercise 5 · `bce_nats`
#
# *Difficulty ●●○ · importance ●●● · 10 minutes.* Cross-entropy of each image of the batch, in nats
# per image, right for logits of any size.
#
# <details><summary>Hint 1</summary>
#
# Keep one value per image: sum over the pixels, do not average.
#
# </details>
# <details><summary>Hint 2</summary>
#
# With `a = torch.tensor(150.0)`, `torch.log(torch.sigmoid(a))` is fine, but
# `torch.log(1 - torch.sigmoid(a))` is −∞. `F.logsigmoid` is exact on both sides, since
# 1 − sigmoid(a) = sigmoid(−a).
#
# </details>
# <details><summary>Hint 3</summary>
#
# PyTorch has it ready: `F.binary_cross_entropy_with_logits(logits, x, reduction="none")`.
#
# </details>

# %% exercise="bce_nats"
def bce_nats(x: Tensor, logits: Tensor) -> Tensor:
    """−Σ [x log x̂ + (1−x) log(1−x̂)] with x̂ = sigmoid(logits), nats per image.

    x: (B, D) in [0, 1]; logits: (B, D), of any size. Returns (B,).
    """
    ### BEGIN SOLUTION
    per_pixel = F.binary_cross_entropy_with_logits(logits, x, reduction="none")  # (B, D)
    return per_pixel.sum(1)
    ### END SOLUTION


# %% check="bce_nats"
bce_nats = check("bce_nats", bce_nats)

# %% [markdown]
# **Prediction.** A pixel is exactly half grey, x = 0.5, and the reconstruction is perfect, x̂ = 0.5.
# How many nats does cross-entropy charge?
#
# ✎ *Double-click here and write your answer:*

# %%
x_hat = torch.linspace(0.002, 0.998, 499)[:, None]  # one pixel, many reconstructions
bce_of, squared_of = {}, {}
for white in [0.0, 0.5, 0.9]:
    pixel = torch.full_like(x_hat, white)
    bce_of[f"x = {white}"] = (x_hat, bce_nats(pixel, torch.logit(x_hat)))
    squared_of[f"x = {white}"] = (x_hat, (pixel - x_hat) ** 2)

# %%
figures.pixel_losses(squared_of, bce_of)
plt.show()

# %% [markdown]
# **Figure 5.** Both losses of one pixel; a dot marks the least value of each curve.
#
# Each curve has its minimum at x̂ = x. The squared error is 0 there; the cross-entropy only if the
# pixel is black or white. A perfect half-grey pixel costs log 2 = 0.693 nats, which is its **entropy**, −x log x − (1 − x) log (1 − x): the least
# cross-entropy that any x̂ can have. So the cross-entropy of grey images has a floor, and it is not 0.

# %%
floor = bce_nats(X_test, torch.logit(X_test, eps=1e-7)).mean()
grey = bce_nats(X_test, torch.zeros_like(X_test)).mean()
mean_image = X.mean(0).clamp(1e-6, 1 - 1e-6).expand_as(X_test)
constant = bce_nats(X_test, torch.logit(mean_image)).mean()
rulers = {"every pixel perfect": floor, "always the mean image": constant, "always x̂ = 0.5": grey}
rulers = {name: {"nats per test image": float(nats)} for name, nats in rulers.items()}
plots.table(rulers, corner="cross-entropy", bars=["nats per test image"])

# %% [markdown]
# These three numbers are the ruler for later notebooks on these images: a useful model lies between
# the first and the second. The third is 784 log 2. Other images than these test images have a ruler
# that differs a little.
#
# Both losses have one more thing in common. If a pixel is uncertain, they are smallest at its
# **mean**: not at the likeliest value, and not at any sharp one. Cross-entropy is linear in x, so its
# average over x is the curve of the average x; for squared error the average only adds a constant,
# the variance. This is where blur comes from.

# %% [markdown]
# **Prediction.** Order these three damages by squared error, smallest first: the digit shifted by one
# pixel to the right and down, its lower half missing, and the digit under grey noise (σ = 0.25).
#
# ✎ *Double-click here and write your answer:*

# %%
image = X_test[:500].view(-1, 28, 28)
masked = image.clone()
masked[:, 14:] = 0
noisy = (image + 0.25 * torch.randn_like(image)).clamp(0, 1)
damaged = {"shifted": image.roll((1, 1), dims=(1, 2)), "half missing": masked, "noisy": noisy}
cost = {name: float(((x - image) ** 2).sum((1, 2)).mean()) for name, x in damaged.items()}

# %%
some_damaged = {name: x[:10] for name, x in damaged.items()}
figures.damages({"original": image[:10], **some_damaged}, cost)
plt.show()

# %% [markdown]
# **Figure 6.** Three damages of the same digits, each with its squared error, on average over 500
# images: the order of the bars is not that of the eye.
#
# The shift, which nobody notices, costs about as much as losing half of the digit, and far more than
# noise that everybody sees. Squared error compares pixel i with pixel i and knows nothing of strokes.

# %% [markdown]
# ## 1.5 · Bending the code: a non-linear autoencoder
#
# Between pixels and code we now put two hidden layers with ReLU, and the same on the way back:
# 784–256–256–n and n–256–256–784. The sigmoid at the end keeps x̂ in [0, 1]. We call the code
# **undercomplete** as long as n is smaller than D. This is the whole model:

# %%
class Autoencoder(nn.Module):
    """784 → 256 → 256 → n and back; z = encode(x), x̂ = decode(z) in [0, 1]."""

    def __init__(self, n: int, D: int = 784, h: int = 256) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(D, h), nn.ReLU(), nn.Linear(h, h), nn.ReLU(), nn.Linear(h, n)
        )
        self.decoder = nn.Sequential(
            nn.Linear(n, h), nn.ReLU(), nn.Linear(h, h), nn.ReLU(), nn.Linear(h, D)
        )

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.decoder(z))

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


# %% [markdown]
# **Prediction.** The next cell trains five models, one after the other, with your `train_step`. At which
# sizes n of the code will the autoencoder beat PCA clearly: small ones, large ones, or all?
#
# ✎ *Double-click here and write your answer:*

# %%
code_sizes = [1, 2, 8, 32, 64]
models, losses = {}, {}
for n in code_sizes:
    torch.manual_seed(seed)
    models[n] = Autoencoder(n)
    losses[f"n = {n}"] = torch.tensor(train(models[n], X_train, steps=steps))

# %%
def reconstruct(x: Tensor, n: int) -> Tensor:
    """(B, D) through the code of the trained autoencoder with n numbers."""
    with torch.no_grad():
        return models[n].decode(models[n].encode(x))


def pca_on_test(x: Tensor, k: int) -> Tensor:
    """(B, D) through the first k principal components of the training images."""
    V = components[:, :k]
    return (x - mean) @ V @ V.T + mean


# %%
ae_error = {n: error_per_image(lambda x: reconstruct(x, n), X_test) for n in code_sizes}
pca_error = {k: error_per_image(lambda x: pca_on_test(x, k), X_test) for k in range(1, 65)}
by_size = {n: {"autoencoder": ae_error[n], "PCA": pca_error[n]} for n in code_sizes}
plots.table({f"n = {n}": row for n, row in by_size.items()}, corner="test error", best_in_rows="min")

# %% [markdown]
# Where PCA is ahead, has bending nothing to gain, or did training end too soon? PCA's answer is exact;
# ours is what so many gradient steps have found. The course comes with the errors of the same network
# after longer training, measured on these images (`python -m course_lib train basics`, some minutes).

# %%
long_run = checkpoints.metrics("basics-stand-in" if digits.stand_in else "basics")["rows"]
long_error = {row["n"]: row["test"] for row in long_run}
in_words = {"steps": "steps", "test": "autoencoder", "pca": "PCA"}
told = {f"n = {row['n']}": {word: row[key] for key, word in in_words.items()} for row in long_run}
plots.table(told, corner="trained longer, test error")

# %%
short_run_note("the errors of the larger codes")
windows = {name: loss.unfold(0, 50, 50) for name, loss in losses.items()}  # of 50 steps
smooth = {name: (50 * torch.arange(1, len(y) + 1), y.mean(1)) for name, y in windows.items()}
figures.errors_by_size(smooth, ae_error, pca_error, long_error)
plt.show()

# %% [markdown]
# **Figure 7.** Left: squared error during training, one line per size of the code. Right: the error on
# test images; the arrow leads from a size of the autoencoder's code to the number of components that
# do as well.
#
# While the code is small the autoencoder is far below PCA: a curved surface needs fewer coordinates
# than a flat one. Where short training loses to PCA in the first table, the same network wins when it
# is trained longer, with 30 numbers and with 64: PCA was never the better code there, only the one
# that needs no steps.
#
# [Hinton and Salakhutdinov (2006)](https://doi.org/10.1126/science.1127647) trained a deeper network,
# 784–1000–500–250–30, by a protocol of their own and far longer. On MNIST they report an error of 3.00,
# where PCA with 30 components has 13.87.
#
# The slider below calls your `pca_reconstruct` and your trained autoencoders.

# %%
few = X[:8]
slider = widgets.k_slider(
    few,
    {
        "PCA": lambda k: pca_reconstruct(X_pca[:5_000], k)[: len(few)],
        "autoencoder": lambda k: reconstruct(few, k),
    },
    {"PCA": pca_error, "autoencoder": ae_error},
    start=8,
)
slider

# %% [markdown]
# **Figure 8.** Move k; the images are training images, the curve is the error on test images. Note that
# with two numbers the autoencoder writes some digits cleanly as *another* digit, where PCA writes a
# grey cloud. Sharp is not the same as right.
#
# ### Few images, and when to stop
#
# Is longer always better? We train the same network, n = 32, on 500 images only, and look after every
# five passes at 1,000 **validation images**: these teach no weights, they only tell when to stop. The
# test images stay out of it, for the verdict.

# %% [markdown]
# **Prediction.** The error on the 500 images falls as long as we train. And that on validation images?
#
# ✎ *Double-click here and write your answer:*

# %%
torch.manual_seed(seed)
few_images, valid = X[:500], X[500:1_500]
starved = Autoencoder(32)
adam = torch.optim.Adam(starved.parameters(), lr=2e-3)
learned, checked = {}, {}  # pass: squared error per image
for epoch in range(5, min(165, steps // 8), 5):
    for batch in torch.cat([torch.randperm(500) for _ in range(5)]).split(100):
        train_step(starved, few_images[batch], adam)
    learned[epoch] = error_per_image(starved, few_images)
    checked[epoch] = error_per_image(starved, valid)
    if checked[epoch] == min(checked.values()):
        best_epoch, kept = epoch, {k: w.clone() for k, w in starved.state_dict().items()}

# %%
at_end = error_per_image(starved, X_test)
starved.load_state_dict(kept)
at_best = error_per_image(starved, X_test)

# %%
short_run_note("the turn of the upper curve")
figures.early_stopping(learned, checked, best_epoch, tests=(at_best, at_end))
plt.show()

# %% [markdown]
# **Figure 9.** Training on 500 images: the lower curve goes on falling, the upper one has its least
# value at the dotted line, whose weights **early stopping** keeps.
#
# From there on the network learns these 500 images and nothing about others. Who also ends the
# training after some checks without progress (the `patience` of `course_lib.training.fit`) saves the
# time as well.

# %% [markdown]
# ## 1.6 · Too much room: the identity trap
#
# What if the code is larger than the image, an **overcomplete** one? We train 784–1024–784 twice: as it
# is, and with noise on its input while the target stays clean.

# %% [markdown]
# **Prediction.** The models get what is no clean digit: two digits laid over each other, which none
# of them has seen, and noisy digits, which only the denoising one has. Who has the least error on
# which: n = 32, the overcomplete model, the denoising one?
#
# ✎ *Double-click here and write your answer:*

# %%
class Overcomplete(nn.Module):
    """784 → 1024 → 784; while it trains, its input is noisy: Gaussian noise with σ = `noise`."""

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(784, 1024), nn.Linear(1024, 784)
        self.noise = noise

    def encode(self, x: Tensor) -> Tensor:
        if self.training:
            x = (x + self.noise * torch.randn_like(x)).clamp(0, 1)
        return F.relu(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


# %%
torch.manual_seed(seed)
copying, denoising = Overcomplete(), Overcomplete(noise=0.4)
train(copying, X_train, steps=steps // 2)
train(denoising, X_train, steps=steps // 2)
restorers = {"n = 32": models[32], "overcomplete": copying, "denoising": denoising}

# %%
inputs = {
    "digits": X_test,
    "two digits overlaid": torch.maximum(X_test, X_test.roll(1, 0)),
    "noisy digits": (X_test + 0.4 * torch.randn_like(X_test)).clamp(0, 1),
}
clean = {**inputs, "noisy digits": X_test}  # a noisy digit should come back clean

# %%
@torch.no_grad()
def restore(model: nn.Module, x: Tensor) -> Tensor:
    """decode(encode(x)) of a model that is not training: (B, D) to (B, D)."""
    model.eval()
    return model.decode(model.encode(x))


answers = {"doing nothing": inputs}
for name, model in restorers.items():
    answers[name] = {kind: restore(model, x) for kind, x in inputs.items()}
left = {
    name: {kind: float(((x - clean[kind]) ** 2).sum(1).mean()) for kind, x in answer.items()}
    for name, answer in answers.items()
}
errors = {kind: {name: error[kind] for name, error in left.items()} for kind in inputs}
told = ", ".join(f"{name} {errors['digits'][name]:.1f}" for name in restorers)
print(f"error on digits as they are: {told}")

# %%
unclean = {kind: errors[kind] for kind in ["two digits overlaid", "noisy digits"]}
pictures = {
    kind: {name: answers[name][kind][:5].view(-1, 28, 28) for name in answers} for kind in unclean
}
wanted = {kind: {"wanted": clean[kind][:5].view(-1, 28, 28)} for kind in unclean}
figures.identity_trap({kind: pictures[kind] | wanted[kind] for kind in unclean}, unclean)
plt.show()

# %% [markdown]
# **Figure 10.** Two kinds of input that are no clean digits, and what three models make of them, with
# the error against what is wanted. The first row is the input: a model which copies shows it again.
#
# The overcomplete model returns overlaid digits as they are and much of the noise with them. The code of 32 numbers bends overlaid digits towards a
# single shape, since that is all it can express.
#
# This is the **identity trap**: a large code can copy, z = x does it, and then a small error says
# nothing about the code. The repair is not a smaller code alone. The third model is as large as the
# second, but for it copying does not pay, and it leaves the least of the noise.
# [Notebook 02](02_convolutional_autoencoder.ipynb) builds on this.

# %% [markdown]
# ## 1.7 · The code as a map
#
# With n = 2 the code is a point in a plane, so we can look at it. We draw two maps of the test images:
# their first two principal components, and their codes from your autoencoder with n = 2. No label was
# used to find either.

# %% [markdown]
# **Prediction.** Will images of the same digit lie together? In which of the two maps more so?
#
# ✎ *Double-click here and write your answer:*

# %%
with torch.no_grad():
    codes = {n: model.encode(X_test) for n, model in models.items()}
    train_codes = {n: model.encode(X[:10_000]) for n, model in models.items()}
pca_codes = (X_test - mean) @ components  # (N, D), the first columns matter most
pca_train_codes = (X[:10_000] - mean) @ components

# %% [markdown]
# A picture can mislead, so we also measure. Take each test code, look at its five nearest training
# codes, and let them vote. How often the vote is right is the **nearest-neighbour accuracy** of the code.

# %%
y_near, y_some = y_train[:10_000], y_test[:2_000]
accuracy = {"PCA": {}, "autoencoder": {}}
for n in code_sizes:
    z_near, z_some = pca_train_codes[:, :n], pca_codes[:2_000, :n]
    accuracy["PCA"][n] = neighbour_accuracy(z_near, y_near, z_some, y_some)
    accuracy["autoencoder"][n] = neighbour_accuracy(train_codes[n], y_near, codes[n][:2_000], y_some)
pixels = neighbour_accuracy(X[:10_000], y_near, X_test[:2_000], y_some)

# %%
def at_middles(z: Tensor, decode: Callable[[Tensor], Tensor]) -> Tensor:
    """What is decoded at the middle of each digit's codes: (N, 2) to (10, 28, 28)."""
    middles = torch.stack([z[y_test == i].median(0).values for i in range(10)])
    with torch.no_grad():
        return decode(middles).clamp(0, 1).view(-1, 28, 28)


flat, bent = pca_codes[:, :2], codes[2]
decoded = {
    "PCA": at_middles(flat, lambda z: z @ components[:, :2].T + mean),
    "autoencoder": at_middles(bent, models[2].decode),
}

# %%
short_run_note("the clusters")
maps = {"PCA": flat[:3000], "autoencoder": bent[:3000]}
figures.code_maps(maps, decoded, {name: accuracy[name][2] for name in maps}, y_test[:3000])
plt.show()

# %% [markdown]
# **Figure 11.** Three thousand test images as points in a plane, coloured by digit afterwards; a few far
# ones lie outside. Beside each map stands what is decoded at the middle of each digit's codes, and over
# it the nearest-neighbour accuracy.
#
# The more votes are right, the more a map keeps the digits apart: the autoencoder pulls some of them
# into arms where PCA lays them over each other. Only neighbourhoods count: nothing in the loss fixes
# the scale or the direction of an axis.

# %%
short_run_note("the accuracies of the larger codes")
figures.accuracies(accuracy, pixels)
plt.show()

# %% [markdown]
# **Figure 12.** Nearest-neighbour accuracy against the size of the code, between guessing and the raw
# pixels. At n = 2 stands the answer to the prediction.
#
# With one number or two the autoencoder keeps far more of the class than PCA does. A few dozen numbers
# serve as well as all 784 pixels. From there on the two are alike: what the loss asked for is pixels,
# not classes.

# %% [markdown]
# ## 1.8 · Holes: why this does not generate
#
# The decoder turns any code into an image. Does it turn any code into a *digit*? Walk through the
# plane of your own autoencoder: the pad shows where you are and what the decoder says.

# %%
middles = torch.stack([codes[2][y_test == i].median(0).values for i in range(10)])  # (10, 2)
between = middles[torch.combinations(torch.arange(10))].mean(1)  # (45, 2), half way
hole = between[torch.cdist(between, codes[2]).min(1).values.argmax()]  # farthest from any code

# %%
walk = widgets.pad(
    models[2].decode, codes=codes[2][:3000], labels=y_test[:3000], start=hole.tolist(), seed=seed
)
walk

# %% [markdown]
# **Figure 13.** Left: the codes of test images and your position, at first half way between two digits,
# at that of the 45 such places which is farthest from any code. Right: its decoded image. Note what
# appears between clusters and outside of
# all of them. Nothing in the loss ever mentioned the places where no training image lands.

# %% [markdown]
# **Prediction.** We draw codes from the box that holds the codes of 10,000 training images, each number
# by itself, and measure how far the decoded images are from the nearest training image. For n = 2 and
# for n = 32: where are they further than reconstructions of test images?
#
# ✎ *Double-click here and write your answer:*

# %%
short_run_note("the distances of drawn codes")
drawn, far = {}, {}
for n in [2, 32]:
    low, high = train_codes[n].min(0).values, train_codes[n].max(0).values
    with torch.no_grad():
        drawn[n] = models[n].decode(low + (high - low) * torch.rand(1_000, n))  # (B, D)
    far[n] = to_nearest(drawn[n]), to_nearest(reconstruct(X_test[:1_000], n))

# %%
nearest = {n: X[torch.cdist(x[:6], X).argmin(1)] for n, x in drawn.items()}
pairs = {n: {"drawn": drawn[n][:6], "nearest": nearest[n]} for n in drawn}
square = {n: {k: x.view(-1, 28, 28) for k, x in pair.items()} for n, pair in pairs.items()}
figures.drawn_codes(square, far)
plt.show()

# %% [markdown]
# **Figure 14.** Images decoded from random codes of both sizes, and the training image nearest to each.
# The titles say how much farther from it they are than reconstructions of test images.
#
# With n = 32 they are made of strokes, but often of no digit. In two dimensions most codes of the box, those in
# empty places too, decode to something near a training image. In 32 dimensions nearly all of the box
# is far from every code.
#
# The decoder is not to blame: on codes of real images it works. What we lack is a **density**, a way
# to know which codes are likely. [Notebook 02](02_convolutional_autoencoder.ipynb) fits one
# afterwards; [notebook 03](03_variational_autoencoder.ipynb) builds it into the
# training, and that is the variational autoencoder.

# %% [markdown]
# ## 1.9 · What we have seen
#
# - The best linear code is PCA. Its error is known in advance, and a linear autoencoder comes close to
#   it; training finds the same span as far as the variances tell the directions apart.
# - A non-linear encoder bends: while the code is small its error is far lower and its map clearer.
#   Larger codes need longer training to beat PCA, and few images need a stop in time.
# - Squared error and cross-entropy both ask for the mean, are blind to shape, and have different
#   floors. In this course every error is a sum over the pixels of one image.
# - A small error proves nothing about a code: the identity has no error at all.
# - Between the codes there are holes, so an autoencoder is no generator yet.
#
# **To think about.** (1) Your boss measures a mean over pixels and you a sum. By which factor do your
# numbers differ? (2) Which of the five models would you use to find duplicates among a million
# images, and why? (3) Describe an image for which squared error and your eye disagree most.
#
# <details><summary>Some answers</summary>
#
# (1) By 784, the number of pixels. (2) One where the neighbour accuracy levels off: larger codes cost
# memory and time and find no better neighbours. (3) Fine stripes shifted by one stripe: the eye sees
# the same picture, squared error sees every pixel wrong.
#
# </details>
#
# *Next:* **[02 · Convolutional autoencoder](02_convolutional_autoencoder.ipynb)**, which knows that
# neighbouring pixels belong together.
