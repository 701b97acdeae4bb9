"""Trainings that `torchrun` runs in two processes and a test in one: see test_parallel.py."""

import json
import sys
from pathlib import Path

import data_tools
import pytest
import torch

from course_lib import parallel
from course_lib.commands import cli
from course_lib.losses import autoencoder_objective, optimal_sigma_objective, vae_objective
from course_lib.models import MLPVAE, ConvVAE, MLPAutoencoder
from course_lib.training import fit, keep_log_sigma

N = 101  # no whole number of batches, nor of halves
FEW = {"train": 96, "test": 32, "valid": 32}


def trainings():
    """Name to model, objective and settings: without noise, with noise, with a σ of the batch."""
    small = {"data_dim": 256, "hidden": 16}
    conv = {"size": 16, "channels": 1, "width": 4, "hidden": 4, "log_sigma": 0.0}
    return {
        "autoencoder": (lambda: MLPAutoencoder(2, **small), autoencoder_objective, {}),
        "VAE": (lambda: MLPVAE(2, **small), vae_objective, {"batch_size": 25}),  # the last one is 1
        "σ of the batch": (
            lambda: ConvVAE(2, **conv), optimal_sigma_objective, {"after_step": keep_log_sigma}
        ),
    }  # fmt: skip


def curves():
    """Losses and terms of each step, validation losses, and the sum of the final weights."""
    g = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (N, 1, 16, 16), generator=g).to(torch.uint8)
    found = {}
    for name, (make, objective, settings) in trainings().items():
        torch.manual_seed(0)
        model, steps = make(), {"batch_size": 16} | settings
        records = list(fit(model, objective, images, epochs=3, valid=images[:9], **steps))
        found[name] = {
            "steps": [[record.loss, *record.terms.values()] for record in records],
            "valid": [record.valid["loss"] for record in records if record.valid],
            "weights": sum(p.double().abs().sum().item() for p in model.parameters()),
        }
    return found


if __name__ == "__main__":
    out = Path(sys.argv[1])
    data_tools.cut_images(pytest.MonkeyPatch(), FEW)
    torch.set_num_threads(1)
    with parallel.group() as rank:
        (out / f"{rank}.json").write_text(json.dumps(curves()))
        cli.environment.ensure = lambda *_, **__: None
        code = cli.main(["train", "faces", "--epochs", "1", "--out", str(out / "together")])
    sys.exit(code)
