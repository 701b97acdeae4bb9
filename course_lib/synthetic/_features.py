"""Eyes, brows, nose and mouth, drawn on the skin in (s, v); see `_canvas.unroll`."""

import torch
from torch import Tensor

from course_lib.synthetic import _palette as palette
from course_lib.synthetic._canvas import Canvas, circle, ellipse
from course_lib.synthetic._person import People

EYE = 0.19  # how far the eyes are from the middle of the face
EYE_HALF_WIDTH = 0.106


def arc(a: Tensor, half: float | Tensor, depth: float | Tensor) -> tuple[Tensor, Tensor]:
    """The parabola depth · (1 − (a/half)²) and its slope."""
    t = a / half
    return depth * (1 - t * t), -2 * depth / half * t


def draw_eyes(canvas: Canvas, people: People) -> None:
    """White between two lids, iris, pupil and a glint; then the lash line above.

    Both lids are parabolas; the upper one travels from the lower one (closed) to its arch (open).
    """
    part = canvas.crop((-0.6, 0.6, -0.26, 0.26))
    a = part.s.abs() - EYE
    b = part.v - 0.045
    right = torch.where(part.s < 0, -a, a)
    lift = -0.035 + 0.135 * people.f["eyes"]
    high, high_slope = arc(a, EYE_HALF_WIDTH, -lift)
    low, low_slope = arc(a, EYE_HALF_WIDTH, 0.045)
    above = (high - b) / (1 + high_slope**2).sqrt()
    under = (b - low) / (1 + low_slope**2).sqrt()
    white = part.cover(torch.maximum(above, under))
    part.paint(palette.EYE_WHITE, white)
    draw_iris(part, people, right=right, down=b + 0.012, inside=white)
    ends = a.abs() - EYE_HALF_WIDTH - 0.004
    lash = torch.maximum(above.abs() - 0.012 - 0.07 * a.clamp(0, 0.1), ends)
    part.paint(palette.INK, part.cover(lash))


def draw_iris(
    canvas: Canvas, people: People, *, right: Tensor, down: Tensor, inside: Tensor
) -> None:
    """Iris, pupil and glint, clipped to what the lids leave open (n, h, w)."""
    iris = palette.pick(palette.IRIS, people.f["iris"][:, 0, 0])
    ball = torch.hypot(right, down)
    canvas.paint(iris * 0.55, inside * canvas.cover(ball - 0.066))
    canvas.paint(iris, inside * canvas.cover(ball - 0.054))
    canvas.paint(palette.INK, inside * canvas.cover(ball - 0.031))
    glint = circle(right + 0.024, down + 0.026, 0.018)
    canvas.paint(palette.WHITE, inside * canvas.cover(glint))


def draw_brows(canvas: Canvas, people: People) -> None:
    """A tapered stroke over each eye; stern ones sink at the nose, raised ones rise there."""
    part = canvas.crop((-0.6, 0.6, -0.42, 0.12))
    mood = people.f["brows"]
    a = part.s.abs() - EYE - 0.005
    bow, slope = arc(a, 0.13, -0.03)
    tip = -0.12 - 0.04 * mood + 0.24 * mood * a
    distance = (part.v - tip - bow).abs() / (1 + (slope + 0.24 * mood) ** 2).sqrt()
    thick = 0.022 - 0.05 * a.abs() - 1.1 * (a + 0.02) ** 2
    stroke = torch.maximum(distance - thick, a.abs() - 0.13)
    part.paint(people.hair * 0.8, part.cover(stroke))


def draw_nose(canvas: Canvas, people: People) -> None:
    """A shadow under the tip; the nose stands out and so moves further than the face."""
    part = canvas.crop((-0.35, 0.35, -0.15, 0.36))
    s = part.s - 0.1 * people.turn
    tip = ellipse(s, part.v - 0.165, 0.062, 0.045)
    part.paint(people.shade, part.cover(tip))
    light = ellipse(s + 0.006, part.v - 0.148, 0.054, 0.045)
    part.paint(people.skin, part.cover(light))


def draw_mouth(canvas: Canvas, people: People) -> None:
    """Lips around an opening with teeth and tongue, all between parabolas with shared corners.

    centre line  c(s) = k (1 − 2 s²/w²) with the bend k from sad (−) to smiling (+)
    upper lip    c − (1 − s²/w²) · a,   lower lip  c + (1 − s²/w²) · b
    """
    part = canvas.crop((-0.5, 0.5, 0.12, 0.52))
    smile, mouth = people.f["smile"], people.f["mouth"]
    s = part.s - 0.03 * people.turn
    half = 0.135 + 0.03 * smile
    t = (s / half) ** 2
    bend = 0.045 * smile + 0.009 * smile.abs()
    b = part.v - 0.3 - bend * (1 - 2 * t)
    norm = (1 + (4 * bend / half) ** 2 * t.clamp(max=1)).sqrt()
    up, down = (0.012 + 0.02 * mouth) * (1 - t), (0.012 + 0.085 * mouth) * (1 - t)
    lips = torch.maximum(-b - up, b - down) / norm
    outline = torch.maximum(lips - 0.018, s.abs() - half - 0.006)
    part.paint(palette.mix(people.shade, palette.LIP, 0.5), part.cover(outline))
    inside = part.cover(lips)
    part.paint(palette.MOUTH, inside)
    part.paint(palette.TONGUE, inside * part.cover(ellipse(s, b - 0.1, 0.075, 0.05)))
    tall = 0.07 * mouth * (0.5 + 0.8 * smile).clamp(0, 1)
    teeth = part.cover((b + up - tall * (1 - t)) / norm)
    part.paint(palette.TEETH, inside * teeth)
