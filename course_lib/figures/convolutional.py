"""The figures of notebook 02: arrays in, a page drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import ArrayLike

from course_lib import plots

Curve = Mapping[float, float]
KINDS = {"gaussian": "Gaussian noise", "mask": "missing square", "salt_pepper": "salt and pepper"}
NETWORKS = [plots.BASELINE, plots.AUTOENCODER]  # the MLP, the convolutional network
TINT = np.array([0.84, 0.37, 0.0])[:, None, None]  # vermilion


def one_kernel(image: ArrayLike, kernel: ArrayLike, whole: ArrayLike, half: ArrayLike) -> None:
    """A framed patch of the image times the kernel is the ringed number of the result.

    image: (H, W); whole, half: results at stride 1 and 2.
    """
    image, kernel, whole, half = map(np.asarray, (image, kernel, whole, half))
    row, column = np.unravel_index(whole.argmax(), whole.shape)
    k = len(kernel)
    _, axes = plots.page(1, 5, height=2.4, width_ratios=[5, 3.4, 3.4, 5, 5])
    plots.image_grid(image[None], axes[0], columns=1, title=f"image\n{_size(image)}")
    patch = image[row : row + k, column : column + k]
    _numbered(patch, axes[1], form=".2f", title="framed patch", vmin=0, vmax=1)
    _numbered(kernel, axes[2], form="g", title="× kernel", cmap="PuOr", vmin=-2, vmax=2)
    for ax, result, stride in zip(axes[3:], (whole, half), (1, 2), strict=True):
        plots.signed_image(result, ax)
        ax.set_title(f"stride {stride}\n{_size(result)}")
    axes[3].set_title(f"ringed: sum {whole[row, column]:.2f}\nstride 1: {_size(whole)}")
    axes[3].plot(column, row, "o", markersize=14, markerfacecolor="none", color=plots.BLACK)
    _frame(axes[0], column, row, k)


def another_order(image: ArrayLike, channels: ArrayLike, back: ArrayLike, error: float) -> None:
    """An image, its pixels as channels, and the image put together again.

    image, back: (1, H, W); channels: (C, h, w).
    """
    image, channels = np.asarray(image), np.asarray(channels)
    _, axes = plots.page(1, 3, height=2.9)
    plots.image_grid(image, axes[0], columns=1, title=f"image: {_size(image[0])} pixels")
    count = f"{len(channels)} × {channels.shape[1]} × {channels.shape[2]} = {channels.size}"
    plots.image_grid(channels, axes[1], columns=4, title=f"{count} numbers")
    plots.image_grid(back, axes[2], columns=1, title=f"put back: error {error:.1f}")


def race(
    losses: Mapping[str, Sequence[float]],
    billions: float,
    errors: Mapping[str, float],
    rows: Mapping[str, ArrayLike],
) -> None:
    """Training losses against what was spent; test images, and what is wrong with each below it.

    rows: "original", and a row for each network, whose test errors stand beside them.
    """
    _, (left, right) = plots.page(1, 2, height=3.6, width_ratios=[1, 1.15])
    lines = {name: _smoothed(loss, billions) for name, loss in losses.items()}
    first, second = errors.values()
    plots.curves(
        lines, left, x_label="billions of multiply-adds", y_label="training error per image",
        yscale="log", colours=NETWORKS,
        title=f"Convolutional: {second / first:.0%} of the MLP's test error",
    )  # fmt: skip
    _plain(left.yaxis)
    shown, original = {"original": rows["original"]}, np.asarray(rows["original"])
    for i, name in enumerate(errors):
        shown[name] = rows[name]
        shown["|error| × 2" + i * " "] = 2 * np.abs(np.asarray(rows[name]) - original)
    plots.image_rows(shown, right, values=errors, value_label="test error")


def stamps(hits: Mapping[int, ArrayLike]) -> None:
    """How many stamps hit each pixel, by the side of the kernel, and two stamps that overlap."""
    _, axes = plots.page(1, len(hits), height=3.3)
    for ax, (kernel, counts) in zip(axes, hits.items(), strict=True):
        counts = np.asarray(counts).round().astype(int)
        found = sorted({*counts.ravel().tolist()})
        told = ", ".join(map(str, found[:-1])) + f" or {found[-1]}" * (len(found) > 1)
        title = f"kernel {kernel}: {told or f'always {found[0]}'} stamps on a pixel"
        _numbered(counts, ax, form="d", title=title, cmap="Blues", vmin=0, vmax=5)
        for column, dash in ((1, "-"), (3, "--")):
            _frame(ax, column, 1, kernel, linestyle=dash)


def decoders(
    raw: Mapping[str, ArrayLike], early: Mapping[str, ArrayLike], grains: Mapping[str, Sequence]
) -> None:
    """One code through decoders with random weights, contrast stretched, and after 40 steps.

    raw, early: images (H, W) by way; grains: before training, after 20 steps, 40 and so on.
    """
    fig, axes = plots.page(2, len(raw), height=4.4)
    for column, way in zip(axes.T, raw, strict=True):
        column[0].imshow(raw[way])
        column[1].imshow(early[way], vmin=0, vmax=1)
        column[0].set_title(way.replace(", ", ",\n") if "," in way else way.replace(" ", "\n", 1))
        for ax, grain in zip(column, (grains[way][0], grains[way][2]), strict=True):
            ax.set(xticks=[], yticks=[], xlabel=f"grain {grain:.1%}")
    axes[0, 0].set_ylabel("random weights")
    axes[1, 0].set_ylabel("40 steps")
    a, b, c, *_, d = sorted(grain[0] for grain in grains.values())
    _headline(fig, f"Two start smooth, with a grain of {a:.0%} and {b:.0%}; "
                   f"the others with {c:.0%} to {d:.0%}")  # fmt: skip


def grain_falls(grains: Mapping[str, Sequence[float]], real: float) -> None:
    """Grain during training, in steps of 20, and that of real digits."""
    series = {
        way: (20 * np.arange(len(grain)), 100 * np.asarray(grain)) for way, grain in grains.items()
    }
    last = [100 * grain[-1] for grain in grains.values()]
    steps = len(next(iter(grains.values()))) - 1
    ax = plots.curves(
        series, x_label="step", y_label="grain, % of the power", yscale="log",
        xlim=(-4, 20 * steps + 2),
        title=f"After {20 * steps} steps the grain is "
              f"{min(last):.2f} to {max(last):.2f}%, whatever it was at the start",
    )  # fmt: skip
    _plain(ax.yaxis, subs=(1, 3))
    ax.axhline(100 * real, color=plots.BASELINE, linewidth=1.2)
    told = f"real digits {real:.1%}"
    ax.text(
        15 * steps, 110 * real, told, va="bottom", color=plots.BASELINE, bbox=plots.BOX, zorder=0.9
    )


def digit_maps(
    maps: Mapping[str, ArrayLike], labels: ArrayLike, beside: Mapping[str, ArrayLike]
) -> None:
    """Maps of digits; ringed, the points whose nearest neighbour shows another digit.

    maps: name to (N, 2); labels: (N,); beside: which points to ring, (N,) bool.
    """
    _, axes = plots.page(1, len(maps), height=4.5, sharex=True, sharey=True)
    for ax, (name, points) in zip(axes, maps.items(), strict=True):
        points, ringed = np.asarray(points), np.asarray(beside[name])
        look = {"s": 30, "facecolors": "none", "edgecolors": "black", "linewidths": 0.8}
        ax.scatter(*points[ringed].T, **look)
        plots.code_map(points, labels, ax, names=list("0123456789"), size=9)
        ax.set(xticks=[], yticks=[], xlabel="", ylabel="", aspect="equal")
        ax.set_title(f"{name}: {ringed.mean():.1%} beside another digit")
        ax.spines[:].set_visible(False)


def neighbours(images: ArrayLike, digits: ArrayLike, precision: Mapping[str, float]) -> None:
    """Each query, a line, and its neighbours, nearest first; framed, those of another digit.

    images: (Q, 1 + k, C, H, W); digits: (Q, 1 + k); precision: of many searches, by features.
    """
    digits = np.asarray(digits)
    wrong = digits != digits[:, :1]
    rows = {f"a {row[0]}": x for row, x in zip(digits, images, strict=True)}
    pixels, codes = precision.values()
    ax = plots.image_rows(
        rows, columns=["query", *map(str, range(1, digits.shape[1]))],
        marks=[(list(rows)[i], int(j)) for i, j in np.argwhere(wrong)],
        title=f"{wrong.sum()} of these {digits[:, 1:].size} neighbours are of another digit; "
              f"in many searches {1 - codes:.1%}, by pixels {1 - pixels:.1%}",
    )  # fmt: skip
    ax.axvline(np.shape(images)[-1], color=plots.SKY, linewidth=4)


def restored(
    blocks: Mapping[str, Mapping[str, ArrayLike]], decibels: Mapping[str, Mapping[str, float]]
) -> None:
    """For each kind of damage what undoes it, the decibels at each row; lost strokes are tinted."""
    kinds = {}
    for kind, rows in blocks.items():
        lost = np.clip(np.asarray(rows["clean"]) - np.asarray(rows["damaged"]), 0, 1)
        gain = decibels[kind]["restorer"] - decibels[kind]["damaged"]
        title = f"{KINDS[kind]}: {gain:+.1f} dB".replace("-", "−")
        tinted = np.asarray(rows["damaged"]) + lost * TINT if kind == "mask" else rows["damaged"]
        kinds[title] = {**rows, "damaged": tinted}
    axes = plots.image_blocks(kinds)
    heights = dict(zip(rows, axes[0].get_yticks(), strict=True))
    for ax, values in zip(axes, decibels.values(), strict=True):
        best = max(values, key=values.__getitem__)
        for name, value in values.items():
            spot = (ax.get_xlim()[1] + 3, heights[name])
            weight = "bold" if name == best else "normal"
            ax.text(*spot, f"{value:.1f}", va="center", fontweight=weight)


def holes(rows: Mapping[str, ArrayLike], errors: Mapping[str, float]) -> None:
    """Images with holes, filled in, and as they were; the error in the holes at the rows."""
    black, filled = errors.values()
    title = f"Filling in leaves {filled / black:.0%} of the error in the hole"
    plots.image_rows(rows, values=errors, value_label="error in the hole", title=title)


def scores(
    sides: Sequence[ArrayLike],
    density: ArrayLike,
    arrows: Mapping[str, tuple[ArrayLike, ArrayLike]],
    guesses: Mapping[str, tuple[ArrayLike, ArrayLike]],
) -> None:
    """Scores over the density of noisy points, and thick the ways from points to their best guess.

    sides: x₁ and x₂ of density; arrows, guesses: title to where arrows begin, (N, 2), and how they
    go, (N, 2), and to the points and their guesses.
    """
    _, axes = plots.page(1, 2, height=4.3, sharey=True)
    for ax, (title, (start, way)) in zip(axes, arrows.items(), strict=True):
        ax.contourf(*sides, density, 8, cmap="Blues")
        ax.quiver(*np.transpose(start), *np.transpose(way), angles="xy", scale=60, width=0.004)
        for x, guess in zip(*map(np.asarray, guesses[title]), strict=True):
            look = {"arrowstyle": "-|>", "color": plots.VERMILION, "linewidth": 2.5}
            ax.annotate("", guess, x, arrowprops={**look, "shrinkA": 0, "shrinkB": 0})
            ax.plot(*x, "o", color=plots.VERMILION)
            told = f"({guess[0]:.2f}, {guess[1]:.2f})".replace("-", "−")
            look = {"color": plots.ink(plots.VERMILION), "bbox": plots.BOX}
            ax.annotate(told, guess, xytext=(0, -18), textcoords="offset points", ha="left", **look)
        ax.set(title=title, aspect="equal", xlabel="x₁")
        ax.grid(False)
    axes[0].set_ylabel("x₂")


def penalties(codes: Mapping[str, ArrayLike], weights: Mapping[str, ArrayLike]) -> None:
    """How the numbers of each code are spread, and 16 rows of the encoder's weights below it.

    codes: name to numbers in [0, 1]; weights: name to (16, H, W).
    """
    _, axes = plots.page(2, len(codes), height=4.4, height_ratios=[1, 1.25])
    for (top, bottom), (name, z) in zip(axes.T, codes.items(), strict=True):
        z = np.ravel(z)
        _, _, drawn = top.hist(z, 20, range=(0, 1), density=True, color=plots.SKY)
        drawn[0].set(facecolor=plots.VERMILION, clip_on=True)
        near = f"{(z < 0.05).mean():.0%} below 0.05"
        top.text(0.1, 10.3, near, color=plots.ink(plots.VERMILION), fontweight="bold")
        top.set(title=name, ylim=(0, 12), xticks=[0, 1], yticks=[0, 5, 10])
        sheet = np.asarray(weights[name])
        side = sheet.shape[-1]
        sheet = sheet.reshape(4, 4, side, side).swapaxes(1, 2).reshape(4 * side, 4 * side)
        plots.signed_image(sheet, bottom)
    axes[0, 0].set_ylabel("density of z")


def coloured(
    rows: Mapping[str, ArrayLike], decibels: Mapping[str, float], strength: Mapping[str, float]
) -> None:
    """Images coloured from their grey; the title compares how strong their colours are."""
    title = f"The network's colours have {strength['network'] / strength['truth']:.0%} "
    title += "of the true ones' strength"
    plots.image_rows(rows, values=decibels, value_label="PSNR, dB", title=title)


def codecs(
    rates: Mapping[str, Curve], rows: Mapping[str, ArrayLike], errors: Mapping[str, float]
) -> None:
    """Bytes against error of a code and of JPEG, and images through both with the rows' errors."""
    _, (left, right) = plots.page(1, 2, height=3.9, width_ratios=[1, 1.2])
    ours, mosaic = rates.values()
    lines = {name: (list(curve), list(curve.values())) for name, curve in rates.items()}
    plots.curves(
        lines, left, x_label="bytes per image", y_label="squared error per image",
        ylim=(0, 1.05 * max(ours.values())), colours=[plots.AUTOENCODER, plots.BASELINE],
    )  # fmt: skip
    for name in left.texts:
        name.set_bbox(plots.BOX)
    size = min(ours, key=ours.__getitem__)
    enough = [more for more, error in mosaic.items() if error <= ours[size]]
    needs = f"needs {min(enough):.0f} bytes for" if enough else "never reaches"
    left.set_title(f"JPEG {needs} the error of our {size}")
    plots.image_rows(rows, right, values=errors, value_label="error")


def alarms(
    curves: Mapping[str, Mapping[str, tuple]], areas: Mapping[str, Mapping[str, float]]
) -> None:
    """ROC curves of alarms: name to kind of anomaly to shares of false alarms and of found ones."""
    _, axes = plots.page(1, len(curves), height=4.3, sharey=True)
    for ax, (alarm, kinds) in zip(axes, curves.items(), strict=True):
        ax.plot([0, 1], [0, 1], color=plots.BASELINE, linewidth=1)
        for i, (name, (false, found)) in enumerate(kinds.items()):
            look = {"color": plots.PALETTE[i], "linestyle": plots.LINE_STYLES[i]}
            ax.plot(false, found, label=f"{name} {areas[alarm][name]:.2f}", **look)
        _names_across(ax)
        lowest = min(areas[alarm], key=areas[alarm].__getitem__)
        ax.set_title(f"{alarm}: worst, {lowest}, {areas[alarm][lowest]:.2f}")
        ax.set(xlabel="false alarms among normal digits", aspect="equal", xticks=[0, 0.5, 1])
    axes[0].set(ylabel="anomalies found", yticks=[0, 0.5, 1])


def overfitting(
    moved: ArrayLike, errors: Mapping[tuple[str, float], Sequence[float]], best: tuple[str, float]
) -> None:
    """One image shifted; errors of each network on its own images and on new ones, and their gap.

    moved: (9, 1, H, W); errors: kind of images and learning rate to both errors.
    """
    _, (left, right) = plots.page(1, 2, height=3.2, width_ratios=[1, 1.9])
    plots.image_grid(moved, left, columns=3, title="one image, shifted")
    names = [f"{name}, lr {rate:g}" for name, rate in errors]
    own, new = np.transpose(list(errors.values()))
    place = np.arange(len(names))[::-1]
    right.hlines(place, own, new, color=plots.SKY, linewidth=6)
    right.plot(own, place, "o", color=plots.BLACK)
    right.plot(new, place, "D", color=plots.VERMILION)
    for middle, y, gap in zip((own + new) / 2, place, new - own, strict=True):
        look = {"textcoords": "offset points", "ha": "center"}
        right.annotate(f"gap {gap:.1f}", (middle, y), (0, 6), **look)
    right.set_yticks(place, names)
    right.get_yticklabels()[list(errors).index(best)].set_fontweight("bold")
    right.set(ylim=(-0.5, len(names) - 0.4))
    right.set_xlabel("squared error per image: ● its own 500 images, ◆ validation")
    right.set_title(f"Chosen by validation: {best[0]}, learning rate {best[1]:g}")
    right.grid(False, axis="y")


def drawn(
    images: Mapping[str, ArrayLike], apart: Mapping[str, float], near: Mapping[str, float]
) -> None:
    """Decoded codes of several distributions, a row each, with what measures them.

    apart: how often a forest knows them, in [0, 1]; near: distance to the nearest training image.
    """
    rows = {f"{name}\ndistance {near[name]:.1f}": x for name, x in images.items()}
    values = {row: 100 * apart[name] for row, name in zip(rows, images, strict=True)}
    least = min(list(images)[:4], key=apart.__getitem__)
    plots.image_rows(
        rows, values=values, value_label="told apart, %", apart=[list(rows)[-1]],
        title=f"Same decoder each time; hardest to tell apart: {least}",
    )  # fmt: skip


def _size(image: np.ndarray) -> str:
    return " × ".join(map(str, image.shape))


def _headline(fig: Figure, text: str) -> None:
    """A title over all Axes."""
    fig.suptitle(text, x=0.01, ha="left", size="medium", fontweight="bold")


def _frame(ax: Axes, column: int, row: int, side: int, **look: object) -> None:
    """A frame around `side` × `side` pixels of an image."""
    look = {"fill": False, "edgecolor": plots.VERMILION, "linewidth": 2.5, **look}
    ax.add_patch(Rectangle((column - 0.5, row - 0.5), side, side, clip_on=False, **look))


def _numbered(values: np.ndarray, ax: Axes, *, form: str, title: str, **look: object) -> None:
    """A picture with each pixel's number in it."""
    picture = ax.imshow(values, **look)
    for (i, j), value in np.ndenumerate(values):
        light = np.mean(picture.cmap(picture.norm(value))[:3]) > 0.5
        told = format(value, form).replace("-", "−")
        ax.text(j, i, told, ha="center", va="center", color="black" if light else "white")
    ax.set_title(title)
    ax.set_axis_off()


def _plain(axis: Axis, *, subs: Sequence[float] = (1, 2, 5)) -> None:
    """Plain numbers on a logarithmic axis."""
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def _smoothed(loss: Sequence[float], billions: float) -> tuple[np.ndarray, np.ndarray]:
    """Means of up to 50 losses in a row, and what was spent at the middle of each."""
    width = max(1, min(50, len(loss) // 4))
    count = len(loss) // width
    means = np.reshape(loss[: count * width], (count, width)).mean(1)
    return (np.arange(count) + 0.5) * width * billions / len(loss), means


def _names_across(ax: Axes, *, gap: float = 0.1) -> None:
    """The name of each labelled line where it crosses the falling diagonal."""
    spots = []
    for line in ax.get_lines():
        if not line.get_label().startswith("_"):
            x, y = line.get_data()
            spots.append((float(np.interp(0, x + y - 1, y)), line))
    last = -1.0
    for height, line in sorted(spots, key=lambda spot: spot[0]):
        last = max(height, last + gap)
        ax.text(1 - last + 0.03, last, line.get_label(), va="center",
                color=plots.ink(line.get_color()), bbox=plots.BOX)  # fmt: skip
