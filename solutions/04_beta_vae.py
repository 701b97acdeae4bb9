# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4 · The β-VAE
#
# {{colab_badge}}

# %% setup=true

# %% tags=["parameters"]
seed = 0

# %% [markdown]
# ### `rate_distortion`

# %% exercise="rate_distortion"
def rate_distortion(
    x: Tensor, logits: Tensor, mu: Tensor, log_var: Tensor
) -> tuple[Tensor, Tensor]:
    """(rate, distortion) of a batch: mean KL and mean cross-entropy, nats per image.

    x: (B, D) in [0, 1]; logits: (B, D); mu, log_var: (B, d). Returns two scalars, rate first;
    a batch of two equal images gives what one of them gives.
    """
    ### BEGIN SOLUTION
    rate = 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)  # (B,)
    distortion = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)  # (B,)
    return rate.mean(), distortion.mean()
    ### END SOLUTION


# %% check="rate_distortion"
rate_distortion = check("rate_distortion", rate_distortion)

# %% [markdown]
# ### `active_units`

# %% exercise="active_units"
def active_units(mu: Tensor, threshold: float = 0.01) -> int:
    """The number of latents whose posterior mean varies: Var_x[μ_j(x)] > threshold.

    mu: (N, d), posterior means of N images.
    """
    ### BEGIN SOLUTION
    return int((mu.var(dim=0) > threshold).sum())
    ### END SOLUTION


# %% check="active_units"
active_units = check("active_units", active_units)

# %% [markdown]
# ### `beta_schedule`

# %% exercise="beta_schedule"
def beta_schedule(step: int, total: int, kind: str, beta_max: float) -> float:
    """β at a step counted from 0; from step `total` on it is beta_max, whatever the kind.

    "constant": beta_max. "linear": from 0 in a straight line to beta_max at `total`.
    "cyclic": four equal cycles of total / 4 steps, each rising from 0 in a straight line to
    beta_max in its first half and staying there in its second.
    """
    ### BEGIN SOLUTION
    if kind == "constant" or step >= total:
        return beta_max
    if kind == "linear":
        return beta_max * step / total
    position = 4 * step / total % 1  # from 0 to 1 within the cycle
    return beta_max * min(1.0, 2 * position)
    ### END SOLUTION


# %% check="beta_schedule"
beta_schedule = check("beta_schedule", beta_schedule)

# %% [markdown]
# ### `free_bits`

# %% exercise="free_bits"
def free_bits(kl_per_dim: Tensor, floor: float) -> Tensor:
    """Σ_j max(floor, mean over the batch of KL_j): what the loss takes instead of the KL, nats.

    kl_per_dim: (B, d), KL of each latent of each image; floor: nats per latent. Returns a scalar.
    """
    ### BEGIN SOLUTION
    return kl_per_dim.mean(0).clamp(min=floor).sum()
    ### END SOLUTION


# %% check="free_bits"
free_bits = check("free_bits", free_bits)

# %% [markdown]
# ### `water_filling`

# %% exercise="water_filling"
def water_filling(eigenvalues: Tensor, beta_sigma2: float) -> Tensor:
    """KL of each latent at the optimum of the linear-Gaussian β-VAE: ½ log(λ_j / βσ²), or 0.

    eigenvalues: (d,), λ_j of the data's covariance; a latent lives where λ_j > βσ². Returns (d,)
    nats.
    """
    ### BEGIN SOLUTION
    return 0.5 * torch.log(eigenvalues / beta_sigma2).clamp(min=0)
    ### END SOLUTION


# %% check="water_filling"
water_filling = check("water_filling", water_filling)

# %% [markdown]
# ### `mutual_information_gap`

# %% exercise="mutual_information_gap"
def mutual_information_gap(z: Tensor, factors: Tensor, n_bins: int = 20) -> float:
    """Mean over factors of (largest − second largest I(z_j; v_k)) / H(v_k), in [0, 1].

    z: (N, d) codes, each latent cut into n_bins equal intervals from its least to its largest
    value; factors: (N, K) whole numbers from 0. Source: Chen et al. (2018).
    """
    ### BEGIN SOLUTION
    def information(a: Tensor, b: Tensor) -> Tensor:
        joint = torch.zeros(int(a.max()) + 1, int(b.max()) + 1, dtype=torch.float64)
        joint.index_put_((a, b), torch.tensor(1 / len(a), dtype=torch.float64), accumulate=True)
        independent = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
        return torch.xlogy(joint, joint / independent.clamp(min=1e-30)).sum()

    low, high = z.min(0).values, z.max(0).values
    bins = ((z - low) / (high - low).clamp(min=1e-12) * n_bins).long().clamp(max=n_bins - 1)
    gaps = []
    for v in factors.T.long():
        mi = torch.stack([information(column, v) for column in bins.T]).sort().values
        gaps.append((mi[-1] - mi[-2]) / information(v, v))  # I(v; v) is the entropy of v
    return float(torch.stack(gaps).mean())
    ### END SOLUTION


# %% check="mutual_information_gap"
mutual_information_gap = check("mutual_information_gap", mutual_information_gap)
