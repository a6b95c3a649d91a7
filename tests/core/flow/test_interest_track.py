"""Polled open interest: five-minute changes in their own past, closed bars, exchanges never mixed."""

from __future__ import annotations

import pytest

from app.core.domain.stored import OpenInterestRow
from app.core.flow.interest_track import FIVE_MIN_MS, InterestSample, InterestTrack
from app.core.flow.polled import InterestChange

T0_MS = 1_772_000_100_000  # on a five-minute edge


def sample(at_s: float, base: float = 100.0, price: float = 50.0, exchange: str = "ALL") -> InterestSample:
    return InterestSample(exchange, T0_MS + round(at_s * 1000), base, base * price, price, "coinglass")


def feed(track: InterestTrack, *samples: InterestSample) -> list[OpenInterestRow]:
    return [row for one in samples for row in track.note(one)]


def closes(count: int, *, exchange_ms: int = T0_MS) -> list[tuple[int, float]]:
    """A past that wavers by one part in a thousand."""
    return [(exchange_ms - FIVE_MIN_MS * n, 100.0 + 0.1 * (n % 2)) for n in range(count, 0, -1)]


def test_the_sample_before_an_edge_closes_the_minute_and_the_five() -> None:
    track = InterestTrack("BTC")
    rows = feed(track, sample(-20, 99.0), sample(5, 101.0), sample(50, 102.0), sample(70, 103.0))
    assert [(row.interval, row.close_ms, row.close_base, row.close_usd) for row in rows] == [
        ("1m", T0_MS, 99.0, 4_950.0),
        ("5m", T0_MS, 99.0, 4_950.0),
        ("1m", T0_MS + 60_000, 102.0, 5_100.0),
    ]
    assert all(row.ts_init_ms >= row.close_ms for row in rows)


def test_a_minute_without_a_sample_has_no_bar() -> None:
    rows = feed(InterestTrack("BTC"), sample(5), sample(200))
    assert [row.close_ms for row in rows] == [T0_MS + 60_000]


def test_the_same_answer_again_counts_once() -> None:
    track = InterestTrack("BTC")
    assert feed(track, sample(5), sample(5), sample(4)) == []


def test_a_change_is_ranked_in_the_past_and_measured_in_coins() -> None:
    track = InterestTrack("BTC")
    feed(track, sample(0, 100.0, 50.0))
    track.learn(closes(400))
    feed(track, sample(290, 102.0, 55.0), sample(300, 103.0, 60.0))
    found = track.change(T0_MS + 300_000)
    assert isinstance(found, InterestChange)
    assert (found.change_frac, found.price_change_frac) == (pytest.approx(0.03), pytest.approx(0.2))
    assert found.usd == pytest.approx(180.0)
    assert (found.percentile, found.price, found.ts_event_ms) == (1.0, 60.0, T0_MS + 300_000)
    assert found.days == pytest.approx(400 / 288, abs=0.01)


def test_a_move_of_the_price_alone_is_nothing_unusual() -> None:
    track = InterestTrack("BTC")
    feed(track, sample(0, 100.0, 50.0))
    track.learn(closes(400))
    feed(track, sample(300, 100.0, 80.0))
    found = track.change(T0_MS + 300_000)
    assert isinstance(found, InterestChange)
    assert found.change_frac == 0.0
    assert 0.3 < found.percentile < 0.7


@pytest.mark.parametrize(
    ("samples", "past", "why"),
    [
        ([], 400, "not polled in the last five minutes"),
        ([sample(-400)], 400, "not polled in the last five minutes"),
        ([sample(250)], 400, "no sample of five minutes ago"),
        ([sample(-50), sample(300)], 400, "no sample of five minutes ago"),
        ([sample(0), sample(300)], 288, "287 five-minute changes known, 288 are needed"),
    ],
)
def test_what_cannot_be_said_says_why(samples: list[InterestSample], past: int, why: str) -> None:
    track = InterestTrack("BTC")
    for one in samples:
        track.note(one)
    track.learn(closes(past))
    found = track.change(T0_MS + 300_000)
    assert isinstance(found, str)
    assert why in found


def test_another_exchange_starts_again() -> None:
    track = InterestTrack("BTC")
    feed(track, sample(0))
    track.learn(closes(400))
    feed(track, sample(300, 3.0, exchange="OKX"))
    assert track.change(T0_MS + 300_000) == "no sample of five minutes ago"
    assert track.exchange == "OKX"


def test_own_closes_go_on_where_the_stored_past_ends() -> None:
    track = InterestTrack("BTC")
    feed(track, sample(-20, 100.2))
    track.learn(closes(289))
    feed(track, sample(10, 100.2))
    feed(track, sample(280, 100.2), sample(305, 100.2))
    found = track.change(T0_MS + 310_000)
    assert isinstance(found, InterestChange)


def test_a_hole_in_the_stored_past_makes_no_change() -> None:
    track = InterestTrack("BTC")
    feed(track, sample(0), sample(300))
    past = closes(400)
    track.learn(past[:100] + past[150:])
    found = track.change(T0_MS + 300_000)
    assert isinstance(found, InterestChange)
    track.learn(past[::2])
    assert track.change(T0_MS + 300_000) == "0 five-minute changes known, 288 are needed"
