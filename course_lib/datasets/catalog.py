"""Which data sets there are, and the folders they are looked for in."""

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from course_lib.errors import CourseError

DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
THINGS = (
    "airplane", "automobile", "bird", "cat", "deer",
    "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


@dataclass(frozen=True)
class Spec:
    """One line of the table of data sets. `sizes[0]` is the default side of the square images."""

    name: str
    title: str
    channels: int
    sizes: tuple[int, ...]
    label_names: tuple[str, ...] = ()
    folder: str = ""  # torchvision's folder below its root; "" for what the course draws itself
    loader: str = ""  # the class in torchvision.datasets
    counts: tuple[int, int] = (0, 0)  # official numbers of training and test images

    @property
    def procedural(self) -> bool:
        """Whether the course draws these images itself, so that they are always at hand."""
        return not self.folder


def _photos(
    name: str, title: str, channels: int, size: int, labels: tuple[str, ...], folder: str, n: int
) -> Spec:
    """A labelled set that torchvision has: n training images and 10,000 test images."""
    loader = title.replace("-", "")
    return Spec(name, title, channels, (size,), labels, folder, loader, (n, 10_000))


_ALL = (
    _photos("mnist", "MNIST", 1, 28, DIGITS, "MNIST/raw", 60_000),
    _photos("fashion_mnist", "Fashion-MNIST", 1, 28, CLOTHES, "FashionMNIST/raw", 60_000),
    _photos("cifar10", "CIFAR-10", 3, 32, THINGS, "cifar-10-batches-py", 50_000),
    Spec("celeba", "CelebA", 3, (64, 128, 256), folder="celeba", loader="CelebA"),
    Spec("sprites", "sprites", 1, (32,)),
    Spec("faces", "cartoon faces", 3, (64, 32, 128, 256)),
)
SPECS = {spec.name: spec for spec in _ALL}


def find(name: str) -> Spec:
    """The data set of this name. CourseError names the closest one when there is none."""
    if name in SPECS:
        return SPECS[name]
    key = str(name).lower().replace("-", "_")
    close = difflib.get_close_matches(key, SPECS, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"choose one of {', '.join(SPECS)}"
    raise CourseError(f"unknown data set {name!r}: {hint}")


def check_size(spec: Spec, size: int | None) -> int:
    """The side of the images in pixels: `size`, or the data set's default for None."""
    if size is None:
        return spec.sizes[0]
    if isinstance(size, bool) or size not in spec.sizes:
        choices = ", ".join(map(str, sorted(spec.sizes)))
        raise CourseError(f"{spec.name} has no size {size!r}: choose {choices}")
    return int(size)


def data_folder() -> Path | None:
    """The folder that COURSE_DATA names, or None when it is not set."""
    value = os.environ.get("COURSE_DATA", "")
    if not value:
        return None
    path = Path(value).expanduser()
    if not path.is_dir():
        raise CourseError(
            f"COURSE_DATA names {path}, which is not a folder: correct it, or unset it"
        )
    return path


def cache_folder() -> Path:
    """Where prepared data sets are kept: COURSE_CACHE, or the platform's cache folder."""
    value = os.environ.get("COURSE_CACHE", "")
    if value:
        return Path(value).expanduser()
    return Path(platformdirs.user_cache_dir("autoencoder-course", appauthor=False))


def cache_file(spec: Spec, size: int, *, stand_in: bool = False) -> Path:
    """The cache's file for one data set at one size; stand-ins have a name of their own."""
    kind = "-stand-in" if stand_in else ""
    return cache_folder() / f"{spec.name}-{size}{kind}.safetensors"


def offline() -> bool:
    """Whether COURSE_OFFLINE forbids the network."""
    return os.environ.get("COURSE_OFFLINE", "") not in ("", "0")
