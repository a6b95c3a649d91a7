"""The whale book in the warm cache: what the poller saw of large positions, for every process.

Owns the key and the age limit; written by the poller alone.
"""

from __future__ import annotations

from dataclasses import replace

from app.core.domain.flow_answer import WhaleBook
from app.core.flow.reports import decode_book, encode_book
from app.core.stream_ports import WarmCache

# Older than this the book is not read any more: whoever asks then asks the provider.
MAX_BOOK_AGE_S = 90.0
KEEP_S = 3_600.0
MAX_ROWS = 500
_KEY = "whales"


class WhaleShelf:
    """Puts the book there and reads it."""

    def __init__(self, warm: WarmCache) -> None:
        self._warm = warm

    async def put(self, book: WhaleBook) -> None:
        """The newest alerts and the largest positions, at most 500 each."""
        cut = replace(book, alerts=book.alerts[:MAX_ROWS], positions=book.positions[:MAX_ROWS])
        await self._warm.put_text(_KEY, encode_book(cut), keep_s=KEEP_S)

    async def read(self) -> WhaleBook | None:
        """As it was put last, within an hour; its own times say how old it is."""
        text = await self._warm.get_text(_KEY)
        return None if text is None else decode_book(text)
