"""Eight haircuts. Each is what lies behind the head, and what lies over it."""

from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor

from course_lib.synthetic._body import HEIGHT, head
from course_lib.synthetic._canvas import Canvas, circle, ellipse, rounded_box
from course_lib.synthetic._person import People

Painter = Callable[[Canvas, People], None]


def both(*distances: Tensor) -> Tensor:
    """Intersection: the larger distance."""
    return reduce(torch.maximum, distances)


def either(*distances: Tensor) -> Tensor:
    """Union: the smaller distance."""
    return reduce(torch.minimum, distances)


def lay(
    canvas: Canvas, people: People, region: Tensor, *, shine: float = 0.0, strength: float = 1.0
) -> None:
    """Paint hair, darker to the right and below, with a soft light `shine` above the face."""
    dim = 1 - 0.22 * (canvas.u * 1.5 + canvas.v * 0.5).clamp(0, 1)
    color = people.hair * dim[:, None]
    if shine:
        bow = (canvas.u + 0.1 - 0.3 * people.turn) ** 2
        band = (1 - (15 * (canvas.v + shine - 1.1 * bow)) ** 2).clamp(min=0)
        color += (0.13 * band * (1 - 14 * bow).clamp(min=0))[:, None]
    canvas.paint(color, canvas.cover(region) * strength)


def face_opening(canvas: Canvas, people: People, *, top: float, inset: float = 0.02) -> Tensor:
    """The round window that the hair leaves for the face; it turns with the head."""
    shift = 0.16 * people.turn
    return ellipse(canvas.u - shift, canvas.v - 0.2, people.width - inset, 0.2 - top)


def merged(a: Tensor, b: Tensor, *, width: float = 0.1) -> Tensor:
    """Union with a rounded seam: min(a, b) − h²/4w with h = max(w − |a − b|, 0)."""
    h = (width - (a - b).abs()).clamp(min=0)
    return torch.minimum(a, b) - h * h / (4 * width)


def sideburns(canvas: Canvas, people: People, *, end: float) -> Tensor:
    """Above a line that rises outwards from v = end, so that the ears stay free."""
    out = (canvas.u + 0.11 * people.turn).abs() - people.width
    return torch.maximum(canvas.v - end, (canvas.v + 2 * out) / 2.24)


def buzz(canvas: Canvas, people: People) -> None:
    """Clipped so short that the skin shines through."""
    part = canvas.crop((-0.6, 0.6, -0.75, 0.3))
    cap = both(head(part, people, grow=0.004), sideburns(part, people, end=0.05))
    lay(part, people, both(cap, -face_opening(part, people, top=-0.3)), strength=0.82)


def side(canvas: Canvas, people: People) -> None:
    """Short, swept over from a parting on the left."""
    part = canvas.crop((-0.65, 0.65, -0.85, 0.3))
    shift = 0.16 * people.turn
    cap = both(head(part, people, grow=0.05), sideburns(part, people, end=0.04))
    p, q = part.u - shift + 0.03, part.v - 0.2
    swept = ellipse(0.93 * p + 0.37 * q, 0.93 * q - 0.37 * p, people.width - 0.01, 0.47)
    low = ellipse(part.u - shift, part.v - 0.25, people.width - 0.02, 0.34)
    lay(part, people, both(cap, -either(swept, low)), shine=0.4)


def quiff(canvas: Canvas, people: People) -> None:
    """Short at the sides, with a wave that stands up in front."""
    part = canvas.crop((-0.7, 0.7, -0.95, 0.3))
    shift = 0.16 * people.turn
    cap = both(head(part, people, grow=0.02), sideburns(part, people, end=0.05))
    p, q = part.u - 0.5 * shift, part.v + 0.43
    puff = ellipse(0.98 * p - 0.2 * q, 0.98 * q + 0.2 * p, people.width - 0.01, 0.18)
    tip = ellipse(p - 0.2, q + 0.1, 0.17, 0.13)
    hair = either(both(cap, -face_opening(part, people, top=-0.3)), merged(puff, tip))
    lay(part, people, hair, shine=0.47)


def _cloud(canvas: Canvas, people: People, *, radius: float, bumps: int) -> Tensor:
    """Distance of a round cloud with 2 · bumps scallops: r − R − 0.022 |cos(bumps · φ)|."""
    u, v = canvas.u + 0.1 * people.turn, canvas.v + 0.2
    angle = torch.atan2(v, u)
    return torch.hypot(u, v) - radius - 0.022 * torch.cos(bumps * angle).abs()


def afro_back(canvas: Canvas, people: People) -> None:
    """The cloud behind the head."""
    part = canvas.crop((-0.85, 0.85, -1, 0.55))
    lay(part, people, _cloud(part, people, radius=0.54, bumps=9))


def afro(canvas: Canvas, people: People) -> None:
    """The curly hairline over the brow."""
    part = canvas.crop((-0.6, 0.6, -0.75, 0.2))
    u = part.u - 0.16 * people.turn
    line = -0.27 + 0.018 * torch.cos(u * 34).abs() + 1.9 * u**2 * (u.abs() + 0.3)
    lay(part, people, both(part.v - line, head(part, people, grow=0.02), part.v))


def curtain(u: Tensor, v: Tensor, *, half: Tensor, end: float) -> Tensor:
    """Hair that falls straight from a round crown to a rounded hem at v = end."""
    crown = ellipse(u, v, half, HEIGHT + 0.08)
    fall = rounded_box(u, v, half=(half, end), corner=0.12)
    return torch.where(v < 0, crown, fall)


def bob_back(canvas: Canvas, people: People) -> None:
    """Chin-long hair behind the neck."""
    part = canvas.crop((-0.75, 0.75, -0.85, 0.7))
    u = part.u + 0.08 * people.turn
    lay(part, people, curtain(u, part.v, half=people.width + 0.085, end=0.45))


def bob(canvas: Canvas, people: People) -> None:
    """A fringe, and locks along both cheeks."""
    part = canvas.crop((-0.75, 0.75, -0.85, 0.6))
    u = part.u - 0.16 * people.turn
    fringe = part.v + 0.195 - 0.35 * u**2
    locks = -(u.abs() - people.width + 0.055)
    cap = curtain(part.u, part.v, half=people.width + 0.085, end=0.42)
    lay(part, people, both(cap, either(fringe, locks)), shine=0.4)


def hang(canvas: Canvas, u: Tensor) -> Tensor:
    """Across a lock that leaves the head at v = 0 and hangs straight down at v = 0.5."""
    part = (canvas.v * 2).clamp(0, 1)
    return u + part * (canvas.x - u)


def long_back(canvas: Canvas, people: People) -> None:
    """Long hair behind the shoulders."""
    part = canvas.crop((-0.8, 0.8, -0.85, 0.86))
    lay(part, people, curtain(hang(part, part.u), part.v, half=people.width + 0.085, end=1.1))


def long(canvas: Canvas, people: People) -> None:
    """Parted in the middle, falling over the shoulders in front."""
    part = canvas.crop((-0.75, 0.75, -0.85, 0.86))
    u = part.u - 0.16 * people.turn
    arch = circle(u.abs() + 0.16, part.v - 0.16, people.width + 0.13)
    mass = curtain(hang(part, part.u), part.v, half=people.width + 0.085, end=1.1)
    inner = people.width - 0.03 + 0.1 * (part.v - 0.5).clamp(min=0)
    lock = both(inner - hang(part, u).abs(), 0.12 - part.v)
    lay(part, people, both(mass, either(both(-arch, part.v - 0.2), lock)), shine=0.4)


def bun_back(canvas: Canvas, people: People) -> None:
    """The knot on the crown."""
    part = canvas.crop((-0.5, 0.5, -1, -0.3))
    u = part.u + 0.2 * people.turn
    lay(part, people, circle(u, part.v + 0.61, 0.17))


def bun(canvas: Canvas, people: People) -> None:
    """Hair combed back into the knot."""
    part = canvas.crop((-0.65, 0.65, -0.85, 0.3))
    cap = both(head(part, people, grow=0.03), sideburns(part, people, end=0.03))
    lay(part, people, both(cap, -face_opening(part, people, top=-0.3)), shine=0.42)


def nothing(canvas: Canvas, people: People) -> None:
    """Bald heads have neither."""


# In the order of the levels of the factor hair_style.
BACK: tuple[Painter, ...] = (
    nothing, nothing, nothing, nothing, afro_back, bob_back, long_back, bun_back,
)  # fmt: skip
FRONT: tuple[Painter, ...] = (nothing, buzz, side, quiff, afro, bob, long, bun)
COVERS_EARS = (5, 6)  # bob and long
