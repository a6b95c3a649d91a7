"""Open interest by the minute: changes in coins at the price now, of one exchange and neighbours only."""

from __future__ import annotations

import pytest

from app.core.domain.stored import OpenInterestRow
from app.core.heatmap.buckets import bucket_of
from app.core.heatmap.interest import interest_minutes

T0_MIN = 29_533_000


def row(minute: int, coins: float, price: float = 50.0, exchange: str = "ALL") -> OpenInterestRow:
    close_ms = (T0_MIN + minute) * 60_000
    none = (None, None, None)
    return OpenInterestRow(
        exchange, "BTC", "1m", close_ms, *none, coins * price, *none, coins, "coinglass", close_ms
    )


def test_worked_number() -> None:
    (found,) = interest_minutes([row(0, 100.0), row(1, 103.0)])
    assert found.change_usd == pytest.approx(150.0)
    assert (found.ts_min, found.bucket) == (T0_MIN, bucket_of(50.0))


def test_a_move_of_the_price_alone_is_no_change() -> None:
    (found,) = interest_minutes([row(0, 100.0, 50.0), row(1, 100.0, 55.0)])
    assert (found.change_usd, found.bucket) == (0.0, bucket_of(55.0))


def test_minutes_that_are_no_neighbours_make_no_change() -> None:
    assert interest_minutes([row(0, 100.0), row(2, 103.0)]) == []


def test_only_the_exchange_of_the_newest_bar_counts() -> None:
    rows = [row(0, 100.0), row(1, 101.0), row(1, 5.0, exchange="OKX"), row(2, 6.0, exchange="OKX")]
    assert [found.change_usd for found in interest_minutes(rows)] == [pytest.approx(50.0)]


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = [row(n, 100.0 + n) for n in range(5)]
    assert interest_minutes(rows[::-1]) == interest_minutes(rows)
    assert len(interest_minutes(rows)) == 4


def test_rows_without_coins_are_passed_over() -> None:
    assert interest_minutes([row(0, 100.0)._replace(close_base=None), row(1, 103.0)]) == []
    assert interest_minutes([]) == []
