"""Figures of notebook 06: symbols, densities of codes, layers, patches, groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from course_lib import plots
from course_lib.plots import BASELINE, BLUE, BOX, CODE, HIGH, LOSS, MIDDLE, VAE, ink

Interval = tuple[float, float]  # a mean, and half the width of its interval
Plane = Mapping[str, Mapping[str, tuple[float, float]]]  # kind to name to (bits, nats)
NEAR = {"textcoords": "offset points"}  # texts beside a point


def codebooks(
    vectors: Mapping[str, ArrayLike], points: ArrayLike, told: Mapping[str, Mapping[str, float]]
) -> None:
    """The cells of codebooks among points, with how many vectors are in use, and what is lost.

    vectors: name to (K, 2); points: (N, 2); told: name to "in use", "perplexity", "squared error".
    """
    _, axes = plots.page(1, 2, height=HIGH)
    for ax, (name, codebook) in zip(axes, vectors.items(), strict=True):
        plots.nearest_cells(codebook, points, ax)
        x, y = np.asarray(codebook).T
        (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
        outside = np.sum((x < left) | (x > right) | (y < low) | (y > high))
        numbers, used = told[name], told[name]["in use"]
        unused = f"★ in use   × never nearest: {len(x) - used}"
        unused += f", {outside} not in view" if outside else ""
        lost = f"mean squared error {numbers['squared error']:.4f}"
        ax.set_xlabel(f"z₁\n{unused}\nperplexity {numbers['perplexity']:.1f}, {lost}")
        ax.set_title(f"{name.capitalize()}: {used} of {len(x)} in use")
        ax.set_aspect("equal")


def usage(series: Mapping[str, tuple[Sequence[float], Sequence[float]]], size: int) -> None:
    """The perplexity of a codebook's symbols over the steps of its trainings."""
    ends = ", ".join(f"{y[-1]:.1f} {name}" for name, (_, y) in series.items())
    step = next(iter(series.values()))[0][-1]
    ax = plots.curves(
        series, x_label="training step", y_label=f"perplexity of {size} symbols",
        ylim=(-0.04 * size, 1.15 * size), yticks=np.linspace(0, size, 5),
        title=f"Perplexity after {step} steps: {ends}",
    )  # fmt: skip
    _level(ax, size, f"{size}: all symbols equally often")


def rate_and_distortion(plane: Plane) -> None:
    """Codes' lengths and what they leave: a bound, what a learned density makes of it, and VAEs.

    The first two kinds of the plane are of the same models.
    """
    _, ax = plots.page(height=1.2 * MIDDLE)
    bound, learned, vaes = plane.values()
    looks = zip(plane.values(), (BASELINE, CODE, VAE), "os^", (":", "--", "-"), strict=True)
    for points, colour, marker, dash in looks:
        x, y = zip(*points.values(), strict=True)
        ax.plot(x, y, marker=marker, color=colour, linestyle=dash)
    _saved(ax, bound, learned)
    for name, place in [*vaes.items()][:-1]:
        ax.annotate(name, place, (-3, -7), ha="right", va="top", color=ink(VAE), **NEAR)
    for points, told, spot in (
        (bound, "VQ-VAE, symbols\nequally likely", (12, 0)),
        (learned, "VQ-VAE, learned prior", (-10, -30)),
        (vaes, f"VAE, {[*vaes][-1]}", (12, 0)),
    ):
        colour = {id(bound): BASELINE, id(learned): CODE}.get(id(points), VAE)
        look = {"color": ink(colour), "fontweight": "bold", "va": "center"}
        ax.annotate(told, [*points.values()][-1], spot, **look, **NEAR)
    _equal_sums(ax, plane)


def _saved(
    ax: Axes, bound: Mapping[str, tuple[float, float]], learned: Mapping[str, tuple[float, float]]
) -> None:
    """An arrow from each code's bound to its length under a learned density, with what it saves."""
    for i, (name, (bits, nats)) in enumerate(learned.items()):
        saved = bound[name][0] - bits
        look = {"arrowstyle": "->", "color": BASELINE, "shrinkA": 5, "shrinkB": 5}
        ax.annotate("", (bits, nats), (bits + saved, nats), arrowprops=look)
        ax.annotate(name, (bits, nats), (-9, -3), ha="right", va="top", **NEAR)
        last = i == len(learned) - 1
        place, look = (
            (bits + (0.7 if last else 0.5 if i < 2 else 0.35) * saved, nats),
            {"va": "top"},
        )
        offset = (0, -3 if last else 3)
        look = {"ha": "center", "va": "top" if last else "bottom"}
        ax.annotate(f"−{saved:.0f} bits", place, offset, **look, **NEAR)


def _equal_sums(ax: Axes, plane: Plane) -> None:
    """The line of the smallest sum of nats, and in the title whose it is."""
    nat = np.log(2)
    totals = {
        f"{kind}, {name}": nats + nat * bits
        for kind, points in plane.items()
        for name, (bits, nats) in points.items()
    }
    best, *order = sorted(totals, key=totals.__getitem__)
    other = next(name for name in order if name.split(",")[0] != best.split(",")[0])
    ax.set(xlim=(-25, None), xlabel="rate, bits per image", ylabel="distortion, nats per image")
    ax.margins(y=0.14)
    ends = np.array(ax.get_xlim())
    line = totals[best] - nat * ends
    ax.plot(ends, line, color=BASELINE, linewidth=1, zorder=1)
    ax.annotate("the smallest −ELBO", (ends[0], line[0]), (6, -5), va="top", **NEAR)
    ax.yaxis.set_major_formatter("{x:,.0f}")
    gap = totals[other] - totals[best]
    ax.set_title(f"Smallest −ELBO: {best}. {other}: {gap:,.0f} nats above")


def symbol_samples(
    images: Mapping[str, ArrayLike], distances: Mapping[str, float], gone: Sequence[float]
) -> None:
    """Images of one decoder with symbols from three densities, rebuilt ones, and those of a VAE.

    gone: of the way from uniform symbols to rebuilt images, by independent places and by p(s).
    """
    _rows(
        {name: x[:8] for name, x in images.items()}, distances,
        apart=list(images)[3:5],
        title=f"From uniform to rebuilt: independent {gone[0]:.0%}, learned {gone[1]:.0%}"
        .replace("-", "−"),
    )  # fmt: skip


def denoiser(
    steps: Sequence[float], errors: Sequence[float], linear: float, *, rate: float
) -> None:
    """The error of a denoiser of codes over its training, and that of the best linear guess.

    rate: steps per second.
    """
    below = [i for i, error in enumerate(errors) if error < linear]
    title = f"Error {errors[-1]:.1f} at last, {linear:.1f} for the best linear guess"
    if below:
        step = steps[below[0]]
        title = f"Below the best linear guess after {step:.0f} steps, {step / rate:.1f} s"
    ax = plots.curves(
        {"denoiser": (steps, errors)}, x_label="training step", title=title,
        y_label="error ‖v − v̂‖² per code", ylim=(0, 1.1 * max(errors)),
    )  # fmt: skip
    _level(ax, linear, f"best linear guess {linear:.1f}: all that a Gaussian knows", above=False)
    ax.annotate(f"{errors[-1]:.1f}", (steps[-1], errors[-1]), (8, 0), va="center", **NEAR)
    if below:
        ax.plot(step, errors[below[0]], "o", markersize=15, markerfacecolor="none", color=LOSS)


def density_samples(
    images: Mapping[str, ArrayLike], distances: Mapping[str, float], gone: Mapping[str, float]
) -> None:
    """Two decoders, four sources of codes each, and how far each is from rebuilt test faces.

    gone: decoder to the share of the way from the fitted Gaussian to the ceiling.
    """
    told = ", ".join(f"{share:.0%} ({name})" for name, share in gone.items())
    *_, second, _ = sorted(distances.values())
    far = {name: value for name, value in distances.items() if value > 4 * second}
    names = {name: f"{name}:\n{value:,.0f}, off the scale" for name, value in far.items()}
    _rows(
        {names.get(name, name): x[:8] for name, x in images.items()},
        {name: value for name, value in distances.items() if name not in far},
        apart=list(images)[4:5],
        title=f"From Gaussian to ceiling, diffusion: {told}".replace("-", "−"),
    )  # fmt: skip


def rivals(
    images: Mapping[str, ArrayLike], distances: Mapping[str, float], seconds: Mapping[str, float]
) -> None:
    """Faces of latent and of pixel diffusion, how far from test faces, and the seconds they take.

    seconds: for 500 faces; the last two are compared.
    """
    names = {name: f"{name}\n500 in {told:.3g} s" for name, told in seconds.items()}
    _, ours, theirs = seconds.values()
    _rows(
        {names.get(name, name): x[:9] for name, x in images.items()},
        {names[name]: value for name, value in distances.items()},
        apart=list(images)[-1:],
        title=f"{[*seconds][-1]}: {theirs / ours:.0f} times as long as {[*seconds][-2]}",
    )  # fmt: skip


def large_faces(images: Mapping[str, ArrayLike], distances: Mapping[str, float]) -> None:
    """Faces of 128 × 128 by one decoder, from the prior and from latent diffusion."""
    known = {name: distances[name] for name in images}
    prior, learned = known.values()
    _rows(
        images, known,
        title=f"128 × 128, one decoder: {prior:.0f} from the prior, {learned:.0f} from diffusion",
    )  # fmt: skip


def chain_gaps(
    shifts: ArrayLike,
    gaps: Mapping[str, Sequence[float]],
    divergences: Mapping[str, Sequence[float]],
    *,
    blind: float,
) -> None:
    """The gap of a bound (dots) on the KL to the exact posterior (lines), which is moved by s."""
    off = max(np.abs(np.subtract(gaps[name], kl)).max() for name, kl in divergences.items())
    _, ax = plots.page()
    looks = zip(divergences.items(), (BLUE, CODE), "os", strict=True)
    for (name, kl), colour, marker in looks:
        ax.plot(shifts, kl, color=colour, label=name)
        ax.plot(shifts, gaps[name], marker, color=colour)
    ax.set(xlabel="s", ylabel="nats per image", ylim=(0, None))
    ax.set_title(f"Gap of the bound and KL to the posterior: {off:.0e} nats apart at most")
    _level(ax, blind, "")
    told = f"q(z₁|x), which does not see z₂:\n{blind:.2f} at best"
    arrow = {"arrowstyle": "->", "color": BASELINE}
    look = {"ha": "center", "va": "center", "color": ink(BASELINE)}
    ax.annotate(told, (0, blind), (0.5, 0.5), textcoords="axes fraction", **look, arrowprops=arrow)
    told = "dots: gap of your bound\nlines: KL to the posterior"
    ax.text(0.5, 0.95, told, ha="center", va="top", transform=ax.transAxes)
    plots.name_lines(ax)


def layers(
    upper: Mapping[str, tuple[ArrayLike, ArrayLike]],
    lower: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    free: float,
) -> None:
    """What each of two layers carries over the steps of some trainings, named by where they end."""
    _, axes = plots.page(1, 2)
    most = max(float(max(nats)) for _, nats in [*upper.values(), *lower.values()])
    for ax, series, layer in zip(axes, (upper, lower), ("Upper", "Lower"), strict=True):
        ends = {name: float(nats[-1]) for name, (_, nats) in series.items()}
        plots.curves(
            {f"{name} {ends[name]:.1f}": line for name, line in series.items()}, ax,
            x_label="training step", y_label="KL, nats per image", ylim=(0, 1.1 * most),
            title=f"{layer} layer: {min(ends.values()):.1f} to {max(ends.values()):.1f} nats",
        )  # fmt: skip
    axes[1].set_ylabel("")
    _level(axes[0], free, f"{free:g} nats are free")


def decided(rows: Mapping[str, Mapping[str, ArrayLike]], shares: Mapping[str, float]) -> None:
    """Images below one z₂, and of several z₂, by two models, with what z₂ decides of them."""
    titles = {name: f"{name}: z₂ decides {shares[name]:.0%}" for name in rows}
    plots.image_blocks({titles[name]: images for name, images in rows.items()})


def diffusion_layers(
    costs: Mapping[str, ArrayLike], depths: Sequence[int], gaps: Mapping[str, Sequence[float]]
) -> None:
    """What each layer of a diffusion costs, from its bottom to its top, and the gap by depth.

    costs: name to the KL of layer 1 … T, where T is the top.
    """
    _, (left, right) = plots.page(1, 2)
    name, kl = [(name, np.asarray(kl)) for name, kl in costs.items()][-1]
    half = kl[: len(kl) // 2].sum() / kl.sum()
    places = {name: ((np.arange(len(kl)) + 1) / len(kl), kl) for name, kl in costs.items()}
    plots.curves(
        places, left, x_label="layer t / T, the top at 1", y_label="KL of the layer, nats",
        yscale="log", title=f"{name}: the lower half holds {half:.0%}",
    )  # fmt: skip
    told = gaps["variance β_t"][-1]
    plots.curves(
        {name.replace("_t", "ₜ"): (depths, gap) for name, gap in gaps.items()}, right,
        x_label="layers T", y_label="gap, nats per image", xscale="log", yscale="log",
        title=f"{depths[-1]:,} layers with βₜ: a gap of {told:.3f}",
    )  # fmt: skip
    right.set_xticks((2, 10, 100, 1000), ("2", "10", "100", "1,000"))
    for ax in (left, right):
        ax.yaxis.set_major_formatter("{x:g}")


def filled(rows: Mapping[str, ArrayLike], errors: Mapping[str, float]) -> None:
    """Images with patches hidden, and filled in, with the error of a hidden number."""
    hidden = [name for name in rows if name.endswith("hidden")]
    (least, low), *_, (most, high) = zip(hidden, errors.values(), strict=True)
    title = f"Error where hidden: {low:.2f} with {least}, {high:.2f} with {most}"
    _rows(rows, errors, label="error", apart=hidden, title=title)


def probes(
    accuracy: Mapping[str, Interval], lead: Mapping[str, Interval], *, own: str, chance: float
) -> None:
    """Percent of classes that linear probes find in each view of images, and by how much less.

    lead: view to the paired differences of `own` to it, in points.
    """
    _, (left, right) = plots.page(1, 2, height=1.2 * MIDDLE, sharey=True)
    place = {view: len(accuracy) - 1 - i for i, view in enumerate(accuracy)}
    for ax, intervals in ((left, accuracy), (right, lead)):
        for view, (mean, half) in intervals.items():
            colour = {"VAE": VAE, own: CODE}.get(view.split(",")[0], BASELINE)
            ax.errorbar(mean, place[view], xerr=half, fmt="o", capsize=4, color=colour)
            told = f"{mean:.1f} ± {half:.1f}%"
            if ax is right:
                told = f"{mean:+.1f} ± {half:.1f}: {_verdict(mean, half)}".replace("-", "−")
            ax.annotate(told, (mean, place[view]), (0, 9), ha="center", bbox=BOX, **NEAR)
        ax.margins(x=0.45, y=0.15)
    left.set_xlim(0, min(100, 1.3 * max(mean + half for mean, half in accuracy.values())))
    left.set(yticks=list(place.values()), yticklabels=list(place), xlabel="classes found, percent")
    left.set_title(f"{own}: {accuracy[own][0]:.0f}%, VAE: {accuracy['VAE'][0]:.0f}%")
    left.axvline(chance, color=BASELINE, linestyle=":")
    left.annotate(f"guessing {chance:.0f}%", (chance, -0.3), (4, 0), va="center", **NEAR)
    ahead = sum(mean > half for mean, half in lead.values())
    right.set_title(f"{own}: ahead of {ahead} of {len(lead)} others")
    right.set_xlabel(f"{own} less the other, points")
    right.axvline(0, color=BASELINE, linestyle=":")


def _verdict(mean: float, half: float) -> str:
    return "ahead" if mean > half else "behind" if mean < -half else "not told apart"


def collected(images: Mapping[str, ArrayLike], deep: float) -> None:
    """Test faces of both groups, without and with glasses; deep: its share in training."""
    rows = {name: x[:9] for name, x in images.items()}
    title = f"Deep skin is {deep:.0%} of the training faces"
    plots.image_rows(rows, apart=list(images)[2:3], title=title)


def code_maps(maps: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> None:
    """Codes of faces of pale and of deep skin, as collected and as drawn.

    maps: title to codes (N, 2) and who has deep skin, 0 or 1 (N,).
    """
    _, axes = plots.page(1, 2, height=1.2 * MIDDLE, sharex=True, sharey=True)
    for ax, (title, (codes, deep)) in zip(axes, maps.items(), strict=True):
        z, is_deep = np.asarray(codes), np.asarray(deep)
        looks = ((0, "pale", BLUE, "o", 8), (1, "deep", LOSS, "s", 16))
        for label, name, colour, marker, size in looks:
            x, y = z[is_deep == label].T
            ax.scatter(x, y, s=size, color=colour, marker=marker, linewidths=0)
            look = {"color": ink(colour), "fontweight": "bold", "ha": "center"}
            ax.annotate(name, (np.median(x), y.max()), (0, 6), **look, **NEAR)
        ax.set(title=f"{title}: {is_deep.mean():.1%} deep skin", aspect="equal")
        ax.set(xlabel="z₁", ylabel="z₂")
        ax.margins(y=0.12)
        ax.label_outer()


def group_errors(
    errors: Mapping[str, Sequence[Interval]],
    shares: Mapping[str, float],
    changes: Mapping[str, str],
    *,
    names: tuple[str, str],
) -> None:
    """Percent wrong in a group and outside it, a line for each way to draw a batch.

    errors: way to the group's interval and the others'; shares: the group's share of a batch;
    changes: of the group's error, in words; names: of the group and the others.
    """
    _, ax = plots.page(height=1.1 + 0.55 * len(errors))
    ways = list(errors)
    for i, (colour, marker, side) in enumerate(((LOSS, "s", -1), (BLUE, "o", 1))):
        mean, half = np.array([errors[way][i] for way in ways]).T
        places, look = np.arange(len(ways)) + 0.1 * side, {"color": ink(colour), "ha": "center"}
        ax.errorbar(mean, places, xerr=half, capsize=4, fmt=marker, color=colour)
        for x, y in zip(mean, places, strict=True):
            ax.annotate(f"{x:.1f}", (x, y), (0, -11 * side), va="center", **look, **NEAR)
        name = {"color": ink(colour), "fontweight": "bold", "transform": ax.transAxes}
        ax.text(0.03 + 0.35 * i, 0.98, f"{'■●'[i]} {names[i]}", va="top", **name)
    ax.set_yticks(range(len(ways)), [f"{way}\n{shares[way]:.0%} of a batch" for way in ways])
    ax.set_xlabel("percent wrong, 95% intervals")
    most = min(100, max(mean + half for way in ways for mean, half in errors[way]))
    ax.set(ylim=(len(ways) - 0.5, -1), xlim=(-0.05 * most, 1.06 * most))
    for i, told in enumerate(changes.get(way, f"change of {names[0]}:") for way in ways):
        ax.annotate(told, (1.02, i), xycoords=("axes fraction", "data"), va="center")
    first, *densities, last = ways
    best = min(densities, key=lambda way: errors[way][0][0])
    told = ", ".join(f"{errors[way][0][0]:.0f}% {way}" for way in (best, last))
    ax.set_title(f"{names[0].capitalize()}: {errors[first][0][0]:.0f}% wrong {first}, {told}")


def _rows(
    rows: Mapping[str, ArrayLike],
    values: Mapping[str, float],
    *,
    label: str = "distance",
    apart: Sequence[str] = (),
    title: str,
) -> None:
    """Rows of images with numbers beside them, on a page of their own."""
    plots.image_rows(rows, values=values, value_label=label, apart=apart, title=title)


def _level(ax: Axes, height: float, told: str, *, above: bool = True, at: float = 0.02) -> None:
    """A dotted line at this height, and what it is; at: where the text begins, of the axes."""
    ax.axhline(height, color=BASELINE, linestyle=":", linewidth=1.5)
    look = {"va": "bottom" if above else "top", "color": ink(BASELINE), "bbox": BOX}
    place, offset = (at, height), (0, 3 if above else -3)
    ax.annotate(told, place, offset, xycoords=("axes fraction", "data"), **look, **NEAR)
