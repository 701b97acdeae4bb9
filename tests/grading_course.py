"""A course of one short notebook, and submissions to it: for tests of the grader."""

import copy
import json
import shutil
from pathlib import Path

from course_lib.authoring.builder import rendered
from course_lib.exercises import EXERCISES

ROOT = Path(__file__).resolve().parents[1]
STEM = "03_short"
NAMES = ("reparameterize", "kl_std_normal", "kl_monte_carlo")
HEAD = """\
# %% [markdown]
# # 3 · Short
#
# {{colab_badge}}

# %% setup=true

# %% tags=["parameters"]
seed = 0
steps = 10

# %%
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.distributions import log_normal
from course_lib.exact import Formula
from course_lib.exercises import check

# %%
torch.manual_seed(seed)
"""
TAIL = """
# %%
mu, log_var = torch.ones(2, 3), torch.zeros(2, 3)
print("KL", kl_std_normal(mu, log_var))
"""
WRONG_KL = """\
def kl_std_normal(mu, log_var):
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var).mean(-1)
"""


def make_course(folder):
    """The course's code with one short notebook of three exercises; returns its root."""
    root = folder / "course"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "course_lib", root / "course_lib", ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / "solutions").mkdir()
    (root / "data").mkdir()
    source = (ROOT / "solutions/03_variational_autoencoder.py").read_text(encoding="utf-8")
    cells = source.split("\n# %%")
    wanted = [f' {kind}="{name}"\n' for name in NAMES for kind in ("exercise", "check")]
    kept = [cell for want in wanted for cell in cells if cell.startswith(want)]
    text = HEAD + "".join(f"\n# %%{cell}" for cell in kept) + TAIL
    (root / f"solutions/{STEM}.py").write_text(text, encoding="utf-8")
    for name, notebook in rendered(root, EXERCISES).items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(notebook, encoding="utf-8")
    return root


class Desk:
    """Writes submissions: the solved notebook of the short course, changed in one place."""

    def __init__(self, root, folder):
        self.root, self.folder = root, folder
        folder.mkdir(exist_ok=True)
        self.solved = json.loads((root / f"solutions/{STEM}.ipynb").read_text(encoding="utf-8"))
        self.untouched = json.loads((root / f"notebooks/{STEM}.ipynb").read_text(encoding="utf-8"))

    def hand_in(self, student, change=None, *, untouched=False, raw=None):
        """The path of a submission; `change` gets the notebook, `raw` is the whole file."""
        path = self.folder / f"{student}.ipynb"
        notebook = copy.deepcopy(self.untouched if untouched else self.solved)
        if change is not None:
            notebook = change(notebook) or notebook
        path.write_bytes(raw if raw is not None else json.dumps(notebook).encode())
        return path


def cell_of(notebook, cell_id):
    """The cell of this id."""
    return next(cell for cell in notebook["cells"] if cell["id"] == cell_id)


def answer(name, source):
    """A change: another answer to one exercise."""

    def change(notebook):
        cell_of(notebook, f"exercise-{name}")["source"] = source

    return change


def early(source, *, before="exercise-reparameterize"):
    """A change: one more cell, above the first exercise."""

    def change(notebook):
        ids = [cell["id"] for cell in notebook["cells"]]
        notebook["cells"].insert(ids.index(before), code(source))

    return change


def code(source, **metadata):
    """A code cell as a student adds one."""
    cell = {"cell_type": "code", "source": source, "metadata": metadata, "id": "new"}
    return cell | {"outputs": [], "execution_count": None}
