"""Cursors: what was written is read again, and nothing made up reaches a database."""

from __future__ import annotations

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import InvalidParameter
from app.services.storage.cursors import read_cursor, write_cursor

NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1)
NAMES = st.text(st.characters(codec="ascii", categories=("L", "N", "P")), max_size=40)


def forged(content: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(content)).rstrip(b"=").decode()


@given(NUMBERS, NAMES)
def test_a_key_comes_back_as_it_was(number: int, name: str) -> None:
    assert read_cursor(write_cursor((number, name)), (int, str)) == (number, name)


@pytest.mark.parametrize(
    "content",
    [
        [2**63, "x"],  # both databases hold 64 bits
        [-(2**63), "x"],
        [10**30, "x"],
        [1, "a\x00b"],  # PostgreSQL knows no NUL
        [1, "a\nb"],
        [1],
        [1, "x", 2],
        ["1", "x"],
        [1, 2],
        [True, "x"],
        [1.5, "x"],
        {"a": 1},
        None,
    ],
)
def test_a_made_up_key_is_refused(content: object) -> None:
    with pytest.raises(InvalidParameter, match="`next`"):
        read_cursor(forged(content), (int, str))


@given(st.text(max_size=60))
def test_any_text_is_a_key_or_refused(text: str) -> None:
    try:
        key = read_cursor(text, (int, str))
    except InvalidParameter:
        return
    assert [type(part) for part in key] == [int, str]
