"""HTML out of plain text: every text and every attribute is escaped here, and nowhere else.

`Html` is text that may stand in a page as it is; only the functions here make it, so that a name which was
forgotten is a type error. A part of `backtest`.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import NewType

from app.backtest_tables import Row, Table
from app.backtest_words import MISSING, Comparison

Html = NewType("Html", str)

# Elements that have no end.
_VOID = frozenset({"meta", "link"})
# Blocks that start a line of the source.
_BLOCKS = frozenset(
    {"section", "figure", "table", "tr", "ul", "li", "p", "h1", "h2", "h3", "div", "dl", "dt", "svg"}
    | {"html", "head", "meta", "link", "style", "body", "header", "nav", "main", "footer"}
)
_MARKS = {Comparison.BETTER.value: "good", Comparison.WORSE.value: "bad"}
# A longer cell may break into lines.
_SHORT = 44


def text(said: str) -> Html:
    """Escaped. What cannot be seen (controls, marks that turn the direction of reading) becomes a space."""
    seen = "".join(one if one.isprintable() else " " for one in said)
    # A number and its percent sign stay on one line.
    return Html(escape(seen, quote=True).replace(" %", "\u00a0%"))


def tag(name: str, /, *children: Html, **attributes: str) -> Html:
    """One element. Attributes lose a trailing `_` and turn others into `-`: class_, aria_label.

    Worked: tag("p", text("1 < 2"), class_="a") -> `<p class="a">1 &lt; 2</p>`.
    """
    named = ((key.rstrip("_").replace("_", "-"), text(value)) for key, value in attributes.items())
    said = "".join(f' {key}="{value}"' for key, value in named)
    start = "\n" if name in _BLOCKS else ""
    if name in _VOID:
        return Html(f"{start}<{name}{said}>")
    return Html(f"{start}<{name}{said}>{''.join(children)}</{name}>")


def join(parts: Iterable[Html]) -> Html:
    """One after the other."""
    return Html("".join(parts))


def style(sheet: str) -> Html:
    """A style sheet as it is: ours, and escaping would break its selectors."""
    return Html(f"\n<style>{sheet}</style>")


def paragraph(said: str, **attributes: str) -> Html:
    return tag("p", text(said), **attributes)


def listed(items: Iterable[str]) -> Html:
    """A list of sentences."""
    return tag("ul", *(tag("li", text(item)) for item in items))


def section(key: str, title: str, *children: Html) -> Html:
    """A part of the page that `#key` leads to."""
    return tag("section", tag("h2", text(title), id=key), *children, aria_labelledby=key)


def table_html(table: Table, key: str, *, strong_row: int | None = None) -> Html:
    """A table that scrolls inside of its own box. strong_row: the row that the others stand beside."""
    caption = tag("caption", tag("span", text(table.caption)), id=f"{key}-caption")
    head = tag("thead", tag("tr", *(tag("th", text(cell), scope="col") for cell in table.head)))
    body = tag("tbody", *(_row(row, is_strong=k == strong_row) for k, row in enumerate(table.rows)))
    # tabindex: who has no mouse scrolls it with the arrow keys.
    box = {"class_": "scroll", "tabindex": "0", "role": "region", "aria_labelledby": f"{key}-caption"}
    notes = [paragraph(note, class_="note") for note in table.notes]
    return join([tag("div", tag("table", caption, head, body), **box), *notes])


def _row(row: Row, *, is_strong: bool) -> Html:
    first = tag("th", text(row[0]), scope="row")
    cells = [_cell(cell) for cell in row[1:]]
    return tag("tr", first, *cells, class_="strong") if is_strong else tag("tr", first, *cells)


def _cell(cell: str) -> Html:
    if cell in _MARKS:
        return tag("td", text(cell), class_=_MARKS[cell])
    if cell.startswith(MISSING):
        return tag("td", text(cell), class_="bad")
    return tag("td", text(cell), class_="words") if len(cell) > _SHORT else tag("td", text(cell))
