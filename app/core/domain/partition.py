"""Which part of the stream a coin belongs to, and how one frame becomes parts.

A coin's events always go to the same partition, in every process and for ever. What is summed over the whole
market is computed in a partition of its own, which holds every liquidation once more and nothing else, so
that it needs no word from the others. Called by the ingest process and by whoever must know whose coin it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

from app.core.domain.flow import LiquidationEvent, PriceTick, StreamFrame, StreamGap, TradeEvent

MAX_PART_EVENTS = 500

T = TypeVar("T")


@lru_cache(maxsize=10_000)
def _checksum(symbol: str) -> int:
    """Python's own hash differs between processes; this one never does."""
    return zlib.crc32(symbol.encode())


@dataclass(frozen=True, slots=True)
class Partitioning:
    """`count` partitions of coins, numbered from 0, and the market's, numbered `count`.

    BTC of 16: crc32("BTC") = 3,176,990,918, modulo 16 = 6.
    """

    count: int = 16

    def of(self, symbol: str) -> int:
        """The partition of this coin, 0..count - 1."""
        return _checksum(symbol) % self.count

    @property
    def market(self) -> int:
        return self.count

    @property
    def all(self) -> range:
        return range(self.count + 1)

    def split(self, frame: StreamFrame) -> list[tuple[int, StreamFrame]]:
        """(partition, part) of at most 500 events each, in the order of the frame within every partition.

        A gap goes to every partition, for each has to know; rejects go to the market's alone, so that they
        are counted once.
        """
        parts: list[tuple[int, StreamFrame]] = []
        for number, (liquidations, trades, ticks) in sorted(self._by_partition(frame).items()):
            whole = replace(
                frame, liquidations=tuple(liquidations), trades=tuple(trades), ticks=tuple(ticks), rejects={}
            )
            parts += [(number, piece) for piece in _pieces(whole)]
        if frame.liquidations or frame.rejects or frame.gap:
            parts += [(self.market, piece) for piece in _pieces(replace(frame, trades=(), ticks=()))]
        return parts

    def _by_partition(
        self, frame: StreamFrame
    ) -> dict[int, tuple[list[LiquidationEvent], list[TradeEvent], list[PriceTick]]]:
        found: dict[int, tuple[list[LiquidationEvent], list[TradeEvent], list[PriceTick]]] = {}
        if frame.gap:
            found = {number: ([], [], []) for number in range(self.count)}
        for liquidation in frame.liquidations:
            found.setdefault(self.of(liquidation.symbol), ([], [], []))[0].append(liquidation)
        for trade in frame.trades:
            found.setdefault(self.of(trade.symbol), ([], [], []))[1].append(trade)
        for tick in frame.ticks:
            found.setdefault(self.of(tick.symbol), ([], [], []))[2].append(tick)
        return found


def events_in(frame: StreamFrame) -> int:
    return len(frame.liquidations) + len(frame.trades) + len(frame.ticks)


def with_gap(frame: StreamFrame, gap: StreamGap) -> StreamFrame:
    """The frame with this gap too: one that it has already is widened and keeps its reason."""
    own = frame.gap
    if own is None:
        return replace(frame, gap=gap)
    widened = own._replace(from_ms=min(own.from_ms, gap.from_ms), to_ms=max(own.to_ms, gap.to_ms))
    return replace(frame, gap=widened)


def _pieces(frame: StreamFrame) -> Iterator[StreamFrame]:
    """The frame cut to `MAX_PART_EVENTS`; gap and rejects go with the first piece."""
    trades_at = len(frame.liquidations)
    ticks_at = trades_at + len(frame.trades)
    for start in range(0, max(events_in(frame), 1), MAX_PART_EVENTS):
        piece = replace(
            frame,
            liquidations=_cut(frame.liquidations, start),
            trades=_cut(frame.trades, start - trades_at),
            ticks=_cut(frame.ticks, start - ticks_at),
        )
        yield piece if start == 0 else replace(piece, gap=None, rejects={})


def _cut(events: tuple[T, ...], start: int) -> tuple[T, ...]:
    """Those of one piece that begins at `start`, which lies before the first event when negative."""
    return events[max(start, 0) : max(start + MAX_PART_EVENTS, 0)]
