"""A progress bar that leaves one line behind, in a terminal and in a notebook's cell."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tqdm import tqdm

DELAY_S, EVERY_S = 1.0, 0.5  # before a bar is shown at all; between two updates
BLOCKS, WIDTH = "▁▂▃▄▅▆▇█", 60  # of a curve in one line


def progress_bar(items: Iterable | None = None, *, unit: str = " steps", **more: Any) -> tqdm[Any]:
    """tqdm over the items; in a notebook it ends as "1,290 steps in 77 s".

    unit: of what is counted, with a space before it; more: as tqdm takes it, such as total, desc.
    What takes less than a second shows nothing. Items that have a `loss`, as the records of `fit`,
    draw its curve below the bar while they come.
    """
    IPython = sys.modules.get("IPython")  # without it there is no kernel
    kind = _InCell if IPython and hasattr(IPython.get_ipython(), "kernel") else tqdm
    return kind(items, unit=unit, leave=False, delay=DELAY_S, mininterval=EVERY_S, **more)


class _InCell(tqdm):
    """As text in one output that changes: no widget, which a saved notebook shows as `0%|`.

    On the error stream, where tqdm writes, it would stand in red.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self.shown: Any = None
        self.last: Any = None
        self.losses: list[float] = []
        super().__init__(*arguments, file=io.StringIO(), ncols=80, **more)
        self.iterable = self._watched(self.iterable)

    def _watched(self, items: Iterable) -> Iterator:
        for self.last in items:
            yield self.last

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Show the bar as it stands, and how the loss fell so far."""
        if hasattr(self.last, "loss") and msg is None:
            self.losses.append(self.last.loss)  # waits for the device, but not in every step
        drawn = f"{self}\nloss {curve(self.losses)}" if len(self.losses) > 1 else str(self)
        text = {"text/plain": drawn if msg is None else msg}
        if self.shown is None:
            from IPython.display import display  # slow, and needless in a terminal

            self.shown = display(text, raw=True, display_id=True)
        else:
            self.shown.update(text, raw=True)
        return True

    def close(self) -> None:
        """Leave what was done, and in how many seconds."""
        if self.disable:
            return
        self.disable = True
        self._decr_instances(self)
        if self.shown is not None:
            told = f"{self.desc + ': ' if self.desc else ''}{self.format_dict['n']:,}{self.unit}"
            self.display(f"{told} in {self.format_dict['elapsed']:.0f} s")


def curve(values: Sequence[float]) -> str:
    """Values as blocks of eight heights in one line, log(1 + above the least), and the last one."""
    step = -(-len(values) // WIDTH)
    shown = [math.log1p(value - min(values)) for value in values[::step]]
    heights = (round(7 * height / (max(shown) or 1)) for height in shown)
    return f"{''.join(BLOCKS[height] for height in heights)} {values[-1]:.1f}"
