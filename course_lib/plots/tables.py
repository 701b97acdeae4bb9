"""Tables of numbers: HTML in a notebook, aligned text elsewhere."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from course_lib.plots.style import SKY

Value = float | int | str | None
Best = Literal["min", "max"]


@dataclass(frozen=True)
class Table:
    """Shows itself; see `table`. shares: of the longest bar, by row and column."""

    head: list[str]
    cells: list[list[str]]
    best: set[tuple[int, int]]
    shares: dict[tuple[int, int], float]
    title: str

    def __repr__(self) -> str:
        lines, columns = [self.head, *self.cells], list(zip(self.head, *self.cells, strict=True))
        first, *others = (max(map(len, column)) for column in columns)
        told = [
            "  ".join([line[0].ljust(first), *map(str.rjust, line[1:], others)]) for line in lines
        ]
        return "\n".join([self.title] * bool(self.title) + told)

    def _repr_html_(self) -> str:
        left, right = (f"padding:2px 12px;text-align:{side}" for side in ("left", "right"))
        rows = ""
        for i, (name, *texts) in enumerate(self.cells):
            cells = "".join(self._cell(i, j) for j in range(1, 1 + len(texts)))
            head = f"<th style='{left};font-weight:normal'>{html.escape(name)}</th>"
            rows += f"<tr style='background:none'>{head}{cells}</tr>"
        corner, *names = map(html.escape, self.head)
        heads = "".join(f"<th style='{right}'>{name}</th>" for name in names)
        title = f"<caption style='text-align:left'>{html.escape(self.title)}</caption>"
        return (
            "<table style='font-variant-numeric:tabular-nums;border-collapse:collapse'>"
            f"{title if self.title else ''}<tr style='border-bottom:1px solid #999'>"
            f"<th style='{left}'>{corner}</th>{heads}</tr>{rows}</table>"
        )

    def _cell(self, i: int, j: int) -> str:
        text, style = html.escape(self.cells[i][j]), "padding:2px 12px;text-align:right"
        if (i, j) in self.shares:
            end = f"{100 * self.shares[i, j]:.0f}%"
            style += f";background:linear-gradient(to right,{SKY}66 {end},transparent {end})"
        return f"<td style='{style}'>{f'<b>{text}</b>' if (i, j) in self.best else text}</td>"


def table(
    rows: Mapping[str, Mapping[str, Value]],
    *,
    title: str = "",
    corner: str = "",
    forms: Mapping[str, str] | None = None,
    best: Mapping[str, Best] | None = None,
    best_in_rows: Best | None = None,
    bars: Collection[str] = (),
) -> Table:
    """A table of named rows and columns; the columns are those of all rows, as they come.

    rows: row to {column: number or text}; what is missing is a dash. forms: column to a format such
    as ".2f" or ".0%", else ".1f" for floats. best: columns of which the least or largest number is
    marked; best_in_rows: the same in each row. bars: columns with a bar behind each number. corner:
    over the names of the rows.
    """
    names = list(dict.fromkeys(column for row in rows.values() for column in row))
    values = [[row.get(column) for column in names] for row in rows.values()]
    marked, shares = set(), {}
    for j, column in enumerate(names):
        numbers = {i: row[j] for i, row in enumerate(values) if isinstance(row[j], (int, float))}
        if numbers and column in (best or {}):
            marked.add((_at(numbers, (best or {})[column]), j + 1))
        if column in bars:
            longest = max(numbers.values()) or 1
            shares |= {(i, j + 1): value / longest for i, value in numbers.items()}
    if best_in_rows:
        for i, row in enumerate(values):
            numbers = {j: value for j, value in enumerate(row) if isinstance(value, (int, float))}
            marked.add((i, _at(numbers, best_in_rows) + 1))
    texts = [
        [_text(value, (forms or {}).get(column)) for value, column in zip(row, names, strict=True)]
        for row in values
    ]
    cells = [[name, *row] for name, row in zip(rows, texts, strict=True)]
    return Table([corner, *names], cells, marked, shares, title)


def _at(numbers: Mapping[int, float], which: Best) -> int:
    return (min if which == "min" else max)(numbers, key=lambda i: numbers[i])


def _text(value: Value, form: str | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    return format(value, form or (",d" if isinstance(value, int) else ".1f")).replace("-", "−")
