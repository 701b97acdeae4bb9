"""`data import FOLDER NAME`: anybody's folder or archive of images becomes a data set."""

from pathlib import Path, PurePosixPath

import numpy as np
import torch

from course_lib.datasets import store
from course_lib.datasets.catalog import Spec, cache_file, check_size, notice
from course_lib.datasets.files import Files, decode_all, image_names, open_files
from course_lib.datasets.registry import find
from course_lib.datasets.splits import Dataset, Split, hold_out
from course_lib.errors import CourseError

SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
SPLITS |= {"val": "valid", "valid": "valid", "validation": "valid"}
TEST_DIVISOR = 6  # one image in six is for testing where the folder has no test images


def import_images(path: str | Path, name: str, *, size: int | None = None) -> str:
    """Import a folder, ZIP or tar of images as data set `name`; one line on what became of it.

    Layouts: train/<class>/* with test/<class>/* (and valid/<class>/*), or <class>/*, or no
    folders at all; or the set's official files. For celeba: CelebA's own layout. Raises
    CourseError, and then nothing changes.
    """
    spec = find(name)
    if spec.procedural:
        raise CourseError(f"{name} is drawn by the course itself: import into another data set")
    size = check_size(spec, size)
    path = Path(path).expanduser()
    target = cache_file(spec, size)
    if spec.import_files:
        data = spec.import_files(spec, path, size)
    elif place := spec.place_in(path):
        data = spec.prepare(spec, place, size, source=f"{spec.title} (imported: {path.name})")
        store.write(target, store.parts_of(data), {**store.describe(data), "official": True})
    else:
        data = read_images(spec, open_files(path), size)
        store.write(target, store.parts_of(data), store.describe(data))
    counts = " and ".join(f"{len(split):,} {key}" for key, split in data.splits().items())
    known = data.label_names or data.factor_names
    what = "classes" if data.label_names else "attributes"
    kinds = f"{len(known)} {what}" if known else "no classes"
    return f"{spec.name}: {counts} images with {kinds}, from {path} into {target}"


def read_images(spec: Spec, files: Files, size: int) -> Dataset:
    """Read a folder or archive in one of the three layouts."""
    names, others = image_names(files)
    if not names:
        only = f", only other files ({others})" if others else ""
        raise CourseError(f"{files.path} holds no images{only}: give a folder or a ZIP of images")
    places = layout(names)
    label_names, labels = _labels(spec, [label for _, label in places])
    blocks = decode_all(files, names, size=size, channels=spec.channels)
    whole = Split(torch.from_numpy(np.concatenate(list(blocks))), labels)
    splits = _splits(whole, [split for split, _ in places], files)
    if others:
        notice(f"{files.path.name} also holds files that are no images, left out: {others}")
    lossy = any(name.lower().endswith((".jpg", ".jpeg")) for name in names)
    copy = ", JPEG copy" if lossy else ""
    source = f"{spec.title} (imported: {files.path.name}{copy})"
    return Dataset(spec.name, source, label_names=label_names, **splits)


def layout(names: list[str]) -> list[tuple[str, str]]:
    """(split, class) of each image, "" where its folders do not say.

    A folder called train, test or valid is the split, and the folder in it the class. Without
    any, the classes are the folders where the paths first differ.
    """
    parents = [PurePosixPath(name).parts[:-1] for name in names]
    if not any(part.lower() in SPLITS for folders in parents for part in folders):
        levels = zip(*parents, strict=False)  # all names of the first folder, of the second, …
        differ = [len(set(level)) > 1 for level in levels]
        depth = [*differ, True].index(True)
        return [("", (folders[depth:] or ("",))[0]) for folders in parents]
    return [_place(folders) for folders in parents]


def _place(folders: tuple[str, ...]) -> tuple[str, str]:
    for at, part in enumerate(folders):
        if part.lower() in SPLITS:
            return SPLITS[part.lower()], (folders[at + 1 :] or ("",))[0]
    return "", ""


def _labels(spec: Spec, classes: list[str]) -> tuple[tuple[str, ...], torch.Tensor | None]:
    """(names, labels (N,)): in the official order where these are the official classes."""
    if "" in classes:
        return (), None  # an image outside the class folders
    official = {name.lower(): index for index, name in enumerate(spec.label_names)}
    if {name.lower() for name in classes} <= official.keys():
        return spec.label_names, torch.tensor([official[name.lower()] for name in classes])
    names = sorted(set(classes))
    index = {name: i for i, name in enumerate(names)}
    return tuple(names), torch.tensor([index[name] for name in classes])


def _splits(whole: Split, keys: list[str], files: Files) -> dict[str, Split]:
    """Images outside train, test and valid folders train; a test split there is always.

    Folders come class by class. Each split is shuffled, always in the same way, so that its first
    images are a fair sample, as in the official files.
    """
    keys = [key or "train" for key in keys]
    order = torch.randperm(len(keys), generator=torch.Generator().manual_seed(0)).tolist()
    where = {key: [i for i in order if keys[i] == key] for key in dict.fromkeys(keys)}
    splits = {key: whole.take(torch.tensor(index)) for key, index in where.items()}
    if len(splits.get("train", ())) < 2:
        raise CourseError(f"{files.path} holds fewer than two training images")
    if "test" not in splits:
        train = splits["train"]
        held = max(1, len(train) // TEST_DIVISOR)
        splits["train"], splits["test"] = hold_out(train, held)
        notice(f"{files.path.name} has no test images: {held:,} held out for testing")
    return splits
