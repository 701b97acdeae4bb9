"""The downloads of torchvision's archives: within `load`, and by `data get NAME`."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from course_lib.datasets import store
from course_lib.datasets.catalog import (
    Spec,
    cache_file,
    cache_folder,
    data_folder,
    offline,
)
from course_lib.datasets.fetch import fetch, reachable
from course_lib.datasets.folder import loader_class
from course_lib.datasets.splits import Dataset
from course_lib.errors import CourseError


def get_archives(spec: Spec) -> str:
    """Download a data set into the cache, if it is not at hand; one line on where it is."""
    size = spec.sizes[0]
    root = data_folder()
    if root and (place := spec.place_in(root)):
        spec.prepare(spec, place, size)  # a damaged set must not pass for one at hand
        return f"{spec.name} is at hand in {place}: nothing to download"
    path = cache_file(spec, size)
    found = store.read(path)
    if found and found[1].get("official"):
        return f"{spec.name} is at hand in {path}: nothing to download"
    if data := _put_there_by_hand(spec, size):
        store.write(path, store.parts_of(data), {**store.describe(data), "official": True})
    else:
        data = download(spec, must_keep=True)
    return f"{spec.name}: {len(data.train):,} training and {len(data.test):,} test images in {path}"


def _put_there_by_hand(spec: Spec, size: int) -> Dataset | None:
    """From the official files in the cache folder; None where they are not there or damaged."""
    with contextlib.suppress(CourseError):
        if place := spec.place_in(cache_folder()):
            return spec.prepare(spec, place, size, source=f"{spec.title} ({place})")
    return None


def download(spec: Spec, *, must_keep: bool = False) -> Dataset:
    """Fetch, check, unpack and cache a data set, by torchvision's class.

    A second process waits for the first. Raises CourseError; with `must_keep` also where
    the cache cannot be written, which otherwise is one printed line.
    """
    if offline():
        raise CourseError("COURSE_OFFLINE is set, which forbids downloads")
    path = cache_file(spec, spec.sizes[0])
    if not reachable(*spec.servers):  # first: without a network torchvision is not imported
        hosts = (urlsplit(url).netloc for url in spec.servers)
        raise CourseError(f"no connection to {' or '.join(hosts)}")
    archives = _archives(spec)
    with _workplace(spec) as folder:
        if (found := store.read(path)) and found[1].get("official"):
            return found[0]  # the process that we waited for has brought it
        for urls, name, md5 in archives:
            _fetch_any(urls, folder / name, md5=md5)
        source = f"{spec.title} (downloaded by torchvision)"
        data = spec.prepare(spec, spec.place_in(folder), spec.sizes[0], source=source)
        info = {**store.describe(data), "official": True}
        if must_keep:
            store.write(path, store.parts_of(data), info)
        else:
            store.keep(path, data, official=True)
        shutil.rmtree(folder, ignore_errors=True)
    return data


def _archives(spec: Spec) -> list[tuple[list[str], str, str]]:
    """(addresses, file name, MD5) of what torchvision's class downloads."""
    loader = loader_class(spec)
    if hasattr(loader, "mirrors"):
        return [
            ([mirror + name for mirror in loader.mirrors], name, md5)
            for name, md5 in loader.resources
        ]
    return [([loader.url], loader.filename, loader.tgz_md5)]


def _fetch_any(urls: list[str], path: Path, *, md5: str) -> None:
    """Fetch from the first mirror that works; the first one's complaint counts."""
    if path.exists():
        return  # complete and checked, from an earlier try
    complaints = []
    for url in urls:
        try:
            return fetch(url, path, md5=md5)
        except CourseError as error:
            complaints.append(error)
    raise complaints[0]


@contextlib.contextmanager
def _workplace(spec: Spec) -> Iterator[Path]:
    """A folder for unfinished downloads: one process at a time, kept for the next try.

    Where the cache cannot be written, a temporary folder.
    """
    folder = cache_folder() / "downloads" / spec.name
    with store.alone(folder, f"{spec.name}: another process is downloading it; waiting") as waited:
        if waited is None:
            with tempfile.TemporaryDirectory() as temporary:
                yield Path(temporary)
        else:
            folder.mkdir(exist_ok=True)  # it is kept for the next try, or another has removed it
            yield folder
