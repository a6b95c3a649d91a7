"""OKX bytes become domain values, or a `ProviderError`, and nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.market import PriceKind
from app.core.errors import ProviderBadPayload, ProviderError, ProviderNoData
from app.services.okx import parse
from app.services.okx.liquidations import Liquidated, parse_liquidation_orders

T = 1_760_000_400_000
HOUR_MS = 3_600_000
BTC = "BTC-USDT-SWAP"
FIXTURES = Path(__file__).parents[2] / "fixtures" / "okx"
SAMPLES = Path(__file__).parents[4] / "shared" / "contracts" / "okx" / "samples"

Fixture = Callable[[str], bytes]

PARSERS: Mapping[str, Callable[[bytes], object]] = {
    "market_candles": partial(parse.parse_candles, endpoint="market_candles"),
    "market_history_candles": partial(parse.parse_candles, endpoint="market_history_candles"),
    "market_ticker": partial(parse.parse_ticker, inst_id=BTC),
    "public_funding_rate": partial(parse.parse_funding_now, inst_id=BTC),
    "public_funding_rate_history": parse.parse_funding_settled,
    "public_instruments": parse.parse_instruments,
    "public_liquidation_orders": partial(parse_liquidation_orders, inst_id=BTC),
    "public_mark_price": partial(parse.parse_mark_price, inst_id=BTC),
    "public_open_interest": partial(parse.parse_open_interest, inst_id=BTC),
    "rubik_account_ratio_contract": partial(parse.parse_ratio_rows, endpoint="rubik_account_ratio_contract"),
    "rubik_open_interest_history": parse.parse_open_interest_rows,
    "rubik_taker_volume_contract": parse.parse_taker_rows,
    "rubik_top_trader_account_ratio": partial(
        parse.parse_ratio_rows, endpoint="rubik_top_trader_account_ratio"
    ),
    "rubik_top_trader_position_ratio": partial(
        parse.parse_ratio_rows, endpoint="rubik_top_trader_position_ratio"
    ),
}
SAMPLE_FILES = [
    *((name, f"{name}.json") for name in PARSERS if name not in {"market_ticker", "market_history_candles"}),
    # The contract has no sample of its own: "same row shape as market_candles".
    ("market_history_candles", "market_candles.json"),
    ("market_candles", "market_candles_btc_1H_300.json"),
    ("market_candles", "market_candles_eth_1H_300.json"),
    ("public_funding_rate_history", "public_funding_rate_history_100.json"),
    ("public_instruments", "public_instruments_2022.json"),
]


class TestContractSamples:
    @pytest.mark.parametrize("endpoint, file", SAMPLE_FILES)
    def test_every_sample_parses(self, endpoint: str, file: str) -> None:
        if not SAMPLES.is_dir():
            pytest.skip("no contract samples beside the project")
        assert PARSERS[endpoint]((SAMPLES / file).read_bytes())

    def test_the_recorded_spot_ticker_parses(self) -> None:
        if not SAMPLES.is_dir():
            pytest.skip("no contract samples beside the project")
        facts = parse.parse_ticker((SAMPLES / "market_ticker.json").read_bytes(), "BTC-USDT")
        assert facts.price.price_usd == 73384.8
        assert facts.change_24h_frac == pytest.approx(73384.8 / 72166.8 - 1)


class TestCandles:
    def test_the_forming_candle_is_dropped_and_volume_is_in_coins(self, fixture_bytes: Fixture) -> None:
        rows = parse.parse_candles(fixture_bytes("market_candles__normal"), "market_candles")
        assert set(rows) == {T - HOUR_MS, T - 2 * HOUR_MS}
        assert rows[T - HOUR_MS] == (50100.5, 50300.0, 49900.0, 50120.0, 12.0)

    @pytest.mark.parametrize("case", ["out_of_order", "duplicate"])
    def test_order_and_duplicates_do_not_matter(self, fixture_bytes: Fixture, case: str) -> None:
        normal = parse.parse_candles(fixture_bytes("market_candles__normal"), "market_candles")
        assert parse.parse_candles(fixture_bytes(f"market_candles__{case}"), "market_candles") == normal

    def test_extra_columns_are_ignored(self, fixture_bytes: Fixture) -> None:
        assert len(parse.parse_candles(fixture_bytes("market_candles__extra_column"), "market_candles")) == 1

    @pytest.mark.parametrize("case", ["empty_string", "nan", "negative_price", "null", "seconds"])
    def test_unusable_numbers_are_a_bad_payload(self, fixture_bytes: Fixture, case: str) -> None:
        with pytest.raises(ProviderBadPayload):
            parse.parse_candles(fixture_bytes(f"market_candles__{case}"), "market_candles")

    def test_an_empty_list_is_no_rows(self, fixture_bytes: Fixture) -> None:
        assert parse.parse_candles(fixture_bytes("any__empty"), "market_candles") == {}


class TestDailyCandles:
    ENDPOINT = "market_history_candles"

    def test_closed_days_are_read_and_the_running_one_is_not(self, fixture_bytes: Fixture) -> None:
        rows = parse.parse_candles(fixture_bytes("market_history_candles__normal"), self.ENDPOINT)
        assert sorted(rows) == [T - 57 * HOUR_MS, T - 33 * HOUR_MS]
        assert rows[T - 33 * HOUR_MS][1:4] == (50500.0, 49200.0, 50300.0)

    def test_order_and_duplicates_do_not_matter(self, fixture_bytes: Fixture) -> None:
        normal = parse.parse_candles(fixture_bytes("market_history_candles__normal"), self.ENDPOINT)
        other = parse.parse_candles(fixture_bytes("market_history_candles__out_of_order"), self.ENDPOINT)
        assert other == normal

    def test_an_impossible_price_is_a_bad_payload_of_that_endpoint(self, fixture_bytes: Fixture) -> None:
        with pytest.raises(ProviderBadPayload) as caught:
            parse.parse_candles(fixture_bytes("market_history_candles__negative_price"), self.ENDPOINT)
        assert caught.value.endpoint == self.ENDPOINT


class TestTicker:
    def test_last_trade_with_its_own_time(self, fixture_bytes: Fixture) -> None:
        facts = parse.parse_ticker(fixture_bytes("market_ticker__normal"), BTC)
        assert (facts.price.price_usd, facts.price.kind, facts.price.exchange) == (
            50210.5,
            PriceKind.LAST_TRADE,
            "OKX",
        )
        assert facts.ts_ms == T + 1500
        assert facts.change_24h_frac == pytest.approx(0.00421)
        # Coins, not the contract count of `vol24h`.
        assert facts.volume_24h_base == 81234.5

    def test_empty_strings_and_null_mean_absent_not_zero(self, fixture_bytes: Fixture) -> None:
        facts = parse.parse_ticker(fixture_bytes("market_ticker__optional_absent"), BTC)
        assert (facts.ask_usd, facts.bid_usd, facts.change_24h_frac) == (None, None, None)

    @pytest.mark.parametrize("case", ["no_last", "zero_last", "other_instrument"])
    def test_an_unusable_price_is_a_bad_payload(self, fixture_bytes: Fixture, case: str) -> None:
        with pytest.raises(ProviderBadPayload):
            parse.parse_ticker(fixture_bytes(f"market_ticker__{case}"), BTC)

    def test_no_row_is_no_data(self, fixture_bytes: Fixture) -> None:
        with pytest.raises(ProviderNoData):
            parse.parse_ticker(fixture_bytes("any__empty"), BTC)


class TestFunding:
    def test_four_hour_rate_doubles_per_eight_hours(self, fixture_bytes: Fixture) -> None:
        now = parse.parse_funding_now(fixture_bytes("public_funding_rate__normal"), BTC)
        assert now.period_h == 4
        assert now.rate_8h_frac == pytest.approx(0.0001)
        assert parse.per_8h(0.00005, 4) == pytest.approx(0.0001)

    @pytest.mark.parametrize("case", ["percent", "odd_period", "empty_rate"])
    def test_wrong_units_and_periods_are_a_bad_payload(self, fixture_bytes: Fixture, case: str) -> None:
        with pytest.raises(ProviderBadPayload):
            parse.parse_funding_now(fixture_bytes(f"public_funding_rate__{case}"), BTC)

    def test_the_settled_rate_is_read_not_the_prediction(self, fixture_bytes: Fixture) -> None:
        rows = parse.parse_funding_settled(fixture_bytes("public_funding_rate_history__normal"))
        assert rows[T - 2 * HOUR_MS] == (0.00004,)

    def test_a_row_not_settled_yet_is_left_out(self, fixture_bytes: Fixture) -> None:
        rows = parse.parse_funding_settled(fixture_bytes("public_funding_rate_history__not_realized"))
        assert set(rows) == {T - 6 * HOUR_MS}

    def test_duplicate_settlements_count_once(self, fixture_bytes: Fixture) -> None:
        body = fixture_bytes("public_funding_rate_history__out_of_order_duplicate")
        assert len(parse.parse_funding_settled(body)) == 2


class TestStatistics:
    def test_open_interest_is_read_in_coins_and_usd_not_contracts(self, fixture_bytes: Fixture) -> None:
        rows = parse.parse_open_interest_rows(fixture_bytes("rubik_open_interest_history__normal"))
        assert rows[T - HOUR_MS] == (25000.0, 1_253_000_000.0)
        assert T in rows  # the filling bucket stays: which are closed is decided on read

    def test_zero_open_interest_is_a_bad_payload(self, fixture_bytes: Fixture) -> None:
        with pytest.raises(ProviderBadPayload):
            parse.parse_open_interest_rows(fixture_bytes("rubik_open_interest_history__zero"))

    def test_extra_columns_and_duplicates_are_harmless(self, fixture_bytes: Fixture) -> None:
        body = fixture_bytes("rubik_open_interest_history__extra_duplicate")
        assert len(parse.parse_open_interest_rows(body)) == 2

    def test_ratio_becomes_long_share(self, fixture_bytes: Fixture) -> None:
        rows = parse.parse_ratio_rows(fixture_bytes("rubik_account_ratio_contract__normal"), "x")
        assert rows[T - HOUR_MS][0] == pytest.approx(0.6)
        assert rows[T - 2 * HOUR_MS][0] == pytest.approx(0.2)

    def test_top_trader_accounts_are_read_alike(self, fixture_bytes: Fixture) -> None:
        rows = parse.parse_ratio_rows(fixture_bytes("rubik_top_trader_account_ratio__normal"), "x")
        assert rows[T - HOUR_MS][0] == pytest.approx(0.75)
        with pytest.raises(ProviderBadPayload):
            parse.parse_ratio_rows(fixture_bytes("rubik_top_trader_account_ratio__negative"), "x")

    @pytest.mark.parametrize("case", ["negative", "empty_string"])
    def test_an_impossible_ratio_is_a_bad_payload(self, fixture_bytes: Fixture, case: str) -> None:
        with pytest.raises(ProviderBadPayload):
            parse.parse_ratio_rows(fixture_bytes(f"rubik_account_ratio_contract__{case}"), "x")

    def test_taker_rows_put_sell_first_on_the_wire(self, fixture_bytes: Fixture) -> None:
        rows = parse.parse_taker_rows(fixture_bytes("rubik_taker_volume_contract__normal"))
        buy, sell = rows[T - HOUR_MS]
        assert (buy, sell) == (9340000.25, 8120000.5)

    def test_older_open_interest_answers_have_no_usd(self, fixture_bytes: Fixture) -> None:
        assert parse.parse_open_interest(fixture_bytes("public_open_interest__no_usd"), BTC).usd is None


class TestInstruments:
    def test_live_linear_usdt_swaps_with_coins_per_contract(self, fixture_bytes: Fixture) -> None:
        sizes = parse.parse_instruments(fixture_bytes("public_instruments__normal"))
        assert sizes == {"BTC": 0.01, "ETH": 0.1, "DOGE": 1000.0, "DUO": 20.0}


class TestLiquidationOrders:
    def test_sell_is_a_long_and_net_uses_the_side(self, fixture_bytes: Fixture) -> None:
        orders = parse_liquidation_orders(fixture_bytes("public_liquidation_orders__normal"), BTC)
        assert [order.liquidated for order in orders] == [
            Liquidated.LONG,
            Liquidated.SHORT,
            Liquidated.LONG,
            Liquidated.SHORT,
        ]

    def test_groups_join_newest_first(self, fixture_bytes: Fixture) -> None:
        body = fixture_bytes("public_liquidation_orders__two_groups_out_of_order")
        assert [order.ts_ms - T for order in parse_liquidation_orders(body, BTC)] == [-1000, -2000]

    @pytest.mark.parametrize("case", ["unknown_side", "contradiction", "empty_size", "other_instrument"])
    def test_unknown_sides_and_sizes_are_a_bad_payload(self, fixture_bytes: Fixture, case: str) -> None:
        with pytest.raises(ProviderBadPayload):
            parse_liquidation_orders(fixture_bytes(f"public_liquidation_orders__{case}"), BTC)


def _numbers(value: object) -> list[float]:
    """Every float inside a parsed value, whatever its shape."""
    if isinstance(value, float):
        return [value]
    if isinstance(value, Mapping):
        return [number for item in value.values() for number in _numbers(item)]
    if isinstance(value, tuple):
        return [number for item in value for number in _numbers(item)]
    fields = getattr(type(value), "__dataclass_fields__", {})
    return [number for name in fields for number in _numbers(getattr(value, name))]


def _check(endpoint: str, body: bytes) -> None:
    try:
        value = PARSERS[endpoint](body)
    except ProviderError:
        return
    assert all(math.isfinite(number) for number in _numbers(value))


@pytest.mark.parametrize("endpoint", sorted(PARSERS))
def test_bytes_cut_anywhere_raise_only_provider_errors(endpoint: str) -> None:
    body = (FIXTURES / f"http_get_{endpoint}__normal.json").read_bytes()
    for length in range(len(body)):
        with pytest.raises(ProviderError):
            PARSERS[endpoint](body[: min(length, len(body) - 2)])


@given(endpoint=st.sampled_from(sorted(PARSERS)), body=st.binary(max_size=200))
def test_any_bytes_raise_only_provider_errors(endpoint: str, body: bytes) -> None:
    _check(endpoint, body)


_JUNK: st.SearchStrategy[object] = st.sampled_from(
    ["", "nan", "inf", "-1", "0", "1e400", None, True, [], {}, 1e300, -5, "x", "1", 10**30]
)


@given(endpoint=st.sampled_from(sorted(PARSERS)), junk=_JUNK, data=st.data())
def test_one_value_replaced_by_junk_never_becomes_nan(
    endpoint: str, junk: object, data: st.DataObject
) -> None:
    answer = json.loads((FIXTURES / f"http_get_{endpoint}__normal.json").read_bytes())
    row = data.draw(st.sampled_from(answer["data"]))
    keys = list(range(len(row))) if isinstance(row, list) else sorted(row)
    row[data.draw(st.sampled_from(keys))] = junk
    _check(endpoint, json.dumps(answer).encode())


def test_deep_nesting_is_a_bad_payload() -> None:
    body = b'{"data":[],"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(ProviderBadPayload):
        parse.parse_candles(body, "market_candles")


@pytest.mark.parametrize(
    ("parser", "row", "count"),
    [
        (PARSERS["market_candles"], [str(T), "1", "1", "1", "1", "1", "1", "1", "1"], 601),
        (PARSERS["rubik_account_ratio_contract"], [str(T), "1"], 201),
        (PARSERS["rubik_open_interest_history"], [str(T), "1", "1", "1"], 201),
        (PARSERS["rubik_taker_volume_contract"], [str(T), "1", "1"], 201),
        (PARSERS["public_funding_rate_history"], {"fundingTime": str(T), "realizedRate": "0"}, 201),
        (PARSERS["public_instruments"], {"instId": "X"}, 20_001),
        (PARSERS["market_ticker"], {"instId": BTC, "last": "1", "ts": str(T)}, 201),
    ],
)
def test_an_answer_far_beyond_what_was_asked_for_is_refused(
    parser: Callable[[bytes], object], row: object, count: int
) -> None:
    with pytest.raises(ProviderBadPayload, match=f"{count} rows"):
        parser(json.dumps({"code": "0", "data": [row] * count}).encode())


def test_liquidation_orders_are_counted_over_all_groups() -> None:
    order = {"side": "sell", "posSide": "long", "bkPx": "1", "sz": "1", "ts": str(T)}
    group = {"instId": BTC, "details": [order] * 101}
    with pytest.raises(ProviderBadPayload, match="202 rows"):
        parse_liquidation_orders(json.dumps({"code": "0", "data": [group, group]}).encode(), BTC)
