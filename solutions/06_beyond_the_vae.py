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
import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.distributions import kl_divergence

# %%
from course_lib import datasets, losses, plots, widgets
from course_lib.exercises import check
from course_lib.settings import short_run_note, shortened

# %%
plots.use_course_style()
torch.manual_seed(seed)
rng = torch.Generator().manual_seed(seed)

# %% [markdown]
# ## 6.3 · Deep hierarchies

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
