"""The synthetic market: the same for everyone, never ahead of now, and hanging together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from app.core.domain.market import DAY_MS, HOUR_MS, INTERVAL_MS
from app.sim.bars import WEEK_MS, Groups, ceil_open, floor_open, span_of
from app.sim.clocks import SimClock
from app.sim.market import CandleColumns, LiquidationColumns, MarketSource, ValueColumns
from app.sim.world import SyntheticWorld
from app.sim.world_tide import CHUNK, EPOCH_MS, Decay

NOW_MS = 1_760_000_000_000 + 23 * 60_000 + 17_123  # in the middle of a minute, of an hour and of a day
Series = Callable[[SyntheticWorld, int], CandleColumns | ValueColumns | LiquidationColumns]


def world_at(now_ms: int, seed: int = 7) -> SyntheticWorld:
    return SyntheticWorld(seed, lambda: now_ms)


def _columns(answer: object) -> dict[str, np.ndarray]:
    return {name: getattr(answer, name) for name in answer.__slots__}  # type: ignore[attr-defined]


START_MS = NOW_MS - 12 * DAY_MS
SERIES: dict[str, Series] = {
    "candles": lambda w, step: w.candles("BTC", "OKX", step, START_MS, w.now_ms()),
    "open interest base": lambda w, step: w.open_interest("ETH", "All", "base", step, START_MS, w.now_ms()),
    "open interest usd": lambda w, step: w.open_interest("BTC", "Binance", "usd", step, START_MS, w.now_ms()),
    "funding": lambda w, step: w.funding_weighted("BTC", step, START_MS, w.now_ms()),
    "liquidations": lambda w, step: w.liquidations("PEPE", ("OKX", "Bybit"), step, START_MS, w.now_ms()),
    "accounts": lambda w, step: w.account_long_share("BTC", "Binance", step, START_MS, w.now_ms()),
    "top accounts": lambda w, step: w.top_account_long_share("BTC", "OKX", step, START_MS, w.now_ms()),
    "top positions": lambda w, step: w.top_position_long_share("BTC", "OKX", step, START_MS, w.now_ms()),
    "taker buys": lambda w, step: w.taker_volume("SOL", "OKX", step, START_MS, w.now_ms())[0],
    "galaxy": lambda w, step: w.galaxy_score("BTC", step, START_MS, w.now_ms()),
}


class TestDeterminism:
    @pytest.mark.parametrize("name", SERIES)
    @pytest.mark.parametrize("interval", ["5m", "1h", "4h"])
    def test_two_worlds_of_one_seed_agree_to_the_bit(self, name: str, interval: str) -> None:
        one, other = (_columns(SERIES[name](world_at(NOW_MS), INTERVAL_MS[interval])) for _ in range(2))
        assert one["open_ms"].size > 10
        for column, values in one.items():
            np.testing.assert_array_equal(values, other[column])

    @pytest.mark.parametrize("name", SERIES)
    @pytest.mark.parametrize("interval", ["1m", "15m", "1h", "12h", "1d"])
    def test_closed_bars_do_not_depend_on_now(self, name: str, interval: str) -> None:
        step = INTERVAL_MS[interval]
        early = _columns(SERIES[name](world_at(NOW_MS), step))
        # Far enough that later chunks of the world had to be made.
        late_world = world_at(NOW_MS + 3 * CHUNK * HOUR_MS)
        late = _columns(SERIES[name](late_world, step))
        closed = early["is_closed"]
        assert closed[:-1].all()
        for column in early.keys() - {"is_closed"}:
            np.testing.assert_array_equal(early[column][closed], late[column][: closed.size][closed])

    def test_a_world_that_grew_step_by_step_equals_one_made_at_once(self) -> None:
        clock = SimClock()
        grown = SyntheticWorld(3, clock.now_ms)
        for days in range(40, 290, 50):
            clock.set(EPOCH_MS + days * DAY_MS)
            grown.last_price("DOGE")
        made = world_at(clock.now_ms(), seed=3)
        wanted = ("DOGE", "OKX", HOUR_MS, 0, clock.now_ms())
        np.testing.assert_array_equal(grown.candles(*wanted).close, made.candles(*wanted).close)

    def test_another_seed_is_another_world(self) -> None:
        assert world_at(NOW_MS, 1).last_price("BTC") != world_at(NOW_MS, 2).last_price("BTC")

    def test_events_are_the_same_however_they_are_asked_for(self) -> None:
        start = NOW_MS - HOUR_MS
        whole = world_at(NOW_MS).liquidation_events(start, NOW_MS)
        world = world_at(NOW_MS + DAY_MS)
        cut = [
            e
            for k in range(6)
            for e in world.liquidation_events(start + k * 600_000, start + (k + 1) * 600_000)
        ]
        assert whole == cut
        assert world_at(NOW_MS).trade_events("BTC", start, NOW_MS) == world.trade_events("BTC", start, NOW_MS)


class TestNow:
    @pytest.mark.parametrize("name", SERIES)
    @pytest.mark.parametrize("interval", list(INTERVAL_MS))
    def test_only_the_last_bar_is_forming_and_none_begins_after_now(self, name: str, interval: str) -> None:
        step = INTERVAL_MS[interval]
        answer = SERIES[name](world_at(NOW_MS), step)
        assert answer.open_ms[-1] == floor_open(NOW_MS, step)
        assert list(answer.is_closed[-2:]) == [True, False]
        assert (np.diff(answer.open_ms) == step).all()

    def test_nothing_after_now_is_revealed_when_asked_for(self) -> None:
        world = world_at(NOW_MS)
        later = NOW_MS + 10 * DAY_MS
        assert world.candles("BTC", "OKX", HOUR_MS, NOW_MS, later).open_ms.size == 0
        assert world.funding_settled("BTC", "OKX", NOW_MS, later).open_ms.size == 0
        assert world.fear_greed(NOW_MS, later).open_ms.size == 0
        assert max(e.ts_ms for e in world.liquidation_events(NOW_MS - HOUR_MS, later)) <= NOW_MS
        assert max(e.ts_ms for e in world.trade_events("BTC", NOW_MS - HOUR_MS, later)) <= NOW_MS

    def test_the_forming_bar_grows_into_the_closed_one(self) -> None:
        open_ms = floor_open(NOW_MS, HOUR_MS)
        lows, highs, volumes = [], [], []
        for minutes in (1, 17, 42, 59.5, 60):
            bar = world_at(open_ms + int(minutes * 60_000)).candles(
                "BTC", "OKX", HOUR_MS, open_ms, open_ms + 1
            )
            lows.append(bar.low[0])
            highs.append(bar.high[0])
            volumes.append(bar.volume_base[0])
        assert lows == sorted(lows, reverse=True)
        assert highs == sorted(highs)
        assert volumes == sorted(volumes)
        assert bar.is_closed.all()

    def test_last_price_is_the_close_of_every_forming_candle(self) -> None:
        world = world_at(NOW_MS)
        price, at_ms = world.last_price("ETH") or (0.0, 0)
        assert at_ms == NOW_MS
        for step in INTERVAL_MS.values():
            assert world.candles("ETH", "OKX", step, NOW_MS - 2 * step, NOW_MS).close[-1] == price

    def test_no_bar_forms_at_the_stroke_of_the_hour(self) -> None:
        on_the_hour = floor_open(NOW_MS, HOUR_MS)
        assert world_at(on_the_hour).candles("BTC", "OKX", HOUR_MS, 0, NOW_MS).is_closed.all()


class TestBars:
    @pytest.mark.parametrize("interval", ["5m", "15m", "30m", "1h", "4h", "8h", "12h", "1d"])
    def test_minutes_add_up_to_every_interval(self, interval: str) -> None:
        world, step = world_at(NOW_MS), INTERVAL_MS[interval]
        start = floor_open(NOW_MS - 3 * DAY_MS, DAY_MS)
        minutes = world.candles("BTC", "OKX", 60_000, start, NOW_MS)
        bars, groups = world.candles("BTC", "OKX", step, start, NOW_MS), Groups(minutes.open_ms, step)
        np.testing.assert_array_equal(bars.open_ms, groups.open_ms)
        np.testing.assert_array_equal(bars.open, groups.first(minutes.open))
        np.testing.assert_array_equal(bars.high, groups.highest(minutes.high))
        np.testing.assert_array_equal(bars.low, groups.lowest(minutes.low))
        np.testing.assert_array_equal(bars.close, groups.last(minutes.close))
        np.testing.assert_allclose(bars.volume_base, groups.total(minutes.volume_base), rtol=1e-9)

    @pytest.mark.parametrize("interval", ["5m", "30m", "4h", "1d"])
    def test_liquidations_and_taker_volume_add_up(self, interval: str) -> None:
        world, step = world_at(NOW_MS), INTERVAL_MS[interval]
        start = floor_open(NOW_MS - 3 * DAY_MS, DAY_MS)
        small = min(step, HOUR_MS)
        fine = world.liquidations("BTC", ("Binance", "OKX"), small // 5, start, NOW_MS)
        coarse = world.liquidations("BTC", ("Binance", "OKX"), step, start, NOW_MS)
        groups = Groups(fine.open_ms, step)
        np.testing.assert_allclose(coarse.long_usd, groups.total(fine.long_usd), rtol=1e-9)
        np.testing.assert_allclose(coarse.short_usd, groups.total(fine.short_usd), rtol=1e-9)
        (buys, sells), (fine_buys, _) = (
            world.taker_volume("BTC", "OKX", ms, start, NOW_MS) for ms in (step, 60_000)
        )
        np.testing.assert_allclose(
            buys.values, Groups(fine_buys.open_ms, step).total(fine_buys.values), rtol=1e-9
        )
        assert sells.values.shape == buys.values.shape

    def test_weeks_open_on_monday(self) -> None:
        weeks = world_at(NOW_MS).candles("BTC", "OKX", WEEK_MS, NOW_MS - 60 * DAY_MS, NOW_MS)
        assert weeks.open_ms.size >= 8
        assert ((weeks.open_ms // DAY_MS + 3) % 7 == 0).all()

    def test_candles_are_consistent_and_contiguous_at_every_price_scale(self) -> None:
        world = world_at(NOW_MS)
        for coin in world.coins():
            bars = world.candles(coin.base, "OKX", HOUR_MS, 0, NOW_MS)
            assert bars.low.min() > 0
            assert (bars.low <= np.minimum(bars.open, bars.close)).all()
            assert (bars.high >= np.maximum(bars.open, bars.close)).all()
            np.testing.assert_array_equal(bars.open[1:], bars.close[:-1])
            assert bars.volume_base.min() > 0

    @pytest.mark.parametrize("interval_ms", [7 * 60_000, 90 * 60_000, 1000, 0])
    def test_intervals_that_do_not_tile_the_day_are_empty(self, interval_ms: int) -> None:
        assert world_at(NOW_MS).candles("BTC", "OKX", interval_ms, START_MS, NOW_MS).open_ms.size == 0

    def test_grid_helpers(self) -> None:
        assert (
            floor_open(HOUR_MS + 1, HOUR_MS)
            == HOUR_MS
            == ceil_open(1, HOUR_MS)
            == ceil_open(HOUR_MS, HOUR_MS)
        )
        assert floor_open(5 * DAY_MS, WEEK_MS) == 4 * DAY_MS
        assert span_of(HOUR_MS, 10, 10, now_ms=NOW_MS, floor_ms=0) is None

    def test_decay_worked_number(self) -> None:
        filtered = Decay((0.5,)).run(np.zeros((1, CHUNK)), np.array([4.0]))
        assert list(filtered[0, :2]) == [2.0, 1.0]


class TestCoherence:
    def test_at_least_thirty_coins_on_realistic_scales(self) -> None:
        world = world_at(NOW_MS)
        coins = {coin.base: coin for coin in world.coins()}
        assert len(coins) >= 30
        assert (coins["BTC"].contract_base, coins["PEPE"].contract_base) == (0.01, 1e7)
        assert coins["PEPE"].binance_multiplier == 1000
        assert {coin.funding_interval_h for coin in coins.values()} == {4, 8}
        pepe, _ = world.last_price("PEPE") or (0.0, 0)
        btc, _ = world.last_price("BTC") or (0.0, 0)
        assert 1e-7 < pepe < 1e-3
        assert 2e4 < btc < 4e5

    def test_a_fast_drop_liquidates_longs_and_a_fast_rise_shorts(self) -> None:
        world = world_at(NOW_MS)
        bars = world.candles("BTC", "OKX", HOUR_MS, 0, NOW_MS)
        forced = world.liquidations("BTC", ("All",), HOUR_MS, 0, NOW_MS)
        move = bars.close / bars.open - 1
        drops, rises = move < -0.012, move > 0.012
        assert drops.sum() > 20
        assert rises.sum() > 20
        assert (forced.long_usd[drops] > forced.short_usd[drops]).mean() > 0.95
        assert (forced.short_usd[rises] > forced.long_usd[rises]).mean() > 0.95
        assert forced.long_usd[drops].mean() > 5 * forced.long_usd.mean()

    def test_open_interest_in_usd_is_coins_times_price(self) -> None:
        world = world_at(NOW_MS)
        for step in (300_000, HOUR_MS, 4 * HOUR_MS):
            coins, usd = (
                world.open_interest("BTC", "All", u, step, START_MS, NOW_MS) for u in ("base", "usd")
            )
            close = world.candles("BTC", "OKX", step, START_MS, NOW_MS).close
            np.testing.assert_allclose(usd.values, coins.values * close, rtol=1e-12)

    def test_crowd_leans_against_the_move_and_funding_with_it(self) -> None:
        world = world_at(NOW_MS)
        close = world.candles("BTC", "OKX", HOUR_MS, 0, NOW_MS).close
        day = np.log(close[24:] / close[:-24])
        accounts = world.account_long_share("BTC", "Binance", HOUR_MS, 0, NOW_MS).values[24:]
        funding = world.funding_weighted("BTC", HOUR_MS, 0, NOW_MS).values[24:]
        tops = world.top_position_long_share("BTC", "Binance", HOUR_MS, 0, NOW_MS).values[24:]
        assert np.corrcoef(day, accounts)[0, 1] < -0.3
        assert np.corrcoef(day, funding)[0, 1] > 0.2
        assert np.corrcoef(day, tops)[0, 1] > 0.1

    def test_volatility_clusters(self) -> None:
        close = world_at(NOW_MS).candles("BTC", "OKX", HOUR_MS, 0, NOW_MS).close
        size = np.abs(np.diff(np.log(close)))
        assert np.corrcoef(size[1:], size[:-1])[0, 1] > 0.1

    def test_every_value_is_plausible(self) -> None:
        world = world_at(NOW_MS)
        for base in ("BTC", "PEPE", "1INCH"):
            for share in (
                world.account_long_share,
                world.top_account_long_share,
                world.top_position_long_share,
            ):
                values = share(base, "OKX", HOUR_MS, 0, NOW_MS).values
                assert 0 < values.min() < values.max() < 1
            assert np.abs(world.funding_weighted(base, HOUR_MS, 0, NOW_MS).values).max() <= 0.003
            assert world.open_interest(base, "All", "base", HOUR_MS, 0, NOW_MS).values.min() > 0
        galaxy = world.galaxy_score("BTC", HOUR_MS, 0, NOW_MS).values
        assert 70 < np.median(galaxy) < 80
        assert 0 <= galaxy.min() <= galaxy.max() <= 100

    def test_histories_reach_back_400_days(self) -> None:
        world = world_at(NOW_MS)
        assert world.candles("BTC", "OKX", HOUR_MS, NOW_MS - 400 * DAY_MS, NOW_MS).open_ms.size == 9600
        index = world.fear_greed(NOW_MS - 400 * DAY_MS, NOW_MS)
        assert index.open_ms.size == 400
        assert 0 < index.values.min() < index.values.max() < 100

    def test_fear_and_greed_follows_the_month(self) -> None:
        world = world_at(NOW_MS)
        index = world.fear_greed(0, NOW_MS)
        close = world.candles("BTC", "OKX", DAY_MS, 0, NOW_MS).close
        month = np.log(close[29:] / np.concatenate([[close[0]], close])[: close.size - 29])[
            : index.values.size
        ]
        assert np.corrcoef(month, index.values)[0, 1] > 0.8

    def test_exchanges_sum_to_all(self) -> None:
        world = world_at(NOW_MS)
        total = world.liquidations("SOL", ("All",), HOUR_MS, START_MS, NOW_MS)
        parts = world.liquidations("SOL", world.exchanges(), HOUR_MS, START_MS, NOW_MS)
        np.testing.assert_allclose(total.long_usd, parts.long_usd, rtol=1e-9)

    def test_unknown_coins_and_exchanges_are_empty(self) -> None:
        world: MarketSource = world_at(NOW_MS)
        assert world.last_price("NOPE") is None
        assert world.funding_current("BTC", "Nowhere") is None
        assert world.candles("BTC", "Nowhere", HOUR_MS, START_MS, NOW_MS).open_ms.size == 0
        assert world.liquidations("BTC", (), HOUR_MS, START_MS, NOW_MS).open_ms.size == 0
        assert world.taker_volume("NOPE", "OKX", HOUR_MS, START_MS, NOW_MS)[0].open_ms.size == 0
        assert world.trade_events("NOPE", START_MS, NOW_MS) == []


class TestFundingPeriods:
    @pytest.mark.parametrize("base, hours", [("BTC", 8), ("TIA", 4)])
    def test_settlements_stand_on_the_period_and_the_running_one_ends_next(
        self, base: str, hours: int
    ) -> None:
        world = world_at(NOW_MS)
        settled = world.funding_settled(base, "OKX", NOW_MS - 10 * DAY_MS, NOW_MS + DAY_MS)
        assert (settled.open_ms % (hours * HOUR_MS) == 0).all()
        assert settled.open_ms[-1] <= NOW_MS
        assert settled.values.size == 240 // hours
        rate, previous_ms, next_ms = world.funding_current(base, "OKX") or (1.0, 0, 0)
        assert previous_ms == settled.open_ms[-1]
        assert next_ms - previous_ms == hours * HOUR_MS
        assert abs(rate) <= 0.004

    def test_a_four_hour_rate_is_half_of_the_eight_hour_rate(self) -> None:
        world = world_at(NOW_MS)
        rate, previous_ms, _ = world.funding_current("TIA", "OKX") or (1.0, 0, 0)
        weighted = world.funding_weighted("TIA", HOUR_MS, previous_ms, NOW_MS).values[-1]
        assert rate == pytest.approx(weighted / 2, abs=5e-5)


class TestEvents:
    @pytest.mark.parametrize("exchanges", [("All",), ("Binance",), ("OKX", "Bybit")])
    def test_single_orders_sum_to_the_hourly_columns(self, exchanges: tuple[str, ...]) -> None:
        world = world_at(NOW_MS)
        start = floor_open(NOW_MS - DAY_MS, HOUR_MS)
        events = world.liquidation_events(start, NOW_MS + 1)
        for base in ("BTC", "SHIB"):
            bars = world.liquidations(base, exchanges, HOUR_MS, start, NOW_MS)
            sums = {"long": np.zeros(bars.open_ms.size), "short": np.zeros(bars.open_ms.size)}
            for event in events:
                if event.base == base and (exchanges == ("All",) or event.exchange in exchanges):
                    sums[event.liquidated][(event.ts_ms - start) // HOUR_MS] += event.usd
            np.testing.assert_allclose(sums["long"], bars.long_usd, rtol=1e-9)
            np.testing.assert_allclose(sums["short"], bars.short_usd, rtol=1e-9)

    def test_events_are_sorted_and_priced_near_the_market(self) -> None:
        world = world_at(NOW_MS)
        start = floor_open(NOW_MS - 2 * HOUR_MS, HOUR_MS)
        events = world.liquidation_events(start, NOW_MS)
        assert [e.ts_ms for e in events] == sorted(e.ts_ms for e in events)
        assert {e.base for e in events} == {coin.base for coin in world.coins()}
        bars = world.candles("BTC", "OKX", HOUR_MS, start, NOW_MS)
        prices = [e.price_usd for e in events if e.base == "BTC"]
        assert bars.low.min() * 0.998 < min(prices) < max(prices) < bars.high.max() * 1.002
        assert min(e.usd for e in events) > 0

    def test_trades_are_sorted_priced_and_two_sided(self) -> None:
        trades = world_at(NOW_MS).trade_events("PEPE", NOW_MS - HOUR_MS, NOW_MS)
        assert len(trades) > 50
        assert [t.ts_ms for t in trades] == sorted(t.ts_ms for t in trades)
        assert {t.taker for t in trades} == {"buy", "sell"}
        assert min(min(t.price_usd, t.usd) for t in trades) > 0


class TestSimClock:
    def test_worked_number(self) -> None:
        clock = SimClock(start_ms=1_000_000, speed=60, anchor_s=5.0, monotonic=lambda: 7.0)
        assert clock.now_ms() == 1_120_000

    def test_default_is_the_wall_clock(self) -> None:
        assert SimClock(wall_ms=lambda: 1234).now_ms() == 1234

    def test_set_stands_still_until_resumed(self) -> None:
        passed = [0.0]
        clock = SimClock(start_ms=0, speed=2, anchor_s=0.0, monotonic=lambda: passed[0])
        clock.set(50_000)
        passed[0] = 10.0
        assert clock.is_frozen
        assert clock.now_ms() == 50_000
        clock.resume()
        passed[0] = 11.0
        assert clock.now_ms() == 52_000
        clock.resume()
        assert clock.now_ms() == 52_000

    @pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
    def test_a_clock_that_does_not_run_forward_is_refused(self, speed: float) -> None:
        with pytest.raises(ValueError, match="speed"):
            SimClock(speed=speed)
