"""What diagrams are made of: boxes, trapeziums, circles, arrows and text on a white sheet.

Coordinates are those of the sheet: x to the right, y downwards. Sheets are 720 wide and shown up to
860 pixels wide, so 16 of text are 19 pixels there and still 13 where a page has only 600.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from course_lib.plots.style import BLACK

WIDTH, PAGE = 720, 860  # of the sheet; of the page, in pixels
SIZE = 16  # of text, and none is smaller
GREY = "#595959"
PLAIN = "Helvetica, Arial, 'DejaVu Sans', sans-serif"
MATHS = "'STIX Two Text', 'Times New Roman', Times, 'DejaVu Serif', serif"
SUBSCRIPT = re.compile(r"_(\{[^}]*\}|\w)")


@dataclass(frozen=True)
class Diagram:
    """A picture as SVG, with its title and its description in words for those who do not see it."""

    svg: str
    title: str
    description: str

    def __repr__(self) -> str:
        return f"{self.title}: {self.description}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """HTML where a page takes it (its words can be read aloud), else a picture, else words."""
        return {"text/html": self.svg, "image/svg+xml": self.svg, "text/plain": repr(self)}


class Sheet:
    """A white sheet of this size; every method draws one thing on it, later ones on top."""

    def __init__(self, height: float, *, width: float = WIDTH) -> None:
        self.width, self.height = width, height
        self.parts = [_element("rect", width=width, height=height, rx=6, fill="white")]

    def box(
        self, x: float, y: float, w: float, h: float, *, colour: str = BLACK, fill: str = "",
        dashed: bool = False, round: float = 4,
    ) -> None:  # fmt: skip
        """A rectangle around (x, y), filled with a light shade of its colour or with `fill`."""
        look = _look(colour, fill=fill, dashed=dashed)
        self._add("rect", x=x - w / 2, y=y - h / 2, width=w, height=h, rx=round, **look)

    def trapezium(
        self, x: float, y: float, w: float, *, left: float, right: float, colour: str
    ) -> None:
        """A network that narrows or widens: left and right are the heights of its two sides."""
        corners = [(-w, -left), (w, -right), (w, right), (-w, left)]
        points = " ".join(f"{_number(x + a / 2)},{_number(y + b / 2)}" for a, b in corners)
        self._add("polygon", points=points, **_look(colour))

    def circle(self, x: float, y: float, r: float, *, colour: str = BLACK, fill: str = "") -> None:
        """A variable, or a dot."""
        self._add("circle", cx=x, cy=y, r=r, **_look(colour, fill=fill))

    def arrow(
        self, x1: float, y1: float, x2: float, y2: float, *, colour: str = BLACK,
        dashed: bool = False, bend: float = 0, head: bool = True,
    ) -> None:  # fmt: skip
        """From one point to another; bend: how far the middle lies to the left of the way."""
        length = math.hypot(x2 - x1, y2 - y1)
        lift = 2 * bend / length  # of the point that a quadratic curve is drawn towards
        mx, my = (x1 + x2) / 2 + lift * (y2 - y1), (y1 + y2) / 2 - lift * (x2 - x1)
        far = math.hypot(x2 - mx, y2 - my)
        ux, uy = (x2 - mx) / far, (y2 - my) / far  # direction at the end
        size = 10 if head else 0
        bx, by = x2 - size * ux, y2 - size * uy
        line = _look(colour, fill="none", dashed=dashed)
        numbers = [_number(v) for v in (x1, y1, mx, my, bx, by)]
        self._add("path", d="M{} {} Q{} {} {} {}".format(*numbers), **line)
        if head:
            tips = [(x2, y2), (bx - 5 * uy, by + 5 * ux), (bx + 5 * uy, by - 5 * ux)]
            points = " ".join(f"{_number(a)},{_number(b)}" for a, b in tips)
            self._add("polygon", points=points, fill=colour)

    def image(self, x: float, y: float, side: float, rows: Sequence[Sequence[float]]) -> None:
        """A square grey image in a frame; rows: of pixels in [0, 1]."""
        step = side / len(rows)
        for i, row in enumerate(rows):
            for j, pixel in enumerate(row):
                left, top = x - side / 2 + j * step, y - side / 2 + i * step
                look = {"fill": "#" + 3 * f"{round(255 * pixel):02x}"}
                self._add("rect", x=left, y=top, width=step + 0.5, height=step + 0.5, **look)
        self.box(x, y, side, side, colour=GREY, fill="none", round=0)

    def text(
        self, x: float, y: float, words: str, *, size: float = SIZE, anchor: str = "middle",
        colour: str = BLACK, maths: bool = False, bold: bool = False,
    ) -> None:  # fmt: skip
        """Words whose middle height is y, in lines; "_t" and "_{t−1}" become subscripts."""
        lines = words.split("\n")
        look = {"font_size": size, "text_anchor": anchor, "fill": colour}
        look |= {"font_family": MATHS, "font_style": "italic"} if maths else {}
        look |= {"font_weight": "bold"} if bold else {}
        for i, line in enumerate(lines):
            middle = y + (i - (len(lines) - 1) / 2) * 1.25 * size
            inside = _with_subscripts(line, size)
            self._add("text", inside, x=x, y=middle + 0.35 * size, **look)

    def hat(self, x: float, y: float, letter: str, *, size: float) -> None:
        """x̂ or v̂, the same in every font: few have the letter and its hat in one piece."""
        self.text(x, y, letter, size=size, maths=True)
        wide, top = 0.2 * size, y - 0.34 * size
        ends = [(-wide, 0), (0, -0.8 * wide), (wide, 0)]
        points = " ".join(f"{_number(x + 1.5 + a)},{_number(top + b)}" for a, b in ends)
        self._add("polyline", points=points, fill="none", stroke=BLACK, stroke_width=1.6)

    def finish(self, title: str, description: str) -> Diagram:
        """The diagram; its ids are made from what it shows, so different ones never share any."""
        body = "\n".join(self.parts)
        mark = hashlib.sha256(f"{title}{description}{body}".encode()).hexdigest()[:10]
        words = _element("title", escape(title), id=f"title-{mark}")
        words += "\n" + _element("desc", escape(description), id=f"desc-{mark}")
        svg = _element(
            "svg", f"\n{words}\n{body}\n", xmlns="http://www.w3.org/2000/svg", role="img",
            aria_labelledby=f"title-{mark} desc-{mark}",
            viewBox=f"0 0 {_number(self.width)} {_number(self.height)}",
            width=PAGE, height=round(PAGE * self.height / self.width),
            style="max-width: 100%; height: auto", font_family=PLAIN,
        )  # fmt: skip
        return Diagram(svg, title, description)

    def _add(self, name: str, inside: str = "", **attributes: object) -> None:
        self.parts.append(_element(name, inside, **attributes))


def _look(colour: str, *, fill: str = "", dashed: bool = False) -> dict[str, object]:
    shade = {"fill": fill} if fill else {"fill": colour, "fill_opacity": 0.15}
    return {**shade, "stroke": colour, "stroke_width": 2} | (
        {"stroke_dasharray": "6 5"} if dashed else {}
    )


def _with_subscripts(line: str, size: float) -> str:
    """Escaped text in which what follows "_" is smaller and lower."""
    parts = SUBSCRIPT.split(line)
    out, down = escape(parts[0]), _number(0.25 * size)
    for below, after in zip(parts[1::2], parts[2::2], strict=True):
        small = _element("tspan", escape(below.strip("{}")), dy=down, font_size=0.8 * size)
        rest = _element("tspan", escape(after), dy=f"-{down}") if after else ""
        out += small + rest
    return out


def _element(name: str, inside: str = "", **attributes: object) -> str:
    """<name …>inside</name>; numbers are written with two digits, "_" in a name as "-"."""
    written = "".join(
        f' {key.replace("_", "-")}="{escape(_number(value))}"' for key, value in attributes.items()
    )
    return f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>"


def _number(value: object) -> str:
    return f"{round(value, 2):g}" if isinstance(value, int | float) else str(value)
