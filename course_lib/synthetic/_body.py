"""What carries the face: background, shirt, neck, ears, the head itself and its cheeks."""

from dataclasses import replace

import torch
from torch import Tensor

from course_lib.synthetic import _palette as palette
from course_lib.synthetic._canvas import Canvas, circle, ellipse
from course_lib.synthetic._person import People

HEIGHT = 0.48  # half height of the head


def head(canvas: Canvas, people: People, *, grow: float = 0.0) -> Tensor:
    """Signed distance of an egg, wider above than below: half width W (1 − 0.17 v/H) at v."""
    a = canvas.u / (people.width * (1 - canvas.v * (0.17 / HEIGHT)) + grow)
    b = canvas.v / (HEIGHT + grow)
    return (torch.hypot(a, b) - 1) * people.width


def draw_background(canvas: Canvas, people: People) -> None:
    """One colour, darker at the foot, with a lighter disc behind the head."""
    color = palette.along(palette.BACKGROUND, people.f["background"][:, 0, 0])
    canvas.image.copy_(color * (0.96 - 0.05 * canvas.y[:, None]))
    disc = canvas.cover(circle(canvas.x, canvas.y + 0.06, 0.73))
    canvas.paint(palette.mix(color, palette.WHITE, 0.42), disc)


def draw_shirt(canvas: Canvas, people: People) -> None:
    """Shoulders, a soft shadow on the right one, and the collar."""
    part = canvas.crop((-1, 1, 0.5, 1))
    color = palette.pick(palette.SHIRT, people.f["shirt"][:, 0, 0])
    shoulders = part.cover(ellipse(part.x, part.y - 1.25, 0.80, 0.64))
    part.paint(color, shoulders)
    shadow = part.cover(0.42 - part.x, blur=0.5)
    part.paint(color * 0.8, shoulders * shadow * 0.8)
    collar = part.cover(ellipse(part.x, part.y - 0.58, 0.28, 0.2))
    part.paint(color * 0.82, collar * shoulders)


def draw_neck(canvas: Canvas, people: People) -> None:
    """A column of skin that ends in the round of the collar, under the shadow of the chin."""
    part = canvas.crop((-0.3, 0.3, 0.1, 0.85))
    flare = 0.14 + 1.9 * (part.y - 0.42).clamp(0, 0.2) ** 2
    hollow = ellipse(part.x, (part.y - 0.58).clamp(min=0), 0.24, 0.16)
    neck = part.cover(torch.maximum(part.x.abs() - flare, hollow))
    part.paint(people.skin, neck)
    lowered = replace(part, v=part.v - 0.09)
    part.paint(people.shade, neck * part.cover(head(lowered, people), blur=0.04))


def draw_ears(canvas: Canvas, people: People) -> None:
    """Ears at both sides; they lie behind the axis of the head and move against its turn."""
    part = canvas.crop((-0.68, 0.68, -0.25, 0.35))
    a = (part.u + 0.11 * people.turn).abs() - people.width + 0.005
    b = part.v - 0.07
    part.paint(people.skin, part.cover(ellipse(a, b, 0.082, 0.115)))
    part.paint(people.shade, part.cover(ellipse(a - 0.012, b, 0.04, 0.066), blur=0.02) * 0.8)


def draw_head(canvas: Canvas, people: People) -> None:
    """The egg of the head, light from the upper left: a soft shadow along the right cheek."""
    part = canvas.crop((-0.6, 0.6, -0.68, 0.56))
    distance = head(part, people)
    side = (part.u * 2.2 + part.v * 0.7).clamp(0, 1)
    dark = 0.75 * side * part.cover(-distance - 0.04, blur=0.16)
    color = people.skin + (people.shade - people.skin) * dark[:, None]
    cheek = part.cover(ellipse(part.s.abs() - 0.245, part.v - 0.2, 0.1, 0.075), blur=0.1)
    replace(part, image=color).paint(palette.ROSE, cheek * (0.65 * people.f["blush"]))
    part.paint(color, part.cover(distance))
