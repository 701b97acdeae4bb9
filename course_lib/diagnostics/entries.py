"""What is known of each fault: what people see, how it is told apart, how it is repaired."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

NOTEBOOKS = {
    "01": "01_autoencoder_basics",
    "02": "02_convolutional_autoencoder",
    "03": "03_variational_autoencoder",
    "04": "04_beta_vae",
    "05": "05_generation_celeba_cifar",
    "07": "07_when_training_fails",
}


class Entry(NamedTuple):
    """One fault, in words.

    theory: the notebook in which its reason stands; section: that of notebook 07 with its kind.
    """

    see: str
    measure: str
    repair: str
    theory: str
    section: str


_TEXT = Path(__file__).with_name("entries.toml").read_text(encoding="utf-8")
ENTRIES = {name: Entry(**told) for name, told in tomllib.loads(_TEXT).items()}


def symptoms_page() -> str:
    """The site's page "Symptoms", in Markdown: a search for what is seen finds the cause."""
    parts = [
        "# Symptoms\n\nWhat people see when training fails, the measurement that tells the cause "
        "from its look-alikes, and the repair. `course_lib.diagnostics.examine(encode, decode, "
        "images, held_out=…, loss=…)` makes these measurements on any model and names the fault;\n"
        "[notebook 07](/notebooks/07_when_training_fails.ipynb) reproduces them, each from the "
        "line that causes it.\n"
    ]
    for name, entry in ENTRIES.items():
        why, shown = (f"/notebooks/{NOTEBOOKS[number]}.ipynb" for number in (entry.theory, "07"))
        parts.append(
            f"## {name[0].upper()}{name[1:]}\n\n- **You see.** {entry.see}\n- **Measure.** "
            f"{entry.measure}\n- **Repair.** {entry.repair}\n- **Why.** "
            f"[Notebook {entry.theory}]({why}); its kind is reproduced in "
            f"[07, section {entry.section}]({shown}).\n"
        )
    return "\n".join(parts)
