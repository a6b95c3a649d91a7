"""Both sides of an evaluation on candles: one walk for all horizons, mirrors, and what nobody can tell."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.evaluations import EvaluationRef
from app.core.domain.outcomes import OutcomeRow, Touch, Unscorable
from app.core.domain.signal import Direction
from app.core.outcomes.first_touch import PathBar
from app.core.outcomes.rows import ended, facts_of
from app.core.outcomes.sides import Judged, Path, begin_side, judge_trade
from tests.outcome_facts import HOUR_MS, T0_MS

MIN = 60_000
# Made within a minute: the first price after it is the open of the next one.
MADE_MS = T0_MS + 75_000
REF = EvaluationRef("c-1", "BTC", MADE_MS)


def rows(side: Direction = Direction.LONG) -> list[OutcomeRow]:
    return begin_side(REF, side, tier=1)


def minutes(count: int, hits: dict[int, tuple[float, float]] | None = None, size: int = 1) -> list[PathBar]:
    """Bars from five minutes before the evaluation on, at 100; hits: minute -> (high, low)."""
    bars = []
    for index in range(-5, count, size):
        start = T0_MS + index * MIN
        found = [(hits or {}).get(minute, (100.0, 100.0)) for minute in range(index, index + size)]
        high, low = max(one[0] for one in found), min(one[1] for one in found)
        bars.append(PathBar(start, start + size * MIN, 100.0, high, low, 100.0))
    return bars


def one_minute(bars: Sequence[PathBar], exchange: str = "OKX") -> Path:
    return Path("1m", exchange, bars)


def judge(
    trade: list[OutcomeRow], *paths: Path, until_ms: int = T0_MS + 30 * HOUR_MS, atr: float | None = 1.0
) -> dict[str, Judged]:
    found = judge_trade(trade, paths, atr_usd=atr, known_until_ms=until_ms)
    return {one.row.horizon: one for one in found}


def test_a_touch_ends_all_later_horizons_alike() -> None:
    found = judge(rows(), one_minute(minutes(26 * 60, {40: (101.2, 99.9)})))
    assert found["15m"].ending is not None
    assert found["15m"].ending.touch is Touch.TIMEOUT
    later = [found[name].ending for name in ("1h", "4h", "24h")]
    assert later[0] is not None
    assert later == [later[0]] * 3
    assert (later[0].touch, later[0].at_ms, later[0].exit_price) == (Touch.TARGET, T0_MS + 41 * MIN, 101.0)
    row = found["1h"].row
    # The open of the first minute after it was made; barriers of one ATR around that.
    assert (row.entered_ms, row.entry_price) == (T0_MS + 2 * MIN, 100.0)
    assert (row.stop_price, row.target_price) == (99.0, 101.0)
    assert (row.setup, row.trade_id) == ("SIGNAL:LONG:1", "c-1:LONG")
    assert (facts_of(row).exchange, facts_of(row).atr_usd) == ("OKX", 1.0)


def test_a_bar_that_touches_both_barriers_is_a_loss_for_both_sides() -> None:
    path = one_minute(minutes(60, {10: (101.5, 98.5)}))
    for side in Direction.LONG, Direction.SHORT:
        (found, *_) = judge_trade(rows(side), [path], atr_usd=1.0, known_until_ms=T0_MS + HOUR_MS)
        assert found.ending is not None
        assert found.ending.touch is Touch.BOTH
        row = ended(found.row, found.ending, path="1m", settlements=None, now_ms=T0_MS)
        assert row.net_return_frac == pytest.approx(-0.01 - 0.0016)


@given(
    moves=st.lists(
        st.tuples(st.floats(0, 1.4), st.floats(0, 1.4), st.floats(-0.3, 0.3)), min_size=70, max_size=70
    ),
    rate=st.floats(-0.001, 0.001),
)
def test_a_mirrored_market_swaps_the_sides(moves: list[tuple[float, float, float]], rate: float) -> None:
    def market(sign: int) -> list[PathBar]:
        bars = []
        for index, (up, down, close) in enumerate(moves):
            high, low = 100 + max(up, close, 0), 100 - max(down, -close, 0)
            if sign < 0:
                high, low = 200 - low, 200 - high
            start = T0_MS + index * MIN
            bars.append(PathBar(start, start + MIN, 100.0, high, low, 100 + sign * close))
        return bars

    def nets(side: Direction, sign: int) -> list[tuple[str, float | None]]:
        found = judge(rows(side), one_minute(market(sign)), until_ms=T0_MS + 70 * MIN).values()
        paid = [(T0_MS + 30 * MIN, sign * rate)]
        done = [
            ended(one.row, one.ending, path="1m", settlements=paid, now_ms=T0_MS)
            for one in found
            if one.ending
        ]
        return [(str(row.first_touch), row.net_return_frac) for row in done]

    for side, other in ((Direction.LONG, Direction.SHORT), (Direction.SHORT, Direction.LONG)):
        here, there = nets(side, 1), nets(other, -1)
        assert [one[0] for one in here] == [one[0] for one in there]
        assert [one[1] for one in here] == pytest.approx([one[1] for one in there])


def test_longs_pay_positive_funding_and_shorts_receive_it() -> None:
    path = one_minute(minutes(70))
    nets = {}
    for side in Direction.LONG, Direction.SHORT:
        found = judge(rows(side), path, until_ms=T0_MS + 65 * MIN)["1h"]
        assert found.ending is not None
        paid = [(T0_MS + HOUR_MS, 0.0005)]
        row = ended(found.row, found.ending, path="1m", settlements=paid, now_ms=T0_MS)
        nets[side] = row.net_return_frac
    assert nets == {
        Direction.LONG: pytest.approx(-0.0016 - 0.0005),
        Direction.SHORT: pytest.approx(-0.0016 + 0.0005),
    }


def test_what_a_finer_path_does_not_reach_is_asked_of_the_coarser_one() -> None:
    late = [bar for bar in minutes(26 * 60, {600: (100.0, 98.0)}) if bar.start_ms > T0_MS + HOUR_MS]
    five = Path("5m", "OKX", minutes(26 * 60, {600: (100.0, 98.0)}, size=5))
    found = judge(rows(), one_minute(late), five)["24h"]
    assert found.ending is not None
    assert (found.interval, found.ending.touch) == ("5m", Touch.STOP)
    assert found.row.entered_ms == T0_MS + 5 * MIN


def test_a_hole_in_the_finer_path_is_filled_by_the_coarser_one() -> None:
    holed = [bar for bar in minutes(300) if not 20 <= (bar.start_ms - T0_MS) // MIN < 30]
    five = Path("5m", "OKX", minutes(300, size=5))
    found = judge(rows(), one_minute(holed), five, until_ms=T0_MS + 300 * MIN)
    assert (found["15m"].interval, found["1h"].interval) == ("1m", "5m")
    assert judge(rows(), one_minute(holed))["1h"].reason is Unscorable.HOLES


def test_another_exchange_says_nothing_of_a_trade_that_was_entered() -> None:
    first = judge(rows(), one_minute(minutes(10)), until_ms=T0_MS + 10 * MIN)
    trade = [one.row for one in first.values()]
    assert [one.reason for one in first.values()] == [None] * 4
    other = one_minute(minutes(70, {20: (105.0, 95.0)}), exchange="Binance")
    assert {one.reason for one in judge(trade, other).values()} == {Unscorable.HOLES}
    assert judge(trade, one_minute(minutes(70)))["1h"].ending is not None


def test_without_a_price_soon_enough_or_an_atr_nobody_entered() -> None:
    late = [bar for bar in minutes(70) if not 0 <= (bar.start_ms - T0_MS) // MIN < 8]
    assert {one.reason for one in judge(rows(), one_minute(late)).values()} == {Unscorable.NO_ENTRY}
    begins_after = [bar for bar in minutes(70) if bar.start_ms > MADE_MS]
    assert {one.reason for one in judge(rows(), one_minute(begins_after)).values()} == {Unscorable.NO_ENTRY}
    found = judge(rows(), one_minute(minutes(70)), atr=None)
    assert {one.reason for one in found.values()} == {Unscorable.NO_BARRIERS}


def test_what_lies_after_the_moment_is_not_looked_at() -> None:
    path = one_minute(minutes(26 * 60, {40: (101.2, 99.9), 41: (100.0, 90.0)}))
    for until_min in (2, 10, 18, 39, 40, 41, 61, 300):
        until_ms = T0_MS + until_min * MIN
        known = one_minute([bar for bar in path.bars if bar.end_ms <= until_ms])
        whole = judge(rows(), path, until_ms=until_ms)
        assert whole == judge(rows(), known, until_ms=until_ms)
