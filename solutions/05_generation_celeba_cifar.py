# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5 · Generating CelebA and CIFAR images
#
# {{colab_badge}}

# %% setup=true

# %% tags=["parameters"]
seed = 0

# %% [markdown]
# ### `gaussian_nll`

# %% exercise="gaussian_nll"
def gaussian_nll(x: Tensor, mean: Tensor, log_sigma: Tensor) -> Tensor:
    """−log N(x; mean, σ²) per image, summed over pixels, constants included, nats.

    x, mean: (B, C, H, W); log_sigma: log σ, one number for all pixels, shape (). Returns (B,).
    """
    ### BEGIN SOLUTION
    squares = (x - mean) ** 2 * torch.exp(-2 * log_sigma)
    return (0.5 * squares + log_sigma + 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)
    ### END SOLUTION


# %% check="gaussian_nll"
gaussian_nll = check("gaussian_nll", gaussian_nll)

# %% [markdown]
# ### `optimal_log_sigma`

# %% exercise="optimal_log_sigma"
def optimal_log_sigma(x: Tensor, mean: Tensor) -> Tensor:
    """The log σ that minimises the mean `gaussian_nll` of the batch, clamped at −6, shape ().

    x, mean: (B, C, H, W). One value for all pixels of all images; gradients pass through it.
    """
    ### BEGIN SOLUTION
    mse = ((x - mean) ** 2).mean()
    return 0.5 * torch.log(mse.clamp(min=math.exp(-12)))
    ### END SOLUTION


# %% check="optimal_log_sigma"
optimal_log_sigma = check("optimal_log_sigma", optimal_log_sigma)

# %% [markdown]
# ### `attribute_vector`

# %% exercise="attribute_vector"
def attribute_vector(z: Tensor, y: Tensor) -> Tensor:
    """The direction of an attribute: unit vector from the mean code without it to that with it.

    z: (N, d) codes; y: (N,) 0 or 1, both of which occur. Returns (d,).
    """
    ### BEGIN SOLUTION
    direction = z[y == 1].mean(0) - z[y == 0].mean(0)
    return direction / direction.norm()
    ### END SOLUTION


# %% check="attribute_vector"
attribute_vector = check("attribute_vector", attribute_vector)

# %% [markdown]
# ### `slerp`

# %% exercise="slerp"
def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """(sin((1−t)ω) a + sin(tω) b) / sin ω, with ω the angle between a and b; a at t = 0.

    a, b: (d,), of any norm. Where sin ω < 1e-6, (1−t) a + t b instead. Returns (d,).
    """
    ### BEGIN SOLUTION
    cosine = torch.dot(a / a.norm(), b / b.norm()).clamp(-1, 1)
    omega = torch.arccos(cosine)
    if torch.sin(omega) < 1e-6:
        return (1 - t) * a + t * b
    return (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)
    ### END SOLUTION


# %% check="slerp"
slerp = check("slerp", slerp)

# %% [markdown]
# ### `condition`

# %% exercise="condition"
def condition(
    z: Tensor, labels: Tensor, embedding: Callable[[Tensor], Tensor], weight: float
) -> Tensor:
    """The class-conditioned code z + weight · embedding(labels), as a new tensor.

    z: (B, d); labels: (B,) int64; embedding: (B,) to (B, d). Returns (B, d); z stays as it is.
    """
    ### BEGIN SOLUTION
    return z + weight * embedding(labels)
    ### END SOLUTION


# %% check="condition"
condition = check("condition", condition)

# %% [markdown]
# ### `frechet_distance`

# %% exercise="frechet_distance"
def frechet_distance(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½): squared distance between two Gaussians.

    mu: (d,), cov: (d, d), possibly of less than full rank. Source: Dowson & Landau (1982).
    """
    ### BEGIN SOLUTION
    # tr (Σ₁Σ₂)^½ is the sum of the roots of the eigenvalues of Σ₁Σ₂, which are real and ≥ 0.
    roots = torch.linalg.eigvals(cov1 @ cov2).real.clamp(min=0).sqrt()
    traces = torch.trace(cov1) + torch.trace(cov2) - 2 * roots.sum()
    return float(((mu1 - mu2) ** 2).sum() + traces)
    ### END SOLUTION


# %% check="frechet_distance"
frechet_distance = check("frechet_distance", frechet_distance)

# %% [markdown]
# ### `nearest_training`

# %% exercise="nearest_training"
def nearest_training(samples: Tensor, train: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Indices of the k nearest training images of each sample, and their distances ‖x − y‖₂.

    samples: (S, …) and train: (N, …), images of the same shape in [0, 1]. Returns indices (S, k)
    int64 and distances (S, k), the nearest first.
    """
    ### BEGIN SOLUTION
    distances = torch.cdist(samples.flatten(1), train.flatten(1))  # (S, N)
    nearest, indices = distances.topk(k, largest=False)
    return indices, nearest
    ### END SOLUTION


# %% check="nearest_training"
nearest_training = check("nearest_training", nearest_training)

# %% [markdown]
# ### `group_report`

# %% exercise="group_report"
def group_report(errors: Tensor, groups: Tensor) -> dict[int, tuple[float, float, float]]:
    """Mean error of each group with its 95% interval: (mean, low, high), mean ± 1.96 s / √n.

    errors: (N,); groups: (N,) whole numbers, each at least twice. s is the standard deviation
    with n − 1, n the size of the group.
    """
    ### BEGIN SOLUTION
    report = {}
    for group in groups.unique().tolist():
        own = errors[groups == group]
        mean, half = own.mean().item(), 1.96 * own.std().item() / math.sqrt(len(own))
        report[int(group)] = (mean, mean - half, mean + half)
    return report
    ### END SOLUTION


# %% check="group_report"
group_report = check("group_report", group_report)
