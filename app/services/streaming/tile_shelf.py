"""Composite heatmap tiles in the warm cache: the last closed minute of each watched coin, for every process.

Owns the keys and how long they are kept; written by the poller alone, read by the heatmap before it computes
(which may cost a call for candles). How old tiles are is their minute.
"""

from __future__ import annotations

from app.core.domain.heatmap import CompositeScore
from app.core.flow.reports import decode_composite, encode_composite
from app.core.stream_ports import WarmCache

KEEP_S = 300.0


class TileShelf:
    """Puts the tiles of a coin there and reads them."""

    def __init__(self, warm: WarmCache) -> None:
        self._warm = warm

    async def put(self, coin: str, score: CompositeScore) -> None:
        await self._warm.put_text(_key(coin), encode_composite(score), keep_s=KEEP_S)

    async def read(self, coin: str) -> CompositeScore | None:
        """As they were put last, within five minutes."""
        text = await self._warm.get_text(_key(coin))
        return None if text is None else decode_composite(text)


def _key(coin: str) -> str:
    return f"tiles:{coin}"
