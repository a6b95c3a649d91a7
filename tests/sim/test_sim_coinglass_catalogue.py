"""The endpoints answered from the catalogue: refusals as documented, figures that fit their kind."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from app.sim.coinglass_catalogue import read_rows
from tests.coinglass_requests import good_params

ROWS = {row["id"]: row for row in read_rows()}


async def data_of(sim: Any, endpoint: str, **changes: str) -> Any:
    row = ROWS[endpoint]
    answer = await sim.coinglass(row["path"], **(good_params(row) | changes))
    assert answer.json()["code"] == "0", answer.text
    return answer.json()["data"]


async def test_the_same_question_gets_the_same_figures(sim: Any) -> None:
    first = await data_of(sim, "futures_whale_index_history")
    assert first == await data_of(sim, "futures_whale_index_history")


async def test_spot_bars_are_bars_of_the_coin(sim: Any) -> None:
    rows = await data_of(sim, "spot_price_history", limit="20")
    assert len(rows) == 20
    assert all(float(row["low"]) <= float(row["close"]) <= float(row["high"]) for row in rows)
    perpetual = (await data_of(sim, "futures_price_history", limit="1"))[-1]
    assert float(rows[-1]["close"]) == pytest.approx(float(perpetual["close"]), rel=0.02)


async def test_an_rsi_lies_between_nothing_and_a_hundred(sim: Any) -> None:
    rows = await data_of(sim, "futures_indicators_rsi", limit="200")
    assert all(0 <= row["rsi_value"] <= 100 for row in rows)


async def test_the_wrong_form_of_a_symbol_is_answered_with_nothing(sim: Any) -> None:
    assert await data_of(sim, "futures_coin_netflow", symbol="BTCUSDT") == {}
    assert await data_of(sim, "spot_price_history", symbol="BTC") == []


@pytest.mark.parametrize(
    ("endpoint", "changes", "name"),
    [
        ("futures_taker_buy_sell_volume_exchange_list", {"range": "2h"}, "range"),
        ("futures_orderbook_history", {"limit": "101"}, "limit"),
        ("futures_spot_volume_ratio", {"interval": "2h"}, "interval"),
    ],
)
async def test_values_outside_the_documented_lists_are_refused(
    sim: Any, endpoint: str, changes: dict[str, str], name: str
) -> None:
    row = ROWS[endpoint]
    answer = await sim.coinglass(row["path"], **(good_params(row) | changes))
    assert answer.json() == {"code": "400", "msg": f"Invalid parameter '{name}'"}


async def test_a_missing_list_of_exchanges_is_refused_by_name(sim: Any) -> None:
    row = ROWS["spot_aggregated_cvd_history"]
    params = {k: v for k, v in good_params(row).items() if k != "exchange_list"}
    answer = await sim.coinglass(row["path"], **params)
    assert answer.json()["msg"] == "Required String parameter 'exchange_list' is not present"


async def test_forced_orders_carry_the_side_that_was_liquidated_and_sum_to_the_totals(sim: Any) -> None:
    orders = await data_of(sim, "futures_liquidation_order", min_liquidation_amount="0")
    totals = await data_of(sim, "futures_liquidation_exchange_list", range="24h")
    binance = next(row for row in totals if row["exchange"] == "Binance")
    assert {order["side"] for order in orders} == {1, 2}
    if len(orders) < 200:
        longs = sum(order["usd_value"] for order in orders if order["side"] == 1)
        assert longs == pytest.approx(binance["longLiquidation_usd"], rel=0.02)
    assert all(a["time"] >= b["time"] for a, b in itertools.pairwise(orders))
