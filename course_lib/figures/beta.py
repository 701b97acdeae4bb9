"""Figures of notebook 04: what a β buys, which latents live, and a code that is turned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from course_lib import plots

Points = Mapping[float, tuple[float, float]]  # β to (rate, distortion), nats per image
WATER = "#CBE6F7"  # plots.SKY on paper
CARRIES = 0.1  # nats, or the share of a factor: a latent with more is said to carry something
RATE, DISTORTION = "rate R (nats per image)", "distortion D (nats per image)"


def exchange_rate(full: Points, short: Points) -> None:
    """Lines of equal cost at the price 1, and at each model of the full runs its own slope −β."""
    _, (left, right) = plots.page(1, 2, height=4, sharey=True)
    plots.equal_cost_lines(full, 1, left)
    plots.price_strokes(full, right)
    rates, distortions = zip(*short.values(), strict=True)
    if min(distortions) < right.get_ylim()[1]:
        right.plot(rates, distortions, ".:", color="0.7", linewidth=1.5, label="your short runs")
        right.legend()
    right.set(title="−β is the slope at its model", xlabel=RATE)
    left.set(xlabel=RATE, ylabel=DISTORTION)


def rate_by_latent(spent: Mapping[float, ArrayLike]) -> None:
    """The KL of each latent, a row of bars for each β, and how many carry more than 0.1 nats."""
    _, axes = plots.page(len(spent), height=4.2, sharex=True, sharey=True)
    told_by = {}
    for ax, (beta, kl) in zip(axes, spent.items(), strict=True):
        kl = np.asarray(kl)
        carry = int((kl > CARRIES).sum())
        colours = np.where(np.arange(len(kl)) < carry, plots.CODE, "#999999")
        ax.bar(np.arange(1, len(kl) + 1), kl, width=0.85, color=colours)
        told = f"{carry} above {CARRIES} nats, {kl.sum():.1f} nats in all"
        ax.text(0.99, 0.6, told, transform=ax.transAxes, ha="right")
        ax.set_ylabel(f"β = {beta:g}", rotation=0, ha="right", va="center", labelpad=14)
        ax.set_xlim(0, len(kl) + 1)
        ax.locator_params(axis="y", nbins=2)
        told_by[beta] = carry
    (first, most), *_, (last, least) = told_by.items()
    title = f"{most} latents carry nats at β = {first:g}, {least} at β = {last:g}"
    axes[0].set_title(f"KL of each latent (nats): {title}")
    axes[-1].set_xlabel("latents of each model, largest KL first")


def water_levels(eigenvalues: ArrayLike, kls: Mapping[tuple[float, float], tuple]) -> None:
    """Eigenvalues in water: what stands out is coded, and where linear VAEs put each latent.

    kls: (β, σ²) to (KL of the linear VAE, KL of the formula), (d,) nats each, largest first.
    """
    values = np.asarray(eigenvalues)
    place, low = np.arange(1, len(values) + 1), 0.03
    _, axes = plots.page(1, len(kls), sharey=True)
    for ax, ((beta, sigma2), (kl, formula)) in zip(axes, kls.items(), strict=True):
        level, kl = beta * sigma2, np.asarray(kl)
        ax.axhspan(low, level, color=WATER, zorder=0)
        ax.axhline(level, color=plots.BLUE, linewidth=1.2)
        ax.bar(place, np.minimum(values, level) - low, bottom=low, color="0.6")
        ax.bar(place, np.maximum(values - level, 0), bottom=level, color=plots.CODE)
        ax.plot(place, level * np.exp(2 * kl), "o", color=plots.BLACK, markersize=5)
        for j, nats in enumerate(np.asarray(formula)):
            if nats > 0.01:
                spot = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center"}
                ax.annotate(f"{nats:.1f}", (place[j], values[j]), **spot)
        ax.set(yscale="log", ylim=(low, 25), yticks=(0.1, 1, 10), xticks=place)
        ax.set_yticklabels(["0.1", "1", "10"])
        ax.grid(False)
        ax.set(title=f"βσ² = {level:.2g}: {(kl > 0.01).sum()} live")
        ax.set_xlabel(f"latents, at β = {beta:g}, σ² = {sigma2:g}")
    axes[0].set_ylabel("eigenvalue λ, log scale")
    axes[-1].text(3.2, 20, "number: nats\nof the formula\ndot: linear VAE", va="top")


def under_the_curve(
    line: tuple[ArrayLike, ArrayLike], dots: Mapping[float, tuple[float, float, float]]
) -> None:
    """The curve of the best linear VAEs, and networks below or above it at their rates.

    line: rates and squared errors, the rates rising; dots: β to (rate, squared error, the line's
    error at this rate).
    """
    _, ax = plots.page()
    rate, error = (np.asarray(values) for values in line)
    ax.plot(rate, error, color=plots.BASELINE)
    ax.fill_between(rate, error, color="0.93", zorder=0)
    place = 0.0  # of the name before, so that none lies on another
    for beta, (x, y, linear) in sorted(dots.items(), key=lambda item: -item[1][0]):
        ax.plot([x, x], [linear, y], ":", color=plots.VAE, linewidth=1.5)
        ax.plot(x, y, "o", color=plots.VAE)
        place = max(y + 2, linear + 2, place + 5.5)
        told = f"β = {beta:g}: {y:.1f}, line {linear:.1f}"
        spot = {"xytext": (8, 0), "textcoords": "offset points", "color": plots.ink(plots.VAE)}
        ax.annotate(told, (x, place), **spot)
    below = sum(y < linear for _, y, linear in dots.values())
    ax.text(0.03, 0.06, "no linear VAE can be here", color="0.3", transform=ax.transAxes)
    furthest = max(x for x, *_ in dots.values())
    ax.set(xlim=(0, 1.35 * furthest), ylim=(0, max(place, error.max()) + 5))
    ax.set(xlabel=RATE, ylabel="squared error per image")
    ax.set_title(f"{below} of {len(dots)} VAEs do better than the best linear one at their rate")


def one_knob(rates: Mapping[str, Sequence[float]], *, twin: str, title: str, width: int) -> None:
    """The rate in training, a mean over `width` steps; the twin of another curve as dots on it."""
    _, ax = plots.page()
    styles = iter(zip(plots.PALETTE, plots.LINE_STYLES, strict=False))
    for name, values in rates.items():
        smooth = np.convolve(values, np.ones(width) / width, "valid")
        step = np.arange(len(smooth)) + (width + 1) / 2
        if name == twin:
            every = max(len(smooth) // 20, 1)
            ax.plot(step[::-every][::-1], smooth[::-every][::-1], "o", color="black", label=name)
        else:
            colour, dash = next(styles)
            ax.plot(step, smooth, color=colour, linestyle=dash, label=name)
    ax.set(xlabel="training step", ylabel=RATE, yscale="log", title=title)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    ax.set_ylim(top=4 * ax.get_ylim()[1])  # the names need room above
    plots.name_lines(ax)


def schedules(kinds: Mapping[str, Sequence[float]], *, total: int) -> None:
    """β at each step, one panel a schedule, and the share of the steps at the highest β."""
    _, axes = plots.page(1, len(kinds), height=plots.LOW, sharey=True)
    for ax, (name, values), colour in zip(axes, kinds.items(), plots.PALETTE, strict=False):
        values = np.asarray(values, float)
        ax.plot(values, color=colour)
        ax.axvline(total, color="0.6", linestyle=":", linewidth=1.2)
        full = (values[:total] == values.max()).mean()
        ax.set(title=f"{name}: {full:.0%} at full β", xlabel="training step")
        ax.set_ylim(0, 1.15 * values.max())
        ax.set_xticks(ticks := (0, total // 2, total), [f"{tick:,}" for tick in ticks])
    axes[0].set_ylabel("β")


def collapse(
    rates: Mapping[str, Sequence[float]], kls: Mapping[str, ArrayLike], *, optimum: float
) -> None:
    """Left: rates in training, every ten steps, and the optimum. Right: the KL of each latent."""
    _, (left, right) = plots.page(1, 2, width_ratios=(1, 1.2))
    longest = max(map(len, rates.values()))
    styles = zip(plots.PALETTE, plots.LINE_STYLES, strict=False)
    for (name, values), (colour, dash) in zip(rates.items(), styles, strict=False):
        left.plot(10 * np.arange(len(values)), values, color=colour, linestyle=dash)
        told, look = f"{name}: {values[-1]:.1f}", {"color": plots.ink(colour)}
        if len(values) == longest:
            below = values[-1] - 0.08 * optimum
            left.text(10 * longest, below, told, ha="right", va="top", **look)
        else:
            left.text(10 * len(values), values[-1], f" {told}", va="center", bbox=plots.BOX, **look)
    left.axhline(optimum, color=plots.BLACK, linestyle=":", linewidth=1.5)
    left.text(10 * longest, 1.03 * optimum, f"optimum: {optimum:.1f}", va="bottom", ha="right")
    left.set(xlabel="training step", ylim=(0, 1.25 * optimum), title="rate R (nats) in training")
    table = np.stack([np.asarray(kl) for kl in kls.values()])
    living = dict(zip(kls, (table > CARRIES).sum(1).tolist(), strict=True))
    rows = [f"{name}\n{n} live" for name, n in living.items()]
    _fields(table, right, rows=rows, columns=range(1, table.shape[1] + 1))
    first, best = next(iter(living)), list(living)[-1]
    right.set_title(f"{living[first]} live at {first}, {living[best]} by the {best}")
    right.set_xlabel("KL of each latent (nats), largest first")


def _fields(table: ArrayLike, ax: Axes, *, rows: Sequence[str], columns: Sequence[object]) -> None:
    """A number in each field, the darker the larger; white to the share of 0.1 of the largest."""
    table = np.asarray(table)
    ax.imshow(table, cmap="Blues", vmin=0, vmax=table.max(), aspect="auto")
    for (i, j), value in np.ndenumerate(table):
        colour = "white" if value > 0.6 * table.max() else "black"
        ax.text(j, i, f"{value:.2f}".lstrip("0"), ha="center", va="center", color=colour)
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.grid(False)


def latent(j: int) -> str:
    """The name of a latent, as the panels have it: z₁ is the first."""
    return "z" + str(j + 1).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def walks_and_shares(
    walks: Mapping[str, ArrayLike], shares: ArrayLike, *, factors: Sequence[str], title: str
) -> None:
    """A row of images per latent, and at its right which share of each factor it knows.

    walks: name to (N, H, W), one latent moved; shares: (rows, factors) in [0, 1].
    """
    columns = ["−2.5", *[""] * (len(next(iter(walks.values()))) - 2), "2.5"]
    columns[len(columns) // 2] = "0"
    shares = np.asarray(shares)
    _, ax = plots.page(height=0.6 * len(walks) + 0.75)
    plots.image_rows(walks, ax, columns=columns, title=title)
    beside = ax.inset_axes((1.04, 0, 0.66, 1))
    _fields(shares, beside, rows=[""] * len(shares), columns=factors)
    beside.tick_params(labeltop=True, labelbottom=False)
    beside.set_title("share of each factor it knows")
    for k, best in enumerate(shares.argmax(0)):
        if shares[best, k] > CARRIES:
            frame = {"fill": False, "edgecolor": plots.VERMILION, "linewidth": 2.5}
            beside.add_patch(plt.Rectangle((k - 0.5, best - 0.5), 1, 1, **frame))


def turned_code(
    blocks: Mapping[str, Mapping[str, ArrayLike]],
    scores: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    title: str,
) -> None:
    """Rows of images before and after the turn; below, the scores at each angle, in degrees."""
    fig, axes = plots.page(2, len(blocks), height=4.9, height_ratios=(1, 1.05))
    for ax, (name, rows) in zip(axes[0], blocks.items(), strict=True):
        plots.image_rows(rows, ax, title=name)
        if ax is not axes[0, 0]:
            ax.set_yticks([])
    for ax in axes[1]:
        ax.remove()
    below = fig.add_subplot(axes[0, 0].get_gridspec()[1, :])
    limits = {"ylim": (0, 1), "xticks": (0, 15, 30, 45, 60, 75, 90), "title": title}
    plots.curves(scores, below, x_label="turned by (degrees)", y_label="score", **limits)
    below.axvline(45, color="0.6", linestyle=":", linewidth=1.2)


def seeds(
    scores: Mapping[str, Mapping[float, Sequence[tuple[float, float]]]],
    *,
    titles: Mapping[str, str],
) -> None:
    """Of each training the score as trained and turned, one panel a score, the βs in two looks.

    scores: score to {β: (as trained, turned) of each training}.
    """
    _, axes = plots.page(1, len(scores), height=4)
    for ax, (name, by_beta) in zip(axes, scores.items(), strict=True):
        looks = zip(by_beta.items(), (plots.BLUE, plots.VERMILION), "os", ("-", "--"), strict=True)
        for (beta, pairs), colour, marker, dash in looks:
            look = {"color": colour, "marker": marker, "linestyle": dash, "linewidth": 1.3}
            ax.plot([0, 1], np.transpose(pairs), **look)
            text = {"textcoords": "offset points", "va": "center", "color": plots.ink(colour)}
            start, end = np.mean(pairs, axis=0)
            ax.annotate(f"β = {beta:g}", (1, end), xytext=(10, 0), **text)
            if len(pairs) > 1 and np.ptp(pairs, axis=0)[0] < 0.005:  # one mark for all of them
                told = f"{len(pairs)} × {start:.2f}"
                ax.annotate(told, (0, start), xytext=(-8, 0), ha="right", **text)
        ax.set(
            title=titles[name], xlim=(-0.5, 1.4), ylim=(0, None), ylabel=f"{name} on test images"
        )
        ax.set_xticks([0, 1], ["as trained", "turned by 45°"])
