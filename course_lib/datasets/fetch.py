"""One file over HTTP, with progress, a checksum, and a resume after a broken connection.

torchvision's download starts again from nothing each time; its classes take a file that already
lies where they would put it, so this is all that has to be added.
"""

import hashlib
import http.client
import os
import queue
import ssl
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from course_lib.datasets.store import disk_error
from course_lib.errors import CourseError
from course_lib.progress import progress_bar

PROBE_TIMEOUT_S = 3.0  # how long a class waits to learn that there is no network
READ_TIMEOUT_S = 20.0  # how long a server may send nothing
CHUNK_BYTES = 1 << 16
# All but the last are kinds of OSError, and must not be taken for a full disk.
NETWORK_ERRORS = (
    urllib.error.URLError, TimeoutError, ConnectionError, ssl.SSLError, http.client.HTTPException
)  # fmt: skip
USER_AGENT = {"User-Agent": "autoencoder-course"}


def reachable(*urls: str) -> bool:
    """Whether one of the servers answers within PROBE_TIMEOUT_S, whatever it says.

    In threads of their own, because looking up a name cannot be given a time limit.
    """
    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def ask(url: str) -> None:
        request = urllib.request.Request(url, headers=USER_AGENT, method="HEAD")
        try:
            urllib.request.urlopen(request, timeout=PROBE_TIMEOUT_S).close()
            answers.put(True)
        except urllib.error.HTTPError:
            answers.put(True)  # it spoke: the download itself will say what is wrong
        except (OSError, http.client.HTTPException):
            answers.put(False)

    for url in urls:
        threading.Thread(target=ask, args=(url,), daemon=True).start()
    end = time.monotonic() + PROBE_TIMEOUT_S
    try:
        return any(answers.get(timeout=max(0, end - time.monotonic())) for _ in urls)
    except queue.Empty:
        return False


def fetch(url: str, path: Path, *, md5: str) -> None:
    """Download `url` to `path`, which exists afterwards only with the right checksum.

    What a broken connection left in `path` + ".part" is continued. Raises CourseError.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        resumed = _receive(url, part)
        if _md5(part) != md5 and resumed:
            part.unlink()  # continued a wrong beginning: once more from nothing
            _receive(url, part)
        if _md5(part) != md5:
            part.unlink()
            raise CourseError(
                f"{url} has the wrong checksum and was thrown away: try again on another network"
            )
        os.replace(part, path)
    except urllib.error.HTTPError as error:
        raise CourseError(f"{url} answers {error.code} {error.reason}") from error
    except NETWORK_ERRORS as error:
        raise CourseError(f"{url} broke off ({_reason(error)}): the next try continues") from error
    except OSError as error:
        raise disk_error(error, part.parent) from error


def _receive(url: str, part: Path) -> bool:
    """Append to `part` what it lacks; true where an earlier part was continued."""
    start = part.stat().st_size if part.exists() else 0
    try:
        response = _request(url, start)
    except urllib.error.HTTPError as error:
        if start and error.code == 416:  # nothing lacks; its checksum says whether it is right
            return True
        raise
    with response:
        resumed = response.status == 206 and response.headers.get("Content-Range", "").startswith(
            f"bytes {start}-"
        )
        if response.status != 200 and not resumed:
            raise http.client.HTTPException(f"unexpected answer {response.status}")
        _copy(response, part, start=start if resumed else 0)
    return resumed


def _request(url: str, start: int) -> http.client.HTTPResponse:
    # "identity", because a Range counts the bytes that are sent
    headers = {**USER_AGENT, "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)
    return urllib.request.urlopen(request, timeout=READ_TIMEOUT_S)


def _copy(response: http.client.HTTPResponse, part: Path, *, start: int) -> None:
    length = response.length  # None where the server does not say
    label = Path(urlsplit(response.url).path).name
    total = None if length is None else start + length
    bar = progress_bar(total=total, initial=start, desc=label, unit=" bytes", unit_scale=True)
    with open(part, "ab" if start else "wb") as file, bar:
        while chunk := response.read(CHUNK_BYTES):
            file.write(chunk)
            bar.update(len(chunk))
        received = file.tell() - start
    if length is not None and received != length:
        raise ConnectionError(f"{received:,} of {length:,} bytes came")


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason).splitlines()[0] if str(reason) else type(error).__name__
