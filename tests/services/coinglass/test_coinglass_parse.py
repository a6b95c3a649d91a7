"""History answers become domain columns: units, sides, times, order, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import pytest

from app.core.domain.market import DAY_MS, HOUR_MS, Candles, LiquidationHistory, Unit
from app.core.errors import ProviderBadPayload
from app.services.coinglass import parse

Body = Callable[[str, str], bytes]

T0 = 1_760_000_400_000  # open of the first bar of every history fixture
OI = "futures_open_interest_aggregated_history"
FUNDING = "futures_funding_rate_oi_weight_history"
LIQ = "futures_liquidation_aggregated_history"
PRICE = "futures_price_history"
GLOBAL = "futures_global_long_short_account_ratio_history"
TOP_ACCOUNT = "futures_top_long_short_account_ratio_history"
TOP_POSITION = "futures_top_long_short_position_ratio_history"
FEAR = "index_fear_greed_history"
TAKER = "futures_aggregated_taker_buy_sell_volume_history"

open_interest = partial(parse.parse_open_interest, endpoint=OI, interval_ms=HOUR_MS, unit=Unit.USD)
funding = partial(parse.parse_funding, endpoint=FUNDING, interval_ms=HOUR_MS)
liquidations = partial(parse.parse_liquidations, endpoint=LIQ, interval_ms=HOUR_MS, scope="Binance,OKX,Bybit")
candles = partial(parse.parse_candles, endpoint=PRICE, interval_ms=HOUR_MS, exchange="Binance", multiplier=1)
account_share = partial(
    parse.parse_long_share, endpoint=GLOBAL, interval_ms=HOUR_MS, side="global_account", label="accounts"
)
fear_greed = partial(parse.parse_fear_greed, endpoint=FEAR)


class TestTimes:
    @pytest.mark.parametrize(
        "wire",
        [1_636_588_800, 1_636_588_800_000, 1_636_588_800_000_000, 1_636_588_800_000_000_000],
        ids=["s", "ms", "us", "ns"],
    )
    def test_every_unit_of_epoch_time_is_the_same_moment(self, wire: float) -> None:
        assert parse.to_epoch_ms(wire, "any") == 1_636_588_800_000

    @pytest.mark.parametrize("wire", [0, -1, float("nan"), float("inf")])
    def test_a_time_that_is_not_positive_and_finite_is_refused(self, wire: float) -> None:
        with pytest.raises(ProviderBadPayload):
            parse.to_epoch_ms(wire, "any")

    def test_bars_stamped_by_open_leave_stamped_by_close(self, body: Body) -> None:
        assert open_interest(body(OI, "normal")).close_ms == (
            T0 + HOUR_MS,
            T0 + 2 * HOUR_MS,
            T0 + 3 * HOUR_MS,
        )

    def test_rows_in_seconds_give_the_same_series(self, body: Body) -> None:
        assert open_interest(body(OI, "seconds")) == open_interest(body(OI, "normal"))


class TestOpenInterest:
    def test_text_numbers_are_read_as_numbers(self, body: Body) -> None:
        series = open_interest(body(OI, "normal"))
        assert series.close == (31.2e9, 30.9e9, 31.5e9)
        assert series.unit is Unit.USD

    @pytest.mark.parametrize("case", ["mixed_number_types", "extra_field", "out_of_order"])
    def test_tolerated_shapes_give_the_same_series(self, body: Body, case: str) -> None:
        assert open_interest(body(OI, case)) == open_interest(body(OI, "normal"))

    def test_of_a_repeated_bar_the_last_row_counts(self, body: Body) -> None:
        assert open_interest(body(OI, "duplicate")).close == (31.2e9, 30.95e9, 31.5e9)

    @pytest.mark.parametrize("case", ["empty", "null_data"])
    def test_no_rows_give_an_empty_series(self, body: Body, case: str) -> None:
        assert open_interest(body(OI, case)).close_ms == ()

    @pytest.mark.parametrize("case", ["null_close", "missing_close", "zero_close", "text_nan"])
    def test_a_value_that_is_missing_or_not_plausible_is_refused(self, body: Body, case: str) -> None:
        with pytest.raises(ProviderBadPayload):
            open_interest(body(OI, case))

    def test_a_coin_listed_per_thousand_is_counted_in_coins(self, body: Body) -> None:
        series = open_interest(body(OI, "normal"), unit=Unit.BASE, multiplier=1000)
        assert series.close[0] == 31.2e12
        assert series.unit is Unit.BASE


class TestFunding:
    def test_percent_becomes_a_fraction_per_eight_hours(self, body: Body) -> None:
        series = funding(body(FUNDING, "normal"))
        assert series.values == pytest.approx((0.000066, -0.000124, 0.0001))
        assert series.unit is Unit.FRAC_PER_8H

    def test_numbers_instead_of_text_are_read_alike(self, body: Body) -> None:
        assert funding(body(FUNDING, "numbers")).values == pytest.approx((0.000066,))

    def test_out_of_order_rows_are_sorted(self, body: Body) -> None:
        assert funding(body(FUNDING, "out_of_order")) == funding(body(FUNDING, "normal"))

    @pytest.mark.parametrize("case", ["implausible", "null_close"])
    def test_a_rate_that_cannot_be_is_refused(self, body: Body, case: str) -> None:
        with pytest.raises(ProviderBadPayload):
            funding(body(FUNDING, case))

    def test_no_rows_give_an_empty_series(self, body: Body) -> None:
        assert funding(body(FUNDING, "empty")).values == ()


class TestLiquidations:
    def test_long_side_is_what_the_wire_calls_long(self, body: Body) -> None:
        history = liquidations(body(LIQ, "normal"))
        assert history.long_usd[0] == 2_500_000.5
        assert history.short_usd[0] == 400_000.25
        assert history.scope == "Binance,OKX,Bybit"

    def test_a_side_of_zero_beside_another_is_true(self, body: Body) -> None:
        read = parse.closed_liquidations(liquidations(body(LIQ, "normal")), T0 + 10 * HOUR_MS)
        assert read.long_usd[2] == 0.0

    @pytest.mark.parametrize(("zeros", "kept"), [(0, 1000), (10, 990), (19, 981), (20, 1000), (400, 1000)])
    def test_bars_of_zero_are_gaps_where_they_are_rare_and_true_where_not(
        self, zeros: int, kept: int
    ) -> None:
        usd = (0.0,) * zeros + (5.0,) * (1000 - zeros)
        close_ms = tuple(T0 + hour * HOUR_MS for hour in range(1000))
        history = LiquidationHistory(HOUR_MS, close_ms, usd, usd, "Binance")
        read = parse.closed_liquidations(history, close_ms[-1])
        assert len(read.close_ms) == len(read.long_usd) == kept
        assert read.close_ms[-1] == close_ms[-1]

    def test_nothing_but_zeros_is_a_dead_series(self) -> None:
        close_ms = tuple(T0 + hour * HOUR_MS for hour in range(100))
        history = LiquidationHistory(HOUR_MS, close_ms, (0.0,) * 100, (0.0,) * 100, "Binance")
        assert parse.closed_liquidations(history, close_ms[-1]).close_ms == ()

    def test_a_bar_still_forming_does_not_count_as_a_zero(self) -> None:
        usd = (5.0,) * 51 + (0.0,)
        close_ms = tuple(T0 + hour * HOUR_MS for hour in range(52))
        history = LiquidationHistory(HOUR_MS, close_ms, usd, usd, "Binance")
        assert len(parse.closed_liquidations(history, close_ms[50]).close_ms) == 51

    @pytest.mark.parametrize("case", ["numeric_strings", "extra_field"])
    def test_tolerated_shapes_are_read(self, body: Body, case: str) -> None:
        assert liquidations(body(LIQ, case)).long_usd == (2_500_000.5,)

    @pytest.mark.parametrize("case", ["negative", "missing_side"])
    def test_negative_or_missing_sides_are_refused(self, body: Body, case: str) -> None:
        with pytest.raises(ProviderBadPayload):
            liquidations(body(LIQ, case))

    def test_order_and_repeats_are_repaired(self, body: Body) -> None:
        assert liquidations(body(LIQ, "out_of_order")) == liquidations(body(LIQ, "normal"))
        assert liquidations(body(LIQ, "duplicate")).long_usd == (7.0,)
        assert liquidations(body(LIQ, "empty")).close_ms == ()


class TestLongShare:
    @pytest.mark.parametrize(
        ("endpoint", "side"),
        [(GLOBAL, "global_account"), (TOP_ACCOUNT, "top_account"), (TOP_POSITION, "top_position")],
    )
    def test_long_percent_becomes_a_share(self, body: Body, endpoint: str, side: str) -> None:
        series = parse.parse_long_share(
            body(endpoint, "normal"), endpoint=endpoint, interval_ms=HOUR_MS, side=side, label="x"
        )
        assert series.values == pytest.approx((0.716, 0.7001, 0.684))
        assert series.unit is Unit.FRAC
        empty = body(endpoint, "empty")
        assert not parse.parse_long_share(
            empty, endpoint=endpoint, interval_ms=HOUR_MS, side=side, label="x"
        ).values

    @pytest.mark.parametrize("case", ["numeric_strings", "without_ratio", "extra_field"])
    def test_tolerated_shapes_are_read(self, body: Body, case: str) -> None:
        assert account_share(body(GLOBAL, case)).values == pytest.approx((0.716,))

    def test_swapped_sides_are_noticed_by_the_ratio(self, body: Body) -> None:
        with pytest.raises(ProviderBadPayload, match="disagree"):
            account_share(body(GLOBAL, "sides_swapped"))

    @pytest.mark.parametrize("case", ["already_fraction", "null_percent", "hundred_percent"])
    def test_shares_outside_the_open_unit_interval_are_refused(self, body: Body, case: str) -> None:
        with pytest.raises(ProviderBadPayload):
            account_share(body(GLOBAL, case))

    def test_order_and_repeats_are_repaired(self, body: Body) -> None:
        assert account_share(body(GLOBAL, "out_of_order")) == account_share(body(GLOBAL, "normal"))
        assert account_share(body(GLOBAL, "duplicate")).values == pytest.approx((0.716, 0.7001))

    def test_another_side_than_the_answer_has_is_refused(self, body: Body) -> None:
        with pytest.raises(ProviderBadPayload):
            account_share(body(TOP_POSITION, "normal"))


class TestCandles:
    def test_volume_in_dollars_becomes_coins_by_the_close(self, body: Body) -> None:
        read = candles(body(PRICE, "normal"))
        assert (read.open[0], read.high[0], read.low[0], read.close[0]) == (
            121_000.5,
            121_900,
            120_800.1,
            121_500,
        )
        assert read.volume_base is not None
        assert read.volume_base[0] == pytest.approx(2000)

    def test_prices_per_thousand_coins_are_divided(self, body: Body) -> None:
        read = candles(body(PRICE, "per_thousand"), multiplier=1000)
        assert read.close == pytest.approx((0.000012,))
        assert read.volume_base == pytest.approx((2_400_000 / 0.000012,))

    def test_a_row_without_volume_leaves_no_volume_column(self, body: Body) -> None:
        read = candles(body(PRICE, "without_volume"))
        assert read.volume_base is None
        assert len(read.close) == 2

    @pytest.mark.parametrize("case", ["inconsistent", "zero_price"])
    def test_impossible_candles_are_refused(self, body: Body, case: str) -> None:
        with pytest.raises(ProviderBadPayload):
            candles(body(PRICE, case))

    def test_order_repeats_and_number_types_are_repaired(self, body: Body) -> None:
        normal = candles(body(PRICE, "normal"))
        assert candles(body(PRICE, "duplicate")) == normal
        assert candles(body(PRICE, "out_of_order")) == normal
        assert candles(body(PRICE, "numbers")).close == (121_500,)
        assert candles(body(PRICE, "extra_field")).close == (121_500,)
        assert candles(body(PRICE, "empty")).close == ()


class TestFearGreed:
    @pytest.mark.parametrize("case", ["live", "documented", "numeric_strings", "out_of_order"])
    def test_both_shapes_give_the_same_index_oldest_first(self, body: Body, case: str) -> None:
        series = fear_greed(body(FEAR, case))
        assert series.values == (38, 44, 51)
        assert series.unit is Unit.SCORE
        assert series.interval_ms == DAY_MS

    def test_a_value_is_known_from_its_own_stamp(self, body: Body) -> None:
        assert fear_greed(body(FEAR, "live")).close_ms[0] == 1_759_881_600_000

    @pytest.mark.parametrize("case", ["empty", "empty_list"])
    def test_no_days_give_an_empty_series(self, body: Body, case: str) -> None:
        assert fear_greed(body(FEAR, case)).values == ()

    @pytest.mark.parametrize("case", ["out_of_range", "lists_differ"])
    def test_values_beyond_a_hundred_or_unequal_lists_are_refused(self, body: Body, case: str) -> None:
        with pytest.raises(ProviderBadPayload):
            fear_greed(body(FEAR, case))


def test_taker_volume_is_the_buy_share_and_silent_bars_are_left_out(body: Body) -> None:
    series = parse.parse_taker_volume(body(TAKER, "normal"), endpoint=TAKER, interval_ms=HOUR_MS)
    assert series.values == (0.75,)


def test_taker_volume_of_a_pair_is_buy_then_sell_by_close(body: Body) -> None:
    endpoint = "futures_v2_taker_buy_sell_volume_history"
    rows = parse.parse_pair_taker(body(endpoint, "normal"), endpoint=endpoint, interval_ms=HOUR_MS)
    assert rows == {T0 + HOUR_MS: (300.5, 100.0), T0 + 2 * HOUR_MS: (0.0, 250.25)}


@pytest.mark.parametrize("volume", ['"-1"', '"nan"', "null", '"x"'])
def test_a_taker_volume_that_is_none_is_refused(volume: str) -> None:
    row = f'{{"time":{T0},"taker_buy_volume_usd":{volume},"taker_sell_volume_usd":1}}'
    with pytest.raises(ProviderBadPayload):
        parse.parse_pair_taker(f'{{"data":[{row}]}}'.encode(), endpoint="x", interval_ms=HOUR_MS)


class TestClosedBars:
    def test_the_forming_bar_is_not_read(self, body: Body) -> None:
        now_ms = T0 + 2 * HOUR_MS + 1
        series = parse.closed_interest(open_interest(body(OI, "normal")), now_ms)
        history: LiquidationHistory = parse.closed_liquidations(liquidations(body(LIQ, "normal")), now_ms)
        price: Candles = parse.closed_candles(candles(body(PRICE, "normal")), T0 + HOUR_MS)
        assert series.close == (31.2e9, 30.9e9)
        assert history.close_ms == (T0 + HOUR_MS, T0 + 2 * HOUR_MS)
        assert price.close == (121_500,)
        assert price.volume_base == pytest.approx((2000,))

    def test_a_bar_is_closed_at_the_very_moment_it_ends(self, body: Body) -> None:
        series = open_interest(body(OI, "normal"))
        assert len(parse.closed_interest(series, T0 + HOUR_MS).close) == 1
        assert len(parse.closed_interest(series, T0 + HOUR_MS - 1).close) == 0

    def test_candles_without_volume_stay_without(self, body: Body) -> None:
        read = parse.closed_candles(candles(body(PRICE, "without_volume")), T0 + HOUR_MS)
        assert read.volume_base is None


def test_a_history_far_beyond_what_was_asked_for_is_refused() -> None:
    row = {"time": T0, "open": "1", "high": "1", "low": "1", "close": "1"}
    rows = json.dumps({"code": "0", "data": [row] * 2_001}).encode()
    with pytest.raises(ProviderBadPayload, match="2001 rows, at most 2000"):
        open_interest(rows)
    days = {"data_list": [1] * 20_001, "time_list": [1] * 20_001}
    with pytest.raises(ProviderBadPayload, match="20001 rows"):
        parse.parse_fear_greed(json.dumps({"code": "0", "data": days}).encode(), endpoint=FEAR)
