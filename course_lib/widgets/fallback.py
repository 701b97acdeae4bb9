"""The picture that stands in for a panel where no kernel runs.

JupyterLab prefers a widget to a picture even where the widget's kernel is gone, and then says
"Error displaying widget: model not found". So a panel on a page is two outputs: the widget, and a
hidden one with the picture, which a rule of style swaps for that message. The picture is part of
the style, so that whatever removes styles (a notebook that is not trusted, a viewer on the web)
removes it as well, and shows the picture that the first output holds.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw

from course_lib.widgets.pictures import font

CHILD, OUTPUT = ".jp-OutputArea-child", ".jp-OutputArea-output"
# The message is text straight in the output; a widget with a kernel is an element in it.
BROKEN = f"{CHILD}:has(> {OUTPUT}.jupyter-widgets):not(:has(> {OUTPUT}.jupyter-widgets > *))"
FALLBACK = f"{CHILD}:has(> {OUTPUT} > .course-still)"
CSS = f"""{FALLBACK} {{display: none}}
{BROKEN}:has(+ {CHILD} > {OUTPUT} > .course-still) {{display: none}}
{BROKEN} + {FALLBACK} {{display: flex}}
.course-still {{display: none}}
{BROKEN} + {CHILD} > {OUTPUT} > .course-still {{display: block}}"""


def side_by_side(
    pictures: Mapping[str, Image.Image], *, widths: Mapping[str, int], lines: Sequence[str]
) -> Image.Image:
    """Pictures side by side under their names, with lines of text below.

    widths: page pixels of each picture.
    """
    small = {
        name: picture.convert("RGB").resize(
            (widths[name], round(picture.height * widths[name] / picture.width)), Image.LANCZOS
        )
        for name, picture in pictures.items()
    }
    gap, head, line = 24, 26, 24
    texts = max((font(15).getlength(text) for text in lines), default=0)
    width = max(sum(p.width + gap for p in small.values()) - gap, int(texts) + 1)
    bottom = head + max(p.height for p in small.values()) + 10
    sheet = Image.new("RGB", (width, bottom + line * len(lines)), "white")
    draw, left = ImageDraw.Draw(sheet), 0
    for name, picture in small.items():
        draw.text((left, 2), name, "black", font(16))
        sheet.paste(picture, (left, head))
        left += picture.width + gap
    for i, text in enumerate(lines):
        draw.text((0, bottom + i * line), text, "black", font(15))
    return sheet


def small_png(picture: Image.Image) -> bytes:
    """PNG bytes of 256 colours, a quarter of the full ones: they stay in the notebook's file."""
    buffer = io.BytesIO()
    picture.quantize(256, dither=Image.Dither.NONE).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def hidden_html(png: bytes, *, size: tuple[int, int], text: str, name: str) -> str:
    """HTML that shows the picture below a widget without a kernel, else nothing.

    size: width and height, page pixels; text: the picture in words; name: used once on a page.
    """
    data, (width, height) = base64.b64encode(png).decode(), size
    picture = f"background: url(data:image/png;base64,{data}) no-repeat; background-size: contain"
    box = f"width: {width}px; max-width: 100%; aspect-ratio: {width} / {height}"
    style = f"<style>{CSS}\n.{name} {{{picture}; {box}}}</style>"
    told = html.escape(text)
    return f'{style}<div class="course-still {name}" role="img" aria-label="{told}"></div>'
