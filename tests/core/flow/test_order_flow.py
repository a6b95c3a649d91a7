"""Accumulation, distribution, whales and volume spikes."""

from __future__ import annotations

import pytest

from app.core.domain.flow import AlertKind, Finding, StreamGap
from app.core.domain.signal import Direction
from tests.event_facts import Play, T, mirrored, ordered

LARGE = 10_000.0  # of BTC


def of(kind: AlertKind, found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.kind is kind]


def buying(*, large: int, small: int, sells: int, is_mirrored: bool = False) -> Play:
    """Sells and small buys of 1,000 USD each, then large buys, one trade a second."""
    play = Play(is_mirrored=is_mirrored)
    sizes = [(False, 1_000.0)] * sells + [(True, 1_000.0)] * small + [(True, LARGE)] * large
    for second, (is_buy, usd) in enumerate(sizes):
        play.trade(is_buy, usd, float(second), price=60_000.0 + second)
    return play


class TestOrderFlow:
    def test_three_large_buys_among_ten_trades_accumulate(self) -> None:
        (finding,) = of(AlertKind.ACCUMULATION, buying(large=3, small=3, sells=4).found)
        assert (finding.direction, finding.usd, finding.window_s) == (Direction.LONG, 33_000.0, 300)
        assert finding.price == 60_009.0
        evidence = dict(finding.evidence)
        assert (evidence["large_buys"], evidence["trades"]) == (3.0, 10.0)
        assert evidence["buy_share_frac"] == pytest.approx(33 / 37)
        assert finding.ratio == pytest.approx(33_000 / 2e6)

    @pytest.mark.parametrize(
        ("large", "small", "sells"),
        [(2, 4, 4), (3, 3, 3), (3, 0, 17)],  # two large ones; nine trades; 64 % bought
    )
    def test_less_does_not(self, large: int, small: int, sells: int) -> None:
        assert of(AlertKind.ACCUMULATION, buying(large=large, small=small, sells=sells).found) == []

    def test_five_large_among_twenty_are_whales(self) -> None:
        found = buying(large=5, small=0, sells=15).found
        (finding,) = of(AlertKind.WHALE_ACCUMULATION, found)
        assert (finding.direction, finding.usd) == (Direction.LONG, 50_000.0)

    @pytest.mark.parametrize(("large", "small", "sells"), [(4, 16, 0), (5, 0, 14)])
    def test_fewer_are_none(self, large: int, small: int, sells: int) -> None:
        found = buying(large=large, small=small, sells=sells).found
        assert of(AlertKind.WHALE_ACCUMULATION, found) == []

    def test_the_mirror_distributes(self) -> None:
        as_it_is = buying(large=6, small=6, sells=10).found
        mirror = buying(large=6, small=6, sells=10, is_mirrored=True).found
        assert {finding.kind for finding in mirror} == {
            AlertKind.DISTRIBUTION,
            AlertKind.WHALE_DISTRIBUTION,
        }
        for one, other in zip(mirror, as_it_is, strict=True):
            turned = mirrored(one)
            shares = dict(turned.evidence).pop("buy_share_frac"), dict(other.evidence)["buy_share_frac"]
            assert shares[0] == pytest.approx(shares[1])
            assert _without_share(turned) == _without_share(ordered(other))

    def test_an_episode_grows_and_ends_with_its_peak(self) -> None:
        play = buying(large=4, small=6, sells=0)
        for second in range(10, 16):
            play.trade(False, 40_000.0, float(second))
        found = of(AlertKind.ACCUMULATION, play.found)
        assert len({finding.episode for finding in found}) == 1
        assert [finding.is_final for finding in found] == [False] * (len(found) - 1) + [True]
        assert found[-1].usd == 46_000.0
        assert dict(found[-1].evidence)["buy_share_frac"] == 1.0

    def test_a_share_that_hovers_at_the_threshold_is_one_episode(self) -> None:
        play = buying(large=4, small=0, sells=0)
        for second in range(4, 20):
            play.trade(second % 2 == 0, 20_000.0 if second % 2 else 42_000.0, float(second))
        assert len({f.episode for f in of(AlertKind.ACCUMULATION, play.found)}) == 1

    def test_it_ends_when_the_trades_stop(self) -> None:
        play = buying(large=4, small=8, sells=0)
        assert of(AlertKind.ACCUMULATION, play.pass_time(100.0)) == []
        (finding,) = of(AlertKind.ACCUMULATION, play.pass_time(320.0))
        assert finding.is_final
        assert play.engine.counters()["busy"] == 0


def _without_share(finding: Finding) -> tuple[object, ...]:
    evidence = tuple(pair for pair in finding.evidence if pair[0] != "buy_share_frac")
    return finding.kind, finding.direction, finding.episode, finding.usd, finding.price, evidence


class TestVolumeSpike:
    def spike(self, last_minute_usd: float, *, minutes: int = 6) -> list[Finding]:
        """Minutes of ten trades, 100, 120, 80, 100 thousand USD in turn; then one of another size."""
        play, usd = Play(), (10_000.0, 12_000.0, 8_000.0, 10_000.0)
        for minute in range(minutes):
            for k in range(10):
                play.trade(k % 2 == 0, usd[minute % 4], minute * 60.0 + k)
        for k in range(10):
            play.trade(k % 2 == 0, last_minute_usd / 10, minutes * 60.0 + 10 + k)
        return of(AlertKind.VOLUME_SPIKE, play.found)

    def test_three_times_the_mean_of_the_four_minutes_before_is_one(self) -> None:
        found = self.spike(300_000.0)
        assert found[-1].direction is Direction.NEUTRAL
        assert (found[-1].usd, found[-1].window_s) == (300_000.0, 60)
        assert dict(found[-1].evidence)["ratio_to_mean"] == 3.0
        assert dict(found[-1].evidence)["mean_minute_usd"] == 100_000.0

    def test_less_is_none(self) -> None:
        assert self.spike(299_000.0) == []

    def test_four_minutes_must_have_been_seen(self) -> None:
        assert self.spike(900_000.0, minutes=4) == []

    def test_a_gap_makes_it_wait_again(self) -> None:
        play = Play()
        for second in range(600):
            play.trade(True, 100.0, float(second))
        play.engine.note_gap(StreamGap("coinglass", T + 600_000, T + 610_000, "drop"))
        for second in range(610, 650):
            play.trade(True, 10_000.0, float(second))
        assert of(AlertKind.VOLUME_SPIKE, play.found) == []
