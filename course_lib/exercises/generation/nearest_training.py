"""`nearest_training(samples, train, k)`: what a sample looks like among the training images."""

import contextlib

import torch

from course_lib.exercises.observers import tensor_of
from course_lib.exercises.records import kind_of
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts, named_result

PAIR, SHAPE, INDICES, DISTANCES = "two results", "shape", "matrix of indices", "matrix of distances"
FOUND, ZERO = "every exact copy finds its original", "an exact copy has distance 0"


def cases(g: torch.Generator) -> Cases:
    def draw(about: str, S: int, N: int, *shape: int, k: int, copies: int = 0) -> Case:
        """k training images lie around each sample, at distances that no rounding exchanges."""
        samples, train = (torch.rand(n, *shape, generator=g) for n in (S, N))
        samples, places = 0.3 + 0.4 * samples, torch.randperm(N, generator=g).split(S)
        for i in range(k):
            step = 1 + torch.rand(samples.shape, generator=g)
            step *= torch.randint(2, samples.shape, generator=g) - 0.5
            train[places[i]] = samples + 0.04 * 2.1**i * step
        train[places[0][:copies]] = samples[:copies]
        if (k + 2) * S <= N:  # near by the angle, and near by absolute differences
            train[places[k]] = 0.6 * samples
            train[places[k + 1]] = torch.where(torch.arange(shape[-1]) % 9 > 0, samples, 0)
        return Case(about, {"samples": samples, "train": train, "k": k})

    yield draw("2 colour samples, 12 training images", 2, 12, 3, 2, 9, k=3)
    yield draw("as many samples as training images", 7, 7, 1, 6, 5, k=1)
    yield draw("flat images, one of them a copy", 3, 8, 30, k=2, copies=1)
    yield draw(
        "60 copies of training images as large as CIFAR's", 60, 64, 3, 32, 32, k=1, copies=60
    )
    yield draw("3 samples, 40 training images", 3, 40, 3, 32, 32, k=2)


def observe(candidate: Candidate, case: Case) -> Parts:
    """Both results by name."""
    pair = named_result(candidate, case)["result"]
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        return {"one": kind_of(pair)}
    return dict(zip((INDICES, DISTANCES), pair, strict=True))


def properties(raw: Parts, case: Case) -> Parts:
    """Both results by name, and what becomes of copies."""
    samples, train, k = case.args.values()
    kinds = [part.get("kind") for part in raw.values()] if "one" not in raw else []
    if not kinds or kinds == ["tensor of float32", "tensor of int64"]:
        return {PAIR: False}
    found = {PAIR: True, SHAPE: f"{(len(samples), k)}", FOUND: True, ZERO: True}
    same = (samples[:, None] == train).flatten(2).all(2)  # (S, N)
    copied = same.any(1)
    with contextlib.suppress(Exception):  # whatever is wrong with them shows in what follows
        indices, distances = tensor_of(raw[INDICES]).long(), tensor_of(raw[DISTANCES])
        found[SHAPE] = f"{tuple(indices.shape)}"
        found[FOUND] = bool(same.gather(1, indices[:, :1])[copied].all())
        found[ZERO] = not found[FOUND] or bool((distances[copied, 0] < 2e-4).all())
    return found | raw


EXERCISE = Exercise("nearest_training", 2, cases, observe, properties, rtol=1e-4, atol=2e-4)
