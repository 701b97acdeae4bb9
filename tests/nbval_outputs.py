"""A pytest plugin beside nbval: keeps what each cell showed, so that no notebook runs twice.

Written as JSON to the file that NBVAL_OUTPUTS names: [{"id", "seconds", "outputs"}, …].
"""

import json
import os
from pathlib import Path

CELLS = []


def pytest_runtest_makereport(item, call):
    """After each cell: its id, its seconds, its outputs."""
    if call.when == "call" and hasattr(item, "test_outputs"):
        seconds = call.stop - call.start
        CELLS.append({"id": item.cell.id, "seconds": seconds, "outputs": item.test_outputs or []})


def pytest_sessionfinish():
    """At the end of the run, failed or not."""
    Path(os.environ["NBVAL_OUTPUTS"]).write_text(json.dumps(CELLS), encoding="utf-8")
