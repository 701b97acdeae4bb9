"""What students made, as HTML that does nothing: no scripts, no links, no requests, no overlays."""

from __future__ import annotations

import base64
import binascii
import functools
import re

import mistune
import nh3
from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

MAX_CHARS = 20_000  # of one output or cell that are shown
MAX_TAGS = 5_000  # of one output: what is nested deeper takes the parser's time squared
TAGS = {
    "b", "blockquote", "br", "caption", "code", "dd", "del", "div", "dl", "dt", "em", "h1", "h2",
    "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "ol", "p", "pre", "s", "small", "span",
    "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
# No margins, places or layers: nothing may lie over what the grader says. No address in a value.
PROPERTIES = {
    "background-color", "border", "border-bottom", "border-collapse", "border-left", "border-right",
    "border-top", "color", "font-family", "font-size", "font-style", "font-weight", "max-width",
    "padding", "text-align", "text-decoration", "vertical-align", "white-space", "width",
}  # fmt: skip
PICTURE = re.compile(r"data:image/(?:png|jpeg|gif);base64,[A-Za-z0-9+/=\s]*")
SVG = re.compile(r"<img alt='[^'<>]*' src='data:image/svg\+xml;base64,[A-Za-z0-9+/=]*'>")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-_]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
NO_SOURCE = re.compile(r"<img(?![^>]* src=)[^>]*>")
only_formatting = functools.partial(
    nh3.clean,
    tags=TAGS,
    clean_content_tags={"script", "style", "template", "noscript"},
    attributes={"*": {"style"}, "img": {"src", "alt", "width", "height"},
                "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"}},
    attribute_filter=lambda tag, name, value: (
        value if name != "src" or PICTURE.fullmatch(value) else None
    ),
    filter_style_properties=PROPERTIES,
    url_schemes={"data"},
    link_rel=None,
)  # fmt: skip
FORMATTER = HtmlFormatter(nowrap=True, classprefix="hl-")
MARKDOWN = mistune.create_markdown(escape=True, plugins=["table", "strikethrough"])


def clean_html(text: str) -> Markup:
    """HTML with formatting alone left in it; a `picture` stays as it is."""
    if SVG.fullmatch(text):
        return Markup(text)
    if len(text) > 10 * MAX_CHARS or text.count("<") > MAX_TAGS:
        return plain("(an output of HTML too long to show here)")
    return Markup(NO_SOURCE.sub("", only_formatting(text)))


def markdown(text: str) -> Markup:
    """Markdown as HTML; HTML in it is shown as it was typed."""
    return clean_html(MARKDOWN(shortened(text)))


def plain(text: str) -> Markup:
    """Text as a terminal leaves it, without colours; of a progress bar the last state."""
    lines = ESCAPES.sub("", text[: 50 * MAX_CHARS]).split("\n")
    last = "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines)
    more = max(0, len(text) - 50 * MAX_CHARS)
    return Markup("<pre>{}</pre>").format(shortened(last, more=more))


def code(text: str) -> Markup:
    """Python in colours."""
    return Markup(f"<pre class='code'>{highlight(shortened(text), PythonLexer(), FORMATTER)}</pre>")


def picture(kind: str, data: str, *, words: str = "") -> Markup:
    """A picture inside the page; an SVG is one too, in which nothing runs.

    words: what it shows, for those who do not see it.
    """
    try:
        if kind == "image/svg+xml":
            data = base64.b64encode(data.encode("utf-8", "replace")).decode("ascii")
        else:
            base64.b64decode(re.sub(r"\s", "", data), validate=True)
    except (binascii.Error, ValueError):
        return plain("(a damaged picture)")
    told = escape(shortened(words) or "output")
    return Markup(f"<img alt='{told}' src='data:{kind};base64,{escape(data)}'>")


def shortened(text: str, *, more: int = 0) -> str:
    """The beginning of a long text, and how much more there was; more: cut off before already."""
    more += max(0, len(text) - MAX_CHARS)
    return f"{text[:MAX_CHARS]}\n… and {more:,} more characters" if more else text
