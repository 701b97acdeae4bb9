"""CelebA from Google Drive by torchvision's own function, or by hand."""

import os
import shutil
import tempfile
from pathlib import Path

from course_lib.datasets.catalog import Spec, cache_folder, data_folder, offline
from course_lib.datasets.fetch import reachable
from course_lib.datasets.folder import loader_class
from course_lib.datasets.store import disk_error
from course_lib.errors import CourseError

FILE_NAMES = ("list_attr_celeba.txt", "list_eval_partition.txt", "img_align_celeba.zip")
DOWNLOAD_BYTES = 1_500_000_000
DRIVE = "https://drive.google.com"
PROJECT_PAGE = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"


def get_celeba(spec: Spec) -> str:
    """Bring the three files of CelebA that the course reads; one line on where they are.

    A file that came through stays when a later one fails. Raises CourseError.
    """
    data = data_folder()
    if data and (place := spec.place_in(data)):  # not read, which takes hours: `load` does
        return f"{spec.name} is at hand in {place}: nothing to download"
    root = cache_folder() / spec.folder
    missing = [name for name in FILE_NAMES if not (root / name).exists()]
    if not missing and spec.place_in(cache_folder()):  # CourseError for a web page among them
        return f"celeba is at hand in {root}: nothing to download"
    by_hand = f"or fetch {', '.join(missing)} by hand from {PROJECT_PAGE} into {root}"
    if offline():
        raise CourseError(f"COURSE_OFFLINE is set, which forbids downloads: unset it, {by_hand}")
    if not reachable(DRIVE):
        raise CourseError(f"no connection to {DRIVE}: try on another network, {by_hand}")
    try:
        root.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(root).free < DOWNLOAD_BYTES:
            raise CourseError(f"CelebA takes 1.5 GB, more than is free at {root}: set COURSE_CACHE")
        with tempfile.TemporaryDirectory(dir=root) as temporary:
            for name in missing:
                _from_drive(spec, Path(temporary), name, by_hand=by_hand)
                os.replace(Path(temporary) / name, root / name)
    except OSError as error:
        raise disk_error(error, root) from error
    return f"celeba: the three files are in {root}; the first load prepares the images"


def _from_drive(spec: Spec, folder: Path, name: str, *, by_hand: str) -> None:
    from torchvision.datasets.utils import download_file_from_google_drive

    files = {file: (key, md5) for key, md5, file in loader_class(spec).file_list}
    file_id, md5 = files[name]
    try:
        download_file_from_google_drive(file_id, folder, name, md5)
    except Exception as error:  # gdown has many kinds, and Drive's refusals come as web pages
        if isinstance(error, OSError) and error.filename:
            raise
        reason = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise CourseError(
            f"Google Drive did not give {name} ({reason}), often because its daily quota for "
            f"CelebA is used up: try tomorrow, {by_hand}"
        ) from error
