"""Trained weights with a card each, and the metrics of full runs: what lies in `data/`."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from course_lib import models
from course_lib.errors import CourseError
from course_lib.place import ROOT
from course_lib.writing import replace, replacing

DATA = ROOT / "data"
NUMBERS = re.compile(r"\[\s+([-\d.eE+,\s]+?)\s+\]")  # a list of nothing else, over several lines


def save(model: nn.Module, name: str, *, card: dict, folder: Path = DATA) -> Path:
    """Write checkpoints/NAME.safetensors in half precision, and its card NAME.json.

    card: at least "model": {"class": …, "arguments": {…}}, from which `load` builds the model, and
    "data", "recipe", "seed", "seconds". Number of parameters and SHA-256 are added here.
    """
    place = folder / "checkpoints"
    place.mkdir(parents=True, exist_ok=True)
    weights = {
        key: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for key, value in model.state_dict().items()
    }
    path = place / f"{name}.safetensors"
    with replacing(path) as part:
        save_file(weights, part)
        part.chmod(0o644)  # safetensors writes for the owner alone
    size = {"parameters": sum(p.numel() for p in model.parameters()), "bytes": path.stat().st_size}
    write_json(place / f"{name}.json", {"name": name, **card, **size, "sha256": _sha256(path)})
    return path


def load(name: str, *, folder: Path = DATA) -> tuple[nn.Module, dict]:
    """The trained model, in eval mode and single precision, and its card.

    CourseError where there is no such checkpoint, or where its weights are not those of the card.
    """
    about = card(name, folder=folder)
    path = folder / "checkpoints" / f"{name}.safetensors"
    again = f"restore it, or train it again: python -m course_lib train {about.get('recipe', '…')}"
    if not path.exists():
        raise CourseError(f"{path} is missing: {again}")
    if _sha256(path) != about.get("sha256"):
        raise CourseError(f"{path} is not the file that its card describes: {again}")
    try:
        weights = {k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()}
        model = build(about)
        model.load_state_dict(weights)
    except (SafetensorError, RuntimeError) as error:
        raise CourseError(f"{path} does not fit this version of the course: {again}") from error
    return model.eval().requires_grad_(False), about


def card(name: str, *, folder: Path = DATA) -> dict:
    """What is known of a checkpoint: model, data, recipe, seed, date, seconds, figures."""
    return _read_json(folder / "checkpoints" / f"{name}.json")


def build(card: dict) -> nn.Module:
    """The untrained model that a card describes."""
    described = card["model"]
    if described["class"] not in models.__all__:
        raise CourseError(f"no model {described['class']!r} in course_lib.models")
    return getattr(models, described["class"])(**described["arguments"])


def names(folder: Path = DATA) -> list[str]:
    """The checkpoints that are there, in the order of the alphabet."""
    return sorted(path.stem for path in (folder / "checkpoints").glob("*.json"))


def metrics(name: str, *, folder: Path = DATA) -> dict:
    """Figures of full training runs, metrics/NAME.json, as `train NAME` wrote them."""
    return _read_json(folder / "metrics" / f"{name}.json")


def write_json(path: Path, content: dict) -> None:
    """Whole or not at all; a row of numbers stands on one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, ensure_ascii=False)
    text = NUMBERS.sub(lambda row: f"[{' '.join(row[1].split())}]", text)
    replace(path, text + "\n")


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        there = ", ".join(sorted(p.stem for p in path.parent.glob("*.json"))) or "none"
        raise CourseError(
            f"there is no {path.stem!r} in {path.parent} (there are: {there})"
        ) from None
    except (OSError, ValueError) as error:
        raise CourseError(f"{path} cannot be read: {error}: restore it") from error


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
