"""The data sets: adding one is one entry here."""

import difflib
import functools
from types import ModuleType

from course_lib.datasets import celeba, cifar, digits, downloads, drive, idx, procedural
from course_lib.datasets.catalog import Spec, StandIn
from course_lib.errors import CourseError

FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer",
    "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


def _torchvision(
    name: str,
    title: str,
    *,
    stand_in: StandIn,
    channels: int,
    size: int,
    label_names: tuple[str, ...],
    place: str,
    files: ModuleType,
    n_train: int,
    servers: tuple[str, ...],
) -> Spec:
    """A labelled set that torchvision downloads: n_train training images and 10,000 test images."""
    return Spec(
        name, title, channels, (size,), stand_in,
        label_names=label_names, folder=place, loader=title.replace("-", ""),
        servers=servers, counts=(n_train, 10_000), find=files.find, prepare=files.prepare,
        download=downloads.get_archives, download_in_load=downloads.download,
    )  # fmt: skip


_ALL = (
    _torchvision(
        "mnist", "MNIST", stand_in=digits.draw_digits, channels=1, size=28,
        label_names=digits.DIGITS, place="MNIST/raw", files=idx, n_train=60_000,
        servers=("https://ossci-datasets.s3.amazonaws.com", "http://yann.lecun.com"),
    ),
    _torchvision(
        "fashion_mnist", "Fashion-MNIST", stand_in=digits.draw_digits, channels=1, size=28,
        label_names=FASHION_CLASSES, place="FashionMNIST/raw", files=idx, n_train=60_000,
        servers=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",),
    ),
    _torchvision(
        "cifar10", "CIFAR-10", stand_in=procedural.faces_for_cifar10, channels=3, size=32,
        label_names=CIFAR10_CLASSES, place="cifar-10-batches-py", files=cifar, n_train=50_000,
        servers=("https://www.cs.toronto.edu",),
    ),
    Spec(
        "celeba", "CelebA", 3, (64, 128, 256), procedural.faces_for_celeba,
        folder="celeba", loader="CelebA", find=celeba.find, prepare=celeba.prepare,
        download=drive.get_celeba,
        import_files=functools.partial(celeba.prepare, must_keep=True),
        originals=celeba.originals,
    ),
    Spec("sprites", "sprites", 1, (32,), procedural.draw_sprites),
    Spec("faces", "cartoon faces", 3, (64, 32, 128, 256), procedural.draw_faces),
)  # fmt: skip
SPECS = {spec.name: spec for spec in _ALL}


def find(name: str) -> Spec:
    """The data set of this name. CourseError names the closest one when there is none."""
    if name in SPECS:
        return SPECS[name]
    key = str(name).lower().replace("-", "_")
    close = difflib.get_close_matches(key, SPECS, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"choose one of {', '.join(SPECS)}"
    raise CourseError(f"unknown data set {name!r}: {hint}")
