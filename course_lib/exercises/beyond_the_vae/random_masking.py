"""`random_masking(tokens, ratio, generator)`: hide a share of the tokens of each image."""

import torch
from torch import Tensor

from course_lib.exercises.observers import estimate, random_mark, seeded, tensor_of
from course_lib.exercises.records import Unfit
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts

NAMES = ("visible", "mask", "restore")
OTHER_CALLS = ("a second call", "the same generator", "another generator")


def cases(g: torch.Generator) -> Cases:
    """Never is half of the tokens hidden, so that the other half is another number."""

    def case(about: str, B: int, N: int, D: int, ratio: float) -> Case:
        """Every number of the tokens is another one, and none is 0."""
        tokens = 1 + torch.randperm(B * N * D, generator=g).float().reshape(B, N, D)
        tokens = tokens.double() if "float64" in about else tokens
        start = int(torch.randint(1000, 10_000, (), generator=g))
        return Case(about, {"tokens": tokens, "ratio": ratio, "generator": start})

    some = int(torch.randint(0, 3, (), generator=g))
    yield case("64 tokens, three in four hidden", 6, 64, 3, 0.75)
    yield case("400 images of few tokens", 400, 8 + some, 1, 0.75)
    yield case("a number that has to be rounded up", 12, 11, 2, 0.52 + 0.1 * (some % 2))
    yield case("a number that has to be rounded down, float64", 5, 13, 2, 0.33)
    yield case("few are hidden", 300, 6, 1, 0.3)


def _results(candidate: Candidate, *args: object) -> dict[str, Tensor]:
    """The three results by name. Raises Unfit where there are not three tensors."""
    results = candidate(*args)
    three = type(results) is tuple and len(results) == len(NAMES)
    if not three or any(type(part) is not Tensor for part in results):
        raise Unfit(results)
    return {name: part.detach().clone() for name, part in zip(NAMES, results, strict=True)}


def observe(candidate: Candidate, case: Case) -> Parts:
    """One masking of the batch, and the masks of three other calls."""
    (tokens, ratio, start), before = case.args.values(), random_mark()
    generator = seeded(start)
    found: Parts = dict(_results(candidate, tokens, ratio, generator))
    for name, other in zip(OTHER_CALLS, (generator, seeded(start), seeded(start + 1)), strict=True):
        found[name] = _results(candidate, tokens, ratio, other)["mask"]
    return found | {"random state": [before, random_mark()]}


def _described(raw: Parts, case: Case) -> Parts:
    """Kind and shape of each result, in words; the number of visible tokens is looked at later."""
    told = {}
    for name in NAMES:
        shape = list(raw[name]["shape"])
        shape[1:2] = ["…"] if name == "visible" and len(shape) == 3 else shape[1:2]
        told[f"kind of {name}"] = f"{raw[name]['kind']}, {tuple(shape)}"
    return told


def properties(raw: Parts, case: Case) -> Parts:
    """What must hold of the three results, whatever the order in which tokens are drawn."""
    found = _described(raw, case)
    tokens, ratio = case.args["tokens"].double(), case.args["ratio"]
    B, N, D = tokens.shape
    visible, mask, restore = (tensor_of(raw[name]) for name in NAMES)
    shapes = visible.ndim == 3 and (len(visible), visible.shape[2]) == (B, D)
    if not (shapes and mask.shape == (B, N) and restore.shape == (B, N)):
        return found
    hidden, K = mask != 0, visible.shape[1]
    counts = hidden.sum(1)
    found |= {
        "visible tokens": K,
        "tokens that the mask hides": counts.unique().tolist(),
        **_agreement(visible, tokens, hidden, restore),
        **_drawing(raw, hidden, ratio),
    }
    return found


def _agreement(visible: Tensor, tokens: Tensor, hidden: Tensor, restore: Tensor) -> Parts:
    """Whether the three results speak of the same tokens; names with "_" tell mistakes apart."""
    (B, N, D), K = tokens.shape, visible.shape[1]
    at_home = (visible[:, :, None] == tokens[:, None]).all(3)  # (B, K, N)
    seen = at_home.any(1)  # (B, N)
    most = hidden.sum(1).clamp(max=K)
    found: Parts = {
        "visible tokens are the image's own": bool(at_home.any(2).all()),
        "_some token is visible twice": bool((at_home.sum(1) > 1).any()),
        "_the same places in every image": bool((seen == seen[0]).all()),
        "_the first places": torch.equal(visible, tokens[:, :K]),
        "_as many hidden tokens as can be": torch.equal((seen & hidden).sum(1), most),
        "visible tokens are those that the mask leaves": torch.equal(seen, ~hidden),
    }
    all_of = torch.equal(restore.sort(1).values, torch.arange(N).double().expand(B, N))
    found["restore holds each place once"] = all_of
    if all_of and K <= N:
        rest = torch.zeros(B, N - K, D, dtype=torch.float64)
        back = torch.cat([visible, rest], 1).gather(1, restore.long()[:, :, None].expand(-1, -1, D))
        found["restore brings tokens back"] = torch.equal(back, tokens * ~hidden[:, :, None])
    return found


def _drawing(raw: Parts, hidden: Tensor, ratio: float) -> Parts:
    """By which numbers tokens are drawn, and whether each is drawn as often as every other."""
    B, N = hidden.shape
    before, after = raw["random state"]["numbers"]
    second, same, other = (tensor_of(raw[name]) != 0 for name in OTHER_CALLS)
    found: Parts = {
        "a mask of its own": bool((hidden != hidden[0]).any()),
        "generator in use": torch.equal(same, hidden),
        "global random numbers": before == after,
        "a second call": not torch.equal(second, hidden),
        "another generator": not torch.equal(other, hidden),
    }
    if B >= 300:
        M = round(ratio * N)
        pairs = (hidden & hidden.roll(1, 1)).double()  # neighbours, the last beside the first
        found["share hidden of each token"] = estimate(hidden.double(), torch.full((N,), M / N))
        both = torch.full((N,), M * (M - 1) / (N * (N - 1)))
        found["share of neighbours hidden together"] = estimate(pairs, both)
    return found


EXERCISE = Exercise("random_masking", 3, cases, observe, properties)
