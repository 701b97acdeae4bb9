"""Draws docs/diagnostics.png: each broken model of the tests, and what `examine` names of it.

python docs/diagnostics_picture.py
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from broken_models import FAULTS, SOUND, images, trained  # noqa: E402

from course_lib import plots  # noqa: E402
from course_lib.diagnostics import examine  # noqa: E402

FIRST, LATER = 2, 1


def named() -> dict[str, tuple[list[str], list[str]]]:
    """Model to what is named with loss and held-out images, and without."""
    x, unseen = images()
    found = {}
    for name, how in [*((n, h) for n, (_, h) in FAULTS.items()), *SOUND.items()]:
        model, fed = trained(how, x), how.prepare(x[: how.n_train])
        full = examine(
            model.encode, model.decode, fed, held_out=how.prepare(unseen), loss=model.loss
        )
        bare = examine(model.encode, model.decode, fed)
        label = f"sound: {name}" if how is SOUND.get(name) else name
        found[label] = tuple([one.name for one in report.findings] for report in (full, bare))
        print(label, *found[label], sep=" | ", flush=True)
    return found


def draw(found: dict[str, tuple[list[str], list[str]]]) -> plt.Figure:
    """Rows: models; columns: names; dark what stands first, light what stands below."""
    columns = [*dict.fromkeys(name for pair in found.values() for names in pair for name in names)]
    fig, axes = plt.subplots(1, 2, figsize=(17, 13), sharey=True, layout="constrained")
    titles = ("with loss and held-out images", "without")
    for i, (ax, title) in enumerate(zip(axes, titles, strict=True)):
        table = np.zeros((len(found), len(columns)))
        for row, pair in enumerate(found.values()):
            for place, name in enumerate(pair[i]):
                table[row, columns.index(name)] = FIRST if place == 0 else LATER
        ax.imshow(table, cmap="Blues", vmin=0, vmax=2.5, aspect="auto")
        ax.set_xticks(range(len(columns)), columns, rotation=90)
        ax.set_title(title)
        ax.grid(False)
    axes[0].set_yticks(range(len(found)), found)
    return fig


if __name__ == "__main__":
    plots.use_course_style()
    draw(named()).savefig(ROOT / "docs/diagnostics.png", dpi=75)
