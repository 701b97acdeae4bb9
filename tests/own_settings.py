"""A user's own matplotlib settings, all other than the defaults, and what the course draws."""

import contextlib
import hashlib
import io
import json

import matplotlib as mpl

# One of these is valid for most settings that are neither numbers nor switches.
OTHERS = ["#ff0000", "no such font", "bold", "italic", "tight", "cubehelix", "log", "both", "top",
          "lower left", "bicubic", "bevel", "round", "svg", "path", "center", "4", "2, 3", "*",
          "--", "custom", "0.3", "sketch", "in", "line", "dejavuserif", "large"]  # fmt: skip
# Colour tables are made when matplotlib is imported: their number of steps stays, unseen.
FIXED = {"image.lut": None, "font.style": "italic", "figure.dpi": "37"}


def hostile():
    """Lines of a matplotlibrc in which every setting that can be another one is."""
    lines = []
    for key, usual in mpl.rcParamsDefault.items():
        value = FIXED[key] if key in FIXED else other(key, usual)
        if value is not None:
            lines.append(f"{key}: {value}".replace("#", ""))
    return lines


def other(key, usual):
    """A text that means something else than the usual value, None where none is found."""
    if isinstance(usual, bool):
        return str(not usual)
    numbers = [str(2 * usual + 1), str(usual / 2)] if isinstance(usual, int | float) else []
    for text in [*numbers, *OTHERS]:
        with contextlib.suppress(Exception):  # each setting refuses in its own way
            if mpl.rcParams.validate[key](text) != usual:
                return text
    return None


def digest(content):
    """A short name of bytes."""
    return hashlib.sha256(content).hexdigest()[:16]


def library_pictures():
    """What the course draws without a word of the notebook: panels, their fallbacks, reports."""
    from widget_examples import PANELS

    from course_lib.grading.reports import pictures
    from course_lib.widgets.fallback import side_by_side

    found = {}
    for name, make in PANELS.items():
        panel = make()
        for title, image in panel.images.items():
            found[f"{name}: {title}"] = digest(image.value)
        still = side_by_side(panel.frame.pictures, widths=panel.widths, lines=[panel.frame.text])
        found[f"{name}: fallback"] = digest(still.tobytes())
    verdicts = {"one": {"right": 3, "wrong": 1}, "two": {"open": 4}}
    found["verdicts"] = digest(pictures.picture(pictures.verdict_bars, verdicts, height=3).encode())
    ranked = [("a", 12.0), ("b", 0.5)]
    found["ranked"] = digest(
        pictures.picture(pictures.ranked_bars, ranked, "minutes", height=3).encode()
    )
    return found


def notebook_figure():
    """A figure with most of what the notebooks draw, by pyplot and by `plots`."""
    import matplotlib.pyplot as plt
    import numpy as np

    from course_lib import plots

    x, rng = np.linspace(0, 3, 30), np.random.default_rng(0)
    figure, axes = plt.subplots(3, 3, figsize=(11, 9))
    plots.curves({"a": (x, x**2, 0.1 * x), "b": (x, -x)}, axes[0, 0], x_label="z₁", y_label="nats")
    plots.bars({"a": 1.0, "b": 2.5}, axes[0, 1], y_label="−ELBO")
    plots.image_rows({"x": rng.random((3, 8, 8)), "x̂": rng.random((3, 8, 8))}, axes[0, 2])
    plots.code_map(rng.random((40, 2)), np.arange(40) % 4, axes[1, 0], names="abcd")
    plots.histogram(rng.standard_normal(200), axes[1, 1], x_label="z")
    plots.signed_image(rng.standard_normal((6, 6)), axes[1, 2])
    axes[2, 0].plot(x, x, x, -x, "o")
    axes[2, 0].fill_between(x, x, -x, alpha=0.2)
    axes[2, 1].contour(np.outer(x, x))
    axes[2, 1].text(2, 2, r"$\sigma^2$ is 1")
    axes[2, 1].axhline(5)
    axes[2, 2].scatter(x, x + 1, c=x)
    axes[2, 2].set(xscale="log", yscale="log", title="log")
    axes[2, 2].annotate("here", (1, 2), xytext=(2, 3), arrowprops={"arrowstyle": "->"})
    return figure


def main():
    """Print what is drawn as JSON; `kept` says whether the user's own settings stayed meanwhile."""
    from course_lib import plots

    own = dict(mpl.rcParams)
    found = library_pictures()
    found["kept"] = dict(mpl.rcParams) == own
    plots.use_course_style()
    figure, buffer = notebook_figure(), io.BytesIO()
    # as a figure is shown below a cell
    figure.canvas.print_figure(buffer, dpi=figure.dpi, bbox_inches="tight", format="png")
    found["figure"] = digest(buffer.getvalue())
    print(json.dumps(found))


if __name__ == "__main__":
    main()
