"""One panel of each kind on small functions in which everything that goes in can be told apart."""

import torch

from course_lib import widgets

X = torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(7))
FACES = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(8))
Z = torch.randn(6, 5, generator=torch.Generator().manual_seed(9))
POSTERIOR, EVIDENCE = (1.2, 0.45), -2.1
KL = torch.tensor([0.1, 2.5, 0.0, 1.5, 0.4])
POINTS = {2: (10.0, 90.0), 0.5: (torch.tensor(30.0), torch.tensor(70.0)), 1.0: (20.0, 75.5)}
EIGENVALUES = [0.25, 4.0, 1.0]
VECTORS = {"smile": torch.tensor([0, 1.0, 0]), "glasses": torch.tensor([0.6, 0, 0.8])}


def fade(x, kind, level, generator):
    """A corruption in which kind, level and noise can all be told apart."""
    noise = torch.rand(x.shape, generator=generator)
    return (1 - level) * x + level * (noise if kind == "gaussian" else 1 - noise)


def halve(x):
    return x.flatten(1) / 2


def elbo(mu, log_var):
    q = torch.distributions.Normal(mu, (log_var / 2).exp())
    return (
        EVIDENCE - torch.distributions.kl_divergence(q, torch.distributions.Normal(*POSTERIOR))[0]
    )


def make_bound(function=elbo, **more):
    return widgets.bound(function, log_evidence=EVIDENCE, posterior=POSTERIOR, **more)


def decode(z):
    """An image in which each latent has a pixel of its own: sigmoid(z) in the first ones."""
    image = torch.zeros(len(z), 784)
    image[:, : z.shape[1]] = torch.sigmoid(z)
    return image


def encode(x):
    return x.flatten(1).flip(1) ** 2


def decoded(z):
    return (z.flip(1).clamp(0) ** 0.5).reshape(-1, 1, 28, 28)


def weaker(x, beta):
    return x / (1 + beta)


def decode_weaker(z, beta):
    return decode(z) / (1 + beta)


def make_family(reconstruct=weaker, decode=decode_weaker, **more):
    return widgets.beta_family(X, reconstruct, decode, POINTS, **{"z": Z, **more})


def fill(eigenvalues, beta_sigma2):
    return (0.5 * (eigenvalues / beta_sigma2).log()).clamp(min=0)


def encode_face(x):
    """The first three values of each image, as logits."""
    return torch.logit(x.flatten(1)[:, :3].clamp(0.01, 0.99))


def decode_face(z):
    """A colour image with a pixel per latent: sigmoid(z), in another colour each."""
    image = torch.zeros(len(z), 3, 8, 8)
    for i in range(3):
        image[:, i, i, 0] = torch.sigmoid(z[:, i])
    return image


def bend(a, b, t):
    """A way from a to b that is straight in no coordinate."""
    return (1 - t) ** 2 * a + t**2 * b


def decode_class(z, y):
    """A colour image whose first pixels are sigmoid(z); green tells the class."""
    assert y.dtype == torch.int64 and y.shape == (len(z),)
    image = torch.zeros(len(z), 3, 8, 8)
    image[:, 0, 0, :5] = torch.sigmoid(z)
    image[:, 1] = y.reshape(-1, 1, 1) / 4
    return image


def make_samples(decode=decode_class, slerp=bend, **more):
    given = {"names": ["cat", "dog", "owl"], "shape": (3, 8, 8), **more}
    return widgets.class_samples(decode, slerp, given.pop("z", Z), **given)


def make_attributes(encode=encode_face, decode=decode_face, **more):
    given = {"shape": (3, 8, 8), **more}
    return widgets.attributes(FACES, encode, decode, given.pop("vectors", VECTORS), **given)


def make_codebooks(decoded=lambda size: FACES / size, **more):
    given = {"start": 4, "shape": (3, 8, 8), **more}
    figures = given.pop("figures", {16: {"bits": 9.25, "nats": -7.0}, 4: {"bits": 3.0}})
    return widgets.codebooks(FACES, {"decoded": decoded}, figures, **given)


def hide_top(x, ratio, generator):
    """Hides pixels from the top, row by row, and fills them in with noise."""
    hidden = (torch.arange(64).view(8, 8) < round(64 * ratio)).expand(len(x), 1, 8, 8)
    return torch.where(hidden, torch.rand(x.shape, generator=generator), x), hidden


def make_masking(fill=hide_top, grey=lambda x, hidden: x.masked_fill(hidden, 0.5)):
    return widgets.masking(FACES, fill, {"grey": grey}, shape=(3, 8, 8))


def carry(mu, log_var, eps):
    return mu + (0.5 * log_var).exp() * eps


WAY = [(t, Z[:3] + t / 900, Z[:3] * (1 - t / 1_800)) for t in (900, 600, 300)]  # (t, z_t, ẑ)


def make_denoising(decode=decode, **more):
    return widgets.denoising(WAY, decode, **{"shape": (1, 28, 28), **more})


def inverse(z, n_bins, alpha):
    """Weights that grow with the size of a code, the less the larger alpha is."""
    size = z.abs().sum(1) + alpha * n_bins
    return size / size.sum()


def make_resampling(weights=inverse, **more):
    return widgets.resampling(weights, Z, FACES[[0, 1, 2, 3, 0, 1]], Z[:, 0] > 0, **more)


PANELS = {
    "pad": lambda: widgets.pad(decode, codes=Z[:, :2], manifold=True),
    "k_slider": lambda: widgets.k_slider(
        X, {"PCA": lambda k: X / k}, {"PCA": {1: 9.0, 2: 5.0}}, start=1
    ),
    "corruption": lambda: widgets.corruption(X, fade, {"half": halve}),
    "denoising": make_denoising,
    "interpolation": lambda: widgets.interpolation(X, lambda x: x.flatten(1), lambda z: z),
    "bound": make_bound,
    "reparameterization": lambda: widgets.reparameterization(
        {"right": carry, "wrong": lambda mu, log_var, eps: carry(mu, 2 * log_var, eps)}
    ),
    "latents": lambda: widgets.latents(decode, KL, shown=3),
    "beta_family": lambda: make_family(full_runs={0.5: (28.0, 66.0), 2.0: (9.0, 80.0)}),
    "water_filling": lambda: widgets.water_filling(fill, EIGENVALUES),
    "attributes": make_attributes,
    "class_samples": make_samples,
    "codebooks": make_codebooks,
    "masking": make_masking,
    "resampling": make_resampling,
}

# A panel whose function passes its output through f, and a control to move where f is called.
BREAKABLE = {
    "corruption": ("level", lambda f: widgets.corruption(X, lambda *a: f(fade(*a)), {}), 0.9),
    "restore": ("level", lambda f: widgets.corruption(X, fade, {"half": f}), 0.9),
    "denoising": ("step", lambda f: make_denoising(lambda z: f(decode(z))), 3),
    "interpolation": (
        "t",
        lambda f: widgets.interpolation(X, encode, lambda z: f(decoded(z))),
        0.9,
    ),
    "bound": ("μ", lambda f: make_bound(lambda mu, log_var: f(elbo(mu, log_var))), 2.0),
    "reparameterization": (
        "μ",
        lambda f: widgets.reparameterization(lambda *a: f(carry(*a))),
        2.0,
    ),
    "latents": ("z₂", lambda f: widgets.latents(lambda z: f(decode(z)), KL), 1.0),
    "reconstruct": ("β", lambda f: make_family(lambda *a: f(weaker(*a))), 0.5),
    "decode": ("β", lambda f: make_family(decode=lambda *a: f(decode_weaker(*a))), 0.5),
    "water_filling": (
        "βσ²",
        lambda f: widgets.water_filling(lambda *a: f(fill(*a)), EIGENVALUES),
        4.0,
    ),
    "face": ("face", lambda f: make_attributes(lambda x: f(encode_face(x))), 1),
    "attributes": ("smile", lambda f: make_attributes(decode=lambda z: f(decode_face(z))), 1.0),
    "class": ("class", lambda f: make_samples(lambda *a: f(decode_class(*a))), 1),
    "fill": ("hidden", lambda f: make_masking(lambda *a: f(hide_top(*a))), 0.5),
    "grey": (
        "hidden",
        lambda f: make_masking(grey=lambda x, hidden: f(x.masked_fill(hidden, 0.5))),
        0.5,
    ),
    "weights": ("α", lambda f: make_resampling(lambda *a: f(inverse(*a))), 1.0),
    "slerp": ("t", lambda f: make_samples(slerp=lambda *a: f(bend(*a))), 0.9),
    "codebooks": ("K", lambda f: make_codebooks(lambda size: f(FACES / size)), 16),
}
