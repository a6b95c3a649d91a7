"""What workers tell other processes through the warm cache, as JSON text and back: reports and whales.

Pure. Text of another version that does not fit reads as None, never as a half-filled value. Called by
`services.streaming.status_board` and `services.streaming.whale_shelf`.
"""

from __future__ import annotations

import msgspec

from app.core.domain.flow_answer import StreamReport, WhaleBook

_REPORT = msgspec.json.Decoder(StreamReport)
_BOOK = msgspec.json.Decoder(WhaleBook)
_NAMES = msgspec.json.Decoder(dict[str, int])


def encode_report(report: StreamReport) -> str:
    return msgspec.json.encode(report).decode()


def decode_report(text: str) -> StreamReport | None:
    try:
        return _REPORT.decode(text)
    except msgspec.DecodeError:
        return None


def encode_book(book: WhaleBook) -> str:
    return msgspec.json.encode(book).decode()


def decode_book(text: str) -> WhaleBook | None:
    try:
        return _BOOK.decode(text)
    except msgspec.DecodeError:
        return None


def encode_names(names: dict[str, int]) -> str:
    """Worker names with the time (epoch ms) each was heard of last."""
    return msgspec.json.encode(names).decode()


def decode_names(text: str) -> dict[str, int]:
    """Empty for text that is not ours."""
    try:
        return _NAMES.decode(text)
    except msgspec.DecodeError:
        return {}
