"""The simulated LunarCrush, CoinAPI and alternative.me."""

from __future__ import annotations

from typing import Any

import pytest

BEARER = {"Authorization": "Bearer test-key"}
COINAPI_KEY = {"X-CoinAPI-Key": "test-key"}
ROOT = "/lunarcrush/api4/public"


class TestLunarcrush:
    async def test_missing_and_bad_keys_are_401(self, sim: Any) -> None:
        assert (await sim.get(f"{ROOT}/coins/BTC/v1")).status_code == 401
        bad = {"Authorization": "Bearer bad-key"}
        assert (await sim.get(f"{ROOT}/coins/BTC/v1", bad)).status_code == 401

    async def test_ten_calls_a_minute(self, sim: Any) -> None:
        for _ in range(10):
            assert (await sim.get(f"{ROOT}/coins/BTC/v1", BEARER)).status_code == 200
        assert (await sim.get(f"{ROOT}/coins/BTC/v1", BEARER)).status_code == 429
        sim.ticker.now_s += 60
        assert (await sim.get(f"{ROOT}/coins/BTC/v1", BEARER)).status_code == 200

    async def test_symbol_filter_on_the_list_is_ignored(self, sim: Any) -> None:
        rows = (await sim.get(f"{ROOT}/coins/list/v1", BEARER, symbol="BTC")).json()["data"]
        assert len(rows) >= 30

    async def test_id_and_symbol_name_the_same_coin(self, sim: Any) -> None:
        by_id = (await sim.get(f"{ROOT}/coins/2/v1", BEARER)).json()
        by_symbol = (await sim.get(f"{ROOT}/coins/ETH/v1", BEARER)).json()
        assert by_id == by_symbol
        assert "sentiment" not in by_id["data"]

    async def test_unknown_coin_is_an_error_body_inside_http_200(self, sim: Any) -> None:
        answer = await sim.get(f"{ROOT}/coins/NOPE/v1", BEARER)
        assert (answer.status_code, answer.json()) == (200, {"error": "Coin not found"})

    async def test_hourly_month_is_in_seconds_and_ends_in_the_running_hour(self, sim: Any) -> None:
        path = f"{ROOT}/coins/BTC/time-series/v2"
        rows = (await sim.get(path, BEARER, bucket="hour", interval="1m")).json()["data"]
        now_s = sim.clock.now_ms() // 1000
        assert rows[-1]["time"] == now_s // 3600 * 3600
        assert rows[1]["time"] - rows[0]["time"] == 3600
        assert 719 <= len(rows) <= 721
        assert all(0 <= row["galaxy_score"] <= 100 for row in rows)

    async def test_start_and_end_select_buckets(self, sim: Any) -> None:
        end_s = sim.clock.now_ms() // 3_600_000 * 3600 - 36_000
        path = f"{ROOT}/coins/BTC/time-series/v2"
        asked = {"bucket": "hour", "start": end_s - 7200, "end": end_s}
        rows = (await sim.get(path, BEARER, **asked)).json()["data"]
        assert [row["time"] for row in rows] == [end_s - 7200, end_s - 3600, end_s]

    async def test_topic_is_found_by_its_lower_case_name(self, sim: Any) -> None:
        data = (await sim.get(f"{ROOT}/topic/bitcoin/v1", BEARER)).json()["data"]
        assert data["title"] == "Bitcoin"
        assert set(data["types_sentiment"]) == set(data["types_interactions"])


class TestCoinapi:
    async def test_rate_is_near_the_perpetual_and_stamped_with_seven_decimals(self, sim: Any) -> None:
        answer = await sim.get("/coinapi/v1/exchangerate/BTC/USD", COINAPI_KEY)
        ticker = (await sim.okx("market/ticker", instId="BTC-USDT-SWAP"))["data"][0]
        assert answer.json()["rate"] == pytest.approx(float(ticker["last"]), rel=0.002)
        assert len(answer.json()["time"]) == len("2024-06-09T12:32:05.0000000Z")
        assert answer.headers["x-ratelimit-remaining"] == "99999"

    async def test_unknown_pair_is_550_no_data(self, sim: Any) -> None:
        answer = await sim.get("/coinapi/v1/exchangerate/NOPE/USD", COINAPI_KEY)
        assert (answer.status_code, answer.json()) == (550, {"error": "No data"})

    async def test_bad_key_is_401(self, sim: Any) -> None:
        answer = await sim.get("/coinapi/v1/exchangerate/BTC/USD", {"X-CoinAPI-Key": "bad-key"})
        assert (answer.status_code, answer.json()) == (401, {"error": "Invalid API key"})

    async def test_quotes_can_be_filtered_and_inverted(self, sim: Any) -> None:
        asked = {"filter_asset_id": "USD,EUR"}
        rates = (await sim.get("/coinapi/v1/exchangerate/BTC", COINAPI_KEY, **asked)).json()["rates"]
        inverse = await sim.get("/coinapi/v1/exchangerate/BTC", COINAPI_KEY, **asked, invert="true")
        assert [row["asset_id_quote"] for row in rates] == ["USD", "EUR"]
        assert rates[0]["rate"] * inverse.json()["rates"][0]["rate"] == pytest.approx(1)


class TestFearGreed:
    async def test_figures_are_text_newest_first_with_time_left_on_the_first_row(self, sim: Any) -> None:
        rows = (await sim.get("/alternative-me/fng/", limit=3)).json()["data"]
        day_s = 86_400
        today_s = sim.clock.now_ms() // 1000 // day_s * day_s
        assert [int(row["timestamp"]) for row in rows] == [today_s - n * day_s for n in range(3)]
        assert int(rows[0]["time_until_update"]) == today_s + day_s - sim.clock.now_ms() // 1000
        assert "time_until_update" not in rows[1]
        assert all(0 <= int(row["value"]) <= 100 for row in rows)

    async def test_limit_0_is_the_whole_history_and_the_default_is_one_day(self, sim: Any) -> None:
        assert len((await sim.get("/alternative-me/fng/", limit=0)).json()["data"]) > 300
        assert len((await sim.get("/alternative-me/fng/")).json()["data"]) == 1
