"""The base of every widget: controls, pictures and a line of text that are kept in step."""

from __future__ import annotations

import base64
import html
import os
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import ipywidgets
from IPython import get_ipython
from IPython.display import display
from PIL import Image

from course_lib import plots
from course_lib.widgets import fallback, pictures

Values = dict[str, Any]
MAX_WIDTH = 760  # page pixels: a cell of JupyterLab in a window of 1,200 has 768
VIEW = "application/vnd.jupyter.widget-view+json"
STATUS = 'role="status" aria-live="polite" style="font-size: 115%; line-height: 1.5"'
STYLE = """<style>
.course-picture {position: relative}
.course-picture > .course-marks {
  position: absolute; left: 0; top: 0; margin: 0; pointer-events: none; box-sizing: border-box;
  width: 100%; height: 100%; padding: var(--jp-widgets-margin, 2px)  /* around a picture, too */
}
.course-marks > .widget-html-content {width: 100%; height: 100%}
img.course-pixels {image-rendering: pixelated}
</style>"""
NO_KERNEL = "A still picture: run the notebook in JupyterLab or Colab to move the sliders."


@dataclass(frozen=True)
class Frame:
    """What a panel shows for one setting of its controls; the text says it without the pictures.

    A picture that is narrower than its place is enlarged by the browser, pixel by pixel. marks: on
    pictures, by their names; a picture that stays the same object is not sent again.
    """

    pictures: dict[str, Image.Image]
    text: str
    marks: dict[str, pictures.Marks] = field(default_factory=dict)


class Panel:
    """Controls on pictures: whenever a control moves, frame = draw(values) is shown.

    draw: from control name to value; it calls the student's functions.
    controls: name to any ipywidgets widget with a `value`.
    actions: button name to a function that returns new values for some controls.
    widths: picture name to its width on the page, in the order from left to right.
    Only API that ipywidgets 7.7 and 8 share is used. Where `draw` raises, the error is shown under
    the picture, kept in `error` until a later value works, and raised.
    """

    def __init__(
        self,
        draw: Callable[[Values], Frame],
        *,
        controls: Mapping[str, ipywidgets.Widget],
        widths: Mapping[str, int],
        actions: Mapping[str, Callable[[], Values]] | None = None,
    ) -> None:
        self.controls, self.widths = dict(controls), dict(widths)
        self.images = {
            name: ipywidgets.Image(format="png", layout={"width": f"{w}px", "max_width": "100%"})
            for name, w in widths.items()
        }
        self.marks = {name: ipywidgets.HTML() for name in widths}
        self.buttons = {name: ipywidgets.Button(description=name) for name in actions or {}}
        self.text, self.message = ipywidgets.HTML(), ipywidgets.HTML()
        self.frame: Frame | None = None
        self.error: Exception | None = None
        self._draw, self._drawing, self._stale = draw, False, False
        self.refresh()  # what fails at the start fails in the student's cell
        for control in self.controls.values():
            control.observe(lambda change: self.refresh(), names="value")
        for name, button in self.buttons.items():
            button.on_click(lambda _, action=(actions or {})[name]: self.set(action()))
        self.widget = _arrange(self)

    @property
    def values(self) -> Values:
        """What the controls say now."""
        return {name: control.value for name, control in self.controls.items()}

    def set(self, values: Mapping[str, Any]) -> None:
        """Move several controls, then draw once."""
        before, self._drawing = self._drawing, True
        try:
            for name, value in values.items():
                self.controls[name].value = value
        finally:
            self._drawing = before
        self.refresh()

    def refresh(self) -> None:
        """Draw what the controls say now.

        Called again while it draws (a value came in meanwhile), it only takes note: the call that
        runs then draws once more, so the latest value wins and no older picture follows it.
        """
        self._stale = True
        if self._drawing:
            return
        self._drawing = True
        try:
            while self._stale:
                self._stale = False
                self._draw_once()
        finally:
            self._drawing = False

    def _draw_once(self) -> None:
        try:
            frame = self._draw(self.values)
            encoded = {n: pictures.encode(p) for n, p in frame.pictures.items() if self._new(n, p)}
        except Exception as error:
            if not self._stale:
                self.error, self.message.value = error, _error_html(error)
                raise
            return
        if self._stale:
            return
        before = self.frame.marks if self.frame else {}
        self.frame, self.error = frame, None
        for name, data in encoded.items():
            self.images[name].value = data
        for name, marks in frame.marks.items():
            if marks != before.get(name):
                self.marks[name].value = marks.svg()
        self.text.value = f"<div {STATUS}>{html.escape(frame.text)}</div>"
        self.message.value = ""

    def _new(self, name: str, picture: Image.Image) -> bool:
        """Whether this is another picture than the one shown: the same one is not encoded again."""
        return self.frame is None or picture is not self.frame.pictures.get(name)

    def shown(self, name: str) -> Image.Image:
        """One of the pictures as it stands on the page, marks included."""
        picture, width = self.frame.pictures[name], self.widths[name]
        if name in self.frame.marks:
            picture = self.frame.marks[name].on(picture)
        if picture.width >= width:
            return picture
        return picture.resize((width, picture.height * width // picture.width), Image.NEAREST)

    def still(self) -> Image.Image:
        """The panel as it stands: its pictures side by side and its text."""
        found, lines = (
            {name: self.shown(name) for name in self.images},
            [self.frame.text, NO_KERNEL],
        )
        return fallback.side_by_side(found, widths=self.widths, lines=lines)

    def _ipython_display_(self) -> None:
        """The live widget for a front end, and a still picture for what has none.

        A runner (nbclient, papermill, nbval) gets the picture alone: it keeps the widgets' state
        in the notebook, and nbconvert would then prefer a widget without a kernel to the picture.
        """
        still, model = self.still(), self.widget.model_id
        png = fallback.small_png(still)
        data = {"text/plain": self.frame.text, "image/png": base64.b64encode(png).decode()}
        told = {"image/png": {"alt": self.frame.text}}
        if not _attended():
            display(data, metadata=told, raw=True)
            return
        view = {"version_major": 2, "version_minor": 0, "model_id": model}
        display({VIEW: view, **data}, metadata=told, raw=True)
        name = f"course-still-{model}"
        hidden = fallback.hidden_html(png, size=still.size, text=self.frame.text, name=name)
        display({"text/html": hidden}, raw=True)


def _attended() -> bool:
    """Whether a front end shows this cell: it allows input, which a runner does not.

    Voilà runs cells without input and then shows them live; its kernels carry its name.
    """
    if os.environ.get("SERVER_SOFTWARE", "").startswith("voila"):
        return True
    parent = getattr(get_ipython(), "get_parent", dict)()
    return parent.get("content", {}).get("allow_stdin", True)


def _error_html(error: Exception) -> str:
    """The error in one line, where it came from folded below it."""
    told = html.escape(f"{type(error).__name__}: {error}")
    trace = html.escape("".join(traceback.format_exception(error)[-4:]))
    style = f"border-left: 4px solid {plots.VERMILION}; padding: 4px 10px; line-height: 1.4"
    return (
        f'<div role="alert" style="{style}"><b>{told}</b><br>The pictures are those of the last '
        f"values that worked.<details><summary>Where it was raised</summary>"
        f'<pre style="line-height: 1.3">{trace}</pre></details></div>'
    )


def _arrange(panel: Panel) -> ipywidgets.VBox:
    """Controls, buttons, and pictures in a row, which stack on a narrow page; then the text."""
    row = {"flex_flow": "row wrap", "align_items": "flex-start", "grid_gap": "0 24px"}
    columns = []
    for name, image in panel.images.items():
        if panel.frame.pictures[name].width < panel.widths[name]:
            image.add_class("course-pixels")
        panel.marks[name].add_class("course-marks")
        picture = ipywidgets.Box([image, panel.marks[name]])
        picture.add_class("course-picture")
        columns.append(ipywidgets.VBox([ipywidgets.HTML(f"<b>{html.escape(name)}</b>"), picture]))
    controls = list(panel.controls.values())
    if len(controls) > 3:  # in two columns where the page is wide enough
        controls = [ipywidgets.HBox(controls, layout={**row, "max_width": f"{MAX_WIDTH}px"})]
    if panel.buttons:
        controls.append(ipywidgets.HBox(list(panel.buttons.values())))
    style = ipywidgets.HTML(STYLE, layout={"display": "none"})
    shown = ipywidgets.HBox(columns, layout=row)
    return ipywidgets.VBox([style, *controls, shown, panel.text, panel.message])
