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
from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal

# %%
from course_lib import losses, models, plots, widgets
from course_lib.codes import code_of
from course_lib.exercises import check
from course_lib.metrics import effective_number, share_drawn, student_interval
from course_lib.settings import short_run_note, shortened
from course_lib.synthetic.faces import FACTOR_NAMES, render, sample_factors
from course_lib.training import fit, to_float

# %%
plots.use_course_style()
torch.manual_seed(seed)
rng = torch.Generator().manual_seed(seed)

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
n_faces, n_tested, code_steps, judge_steps, n_trainings = shortened(
    (4_000, 1_200, 300, 200, 5), (800, 400, 40, 25, 2))
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
first = [(~tested.deep & (tested.worn == 0)), (~tested.deep & (tested.worn == 1)),
         (tested.deep & (tested.worn == 0)), (tested.deep & (tested.worn == 1))]
rows = torch.cat([tested.images[some.nonzero()[:10, 0]] for some in first])
fig, ax = plt.subplots(figsize=(7.5, 3.2))
plots.image_grid(rows, ax, columns=10)
plt.show()

# %% [markdown]
# **Figure 1.** Test faces: pale without and with glasses, then deep without and with glasses. Note how few
# pixels the answer is in, and how much of each picture is background.
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
    low, high = z.min(0).values, z.max(0).values  # (d,)
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
print(f"deep skin is {share_drawn(p, crowd.deep):.1%} of a batch and {crowd.deep.float().mean():.1%} of the faces")

# %%
again = torch.multinomial(p, 1_000, replacement=True, generator=rng)
fig, axes = plt.subplots(1, 2, figsize=(8.6, 3.6), sharex=True, sharey=True)
for ax, some, title in zip(axes, (torch.randperm(len(codes), generator=rng)[:1_000], again),
                           ("1,000 as collected", "1,000 as drawn")):
    plots.code_map(codes[some], crowd.deep[some].long(), ax, names=("pale", "deep"))
    ax.set_title(title)
plt.show()

# %% [markdown]
# **Figure 2.** Codes of faces as collected, and as drawn by your weights; a face drawn twice is one point.
# Note the corner where deep skin lies: few pale faces share its intervals, and so a histogram can see that it is rare.
# Pale faces at the other edges are drawn more often, too.

# %%
panel = widgets.resampling(debiasing_weights, codes, crowd.images, crowd.deep, n_bins=n_bins, start=alpha,
                           name="deep skin")
panel

# %% [markdown]
# **Figure 3.** Move α. Above, faces drawn uniformly and with your weights. The curve is the price: further up, more of a
# batch is from the group; further left, a batch repeats fewer images. The *effective number* 1/Σp² says how many
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
    "density, a tenth of α": lambda half: debiasing_weights(codes[half], n_bins, alpha / 10),
    "true groups": lambda half: of_groups(crowd.deep[half], ~crowd.deep[half]),
}
errors = compare(crowd, ways, tested.deep, trainings=n_trainings)

# %%
half = half_of(crowd, seed=0)
for name, weigh in ways.items():
    deep, pale = (student_interval(column) for column in zip(*errors[name]))
    print(f"{name:21s} deep skin {share_drawn(weigh(half), crowd.deep[half]):4.0%} of a batch; wrong: "
          f"deep {deep[0]:4.1f} ± {deep[1]:3.1f} %, pale {pale[0]:4.1f} ± {pale[1]:3.1f} %")

# %%
def told_change(errors: dict, name: str, who: str) -> str:
    """What the paired differences to "as collected" say about the group, in a sentence."""
    pairs = zip(errors[name], errors["as collected"], strict=True)
    mean, half = student_interval([mine[0] - theirs[0] for mine, theirs in pairs])
    verdict = "no change shown in so few trainings."
    if abs(mean) > half:
        verdict = f"this helps {who}." if mean < 0 else f"this harms {who}."
    return f"{name:22s} {mean:+5.1f} ± {half:4.1f} points over {len(errors[name])} trainings: {verdict}"

# %%
for name in list(ways)[1:]:
    print(told_change(errors, name, "faces with deep skin"))
short_run_note("the differences between ways to draw")

# %%
def show_errors(errors: dict, ax: plt.Axes, names: tuple[str, str]) -> None:
    """Mean and interval of the error in the group, and outside, of each way to draw."""
    reports = {}
    for name, pairs in errors.items():
        both = [student_interval(column) for column in zip(*pairs)][::-1]  # others, then the group
        reports[name] = {i: (m, max(0.0, m - h), m + h) for i, (m, h) in enumerate(both)}
    plots.group_intervals(reports, ax, names=names, x_label="percent wrong")
    ax.invert_yaxis()

# %%
fig, ax = plt.subplots(figsize=(8, 3))
show_errors(errors, ax, ("pale skin", "deep skin"))
plt.show()

# %% [markdown]
# **Figure 4.** Errors on unseen faces of both groups, for four ways to draw the same training faces: mean and
# 95% interval (Student's t) over trainings, each with its own half of the faces. Note how far the density of
# codes goes of the way to the true groups, and what pale faces pay. More of the group in a batch is not all: with a
# tenth of α a batch repeats fewer faces, so look at what this does to both errors.
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
print(f"{'deep skin lies apart by':37s} and is of a batch (of the faces {crowd.deep.float().mean():.1%})")
shares = {}
for name, z in other_codes.items():
    apart = ((z[crowd.deep].mean(0) - z[~crowd.deep].mean(0)).abs() / z.std(0)).max()  # in one latent
    p = debiasing_weights(z, n_bins, alpha)
    shares[name] = share_drawn(p, crowd.deep)
    print(f"{name:33s} {apart:3.1f} s {shares[name]:6.1%}; effective number of images {effective_number(p):5,.0f}")
least = min(shares, key=shares.get)
if shares[least] < crowd.deep.float().mean():
    print(f"By codes that are {least}, the group is drawn less often than it was collected.")

# %%
few = min(3, n_trainings)
blind = other_codes["linear, 2 latents, whole picture"]
errors_whole = compare(crowd, {
    "whole picture": lambda half: debiasing_weights(blind[half], n_bins, alpha),
}, tested.deep, trainings=few)
errors_whole["as collected"] = errors["as collected"][:few]
print(told_change(errors_whole, "whole picture", "faces with deep skin"))

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
    "density within classes": lambda half: within_classes(codes_mixed[half], mixed.worn[half]),
    "true groups": lambda half: of_groups(*(cell[half] for cell in cells)),
}
errors_mixed = compare(mixed, ways_mixed, odd_tested, trainings=few)

# %%
half = half_of(mixed, seed=0)
for name, weigh in ways_mixed.items():
    print(f"{name:22s} the rare pairs are {share_drawn(weigh(half), odd[half]):5.1%} of a batch")

# %%
for name in list(ways_mixed)[1:]:
    print(told_change(errors_mixed, name, "the rare pairs"))
short_run_note("the differences between ways to draw")

# %%
fig, ax = plt.subplots(figsize=(8, 3))
show_errors(errors_mixed, ax, ("frequent pairs", "rare pairs"))
plt.show()

# %% [markdown]
# **Figure 5.** Errors where each value is frequent and two pairs are rare. One histogram per latent sees
# skin, half and half, and never asks with what it comes. Note the third way: within the class of faces with
# glasses, deep skin *is* a rare value. The paper, too, weighs within one class, that of faces. It needs the label that
# training has anyway; a rare pair of two unlabelled factors stays unseen, unless the histogram is of both
# latents together, and those of d latents have `n_bins` to the power d cells.

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
