"""Draws docs/diagnostics.png: each broken model of the tests, and what `examine` names of it.

python docs/diagnostics_picture.py
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from broken_models import FACES, FAULTS, SOUND, How, faces, images, trained  # noqa: E402

from course_lib import plots  # noqa: E402
from course_lib.diagnostics import examine  # noqa: E402

FIRST, LATER = 2, 1


def named() -> dict[str, tuple[list[str], list[str]]]:
    """Model to what is named with loss and held-out images, and without."""
    digits, rows = images(), {name: how for name, (_, how) in FAULTS.items()}
    rows |= {f"sound: {name}": how for name, how in SOUND.items()}
    found = {name: reported(how, *digits) for name, how in rows.items()}
    people, rows = faces(), {f"faces, {name}": how for name, (_, how) in FACES.items()}
    rows["faces, sound: plain"] = SOUND["plain"]
    return found | {name: reported(how, *people) for name, how in rows.items()}


def reported(how: How, x: Tensor, unseen: Tensor) -> tuple[list[str], list[str]]:
    """What is named of the model of this description, trained on these images."""
    model, fed = trained(how, x), how.prepare(x[: how.n_train])
    full = examine(model.encode, model.decode, fed, held_out=how.prepare(unseen), loss=model.loss)
    both = full, examine(model.encode, model.decode, fed)
    return tuple([one.name for one in report.findings] for report in both)


def draw(found: dict[str, tuple[list[str], list[str]]]) -> plt.Figure:
    """Rows: models; columns: names; dark what stands first, light what stands below."""
    columns = [*dict.fromkeys(name for pair in found.values() for names in pair for name in names)]
    fig, axes = plt.subplots(1, 2, figsize=(17, 21), sharey=True, layout="constrained")
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
    draw(named()).savefig(ROOT / "docs/diagnostics.png", dpi=60)
