"""Networks as pictures: their shapes come from a pass through the module that is drawn."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from course_lib.diagrams.drawing import GREY, Diagram, Sheet
from course_lib.models.unet import EMBEDDING, UNet
from course_lib.plots.style import BLUE, GREEN, ORANGE, VERMILION

Shape = tuple[int, ...]


class Stage(NamedTuple):
    """What a layer is called, and the shape of what it gives, without the batch."""

    layer: str
    shape: Shape


def conv_shapes(model: nn.Module | None = None, image: Shape = (1, 28, 28)) -> Diagram:
    """C × H × W after every layer of a convolutional autoencoder, by default that of notebook 02.

    model: has `encode` and `decode`; image: (C, H, W) of what it takes.
    """
    with torch.random.fork_rng(devices=[]):  # a picture takes no random numbers from a notebook
        model = model or _AsInNotebook02(image)
    stages, code = _stages(model, image)
    step, y, last, end = 88, 106, len(stages) - 1, 0.0
    sheet = Sheet(212, width=max(720, step * last + 104))
    for i, (layer, shape) in enumerate(stages):
        x = sheet.width / 2 + step * (i - last / 2)
        colour = ORANGE if i == code else GREY if i in (0, last) else BLUE if i < code else GREEN
        half = 3 + _maps(sheet, x, y, shape, scale=68 / max(image[1:]), colour=colour)
        sheet.text(x, 166, _times(shape), bold=i == code)
        sheet.text(x, 190, "code z" if i == code else f"= {math.prod(shape):,}", colour=GREY)
        if i:
            sheet.text(x - step / 2, 36, layer)
            sheet.arrow(end, y, x - half, y)
        end = x + half
    layers = [f"{layer} to {_times(shape)}".replace("\n", " ") for layer, shape in stages[1:]]
    return sheet.finish(
        "Shapes in a convolutional autoencoder",
        f"Channels × height × width after each layer. The image: {_times(image)}; "
        f"{'; '.join(layers)}. The code z has {_times(stages[code].shape)} numbers, "
        f"the image {math.prod(image):,}.",
    )


def _maps(sheet: Sheet, x: float, y: float, shape: Shape, *, scale: float, colour: str) -> float:
    """Channels as sheets one behind the other, a vector as a bar; returns half of the width."""
    if len(shape) < 3:
        sheet.box(x, y, 14, 68, colour=colour)
        return 7
    behind = round(math.log2(shape[0]))
    w, h = max(shape[2] * scale, 8), max(shape[1] * scale, 8)
    for k in range(behind, -1, -1):
        shift = 4 * (k - behind / 2)
        sheet.box(x + shift, y - shift, w, h, colour=colour, fill="white", round=0)
    sheet.box(x - 2 * behind, y + 2 * behind, w, h, colour=colour, round=0)
    return w / 2 + 2 * behind


# In the U-Net: the column and the row of each part.
COLUMNS = (150, 238, 322, 416, 510, 594, 682)
PLACES = {
    "image": (0, 0), "down.0": (0, 1), "down.1": (1, 1), "low.0": (1, 2), "low.1": (2, 2),
    "attention": (3, 2), "middle": (4, 2), "rise": (5, 2), "up.0": (5, 1), "up.1": (6, 1),
    "out": (6, 0),
}  # fmt: skip
ROWS = (52, 176, 296)
SKIPS = (("down.1", "up.0", 0), ("down.0", "up.1", 32), ("low.1", "rise", 20))


def unet(image: Shape = (3, 32, 32)) -> Diagram:
    """The U-Net of notebook 05: resolutions, channels, skips, and where t and y come in."""
    with torch.random.fork_rng(devices=[]):
        model = UNet(10, channels=image[0])
    shapes = {"image": image, **_shapes_by_name(model, image)}
    sheet = Sheet(392, width=736)
    at = {name: (COLUMNS[column], ROWS[row]) for name, (column, row) in PLACES.items()}
    for name, y in zip(("image", "down.0", "low.0"), ROWS, strict=True):
        sheet.text(12, y, _times(shapes[name][1:]), anchor="start", bold=True)
    for one, two in itertools.pairwise(at):
        _joined(sheet, at[one], at[two])
    for one, two, bend in SKIPS:
        (x1, y1), (x2, y2) = at[one], at[two]
        down, out = (-29, 8) if bend else (0, 33)
        sheet.arrow(
            x1 + out, y1 + down, x2 - out, y2 + down, colour=VERMILION, bend=bend, dashed=True
        )
    for name, (x, y) in at.items():
        _unet_part(sheet, name, x, y, shapes[name][0])
    _unet_words(sheet, at)
    parts = {"in": "image", "down": "down.1", "lowest": "middle", "up": "up.1", "out": "out"}
    levels = "; ".join(f"{part}: {_times(shapes[name])}" for part, name in parts.items())
    return sheet.finish(
        "The U-Net of the diffusion model",
        f"Channels × height × width, {levels}. Two residual blocks on the way down, two at the "
        "lowest resolution, attention, a block in the middle, one after it and two on the way up. "
        "Three dashed skips carry what a block on the way down gives to its counterpart on the way "
        f"up, at the same resolution. The step t and the class y, embedded in {EMBEDDING} "
        "numbers, are added in every residual block.",
    )


def _unet_part(sheet: Sheet, name: str, x: float, y: float, channels: int) -> None:
    """A box with its channels; residual blocks have the dot of the embedding."""
    if name == "attention":
        sheet.box(x, y, 90, 54, colour=ORANGE)
        sheet.text(x, y, name)
        return
    outer = name in ("image", "out")
    sheet.box(x, y, 62, 54, colour=GREY if outer else BLUE)
    sheet.text(x, y, str(channels), size=18)
    if not outer:
        sheet.circle(x + 23, y - 19, 4, colour=GREEN, fill=GREEN)


def _joined(sheet: Sheet, one: tuple[float, float], two: tuple[float, float]) -> None:
    """An arrow between two parts that stand side by side or one above the other."""
    (x1, y1), (x2, y2) = one, two
    if x1 == x2:
        way = 29 if y2 > y1 else -29
        sheet.arrow(x1, y1 + way, x2, y2 - way)
    else:
        sides = [47 if x == COLUMNS[3] else 33 for x in (x1, x2)]
        sheet.arrow(x1 + sides[0], y1, x2 - sides[1], y2)


def _unet_words(sheet: Sheet, at: dict[str, tuple[float, float]]) -> None:
    """What stands beside the boxes, and the key below."""
    middle, low = (ROWS[0] + ROWS[1]) / 2, (ROWS[1] + ROWS[2]) / 2
    sheet.text(COLUMNS[0] + 47, ROWS[0], "x_t", maths=True, size=21)
    sheet.hat(COLUMNS[-1] - 47, ROWS[0], "v", size=21)
    sheet.text(at["image"][0] - 10, middle, "2 × 2 pixels\nto channels", anchor="end")
    sheet.text(at["out"][0] - 10, ROWS[0] + 46, "shuffle 2", anchor="end")
    sheet.text(at["low.0"][0] - 10, low, "stride 2", anchor="end")
    sheet.text(at["rise"][0] + 10, low, "shuffle 2", anchor="start")
    sheet.box(416, 40, 240, 56, colour=GREEN)
    sheet.text(416, 40, f"step t, class y:\nembedding of {EMBEDDING} numbers")
    sheet.circle(20, 366, 4, colour=GREEN, fill=GREEN)
    sheet.text(32, 366, "the embedding is added", anchor="start")
    sheet.arrow(230, 366, 270, 366, colour=VERMILION, dashed=True)
    sheet.text(280, 366, "skip: channels side by side", anchor="start")
    sheet.text(536, 366, "in a box: its channels", anchor="start")


# --- shapes -----------------------------------------------------------------------------------


class _AsInNotebook02(nn.Module):
    """The `ConvAutoencoder` of notebook 02; a test holds the shapes of both together."""

    def __init__(self, image: Shape, latent_dim: int = 32) -> None:
        super().__init__()
        channels, grid = image[0], (32, image[1] // 4, image[2] // 4)
        self.encode = nn.Sequential(
            nn.Conv2d(channels, 32, 8, stride=4, padding=2),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.Flatten(), nn.Linear(math.prod(grid), latent_dim),
        )  # fmt: skip
        self.decode = nn.Sequential(
            nn.Linear(latent_dim, math.prod(grid)), nn.Unflatten(1, grid),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.Conv2d(32, 16 * channels, 3, padding=1), nn.PixelShuffle(4),
        )  # fmt: skip


def _stages(model: Any, image: Shape) -> tuple[list[Stage], int]:
    """The image, then what each layer gives, to the image again; and which of them is the code."""
    stages = [Stage("", image)]

    def see(layer: nn.Module, _: object, out: Tensor) -> None:
        shape, name = tuple(out.shape[1:]), _name(layer)
        if name:
            stages.append(Stage(name, shape))
        elif isinstance(layer, nn.Unflatten):
            stages[-1] = stages[-1]._replace(shape=shape)

    with _watched(model, see):
        z = model.encode(_blank(model, image))
        code = len(stages) - 1
        model.decode(z)
    return stages, code


def _name(layer: nn.Module) -> str:
    """What stands at the arrow, "" for layers that are not drawn."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        stride = f"\nstride {layer.stride[0]}" if layer.stride[0] > 1 else ""
        word = "conv" if isinstance(layer, nn.Conv2d) else "transp."
        return f"{word} {layer.kernel_size[0]}{stride}"
    if isinstance(layer, nn.PixelShuffle):
        return f"shuffle {layer.upscale_factor}"
    named = {nn.Linear: "linear", nn.Upsample: "upsample", nn.MaxPool2d: "pool"}
    return named.get(type(layer), "")


def _shapes_by_name(model: UNet, image: Shape) -> dict[str, Shape]:
    """What each part of a network gives, by the part's name."""
    names, shapes = {part: name for name, part in model.named_modules()}, {}

    def see(part: nn.Module, _: object, out: Tensor) -> None:
        shapes[names[part]] = tuple(out.shape[1:])

    with _watched(model, see):
        model(_blank(model, image), torch.zeros(1).long(), torch.zeros(1).long())
    return shapes


@contextmanager
def _watched(model: nn.Module, see: Callable[..., None]) -> Iterator[None]:
    """Calls see(module, inputs, output) for every module inside; the model stays as it was."""
    hooks = [part.register_forward_hook(see) for part in model.modules()]
    training = model.training
    try:
        with torch.no_grad():
            model.eval()
            yield
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()


def _blank(model: nn.Module, image: Shape) -> Tensor:
    """A black image, where the model lies."""
    return torch.zeros(1, *image, device=next(model.parameters()).device)


def _times(shape: Shape) -> str:
    return " × ".join(f"{n:,}" for n in shape)
