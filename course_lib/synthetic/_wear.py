"""What grows or sits on the face: beard and glasses."""

import torch

from course_lib.synthetic import _palette as palette
from course_lib.synthetic._body import head
from course_lib.synthetic._canvas import Canvas, ellipse, rounded_box
from course_lib.synthetic._features import EYE
from course_lib.synthetic._person import People


def draw_beard(canvas: Canvas, people: People) -> None:
    """Stubble or a full beard along the jaw, and a moustache under the nose."""
    part = canvas.crop((-0.6, 0.6, 0.0, 0.62))
    kind = people.f["beard"]
    stubble, moustache, full = kind == 1, kind == 2, kind == 3
    jaw = head(part, people, grow=0.02)
    cheek = ellipse(part.u - 0.2 * people.turn, part.v, people.width + 0.01, 0.225)
    grown = part.cover(torch.maximum(torch.maximum(jaw, -cheek), 0.03 - part.v), blur=0.012)
    part.paint(people.hair_dark, grown * (full + 0.28 * stubble))
    side = part.s - 0.05 * people.turn
    wing = ellipse(side.abs() - 0.06, part.v - 0.245 - 0.25 * side.abs(), 0.085, 0.03)
    part.paint(people.hair_dark * 0.95, part.cover(wing) * (moustache | full))


def draw_glasses(canvas: Canvas, people: People) -> None:
    """Two thin rims, a bridge and the arms to the ears; the tinted kind darkens what is behind."""
    part = canvas.crop((-0.68, 0.68, -0.3, 0.36))
    kind = people.f["glasses"]
    worn = (kind > 0).float()
    square, tinted = kind == 2, kind == 3
    s = part.s - 0.05 * people.turn
    a, b = s.abs() - EYE - 0.008, part.v - 0.05
    tall = 0.14 - 0.025 * square - 0.005 * tinted
    corner = torch.where(square, 0.045, torch.where(tinted, 0.1, 0.139))
    lens = rounded_box(a, b, half=(0.14, tall), corner=corner)
    inside = part.cover(lens)
    part.paint(palette.TINT, inside * (0.5 * tinted))
    glint = (part.cover((a + 0.6 * b + 0.05).abs() - 0.03) * inside) * (0.22 * worn)
    part.paint(palette.WHITE, glint)
    color = palette.pick(palette.FRAMES, kind[:, 0, 0])
    bridge = torch.maximum((b + 0.03 + 0.6 * s * s).abs() - 0.011, s.abs() - 0.06)
    arm = torch.maximum((b + 0.03).abs() - 0.011, (a - 0.24).abs() - 0.1)
    arm = torch.maximum(arm, head(part, people))
    rim = torch.minimum(lens.abs() - 0.011 - 0.004 * square, torch.minimum(bridge, arm))
    part.paint(color, part.cover(rim) * worn)
