"""An animated picture for README: a digit is drawn, encoded, sampled and decoded."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.distributions import Normal

from course_lib import checkpoints
from course_lib.plots import CLASS_COLOURS
from course_lib.widgets.fallback import side_by_side
from course_lib.widgets.pictures import font
from course_lib.writing import check_target, write_whole

MODELS = "mnist-encoder-2", "mnist-decoder-2"
EXTENT = 3.0  # the map shows z₁ and z₂ from −3 to 3
# A 3 and a 6 as a pen goes, in pixels of the image.
PENS = (
    [(9, 8), (12, 5.5), (16, 5.5), (18, 8), (17.5, 11), (14, 13), (12, 13.3), (14, 13.3),
     (18, 15), (19, 18.5), (17, 21.5), (13, 22.5), (9, 20.5)],
    [(17, 5), (13.5, 8), (10.5, 12.5), (9.5, 17), (11, 21), (14.5, 22), (17.5, 20), (18, 17),
     (16, 14.8), (13, 15), (10.5, 17.5)],
)  # fmt: skip
PARTS, SAMPLES, HOLD = 18, 12, 2  # frames of a drawing; samples after it, and frames of each
FRAME_MS, SIDE, SCALE = 110, 330, 8  # a frame; pixels of a picture; of the pen's paper per pixel


def write_walk(data: Path, target: Path) -> int:
    """Write the GIF, whole or not at all; its size in bytes. CourseError where it cannot be."""
    check_target(target)
    frames, buffer = walk(data), io.BytesIO()
    frames[0].save(
        buffer, format="GIF", save_all=True, append_images=frames[1:], loop=0,
        duration=FRAME_MS, optimize=True,
    )  # fmt: skip
    write_whole(target, buffer.getvalue())
    return len(buffer.getvalue())


def walk(data: Path) -> list[Image.Image]:
    """x under the pen, q(z|x) on the map of the test digits, x̂ of its mean, then of samples."""
    (encoder, card), (decoder, _) = (checkpoints.load(name, folder=data) for name in MODELS)
    ground, generator = _map(torch.tensor(card["codes"])), torch.Generator().manual_seed(1)
    frames = []
    for pen in PENS:
        for part in range(1, PARTS + 1):
            x = drawn(pen, part / PARTS)
            q_z = encoder.encode(x[None])
            frames.append(
                _frame(
                    x, ground, q_z, q_z.mean, decoder, "x is encoded: q(z|x), and its mean decoded"
                )
            )
        for _ in range(SAMPLES):
            z = q_z.mean + q_z.stddev * torch.randn(1, 2, generator=generator)
            frames += HOLD * [_frame(x, ground, q_z, z, decoder, "samples of z are decoded")]
    return _one_palette(frames)


def drawn(pen: list[tuple[float, float]], share: float) -> Tensor:
    """The first part of a stroke as an image with soft edges: (28, 28) in [0, 1]."""
    points = torch.tensor(pen)
    places = torch.linspace(0, share * (len(pen) - 1), 80)
    before = places.long().clamp(max=len(pen) - 2)
    path = points[before] + (places - before)[:, None] * (points[before + 1] - points[before])
    paper = Image.new("L", (28 * SCALE, 28 * SCALE))
    pencil, radius = ImageDraw.Draw(paper), 1.2 * SCALE
    for x, y in (path * SCALE).tolist():
        pencil.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    small = paper.resize((28, 28), Image.Resampling.BOX)
    return torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8).view(28, 28) / 255


def _map(codes: Tensor) -> Image.Image:
    """The codes of test digits in the colours of their classes, with names at the medians."""
    chart = Image.new("RGB", (SIDE, SIDE), "#f2f4f6")
    pencil = ImageDraw.Draw(chart)
    for *z, label in codes.tolist():
        x, y = _place(z)
        pencil.ellipse((x - 2, y - 2, x + 2, y + 2), fill=CLASS_COLOURS[int(label)])
    for digit in range(10):
        middle = codes[codes[:, 2] == digit, :2].median(0).values.tolist()
        style = {"stroke_width": 3, "stroke_fill": "white", "anchor": "mm"}
        pencil.text(_place(middle), str(digit), "black", font(20), **style)
    return chart


def _box(x: float, y: float, wide: float, high: float) -> tuple[float, float, float, float]:
    return x - wide, y - high, x + wide, y + high


def _place(z: list[float]) -> tuple[float, float]:
    """Where (z₁, z₂) is on the map, in pixels."""
    unit = SIDE / (2 * EXTENT)
    return unit * (EXTENT + z[0]), unit * (EXTENT - z[1])


def _frame(
    x: Tensor, ground: Image.Image, q_z: Normal, z: Tensor, decoder: torch.nn.Module, text: str
) -> Image.Image:
    chart = ground.copy()
    pencil, (x_mid, y_mid) = ImageDraw.Draw(chart), _place(q_z.mean[0].tolist())
    wide, high = (q_z.stddev[0] * SIDE / (2 * EXTENT)).tolist()
    for times in (1, 2):
        for ink, line in (("white", 5), ("black", 2)):
            box = _box(x_mid, y_mid, times * wide + line / 2, times * high + line / 2)
            pencil.ellipse(box, outline=ink, width=line)
    pencil.ellipse(_box(*_place(z[0].tolist()), 7, 7), fill="black", outline="white", width=2)
    pictures = {
        "x, drawn": _grey(x), "q(z|x)": chart, "x̂ = decode(z)": _grey(decoder.decode(z).mean)
    }  # fmt: skip
    return side_by_side(pictures, widths=dict.fromkeys(pictures, SIDE), lines=[text])


def _grey(x: Tensor) -> Image.Image:
    bytes_ = (255 * x.detach()).round().byte().flatten().tolist()
    return Image.frombytes("L", (28, 28), bytes(bytes_)).resize(
        (SIDE, SIDE), Image.Resampling.NEAREST
    )


def _one_palette(frames: list[Image.Image]) -> list[Image.Image]:
    """The colours of the map, and greys enough for the digits, for all frames alike."""
    found = frames[-1].quantize(128, method=Image.Quantize.MAXCOVERAGE).getpalette()[: 3 * 128]
    palette = Image.new("P", (1, 1))
    palette.putpalette(found + [grey for grey in range(0, 256, 3) for _ in "RGB"])
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
