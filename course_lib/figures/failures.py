"""The figures of notebook 07: arrays in, a page drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from course_lib import plots

NATS = "−ELBO (nats per image)"


def broken_models(
    rows: Mapping[str, ArrayLike], kl: Mapping[str, float], nats: Mapping[str, float]
) -> None:
    """Images, what broken models and a sound one make of them, and the KL of each model.

    rows: name to (N, H, W), the images first; kl, nats: KL and −ELBO by name, "sound" among them.
    """
    none = [name for name in kl if kl[name] < 0.1]
    fine = [name for name in nats if name != "sound" and nats[name] < nats["sound"] + 10]
    told = f"KL below 0.1 nats: {', '.join(none) or 'none'}"
    title = f"{told}; −ELBO as good as the sound model's: {', '.join(fine) or 'none'}"
    named = {name: f"{name}: −ELBO {value:.0f}" for name, value in nats.items()}
    rows = {named.get(name, name): images for name, images in rows.items()}
    values = {named[name]: round(value, 2) for name, value in kl.items()}
    apart = [named["sound"]]
    plots.image_rows(rows, values=values, value_label="KL (nats)", apart=apart, title=title)


def runaway(losses: Mapping[str, Sequence[float]]) -> None:
    """Two losses by step on an axis that counts in powers of ten beyond 1,000 nats."""
    least = {name: min(values) for name, values in losses.items()}
    _, ax = plots.page()
    ax.set_yscale("symlog", linthresh=1_000)
    plots.curves(
        {name: (np.arange(1, 1 + len(y)), y) for name, y in losses.items()}, ax,
        x_label="step", y_label=NATS, colours=[plots.LOSS, plots.VAE],
        title="Least loss: "
        + ", ".join(f"{value:,.0f} with {name}" for name, value in least.items()).replace("-", "−"),
    )  # fmt: skip
    low, high = ax.get_ylim()
    ticks = [tick for tick in (-10_000, -1_000, 0, 1_000, 1_000_000) if low < tick < high]
    ax.set_yticks(ticks, [f"{tick:,}".replace("-", "−") for tick in ticks])
    ax.minorticks_off()


def samples(rows: Mapping[str, ArrayLike], mismatch: Mapping[str, float]) -> None:
    """Samples of two decoders, and how far what they are fed is from the codes that they know."""
    far = max(mismatch, key=mismatch.__getitem__)
    title = f"{far}: {mismatch[far]:.0f} nats from known codes"
    plots.image_rows(rows, values=mismatch, value_label="mismatch", title=title)


def overfitting(training: Sequence[float], held_out: Sequence[float]) -> None:
    """Losses of training and held-out images by epoch, the best epoch marked."""
    best = int(np.argmin(held_out))
    epochs = np.arange(1, 1 + len(held_out))
    lines = {"training images": (epochs, training), "held-out images": (epochs, held_out)}
    top = min(260, max(held_out))
    ax = plots.curves(
        lines, x_label="epoch", y_label=NATS, ylim=(min(training) - 5, top),
        colours=[plots.VAE, plots.LOSS],
        title=f"Held-out images: {held_out[best]:.1f} nats after {best + 1} epochs, "
        f"{held_out[-1]:.1f} after {len(epochs)}",
    )  # fmt: skip
    ax.axvline(best + 1, color=plots.BASELINE, linestyle=":")
    ax.annotate(f"epoch {best + 1}", (best + 1, top), xytext=(5, -12), textcoords="offset points")


def another_code(rows: Mapping[str, ArrayLike], errors: Mapping[str, float]) -> None:
    """Images of a model with a skip, decoded from their own codes and from their neighbours'.

    errors: of the rows of reconstructions, over that of the mean image.
    """
    own, other = errors.values()
    title = f"With another image's code the error is {other / own:.2f} times that with its own"
    plots.image_rows(rows, values=errors, value_label="error", title=title)
