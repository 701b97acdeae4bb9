# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 7 · When training fails
#
# {{colab_badge}}
#
# **My training breaks: what is it?** After this notebook you can
#
# - **reproduce** the failures that people meet first, each from the one line that causes it,
# - **measure** what tells a cause from those that look like it,
# - **repair** it, and **show** by a number that it is repaired,
# - **examine** a model that you did not write.
#
# | takes | difficulty | you need |
# |---|---|---|
# | 90 minutes, 4 exercises | ●●○ | [notebook 03](03_variational_autoencoder.ipynb): ELBO, closed-form KL, reparameterization; from [04](04_beta_vae.ipynb) rate and distortion |
#
# This notebook is optional: nothing else builds on it, and its sections stand alone. Run the cells in
# order. Where you see `raise NotImplementedError`, write your own code; the card below it says
# whether it is right and, if not, why. Unsolved exercises do not stop the notebook.

# %% setup=true

# %% tags=["parameters"]
seed = 0
steps = 200

# %%
import copy
import math
from itertools import pairwise
from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal
from torch.optim import SGD, Adam

# %%
from course_lib import datasets, models, plots
from course_lib.diagnostics import examine
from course_lib.exercises import check
from course_lib.figures import failures as figures
from course_lib.recordings import CAUSES, draw
from course_lib.settings import shortened
from course_lib.training import fit, to_float

# %%
plots.use_course_style()
torch.manual_seed(seed)
(steps,) = shortened((steps,), (50,))
digits = datasets.load("mnist")
X = to_float(digits.train.images[:8_000].flatten(1))  # (N, 784) in [0, 1]
X_new = to_float(digits.test.images[:1_000].flatten(1))  # never trained on
print(f"{digits.source}: {len(X):,} training and {len(X_new):,} held-out images")

# %% [markdown]
# ## One model that works
#
# Every failure below is a copy of this model with one line changed. It is the VAE of a hundred
# tutorials: 784 → 128 → 8 and back. `encode` returns μ, log σ² and a sample z.

# %%
class Networks(nn.Module):
    """784 → 128 → d and back."""

    def __init__(self, d: int = 8) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(784, 128), nn.ReLU())
        self.to_mu, self.to_log_var = nn.Linear(128, d), nn.Linear(128, d)
        self.decoder = nn.Sequential(nn.Linear(d, 128), nn.ReLU(), nn.Linear(128, 784))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = self.body(x)
        mu, log_var = self.to_mu(h), self.to_log_var(h)
        return mu, log_var, self.sample(mu, log_var)  # (B, d) each

    def sample(self, mu: Tensor, log_var: Tensor) -> Tensor:
        return mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.decoder(z))  # (B, 784)

# %%
class VAE(Networks):
    """The networks with their objective, nats per image."""

    def distortion(self, x_hat: Tensor, x: Tensor) -> Tensor:
        return F.binary_cross_entropy(x_hat, x, reduction="sum") / len(x)

    def rate(self, mu: Tensor, log_var: Tensor) -> Tensor:
        return 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1).mean()

    def loss(self, x: Tensor) -> Tensor:
        mu, log_var, z = self.encode(x)
        return self.distortion(self.decode(z), x) + self.rate(mu, log_var)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x)[0])  # x_hat at the mean of the code

    def trained(self):
        return self.parameters()  # what the optimizer sees

# %% [markdown]
# One loop trains them all. It ends where the loss is no number, or where PyTorch refuses to go on,
# and prints what people then see.

# %%
def train(kind, x: Tensor = X, *, n: int = steps, lr: float = 4e-3, optimizer=Adam):
    """A new model of this kind after n steps of 128 images, in eval(); and its losses."""
    torch.manual_seed(seed)
    model, losses = kind(), []
    optimizer = optimizer(model.trained(), lr=lr)
    for _ in range(n):
        try:
            loss = model.loss(x[torch.randint(len(x), (128,))])
        except RuntimeError as error:
            print(f"step {len(losses) + 1}, RuntimeError: {str(error).splitlines()[0]}")
            break
        losses.append(loss.item())
        if not loss.isfinite():
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval(), losses

# %%
class Terms(NamedTuple):
    """Rate and distortion of held-out images, nats per image, computed as they should be."""

    R: float
    D: float

    def __str__(self) -> str:
        return f"R {self.R:7.3f}, D {self.D:6.1f}, −ELBO {self.R + self.D:6.1f}"

# %%
@torch.no_grad()
def terms(model: VAE, x: Tensor = X_new) -> Terms:
    torch.manual_seed(seed)
    mu, log_var, _ = model.encode(x)
    x_hat = model.decode(VAE.sample(model, mu, log_var)).clamp(0, 1)
    return Terms(VAE.rate(model, mu, log_var).item(), VAE.distortion(model, x_hat, x).item())

# %%
sound, sound_losses = train(VAE)
print(f"first loss {sound_losses[0]:.1f}, last loss {sound_losses[-1]:.1f}; new images: {terms(sound)}")
examine(sound.encode, sound.decode, X[:128], loss=sound.loss)

# %% [markdown]
# That card is what this notebook is about: `examine` takes two functions, `encode` and `decode`, some
# images as the model is fed, and, if you like, the loss. It makes a dozen measurements, the same as
# we make below by hand, and says what they give away. For the sound model that is to be nothing.
#
# ## 7.1 · A loss of millions, and NaN
#
# **What people see.** Five trainings, one line of each changed. Their losses:

# %%
def standardised(x: Tensor) -> Tensor:
    return (x - 0.1307) / 0.3081  # mean and deviation of MNIST's pixels


class Tanh(VAE):
    def decode(self, z: Tensor) -> Tensor:
        return torch.tanh(self.decoder(z))

# %%
class ByHand(VAE):
    def distortion(self, x_hat: Tensor, x: Tensor) -> Tensor:
        return -(x * x_hat.log() + (1 - x) * (1 - x_hat).log()).sum(1).mean()

# %%
class FromLogits(VAE):
    def loss(self, x: Tensor) -> Tensor:  # the same number, from the decoder's logits
        mu, log_var, z = self.encode(x)
        bce = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum") / len(x)
        return bce + self.rate(mu, log_var)

# %%
trainings = {
    "A": train(FromLogits, standardised(X)),
    "B": train(ByHand, lr=0.1),
    "C": (sound, sound_losses),
    "D": train(FromLogits, 255 * X),
    "E": train(Tanh),
}


def written(losses: list[float]) -> list[str]:
    return [f"{loss:.4g}".replace("nan", "NaN").replace("inf", "infinite") for loss in losses]


heads = ["first loss", "second", "third", "least"]
told = {
    name: dict(zip(heads, written([*losses[:3], min(losses)]))) if losses else {}
    for name, (_, losses) in trainings.items()
}
steps_of = {name: {"steps": len(losses)} for name, (_, losses) in trainings.items()}
plots.table({name: told[name] | steps_of[name] for name in trainings})

# %% [markdown]
# **Prediction.** Which is it? (1) pixels standardised by mean and deviation; (2) bytes that nobody
# divided by 255; (3) a tanh at the end of the decoder; (4) a cross-entropy written by hand, with too
# large a step; (5) nothing. One letter each.
#
# ✎ *Double-click here and write your answer:*

# %% [markdown]
# **The measurement** needs no training: one batch through the model as it starts, and the least and
# largest number at each place. A cross-entropy needs pixels and outputs in [0, 1].

# %%
@torch.no_grad()
def ranges(kind, x: Tensor) -> dict[str, str]:
    """The least and largest pixel and output of an untrained model, its largest log σ², and R."""
    torch.manual_seed(seed)
    model = kind()
    mu, log_var, z = model.encode(x)
    x_hat = model.decode(z)
    return {
        "pixels": f"{x.min():.2f} to {x.max():.2f}",
        "outputs": f"{x_hat.min():.2f} to {x_hat.max():.2f}",
        "largest log σ²": f"{log_var.max():.2f}",
        "R": f"{model.rate(mu, log_var):.3g}",
    }

# %%
untrained = {"A": (VAE, standardised(X)), "B": (ByHand, X), "C": (VAE, X), "D": (VAE, 255 * X),
             "E": (Tanh, X)}
plots.table({name: ranges(kind, x[:128]) for name, (kind, x) in untrained.items()})

# %% [markdown]
# D is bytes: the code is linear in the pixels at the start, so log σ² is 255 times what it was, and
# the KL has its exponential: **overflow** is near. With two hidden layers and 64 latents, as in the course's own MLP:

# %%
for s in range(2):
    torch.manual_seed(s)
    mlp_vae = models.MLPVAE(64)
    for scale in (1, 255):
        q_z = mlp_vae.encode(scale * X[:128])
        kl = VAE.rate(sound, q_z.mean, 2 * q_z.stddev.log())
        print(f"seed {s}, pixels up to {scale:3}: KL {kl:.3g} nats")
overflow = math.log(torch.finfo(torch.float32).max)
print(f"exp of a float32 is infinite above {overflow:.2f}; e^88.7 is {torch.tensor(88.7).exp():.3g}, "
      f"e^88.8 is {'finite' if torch.tensor(88.8).exp().isfinite() else 'infinite'}")

# %% [markdown]
# From there it is a step or two to NaN. A has pixels below 0 and above 1: there −x log x̂ − (1 − x) log(1 − x̂)
# has no minimum, and the loss falls below 0 without end, until it breaks. (Both take logits. `binary_cross_entropy` looks at its
# numbers and refuses E, and in newer versions of PyTorch it would refuse A and D, too.) B starts like C. It
# fails later, where a sigmoid is 1 to the last digit:

# %%
saturated = {}
for logit in (10.0, 16.0, 17.0, 40.0):
    p = torch.tensor(logit).sigmoid()
    by_hand, stable = -(1 - p).log(), F.binary_cross_entropy_with_logits(torch.tensor(logit), 0 * p)
    (told,) = written([by_hand])
    saturated[f"{logit:.0f}"] = {"1 − p": f"{1 - p:.2g}", "−log(1 − p) by hand": told,
                                 "from logits": f"{stable:.4g}"}
plots.table(saturated, corner="logit")

# %%
large_step, _ = train(VAE, lr=0.1)
print(f"B with the library's cross-entropy, same step: {terms(large_step)}")

# %% [markdown]
# The library's version keeps B from NaN, and no more: the cause is the step size, 25 times ours, and that
# number is still far from C's. **The repairs**, before and after:

# %%
mended = {}
for name, repair in {"A": "leave the pixels in [0, 1]", "B": "logits, and a step of 0.004",
                     "D": "divide by 255", "E": "a sigmoid for the tanh"}.items():
    after = train(FromLogits)[0] if name == "B" else sound
    (last,) = written(trainings[name][1][-1:]) or ["none"]
    mended[name] = {"last loss before": last, "repair": repair, "−ELBO after": sum(terms(after))}
plots.table(mended)

# %%
for name, x in (("A", standardised(X)), ("D", 255 * X), ("E", X)):
    model = trainings[name][0]
    print(name, examine(model.encode, model.decode, x[:128]).head())
examine(trainings["D"][0].encode, trainings["D"][0].decode, 255 * X[:128])

# %% [markdown]
# Theory: [01, section 1.4](01_autoencoder_basics.ipynb) derives the cross-entropy and why it is computed from
# logits; [03, section 3.5](03_variational_autoencoder.ipynb) says what it means for grey pixels.
#
# ## 7.2 · One picture for all, and a KL of 0
#
# **What people see.** Every reconstruction is the same grey blur, and the KL falls to 0. Or the KL falls
# to 0, and the pictures are fine. Five trainings again, and here is what each of them prints.

# %%
def stack(activation, *widths: int) -> nn.Sequential:
    layers = [part for a, b in pairwise(widths) for part in (nn.Linear(a, b), activation())]
    return nn.Sequential(*layers[:-1])

# %%
class Deep(VAE):
    activation = nn.Sigmoid

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(stack(self.activation, 784, 128, 128, 128), self.activation())
        self.decoder = stack(self.activation, 8, 128, 128, 128, 784)

# %%
class Dear(VAE):
    def rate(self, mu: Tensor, log_var: Tensor) -> Tensor:
        return 50 * super().rate(mu, log_var)

# %%
class SlowEncoder(VAE):
    def trained(self):
        encoder = [*self.body.parameters(), *self.to_mu.parameters(), *self.to_log_var.parameters()]
        return [{"params": encoder, "lr": 4e-6}, {"params": self.decoder.parameters()}]

# %%
class Dead(VAE):
    def __init__(self) -> None:
        super().__init__()
        nn.init.constant_(self.decoder[-1].bias, -3.0)  # pictures are dark: start there

    def decode(self, z: Tensor) -> Tensor:
        return torch.relu(self.decoder(z))

    def distortion(self, x_hat: Tensor, x: Tensor) -> Tensor:
        return 25 * (x_hat - x).square().sum(1).mean()

# %% [markdown]
# The fifth decoder is told more than the code: for each pixel its neighbours above and to the left, as a
# decoder that writes pixel by pixel knows them
# ([Bowman et al., 2016](https://arxiv.org/abs/1511.06349), saw the code die beside such a decoder of words).

# %%
class Strong(VAE):
    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor([4.0, 4.0, 0.0, 0.0]))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        self.x = x
        return super().encode(x)

    def decode(self, z: Tensor) -> Tensor:
        image = self.x.view(-1, 28, 28)
        seen = [image.roll(move, (1, 2)) for move in ((0, 1), (1, 0), (1, 1), (1, -1))]
        known = sum(w * (neighbour - 0.5) for w, neighbour in zip(self.weights, seen))
        return torch.sigmoid(self.decoder(z) + known.flatten(1))

# %%
flat = {"F": train(Dear), "G": train(Strong), "H": train(Deep), "I": train(SlowEncoder), "J": train(Dead)}
flat = {name: model for name, (model, _) in flat.items()}
of_each = {name: terms(model) for name, model in {**flat, "sound": sound}.items()}
forms = {"R": ".3f"}
plots.table({name: {"R": t.R, "D": t.D} for name, t in of_each.items()}, corner="nats", forms=forms)

# %%
with torch.no_grad():
    rows = {"images": X_new[:9]} | {name: model(X_new[:9]) for name, model in flat.items()}
    rows["sound"] = sound(X_new[:9])
rows = {name: x.clamp(0, 1).view(-1, 28, 28) for name, x in rows.items()}
kl = {name: t.R for name, t in of_each.items()}
figures.broken_models(rows, kl, {name: sum(t) for name, t in of_each.items()})
plt.show()

# %% [markdown]
# **Figure 1.** Held-out images, what five broken models make of them, and what the sound one does; at
# the right the KL of a thousand held-out images. What is wrong with F to J is yours to say. Some rows show
# one picture nine times.
#
# **Prediction.** Which is it? (1) the KL weighs 50 times too much; (2) an encoder that learns 1,000 times
# too slowly; (3) three hidden layers of sigmoids on each side; (4) a ReLU on
# the outputs, whose bias starts at −3; (5) a decoder that sees the neighbours of each pixel.
#
# ✎ *Double-click here and write your answer:*

# %% [markdown]
# ### Exercise 1 · `spread_between_images`
#
# *Difficulty ●○○ · importance ●●● · 6 minutes.* The first measurement says whether there is one picture
# at all. The **spread between images** is how far reconstructions are from their own mean picture, over how far the images are from theirs.
#
# <details><summary>Hint 1</summary>
#
# Each pixel has a variance over the images. Their sum is the mean squared distance of an image from the
# mean image.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `images.flatten(1)` makes (B, D) of any images; `.var(0, correction=0)` is the variance of each pixel.
#
# </details>

# %% exercise="spread_between_images"
def spread_between_images(x_hat: Tensor, x: Tensor) -> float:
    """√(Σ Var x̂) / √(Σ Var x): variances over the images, sums over the pixels.

    x_hat, x: (B, …), the same shape. 0: one picture for all; x_hat = x gives 1.
    """
    ### BEGIN SOLUTION
    def of(images: Tensor) -> Tensor:
        return images.flatten(1).var(0, correction=0).sum().sqrt()

    return (of(x_hat) / of(x)).item()
    ### END SOLUTION


# %% check="spread_between_images"
spread_between_images = check("spread_between_images", spread_between_images)

# %% [markdown]
# Three more measurements tell the causes apart. Other codes, a **swap of codes**: the squared error when each image is
# decoded from its neighbour's code, over that of the mean image (about 1 for the mean picture, 2 for another
# image, small where the picture comes another way). Moved: how far the encoder's weights went since
# the start. Gradient: the norm of the distortion's gradient at the first layer, and at the last.

# %%
def from_other_codes(model: VAE, x: Tensor) -> float:
    mu = model.encode(x)[0]  # Strong keeps these images in mind
    error = (model.decode(mu.roll(1, 0)) - x).square().sum(1).mean()
    return (error / (x - x.mean(0)).square().sum(1).mean()).item()

# %%
def moved(kind, model: VAE) -> float:
    torch.manual_seed(seed)
    start = kind().body[0]
    start, now = ([*layer.parameters()] for layer in (start, model.body[0]))
    total = sum((a - b).square().sum() for a, b in zip(now, start))
    return (total / sum(a.square().sum() for a in start)).sqrt().item()

# %%
def gradients(model: VAE) -> tuple[float, float]:
    """Norms of the distortion's gradient at the first and at the last layer."""
    model.zero_grad()
    model.distortion(model.decode(model.encode(X[:128])[2]), X[:128]).backward()
    weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
    return weights[0].grad.norm().item(), weights[-1].grad.norm().item()

# %%
measured = {}
for name, model in {**flat, "sound": sound}.items():
    x = X_new[:200]
    with torch.no_grad():
        spread = float(spread_between_images(model(x), x))
        other = from_other_codes(model, x)
    first, final = gradients(model)
    measured[name] = {"spread": spread, "other codes": other, "moved": moved(type(model), model),
                      "gradient, first layer": f"{first:.2g}", "last layer": f"{final:.2g}"}
plots.table(measured, forms={"spread": ".3f", "other codes": ".2f", "moved": ".3f"})

# %% [markdown]
# One line each. A spread, and the least error from other codes: the picture comes another way (G). An encoder that
# did not move: a **lagging encoder**, which is too slow, or which the optimizer never saw (I). No gradient at the last layer: **dead outputs**, stuck
# where they have no slope (J). A first layer that gets next to nothing of it, while the last one gets plenty: **vanishing gradients** (H).
# All of it in order, and no KL: look at the price (F). **The repairs:**

# %%
class Rectified(Deep):
    activation = nn.ReLU

    def __init__(self) -> None:
        super().__init__()
        for part in [*self.body.modules(), *self.decoder[:-1]]:
            if isinstance(part, nn.Linear):
                nn.init.kaiming_normal_(part.weight)  # He's: no layer shrinks what passes


class Awake(Dead):
    decode = VAE.decode


# %%
repairs = {"F": ("weight 1", VAE), "G": ("a decoder that has the code alone", VAE),
           "H": ("ReLU, and He's first weights", Rectified), "I": ("one learning rate", VAE),
           "J": ("a sigmoid for the ReLU", Awake)}
mended = {}
for name, (repair, kind) in repairs.items():
    after = sound if kind is VAE else train(kind)[0]
    before, now = (spread_between_images(m(X_new).detach(), X_new) for m in (flat[name], after))
    mended[name] = {"repair": repair, "R before": terms(flat[name]).R, "R after": terms(after).R,
                    "spread before": float(before), "spread after": float(now)}
plots.table(mended, forms={column: ".3f" for column in mended["F"] if column != "repair"})

# %%
for name, model in flat.items():
    print(name, examine(model.encode, model.decode, X[:128], loss=model.loss).head())
examine(flat["F"].encode, flat["F"].decode, X[:128], loss=flat["F"].loss)

# %% [markdown]
# H and I end where F does. `examine` takes one snapshot, in which neither a slow encoder nor a gradient that is small
# everywhere before the last layers is a fault of the model: it names the collapse, and our two columns go on from there.
# Theory: [04, section 4.4](04_beta_vae.ipynb) says which latents a price should kill, and section 4.6 which die by
# accident; [02, section 2.3](02_convolutional_autoencoder.ipynb) tells of images that stay black.
#
# ## 7.3 · Two scales in one loss
#
# **What people see.** Losses of 0.3, of 1 or of 150 for the same pictures, and results that change when somebody
# changes the batch size. A mean where a sum should be is a weight that nobody has written down: dividing the
# distortion by a number is multiplying the KL by it.

# %%
def scaled(a: float, b: float, *, of_squares: bool = False):
    """A VAE whose loss is a · distortion + b · KL."""

    class Scaled(VAE):
        def distortion(self, x_hat: Tensor, x: Tensor) -> Tensor:
            return a * super().distortion(x_hat, x)

        def rate(self, mu: Tensor, log_var: Tensor) -> Tensor:
            return b * super().rate(mu, log_var)

    return Scaled

# %% [markdown]
# **Prediction.** Five lines from public code, for 784 pixels and 8 latents, N = 50,000 images in batches of 128. For each:
# which β is it, and what becomes of the KL?
#
# ✎ *Double-click here and write your answer:*

# %%
lines = {
    "sums, as it should be": (1, 1),
    "BCE mean over pixels, KL sum": (1 / 784, 1),
    "means of both": (1 / 784, 1 / 8),
    "BCE sum, KL mean over latents": (1, 1 / 8),
    "BCE sum, KL × batch / N": (1, 128 / 50_000),
    "both divided by the batch twice": (1 / 128, 1 / 128),
}
scaled_models = {name: train(scaled(*weights)) for name, weights in lines.items()}

# %%
by_line = {}
for name, (model, losses) in scaled_models.items():
    (a, b), (R, D) = lines[name], terms(model)
    mu, log_var, _ = model.encode(X_new)
    moment = (mu**2 + log_var.exp()).mean().item()
    by_line[name] = {"β": f"{b / a:.4g}", "last loss": losses[-1], "R": R, "D": D, "E z²": moment}
plots.table(by_line, forms={"last loss": ".3f", "R": ".2f", "E z²": ".2f"})

# %% [markdown]
# The **price of a nat**, β = b/a, decides, and the loss itself says nothing: two of the small ones belong to a dead code, one to
# a sound model. **The measurement** is the gradient. On the decoder's weights only the distortion has one, on the
# encoder's both do; so `examine` can compare the gradient of any loss with those of the true terms, in nats.

# %%
priced = {name: examine(model.encode, model.decode, X[:128], loss=model.loss)
          for name, (model, _) in scaled_models.items()}
prices = {}
for name, report in priced.items():
    price = next(line.value for line in report.lines if line.what.startswith("a nat of rate"))
    prices[name] = {"a nat of rate": price, "examine": report.head()}
plots.table(prices)

# %%
priced["BCE mean over pixels, KL sum"]

# %% [markdown]
# A factor batch/N before the KL comes from code that minimises the sum over a data set. With a squared error that is a
# mean over pixels it may be harmless: at σ = 1 a squared error is half a nat, so for images of 64 × 64 × 3

# %%
beta = 0.000_25 * 64 * 64 * 3 / 2
print(f"mean over 12,288 pixels + 0.00025 · KL is β = {beta:.2f} at σ = 1, "
      f"and β = {beta / 0.1**2:.0f} at σ = 0.1: the same line, two models")

# %% [markdown]
# Divided by the batch twice, both terms shrink alike and β stays 1. Does it matter, then? That depends on who takes the
# steps.

# %%
twice = lines["both divided by the batch twice"]
by_optimizer = {
    ("Adam", "once"): sound, ("Adam", "twice"): scaled_models["both divided by the batch twice"][0],
    ("SGD", "once"): train(VAE, lr=1e-3, optimizer=SGD)[0],
    ("SGD", "twice"): train(scaled(*twice), lr=1e-3, optimizer=SGD)[0],
}
of_new = {f"{optimizer}, divided {times}": {"−ELBO of new images": sum(terms(model))}
          for (optimizer, times), model in by_optimizer.items()}
of_new["untrained"] = {"−ELBO of new images": sum(terms(VAE()))}
plots.table(of_new, bars=["−ELBO of new images"])

# %% [markdown]
# Adam divides the gradient by its own size, so that a common factor cancels. SGD takes a step 128 times shorter, and
# has hardly begun. **The repair** is one rule for every loss: sum over pixels, sum over latents, mean over images once.
# Theory: [03, section 3.11](03_variational_autoencoder.ipynb) finds this bug in print;
# [04, section 4.5](04_beta_vae.ipynb) shows that β and σ² are one knob.
#
# ## 7.4 · Noise, and gradients that do not arrive
#
# **What people see**: often nothing. The loss falls, it may even fall lower than it should. Six lines:

# %%
class VarianceForSigma(VAE):
    def sample(self, mu: Tensor, log_var: Tensor) -> Tensor:
        return mu + torch.exp(log_var) * torch.randn_like(mu)


class Uniform(VAE):
    def sample(self, mu: Tensor, log_var: Tensor) -> Tensor:
        return mu + torch.exp(0.5 * log_var) * torch.rand_like(mu)

# %%
class SameNoise(VAE):
    def __init__(self) -> None:
        super().__init__()
        self.eps = torch.randn(8)  # drawn once

    def sample(self, mu: Tensor, log_var: Tensor) -> Tensor:
        return mu + torch.exp(0.5 * log_var) * self.eps

# %%
class NoGradient(VAE):
    def sample(self, mu: Tensor, log_var: Tensor) -> Tensor:
        return Normal(mu, torch.exp(0.5 * log_var)).sample()  # rsample was meant

# %%
class PositiveLogVar(VAE):
    def __init__(self) -> None:
        super().__init__()
        self.to_log_var = nn.Sequential(self.to_log_var, nn.ReLU())

# %%
class Unseen(VAE):
    def __init__(self) -> None:
        super().__init__()
        self.layers, self.body = [self.body], nn.Identity()  # a list hides its layers

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return super().encode(self.layers[0](x))

# %% [markdown]
# Relatives of the fifth: `abs` or softplus for log σ², which keep σ ≥ 1 as well, and a tanh, which keeps it between
# e^−½ and e^½.
#
# **Prediction.** For which of the six is the number that they print, their own last loss, *better* than that of the sound
# model? Which train no encoder at all?
#
# ✎ *Double-click here and write your answer:*

# %%
noisy = {kind.__name__: train(kind)
         for kind in (VAE, VarianceForSigma, Uniform, SameNoise, NoGradient, PositiveLogVar, Unseen)}
told = {}
for name, (model, losses) in noisy.items():
    R, D = terms(model)
    told[name] = {"own loss": sum(losses[-20:]) / 20, "honest −ELBO": R + D, "R": R, "D": D}
plots.table(told, forms={"R": ".2f"}, best={"own loss": "min", "honest −ELBO": "min"})

# %% [markdown]
# "Honest" is the ELBO with samples of the q(z|x) that the KL is computed for. Where the two columns differ by more than
# training and new images do, the loss is about another model than it says. **The measurement** is the noise itself:
# (z − μ)/σ has mean 0 and deviation 1, and is new each time. The KL can be read off the samples as well.
#
# ### Exercise 2 · `kl_per_latent_from_samples`
#
# *Difficulty ●●○ · importance ●●○ · 8 minutes.* The KL of each latent from samples alone,
# E_q[log q(z|x) − log p(z)]. If it differs from the closed form, z was not drawn from q.
#
# <details><summary>Hint 1</summary>
#
# `Normal(mu, sigma).log_prob(z)` broadcasts (B, d) against (S, B, d), and sums over nothing.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The prior of each latent is `Normal(0.0, 1.0)`, evaluated at the same z. Averaged are samples and images.
#
# </details>

# %% exercise="kl_per_latent_from_samples"
def kl_per_latent_from_samples(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """Mean over samples and images of log q(z_j|x) − log p(z_j), nats: (d,).

    z: (S, B, d), S samples for each image; mu, log_var: (B, d), q = N(μ, σ²), log_var = log σ²;
    p = N(0, 1).
    """
    ### BEGIN SOLUTION
    log_q = Normal(mu, torch.exp(0.5 * log_var)).log_prob(z)  # (S, B, d)
    log_p = Normal(0.0, 1.0).log_prob(z)
    return (log_q - log_p).mean((0, 1))
    ### END SOLUTION


# %% check="kl_per_latent_from_samples"
kl_per_latent_from_samples = check("kl_per_latent_from_samples", kl_per_latent_from_samples)

# %%
@torch.no_grad()
def noise_of(model: VAE, x: Tensor = X_new[:200], S: int = 20) -> dict[str, float]:
    """(z − μ)/σ: mean, deviation, change from draw to draw; KL from samples and in closed form."""
    torch.manual_seed(seed)
    mu, log_var, _ = model.encode(x)
    z = torch.stack([model.encode(x)[2] for _ in range(S)])  # (S, B, d)
    eps = (z - mu) * torch.exp(-0.5 * log_var)
    sampled = kl_per_latent_from_samples(z, mu, log_var).sum()
    found = {"mean": eps.mean(), "deviation": eps.std(), "from draw to draw": eps.std(0).mean(),
             "KL sampled": sampled, "closed form": VAE.rate(model, mu, log_var)}
    return {what: value.item() for what, value in found.items()}

# %%
found = {name: noise_of(model) for name, (model, _) in noisy.items()}
plots.table(found, corner="(z − μ)/σ", forms=dict.fromkeys(found["VAE"], ".2f"))

# %% [markdown]
# Three of the six are caught. The other three have sound noise, and are about **gradients**: which numbers does the
# distortion reach? And does the optimizer see them?

# %%
def arrives(model: VAE) -> dict[str, str | int]:
    model.zero_grad()
    model.distortion(model.decode(model.encode(X[:128])[2]), X[:128]).backward()
    grads = [model.to_mu.weight.grad, next(model.to_log_var.parameters()).grad]
    at_mu, at_log_var = ("none" if g is None else f"{g.norm():.3g}" for g in grads)
    seen = sum(p.numel() for group in Adam(model.trained()).param_groups for p in group["params"])
    with torch.no_grad():
        sigma = torch.exp(0.5 * model.encode(X[:128])[1])
    return {"gradient at μ": at_mu, "at log σ²": at_log_var, "numbers trained": seen,
            "σ": f"{sigma.min():.2f} to {sigma.max():.2f}"}

# %%
plots.table({name: arrives(model) for name, (model, _) in noisy.items()})

# %% [markdown]
# `sample()` cuts the graph, as `detach` on z does: the encoder feels the KL alone, and makes q the prior. A list of layers
# is no `nn.ModuleList`: its layers give gradients and are never stepped. Is `exp` itself a danger? It makes σ positive, and
# softplus would, too. From σ = 0.001 and σ = 100, by plain gradient descent on KL(N(0, σ²) ‖ N(0, 1)):

# %%
def descend(to_sigma, raw: float, lr: float = 0.05, n: int = 2_000) -> dict[str, str | int]:
    """The first gradient, and the steps until |σ − 1| < 0.1."""
    s = torch.tensor(raw, dtype=torch.float64, requires_grad=True)
    first = None
    for step in range(n):
        sigma = to_sigma(s)
        if not sigma.isfinite() or abs(sigma.item() - 1) < 0.1:
            break
        (slope,) = torch.autograd.grad(0.5 * (sigma**2 - 1) - sigma.log(), s)
        first = slope.item() if first is None else first
        s = (s - lr * slope).detach().requires_grad_()
    return {"first gradient": f"{first:.3g}", "steps": step, "σ then": f"{to_sigma(s).item():.3g}"}

# %%
walks = {}
for sigma in (0.001, 100.0):
    raw = sigma + math.log(-math.expm1(-sigma))  # softplus(raw) = sigma
    walks[f"exp(½ s) from {sigma:g}"] = descend(lambda s: torch.exp(0.5 * s), 2 * math.log(sigma))
    walks[f"softplus(s) from {sigma:g}"] = descend(F.softplus, raw)
plots.table(walks, corner="σ")

# %% [markdown]
# From below both creep up alike. From far above the gradient of `exp` is ½ (σ² − 1), and one step of it throws σ to 0; that of
# softplus is σ − 1/σ, and it walks back. Adam's steps do not depend on the gradient's size, so that `exp` is usual and mostly
# harmless: what made σ = 100 is what needs a repair (7.1). **The repairs:** each of the six lines gives way to the sound one.

# %%
mended = {}
for name, (model, _) in noisy.items():
    if name != "VAE":
        head = examine(model.encode, model.decode, X[:128], loss=model.loss).head()
        mended[name] = {"−ELBO": sum(terms(model)), "mended": sum(terms(sound)), "examine": head}
plots.table(mended)

# %%
examine(noisy["Uniform"][0].encode, noisy["Uniform"][0].decode, X[:128], loss=noisy["Uniform"][0].loss)

# %% [markdown]
# Theory: [03, section 3.4](03_variational_autoencoder.ipynb), where both gradients through a sample are derived.
#
# ## 7.5 · train(), eval(), and what a test measures
#
# **What people see.** The loss is fine while training, and reconstructions are bad afterwards; or one image alone gives
# another result than the same image in a batch; or it gives an error.

# %%
class Normed(VAE):
    momentum = 0.1

    def __init__(self) -> None:
        super().__init__()
        self.body.insert(1, nn.BatchNorm1d(128, momentum=self.momentum))
        self.decoder.insert(1, nn.BatchNorm1d(128, momentum=self.momentum))


class SlowlyNormed(Normed):
    momentum = 1e-3  # in other libraries 0.999 means this, and 0.001 the opposite

# %%
class Dropped(VAE):
    def __init__(self) -> None:
        super().__init__()
        self.body.append(nn.Dropout(0.8))

# %% [markdown]
# **Prediction.** Batch norm as usual, batch norm with a short momentum, and dropout of 80 %: for which is the −ELBO of new images
# better in `train()` than in `eval()`, for which worse?
#
# ✎ *Double-click here and write your answer:*
#
# ### Exercise 3 · `train_eval_gap`
#
# *Difficulty ●●○ · importance ●●○ · 8 minutes.* How far do reconstructions move when the mode changes? Careful: a pass in `train()`
# leaves its traces in batch norm.
#
# <details><summary>Hint 1</summary>
#
# A pass in `train()` moves the running statistics, with `torch.no_grad()` too. Whose statistics may move? Those of a copy.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `copy.deepcopy(model)` has its own layers, buffers and modes. Which of the two passes comes first on it?
#
# </details>

# %% exercise="train_eval_gap"
def train_eval_gap(model: nn.Module, x: Tensor) -> float:
    """Root mean squared difference of model(x) in train() and in eval(), in pixels' units.

    The model stays as it was found: the mode of each part, running statistics, weights. The pass in
    eval() uses the statistics that the model was found with.
    """
    ### BEGIN SOLUTION
    probe = copy.deepcopy(model)
    with torch.no_grad():
        probe.eval()
        x_eval = probe(x)
        probe.train()
        x_train = probe(x)
    return (x_train - x_eval).square().mean().sqrt().item()
    ### END SOLUTION


# %% check="train_eval_gap"
train_eval_gap = check("train_eval_gap", train_eval_gap)

# %%
modal = {"sound": sound} | {k.__name__: train(k)[0] for k in (Normed, SlowlyNormed, Dropped)}
plots.table({name: {"−ELBO in train()": sum(terms(copy.deepcopy(model).train())), "in eval()": sum(terms(model)),
                    "gap": float(train_eval_gap(model, X_new[:128]))} for name, model in modal.items()},
            forms={"gap": ".3f"})

# %% [markdown]
# **Running statistics** that move by 0.001 per step have seen nothing after this training: `eval()` is another network. Dropout left on
# (or `model.eval()` forgotten) is the opposite. **The measurement** for company: one image alone, with one other, and in a batch.

# %%
@torch.no_grad()
def in_company(model: VAE, n: int, *, training: bool) -> str:
    """How far the first image moves if n images are reconstructed together in place of 128."""
    net = copy.deepcopy(model).train(training)
    try:
        return f"{(net(X_new[:n])[0] - net(X_new[:128])[0]).square().mean().sqrt():.3f}"
    except ValueError as error:
        return f"ValueError: {str(error)[:44]}"

# %%
plots.table({
    f"{n} of 128 images": {f"in {mode}()": in_company(modal["Normed"], n, training=mode == "train")
                           for mode in ("train", "eval")}
    for n in (1, 2, 16)
}, corner="how far the first image moves")

# %% [markdown]
# And samples: batch norm in a decoder has only met codes of images. What do its layers make of z ~ N(0, I)?

# %%
@torch.no_grad()
def met(model: VAE) -> tuple[float, float]:
    """Mean square of the normalised features of held-out codes and of codes from the prior."""
    norm, z = model.decoder[:2], model.encode(X_new)[2]
    prior = torch.randn(z.shape, generator=torch.Generator().manual_seed(seed))
    scale, shift = norm[1].weight, norm[1].bias
    return tuple((((norm(c) - shift) / scale) ** 2).mean().item() for c in (z, prior))

# %%
squares = {name: dict(zip(("codes", "prior"), met(modal[name]))) for name in ("Normed", "SlowlyNormed")}
plots.table(squares, corner="mean square after the norm, 1 if it fits",
            forms={"codes": ".2f", "prior": ".2f"})

# %%
probe = modal["SlowlyNormed"]
examine(probe.encode, probe.decode, X[:128], loss=probe.loss)

# %% [markdown]
# **The repair** of statistics that lag: the usual momentum, or one pass in `train()` over the data at the end, without steps.

# %%
refreshed = copy.deepcopy(modal["SlowlyNormed"]).train()
for part in refreshed.modules():
    if isinstance(part, nn.BatchNorm1d):
        part.momentum = None  # a plain mean over all batches from now on
        part.reset_running_stats()
with torch.no_grad():
    for batch in X.split(256):
        refreshed.decode(refreshed.encode(batch)[2])
print(f"before {terms(modal['SlowlyNormed'])}\nafter  {terms(refreshed.eval())}")

# %% [markdown]
# ### At the mean, or at a sample?
#
# At test time many put in μ for z: reconstructions get better. Is the sum of the two terms then a better −ELBO? Here is a model for which
# it is much better. It was trained with z = μ as well.

# %%
class AtMean(VAE):
    def sample(self, mu: Tensor, log_var: Tensor) -> Tensor:
        return mu

# %%
@torch.no_grad()
def bounds(model: VAE, x: Tensor = X_new[:200], K: int = 100) -> dict[str, float]:
    """R + D at μ, −ELBO, and minus the IWAE bound of K samples; nats per image."""
    torch.manual_seed(seed)
    mu, log_var, _ = model.encode(x)
    q = Normal(mu, torch.exp(0.5 * log_var))
    bce = lambda z: F.binary_cross_entropy(model.decode(z), x, reduction="none").sum(1)  # noqa: E731
    at_mu = VAE.rate(model, mu, log_var) + bce(mu).mean()
    z = q.sample((K,))  # (K, B, d)
    log_w = Normal(0.0, 1.0).log_prob(z).sum(2) - q.log_prob(z).sum(2) - torch.stack([bce(s) for s in z])
    iwae = log_w.logsumexp(0) - math.log(K)
    found = {"R + D at μ": at_mu, "−ELBO": -log_w.mean(), f"−IWAE of {K}": -iwae.mean()}
    return {what: value.item() for what, value in found.items()}

# %%
at_mean = train(AtMean)[0]
found = {name: bounds(model) for name, model in {"sound": sound, "trained at μ": at_mean}.items()}
plots.table(found, corner="nats per image", best=dict.fromkeys(found["sound"], "min"))

# %%
print(examine(at_mean.encode, at_mean.decode, X[:128], loss=at_mean.loss).head())

# %% [markdown]
# −ELBO and −IWAE both lie above −log p(x) (in the sense of [03, section 3.5](03_variational_autoencoder.ipynb) for grey pixels), and the second lies
# nearer. R + D at μ bounds nothing, as it leaves out what the noise costs: by it the second model is ahead, by −ELBO the first one is.
# Report −ELBO at samples, or IWAE with its K. Use μ for pictures, and x̂, not a draw of pixels, where squared error is asked for:

# %%
with torch.no_grad():
    mu, log_var, z = sound.encode(X_new)
    errors = {"x̂ at μ": sound.decode(mu), "x̂ at a sample": sound.decode(z),
              "pixels drawn, at μ": sound.decode(mu).bernoulli()}
SQUARED = "squared error per image"
plots.table({name: {SQUARED: (x_hat - X_new).square().sum(1).mean().item()}
             for name, x_hat in errors.items()}, bars=[SQUARED])

# %% [markdown]
# Last, a test set that was used for stopping is used up. We keep the model after each of 20 steps at the end of a training, choose the best
# by 25 images, and look at the others. Half a thousand such choices:

# %%
@torch.no_grad()
def nats_of_each(model: VAE) -> Tensor:
    mu, log_var, _ = model.encode(X_new)
    kl = 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)
    return kl + F.binary_cross_entropy(model.decode(mu), X_new, reduction="none").sum(1)

# %%
torch.manual_seed(seed)
walker, scores = copy.deepcopy(sound).train(), []
optimizer = Adam(walker.parameters(), lr=4e-3)
for _ in range(20):
    optimizer.zero_grad()
    walker.loss(X[torch.randint(len(X), (128,))]).backward()
    optimizer.step()
    scores.append(nats_of_each(walker))
scores = torch.stack(scores)  # (20, N)

# %%
flattery = []
for _ in range(500):
    order = torch.randperm(len(X_new))
    chosen, fresh = scores[:, order[:25]].mean(1), scores[:, order[25:]].mean(1)
    best = chosen.argmin()
    flattery.append((fresh[best] - fresh.mean()) - (chosen[best] - chosen.mean()))
flattery = torch.stack(flattery)
print(f"on the images that chose it, the chosen one looks {flattery.mean():.2f} nats better than it is")

# %% [markdown]
# Small here, with twenty candidates that are alike; it grows with their number and shrinks with the images. Choose by validation images, and
# look at the test images once. Theory: [03, section 3.9](03_variational_autoencoder.ipynb).
#
# ## 7.6 · Good losses, bad pictures
#
# ### A σ that runs away
#
# **What people see.** A decoder with a σ of its own for each pixel: the loss falls far below 0, and goes on falling, with leaps.

# %%
class OwnSigma(VAE):
    def __init__(self) -> None:
        super().__init__()
        self.to_log_scale = nn.Linear(128, 784)

    def decode(self, z: Tensor) -> Normal:
        h = self.decoder[:2](z)
        mean, scale = torch.sigmoid(self.decoder[2](h)), self.to_log_scale(h).exp()
        return Normal(mean, scale, validate_args=False)

    def distortion(self, p_x: Normal, x: Tensor) -> Tensor:
        return -p_x.log_prob(x).sum(1).mean()

# %%
class OneSigma(OwnSigma):
    def __init__(self) -> None:
        super().__init__()
        self.log_sigma = nn.Parameter(torch.tensor(-1.0))

    def decode(self, z: Tensor) -> Normal:
        mean = super().decode(z).mean
        return Normal(mean, self.log_sigma.exp().expand_as(mean), validate_args=False)

# %%
running, running_losses = train(OwnSigma, n=2 * steps, lr=2e-3)
steady, steady_losses = train(OneSigma, n=2 * steps, lr=2e-3)

# %%
figures.runaway({"σ for each pixel": running_losses, "one σ": steady_losses})
plt.show()

# %% [markdown]
# **Figure 2.** Two trainings that differ in how many σ there are: one is still falling at the end, and
# leaps. Beyond 1,000 nats the axis counts in powers of ten.
#
# **The measurement**: the smallest σ, and where it is. Pixels that are black in every training image can be told to any precision: each factor
# of 10 in σ is worth log 10 = 2.3 nats, in every such pixel, without end.

# %%
constant = X.std(0) == 0
told = {}
with torch.no_grad():
    for name, model in {"σ for each pixel": running, "one σ": steady}.items():
        p_x = model.decode(model.encode(X_new)[0])
        share = -p_x.log_prob(X_new)[:, constant].sum(1).mean().item()
        told[name] = {"smallest σ": f"{p_x.stddev.min():.1e}",
                      f"−log p of {constant.sum()} constant pixels": share,
                      SQUARED: (p_x.mean - X_new).square().sum(1).mean().item()}
plots.table(told, best={SQUARED: "min"})

# %%
examine(running.encode, running.decode, X[:128], loss=running.loss)

# %% [markdown]
# **The repair**, one σ for all pixels, gives its nats to the pixels that matter: look at the two squared errors
# ([Rybkin et al., 2021](https://arxiv.org/abs/2006.13202)). Theory:
# [05, section 5.2](05_generation_celeba_cifar.ipynb), where the best σ is a formula.
#
# ### Good reconstructions, bad samples
#
# **What people see.** Reconstructions are sharp; decoded codes from N(0, I) are broken strokes. **Prediction.** A KL weight of 0.01, a VAE
# whose codes somebody standardised before he decoded noise, and a temperature of 2: which of them leaves E z² as it should be?
#
# ✎ *Double-click here and write your answer:*

# %%
cheap = scaled_models["BCE sum, KL × batch / N"][0]


@torch.no_grad()
def samples(model: VAE, *, n: int = 500, scale: float | Tensor = 1.0, shift: float | Tensor = 0.0) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return model.decode(shift + scale * torch.randn(n, 8, generator=g))

# %%
with torch.no_grad():
    codes = {name: m.encode(X)[2] for name, m in {"cheap": cheap, "sound": sound}.items()}
spread_of_codes = {name: (z.std(0), z.mean(0)) for name, z in codes.items()}
plots.table({
    name: {what: f"{v.min():.2f} to {v.max():.2f}" for what, v in zip(("deviation", "mean"), both)}
    for name, both in spread_of_codes.items()
}, corner="codes")

# %% [markdown]
# **The measurement** has two parts. Is what we feed the decoder distributed like the codes that it knows? A KL between Gaussians says it in nats
# per code. The second is the eye, in the figure below, with two numbers in the table: how much samples differ, and how well the model reconstructs them.

# %%
def mismatch(name: str, scale: float | Tensor, shift: float | Tensor = 0.0) -> float:
    """KL(codes ‖ what is fed), each latent a Gaussian, nats per code."""
    deviation, mean = spread_of_codes[name]
    ratio = (deviation / scale) ** 2
    return (0.5 * (ratio + ((mean - shift) / scale) ** 2 - 1 - ratio.log())).sum().item()


scale, shift = spread_of_codes["cheap"]
feeds = {
    "sound, N(0, I)": ("sound", 1.0, 0.0), "sound, temperature 2": ("sound", 2.0, 0.0),
    "KL too cheap, N(0, I)": ("cheap", 1.0, 0.0), "too cheap, own spread": ("cheap", scale, shift),
}

# %%
drawn, quality, fed = {}, {}, {}
for title, (name, scale, shift) in feeds.items():
    model = {"sound": sound, "cheap": cheap}[name]
    x = drawn[title] = samples(model, scale=scale, shift=shift)
    with torch.no_grad():
        again = model.decode(model.encode(x)[0])
        loss = (again - x).square().sum(1).mean() / (model(X_new) - X_new).square().sum(1).mean()
    fed[title] = mismatch(name, scale, shift)
    quality[title] = {"spread": float(spread_between_images(x, X_new[:500])),
                      "error, over that of images": loss.item()}
plots.table(quality, corner="samples", forms=dict.fromkeys(quality[title], ".2f"))

# %%
figures.samples({name: x[:8].view(-1, 28, 28) for name, x in drawn.items()}, fed)
plt.show()

# %% [markdown]
# **Figure 3.** Samples of two decoders, with the mismatch, in nats per code, between what they are fed
# and the codes that they know. In the second row the sound model is fed codes from N(0, 2² I). In the third row codes from N(0, I) fall beside or into the middle of codes that reach
# much farther; in the fourth they are moved and stretched to the codes' own spread.
#
# The third row is also what standardised codes give: who trains something on (z − mean)/deviation, and forgets to undo it, feeds the decoder N(0, I).
# Stretching is the repair, of the spread and not of the holes: a Gaussian with the right moments still has places where no codes are. Theory:
# [03, section 3.8](03_variational_autoencoder.ipynb) and [02, section 2.13](02_convolutional_autoencoder.ipynb).

# %%
examine(cheap.encode, cheap.decode, X[:128], loss=cheap.loss)

# %% [markdown]
# ### Overfitting, or not yet converged?
#
# **What people see.** A training loss that goes on falling. There is no lower end that one could know. **The measurement** is a second curve, of images
# that were held out: where it turns up, the model learns its 250 images by heart. `fit` takes `valid` and stops by `patience`; it hands back the best
# weights.

# %%
class Parts(NamedTuple):
    """What `fit` logs, nats per image."""

    loss: Tensor


def objective(model: VAE, x: Tensor) -> tuple[Tensor, Parts]:
    loss = model.loss(x.flatten(1))
    return loss, Parts(loss.expand(len(x)))

# %%
def fitted(epochs: int, patience: int | None) -> tuple[VAE, list]:
    torch.manual_seed(seed)
    model = VAE()
    few, valid = digits.train.images[:250], digits.train.images[-300:]
    records = fit(model, objective, few, epochs=epochs, batch_size=50, lr=2e-2, seed=seed,
                  valid=valid, patience=patience)
    return model, [(r.loss, r.valid["loss"]) for r in records if r.valid]

# %%
epochs = 60 + steps // 4
(overfitted, curves), (stopped, stopped_curves) = fitted(epochs, None), fitted(epochs, 10)
overfitted, stopped = overfitted.cpu().eval(), stopped.cpu().eval()
told = {
    name: {"epochs": len(records), "−ELBO of its 250 images": sum(terms(model, X[:250])),
           "of new ones": sum(terms(model))}
    for name, model, records in [("to the end", overfitted, curves),
                                 ("stopped by patience", stopped, stopped_curves)]
}
plots.table(told, best={"of new ones": "min"})

# %%
figures.overfitting(*zip(*curves))
plt.show()

# %% [markdown]
# **Figure 4.** A VAE on 250 images: the two curves part, and only the lower one goes on. The dotted
# line marks the least −ELBO of held-out images.
#
# "Converged" is no property of the lower curve alone. If both still fall, train on; if both lie flat, it has converged; if they part, stop at the dotted
# line. `examine` needs `held_out` for this, as nothing in the model itself shows it.

# %%
examine(overfitted.encode, overfitted.decode, X[:128], loss=overfitted.loss, held_out=X_new[:128])

# %% [markdown]
# ### A picture that goes past the code
#
# **What people see.** Skip connections, as in a U-Net, make reconstructions nearly perfect, and samples bad. Theory has no objection: nothing says that the
# picture must take the long way.

# %%
class Skip(VAE):
    def __init__(self) -> None:
        super().__init__()
        self.skip = nn.Linear(784, 784)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        self.x = x
        return super().encode(x)

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.decoder(z) + self.skip(self.x))

# %%
skipping, x, told = train(Skip)[0], X_new[:200], {}
with torch.no_grad():
    for name, model in {"sound": sound, "with a skip": skipping}.items():
        error = (model(x) - x).square().sum(1).mean() / (x - x.mean(0)).square().sum(1).mean()
        told[name] = {"R": terms(model).R, "D": terms(model).D, "error": error.item(),
                      "from other codes": from_other_codes(model, x)}
plots.table(told, forms={"R": ".3f", "error": ".2f", "from other codes": ".2f"})

# %%
with torch.no_grad():
    skipping.encode(X_new[:8])
    swapped = skipping.decode(skipping.encode(X_new[:8])[0].roll(1, 0))
    rows = {"image": X_new[:8], "its own code": skipping(X_new[:8]), "another's code": swapped}
by_code = dict(zip(list(rows)[1:], list(told["with a skip"].values())[2:]))
figures.another_code({k: x.view(-1, 28, 28) for k, x in rows.items()}, by_code)
plt.show()

# %% [markdown]
# **Figure 5.** The same skip, another code; at the right the error over that of the mean image, of 200
# images. Where both rows are alike, the code is not what is decoded.
#
# **The measurement** is this swap, and no loss can replace
# it. **The repair** is to let everything pass through z; skip connections belong into models that are given an image, such as the denoisers of
# [02, section 2.6](02_convolutional_autoencoder.ipynb).

# %%
examine(skipping.encode, skipping.decode, X[:128], loss=skipping.loss)

# %% [markdown]
# ## 7.7 · Models from elsewhere
#
# `examine` wants two functions. A module from a library or from a plain tutorial has them under other names; two lines adapt it. Here are the two interfaces that
# one meets most, as small as they get: pythae's, whose encoder and decoder are modules that return named outputs, and that of a tutorial, whose `forward` does it all.

# %%
class Named(dict):
    """Outputs by name, as attributes too."""

    __getattr__ = dict.__getitem__

# %%
class LibraryStyle(nn.Module):
    """model.encoder(x).embedding, .log_covariance; model.decoder(z).reconstruction; model({"data": x}).loss"""

    def __init__(self, vae: VAE) -> None:
        super().__init__()
        self.vae = vae

    def encoder(self, x: Tensor) -> Named:
        return Named(zip(("embedding", "log_covariance"), self.vae.encode(x)))

    def decoder(self, z: Tensor) -> Named:
        return Named(reconstruction=self.vae.decode(z))

    def forward(self, inputs: dict) -> Named:
        return Named(loss=self.vae.loss(inputs["data"]))

# %%
model = LibraryStyle(noisy["PositiveLogVar"][0])


def library_loss(x: Tensor) -> Tensor:
    return model({"data": x}).loss


examine(model.encoder, model.decoder, X[:128], loss=library_loss)

# %%
class TutorialStyle(nn.Module):
    """recon, mu, logvar = model(x), and a loss_function beside it."""

    def __init__(self, vae: VAE) -> None:
        super().__init__()
        self.vae = vae

    def decode(self, z: Tensor) -> Tensor:
        return self.vae.decode(z)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar, z = self.vae.encode(x)
        return self.decode(z), mu, logvar

# %%
def loss_function(recon: Tensor, x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    return F.binary_cross_entropy(recon, x) - 0.5 * torch.sum(1 + logvar - mu**2 - logvar.exp()) / len(x)

# %%
tutorial = TutorialStyle(scaled_models["BCE mean over pixels, KL sum"][0])
examine(lambda x: tutorial(x)[1:], tutorial.decode, X[:128],
        loss=lambda x: loss_function(*(out := tutorial(x))[:1], x, *out[1:]))

# %% [markdown]
# ### Exercise 4 · `diagnose`
#
# *Difficulty ●●○ · importance ●●● · 20 minutes.* Now without a model: eight recorded trainings, a dictionary of measurements each. Name the causes. They are drawn anew each
# time, so write down rules; `CAUSES` has the names. A recording holds
#
# - `pixels`, least and largest; `loss` and `held_out`, 40 points of −ELBO over the training;
# - `kl` and `second_moment` (E z²) of each of 8 latents; `noise`, mean and deviation of (z − μ)/σ;
# - `error` of reconstructions, 1 for the mean image, and `error_swapped`, from other images' codes;
# - `mode_gap`, how far `train()` moves images over their spread; `encoder_gradient`, the norm of the distortion's.

# %%
recordings, causes = draw(torch.Generator().manual_seed(seed))
print("causes:", "; ".join(CAUSES))
for name, value in recordings[0].items():
    shown = value[::8] if name in ("loss", "held_out") else value
    print(f"{name:17s} {shown}")

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Ask in an order in which a fault cannot hide another: pixels first, as bytes make NaN of all the rest; the way past the code before the collapse, since both have no KL.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Two causes end with no KL and one picture. One leaves the encoder a small gradient of the distortion, the other exactly none.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Sound models leave some latents unused, have one that is far out, move a little between the modes, and cost a few nats more on held-out images. A fault is far from all
# of that: by tens of nats, or in most latents.
#
# </details>

# %% exercise="diagnose"
def diagnose(recordings: list[dict]) -> list[str]:
    """The cause of each recorded training, in their order: names that stand in CAUSES."""
    ### BEGIN SOLUTION
    def cause(r: dict) -> str:
        if r["pixels"].max() > 1:
            return "pixels are bytes"
        if r["error_swapped"] < 0.7:
            return "the picture goes past the code"
        if (r["noise"][1] - 1).abs() > 0.2:
            return "the noise is wrong"
        if r["mode_gap"] > 0.5:
            return "train() and eval() differ"
        if r["kl"].sum() < 0.1:
            frozen = r["encoder_gradient"] == 0
            return "the encoder gets no gradient" if frozen else "the KL weighs too much"
        if r["second_moment"].median() > 4:
            return "the KL weighs too little"
        turned = r["held_out"][-1] > r["held_out"].min() + 8
        return "overfitting" if turned else "nothing"

    return [cause(r) for r in recordings]
    ### END SOLUTION


# %% check="diagnose"
diagnose = check("diagnose", diagnose)

# %%
for found, true in zip(diagnose(recordings), causes):
    print(f"{'✓' if found == true else '✗'} {found:32s} {'' if found == true else 'it is: ' + true}")

# %% [markdown]
# ## 7.8 · What we have seen
#
# | what you see | measure first | if it is so |
# |---|---|---|
# | millions, then NaN; a negative loss | least and largest pixel and output (7.1) | scale the pixels; sigmoid, logits |
# | one picture for all | spread, other codes, gradient at the last layer (7.2) | ReLU, a smaller step, a slope at the output |
# | the KL falls to 0 | the price; did the encoder move; other codes (7.2, 7.3) | sums, β = 1, one learning rate, a weaker decoder |
#
# The others show when it is over:
#
# | what you see | measure first | if it is so |
# |---|---|---|
# | a loss that is too good | (z − μ)/σ; KL from samples (7.4); z or μ (7.5) | σ = exp(½ log σ²), `randn`, `rsample` |
# | good in training, bad after | −ELBO in `train()` and `eval()` (7.5) | `model.eval()`, fresh statistics |
# | a loss that falls for ever | the smallest σ; held-out images (7.6) | one σ; `patience` |
# | fine pictures, bad samples | E z²; the swap of codes (7.6) | weight of the KL, undo the scaling, no skips |
#
# Three habits catch most of it. Look at ranges before you train. Keep rate and distortion apart, in nats per image. Hold a number against a baseline that
# knows nothing: the mean image, the untrained model, the prior.
#
# **To think about.** (1) Two models have the same −ELBO, R and D. Can one of them be broken? (2) Which of the measurements would still work if you had only the
# decoder? (3) Which failure of this notebook would lower the loss *and* improve the pictures?
#
# <details><summary>One answer</summary>
#
# (1) Yes: with a skip connection D is small for a reason that the numbers do not show. (2) Ranges of the output, spread between samples, nearness to training images.
# (3) A decoder that sees its neighbours, or a skip: both numbers are right, for another question.
#
# </details>
