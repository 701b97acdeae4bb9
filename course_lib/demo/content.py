"""One self-contained HTML file: weights, figures, decoders in JavaScript, style."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.writing import check_target, write_whole

SITE = Path(__file__).parent / "site"
STYLES = ("style", "sliders", "phone")
# In this order, since later ones use what stands in earlier ones.
SCRIPTS = (
    "weights",
    "layers",
    "decoders",
    "markers",
    "canvas",
    "paths",
    "codes",
    "families",
    "layout",
    "bench",
    "main",
)
FAMILY = ("0.1", "0.5", "1", "2", "10")  # β
MODELS = (
    "mnist-decoder-2",
    *(f"mnist-decoder-64-beta-{beta}" for beta in FAMILY),
    "faces-vae-128",
)


def page(data: Path) -> str:
    """The page's text, from data/checkpoints and data/metrics. CourseError where one is damaged."""
    content = {
        "models": {name: _model(data / "checkpoints", name) for name in MODELS},
        "table": {"seconds": _json(data / "metrics" / "table1.json")["seconds"]},
        "walks": _json(data / "metrics" / "walks.json"),
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


def _model(folder: Path, name: str) -> dict:
    """Card and weights, these as base64, of a checkpoint; its curves are left out."""
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
        "weights": base64.b64encode(weights).decode(),
    }


def _json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CourseError(f"{path} cannot be read ({error}): restore it") from error
