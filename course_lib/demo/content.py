"""One self-contained HTML file: weights, figures, decoders in JavaScript, style."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.place import ROOT
from course_lib.writing import check_target, write_whole

SITE = Path(__file__).parent / "site"
STYLES = ("style", "sliders", "phone")
# In this order, since later ones use what stands in earlier ones.
SCRIPTS = (
    "weights",
    "layers",
    "networks",
    "markers",
    "canvas",
    "paths",
    "sheet",
    "codes",
    "pad",
    "bound",
    "holes",
    "denoise",
    "diffusion",
    "families",
    "symbols",
    "words",
    "layout",
    "bench",
    "main",
)
FAMILY = ("0.1", "0.5", "1", "2", "10")  # β
CODEBOOKS = (4, 16, 64, 256)  # K
# Which of a model's tensors the page needs, by how their names begin.
MODELS: dict[str, str | tuple[str, ...]] = {
    "mnist-encoder-2": "encoder.",
    "mnist-decoder-2": "decoder.",
    "mnist-encoder-64": "encoder.",
    **{f"mnist-decoder-64-beta-{beta}": "decoder." for beta in FAMILY},
    "mnist-autoencoder-2": "decoder.",
    "mnist-denoiser": "",
    "mnist-ddpm": "",
    "faces-vae-128": "decoder.",
    **{f"faces-vq-{size}": ("encoder.", "codebook.vectors", "decoder.") for size in CODEBOOKS},
}


def page(data: Path) -> str:
    """The page's text, from data/checkpoints and data/metrics. CourseError where one is damaged."""
    content = {
        "models": {name: _model(data / "checkpoints", name, part) for name, part in MODELS.items()},
        "table": {"seconds": _json(data / "metrics" / "table1.json")["seconds"]},
        "walks": _json(data / "metrics" / "walks.json"),
        "digits": _json(data / "metrics" / "digits.json"),
        "bits": {
            size: _json(data / "checkpoints" / f"faces-vq-{size}-prior.json")["test"]["bits"]
            for size in CODEBOOKS
        },
        "course": _address(),
    }
    parts = {
        "style": _joined(f"{name}.css" for name in STYLES),
        "script": _joined(f"{name}.js" for name in SCRIPTS),
        "content": json.dumps(content, ensure_ascii=False).replace("</", r"<\/"),
    }
    text = (SITE / "page.html").read_text(encoding="utf-8")
    for name, part in parts.items():
        text = text.replace(f"{{{{{name}}}}}", part.rstrip("\n"))
    return text


def export(data: Path, target: Path) -> int:
    """Write the page to a file, whole or not at all; its size in bytes."""
    check_target(target)
    encoded = page(data).encode()
    write_whole(target, encoded)
    return len(encoded)


def _joined(names: Iterable[str]) -> str:
    return "\n".join((SITE / name).read_text(encoding="utf-8") for name in names)


def _model(folder: Path, name: str, part: str | tuple[str, ...]) -> dict:
    """Card and weights, these as base85, of a checkpoint; its curves are left out.

    part: how the names of the tensors begin that are wanted.
    """
    card = _json(folder / f"{name}.json")
    path = folder / f"{name}.safetensors"
    again = f"restore it, or train it again: python -m course_lib train {card.get('recipe', '…')}"
    try:
        weights = path.read_bytes()
    except OSError as error:
        raise CourseError(f"{path} cannot be read ({error.strerror}): {again}") from error
    if hashlib.sha256(weights).hexdigest() != card.get("sha256"):
        raise CourseError(f"{path} is not the file that its card describes: {again}")
    return {
        "card": {key: value for key, value in card.items() if key != "curve"},
        "weights": base64.b85encode(_tensors(weights, part)).decode(),
    }


def _address() -> dict[str, str]:
    """Where the course and its files are hosted, from [tool.course] in pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    name, tag = (re.search(rf'^{key} = "(.*)"', text, re.M) for key in ("repository", "tag"))
    home = f"https://github.com/{name[1] if name else ''}"
    return {"home": home, "files": f"{home}/blob/{tag[1] if tag else 'main'}"}


def _tensors(file: bytes, part: str | tuple[str, ...]) -> bytes:
    """A .safetensors file with those tensors alone whose names begin with `part`.

    The format: 8 bytes with the length of a JSON header, the header with type, shape and place of
    each tensor, then the numbers.
    """
    start = 8 + int.from_bytes(file[:8], "little")
    header, numbers, at = {}, [], 0
    for name, about in json.loads(file[8:start]).items():
        if name.startswith(part) and name != "__metadata__":
            begin, end = about["data_offsets"]
            numbers.append(file[start + begin : start + end])
            header[name] = about | {"data_offsets": [at, at := at + end - begin]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # numbers begin at a multiple of 8, as the format wishes
    return len(text).to_bytes(8, "little") + text + b"".join(numbers)


def _json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CourseError(f"{path} cannot be read ({error}): restore it") from error
