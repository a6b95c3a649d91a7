"""The simulated CoinGlass REST API: keys, plans, quotas, histories and the documented traps."""

from __future__ import annotations

from typing import Any

import pytest

HISTORY = "/api/futures/open-interest/aggregated-history"
PRICE = "/api/futures/price/history"
HOUR_MS = 3_600_000
PAIR = {"exchange": "Binance", "symbol": "BTCUSDT", "interval": "1h"}


class TestAdmission:
    async def test_missing_key_is_a_400_text_inside_http_200(self, sim: Any) -> None:
        answer = await sim.get(f"/coinglass{HISTORY}", symbol="BTC", interval="1h")
        assert answer.status_code == 200
        assert answer.json() == {"code": "400", "msg": "API key missing."}

    async def test_bad_key_is_named_invalid(self, sim: Any) -> None:
        answer = await sim.coinglass(HISTORY, key="bad-key", symbol="BTC", interval="1h")
        assert answer.json() == {"code": "400", "msg": "Invalid API key provided"}

    async def test_unknown_path_is_404_with_code_404(self, sim: Any) -> None:
        answer = await sim.coinglass("/api/futures/openInterest/ohlc-history")
        assert answer.status_code == 404
        assert answer.json()["code"] == "404"

    async def test_missing_exchange_list_is_refused_by_name(self, sim: Any) -> None:
        answer = await sim.coinglass(
            "/api/futures/liquidation/aggregated-history", symbol="BTC", interval="1h"
        )
        wanted = "Required String parameter 'exchange_list' is not present"
        assert answer.json() == {"code": "400", "msg": wanted}

    async def test_plan_too_low_is_http_200_with_upgrade_plan(self, make_sim: Any) -> None:
        async with make_sim(plan="startup") as low:
            answer = await low.coinglass("/api/futures/coins-markets")
        assert answer.status_code == 200
        assert answer.json() == {"code": "401", "msg": "Upgrade plan"}

    async def test_hobbyist_may_not_ask_for_hours(self, make_sim: Any) -> None:
        async with make_sim(plan="hobbyist") as low:
            refused = await low.coinglass(HISTORY, symbol="BTC", interval="1h")
            allowed = await low.coinglass(HISTORY, symbol="BTC", interval="4h", limit=5)
        assert refused.json() == {"code": "403", "details": {"upgrade_required": "STARTUP"}}
        assert len(allowed.json()["data"]) == 5

    @pytest.mark.parametrize(("plan", "most"), [("hobbyist", 30), ("startup", 80), ("standard", 300)])
    async def test_quota_ends_at_the_plan_limit_and_rolls_over(
        self, make_sim: Any, plan: str, most: int
    ) -> None:
        path = "/api/user/account/subscription"
        async with make_sim(plan=plan) as limited:
            for _ in range(most):
                last = await limited.coinglass(path)
            over = await limited.coinglass(path)
            other_key = await limited.coinglass(path, key="another")
            limited.ticker.now_s += 60
            next_minute = await limited.coinglass(path)
        assert last.headers["API-KEY-MAX-LIMIT"] == last.headers["API-KEY-USE-LIMIT"] == str(most)
        assert (over.status_code, over.json()["code"]) == (429, "429")
        assert (other_key.status_code, next_minute.status_code) == (200, 200)
        assert next_minute.headers["API-KEY-USE-LIMIT"] == "1"


class TestHistories:
    async def test_last_row_is_the_forming_bar(self, sim: Any) -> None:
        rows = (await sim.coinglass(PRICE, **PAIR, limit=3)).json()["data"]
        now_ms = sim.clock.now_ms()
        assert [row["time"] for row in rows] == [
            now_ms // HOUR_MS * HOUR_MS + at * HOUR_MS for at in (-2, -1, 0)
        ]

    async def test_prices_are_text_and_consistent(self, sim: Any) -> None:
        for row in (await sim.coinglass(PRICE, **PAIR, limit=50)).json()["data"]:
            assert all(isinstance(row[key], str) for key in ("open", "high", "low", "close", "volume_usd"))
            assert float(row["low"]) <= float(row["open"]) <= float(row["high"])

    async def test_multiplied_pair_is_priced_per_thousand_coins(self, sim: Any) -> None:
        thousand = {"exchange": "Binance", "symbol": "1000PEPEUSDT", "interval": "1h"}
        plain = {"exchange": "OKX", "symbol": "PEPE-USDT-SWAP", "interval": "1h"}
        per_thousand = (await sim.coinglass(PRICE, **thousand, limit=2)).json()["data"][0]["close"]
        per_coin = (await sim.coinglass(PRICE, **plain, limit=2)).json()["data"][0]["close"]
        assert float(per_thousand) == pytest.approx(1000 * float(per_coin), rel=1e-3)

    async def test_pair_on_a_coin_endpoint_is_an_empty_success(self, sim: Any) -> None:
        answer = await sim.coinglass(HISTORY, symbol="BTCUSDT", interval="1h")
        assert answer.json() == {"code": "0", "msg": "success", "data": []}

    async def test_window_is_in_ms_and_includes_its_end(self, sim: Any) -> None:
        end_ms = sim.clock.now_ms() // HOUR_MS * HOUR_MS - 10 * HOUR_MS
        window = {"start_time": end_ms - 4 * HOUR_MS, "end_time": end_ms}
        rows = (await sim.coinglass(HISTORY, symbol="BTC", interval="1h", **window)).json()["data"]
        assert (len(rows), rows[0]["time"], rows[-1]["time"]) == (5, end_ms - 4 * HOUR_MS, end_ms)

    async def test_rows_stop_at_a_thousand(self, sim: Any) -> None:
        answer = await sim.coinglass(HISTORY, symbol="BTC", interval="1h", limit=4000)
        assert len(answer.json()["data"]) == 1000

    async def test_depth_ends_where_the_plan_says(self, make_sim: Any) -> None:
        async with make_sim(plan="standard") as standard:
            answer = await standard.coinglass(HISTORY, symbol="BTC", interval="5m", start_time=1)
            oldest = answer.json()["data"][0]["time"]
            assert standard.clock.now_ms() - oldest <= 30 * 24 * HOUR_MS

    async def test_each_bar_opens_where_the_one_before_closed(self, sim: Any) -> None:
        rows = (await sim.coinglass(HISTORY, symbol="BTC", interval="1h", limit=20)).json()["data"]
        assert [r["open"] for r in rows[1:]] == [r["close"] for r in rows[:-1]]

    async def test_open_interest_in_coins_times_price_is_open_interest_in_usd(self, sim: Any) -> None:
        asked = {"symbol": "BTC", "interval": "1h", "limit": 2}
        usd = (await sim.coinglass(HISTORY, **asked)).json()["data"][0]["close"]
        coins = (await sim.coinglass(HISTORY, **asked, unit="coin")).json()["data"][0]["close"]
        price = (await sim.coinglass(PRICE, **PAIR, limit=2)).json()["data"][0]["close"]
        assert float(coins) * float(price) == pytest.approx(float(usd), rel=1e-3)

    async def test_funding_is_in_percent_where_okx_has_fractions(self, sim: Any) -> None:
        asked = {"exchange": "OKX", "symbol": "BTC-USDT-SWAP", "interval": "8h", "limit": 3}
        percent = (await sim.coinglass("/api/futures/funding-rate/history", **asked)).json()["data"]
        fractions = await sim.okx("public/funding-rate-history", instId="BTC-USDT-SWAP", limit=1)
        newest = float(fractions["data"][0]["fundingRate"])
        assert float(percent[-1]["close"]) == pytest.approx(newest * 100, abs=1e-6)

    async def test_shares_and_ratio_agree(self, sim: Any) -> None:
        path = "/api/futures/global-long-short-account-ratio/history"
        row = (await sim.coinglass(path, **PAIR, limit=1)).json()["data"][0]
        longs, shorts = row["global_account_long_percent"], row["global_account_short_percent"]
        assert longs + shorts == pytest.approx(100, abs=0.02)
        assert row["global_account_long_short_ratio"] == pytest.approx(longs / shorts, abs=0.02)

    async def test_aggregated_liquidations_grow_with_the_exchange_list(self, sim: Any) -> None:
        path = "/api/futures/liquidation/aggregated-history"
        asked = {"symbol": "BTC", "interval": "1d", "limit": 2}
        one = (await sim.coinglass(path, **asked, exchange_list="Binance")).json()["data"][0]
        two = (await sim.coinglass(path, **asked, exchange_list="Binance,OKX")).json()["data"][0]
        key = "aggregated_long_liquidation_usd"
        assert 0 < one[key] < two[key]


class TestLists:
    async def test_liquidations_by_exchange_use_the_mixed_case_keys_and_all_is_the_total(
        self, sim: Any
    ) -> None:
        path = "/api/futures/liquidation/exchange-list"
        rows = (await sim.coinglass(path, symbol="BTC", range="24h")).json()["data"]
        total, parts = rows[0], rows[1:]
        assert total["exchange"] == "All"
        summed = sum(row["longLiquidation_usd"] for row in parts)
        assert total["longLiquidation_usd"] == pytest.approx(summed, rel=0.01)

    async def test_fear_greed_is_one_object_of_parallel_lists(self, sim: Any) -> None:
        data = (await sim.coinglass("/api/index/fear-greed-history")).json()["data"]
        assert set(data) == {"data_list", "price_list", "time_list"}
        assert len({len(column) for column in data.values()}) == 1
        assert data["time_list"] == sorted(data["time_list"])

    async def test_pairs_name_multiplied_coins_by_the_thousand(self, sim: Any) -> None:
        path = "/api/futures/supported-exchange-pairs"
        data = (await sim.coinglass(path, exchange="Binance")).json()["data"]
        pairs = {row["instrument_id"]: row["base_asset"] for row in data["Binance"]}
        assert list(data) == ["Binance"]
        assert pairs["1000PEPEUSDT"] == "1000PEPE"

    async def test_market_pages_do_not_overlap(self, sim: Any) -> None:
        path = "/api/futures/coins-markets"
        first = (await sim.coinglass(path, per_page=10, page=1)).json()["data"]
        second = (await sim.coinglass(path, per_page=10, page=2)).json()["data"]
        assert len(first) == len(second) == 10
        assert not {r["symbol"] for r in first} & {r["symbol"] for r in second}

    async def test_heatmap_triples_stay_inside_their_axes(self, sim: Any) -> None:
        path = "/api/futures/liquidation/aggregated-heatmap/model1"
        data = (await sim.coinglass(path, symbol="BTC", range="24h")).json()["data"]
        assert data["liquidation_leverage_data"]
        for at, level, usd in data["liquidation_leverage_data"]:
            assert at < len(data["price_candlesticks"])
            assert level < len(data["y_axis"])
            assert usd > 0

    async def test_whales_hold_more_than_a_million(self, sim: Any) -> None:
        for path in ("/api/hyperliquid/whale-alert", "/api/hyperliquid/whale-position"):
            rows = (await sim.coinglass(path)).json()["data"]
            assert rows
            assert all(row["position_value_usd"] > 1_000_000 for row in rows)
