"""Data sets that the course draws itself: sprites, faces, and faces standing in for photographs."""

import torch
from torch import Tensor

from course_lib.datasets.catalog import Spec
from course_lib.datasets.splits import Dataset, Split
from course_lib.progress import progress_bar
from course_lib.synthetic import faces, sprites

# Images for (training, testing) by size: about ten seconds of drawing on two cores at most.
COUNTS = {32: (20_000, 2_000), 64: (20_000, 2_000), 128: (5_000, 1_000), 256: (1_200, 300)}
SEEDS = {"train": 0, "test": 1, "valid": 2}
FIVE_STYLES = ("bald", "side", "afro", "long", "bun")  # times with and without glasses


def draw_sprites(spec: Spec, size: int) -> Dataset:
    """Every sprite of the grid once, nine in ten for training, drawn by lot with a fixed seed."""
    images, factors = sprites.render_all()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    whole, held = Split(images, factors=factors), len(images) // 10
    return Dataset(
        spec.name,
        "drawn by the course: every combination of the five factors",
        train=whole.take(order[held:].sort().values),
        test=whole.take(order[:held].sort().values),
        factor_names=tuple(sprites.FACTOR_NAMES),
    )


def draw_faces(spec: Spec, size: int) -> Dataset:
    """Cartoon faces with the factors that they were drawn from, float32."""

    def split(key: str, n: int) -> Split:
        factors = faces.sample_factors(n, seed=SEEDS[key])
        return Split(render(factors, size=size), factors=factors)

    n_train, n_test = COUNTS[size]
    names = tuple(faces.FACTOR_NAMES)
    source = "drawn by the course: cartoon faces"
    return Dataset(
        spec.name, source, split("train", n_train), split("test", n_test), factor_names=names
    )


def faces_for_cifar10(spec: Spec, size: int) -> Dataset:
    """Cartoon faces in ten equally likely classes: five hair styles, with and without glasses."""

    def split(key: str, n: int) -> Split:
        factors = faces.sample_factors(n, seed=SEEDS[key])
        # drawn by lot: classes in turn would make every subset a stratified one
        labels = torch.randint(10, (n,), generator=torch.Generator().manual_seed(SEEDS[key]))
        _set(factors, "hair_style", labels // 2, _code("hair_style", *FIVE_STYLES))
        _set(factors, "glasses", labels % 2, _code("glasses", "none", "square"))
        return Split(render(factors, size=size), labels, factors)

    n_train, n_test = COUNTS[size]
    names = [f"{style}{glasses}" for style in FIVE_STYLES for glasses in ("", " with glasses")]
    return _stand_in(
        spec,
        split("train", n_train),
        split("test", n_test),
        label_names=tuple(names),
        factor_names=tuple(faces.FACTOR_NAMES),
    )


def faces_for_celeba(spec: Spec, size: int) -> Dataset:
    """Cartoon faces with attributes like CelebA's, int64 0 or 1, and a validation split."""

    def split(key: str, n: int) -> Split:
        factors = faces.sample_factors(n, seed=SEEDS[key])
        flags = torch.as_tensor(faces.attributes(factors)[0]).to(torch.int64)
        return Split(render(factors, size=size), factors=flags)

    n_train, n_test = COUNTS[size]
    names = tuple(faces.attributes(faces.sample_factors(1, seed=0))[1])
    return _stand_in(
        spec,
        split("train", n_train),
        split("test", n_test),
        valid=split("valid", n_test),
        factor_names=names,
    )


def render(factors: Tensor, *, size: int) -> Tensor:
    """Draw faces uint8 (N, 3, size, size) with a progress bar."""
    bar = progress_bar(total=len(factors), desc="drawing faces", unit=" faces")
    images = []
    with bar:
        for some in factors.split(1000):
            images.append(faces.render(some, size=size))
            bar.update(len(some))
    return torch.cat(images)


def _code(name: str, *levels: str) -> Tensor:
    """The numbers of some levels of a discrete factor."""
    factor = faces.FACTORS[faces.FACTOR_NAMES.index(name)]
    return torch.tensor([factor.levels.index(level) for level in levels])


def _set(factors: Tensor, name: str, choice: Tensor, codes: Tensor) -> None:
    factors[:, faces.FACTOR_NAMES.index(name)] = codes[choice].to(factors.dtype)


def _stand_in(spec: Spec, train: Split, test: Split, **known: object) -> Dataset:
    source = f"stand-in for {spec.title}: cartoon faces drawn by the course"
    return Dataset(spec.name, source, train, test, stand_in=True, **known)
