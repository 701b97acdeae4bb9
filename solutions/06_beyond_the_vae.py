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
latent_faces = 10_000
latent_steps = 1_000
drawn_faces = 500
pixel_faces = 150
pixel_steps = 20

# %%
import time
from collections.abc import Callable

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

# %%
from course_lib import checkpoints, datasets, diffusion, plots, widgets
from course_lib.codes import code_of, gaussian_codes, image_of
from course_lib.metrics import feature_statistics, features_of, frechet_distance
from course_lib.models import CodeDenoiser, ConvVAE, UNet
from course_lib.pretrained import find as fitting
from course_lib.pretrained import load_or_train, metrics_of
from course_lib.settings import short_run_note, shortened
from course_lib.training import fit, to_float

# %%
plots.use_course_style()
torch.manual_seed(seed)
rng = torch.Generator().manual_seed(seed)

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
# ([Rombach et al., 2022](https://arxiv.org/abs/2112.10752)). First the faces and two decoders of notebook 05:
# an autoencoder, which never heard of a prior, and a VAE.

# %%
latent_faces, latent_steps, drawn_faces, pixel_faces, pixel_steps = shortened(
    (latent_faces, latent_steps, drawn_faces, pixel_faces, pixel_steps), (2_000, 120, 200, 40, 5))
celebs = datasets.load("celeba", size=64)
painters = {"AE": load_or_train("-ae-128", celebs, steps=100, seed=seed).model}
painters["VAE"], vae_card, _ = load_or_train("-vae-128", celebs, steps=100, seed=seed)
x_codes = celebs.train.images[:latent_faces]
codes = {kind: torch.cat([code_of(model, to_float(part)) for part in x_codes.split(1_000)])
         for kind, model in painters.items()}  # (N, 128) each
print(f"{celebs.source}; codes of {len(x_codes):,} training faces, {codes['AE'].shape[1]} numbers each")

# %% [markdown]
# The forward process and the velocity are those of notebook 05, with z in place of x:
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
    model.eval().requires_grad_(False)
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
every = len(young_told["losses"]) // 10
smooth = torch.tensor(young_told["losses"])[: 10 * every].reshape(10, every).mean(1)  # (10,)
young_size = sum(p.numel() for p in young_denoiser.parameters())
print(f"{young_size:,} parameters, {latent_steps} steps in {young_told['seconds']:.0f} s; error of v per code "
      f"{smooth[0]:.1f} at first, {smooth[-1]:.1f} at last; best linear {linear:.1f}")
short_run_note("The error and the samples")

# %%
fig, ax = plt.subplots(figsize=(8.6, 2.9))
places = [every * (i + 0.5) for i in range(10)]
plots.curves({"denoiser": (places, smooth), "best linear": (places, [linear] * 10)}, ax,
             x_label="step", y_label="‖v − v̂‖² per code")
plt.show()

# %% [markdown]
# **Figure 1.** Live training on the autoencoder's codes, mean error over tenths of the steps. Note where the
# curve crosses the line of the best linear guess: from there on the network knows more of the codes than a
# Gaussian does.
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
# Now all densities on one ruler, notebook 05's Fréchet distance on course features. A distance to test faces
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
        density_rows[name] = frechet_distance(*mine, *to_faces), frechet_distance(*mine, *to_rebuilt)
print(f"{n} faces on each side{'':16s} to test faces   to rebuilt test faces")
for name, (to_real, to_own) in sorted(density_rows.items(), key=lambda row: row[1]):
    print(f"{name:35s} {to_real:13.1f} {to_own:20.1f}")
print(f"{'training faces (the floor)':35s} {frechet_distance(*statistics_of(x_seen), *to_faces):13.1f}")

# %%
for kind in painters:
    fit_row, own, best = (density_rows[f"{kind}, {name}"][1] for name in (
        "fitted Gaussian", "latent diffusion", "rebuilt training faces"))
    print(f"{kind}: from the fitted Gaussian ({fit_row:.1f}) to the ceiling ({best:.1f}) of the second column, "
          f"diffusion goes {(fit_row - own) / (fit_row - best):.0%} of the way")

# %% [markdown]
# Read the two columns together. In the second the order is that of the densities. In the first a Gaussian may come
# out ahead of a better density, and even of the ceiling: its codes are more varied than real ones, the images of a
# blurred decoder less varied than real faces, and a distance lets one fault pay for the other.

# %%
fig, ax = plt.subplots(figsize=(8.6, 6.6))
plots.image_rows({name: image_of(model, z[:10]) for name, (model, z) in drawn.items()}, ax)
plt.show()

# %% [markdown]
# **Figure 2.** The first ten of each row, none chosen. Note that each block of four has one decoder: all that
# changes is where the codes come from. The last row of a block is its **ceiling**, faces that went through
# the code: no density can be expected to do better with this decoder. What separates it from the floor is
# the decoder's, and no learning of densities will bring it back.
#
# A density learned from so many codes could also *be* these codes, learned by heart. Then samples would lie
# nearer to training codes than codes of new faces do.

# %%
for kind, denoiser in denoisers.items():
    known = denoiser.standardized(codes[kind])
    fresh = denoiser.standardized(code_of(painters[kind], x_held_out))
    made = denoiser.standardized(drawn[f"{kind}, latent diffusion"][1])
    near_made, near_fresh = (torch.cdist(z, known).min(1).values.median().item() for z in (made, fresh))
    verdict = "learned by heart" if near_made < 0.5 * near_fresh else "not copies"
    print(f"{kind}: nearest training code, median distance {near_made:.2f} from a sample, {near_fresh:.2f} from "
          f"a test face: {verdict}")

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
# **Figure 3.** Move the step from 1 to 50. Note the lower row at step 1: from noise alone the best guess is
# the mean code, the same for all, and its image is a mean face of this decoder. Then faces part: first skin, hair
# and background, at the end small things. Unlike pixels, noisy codes do not look noisy: the decoder has
# only faces to show, also for codes that belong to none.
#
# ### Codes or pixels?
#
# The same faces by diffusion of pixels: notebook 05's U-Net, narrower, for 64 × 64, with as many
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
print(f"{m} faces on each side   parameters   s of training   s for 500 faces   Fréchet distance")
for name, (_, seconds) in rivals.items():
    card = latent_card if name.startswith("latent") else pixel_card
    print(f"{name:22s} {card['parameters']:11,} {card['seconds']:15.0f} {seconds:17.1f} {rival_distance[name]:17.1f}")
for name, x in {"rebuilt training faces": image_of(painters["VAE"], codes["VAE"][:m]),
                "training faces (floor)": x_seen[:m]}.items():
    print(f"{name:67s} {frechet_distance(*statistics_of(x), *to_few):17.1f}")

# %%
share = latent_card["seconds"] / pixel_card["seconds"]
with_vae = (latent_card["seconds"] + vae_card["seconds"]) / pixel_card["seconds"]
ours, theirs = list(rivals)[1:]
print(f"Training: the denoiser of codes took {share:.2f} of the seconds of the U-Net, {with_vae:.2f} with the "
      f"VAE's own {vae_card['seconds']:.0f} s; sampling {rivals[ours][1] / rivals[theirs][1]:.3f}. Nearer to "
      f"test faces: {min((ours, theirs), key=rival_distance.get)}")

# %% [markdown]
# Two things are to be said with it. The VAE had to be trained, too; once it is there it serves every density, and the
# line above gives both shares. And minutes are little for pixels: `faces-pixels` has seen each of its images once,
# `faces-latent` each code 40 times. Pixel diffusion has no decoder that limits it, so with enough training it can
# pass the ceiling at which latent diffusion ends.
#
# The course keeps the same comparison with more faces and more steps of the U-Net, of one run.

# %%
kept_latent = metrics_of("latent", celebs)
for size, found in (kept_latent or {"sizes": {}})["sizes"].items():
    print(f"\n{size} × {size}, {found['n']} faces on each side; the VAE was trained for {found['vae_seconds']:.0f} s")
    for row in sorted(found["rows"], key=lambda row: row["frechet"]):
        training = f"{row['train_seconds']:6.0f} s of training" if "train_seconds" in row else ""
        print(f"  {row['name']:24s} {row['frechet']:7.1f}   to rebuilt {row['frechet_rebuilt']:7.1f}   "
              f"{row['sample_seconds']:7.2f} s to draw {training}")

# %%
rival_rows = {name: x[:10] for name, (x, _) in rivals.items()}
fig, ax = plt.subplots(figsize=(8.6, 4.2))
plots.image_rows(rival_rows | {"test faces": x_held_out[:10]}, ax)
plt.show()

# %% [markdown]
# **Figure 4.** The first ten of each, and test faces. Note what each lacks: latent diffusion has the decoder's
# blur, and from the decoder it also has what holds a face together. Pixel diffusion must learn both from
# scratch. How far it has come in its seconds, the third row shows: place and outline come first, skin and
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
print("milliseconds per image     64 × 64   128 × 128     ratio")
for name, small in speed[64].items():
    print(f"{name:22s} {small:11.3f} {speed[128][name]:11.3f} {speed[128][name] / small:9.1f}")
for side, each in speed.items():
    by_pixels = pixel_steps * each["pixels, evaluation"]
    by_codes = 100 * each["codes, evaluation"] + each["decoder, once"]
    print(f"{side} pixels: a sample takes {by_pixels:.0f} ms in {pixel_steps} steps of pixels and {by_codes:.1f} ms in 100 "
          f"steps of codes, a factor of {by_pixels / by_codes:.0f}; of training steps "
          f"{each['pixels, training'] / each['codes, training']:.0f}")

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
    fig, ax = plt.subplots(figsize=(8.6, 2.4))
    plots.image_rows({row: image_of(large_vae, z) for row, z in large_rows.items()}, ax)
    plt.show()

# %% [markdown]
# **Figure 5.** 128 × 128: codes from the prior, and codes from latent diffusion, by one small VAE. Note that
# nothing in the denoiser knows how many pixels there will be: it is the network of the small faces.
#
# **What we have seen.** The two columns of the table answer the question: what a Gaussian leaves is a density, and
# it can be learned in seconds, because it is learned where an image is a hundred numbers. What is left after
# that is the decoder's. Latent diffusion divides the work: an autoencoder, trained once, deals with pixels, and a
# diffusion model deals with what is possible. The price is a ceiling that no density can lift. The first section asked
# for the same density over *symbols* in place of numbers; both are answers to one question.
