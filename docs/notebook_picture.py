"""Makes docs/notebook.png, the picture of README: a card and a slider in a real JupyterLab.

`python docs/notebook_picture.py` needs Chromium and Playwright, see CONTRIBUTING.
"""

import io
import sys
import tempfile
from pathlib import Path

import nbformat
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from course_lib.authoring import read_source  # noqa: E402
from course_lib.benchmarks import lab  # noqa: E402
from course_lib.writing import write_whole  # noqa: E402

SHOWN = "kl_std_normal"
PREPARED = """\
import torch
from torch import Tensor
from course_lib import checkpoints, widgets
from course_lib.exercises import check
decoder, card = checkpoints.load("mnist-decoder-2")"""
SLIDER = "widgets.pad(lambda z: decoder.decode(z).mean, extent=(-3, 3, -3, 3), start=(-0.6, 0.9))"


def cells() -> list[str]:
    """An exercise of notebook 03 with its solution, its check, and a pad."""
    source = read_source(ROOT / "solutions" / "03_variational_autoencoder.py")
    lines = next(cell for cell in source if cell.exercise == SHOWN).source.split("\n")
    answer = "\n".join(line for line in lines if "### " not in line)
    return [PREPARED, answer, f'{SHOWN} = check("{SHOWN}", {SHOWN})', SLIDER]


def main() -> None:
    """Runs these cells in JupyterLab and keeps what the page shows."""
    with tempfile.TemporaryDirectory() as home, lab.serving(Path(home)) as served:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells()])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, served[1] / "03_variational_autoencoder.ipynb")
        with lab.chromium() as browser:
            page = lab.open_notebook(browser, served, name="03_variational_autoencoder.ipynb")
            page.set_viewport_size({"width": 1200, "height": 1100})
            lab.run_all(page, timeout=120)
            page.locator(".jupyter-widgets [role=status]").first.wait_for()
            page.locator(".jp-Cell").nth(1).scroll_into_view_if_needed()
            page.wait_for_timeout(1_000)
            shot = Image.open(io.BytesIO(page.screenshot()))
            lab.shut(page)
    buffer = io.BytesIO()
    shot.quantize(64, dither=Image.Dither.NONE).save(buffer, format="PNG", optimize=True)
    write_whole(ROOT / "docs" / "notebook.png", buffer.getvalue())


if __name__ == "__main__":
    main()
