"""What workers tell other processes through the warm cache, as JSON text and back: reports, whales, tiles.

Pure. Text of another version that does not fit reads as None, never as a half-filled value. Called by
`services.streaming.status_board`, `services.streaming.whale_shelf` and `services.streaming.tile_shelf`.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from app.core.domain.flow_answer import StreamReport, WhaleBook
from app.core.domain.heatmap import CompositeScore

_Told = TypeVar("_Told")
_REPORT = msgspec.json.Decoder(StreamReport)
_BOOK = msgspec.json.Decoder(WhaleBook)
_COMPOSITE = msgspec.json.Decoder(CompositeScore)
_NAMES = msgspec.json.Decoder(dict[str, int])


def encode_report(report: StreamReport) -> str:
    return msgspec.json.encode(report).decode()


def decode_report(text: str) -> StreamReport | None:
    return _decode(_REPORT, text)


def encode_book(book: WhaleBook) -> str:
    return msgspec.json.encode(book).decode()


def decode_book(text: str) -> WhaleBook | None:
    return _decode(_BOOK, text)


def encode_composite(score: CompositeScore) -> str:
    return msgspec.json.encode(score).decode()


def decode_composite(text: str) -> CompositeScore | None:
    return _decode(_COMPOSITE, text)


def encode_names(names: dict[str, int]) -> str:
    """Worker names with the time (epoch ms) each was heard of last."""
    return msgspec.json.encode(names).decode()


def decode_names(text: str) -> dict[str, int]:
    """Empty for text that is not ours."""
    try:
        return _NAMES.decode(text)
    except msgspec.DecodeError:
        return {}


def _decode(decoder: msgspec.json.Decoder[_Told], text: str) -> _Told | None:
    try:
        return decoder.decode(text)
    except msgspec.DecodeError:
        return None
