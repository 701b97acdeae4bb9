"""The figures of notebook 01: arrays in, a page drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.offsetbox import AnnotationBbox, HPacker, OffsetImage, TextArea
from numpy.typing import ArrayLike

from course_lib import plots

Curve = Mapping[int, float]
ERROR = "squared error per image"


def independent_pixels(digits: ArrayLike, pixels: ArrayLike, distances: Sequence[float]) -> None:
    """Twelve digits beside twelve pictures of independent pixels.

    digits, pixels: (12, H, W); distances: median squared distance of each to the nearest training
    image.
    """
    near, far = distances
    halves = [{"": x[:6], " ": x[6:]} for x in (digits, pixels)]
    titles = [
        f"Digits: {near:.0f} from the nearest training image",
        f"Independent pixels: {far:.0f} from the nearest",
    ]
    plots.image_blocks(dict(zip(titles, halves, strict=True)))


def by_components(rows: Mapping[str, np.ndarray], lost: Mapping[str, float], total: float) -> None:
    """Digits from more and more components, the error at each row; framed, the worst of each.

    rows: "original" and the others, (N, H, W) each; total: the error of the mean image.
    """
    original, last = rows["original"], list(lost)[-1]
    errors = {name: ((rows[name] - original) ** 2).sum((1, 2)) for name in lost}
    plots.image_rows(
        rows, values=lost, value_label="error",
        marks=[(name, int(np.argmax(error))) for name, error in errors.items()],
        title=f"{last}: {1 - lost[last] / total:.0%} of the mean image's error {total:.1f} is gone",
    )  # fmt: skip


def spans(columns: Mapping[str, ArrayLike], angles: Sequence[float]) -> None:
    """Components and the decoder's columns, and the angles between their spans as bars."""
    same = sum(angle < 5 for angle in angles)
    _, (left, right) = plots.page(1, 2, height=3.3, width_ratios=[5, 2])
    plots.signed_rows(columns, left, title="No column is a component: each is a mixture")
    place = np.arange(1, len(angles) + 1)
    bars = right.barh(place, angles, color=plots.DECODER)
    right.bar_label(bars, [f"{angle:.1f}°" for angle in angles], padding=3)
    right.set(xlim=(0, 90), xticks=[0, 45, 90], yticks=place, xlabel="principal angle (degrees)")
    right.invert_yaxis()
    right.grid(False, axis="y")
    right.set_title(f"{same} of {len(angles)} directions agree")


def pixel_losses(squared: Mapping[str, tuple], cross_entropy: Mapping[str, tuple]) -> None:
    """Two losses of one pixel against its reconstruction, the least value of each curve marked."""
    _, axes = plots.page(1, 2)
    for ax, losses, name, top in zip(
        axes, (squared, cross_entropy), ("squared error", "cross-entropy (nats)"), (1.05, 4),
        strict=True,
    ):  # fmt: skip
        seen = {key: np.array([x, y])[:, np.array(y) <= top] for key, (x, y) in _flat(losses)}
        plots.curves(seen, ax, x_label="reconstruction x̂", y_label=name, ylim=(-0.02 * top, top))
        least = {key: y[:, y[1].argmin()] for key, y in seen.items()}
        for colour, spot in zip(plots.PALETTE, least.values(), strict=False):
            ax.plot(*spot, "o", color=colour, markeredgecolor="black", clip_on=False)
            if spot[1] > 0.05:
                ax.annotate(f"{spot[1]:.2f}", spot, xytext=(0, 9), textcoords="offset points",
                            ha="center")  # fmt: skip
        grey = max(least, key=lambda key: least[key][1])
        floor = least[grey][1]
        told = f"at least {floor:.2f} for {grey}" if floor > 0.05 else "0 where x̂ = x"
        ax.set_title(f"{name.split(' (')[0].capitalize()}: {told}")


def _flat(losses: Mapping[str, tuple]) -> list[tuple[str, list[np.ndarray]]]:
    return [(key, [np.asarray(v).ravel() for v in pair]) for key, pair in losses.items()]


def damages(rows: Mapping[str, ArrayLike], cost: Mapping[str, float]) -> None:
    """A row per damage of the same digits, with its error; the title compares them."""
    half, noise = (cost["shifted"] / cost[name] for name in ("half missing", "noisy"))
    title = f"The shift costs {half:.1f} × the missing half, {noise:.1f} × the noise"
    plots.image_rows(rows, values=cost, value_label="squared error", title=title)


def errors_by_size(training: Mapping[str, tuple], own: Curve, pca: Curve, longer: Curve) -> None:
    """Losses of training by size of the code, and test errors against it: PCA beside the network.

    training: name to (steps, losses); the others: size of the code to error.
    """
    _, (left, right) = plots.page(1, 2, height=3.8)
    lowest = min(training, key=lambda name: training[name][1][-1])
    greys = [str(shade) for shade in np.linspace(0.65, 0, len(training))]
    top = 1.3 * max(float(y[len(y) // 4]) for _, y in training.values())
    plots.curves(
        training, left, x_label="step", y_label=f"{ERROR}, training", colours=greys, ylim=(0, top),
        title=f"Training: {lowest} ends lowest",
    )  # fmt: skip
    found = {"PCA": pca, "autoencoder": own, "trained longer": longer}
    lines = {name: (list(error), list(error.values())) for name, error in found.items()}
    plots.doubling_axis(right, list(own))
    plots.curves(
        lines, right, x_label="numbers per image", y_label=f"{ERROR}, test", ylim=(0, None),
        colours=[plots.BASELINE, plots.AUTOENCODER, plots.VAE],
    )  # fmt: skip
    right.set_title(_span(own, pca, right))


def _span(own: Curve, pca: Curve, ax: Axes) -> str:
    """An arrow from a size of the code to as many components as do the same; says so."""
    equal = {n: next((k for k in pca if pca[k] <= error), 0) for n, error in own.items()}
    n = max(equal, key=lambda n: equal[n] - n)
    if equal[n] <= n:
        return "PCA is ahead at every size here"
    arrow = {"arrowstyle": "<->", "color": plots.LOSS, "linewidth": 2, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (equal[n], own[n]), xytext=(n, own[n]), arrowprops=arrow)
    return f"For what {n} numbers do here, PCA needs {equal[n]}"


def early_stopping(learned: Curve, checked: Curve, best: int, tests: Sequence[float]) -> None:
    """Errors of training and validation images by pass, the best pass marked.

    tests: the error of test images with the weights of the best pass, and with those of the last.
    """
    sides = {"500 training images": learned, "validation images": checked}
    lines = {name: (list(curve), list(curve.values())) for name, curve in sides.items()}
    ax = plots.curves(
        lines, x_label="passes over 500 images", y_label=ERROR, ylim=(0, None),
        title=f"Test error {tests[0]:.1f} with weights of pass {best}, {tests[1]:.1f} at the end",
    )  # fmt: skip
    ax.axvline(best, color=plots.BASELINE, linestyle=":")
    ax.annotate(f"pass {best}", (best, 0), xytext=(5, 8), textcoords="offset points")


def identity_trap(
    blocks: Mapping[str, Mapping[str, ArrayLike]], errors: Mapping[str, Mapping[str, float]]
) -> None:
    """Two kinds of input that are no clean digits, and what three models make of them.

    errors: kind of input to the error of each row; the first row is the input as it is.
    """
    least = {kind: min(list(error)[1:], key=error.__getitem__) for kind, error in errors.items()}
    titles = {kind: f"{kind.capitalize()}: {least[kind]} best" for kind in blocks}
    plots.image_blocks(
        {titles[kind]: rows for kind, rows in blocks.items()},
        values={titles[kind]: error for kind, error in errors.items()},
    )  # fmt: skip


def code_maps(
    maps: Mapping[str, ArrayLike],
    decoded: Mapping[str, ArrayLike],
    accuracy: Mapping[str, float],
    labels: ArrayLike,
) -> None:
    """Maps of codes by class, and what is decoded at the middle of each class.

    maps: name to codes (N, 2); decoded: name to pictures (10, H, W); accuracy: of neighbours.
    """
    labels = np.asarray(labels)
    figure, axes = plots.page(1, len(maps), height=3.8)
    figure.get_layout_engine().set(wspace=0.08)
    for ax, (name, codes) in zip(axes, maps.items(), strict=True):
        classes = [np.asarray(codes)[labels == i] for i in range(len(decoded[name]))]
        for i, points in enumerate(classes):
            look = {"color": plots.CLASS_COLOURS[i], "marker": plots.CLASS_MARKERS[i]}
            ax.scatter(*points.T, s=6, alpha=0.5, linewidths=0, **look)
        low, high = np.quantile(codes, [0.005, 0.995], axis=0)
        reach = 0.54 * (high - low).max() * np.array([-1, 1])
        x, y = (low + high) / 2
        ax.set(xlim=x + reach, ylim=y + reach, aspect="equal", xticks=[], yticks=[])
        ax.text(0.99, 0.02, "z₁", transform=ax.transAxes, ha="right")
        ax.text(0.02, 0.94, "z₂", transform=ax.transAxes)
        ax.set_title(f"{name[0].upper() + name[1:]}: {accuracy[name]:.0%} of votes right")
        middles = np.array([np.median(points, axis=0) for points in classes])
        _pictures_beside(ax, middles, np.asarray(decoded[name]))


def _pictures_beside(ax: Axes, middles: np.ndarray, pictures: np.ndarray) -> None:
    """The picture of each class at the nearer side of the map, a line to its middle."""
    by_x, half = middles[:, 0].argsort(), len(middles) // 2
    for side, chosen in ((-0.16, by_x[:half]), (1.16, by_x[half:])):
        chosen = chosen[middles[chosen, 1].argsort()]
        for i, height in zip(chosen, np.linspace(0.08, 0.92, len(chosen)), strict=True):
            colour = plots.CLASS_COLOURS[i]
            picture = OffsetImage(pictures[i], zoom=0.9, cmap="gray", norm=None)
            name = TextArea(str(i), textprops={"fontweight": "bold", "color": plots.ink(colour)})
            parts = [name, picture] if side < 0 else [picture, name]
            look = {"edgecolor": colour, "linewidth": 1.5}
            line = {"arrowstyle": "-", "color": plots.ink(colour), "linewidth": 1.5}
            ax.add_artist(
                AnnotationBbox(
                    HPacker(children=parts, align="center", pad=0, sep=3), middles[i],
                    xybox=(side, height), boxcoords="axes fraction", pad=0.2, bboxprops=look,
                    arrowprops=line, annotation_clip=False,
                )
            )  # fmt: skip
            ax.plot(*middles[i], "o", color=colour, markeredgecolor="black")


def accuracies(accuracy: Mapping[str, Curve], pixels: float) -> None:
    """Neighbour accuracy against the size of the code, between guessing and the raw pixels."""
    sizes = list(next(iter(accuracy.values())))
    lines = {name: (sizes, [100 * a for a in curve.values()]) for name, curve in accuracy.items()}
    ends = (sizes[0], sizes[-1])
    lines |= {"784 pixels": (ends, [100 * pixels] * 2), "guessing": (ends, [10, 10])}
    two = ", ".join(f"{name} {curve[2]:.0%}" for name, curve in accuracy.items())
    _, ax = plots.page()
    plots.doubling_axis(ax, sizes)
    plots.curves(
        lines, ax, x_label="numbers per image", y_label="neighbour accuracy (%)", ylim=(0, 105),
        colours=[plots.BASELINE, plots.AUTOENCODER, plots.BLACK, "0.5"],
        title=f"With two numbers: {two}; all pixels {pixels:.0%}",
    )  # fmt: skip


def drawn_codes(
    pictures: Mapping[int, Mapping[str, ArrayLike]], far: Mapping[int, tuple[float, float]]
) -> None:
    """Decoded random codes and the training images nearest to them, by size of the code.

    far: squared distance to the nearest training image, of these and of reconstructed test images.
    """
    plots.image_blocks({
        f"n = {n}: {far[n][0] / far[n][1]:.1f} times as far as reconstructions": rows
        for n, rows in pictures.items()
    })  # fmt: skip
