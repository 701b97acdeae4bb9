"""The frame of the pages that the grader writes: one file each, which loads and runs nothing."""

from __future__ import annotations

import html
from pathlib import Path

from pygments.formatters import HtmlFormatter

# The browser itself refuses scripts, frames, forms and every request, whatever a page holds.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'"
STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #111; background: #fff; max-width: 58em;
  margin: 2em auto; padding: 0 1.2em; }
h1 { font-size: 1.6em; margin: 0 0 .2em; } h2 { font-size: 1.25em; margin: 2em 0 .5em; }
h3 { font-size: 1.05em; margin: 1.6em 0 .4em; }
p { max-width: 44em; } .quiet { color: #555; }
table { border-collapse: collapse; } th { text-align: left; color: #444; font-weight: 600; }
td, th { padding: .3em .9em .3em 0; vertical-align: top; border-bottom: 1px solid #e4e4e4; }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
pre { background: #f6f6f6; padding: .6em .8em; margin: .5em 0; white-space: pre-wrap;
  overflow-wrap: anywhere; font: 13px/1.45 ui-monospace, Menlo, Consolas, monospace; }
code { font: .92em ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
img { max-width: 100%; } a { color: #0072B2; }
.output { contain: content; border-left: 3px solid #ddd; padding-left: .8em; margin: .5em 0; }
.output table td, .output table th { border: 0; padding: .1em .7em .1em 0; font-size: 14px; }
.said { border-left: 6px solid #E69F00; padding: .4em 1em; margin: 1em 0; }
summary { color: #555; cursor: pointer; font-size: 14px; }
"""


def page(title: str, body: str, *, key: str = "") -> str:
    """A whole HTML page; key: what it was made from, for whoever asks whether it is current."""
    colours = HtmlFormatter(classprefix="hl-").get_style_defs(".code")
    return (
        f"<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>\n"
        f"<meta name='course-key' content='{html.escape(key)}'>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}{colours}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def is_current(path: Path, key: str) -> bool:
    """Whether the page there was made from just this."""
    try:
        with open(path, "rb") as file:
            return f"content='{key}'".encode() in file.read(300)
    except OSError:
        return False


def rows(head: list[str], lines: list[list[str]], *, numbers: tuple[int, ...] = ()) -> str:
    """An HTML table of cells that are HTML already; `numbers` are columns set to the right."""

    def cells(tag: str, line: list[str]) -> str:
        kinds = (" class='number'" if i in numbers else "" for i in range(len(line)))
        parts = zip(kinds, line, strict=True)
        return "<tr>" + "".join(f"<{tag}{kind}>{cell}</{tag}>" for kind, cell in parts) + "</tr>"

    return "<table>" + cells("th", head) + "".join(cells("td", line) for line in lines) + "</table>"
