"""The picture of the README, made by the course: `python -m course_lib.authoring.picture`."""

from __future__ import annotations

from pathlib import Path

import torch

from course_lib import datasets, widgets
from course_lib.losses import autoencoder_objective
from course_lib.models import MLPAutoencoder
from course_lib.training import fit, to_float

PICTURE = Path(__file__).resolve().parents[2] / "data" / "walk.png"


def main() -> None:
    """Train the autoencoder of notebook 01 with two numbers and save a view of its pad."""
    digits = datasets.load("mnist")
    torch.manual_seed(0)
    model = MLPAutoencoder(2)
    for record in fit(model, autoencoder_objective, digits.train.images, epochs=10):
        if record.step % 500 == 0:
            print(f"step {record.step}: squared error per image {record.loss:.1f}", flush=True)
    model.cpu().eval()
    with torch.no_grad():
        codes = model.encode(to_float(digits.test.images[:3000]))
    labels = digits.test.labels[:3000]
    zero = codes[labels == 0].median(0).values.tolist()
    pad = widgets.pad(model.decode, codes=codes, labels=labels, start=zero)
    PICTURE.write_bytes(pad.still())
    print(f"wrote {PICTURE.name}, {PICTURE.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
