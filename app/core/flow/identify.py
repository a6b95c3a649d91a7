"""From normalised events to stored rows: ids, replays after a reconnect, clocks that are wrong.

Owns which event is new, and what its time is (of trades and ticks, too). Nothing here looks at sizes or
prices. Called by the pipeline for every frame, before windows and detectors; the database key stays the
final guard.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace
from math import floor, log
from operator import attrgetter, itemgetter

from app.core.domain.flow import LiquidationEvent, StreamFrame
from app.core.domain.stored import LiquidationRow
from app.core.flow.ids import PRIME, liquidation_id, pack
from app.core.heatmap.buckets import GROWTH

MAX_IDS = 50_000  # of one generation; there are two for each source
MAX_FRAMES = 500  # a repeated frame follows soon
REMEMBER_MS = 900_000  # event time; a replay comes within seconds of a reconnect
# An event cannot come before it happened. Venue clocks run ahead by fractions of a second; more than the
# disorder the windows allow would push the newest second forward and make every honest event late.
MAX_AHEAD_MS = 5_000

_new_row = tuple.__new__  # a third of the time of LiquidationRow(...), which checks what is known here
_event_ms = itemgetter(7)
_stated_ms = attrgetter("ts_event_ms")
_int = int.from_bytes
_LOG_GROWTH = log(GROWTH)


class Identifier:
    """Gives ids and leaves out what was seen before. One for the process, for all sources.

    duplicates: events left out since the start. skewed: events whose stated time lay ahead of their arrival
    by more than 5 s; they have the time of arrival, and `extras` of a row says what the venue stated.
    """

    def __init__(self) -> None:
        self.duplicates = 0
        self.skewed = 0
        self._seen: dict[str, SeenIds] = {}
        self._arrivals = Arrivals()

    def identify(self, frame: StreamFrame) -> list[LiquidationRow]:
        """The new liquidations of a frame as rows, in the order of the frame.

        The n-th event with the same facts since the connection was made has its own id; after a gap counting
        begins again, so what the venue sends once more consumes one remembered occurrence each. A whole
        frame that came before on this connection is the same frame again, and holds nothing new.
        """
        seen = self._seen_of(frame.source)
        if frame.gap is not None:
            seen.reconnect()
        events = frame.liquidations
        if not events:
            return []
        if seen.is_repeated((len(events), events[0], events[-1])):
            self.duplicates += len(events)
            return []
        newest_ms = max(map(_event_ms, events))
        latest_ms = self._arrivals.latest_allowed(frame.ts_init_ms, newest_ms)
        seen.age(min(newest_ms, latest_ms), len(events))
        rows = self._rows(frame, seen)
        return rows if newest_ms <= latest_ms else [self._in_time(row, latest_ms) for row in rows]

    def in_time(self, frame: StreamFrame) -> StreamFrame:
        """The frame with every trade and price that claims to be from the future at the time of its arrival.

        One of them would stand as the last price, never too old, until its time has come. Its liquidations
        are `identify`'s, because their ids are made of what the venue stated.
        """
        newest_ms = max(map(_stated_ms, (*frame.trades, *frame.ticks)), default=0)
        latest_ms = self._arrivals.latest_allowed(frame.ts_init_ms, newest_ms)
        if newest_ms <= latest_ms:
            return frame
        arrived_ms = latest_ms - MAX_AHEAD_MS
        self.skewed += sum(_stated_ms(one) > latest_ms for one in (*frame.trades, *frame.ticks))
        return replace(
            frame,
            trades=tuple(
                one if one.ts_event_ms <= latest_ms else one._replace(ts_event_ms=arrived_ms)
                for one in frame.trades
            ),
            ticks=tuple(
                one if one.ts_event_ms <= latest_ms else one._replace(ts_event_ms=arrived_ms)
                for one in frame.ticks
            ),
        )

    def _rows(self, frame: StreamFrame, seen: SeenIds) -> list[LiquidationRow]:
        """The hot loop: `liquidation_id` and `bucket_of` written out: calls cost a tenth of it."""
        source, ts_init_ms, ids, older = frame.source, frame.ts_init_ms, seen.ids, seen.older
        rows: list[LiquidationRow] = []
        for event in frame.liquidations:
            symbol, exchange, pair, side, price, usd, base, ts_ms = event
            number = _int(pack((source, exchange, pair, ts_ms, side, price, usd, 0)), "big") % PRIME
            if number in ids or number in older:
                again = seen.again(source, event, number)
                if again is None:
                    self.duplicates += 1
                    continue
                number = again
            else:
                ids.add(number)
            bucket = floor(log(price) / _LOG_GROWTH)
            row = (
                symbol,
                ts_ms,
                number,
                source,
                exchange,
                pair,
                side,
                price,
                usd,
                base,
                bucket,
                ts_init_ms,
                None,
            )
            rows.append(_new_row(LiquidationRow, row))
        return rows

    def remember(self, rows: Iterable[LiquidationRow]) -> None:
        """Stored rows of the last minutes, after a start: what the venue sends again is then a replay."""
        for row in rows:
            self._seen_of(row.source).remember(row.id)

    @property
    def remembered(self) -> int:
        """Ids that would be known again."""
        return sum(len(seen.ids) + len(seen.older) for seen in self._seen.values())

    def _seen_of(self, source: str) -> SeenIds:
        seen = self._seen.get(source)
        if seen is None:
            seen = self._seen[source] = SeenIds()
        return seen

    def _in_time(self, row: LiquidationRow, latest_ms: int) -> LiquidationRow:
        if row.ts_event_ms <= latest_ms:
            return row
        self.skewed += 1
        extras = f'{{"stated_ts_ms": {row.ts_event_ms}}}'
        return row._replace(ts_event_ms=latest_ms - MAX_AHEAD_MS, extras=extras)


class SeenIds:
    """Ids of one source in two generations of at most `MAX_IDS`, each kept for at least 15 min of event time
    where that many suffice."""

    __slots__ = ("_frames", "_is_older_from_before", "_repeats", "_since_ms", "ids", "older")

    def __init__(self) -> None:
        self.ids: set[int] = set()
        self.older: set[int] = set()
        # How often facts came since the connection was made, for those that came more than once or came back.
        self._repeats: dict[int, int] = {}
        self._since_ms: int | None = None
        self._is_older_from_before = False
        self._frames: dict[Hashable, None] = {}  # of this connection, newest last

    def is_repeated(self, frame: Hashable) -> bool:
        """Whether this frame came a short while ago; frame: its number of events, its first and its last.

        Two equal orders of one millisecond are twins, the same hundred orders once more are a repetition.
        """
        if frame in self._frames:
            return True
        self._frames[frame] = None
        if len(self._frames) > MAX_FRAMES:
            del self._frames[next(iter(self._frames))]
        return False

    def again(self, source: str, event: LiquidationEvent, key: int) -> int | None:
        """The id of an event whose facts are known: a twin's (new), or None where it is a replay."""
        nth = self._repeats.get(key)
        if nth is None:
            # Known from this connection: this is the second. Known from before it: the first, once more.
            nth = 0 if self._is_older_from_before and key not in self.ids else 1
        self._repeats[key] = nth + 1
        _, exchange, pair, side, price, usd, _, ts_event_ms = event
        number = liquidation_id(source, exchange, pair, ts_event_ms, side, price, usd, nth)
        if number in self.ids or number in self.older:
            return None
        self.ids.add(number)
        return number

    def remember(self, number: int) -> None:
        """An id from before this connection."""
        self._is_older_from_before = True
        if len(self.older) < MAX_IDS:
            self.older.add(number)

    def reconnect(self) -> None:
        """From here on everything known is from before; the newest generation wins where both are full."""
        if len(self.older) + len(self.ids) <= MAX_IDS:
            self.ids |= self.older
        self.older, self.ids = self.ids, set()
        self._repeats = {}
        self._frames = {}
        self._since_ms = None
        self._is_older_from_before = True

    def age(self, newest_ms: int, coming: int) -> None:
        """Begin a new generation before a frame of `coming` events when this one is old or would overflow."""
        if self._since_ms is None:
            self._since_ms = newest_ms
        if len(self.ids) + coming > MAX_IDS or newest_ms - self._since_ms > REMEMBER_MS:
            self.older, self.ids = self.ids, set()
            self._since_ms = newest_ms
            self._is_older_from_before = False
            if len(self._repeats) > MAX_IDS:
                self._repeats = {}


class Arrivals:
    """How late an event may claim to be, although our own clock may step back (an hour at the end of summer,
    on a badly set machine; a correction by the time service)."""

    def __init__(self) -> None:
        self._last_ms = 0
        self._stepped_ms = 0

    def latest_allowed(self, ts_init_ms: int, newest_ms: int) -> int:
        """Newest event time that is believed in a frame that arrived at `ts_init_ms`.

        After a step back by an hour every event lies an hour ahead: then our clock is wrong, not the venues'.
        The step is forgotten as soon as events and clock agree again.
        """
        self._stepped_ms += max(0, self._last_ms - ts_init_ms)
        self._last_ms = ts_init_ms
        if newest_ms <= ts_init_ms + MAX_AHEAD_MS:
            self._stepped_ms = 0
        return ts_init_ms + self._stepped_ms + MAX_AHEAD_MS
