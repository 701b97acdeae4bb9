"""The figures of notebook 05: faces and photographs that no camera took, and what measures them."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator
from numpy.typing import ArrayLike

from course_lib import plots
from course_lib.plots import BASELINE, LOSS, PALETTE, VAE
from course_lib.plots.images import LETTER
from course_lib.plots.style import PAGE_WIDTH

Curve = Sequence[float]
Reports = Mapping[str, Mapping[int, tuple[float, float, float]]]
CENTRE = slice(18, 46)  # of 64 pixels: where eyes, nose and glasses of an aligned face are


def words(name: str) -> str:
    """An attribute's name in words: `Blond_Hair` is blond hair."""
    return name.replace("_", " ").lower().replace("o clock", "o’clock")


def zoomed(images: ArrayLike) -> np.ndarray:
    """The middle of faces, (N, C, 64, 64) to (N, C, 28, 28)."""
    return np.asarray(images)[:, :, CENTRE, CENTRE]


def faces_in_detail(
    rows: Mapping[str, ArrayLike], *, errors: Mapping[str, float], title: str
) -> None:
    """Faces and beside them their eyes, as they are and as models rebuild them, with each error."""
    count = len(next(iter(rows.values())))
    _, (faces, eyes) = _side_by_side(len(rows), (count, count), names=rows)
    plots.image_rows(rows, faces, title=title)
    closer = {name: zoomed(x) for name, x in rows.items()}
    plots.image_rows(closer, eyes, values=errors, value_label="squared error")
    eyes.set_yticks([])


def codes_and_maps(
    codes: Mapping[tuple[str, int], ArrayLike],
    maps: Mapping[tuple[str, int], ArrayLike],
    brightness: ArrayLike,
) -> None:
    """The first latent against N(0, 1), and two axes of all codes coloured by brightness."""
    sizes = sorted({n for _, n in codes})
    _, axes = plots.page(4, len(sizes), height=2 * plots.HIGH - 1.6)
    for row, kind in enumerate(("AE", "VAE")):
        for j, n in enumerate(sizes):
            first, ax = np.asarray(codes[kind, n])[:, 0], axes[2 + row, j]
            head = f"{kind}, n = {n}: width {first.std():.2f}"
            plots.against_normal(first, axes[row, j], x_label="", title=head)
            axes[row, j].set(yticks=[], xlabel="z₁" if row else "", ylabel="" if j else "density")
            ax.scatter(
                *np.asarray(maps[kind, n])[:1_500].T, s=4, c=brightness[:1_500], cmap="viridis"
            )
            ax.set(title=f"{kind}, n = {n}", xticks=[], yticks=[], aspect="equal")
            ax.set_adjustable("datalim")
    axes[2, 0].set_ylabel("second axis")
    axes[3, 0].set(xlabel="first axis", ylabel="second axis")


def groups_of_rows(
    groups: Mapping[str, Mapping[str, ArrayLike]],
    *,
    values: Mapping[str, float],
    value_label: str,
) -> None:
    """Groups of rows of images under each other, each with its heading and a number at each row."""
    count = max(len(x) for rows in groups.values() for x in rows.values())
    heights = [len(rows) for rows in groups.values()]
    letters = LETTER * max(len(name) for rows in groups.values() for name in rows)
    side = (PAGE_WIDTH - 0.2 - letters) / (1.28 * count)  # with room for the bars
    height = side * sum(heights) + 0.35 * len(groups)
    _, axes = plots.page(len(groups), height=height, height_ratios=heights, squeeze=False)
    longest = max(values.values())
    for ax, (title, rows) in zip(axes[:, 0], groups.items(), strict=True):
        plots.image_rows(rows, ax, title=title)
        _numbers_beside(ax, rows, values, longest=longest)
    axes[0, 0].annotate(
        value_label, (1.02, 1), xycoords="axes fraction", xytext=(0, 6), textcoords="offset points"
    )


def _numbers_beside(
    ax: Axes, rows: Collection[str], values: Mapping[str, float], *, longest: float
) -> None:
    """Bars with their numbers at the right of rows, on the scale of all groups."""
    beside = ax.inset_axes((1.02, 0, 0.25, 1))
    beside.set(xlim=(0, 1.6 * longest), ylim=ax.get_ylim(), xticks=[], yticks=[])
    beside.spines[["top", "right", "bottom"]].set_visible(False)
    for place, name in zip(ax.get_yticks(), rows, strict=True):
        beside.barh(place, values[name], 18, color=VAE)
        beside.annotate(
            f"{values[name]:,.0f}", (values[name], place), xytext=(5, 0),
            textcoords="offset points", va="center",
        )  # fmt: skip


def curves_of_cards(cards: Mapping[tuple[str, int], Mapping[str, object]]) -> None:
    """Validation curves with their names at the end, and those of training dotted, of each kind."""
    _, axes = plots.page(1, 2)
    labels = {"AE": "squared error per image", "VAE": "−ELBO (nats per image)"}
    for ax, (kind, label) in zip(axes, labels.items(), strict=True):
        own = {n: card for (k, n), card in cards.items() if k == kind}
        for i, (n, card) in enumerate(own.items()):
            every = card.get("every", 1)  # steps, of models trained in the notebook
            for part, curve in card["curve"].items():
                look = {"marker": plots.CLASS_MARKERS[i], "markersize": 4, "label": f"n = {n}"}
                look = {"linestyle": ":", "label": None} if part != [*card["curve"]][-1] else look
                place = every * np.arange(1, len(curve) + 1)
                ax.plot(place, curve, color=PALETTE[i], **look)
        parts = [curve for card in own.values() for curve in card["curve"].values()]
        ax.set(ylabel=label, ylim=(None, max(curve[min(2, len(curve) - 1)] for curve in parts)))
        ax.set_xlabel("step" if "every" in card else "epoch")
        last = {n: [*card["curve"].values()][-1][-1] for n, card in own.items()}
        ax.set_title(f"{kind}: lowest at the end with n = {min(last, key=last.get)}")
        plots.name_lines(ax)


def own_training(steps: Curve, *, loss: Curve, sigma: Curve, kl: Curve) -> None:
    """−ELBO, σ and KL of each step, thin, and their mean over ten steps."""
    _, axes = plots.page(1, 3, height=plots.LOW + 0.4)
    below = [i for i, value in zip(steps, loss, strict=True) if value < 0]
    told = f"−ELBO: below 0 at step {below[0]}" if below else "−ELBO: not below 0"
    shown = {
        told: loss,
        f"σ: from {sigma[0]:.2f} to {sigma[-1]:.2f}": sigma,
        f"KL: from {kl[0]:.1f} to {kl[-1]:.0f} nats": kl,
    }
    for ax, (title, values) in zip(axes, shown.items(), strict=True):
        ax.plot(steps, values, color=plots.SKY, linewidth=1)
        width = min(10, len(values))
        smooth = np.convolve(values, np.ones(width) / width, "valid")
        ax.plot(steps[width // 2 :][: len(smooth)], smooth, color=VAE)
        ax.set_title(title)
        ax.set_xlabel("step")
    axes[0].axhline(0, color=LOSS, linewidth=1.5, linestyle="--")
    axes[0].set_ylim(top=2 * max(1.0, abs(loss[0])))
    axes[0].set_ylabel("−ELBO, nats per image")


def sight(distances: Mapping[str, tuple[float, float]], *, blind: Sequence[str]) -> None:
    """How far faces with an attribute are from those without, beside two random halves."""
    pairs = {words(name): pair for name, pair in distances.items()}
    ax = plots.dumbbells(
        pairs, names=("random halves", "without it against with it"), x_label="Fréchet distance"
    )
    ax.set_title(
        f"Nearly blind to {len(blind)} of {len(pairs)}: less than twice as far as random halves"
    )


def kept_promises(ruler: Mapping[str, float], decoders: Sequence[str]) -> None:
    """Distance of each decoder's images with codes from N(0, I) and from a Gaussian fitted to its.

    ruler: distance of "AE 20, N(0, I)", "AE 20, Gaussian" and so on, of a floor and two ceilings.
    """
    pairs = {name: (ruler[f"{name}, N(0, I)"], ruler[f"{name}, Gaussian"]) for name in decoders}
    names = ("z ~ N(0, I)", "z ~ fitted Gaussian")
    ax = plots.dumbbells(pairs, names=names, x_label="Fréchet distance from test faces")
    ax.legend(loc="center left", bbox_to_anchor=(0.12, 0.5))
    for name in ("training images", "8 × 8 means", "noise"):
        ax.axvline(ruler[name], color=BASELINE, linestyle=":")
        ax.annotate(
            name, (ruler[name], len(pairs) - 0.4), ha="center", va="bottom",
            color=BASELINE, annotation_clip=False,
        )  # fmt: skip
    ax.set_ylim(-0.6, len(pairs) - 0.5)
    shares = [after / before for before, after in pairs.values()]
    told = f"{min(shares):.2f} to {max(shares):.2f} times that of N(0, I)"
    ax.set_title(f"With a fitted Gaussian the distance is {told}", pad=24)


def likelihoods(
    rebuilt: Mapping[str, ArrayLike],
    samples: Mapping[str, ArrayLike],
    *,
    errors: Mapping[str, float],
    distances: Mapping[str, float],
) -> None:
    """Faces rebuilt, their eyes, and samples, under each likelihood, with their numbers."""
    counts = [len(next(iter(rows.values()))) for rows in (rebuilt, rebuilt, samples)]
    _, axes = _side_by_side(len(rebuilt), counts, names=rebuilt, beside=2)
    plots.image_rows(rebuilt, axes[0], title="rebuilt")
    eyes = {name: zoomed(x) for name, x in rebuilt.items()}
    plots.image_rows(eyes, axes[1], values=errors, value_label="√MSE", title="their eyes")
    plots.image_rows(samples, axes[2], values=distances, value_label="distance", title="samples")
    for ax in axes[1:]:
        ax.set_yticks([])


def edits(before: Mapping[str, ArrayLike], after: Mapping[str, ArrayLike]) -> None:
    """Faces, the same with an attribute added, and the change, a block for each attribute."""
    blocks = {}
    for name in before:
        change = np.asarray(after[name]) - np.asarray(before[name])
        rows = {"before": before[name], "after": after[name], "change": 0.5 + change}
        blocks[f"{words(name)}: {np.abs(change).mean():.1%}"] = rows
    plots.image_blocks(blocks)


def side_effects(effect: ArrayLike, names: Sequence[str], *, strength: float) -> None:
    """A table of what each edit, a row, does to each probe, a column; framed: the largest other."""
    table, said = np.asarray(effect), [words(name) for name in names]
    ax = plots.page(height=plots.MIDDLE)[1]
    ax.imshow(table, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
    for (i, j), value in np.ndenumerate(table):
        look = {"color": "white" if abs(value) > 0.6 else "black", "ha": "center", "va": "center"}
        ax.text(j, i, f"{value:+.2f}".replace("-", "−"), **look)
    others = np.abs(table - np.diag(np.diag(table)))
    i, j = np.unravel_index(others.argmax(), others.shape)
    ax.add_patch(plt.Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, color=LOSS, linewidth=3))
    told = f"{table[i, j]:+.2f}".replace("-", "−")
    ax.set_title(f"Largest side effect: {said[i]} added, {said[j]} {told}")
    ax.set_xticks(range(len(said)), said)
    ax.set_yticks(range(len(said)), [f"+ {strength:g} {name}" for name in said])
    ax.set_xlabel("change of the probability that a probe finds")
    ax.grid(False)


def two_ways(
    t: Curve,
    lengths: Mapping[str, Curve],
    middles: Mapping[str, ArrayLike],
    *,
    sphere: float,
    distances: Mapping[str, float],
) -> None:
    """The length of codes along both ways, and what both decode to halfway."""
    _, (above, below) = plots.page(2, height=plots.HIGH - 0.4, height_ratios=(1.1, 1))
    above.axhline(sphere, color=BASELINE, linestyle=":")
    above.annotate(
        f"√n = {sphere:.2f}", (0, sphere), xytext=(0, 5), textcoords="offset points", color=BASELINE
    )
    middle = len(t) // 2
    for (name, values), look in zip(lengths.items(), ("-", "--"), strict=True):
        (line,) = above.plot(t, values, look)
        above.plot(t[middle], values[middle], "o", color=line.get_color())
        above.annotate(
            f"{name} {values[middle]:.2f}", (t[middle], values[middle]), xytext=(0, -8),
            textcoords="offset points", ha="center", va="top", color=plots.ink(line.get_color()),
        )  # fmt: skip
    above.set(xlabel="t, from one code to the other", ylabel="length of z", ylim=(0, 1.3 * sphere))
    shares = ", ".join(f"{name} {values[middle] / sphere:.0%}" for name, values in lengths.items())
    above.set_title(f"Length halfway, of √n: {shares}")
    rows = {f"{name}, t = 0.5": images for name, images in middles.items()}
    values = {f"{name}, t = 0.5": distances[name] for name in middles}
    plots.image_rows(rows, below, values=values, value_label="distance")


def temperatures(
    rows: Mapping[float, ArrayLike], measures: Mapping[float, Sequence[float]], *, floor: float
) -> None:
    """Samples at each temperature, and beside each row its distance, precision and recall."""
    named = {f"τ = {tau:g}": images for tau, images in rows.items()}
    ax = plots.page(height=0.6 * len(rows) + 0.9)[1]
    plots.image_rows(named, ax)
    ax.set_anchor("W")
    places = ax.get_yticks()
    distance, precision, recall = np.array([measures[tau][:3] for tau in rows]).T
    far, shares = ax.inset_axes((1.05, 0, 0.4, 1)), ax.inset_axes((1.55, 0, 0.45, 1))
    far.plot(distance, places, "o-", color=VAE)
    far.axvline(floor, color=BASELINE, linestyle=":")
    best = distance.argmin()
    far.plot(distance[best], places[best], "o", color=LOSS, markersize=11)
    far.set(xscale="log", xlabel="Fréchet distance", title=f"least at {list(named)[best]}")
    low, high = far.get_xlim()
    ticks = [tick for tick in (1, 10, 100, 1000) if low <= tick <= high]
    far.set_xticks(ticks, [str(tick) for tick in ticks])
    far.minorticks_off()
    for name, share, look, side in (
        ("▲ recall", recall, "^--", 0),
        ("■ precision", precision, "s-", 1),
    ):
        (line,) = shares.plot(100 * share, places, look, color=PALETTE[1 - side])
        where = {"xycoords": "axes fraction", "ha": "right" if side else "left"}
        shares.annotate(name, (side, 1.01), color=plots.ink(line.get_color()), **where)
    shares.set(xlabel="share, %", xlim=(-5, 105))
    for beside in (far, shares):
        beside.set(ylim=ax.get_ylim(), yticks=[])
        beside.spines["left"].set_visible(False)


def with_nearest(
    found: Mapping[str, tuple[ArrayLike, ArrayLike]],
    distances: Mapping[str, float],
    *,
    title: str,
) -> None:
    """Images and below each its nearest training image, with the median distance of such pairs."""
    rows, values = {}, {}
    for name, (images, nearest) in found.items():
        below = f"{name}: nearest"
        rows |= {name: images, below: nearest}
        values[below] = distances[name]
    plots.image_rows(rows, values=values, apart=list(found)[1:], title=title)


def by_class(
    rows: Mapping[str, ArrayLike],
    names: Sequence[str],
    ax: Axes | None = None,
    **more: object,
) -> Axes:
    """Rows of images with classes in columns, their names aslant above."""
    heads = ["\n".join(textwrap.wrap(name, 11)) for name in names]
    if ax is None:
        ax = plots.page(height=0.62 * (len(rows) + len(more.get("apart", ())) / 4) + 1.0)[1]
    plots.image_rows(rows, ax, columns=heads, **more)
    plt.setp(ax.get_xticklabels(), rotation=35, ha="left", rotation_mode="anchor")
    return ax


def pairs(pairs: Mapping[str, ArrayLike], told: Mapping[str, tuple[float, float]]) -> None:
    """Pairs of images, with their SSIM at the right range and at a wrong one."""
    _, axes = plots.page(1, len(pairs), height=1.75, squeeze=False)
    for ax, (name, images) in zip(axes[0], pairs.items(), strict=True):
        right, wrong = told[name]
        plots.image_grid(images, ax, columns=2)
        head = f"{name}\nSSIM {right:.2f}, not {wrong:.4f}".replace("-", "−")
        ax.set_title(head, fontweight="normal")


def by_count(
    spreads: Mapping[str, Mapping[str, tuple[Curve, Curve]]], counts: Sequence[int]
) -> None:
    """Mean and spread of each distance, over draws of N images, against N."""
    _, axes = plots.page(1, len(spreads), height=plots.MIDDLE + 0.2)
    for ax, (measure, lines) in zip(axes, spreads.items(), strict=True):
        first = ax is axes[0]
        plots.curves(
            {name: (counts, mean, spread) for name, (mean, spread) in lines.items()}, ax,
            x_label="images N on each side", y_label=measure, xscale="log",
            yscale="log" if first else "linear", xlim=(0.85 * counts[0], 1.15 * counts[-1]),
        )  # fmt: skip
        ax.set_xticks(counts, [str(count) for count in counts])
        ax.minorticks_off()
        less, more = ({name: mean[i] for name, (mean, _) in lines.items()} for i in (-1, 0))
        if first:
            told = [f"{name} × {more[name] / less[name]:.1f}" for name in lines]
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.yaxis.set_major_formatter("{x:g}")
        else:
            told = [f"{name} {more[name] - less[name]:+.2f}".replace("-", "−") for name in lines]
        ax.set_title(f"From N = {counts[-1]} to {counts[0]}:\n" + ", ".join(told))
    axes[1].axhline(0, color=BASELINE, linewidth=1)


def noise_film(film: Mapping[str, ArrayLike], stops: Sequence[int], kept: Curve) -> None:
    """The share of variance that is left at each step, and images on their way to noise."""
    kept = np.asarray(kept)
    _, (above, below) = plots.page(2, height=plots.HIGH - 0.6, height_ratios=(1, 1.25))
    above.plot(kept, color=VAE)
    above.plot(stops, kept[stops], "o", color=VAE)
    for t in stops:
        above.annotate(f"{kept[t]:.2f}", (t, kept[t]), xytext=(3, 6), textcoords="offset points")
    half = int((kept < 0.5).argmax())
    above.set(
        xlabel="step t",
        ylabel="ᾱ",
        ylim=(0, 1.2),
        title=f"Half of the variance is left at t = {half}",
    )
    plots.image_rows(film, below, columns=[f"t = {t}" if not t else str(t) for t in stops])


def quality_and_time(
    points: Mapping[str, tuple[float, float, float]],
    rows: Mapping[str, ArrayLike],
    *,
    names: Sequence[str],
    floor: float,
    apart: Collection[str],
) -> None:
    """Distance against milliseconds per image, and below it samples of each with classes above.

    points: run to (milliseconds, distance, half its interval); the runs "DDIM, n steps" are joined.
    """
    parts = plots.LOW + 0.2, 0.63 * (len(rows) + len(apart) / 4) + 0.9
    _, (above, below) = plots.page(2, height=sum(parts), height_ratios=parts)
    _distances(points, above)
    above.axhline(floor, color=BASELINE, linestyle=":")
    right = 4 * max(ms for ms, *_ in points.values())
    above.annotate(
        "training images", (right, floor), xytext=(0, 4), textcoords="offset points", ha="right"
    )
    above.set(
        xscale="log", xlim=(None, right), ylim=(0, None), xlabel="milliseconds per image",
        ylabel="Fréchet distance",
    )  # fmt: skip
    above.xaxis.set_major_formatter("{x:g}")
    nearest = min(points, key=lambda name: points[name][1])
    fastest = min(points, key=lambda name: points[name][0])
    times = points[nearest][0] / points[fastest][0]
    longer = f", which takes {times:,.0f} times as long as {fastest}" if times > 1 else ""
    above.set_title(f"Least distance: {nearest}{longer}")
    by_class(rows, names, below, apart=apart)


def _distances(points: Mapping[str, tuple[float, float, float]], ax: Axes) -> None:
    """Points with their intervals and names, those of DDIM joined to one line."""
    steps = {name: p for name, p in points.items() if name.startswith("DDIM")}
    others = {name: p for name, p in points.items() if name not in steps}
    for group, look, colour in ((others, "o", VAE), (steps, "s-", LOSS)):
        ms, value, half = np.array(list(group.values())).T
        ax.errorbar(ms, value, half, fmt=look, color=colour, capsize=4)
    lowest = min(others, key=lambda name: others[name][1])
    for name, (ms, value, _) in points.items():
        short = name.removeprefix("DDIM, ").removesuffix(" steps") if name in steps else name
        short = name if name == next(iter(steps)) else short
        down = name == lowest and len(others) > 1  # so that names of near points stand apart
        spot = {"xytext": (8, -5 if down else 5), "va": "top" if down else "bottom"}
        if name == next(iter(steps), None):  # the next one is near, on the right
            spot |= {"xytext": (-8, 5), "ha": "right"}
        ax.annotate(short, (ms, value), textcoords="offset points", **spot)


def groups_of_people(reports: Reports, sizes: Mapping[str, int], *, total: int) -> None:
    """Mean error of faces with and without each attribute, with its interval, and how many."""
    told = {
        f"{words(name)}, {sizes[name]} of {total:,}": reports[name] for name in reversed(reports)
    }
    ax = plots.group_intervals(told, names=("without", "with"), x_label="squared error per image")
    ax.get_legend().remove()
    top, last = list(told.values())[-1], len(told) - 1
    first = min((0, 1), key=lambda group: top[group][0])  # the left one of the two
    for group, colour in enumerate((plots.BLUE, plots.VERMILION)):
        end, side = (top[group][1], "right") if group == first else (top[group][2], "left")
        ax.annotate(
            ("without", "with")[group], (end, last + 0.12 - 0.24 * group), ha=side, va="center",
            xytext=(-8 if side == "right" else 8, 0), textcoords="offset points",
            color=plots.ink(colour),
        )  # fmt: skip
    ax.set_ylim(-0.6, last + 0.6)
    largest = max(reports, key=lambda name: abs(reports[name][1][0] - reports[name][0][0]))
    without, with_it = (reports[largest][i][0] for i in (0, 1))
    ax.set_title(f"Largest difference: {words(largest)}, {with_it:.1f} with, {without:.1f} without")


def rare_group(
    rows: Mapping[str, ArrayLike], ratios: Mapping[str, float], *, change: float, half: float
) -> None:
    """Faces of a group, rebuilt by models that saw many and few of it, with ratios of errors."""
    told = f"{change:+.2f} ± {half:.2f}".replace("-", "−")
    plots.image_rows(
        rows, values=ratios, value_label="group / others", apart=list(ratios)[:1],
        title=f"Error of the group over that of the others: {told} where it is one in fifty",
    )  # fmt: skip


def marks(
    pictures: Mapping[str, ArrayLike], bits: Mapping[str, ArrayLike], shares: ArrayLike,
    *, kinds: Sequence[str],
) -> None:  # fmt: skip
    """Copies of a marked file, the lowest bit of their blue, and the share that keeps each mark."""
    ax = plots.page(height=plots.HIGH - 0.2)[1]
    heads = ["\n".join(textwrap.wrap(name, 11)) for name in pictures]
    rows = {"picture": np.stack(list(pictures.values()))}
    rows["lowest bit\nof blue"] = np.stack(list(bits.values()))
    plots.image_rows(rows, ax, columns=heads)
    ax.set_anchor("N")
    table = ax.inset_axes((0, -0.62, 1, 0.55))
    plots.share_table(shares, table, rows=kinds, columns=[""] * len(pictures))
    table.tick_params(length=0)


def _side_by_side(
    rows: int, counts: Sequence[int], *, names: Collection[str], beside: int = 1
) -> tuple[plt.Figure, np.ndarray]:
    """A page of blocks of images; counts: images across in each; beside: blocks with numbers."""
    letters = LETTER * max(map(len, names))
    across = sum(counts) + 0.3 * len(counts)
    room = PAGE_WIDTH - 0.2 - letters - 0.9 * beside
    return plots.page(1, len(counts), height=room / across * rows + 0.5, width_ratios=counts)
