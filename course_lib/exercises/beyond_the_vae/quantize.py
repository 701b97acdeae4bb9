"""`quantize(z, codebook)`: the nearest vector of the codebook, as an index and as a vector."""

import torch
from torch import Tensor

from course_lib.exercises.records import kind_of
from course_lib.exercises.spec import Candidate, Case, Cases, Exercise, Parts, named_result

PAIR = "the result"
CLEAR = 1e-3  # by which the nearest vector is nearer than the next: no rounding decides


def cases(g: torch.Generator) -> Cases:
    def draw(about: str, *shape: int, K: int, d: int, spread: float = 1.0) -> Case:
        """Vectors of different lengths, and points between them that have one nearest vector."""
        codebook = torch.randn(K, d, generator=g) * torch.linspace(0.3, 1.7, K)[:, None] + 0.5
        n = torch.Size(shape).numel()
        z = spread * torch.randn(8 * n + 50, d, generator=g) + 0.5
        two = torch.cdist(z.double(), codebook.double()).square().topk(2, largest=False).values
        clear = z[two.diff()[:, 0] > CLEAR]
        return Case(about, {"z": clear[:n].reshape(*shape, d), "codebook": codebook})

    yield draw("9 vectors of 3 numbers, a codebook of 5", 9, K=5, d=3)
    yield draw("2 images of 4 places", 2, 4, K=6, d=3)
    yield draw("as many vectors as entries, of as many numbers", 4, K=4, d=4)
    yield draw("2 images on a grid of 3 × 2 places", 2, 3, 2, K=7, d=2, spread=2.0)
    yield draw("16 images of 64 places, a codebook of 64", 16, 64, K=64, d=16)


def observe(candidate: Candidate, case: Case) -> Parts:
    """Both parts by name; a list of two unpacks like the tuple, so it is as good."""
    pair = named_result(candidate, case)["result"]
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        shown = pair if isinstance(pair, Tensor) else torch.zeros(())
        return {PAIR: kind_of(pair), "_only": shown}
    return {PAIR: "two parts", "indices": pair[0], "z_q": pair[1]}


EXERCISE = Exercise("quantize", 2, cases, observe)
