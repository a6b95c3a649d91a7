"""The simulated OKX public REST API: paging, bars, contracts, error codes and limits."""

from __future__ import annotations

from typing import Any

import pytest

BTC = {"instId": "BTC-USDT-SWAP"}
HOUR_MS = 3_600_000


class TestCandles:
    async def test_rows_are_newest_first_and_only_row_0_is_forming(self, sim: Any) -> None:
        rows = (await sim.okx("market/candles", **BTC, bar="1H", limit=300))["data"]
        times = [int(row[0]) for row in rows]
        assert len(rows) == 300
        assert times == sorted(times, reverse=True)
        assert [row[8] for row in rows[:3]] == ["0", "1", "1"]
        assert all(isinstance(cell, str) for cell in rows[0])

    async def test_volume_in_contracts_times_contract_value_is_volume_in_coins(self, sim: Any) -> None:
        row = (await sim.okx("market/candles", **BTC, bar="1H"))["data"][1]
        assert float(row[5]) * 0.01 == pytest.approx(float(row[6]), rel=1e-3)

    async def test_after_pages_back_without_overlap(self, sim: Any) -> None:
        first = (await sim.okx("market/history-candles", **BTC, bar="1H"))["data"]
        second = (await sim.okx("market/history-candles", **BTC, bar="1H", after=first[-1][0]))["data"]
        assert len(first) == len(second) == 100
        assert int(second[0][0]) == int(first[-1][0]) - HOUR_MS
        assert {row[8] for row in first} == {"1"}

    async def test_before_means_newer_and_excludes_its_bound(self, sim: Any) -> None:
        rows = (await sim.okx("market/candles", **BTC, bar="1H"))["data"]
        newer = (await sim.okx("market/candles", **BTC, bar="1H", before=rows[3][0]))["data"]
        assert newer == rows[:3]

    async def test_candles_end_after_1440_bars(self, sim: Any) -> None:
        oldest = sim.clock.now_ms() - 1500 * 60_000
        assert (await sim.okx("market/candles", **BTC, bar="1m", after=oldest))["data"] == []
        assert (await sim.okx("market/history-candles", **BTC, bar="1m", after=oldest))["data"]

    async def test_daily_bars_open_at_hong_kong_midnight_unless_utc(self, sim: Any) -> None:
        hong_kong = (await sim.okx("market/candles", **BTC, bar="1D"))["data"]
        utc = (await sim.okx("market/candles", **BTC, bar="1Dutc"))["data"]
        assert {int(row[0]) // HOUR_MS % 24 for row in hong_kong} == {16}
        assert {int(row[0]) // HOUR_MS % 24 for row in utc} == {0}


class TestErrors:
    async def test_lower_case_hour_is_51000_with_http_400(self, sim: Any) -> None:
        answer = await sim.get("/okx/api/v5/market/candles", **BTC, bar="1h")
        assert (answer.status_code, answer.json()["code"]) == (400, "51000")

    async def test_unknown_instrument_is_51001_inside_http_200(self, sim: Any) -> None:
        answer = await sim.get("/okx/api/v5/market/ticker", instId="NOPE-USDT-SWAP")
        assert (answer.status_code, answer.json()["code"]) == (200, "51001")
        assert answer.json()["data"] == []

    async def test_missing_instrument_is_50014(self, sim: Any) -> None:
        answer = await sim.get("/okx/api/v5/market/ticker")
        assert (answer.status_code, answer.json()["code"]) == (400, "50014")

    async def test_limit_is_per_instrument_and_two_seconds(self, sim: Any) -> None:
        path = "/okx/api/v5/public/funding-rate"
        for _ in range(10):
            assert (await sim.get(path, **BTC)).status_code == 200
        over = await sim.get(path, **BTC)
        other = await sim.get(path, instId="ETH-USDT-SWAP")
        sim.ticker.now_s += 2
        later = await sim.get(path, **BTC)
        assert (over.status_code, over.json()["code"]) == (429, "50011")
        assert (other.status_code, later.status_code) == (200, 200)


class TestFigures:
    async def test_thirty_or_more_swaps_with_contract_values(self, sim: Any) -> None:
        rows = (await sim.okx("public/instruments", instType="SWAP"))["data"]
        values = {row["instId"]: float(row["ctVal"]) for row in rows}
        assert len(values) >= 30
        assert values["BTC-USDT-SWAP"] == 0.01

    async def test_cheap_coins_never_use_exponents(self, sim: Any) -> None:
        row = (await sim.okx("market/ticker", instId="PEPE-USDT-SWAP"))["data"][0]
        assert "e" not in row["last"].lower()
        assert float(row["bidPx"]) < float(row["last"]) < float(row["askPx"])

    async def test_open_interest_contracts_are_coins_over_contract_value(self, sim: Any) -> None:
        row = (await sim.okx("public/open-interest", instType="SWAP", **BTC))["data"][0]
        assert float(row["oi"]) * 0.01 == pytest.approx(float(row["oiCcy"]), rel=1e-6)

    async def test_any_lists_the_funding_of_every_swap(self, sim: Any) -> None:
        rows = (await sim.okx("public/funding-rate", instId="ANY"))["data"]
        assert len(rows) >= 30
        assert all(int(row["prevFundingTime"]) < int(row["fundingTime"]) for row in rows)

    async def test_funding_history_pages_back_for_three_months(self, sim: Any) -> None:
        first = (await sim.okx("public/funding-rate-history", **BTC))["data"]
        rows, seen = first, len(first)
        while rows:
            oldest = int(rows[-1]["fundingTime"])
            rows = (await sim.okx("public/funding-rate-history", **BTC, after=oldest))["data"]
            seen += len(rows)
        assert len(first) == 100
        assert sim.clock.now_ms() - oldest <= 90 * 24 * HOUR_MS
        assert seen == 270

    async def test_taker_rows_put_sells_first(self, sim: Any) -> None:
        rows = (await sim.okx("rubik/stat/taker-volume-contract", **BTC, period="1H"))["data"]
        world = sim.app.state.simulator.market
        at = int(rows[1][0])
        buys, sells = world.taker_volume("BTC", "OKX", HOUR_MS, at, at + 1)
        assert float(rows[1][1]) / float(rows[1][2]) == pytest.approx(
            float(sells.values[0] / buys.values[0]), rel=1e-3
        )

    async def test_rubik_pages_a_hundred_rows_with_end(self, sim: Any) -> None:
        path = "rubik/stat/contracts/long-short-account-ratio-contract"
        first = (await sim.okx(path, **BTC, period="1H"))["data"]
        second = (await sim.okx(path, **BTC, period="1H", end=first[-1][0]))["data"]
        assert len(first) == len(second) == 100
        assert int(second[0][0]) == int(first[-1][0]) - HOUR_MS


class TestLiquidations:
    async def test_contracts_times_value_and_price_is_the_usd_of_the_event(self, sim: Any) -> None:
        asked = {"instType": "SWAP", "instFamily": "BTC-USDT", "state": "filled"}
        group = (await sim.okx("public/liquidation-orders", **asked))["data"][0]
        order = group["details"][0]
        world = sim.app.state.simulator.market
        at = int(order["ts"])
        events = [e for e in world.liquidation_events(at, at + 1) if (e.base, e.exchange) == ("BTC", "OKX")]
        usd = float(order["sz"]) * 0.01 * float(order["bkPx"])
        assert group["instId"] == "BTC-USDT-SWAP"
        assert min(abs(usd - e.usd) / e.usd for e in events) < 1e-4
        assert order["side"] == {"long": "sell", "short": "buy"}[order["posSide"]]

    async def test_pages_reach_back_without_repeats_and_end(self, sim: Any) -> None:
        asked = {"instType": "SWAP", "instFamily": "GALA-USDT"}
        stamps: list[int] = []
        after: dict[str, int] = {}
        for _ in range(400):
            data = (await sim.okx("public/liquidation-orders", **asked, **after))["data"]
            sim.ticker.now_s += 2
            if not data:
                break
            page = [int(order["ts"]) for order in data[0]["details"]]
            stamps += page
            after = {"after": page[-1]}
        assert stamps == sorted(stamps, reverse=True)
        assert sim.clock.now_ms() - stamps[-1] <= 7 * 24 * HOUR_MS
