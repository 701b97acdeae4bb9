"""A VAE that is told the class: decoder by an addition to the code, encoder if it is wanted."""

from __future__ import annotations

from torch import Tensor, nn
from torch.distributions import Distribution, Normal

from course_lib.distributions import gaussian
from course_lib.errors import CourseError
from course_lib.models.conv import ConvVAE


class ConditionalVAE(nn.Module):
    """p(x|z, y) = p(x | z + weight · embedding(y)), q(z|x) = N(μ(x), σ²(x)), prior N(0, I).

    The embedding is a table of the classes and an MLP behind it. With z' = z + weight·embedding(y)
    this is a VAE whose decoder knows no class and whose prior does: p(z'|y) is
    N(weight·embedding(y), I). encoder_told: q(z|x, y) in place of q(z|x), the usual form; the
    features of the encoder get a vector of the class, the same at each place.
    Sources: Kingma et al. (2014), "Semi-supervised learning with deep generative models"; Sohn et
    al. (2015), "Learning structured output representation", as a conditional VAE.
    """

    def __init__(
        self,
        latent_dim: int,
        n_classes: int,
        *,
        size: int = 32,
        channels: int = 3,
        width: int = 32,
        hidden: int = 64,
        weight: float = 1.0,
        log_sigma: float | None = None,
        encoder_told: bool = False,
    ) -> None:
        super().__init__()
        self.latent_dim, self.weight = latent_dim, weight
        sizes = {"size": size, "channels": channels, "width": width, "hidden": hidden}
        self.vae = ConvVAE(latent_dim, **sizes, log_sigma=log_sigma)
        self.embedding = nn.Sequential(
            nn.Embedding(n_classes, latent_dim),
            nn.Linear(latent_dim, latent_dim),
            nn.SiLU(),
            nn.Linear(latent_dim, latent_dim),
        )
        self.told = nn.Embedding(n_classes, width) if encoder_told else None

    @property
    def log_sigma(self) -> Tensor | None:
        """log σ of the Gaussian likelihood, shape (); None where it is Bernoulli."""
        return self.vae.log_sigma

    def encode(self, x: Tensor, y: Tensor | None = None) -> Normal:
        """x: (B, C, H, W) in [0, 1]; returns q_z over (B, d). y: (B,), used with encoder_told."""
        if self.told is None:
            return self.vae.encode(x)
        if y is None:
            raise CourseError("this encoder is told the class: encode(x, y)")
        h = self.vae.features(x) + self.told(y)[:, :, None, None]  # (B, width, S/8, S/8)
        return gaussian(self.vae.mu(h.flatten(1)).float(), self.vae.log_var(h).float())

    def condition(self, z: Tensor, y: Tensor) -> Tensor:
        """z + weight · embedding(y): (B, d) and (B,) to (B, d)."""
        return z + self.weight * self.embedding(y).float()

    def decode(self, z: Tensor, y: Tensor) -> Distribution:
        """z: (B, d), y: (B,); returns p_x over (B, C, H, W)."""
        return self.vae.decode(self.condition(z, y))

    def rescale_code(self, mean: Tensor, scale: Tensor) -> None:
        """Rename the codes, z' = (z − mean)/scale, (d,) each: the same images, another KL."""
        self.vae.rescale_code(mean, scale)
        last = self.embedding[-1]
        last.weight.div_(scale[:, None])
        last.bias.div_(scale)
