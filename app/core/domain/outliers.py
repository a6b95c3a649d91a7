"""Which bars moved further than their own past explains. They are flagged for the reader, never replaced.

Owns the six-sigma rule over stored bars. It sees only bars before the one it judges, so a flag never changes
when the future arrives, and 245 bars with their flags are all it has to remember. Pure; the backfill and the
import of recorded files call it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from app.core.domain.market import bar_length_ms
from app.core.domain.stored import BarRow, CandleRow, FundingRow, OpenInterestRow, RatioRow

SIGMAS = 6.0
WINDOW_BARS = 240  # ten days of hours: long enough to be steady, short enough to follow a regime
MIN_BARS = 30  # fewer moves than this give no sigma to speak of
LOOK_BACK_BARS = 5  # a run of flagged bars longer than this is the new normal
MEMORY_BARS = WINDOW_BARS + LOOK_BACK_BARS
_MAD_TO_SIGMA = 1.4826  # of a normal distribution, whose median size is 0.6745 sigma


@dataclass(frozen=True, slots=True)
class Figure:
    """How one figure moves. floor: the smallest sigma, in the unit of the move."""

    is_log: bool
    floor: float


PRICE = Figure(is_log=True, floor=1e-4)  # one basis point
VOLUME = Figure(is_log=True, floor=0.05)
FUNDING = Figure(is_log=False, floor=1e-5)  # a tenth of the usual 0.01 % per 8 h
SHARE = Figure(is_log=False, floor=1e-3)  # providers round ratios to two decimals


def robust_limit(sizes: Sequence[float], floor: float) -> float:
    """The largest ordinary move, given the sizes of earlier ones, sorted and not empty.

    Six times the larger of two sigmas: that of the middle (1.4826 times the median size, or the floor), and
    the standard deviation with every move cut at six of those. Markets have fat tails, which the middle does
    not see; and one bad print, cut like that, hardly widens the second.
    Worked numbers: forty moves of 0.01 up or down -> sigma 0.014826, limit 0.088956: a log return of 0.088 is
    ordinary, one of 0.09 is flagged. With ten of 0.05 among them -> sigma 0.024083, limit 0.1445. With one of
    5.0 instead -> it counts as 0.088956, limit 0.10227.
    """
    limit = _limit_of_the_middle(sizes, floor)
    squares = math.fsum(min(size, limit) ** 2 for size in sizes)
    return max(limit, SIGMAS * math.sqrt(squares / len(sizes)))


def _limit_of_the_middle(sizes: Sequence[float], floor: float) -> float:
    half = len(sizes) // 2
    median = sizes[half] if len(sizes) % 2 else (sizes[half - 1] + sizes[half]) / 2
    return SIGMAS * max(_MAD_TO_SIGMA * median, floor)


@dataclass(slots=True)
class _Window:
    """Sizes of the last moves of one figure; None where there was nothing to compare."""

    sizes: deque[float | None] = field(default_factory=deque)
    ordered: list[float] = field(default_factory=list)

    def is_beyond(self, size: float | None, floor: float) -> bool:
        if size is None or len(self.ordered) < MIN_BARS:
            return False
        if size <= _limit_of_the_middle(self.ordered, floor):
            return False  # nearly always, and the rest takes longer
        return size > robust_limit(self.ordered, floor)

    def add(self, size: float | None) -> None:
        if len(self.sizes) == WINDOW_BARS:
            gone = self.sizes.popleft()
            if gone is not None:
                del self.ordered[bisect_left(self.ordered, gone)]
        self.sizes.append(size)
        if size is not None:
            insort(self.ordered, size)


@dataclass(frozen=True, slots=True)
class _Seen:
    close_ms: int
    values: tuple[float | None, ...]
    is_outlier: bool


class OutlierJudge:
    """Flags the bars of one series of one exchange, oldest first.

    A move is the log return of prices, open interest and volumes, the plain difference of funding rates and
    shares; over a hole of k bars it is divided by sqrt(k), as a random walk spreads. Sigma is that of the
    last 240 moves, outliers cut (`robust_limit`), about zero: bars have no drift to speak of, and a steady
    climb is no outlier. Never below the floor of the figure, so that a series that stood still does not flag
    its first twitch. The bar AFTER a spike: its move is the smaller of those since the bar before and since
    the last bar without a flag. A bar that comes back from a bad print is therefore not flagged for it, and
    of a jump that stays only the first bar is.
    """

    def __init__(self) -> None:
        self._windows: list[_Window] = []
        self._seen: deque[_Seen] = deque(maxlen=LOOK_BACK_BARS)

    def learn(self, rows: Iterable[BarRow]) -> None:
        """Take over bars that were judged before, with their flags; `MEMORY_BARS` of them tell everything."""
        for row in rows:
            self._take(row, is_known=True)

    def judge(self, rows: Iterable[BarRow]) -> tuple[BarRow, ...]:
        """The same bars with `is_outlier` set where they moved too far; a flag that is set stays."""
        judged: list[BarRow] = []
        for row in rows:
            is_outlier = self._take(row, is_known=False)
            judged.append(row if is_outlier == row.is_outlier else row._replace(is_outlier=is_outlier))
        return tuple(judged)

    def _take(self, row: BarRow, *, is_known: bool) -> bool:
        bar_ms = bar_length_ms(row.interval)
        return self.take(_figures(row), row.close_ms, bar_ms, is_outlier=row.is_outlier, is_known=is_known)

    def take(
        self,
        figures: Sequence[tuple[Figure, float | None]],
        close_ms: int,
        bar_ms: int,
        *,
        is_outlier: bool = False,
        is_known: bool = False,
    ) -> bool:
        """Whether a bar with these figures is flagged; is_known: `is_outlier` says it, nothing is judged."""
        if not self._windows:
            self._windows = [_Window() for _ in figures]
        values = tuple(_usable(figure, value) for figure, value in figures)
        for index, (figure, _) in enumerate(figures):
            size = self._size(index, values[index], close_ms, bar_ms)
            if not is_known:
                is_outlier = self._windows[index].is_beyond(size, figure.floor) or is_outlier
            self._windows[index].add(size)
        self._seen.appendleft(_Seen(close_ms, values, is_outlier))
        return is_outlier

    def _size(self, index: int, value: float | None, close_ms: int, bar_ms: int) -> float | None:
        """Size of the smaller move of those since the last bar and since the last one without a flag."""
        if value is None:
            return None
        found: float | None = None
        for seen in self._seen:
            before = seen.values[index]
            if before is None:
                continue
            bars = max(1, round((close_ms - seen.close_ms) / bar_ms))
            size = abs(value - before) / math.sqrt(bars)
            if found is None or (not seen.is_outlier and size < found):
                found = size
            if not seen.is_outlier:
                break
        return found


def outlier_flags(figure: Figure, values: Sequence[float]) -> tuple[bool, ...]:
    """The flags of one figure, bar after bar without holes."""
    judge = OutlierJudge()
    return tuple(judge.take(((figure, value),), bar, 1) for bar, value in enumerate(values))


def _usable(figure: Figure, value: float | None) -> float | None:
    """What moves are differences of: the logarithm or the value; None when there is none."""
    if value is None:
        return None
    if not figure.is_log:
        return value
    return math.log(value) if value > 0 else None


def _figures(row: BarRow) -> tuple[tuple[Figure, float | None], ...]:
    """The figures of a bar that are judged. Of a candle high and low too: bad prints hide in wicks."""
    if isinstance(row, CandleRow):
        return (
            (PRICE, row.close),
            (PRICE, row.high),
            (PRICE, row.low),
            (VOLUME, row.volume_base),
        )
    if isinstance(row, OpenInterestRow):
        return (PRICE, row.close_usd), (PRICE, row.close_base)
    if isinstance(row, FundingRow):
        rates = (row.rate_8h_frac, row.oi_weighted_8h_frac, row.volume_weighted_8h_frac)
        return tuple((FUNDING, rate) for rate in rates)
    if isinstance(row, RatioRow):
        return ((SHARE, row.long_share_frac),)
    return (VOLUME, row.buy_usd), (VOLUME, row.sell_usd)
