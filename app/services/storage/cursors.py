"""Opaque page cursors: the key of the last row shown, so that pages stay right while rows are added."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import msgspec

from app.core.errors import InvalidParameter

MAX_CURSOR_CHARS = 400
_MAX_NUMBER = 2**63 - 1


def write_cursor(key: Sequence[str | int]) -> str:
    """The key as URL-safe text."""
    return base64.urlsafe_b64encode(msgspec.json.encode(list(key))).rstrip(b"=").decode()


def read_cursor(text: str, kinds: Sequence[type[str] | type[int]]) -> tuple[str | int, ...]:
    """The key again; `kinds` are the types its parts must have.

    Raises:
        InvalidParameter: not a cursor of this list.
    """
    expected = "the value of `next` in the answer before, of the same list"
    try:
        if len(text) > MAX_CURSOR_CHARS:
            raise ValueError("too long")
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        key = msgspec.json.decode(
            base64.b64decode(padded, altchars=b"-_", validate=True), type=list[str | int]
        )
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise InvalidParameter("cursor", expected) from error
    if len(key) != len(kinds) or not all(map(_is_key, key, kinds)):
        raise InvalidParameter("cursor", expected)
    return tuple(key)


def _is_key(part: str | int, kind: type[str] | type[int]) -> bool:
    """Of that type, and something both databases can compare: no number beyond 64 bits, no NUL in text."""
    if isinstance(part, str):
        return kind is str and part.isprintable()
    return kind is int and abs(part) <= _MAX_NUMBER
