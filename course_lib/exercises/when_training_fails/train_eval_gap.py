"""`train_eval_gap(model, x)`: how far reconstructions move between train() and eval()."""

import copy

import torch
from torch import Tensor, nn

from course_lib import devices
from course_lib.exercises.observers import number_from
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts

BUFFERS, MODES, GRADIENTS = "buffers afterwards", "modes afterwards", "weights afterwards"


def _network(seed: int, *parts: nn.Module, D: int) -> nn.Sequential:
    """Linear layers around these, with weights from the seed, and statistics of other data."""
    with devices.seeded(seed):
        model = nn.Sequential(nn.Linear(D, 6), *parts, nn.Linear(6, D), nn.Sigmoid())
        for part in model:
            if isinstance(part, nn.BatchNorm1d):
                part.running_mean.normal_()
                part.running_var.uniform_(0.5, 3)
    return model


def cases(g: torch.Generator) -> Cases:
    def draw(about: str, *parts: nn.Module, B: int = 10, D: int = 7, training: bool) -> Case:
        seed = int(torch.randint(10_000, (), generator=g))
        model = _network(seed, *parts, D=D).train(training)
        return Case(about, {"model": model, "x": torch.rand(B, D, generator=g)})

    norm = nn.BatchNorm1d
    yield draw("batch norm, found in eval()", norm(6), B=9, training=False)
    yield draw("batch norm, found in train()", norm(6), nn.ReLU(), training=True)
    yield draw("statistics that follow quickly", norm(6, momentum=0.9), norm(6), training=True)
    yield draw("dropout of everything", nn.Dropout(1.0), D=11, training=False)
    mixed = draw("one part is in eval(), the others in train()", norm(6), nn.ReLU(), norm(6),
                 B=24, training=True)  # fmt: skip
    mixed.args["model"][1].eval()
    yield mixed


def observe(candidate: Candidate, case: Case) -> Parts:
    """The gap, and how the model is left."""
    model, x = case.args.values()
    found: Parts = {"result": number_from(candidate, model, x)}
    return found | {
        MODES: torch.tensor([float(part.training) for part in model.modules()]),
        BUFFERS: _numbers([*model.buffers()]),
        GRADIENTS: _numbers([*model.parameters()]),
    }


def _numbers(tensors: list[Tensor]) -> Tensor:
    flat = [copy.deepcopy(t.detach()).double().flatten() for t in tensors]
    return torch.cat([torch.ones(1).double(), *flat])


EXERCISE = Exercise("train_eval_gap", 2, cases, observe, rtol=1e-3, atol=1e-6)
