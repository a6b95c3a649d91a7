"""How CoinGlass answers hang together: sums, signs, units and mirrors across endpoints of the simulator."""

from __future__ import annotations

from typing import Any

import pytest

NOW_MS = 1_749_637_230_000
PAIR = {"exchange": "Binance", "symbol": "BTCUSDT", "interval": "1h", "limit": 60}
COIN = {"symbol": "BTC", "interval": "1h", "limit": 60}
EVERYWHERE = "Binance,OKX,Bybit,Bitget,Gate,MEXC,Hyperliquid"


class TestFutures:
    async def test_both_margin_kinds_sum_to_the_open_interest_of_the_market(self, ask: Any) -> None:
        path = "/api/futures/open-interest/aggregated-"
        stable = await ask(f"{path}stablecoin-history", **COIN, exchange_list=EVERYWHERE)
        coin = await ask(f"{path}coin-margin-history", **COIN, exchange_list=EVERYWHERE)
        total = await ask(f"{path}history", **COIN)
        for parts in zip(stable, coin, total, strict=True):
            one, other, whole = (float(row["close"]) for row in parts)
            assert one + other == pytest.approx(whole, rel=1e-6)

    async def test_volume_weighted_funding_is_close_to_the_one_by_open_interest(self, ask: Any) -> None:
        by_oi = await ask("/api/futures/funding-rate/oi-weight-history", **COIN)
        by_volume = await ask("/api/futures/funding-rate/vol-weight-history", **COIN)
        for one, other in zip(by_oi, by_volume, strict=True):
            assert float(one["close"]) == pytest.approx(float(other["close"]), abs=0.0002)

    async def test_accumulated_funding_is_the_sum_of_the_settled_rates(self, ask: Any) -> None:
        rows = await ask("/api/futures/funding-rate/accumulated-exchange-list", range="7d")
        bitcoin = next(row for row in rows if row["symbol"] == "BTC")
        summed = next(row for row in bitcoin["stablecoin_margin_list"] if row["exchange"] == "BINANCE")
        start_ms = NOW_MS - 7 * 86_400_000
        asked = PAIR | {"interval": "8h", "limit": 40}
        settled = await ask("/api/futures/funding-rate/history", **asked)
        # The row of a bar ends with the rate settled inside it, at its open.
        inside = [float(row["close"]) for row in settled if start_ms <= row["time"]]
        assert summed["funding_rate"] == pytest.approx(sum(inside), abs=1e-4)

    async def test_arbitrage_buys_the_lower_rate_and_carries_the_gap(self, ask: Any) -> None:
        rows = await ask("/api/futures/funding-rate/arbitrage", usd=10_000)
        assert [row["apr"] for row in rows] == sorted((row["apr"] for row in rows), reverse=True)
        for row in rows:
            gap = row["sell"]["funding_rate"] - row["buy"]["funding_rate"]
            assert gap >= 0
            assert row["funding"] == pytest.approx(gap, abs=1e-6)
            yearly = gap * 24 / row["sell"]["funding_rate_interval"] * 365
            assert row["apr"] == pytest.approx(yearly, abs=0.01)

    async def test_net_position_moves_with_open_interest(self, ask: Any) -> None:
        rows = await ask("/api/futures/net-position/history", **PAIR)
        held = await ask("/api/futures/open-interest/history", **PAIR, unit="coin")
        for row, bar in zip(rows, held, strict=True):
            moved = row["net_long_change"] + row["net_short_change"]
            assert moved == pytest.approx(float(bar["close"]) - float(bar["open"]), abs=0.01)
        longs = sum(row["net_long_change"] for row in rows)
        shorts = sum(row["net_short_change"] for row in rows)
        assert rows[-1]["net_position_change_cum"] == pytest.approx(longs - shorts, abs=0.1)

    async def test_rising_bars_move_longs_when_positions_open_and_shorts_when_they_close(
        self, ask: Any
    ) -> None:
        rows = await ask("/api/futures/v2/net-position/history", **PAIR)
        prices = await ask("/api/futures/price/history", **PAIR)
        seen = set()
        for row, bar in zip(rows, prices, strict=True):
            is_up = float(bar["close"]) >= float(bar["open"])
            longs, shorts = row["net_long_change"], row["net_short_change"]
            assert longs == 0 or shorts == 0
            if longs or shorts:
                assert is_up is (longs > 0 or shorts < 0)
                seen.add((is_up, longs + shorts > 0))
        assert len(seen) == 4

    async def test_exchange_rank_is_the_sum_of_the_coins_on_each_exchange(self, ask: Any) -> None:
        ranks = await ask("/api/futures/exchange-rank")
        assert ranks[0]["exchange"] == "Binance"
        rows = await ask("/api/futures/open-interest/exchange-list", symbol="BTC")
        bitcoin = {row["exchange"]: row["open_interest_usd"] for row in rows}
        assert all(row["open_interest_usd"] > bitcoin[row["exchange"]] for row in ranks)

    async def test_what_is_traded_of_a_coin_is_the_sum_over_its_pairs(self, ask: Any) -> None:
        rows = {row["symbol"]: row for row in await ask("/api/futures/coins-markets")}
        for base in ("BTC", "PEPE"):
            pairs = await ask("/api/futures/pairs-markets", symbol=base)
            volume_usd = sum(pair["volume_usd"] for pair in pairs)
            coin = rows[base]
            expected = coin["open_interest_usd"] / volume_usd
            assert coin["open_interest_volume_ratio"] == pytest.approx(expected, rel=0.001)
            bought = sum(pair["long_volume_usd"] for pair in pairs)
            sold = sum(pair["short_volume_usd"] for pair in pairs)
            assert coin["long_short_ratio_24h"] == pytest.approx(bought / sold, rel=0.001)

    async def test_chart_by_exchange_ends_at_the_open_interest_of_the_list(self, ask: Any) -> None:
        chart = await ask("/api/futures/open-interest/exchange-history-chart", symbol="BTC", range="1h")
        rows = await ask("/api/futures/open-interest/exchange-list", symbol="BTC")
        latest = {row["exchange"]: row["open_interest_usd"] for row in rows}
        for name, series in chart["data_map"].items():
            assert len(series) == len(chart["time_list"]) == len(chart["price_list"])
            assert series[-1] == pytest.approx(latest[name], rel=0.01)

    async def test_side_one_is_a_liquidated_long(self, ask: Any) -> None:
        asked = {"exchange": "Binance", "symbol": "BTC", "min_liquidation_amount": 0}
        hour = {"start_time": NOW_MS // 3_600_000 * 3_600_000, "end_time": NOW_MS}
        orders = await ask("/api/futures/liquidation/order", **asked, **hour)
        bar = (await ask("/api/futures/liquidation/history", **(PAIR | {"limit": 1})))[0]
        for side, key in ((1, "long_liquidation_usd"), (2, "short_liquidation_usd")):
            summed = sum(order["usd_value"] for order in orders if order["side"] == side)
            assert summed == pytest.approx(float(bar[key]), abs=0.01)
        assert {order["side"] for order in orders} == {1, 2}

    async def test_liquidation_orders_keep_to_the_minimum_and_the_newest_two_hundred(self, ask: Any) -> None:
        asked = {"exchange": "OKX", "symbol": "ETH", "min_liquidation_amount": 5000}
        orders = await ask("/api/futures/liquidation/order", **asked)
        assert 0 < len(orders) <= 200
        assert all(order["usd_value"] >= 5000 for order in orders)
        assert [o["time"] for o in orders] == sorted((o["time"] for o in orders), reverse=True)

    async def test_every_heatmap_stays_inside_its_axes(self, ask: Any) -> None:
        for model in ("model1", "model2", "model3"):
            of_coin = await ask(
                f"/api/futures/liquidation/aggregated-heatmap/{model}", symbol="BTC", range="12h"
            )
            pair = {"exchange": "Binance", "symbol": "1000PEPEUSDT", "range": "12h"}
            of_pair = await ask(f"/api/futures/liquidation/heatmap/{model}", **pair)
            for data in (of_coin, of_pair):
                rows = data["liquidation_leverage_data"]
                assert max(at for at, _, _ in rows) < len(data["price_candlesticks"])
                assert max(level for _, level, _ in rows) < len(data["y_axis"])
                assert data["price_candlesticks"][0][0] < 1e11  # seconds


class TestFlow:
    @pytest.mark.parametrize("kind", ["futures", "spot"])
    async def test_cvd_is_the_running_sum_of_taker_volume(self, ask: Any, kind: str) -> None:
        taker = "v2/taker-buy-sell-volume" if kind == "futures" else "taker-buy-sell-volume"
        volumes = await ask(f"/api/{kind}/{taker}/history", **PAIR)
        running = 0.0
        for row, bar in zip(await ask(f"/api/{kind}/cvd/history", **PAIR), volumes, strict=True):
            running += float(bar["taker_buy_volume_usd"]) - float(bar["taker_sell_volume_usd"])
            assert row["cum_vol_delta"] == pytest.approx(running, abs=1)

    @pytest.mark.parametrize("kind", ["futures", "spot"])
    async def test_netflow_is_the_taker_volume_of_its_window(self, ask: Any, kind: str) -> None:
        lists = {"symbol": "BTC", "exchange_list": "Binance,OKX"}
        flow = await ask(f"/api/{kind}/coin/netflow", **lists)
        path = f"/api/{kind}/aggregated-taker-buy-sell-volume/history"
        bars = await ask(path, **lists, interval="5m", limit=288, start_time=NOW_MS - 86_400_000)
        bought = sum(row["aggregated_buy_volume_usd"] for row in bars)
        assert float(flow["taker_buy_volume_usd_24h"]) == pytest.approx(bought, rel=1e-4)
        for name in ("5m", "24h", "180d"):
            net = float(flow[f"taker_buy_volume_usd_{name}"]) - float(flow[f"taker_sell_volume_usd_{name}"])
            assert float(flow[f"net_flow_usd_{name}"]) == pytest.approx(net, abs=2)

    async def test_volumes_in_coins_times_price_are_volumes_in_usd(self, ask: Any) -> None:
        path = "/api/futures/aggregated-taker-buy-sell-volume/history"
        asked = COIN | {"exchange_list": "Binance", "limit": 2}
        usd, coins = await ask(path, **asked), await ask(path, **asked, unit="coin")
        price = float((await ask("/api/futures/price/history", **(PAIR | {"limit": 2})))[0]["close"])
        key = "aggregated_buy_volume_usd"
        assert coins[0][key] * price == pytest.approx(usd[0][key], rel=1e-3)

    async def test_shares_of_takers_are_percent_and_sum_to_the_exchanges(self, ask: Any) -> None:
        data = await ask("/api/futures/taker-buy-sell-volume/exchange-list", symbol="BTC", range="4h")
        assert data["buy_ratio"] + data["sell_ratio"] == pytest.approx(100)
        summed = sum(row["buy_vol_usd"] for row in data["exchange_list"])
        assert data["buy_vol_usd"] == pytest.approx(summed)

    @pytest.mark.parametrize("kind", ["futures", "spot"])
    async def test_footprint_buckets_sum_to_the_bar(self, ask: Any, kind: str) -> None:
        rows = await ask(f"/api/{kind}/volume/footprint-history", **PAIR)
        cvd = await ask(f"/api/{kind}/cvd/history", **PAIR)
        for (at_s, buckets), bar in zip(rows, cvd, strict=True):
            assert at_s * 1000 == bar["time"]
            assert sum(bucket[6] for bucket in buckets) == pytest.approx(bar["taker_buy_vol"], rel=1e-6)
            assert sum(bucket[7] for bucket in buckets) == pytest.approx(bar["taker_sell_vol"], rel=1e-6)


class TestSpot:
    async def test_spot_stays_within_basis_points_of_the_perpetual(self, ask: Any) -> None:
        perp = await ask("/api/futures/price/history", **PAIR)
        for future, spot in zip(perp, await ask("/api/spot/price/history", **PAIR), strict=True):
            assert spot["close"] == pytest.approx(float(future["close"]), rel=0.001)
            assert spot["low"] <= min(spot["open"], spot["close"])
            assert spot["high"] >= max(spot["open"], spot["close"])

    async def test_basis_is_the_gap_between_perpetual_and_spot_in_percent(self, ask: Any) -> None:
        perp = (await ask("/api/futures/price/history", **PAIR))[5]
        spot = (await ask("/api/spot/price/history", **PAIR))[5]
        basis = (await ask("/api/futures/basis/history", **PAIR))[5]
        gap = float(perp["close"]) - spot["close"]
        assert basis["close_change"] == pytest.approx(gap, abs=0.1)
        assert basis["close_basis"] == pytest.approx(gap / spot["close"] * 100, abs=1e-3)

    async def test_spot_counts_single_coins_where_futures_count_thousands(self, ask: Any) -> None:
        spot = {"exchange": "Binance", "interval": "1h", "limit": 1}
        one = (await ask("/api/spot/price/history", **spot, symbol="PEPEUSDT"))[0]["close"]
        thousand = (await ask("/api/futures/price/history", **spot, symbol="1000PEPEUSDT"))[0]["close"]
        assert float(thousand) == pytest.approx(1000 * one, rel=0.002)

    async def test_more_is_traded_in_futures_and_the_ratio_says_how_much(self, ask: Any) -> None:
        for row in await ask("/api/futures_spot_volume_ratio", **COIN, exchange_list="Binance"):
            ratio = row["futures_vol_usd"] / row["spot_vol_usd"]
            assert row["futures_spot_vol_ratio"] == pytest.approx(ratio, rel=1e-3)
            assert ratio > 1

    async def test_coinbase_premium_is_percent_of_the_reference_and_in_seconds(self, ask: Any) -> None:
        for row in await ask("/api/coinbase-premium-index", interval="1h", limit=50):
            assert row["time"] < 1e11
            reference = row["coinbase_price"] - row["premium"]
            assert row["premium_rate"] == pytest.approx(row["premium"] / reference * 100, abs=1e-3)

    async def test_a_futures_pair_spelling_has_no_spot_market(self, ask: Any) -> None:
        asked = PAIR | {"exchange": "OKX", "symbol": "BTC-USDT-SWAP"}
        assert await ask("/api/spot/price/history", **asked) == []


class TestBooks:
    @pytest.mark.parametrize("kind", ["futures", "spot"])
    async def test_buy_orders_rest_below_the_price_and_sell_orders_above(self, ask: Any, kind: str) -> None:
        pair = {"exchange": "Binance", "symbol": "BTCUSDT"}
        orders = await ask(f"/api/{kind}/orderbook/large-limit-order", **pair)
        price = float((await ask(f"/api/{kind}/price/history", **(PAIR | {"limit": 1})))[0]["close"])
        assert {order["order_side"] for order in orders} == {1, 2}
        for order in orders:
            assert (order["price"] > price) is (order["order_side"] == 1)
            assert order["current_usd_value"] == pytest.approx(order["current_quantity"] * order["price"])

    async def test_states_of_the_order_history_do_not_overlap(self, ask: Any) -> None:
        window = {"start_time": NOW_MS - 2 * 86_400_000, "end_time": NOW_MS}
        pair = {"exchange": "Binance", "symbol": "BTCUSDT"}
        path = "/api/futures/orderbook/large-limit-order-history"
        seen: list[int] = []
        for state in (1, 2, 3):
            orders = await ask(path, **pair, **window, state=state)
            assert {order["order_state"] for order in orders} == {state}
            seen += [order["start_time"] for order in orders]
        assert len(seen) == len(set(seen))

    async def test_a_wider_range_holds_more(self, ask: Any) -> None:
        path = "/api/futures/orderbook/ask-bids-history"
        near = (await ask(path, **PAIR, range="0.25"))[0]
        far = (await ask(path, **PAIR, range="10"))[0]
        assert 0 < near["bids_usd"] < far["bids_usd"]
        assert 0 < near["asks_usd"] < far["asks_usd"]

    async def test_heatmap_rows_have_bids_below_and_asks_above(self, sim: Any) -> None:
        path = "/api/futures/orderbook/history"
        body = (await sim.coinglass(path, **(PAIR | {"limit": 100}))).json()
        assert body["success"] is True
        assert len(body["data"]) == 100
        for at_s, bids, asks in body["data"]:
            assert at_s < 1e11
            assert max(price for price, _ in bids) < min(price for price, _ in asks)
        refused = (await sim.coinglass(path, **(PAIR | {"limit": 101}))).json()
        assert refused == {"code": "400", "msg": "Invalid parameter 'limit'"}


class TestIndicators:
    async def test_rsi_stays_between_zero_and_a_hundred(self, ask: Any) -> None:
        rows = await ask("/api/futures/indicators/rsi", **(PAIR | {"limit": 500}))
        assert len(rows) == 500
        assert all(0 < row["rsi_value"] < 100 for row in rows)

    async def test_moving_average_is_the_mean_of_the_closes(self, ask: Any) -> None:
        closes = [float(r["close"]) for r in await ask("/api/futures/price/history", **PAIR)]
        rows = await ask("/api/futures/indicators/ma", **(PAIR | {"limit": 1}), window=7)
        assert rows[0]["ma_value"] == pytest.approx(sum(closes[-7:]) / 7, rel=1e-9)

    async def test_bands_lie_on_both_sides_of_the_same_average(self, ask: Any) -> None:
        bands = await ask("/api/futures/indicators/boll", **PAIR)
        means = await ask("/api/futures/indicators/ma", **PAIR)
        for band, mean in zip(bands, means, strict=True):
            assert band["mb_value"] == pytest.approx(mean["ma_value"], rel=1e-9)
            assert band["lb_value"] < band["mb_value"] < band["ub_value"]
            assert band["ub_value"] + band["lb_value"] == pytest.approx(2 * band["mb_value"])

    async def test_values_do_not_depend_on_how_many_rows_are_asked_for(self, ask: Any) -> None:
        for name in ("rsi", "ema", "macd", "avg-true-range"):
            short = await ask(f"/api/futures/indicators/{name}", **(PAIR | {"limit": 2}))
            long = await ask(f"/api/futures/indicators/{name}", **(PAIR | {"limit": 300}))
            for key in short[0].keys() - {"time"}:
                assert short[0][key] == pytest.approx(long[-2][key], rel=2e-3, abs=1.0)

    async def test_td_rows_have_one_count_of_at_most_nine(self, ask: Any) -> None:
        for row in await ask("/api/futures/indicators/td", **(PAIR | {"limit": 300})):
            assert len(row) == 2
            assert 1 <= row.get("td_buy_count", row.get("td_sell_count")) <= 9

    async def test_a_window_of_nothing_is_refused(self, sim: Any) -> None:
        for bad in ("0", "-3", "1.5", "9" * 30):
            answer = await sim.coinglass("/api/futures/indicators/ma", **PAIR, window=bad)
            assert answer.json() == {"code": "400", "msg": "Invalid parameter 'window'"}


class TestPlans:
    async def test_small_bars_need_a_larger_plan_only_where_the_page_says_so(self, make_sim: Any) -> None:
        minutes = PAIR | {"interval": "5m"}
        async with make_sim(plan="startup") as low:
            refused = (await low.coinglass("/api/spot/price/history", **minutes)).json()
            cvd = (await low.coinglass("/api/futures/cvd/history", **minutes)).json()
        assert refused == {"code": "403", "details": {"upgrade_required": "STANDARD"}}
        assert len(cvd["data"]) == 60

    async def test_the_longest_histories_reach_four_and_a_half_thousand_rows(self, ask: Any) -> None:
        asked = COIN | {"exchange_list": "Binance", "limit": 4500}
        assert len(await ask("/api/futures/aggregated-cvd/history", **asked)) == 4500
        assert len(await ask("/api/futures/cvd/history", **(PAIR | {"limit": 4500}))) == 1000


class TestListings:
    async def test_a_small_coin_is_missing_on_the_exchanges_that_do_not_list_it(self, ask: Any) -> None:
        for kind, name in (("futures", "FLOKIUSDT_UMCBL"), ("spot", "FLOKIUSDT")):
            pairs = await ask(f"/api/{kind}/supported-exchange-pairs")
            assert name not in {row["instrument_id"] for row in pairs["Bitget"]}
            assert "FLOKI" in {row["base_asset"] for row in pairs["Bybit"]}
            asked = {"exchange": "Bitget", "symbol": name, "interval": "1h", "limit": 2}
            assert await ask(f"/api/{kind}/price/history", **asked) == []
        for path in ("futures/open-interest/exchange-list", "futures/pairs-markets", "spot/pairs-markets"):
            rows = await ask(f"/api/{path}", symbol="FLOKI")
            names = {row.get("exchange") or row["exchange_name"] for row in rows}
            assert names - {"All"} == {"Binance", "OKX", "Bybit", "Gate", "MEXC"}

    async def test_sums_over_exchanges_leave_out_the_one_that_does_not_list_the_coin(self, ask: Any) -> None:
        asked = {"symbol": "FLOKI", "interval": "1h", "limit": 5}
        path = "/api/futures/open-interest/aggregated-stablecoin-history"
        all_but = await ask(path, **asked, exchange_list=EVERYWHERE)
        total = await ask("/api/futures/open-interest/aggregated-history", **asked)
        assert float(all_but[0]["close"]) == pytest.approx(0.85 * float(total[0]["close"]), rel=1e-6)
        assert await ask(path, **asked, exchange_list="Bitget") == []
        orders = await ask(
            "/api/futures/liquidation/order", exchange="Bitget", symbol="FLOKI", min_liquidation_amount=0
        )
        assert orders == []
