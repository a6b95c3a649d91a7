"""Does a message parse? The Bot API's checks of HTML and MarkdownV2, enough to catch missing escapes.

Pure text in, error text out. Used by the simulated Bot API only.
"""

from __future__ import annotations

import html
import re

_TAGS = frozenset(
    (
        "b",
        "strong",
        "i",
        "em",
        "u",
        "ins",
        "s",
        "strike",
        "del",
        "tg-spoiler",
        "a",
        "code",
        "pre",
        "blockquote",
    )
)
_TAG = re.compile(r"<(/?)([^<>]*)>?")
# Characters that must be escaped in MarkdownV2 and never open an entity.
_RESERVED = re.compile(r"(?<!\\)[#+\-=|{}.!]")
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
_LINK = re.compile(r"\]\([^)]*\)")


def entity_error(text: str, parse_mode: str) -> str | None:
    """The parser's complaint as the Bot API words it, or None when the text is fine."""
    if parse_mode == "HTML":
        return _html_error(text)
    if parse_mode == "MarkdownV2":
        return _markdown_error(text)
    return None


def visible_length(text: str, parse_mode: str) -> int:
    """Characters that count against the limit: without markup in HTML mode."""
    return len(html.unescape(_TAG.sub("", text))) if parse_mode == "HTML" else len(text)


def _html_error(text: str) -> str | None:
    opened: list[str] = []
    for match in _TAG.finditer(text):
        at = len(text[: match.start()].encode())
        name = match.group(2).split()[0].lower() if match.group(2).split() else ""
        if not match.group(0).endswith(">") or name not in _TAGS:
            return f'Unsupported start tag "{name}" at byte offset {at}'
        if not match.group(1):
            opened.append(name)
        elif not opened or opened.pop() != name:
            return f"Unexpected end tag at byte offset {at}"
    return f'Can\'t find end tag corresponding to start tag "{opened[-1]}"' if opened else None


def _markdown_error(text: str) -> str | None:
    found = _RESERVED.search(_LINK.sub("", _CODE.sub("", text)))
    if found is None:
        return None
    return f"Character '{found.group(0)}' is reserved and must be escaped with the preceding '\\'"
