"""A progress bar that leaves one line behind, in a terminal and in a notebook's cell."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

DELAY_S, EVERY_S = 1.0, 0.5  # before a bar is shown at all; between two updates


def progress_bar(items: Iterable | None = None, *, unit: str = " steps", **more: Any) -> tqdm[Any]:
    """tqdm over the items; in a notebook it ends as "1,290 steps in 77 s".

    unit: of what is counted, with a space before it; more: as tqdm takes it, such as total, desc.
    What takes less than a second shows nothing.
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
        super().__init__(*arguments, file=io.StringIO(), ncols=80, **more)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Show the bar as it stands."""
        text = {"text/plain": str(self) if msg is None else msg}
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
