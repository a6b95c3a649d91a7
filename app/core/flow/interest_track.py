"""Open interest of one coin as it is polled: five-minute changes against the coin's own, and bars to keep.

Pure and bounded. A sample counts at the time the provider was asked; changes are in coins, so that a move of
the price alone is no change of positions. Samples of two exchanges are never compared. Called by
`services.streaming.poller`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from app.core.domain.market import DAY_MS
from app.core.domain.stored import OpenInterestRow
from app.core.flow.polled import CHANGE_S, InterestChange
from app.core.flow.ranks import rank_in

MINUTE_MS = 60_000
FIVE_MIN_MS = 5 * MINUTE_MS
WINDOW_MS = 30 * DAY_MS
# A day of five-minute changes: with fewer, the rarest of a hundred has not been seen often enough to say.
MIN_CHANGES = 288
MAX_CHANGES = 30 * 288
# How far from five minutes ago the earlier sample may lie.
TOLERANCE_MS = 45_000
_MAX_SAMPLES = 200


@dataclass(frozen=True, slots=True)
class InterestSample:
    """One poll: open interest in coins and USD, the price beside it. exchange: as the store names it."""

    exchange: str
    at_ms: int
    base: float
    usd: float
    price: float
    source: str


class InterestTrack:
    """One coin."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self._samples: deque[InterestSample] = deque(maxlen=_MAX_SAMPLES)
        self._closes: tuple[int, float] | None = None  # newest five-minute close and its coins
        self._changes: deque[tuple[int, float]] = deque(maxlen=MAX_CHANGES)
        self.exchange: str | None = None

    def note(self, sample: InterestSample) -> list[OpenInterestRow]:
        """Take a sample; the bars of one and of five minutes that it closes, oldest first.

        A sample of another exchange starts again: its sum is another set of positions.
        """
        if sample.exchange != self.exchange:
            self._start(sample.exchange)
        last = self._samples[-1] if self._samples else None
        if last is not None and sample.at_ms <= last.at_ms:
            return []
        rows = [] if last is None else self._close(last, sample.at_ms)
        self._samples.append(sample)
        return rows

    def learn(self, closes: Iterable[tuple[int, float]]) -> None:
        """Five-minute closes of the past, (close_ms, coins), oldest first: what changes are ranked in.

        Replaces what was known; only neighbours five minutes apart make a change.
        """
        self._changes.clear()
        before: tuple[int, float] | None = None
        for at_ms, coins in closes:
            if before is not None and at_ms - before[0] == FIVE_MIN_MS and before[1] > 0:
                self._changes.append((at_ms, coins / before[1] - 1))
            before = (at_ms, coins)
        self._closes = before

    def change(self, now_ms: int) -> InterestChange | str:
        """The change of the last five minutes against those of 30 days, or why it cannot be said."""
        now = self._samples[-1] if self._samples else None
        if now is None or now_ms - now.at_ms > FIVE_MIN_MS:
            return "open interest was not polled in the last five minutes"
        before = self._about(now.at_ms - CHANGE_S * 1000)
        if before is None or before.base <= 0:
            return "no sample of five minutes ago"
        past = [value for at_ms, value in self._changes if at_ms > now_ms - WINDOW_MS]
        if len(past) < MIN_CHANGES:
            return f"{len(past)} five-minute changes known, {MIN_CHANGES} are needed"
        change = now.base / before.base - 1
        return InterestChange(
            symbol=self.symbol,
            change_frac=change,
            price_change_frac=now.price / before.price - 1,
            usd=(now.base - before.base) * now.price,
            percentile=rank_in(past, change),
            days=(now_ms - max(self._changes[0][0], now_ms - WINDOW_MS)) / DAY_MS,
            ts_event_ms=now.at_ms,
            price=now.price,
        )

    def _start(self, exchange: str) -> None:
        self.exchange = exchange
        self._samples.clear()
        self._changes.clear()
        self._closes = None

    def _close(self, last: InterestSample, at_ms: int) -> list[OpenInterestRow]:
        """Bars that ended between two samples, if the earlier one lies in their last minute."""
        minute_close_ms = last.at_ms // MINUTE_MS * MINUTE_MS + MINUTE_MS
        if at_ms < minute_close_ms:
            return []
        rows = [_row(self.symbol, last, "1m", minute_close_ms)]
        if minute_close_ms % FIVE_MIN_MS == 0:
            rows.append(_row(self.symbol, last, "5m", minute_close_ms))
            self._take_close(minute_close_ms, last.base)
        return rows

    def _take_close(self, close_ms: int, coins: float) -> None:
        known = self._closes
        if known is not None and close_ms - known[0] == FIVE_MIN_MS and known[1] > 0:
            self._changes.append((close_ms, coins / known[1] - 1))
        self._closes = (close_ms, coins)

    def _about(self, wanted_ms: int) -> InterestSample | None:
        """The sample nearest to a moment, within the tolerance."""
        times = [sample.at_ms for sample in self._samples]
        index = bisect_left(times, wanted_ms)
        near = [self._samples[i] for i in (index - 1, index) if 0 <= i < len(times)]
        best = min(near, key=lambda sample: abs(sample.at_ms - wanted_ms), default=None)
        return best if best is not None and abs(best.at_ms - wanted_ms) <= TOLERANCE_MS else None


def _row(symbol: str, sample: InterestSample, interval: str, close_ms: int) -> OpenInterestRow:
    return OpenInterestRow(
        exchange=sample.exchange,
        symbol=symbol,
        interval=interval,
        close_ms=close_ms,
        open_usd=None,
        high_usd=None,
        low_usd=None,
        close_usd=sample.usd,
        open_base=None,
        high_base=None,
        low_base=None,
        close_base=sample.base,
        source=sample.source,
        ts_init_ms=max(sample.at_ms, close_ms),
    )
