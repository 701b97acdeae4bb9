"""Pages from the templates beside: one file each, which loads and runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pygments.formatters import HtmlFormatter

# The browser itself refuses scripts, frames, forms and every request, whatever a page holds.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'"
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters["g"] = "{:g}".format


def page(template: str, *, key: str = "", **values: Any) -> str:
    """A whole HTML page. Values are escaped unless they are Markup, which `sanitise` returns.

    key: what the page was made from, for `is_current`.
    """
    code_style = Markup(HtmlFormatter(classprefix="hl-").get_style_defs(".code"))
    values |= {"key": key, "policy": Markup(POLICY), "code_style": code_style}
    return TEMPLATES.get_template(template).render(values)


def is_current(path: Path, key: str) -> bool:
    """Whether the page there was made from just this."""
    try:
        with open(path, "rb") as file:
            return f"content='{key}'".encode() in file.read(300)
    except OSError:
        return False
