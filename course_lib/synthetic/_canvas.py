"""A batch of pictures to paint on, and signed distances to paint with.

A shape is its signed distance d: negative inside, 0 on the outline, positive outside. A pixel of
width w is covered by about

    coverage(d) = clip(1/2 − d / w, 0, 1)

which is exact for a straight edge through an upright pixel; that is all the anti-aliasing there
is, and it gives the same picture at every size. The picture is the square [−0.86, 0.86]², x to the
right and y down; a head is about 0.8 wide.
Source: I. Quilez, "2D distance functions", iquilezles.org/articles/distfunctions2d.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import hardsigmoid

Box = tuple[float, float, float, float]  # x from, x to, y from, y to
VIEW = 0.86


@dataclass(frozen=True)
class Canvas:
    """Pixels and their coordinates; a crop shares its memory with the whole.

    image (n, 3, h, w) in [0, 1]; x (1, 1, w), y (1, h, 1): picture; u, v (n, h, w): upright head;
    s (n, h, w): distance along the skin from the middle of the face, see `unroll`.
    """

    image: Tensor
    x: Tensor
    y: Tensor
    u: Tensor
    v: Tensor
    s: Tensor
    pixel: float

    def crop(self, box: Box) -> "Canvas":
        """The part of the canvas that covers the box x0, x1, y0, y1, with one pixel to spare."""
        x0, x1, y0, y1 = (round((edge + VIEW) / self.pixel) for edge in box)
        across = slice(max(x0 - 1, 0), x1 + 1)
        down = slice(max(y0 - 1, 0), y1 + 1)
        fields = {name: getattr(self, name)[..., down, across] for name in ("image", "u", "v", "s")}
        return replace(self, x=self.x[..., across], y=self.y[:, down], **fields)

    def cover(self, distance: Tensor, *, blur: float = 0.0) -> Tensor:
        """Coverage (n, h, w) in [0, 1] of a signed distance; `blur` widens the edge."""
        # hardsigmoid(t) = clip(1/2 + t/6, 0, 1) is the formula above in one pass.
        return hardsigmoid(distance * (-6 / (self.pixel + blur)))

    def paint(self, color: Tensor, alpha: Tensor) -> None:
        """Lay a colour (n or 1, 3, 1, 1) over the image: I ← I + α (c − I), α (n or 1, h, w)."""
        self.image.lerp_(color, alpha[:, None])


def new_canvas(tilt: Tensor, turn: Tensor, *, size: int) -> Canvas:
    """A black canvas for n heads; tilt and turn (n, 1, 1) in radians.

    The head frame (u, v) has its origin in the middle of the face and is the picture turned by
    the tilt about the neck, at (0, 0.44):
        u = x cos τ + (y − 0.44) sin τ,   v = −x sin τ + (y − 0.44) cos τ + 0.48
    """
    pixel = 2 * VIEW / size
    centres = (torch.arange(size, dtype=torch.float32) + 0.5) * pixel - VIEW
    x, y = centres.view(1, 1, size), centres.view(1, size, 1)
    cos, sin = torch.cos(tilt), torch.sin(tilt)
    u = cos * x + sin * (y - 0.44)
    v = cos * (y - 0.44) - sin * x + 0.48
    image = torch.zeros(len(tilt), 3, size, size)
    return Canvas(image=image, x=x, y=y, u=u, v=v, s=unroll(u, turn), pixel=pixel)


RADIUS = 0.56  # of the cylinder that carries the face


def unroll(u: Tensor, turn: Tensor) -> Tensor:
    """Where on the skin a pixel looks when the head, an upright cylinder, has turned.

    The point at arc length s from the middle of the face is seen at u = R sin(s/R + turn), so
        s = R (arcsin(u / R) − turn)
    and features drawn in (s, v) shift, narrow on the far side and widen on the near side.
    """
    return RADIUS * (torch.asin((u / RADIUS).clamp(-1, 1)) - turn)


def circle(a: Tensor, b: Tensor, radius: float | Tensor) -> Tensor:
    """√(a² + b²) − r: exact."""
    return torch.hypot(a, b) - radius


def ellipse(a: Tensor, b: Tensor, ra: float | Tensor, rb: float | Tensor) -> Tensor:
    """(√((a/ra)² + (b/rb)²) − 1) · min(ra, rb): exact on the outline, never too long off it."""
    small = torch.minimum(torch.as_tensor(ra), torch.as_tensor(rb))
    return (torch.hypot(a / ra, b / rb) - 1) * small


def rounded_box(a: Tensor, b: Tensor, *, half: tuple, corner: float | Tensor) -> Tensor:
    """A box of half sizes `half` whose corners are quarter circles."""
    qa, qb = a.abs() - half[0] + corner, b.abs() - half[1] + corner
    outside = torch.hypot(qa.clamp(min=0), qb.clamp(min=0))
    return outside + torch.maximum(qa, qb).clamp(max=0) - corner


def below(v: Tensor, curve: Tensor, slope: Tensor | float) -> Tensor:
    """Distance to the region below the graph of a curve (larger v): (f − v) / √(1 + f′²)."""
    return (curve - v) / (1 + slope * slope) ** 0.5
