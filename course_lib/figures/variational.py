"""Figures of notebook 03: evidence, gradients through samples, latents, gaps of the bound."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from course_lib import plots
from course_lib.plots import (
    BASELINE,
    BLACK,
    BLUE,
    CLASS_COLOURS,
    HIGH,
    LOSS,
    LOW,
    ORANGE,
)

Series = Mapping[str, tuple[ArrayLike, ...]]  # name to x, y and, where it is drawn, an error
NEAR = {"textcoords": "offset points"}  # texts beside a point
POWERS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
DIGITS = [str(i) for i in range(10)]
CELLS = 15  # images of a manifold, a side


def linear_cloud(
    x: ArrayLike, z: ArrayLike, W: ArrayLike, told: Mapping[tuple[float, float], float]
) -> None:
    """Draws of a model with one latent and two pixels, coloured by code, and log p(x) at points."""
    fig, ax = plots.page(height=HIGH)
    line = np.asarray(W) * np.arange(-3, 4)  # (2, 7): W z for z = −3 … 3
    points = ax.scatter(*np.asarray(x).T, c=np.ravel(z), s=8, cmap="viridis")
    ax.plot(*line, "o-", color=BLACK, markersize=4)
    for name, spot in zip(["−3", "−2", "−1", "z = 0", "1", "2", "3"], line.T, strict=True):
        ax.annotate(name, spot, (-6, 6), ha="right", bbox=plots.BOX, **NEAR)
    for spot, log_p in told.items():
        ax.plot(*spot, "X", color=LOSS, markersize=11, markeredgecolor="white")
        look = {"ha": "left", "va": "top", "color": plots.ink(LOSS), "bbox": plots.BOX}
        ax.annotate(f"log p(x) = {_told(log_p)}", spot, (9, -4), **look, **NEAR)
    ax.set(
        xlabel="pixel x₁",
        ylabel="pixel x₂",
        title="The code z says where along the line, noise how far beside it",
    )
    ax.set_aspect("equal", adjustable="datalim")
    fig.colorbar(points, label="code z")


def shortfall(sizes: Sequence[int], missing: Mapping[int, tuple[Sequence[float], ...]]) -> None:
    """What an average over samples of the prior misses of log p(x), by the number of latents."""
    series = {
        f"n = {d}: {mean[-1]:.{0 if mean[-1] > 10 else 2}f} nats short": (sizes, mean, sd)
        for d, (mean, sd) in missing.items()
    }
    d, (mean, _) = list(missing.items())[-1]
    power = f"{mean[-1] / math.log(10):.0f}".translate(POWERS)
    ax = plots.curves(
        series, x_label="samples S of the prior", y_label="log p(x) − estimate (nats)",
        xscale="log", xlim=(sizes[0] / 1.3, 1.06 * sizes[-1]),
        title=f"{sizes[-1]:,} samples, n = {d}: p(x) comes out 10{power} times too small",
    )  # fmt: skip
    ax.axhline(0, color=BLACK, linewidth=1)
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])


def kl_two_ways(closed: Series, sampled: Series) -> None:
    """The KL of one latent by its closed form, and how far sampled estimates scatter about it."""
    _, (left, right) = plots.page(1, 2)
    ends = {"xlim": (0, 3), "ylim": (0, None), "title": "Closed form: no scatter, least at σ = 1"}
    plots.curves(closed, left, x_label="σ of q", y_label="KL (nats)", **ends)
    for sigma, kl in closed.values():
        least = np.interp(1, np.ravel(sigma), np.ravel(kl))
        left.plot(1, least, "o", color=BLACK, zorder=5, clip_on=False)
    for side, (name, (S, mean, sd)) in zip((-1, 1), sampled.items(), strict=True):
        beside, colour = np.asarray(S) * 1.35**side, BLUE if side < 0 else ORANGE
        right.errorbar(beside, mean, sd, fmt="o" if side < 0 else "s", capsize=4, color=colour)
        look = {"color": plots.ink(colour), "ha": "center", "va": "top" if side < 0 else "bottom"}
        for i, (x, m, d) in enumerate(zip(beside, mean, sd, strict=True)):
            told = f"{name}\n± {d:.1f}" if i == 0 else f"± {d:.1f}"
            right.annotate(told, (x, m + side * d), xytext=(0, 3 * side), **look, **NEAR)
    right.axhline(0, color=BLACK, linewidth=1)
    plots.doubling_axis(right, S)
    right.set(
        xlabel="samples S", ylabel="estimate − KL (nats)", title="Sampled: right on average only"
    )
    right.set_ylim(-1.2 * sd[0], 1.6 * sd[0])
    right.margins(x=0.12)


def gradient_scatter(found: Series, sizes: Sequence[int]) -> None:
    """How far one-sample estimates of a gradient scatter, by the number of latents."""
    times = found["score"][1][-1] / found["pathwise"][1][-1]
    series = {f"{name}: {sd[-1]:.2g}": (n, sd, error) for name, (n, sd, error) in found.items()}
    ax = plots.curves(
        series, x_label="latents n", y_label="standard deviation of ∂/∂μ₁", yscale="log",
        title=f"At n = {sizes[-1]} the score estimate scatters {times:.0f} times as much",
    )  # fmt: skip
    plots.doubling_axis(ax, sizes)
    ax.set_yticks([1, 10, 100], ["1", "10", "100"])


def unnormalised(means: ArrayLike, integral: ArrayLike) -> None:
    """The integral of the "likelihood" of a grey pixel, and what it lacks to 1."""
    _, ax = plots.page(height=LOW)
    means, integral = np.asarray(means), np.asarray(integral)
    ax.plot(means, integral)
    ax.fill_between(means, integral, 1, color=LOSS, alpha=0.12, linewidth=0)
    ax.axhline(1, color=BLACK, linestyle=":")
    text = {"ha": "center", "va": "center"}
    ax.text(0.5, 0.75, "missing to a density", color=plots.ink(LOSS), **text)
    ax.text(0.5, 0.38, "∫ x̂ˣ (1 − x̂)¹⁻ˣ dx", color=plots.ink(BLUE), **text)
    title = f"The “likelihood” of a grey pixel integrates to at most {integral.max():.2f}"
    ax.set(xlabel="x̂", ylabel="integral over x", xlim=(0, 1), ylim=(0, 1.05), title=title)


def learning_curves(
    curves: Mapping[int, Sequence[tuple]], gaps: Mapping[int, float], marks: Mapping[str, float]
) -> None:
    """−ELBO of each epoch, training dashed and validation solid, between two marks.

    curves: n to (step, training, validation) of each epoch; gaps: n to that of the last weights.
    """
    _, ax = plots.page(height=HIGH)
    for i, (n, curve) in enumerate(curves.items()):
        step, trained, valid = np.array(curve).T
        look = {"color": plots.PALETTE[i], "marker": plots.CLASS_MARKERS[i]}
        name = f"n = {n}: {valid[-1]:.1f}\ngap {_told(gaps[n], '+.1f')}"
        ax.plot(step, valid, label=name, **look)
        ax.plot(step, trained, linestyle="--", linewidth=1.2, color=look["color"])
    for name, mark in marks.items():
        ax.axhline(mark, color=BASELINE, linestyle=":")
        ax.text(step[-1], mark + 1, f"{name}: {mark:.1f}", va="bottom", ha="right", color=BASELINE)
    ax.set(
        xlabel="step (– – training, — validation)", ylabel="−ELBO (nats per image)",
        ylim=(0, 1.15 * marks["always the mean image"]),
        title=_savings({n: curve[-1][2] for n, curve in curves.items()}),
    )  # fmt: skip
    ax.set_xlim(right=1.01 * step[-1])
    plots.name_lines(ax, gap=0.12)


def _savings(ends: Mapping[int, float]) -> str:
    """What more latents save, or the ends where they do not; ends: n to −ELBO."""
    saved = [a - b for a, b in itertools.pairwise(ends.values())]
    (_, second, last) = ends
    if min(saved) <= 0:
        return "Not trained long enough for more latents to save nats"
    first, others = (f"{nats:.0f}" for nats in saved)
    return f"Latent {second} saves {first} nats, the next {last - second} together {others}"


def one_latent(
    share: ArrayLike, labels: ArrayLike, images: ArrayLike, stops: Sequence[float]
) -> None:
    """Images at equal steps of probability along one latent, and test codes below, by digit."""
    _, ax = plots.page(height=HIGH)
    share, labels = np.asarray(share), np.asarray(labels)
    plots.labelled_line(share, labels, ax, images=images)
    counts = np.stack([np.histogram(share[labels == i], 20, (0, 1))[0] for i in range(10)])
    part = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    common = np.triu(np.minimum(part[:, None], part[None]).sum(-1), 1)
    i, j = np.unravel_index(common.argmax(), common.shape)
    places = (np.arange(len(stops)) + 0.5) / len(stops)
    ax.set_xticks(places, [_told(stop) for stop in stops])
    ax.set(
        xlabel="z, in equal steps of probability", ylabel="digit",
        title=f"One number for ten digits: {i}s and {j}s share {common[i, j]:.0%} of their places",
    )  # fmt: skip


def manifolds(
    equal: ArrayLike, wide: ArrayLike, *, reach: float, shares: tuple[float, float]
) -> None:
    """The images of two latents at equal steps of probability, and at equal steps up to ±reach.

    shares: of the wide images beyond ±3, and of samples of the prior.
    """
    _, (left, right) = plots.page(1, 2, height=HIGH)
    plots.image_grid(equal, left, columns=CELLS, title="Each image stands for the same probability")
    _sheet(wide, right, reach=reach)
    images, samples = shares
    right.set_title(f"{images:.0%} of the images lie beyond ±3,\nwhere {samples:.1%} of samples do")


def regions(pictures: ArrayLike, codes: ArrayLike, labels: ArrayLike, *, reach: float) -> None:
    """What is decoded at each place, and the commonest label of the codes there.

    pictures: CELLS² images at equal steps over [−reach, reach]²; codes: (N, 2); labels: (N,).
    """
    _, (left, right) = plots.page(1, 2, height=HIGH)
    _sheet(pictures, left, reach=reach)
    left.set_title("What the decoder draws at each place")
    step = 2 * reach / (CELLS - 1)
    cell = np.rint((np.asarray(codes) + reach) / step).astype(int)  # (N, 2): column, row from below
    inside, right_ones = ((cell >= 0) & (cell < CELLS)).all(1), 0
    cell, labels = cell[inside], np.asarray(labels)[inside]
    for place in np.unique(cell, axis=0):
        counts = np.bincount(labels[(cell == place).all(1)], minlength=10)
        digit, (x, y) = counts.argmax(), place * step - reach
        right_ones += counts.max()
        look = {"alpha": 0.15 + 0.25 * counts.max() / counts.sum(), "linewidth": 0}
        right.fill_between(
            [x - step / 2, x + step / 2],
            y - step / 2,
            y + step / 2,
            color=CLASS_COLOURS[digit],
            **look,
        )
        right.text(
            x, y, DIGITS[digit], ha="center", va="center", color=plots.ink(CLASS_COLOURS[digit])
        )
    right.set_title(f"Commonest label: right for {right_ones / max(len(cell), 1):.0%} of codes")
    plots.prior_rings(right)
    _plane(right, reach=reach + step / 2)


def _sheet(pictures: ArrayLike, ax: Axes, *, reach: float) -> None:
    """Images of CELLS² codes at equal steps over [−reach, reach]², and the rings of the prior."""
    end = reach * CELLS / (CELLS - 1)
    ax.imshow(plots.tile(pictures, columns=CELLS), extent=(-end, end, -end, end))
    plots.prior_rings(ax)
    _plane(ax, reach=end)


def _plane(ax: Axes, *, reach: float) -> None:
    """The axes of two latents, of one scale."""
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="z₁", ylabel="z₂")
    ax.grid(False)


def fit_to_prior(samples: Mapping[int, ArrayLike]) -> None:
    """Histograms of sampled codes of each model, with the density of the prior."""
    _, axes = plots.page(1, len(samples), sharey=True)
    for ax, (n, values) in zip(axes, samples.items(), strict=True):
        values = np.asarray(values)
        title = f"n = {n}: {_told(values.mean(), '.2f')} ± {values.std():.2f}"
        plots.against_normal(values, ax, x_label="z of largest KL", title=title)
        ax.set(ylabel="density" if ax is axes[0] else "", xlim=(-4, 4))
    look = {"arrowprops": {"arrowstyle": "-"}}
    axes[0].annotate("prior\nN(0, 1)", (1.3, 0.171), xytext=(2, 0.3), **look)


def rate_parts(shares: Mapping[int, tuple[float, ...]], limit: float) -> None:
    """The rate of each model in information and mismatch, and the largest estimate of the first.

    shares: n to rate, information and mismatch, nats; limit: the log of the number of images.
    """
    last, (rate, information, _) = list(shares.items())[-1]
    at = "at its limit" if information > limit - 0.2 else "below its limit"
    rows = {f"n = {n}": parts[1:] for n, parts in shares.items()}
    ax = plots.stacked_bars(
        rows, parts=["information", "mismatch"], x_label="rate (nats per image)",
        xlim=(0, 1.05 * max(rate for rate, *_ in shares.values())),
        title=f"n = {last}: information estimated at {information:.1f} of {rate:.1f} nats, {at}",
    )  # fmt: skip
    ax.axvline(limit, color=BLACK, linestyle=":")
    ax.annotate(
        f"log {math.exp(limit):,.0f} = {limit:.1f}: no estimate is larger",
        (limit, 0),
        xytext=(6, 0),
        va="center",
        **NEAR,
    )


def many_latents(placed: ArrayLike, labels: ArrayLike, samples: ArrayLike, *, right: float) -> None:
    """A t-SNE map of codes by digit, and images decoded from the prior.

    right: the share of codes whose nearest neighbours vote for their digit.
    """
    _, axes = plots.page(1, 2, height=HIGH)
    plots.code_map(placed, labels, axes[0], names=DIGITS, size=8)
    axes[0].set(xlabel="", ylabel="", xticks=[], yticks=[], box_aspect=1)
    axes[0].set_title(f"t-SNE; nearest codes vote right for {right:.0%}")
    axes[0].spines[:].set_visible(False)
    columns = math.isqrt(len(samples))
    plots.image_grid(samples, axes[1], columns=columns, title="Decoded samples of N(0, I)")


def rising_bounds(exact: tuple[ArrayLike, ...], truth: float, rising: Series) -> None:
    """The importance-weighted bound by samples: where log p(x) is known, and of each VAE.

    exact: S, the bound and its standard error; rising: name to S and the gain on the ELBO, nats.
    """
    _, (left, right) = plots.page(1, 2)
    S, bound, _ = exact
    near = [s for s, value in zip(S, bound, strict=True) if truth - value < 0.01]
    plots.curves(
        {"bound": exact}, left, x_label="samples S", y_label="nats", xscale="log",
        title=f"S = {min(near, default='?')} is within 0.01 nats of log p(x)",
    )  # fmt: skip
    left.axhline(truth, color=BLACK, linestyle=":")
    left.annotate("log p(x)", (S[-1], truth), xytext=(0, -9), ha="right", va="top", **NEAR)
    series = {f"{name}: {_told(gain[-1], '+.1f')}": (s, gain) for name, (s, gain) in rising.items()}
    most = max(rising, key=lambda name: rising[name][1][-1])
    plots.curves(
        series, right, x_label="samples S", y_label="bound − ELBO (nats)", xscale="log",
        title=f"VAEs: a gap of at least {rising[most][1][-1]:.1f} nats, {most}",
    )  # fmt: skip
    for ax in (left, right):
        ax.set_xticks([1, 10, 100], ["1", "10", "100"])


def gap_parts(halves: Mapping[int, Sequence[float]]) -> None:
    """The gap of each model: what no Gaussian q closes, and what the encoder misses."""
    parts = {n: amortisation / (rest + amortisation) for n, (rest, amortisation) in halves.items()}
    told = ", ".join(f"{share:.0%} for n = {n}" for n, share in parts.items())
    rows = {f"n = {n}": half for n, half in halves.items()}
    plots.stacked_bars(
        rows, parts=["approximation gap", "amortisation gap"], x_label="log p(x) − ELBO (nats)",
        title=f"Amortisation, the encoder's share of the gap: {told}",
    )  # fmt: skip


def generated(rows: Mapping[str, ArrayLike], told: Mapping[str, float]) -> None:
    """Rows of images, and how often a forest tells those of each row apart."""
    noise, vae = told["AE squared, N(0, I)"], told["VAE, N(0, I)"]
    plots.image_rows(
        rows, values={name: told[name] for name in list(rows)[1:]}, value_label="told apart",
        title=f"From N(0, I), told apart: autoencoder {noise:.2f}, VAE {vae:.2f}; ½ is best",
    )  # fmt: skip


def walks(paths: Mapping[str, ArrayLike], between: Mapping[str, float]) -> None:
    """Two walks of each model from one test image to another, the middles framed.

    paths: name to (2, T, H, W); between: how far the middles are off the data, against the ends.
    """
    pairs = [(name, i) for i in (0, 1) for name in paths]
    rows = {f"{name}, pair {i + 1}": np.asarray(paths[name])[i] for name, i in pairs}
    stops = len(next(iter(rows.values())))
    told = ", ".join(f"{name} {value:.2f}" for name, value in between.items())
    plots.image_rows(
        rows, columns=["t = 0", *(f"{t:.1f}" for t in np.linspace(0, 1, stops)[1:])],
        marks=[(name, stops // 2) for name in rows], apart=[list(rows)[len(paths)]],
        title=f"Distance from the data, middle over ends: {told}",
    )  # fmt: skip


def _told(value: float, form: str = ".1f") -> str:
    return format(value, form).replace("-", "−")
