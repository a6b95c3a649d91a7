"""Reads an HTML page strictly, for tests: every element closed, every id once, tables as rows of text."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

# Marks the texts of cells among those of a row.
_CELL = "\0"
_VOID = frozenset({"meta", "link"})


@dataclass(slots=True)
class Page:
    """tables: caption -> rows (head first) of cell texts. headings: (level, text). said: all visible text."""

    tags: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    headings: list[tuple[int, str]] = field(default_factory=list)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    said: str = ""

    def table(self, start: str) -> dict[str, dict[str, str]]:
        """Rows of the table whose caption begins so: name of the row -> heading -> cell."""
        (rows,) = (rows for caption, rows in self.tables.items() if caption.startswith(start))
        return {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[1:]}

    def values(self, attribute: str) -> list[str]:
        """All values of one attribute."""
        return [value for _, name, value in self.attributes if name == attribute]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.open: list[tuple[str, list[str]]] = []
        self._caption = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute of {tag} stands twice: {names}"
        self.page.tags.append(tag)
        for name, value in attrs:
            assert value is not None, f"{name} of {tag} has no value"
            self.page.attributes.append((tag, name, value))
            if name == "id":
                assert value not in self.page.ids, f"id {value} stands twice"
                self.page.ids.append(value)
        if tag not in _VOID:
            self.open.append((tag, []))
        if tag == "table":
            self._caption = ""

    def handle_endtag(self, tag: str) -> None:
        name, parts = self.open.pop()
        assert name == tag, f"{name} ends as {tag}"
        text = "".join(parts).replace("\u00a0", " ").strip()
        if tag in ("h1", "h2", "h3"):
            self.page.headings.append((int(tag[1]), text))
        elif tag == "caption":
            self._caption = text
            assert text not in self.page.tables, f"two tables are called {text}"
            self.page.tables[text] = []
        elif tag == "tr":
            self.page.tables[self._caption].append([part[1:] for part in parts if part[:1] == _CELL])
        if not self.open:
            return
        if tag in ("td", "th"):
            self.open[-1][1].append(_CELL + text)
        elif tag not in ("style", "tr"):
            self.open[-1][1].append("".join(parts))

    def handle_data(self, data: str) -> None:
        if not self.open:
            assert not data.strip(), f"text outside of the page: {data}"
            return
        self.open[-1][1].append(data)
        if self.open[-1][0] != "style":
            self.page.said += data.replace("\u00a0", " ")


def read_page(page: str) -> Page:
    """Raises: AssertionError with what is wrong."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open, f"never closed: {[tag for tag, _ in reader.open]}"
    return reader.page
