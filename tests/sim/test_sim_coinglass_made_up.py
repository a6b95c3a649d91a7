"""Made-up CoinGlass figures of the simulator: wallets, funds, chain, options, indexes stay consistent too."""

from __future__ import annotations

import math
from typing import Any

import pytest

NOW_MS = 1_749_637_230_000
PAIR = {"exchange": "Binance", "symbol": "BTCUSDT", "interval": "1h", "limit": 60}


class TestWallets:
    async def test_longs_are_liquidated_below_their_entry_and_shorts_above(self, ask: Any) -> None:
        whales = await ask("/api/hyperliquid/whale-position")
        rows = whales + (await ask("/api/hyperliquid/position", symbol="SOL"))["list"]
        assert {row["position_size"] > 0 for row in rows} == {True, False}
        for row in rows:
            size, mark, entry = row["position_size"], row["mark_price"], row["entry_price"]
            assert (row["liq_price"] < entry) is (size > 0)
            assert row["position_value_usd"] == pytest.approx(abs(size) * mark, rel=1e-4)
            assert row["unrealized_pnl"] == pytest.approx(size * (mark - entry), rel=1e-3, abs=1)

    async def test_a_position_keeps_its_size_and_entry_while_the_price_moves(
        self, sim: Any, ask: Any
    ) -> None:
        before = {row["user"]: row for row in await ask("/api/hyperliquid/whale-position")}
        sim.clock.set(NOW_MS + 20 * 60_000)
        after = {row["user"]: row for row in await ask("/api/hyperliquid/whale-position")}
        kept = [user for user in before if user in after]
        moved = 0
        for user in kept:
            old, new = before[user], after[user]
            if old["create_time"] == new["create_time"]:
                for key in ("position_size", "entry_price", "liq_price", "margin_balance"):
                    assert old[key] == new[key], key
                moved += old["mark_price"] != new["mark_price"]
        assert moved > 10

    async def test_a_closed_whale_is_no_position_any_more(self, ask: Any) -> None:
        alerts = await ask("/api/hyperliquid/whale-alert")
        positions = {row["user"] for row in await ask("/api/hyperliquid/whale-position")}
        opened = {row["user"] for row in alerts if row["position_action"] == 1}
        closed = {row["user"] for row in alerts if row["position_action"] == 2}
        assert closed
        assert closed <= opened
        assert not closed & positions
        assert positions <= opened
        for row in alerts:
            assert row["create_time"] <= NOW_MS

    async def test_whales_are_among_the_positions_of_their_coin(self, ask: Any) -> None:
        whales = [row for row in await ask("/api/hyperliquid/whale-position") if row["symbol"] == "BTC"]
        first = await ask("/api/hyperliquid/position", symbol="BTC")
        second = await ask("/api/hyperliquid/position", symbol="BTC", current_page=2)
        assert first["total_pages"] == 2
        users = [row["user"] for row in first["list"] + second["list"]]
        assert len(set(users)) == len(users)
        assert {row["user"] for row in whales} <= set(users)

    async def test_a_whale_has_the_same_position_in_its_wallet(self, ask: Any) -> None:
        whale = (await ask("/api/hyperliquid/whale-position"))[0]
        wallet = await ask("/api/hyperliquid/user-position", user_address=whale["user"])
        position = wallet["asset_positions"][0]["position"]
        assert (position["coin"], position["szi"]) == (whale["symbol"], whale["position_size"])
        assert wallet["margin_summary"]["total_ntl_pos"] == whale["position_value_usd"]

    async def test_an_unknown_wallet_is_empty(self, ask: Any) -> None:
        wallet = await ask("/api/hyperliquid/user-position", user_address="0x" + "1" * 40)
        assert wallet["asset_positions"] == []
        assert wallet["margin_summary"]["account_value"] == 0

    async def test_groups_split_into_longs_and_shorts_with_the_bias_of_the_larger_side(
        self, ask: Any
    ) -> None:
        for name in ("position-distribution", "pnl-distribution"):
            rows = await ask(f"/api/hyperliquid/wallet/{name}")
            assert len(rows) == 8
            for row in rows:
                longs, shorts = row["long_position_usd"], row["short_position_usd"]
                assert longs + shorts == pytest.approx(row["position_usd"])
                assert (row["bias_score"] > 0) is (longs > shorts)

    async def test_ten_minute_bars_exist_for_wallet_groups_only(self, sim: Any, ask: Any) -> None:
        path = "/api/futures/hyperliquid/long-short-account-ratio-by-tag/history"
        rows = await ask(path, symbol="BTC", wallet_tag="Whale", interval="10m", limit=3)
        assert [row["time"] % 600_000 for row in rows] == [0, 0, 0]
        refused = await sim.coinglass("/api/futures/price/history", **(PAIR | {"interval": "10m"}))
        assert refused.json() == {"code": "400", "msg": "Invalid parameter 'interval'"}


class TestMadeUp:
    async def test_etf_flows_sum_over_the_funds_and_move_the_holdings(self, ask: Any) -> None:
        flows = await ask("/api/etf/bitcoin/flow-history")
        for row in flows:
            summed = sum(fund.get("flow_usd", 0.0) for fund in row["etf_flows"])
            assert row["flow_usd"] == pytest.approx(summed)
        history = await ask("/api/etf/bitcoin/history", ticker="IBIT")
        flow = next(f for f in flows[-1]["etf_flows"] if f["etf_ticker"] == "IBIT").get("flow_usd", 0.0)
        bought = flow / flows[-1]["price_usd"]
        gained = history[-1]["btc_holdings"] - history[-2]["btc_holdings"]
        assert gained == pytest.approx(bought, abs=0.01)

    async def test_etf_prices_say_message(self, sim: Any) -> None:
        path = "/api/etf/bitcoin/price/history"
        body = (await sim.coinglass(path, ticker="GBTC", range="1d")).json()
        assert (body["code"], body["message"], "msg" in body) == ("0", "success", False)

    async def test_balance_changes_are_those_of_the_chart(self, ask: Any) -> None:
        rows = await ask("/api/exchange/balance/list", symbol="BTC")
        chart = (await ask("/api/exchange/balance/chart", symbol="BTC"))[0]
        for row in rows:
            series = chart["data_map"][row["exchange_name"]]
            assert row["total_balance"] == series[-1]
            assert row["balance_change_7d"] == pytest.approx(series[-1] - series[-8], abs=1e-5)

    async def test_option_exchanges_share_the_whole(self, ask: Any) -> None:
        whole, *parts = await ask("/api/option/info", symbol="BTC")
        assert whole["exchange_name"] == "All"
        assert sum(row["open_interest_usd"] for row in parts) == pytest.approx(whole["open_interest_usd"])
        assert sum(row["oi_market_share"] for row in parts) == pytest.approx(100)

    async def test_indexes_keep_to_their_scale(self, ask: Any) -> None:
        season = await ask("/api/index/altcoin-season")
        assert all(0 <= row["altcoin_index"] <= 100 for row in season)
        dominance = await ask("/api/index/bitcoin-dominance")
        assert all(0 < row["bitcoin_dominance"] < 100 for row in dominance)
        longs = await ask("/api/index/bitcoin-long-term-holder-supply")
        shorts = await ask("/api/index/bitcoin-short-term-holder-supply")
        supply = longs[-1]["long_term_holder_supply"] + shorts[-1]["short_term_holder_supply"]
        assert supply == pytest.approx(19_900_000)
        rainbow = (await ask("/api/index/bitcoin/rainbow-chart"))[-1]
        assert len(rainbow) == 12
        assert rainbow[1:11] == sorted(rainbow[1:11])

    async def test_a_peak_signal_is_hit_when_its_comparison_holds(self, ask: Any) -> None:
        for row in await ask("/api/bull-market-peak-indicator"):
            now, target = float(row["current_value"]), float(row["target_value"])
            assert row["hit_status"] is (now >= target if row["comparison_type"] == ">=" else now <= target)

    async def test_vesting_buckets_sum_to_the_supply(self, ask: Any) -> None:
        plan = await ask("/api/coin/vesting", symbol="HYPE")
        tokens = sum(float(bucket["token_amount"]) for bucket in plan["allocations"])
        assert tokens == pytest.approx(plan["total_supply"], rel=1e-6)
        known = plan["total_locked"] + plan["total_unlocked"] + plan["total_untracked"]
        assert known == pytest.approx(plan["total_supply"], rel=1e-6)

    async def test_calendar_has_no_result_before_its_hour(self, ask: Any) -> None:
        rows = await ask("/api/calendar/economic-data")
        assert {row["publish_timestamp"] > NOW_MS for row in rows} == {True, False}
        for row in rows:
            assert (row["published_value"] == "") is (row["publish_timestamp"] > NOW_MS)

    async def test_pages_of_transfers_do_not_overlap(self, ask: Any) -> None:
        path = "/api/exchange/chain/tx/list"
        first, second = await ask(path, per_page=5), await ask(path, per_page=5, page=2)
        assert len(first) == len(second) == 5
        assert not {r["transaction_hash"] for r in first} & {r["transaction_hash"] for r in second}
        large = await ask(path, min_usd=100_000, per_page=100)
        assert all(row["amount_usd"] >= 100_000 for row in large)
        assert all(math.isfinite(row["asset_quantity"]) for row in large)
