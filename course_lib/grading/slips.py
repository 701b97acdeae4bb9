"""Known mistakes as text: what a slip of the pen makes of a solution. The self-test grades them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Slip:
    """In the solution of `exercise`, `right` becomes `wrong`, which is the known mistake `name`."""

    exercise: str
    right: str
    wrong: str
    name: str


SLIPS = {
    "01_autoencoder_basics": (
        Slip("pca_reconstruct", "V.T + mean", "V.T", "mean not added back"),
        Slip("train_step", "    optimizer.zero_grad()\n", "", "gradients not cleared"),
        Slip(
            "principal_angles",
            "torch.rad2deg(torch.acos(cosines))",
            "torch.acos(cosines)",
            "radians",
        ),
        Slip("bce_nats", ".sum(1)", ".mean(1)", "mean over pixels"),
    ),
    "02_convolutional_autoencoder": (
        Slip("conv_out", " + 1", "", "no + 1"),
        Slip("denoising_loss", "clean - x_hat", "noisy - x_hat", "target noisy"),
        Slip("psnr", "data_range**2 / mse", "1 / mse", "range forgotten"),
    ),
    "03_variational_autoencoder": (
        Slip("reparameterize", "0.5 * log_var", "log_var", "exp(log_var) as sigma"),
        Slip("kl_std_normal", "0.5 * (", "(", "no half"),
        Slip(
            "iwae_bound",
            "torch.logsumexp(log_w, dim=0) - math.log(len(log_w))",
            "log_w.mean(0)",
            "mean of logs",
        ),
    ),
    "04_beta_vae": (
        Slip(
            "rate_distortion",
            "rate.mean(), distortion.mean()",
            "distortion.mean(), rate.mean()",
            "swapped",
        ),
        Slip("water_filling", "0.5 * ", "", "no half"),
        Slip(
            "free_bits", ".mean(0).clamp(min=floor)", ".clamp(min=floor).mean(0)", "floor per image"
        ),
    ),
    "05_generation_celeba_cifar": (
        Slip("gaussian_nll", " + 0.5 * math.log(2 * math.pi)", "", "no constant"),
        Slip(
            "attribute_vector",
            "z[y == 1].mean(0) - z[y == 0].mean(0)",
            "z[y == 0].mean(0) - z[y == 1].mean(0)",
            "reversed",
        ),
        Slip("slerp", "torch.sin(omega) < 1e-6", "True", "always linear"),
    ),
}
