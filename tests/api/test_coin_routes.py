"""`/api/coins` and its three changes, `/api/stats`, `/api/candles`: who may, what is answered or refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx2
import pytest

from app.api.options import ApiKey
from app.api.schemas.candles import CandlesResponse
from app.api.schemas.coins import CoinChangeResponse, CoinsResponse
from app.api.schemas.stats import StatsResponse
from app.core.domain.alerts import DropReason
from app.core.domain.market import HOUR_MS
from app.core.domain.quality import Missing, MissingReason
from app.core.domain.track_record import SignalCount
from app.core.domain.views import View
from app.core.domain.watchlist import MAX_COINS
from tests.flow_facts import alert, stored
from tests.liquidity_rig import reading, wavy_candles
from tests.watch_facts import NOW_MS

WRITES = [("POST", "/api/coins/add"), ("DELETE", "/api/coins/remove/BTC"), ("PATCH", "/api/coins/BTC/toggle")]


async def send(rig: Any, method: str, path: str, **more: Any) -> httpx2.Response:
    async with rig.client() as client:
        answer: httpx2.Response = await client.request(method, path, **more)
        return answer


async def add(rig: Any, symbol: object, **more: Any) -> httpx2.Response:
    return await send(rig, "POST", "/api/coins/add", json={"symbol": symbol}, **more)


class TestList:
    async def test_it_has_the_coins_in_order_with_what_is_on(self, rig: Any) -> None:
        await rig.watchlist.toggle("ETH")
        await rig.watchlist.add("DOGE")
        answer = await rig.get("/api/coins")
        CoinsResponse.model_validate_json(answer.content)
        body = answer.json()
        assert answer.headers["cache-control"] == "no-store"
        assert (body["on"], body["limit"], body["dataMode"]) == (3, MAX_COINS, "demo")
        assert [item["symbol"] for item in body["items"]] == ["BTC", "ETH", "SOL", "DOGE"]
        off = {"symbol": "ETH", "on": False, "configured": True, "saved": True, "addedAt": None}
        added = {"symbol": "DOGE", "on": True, "configured": False, "saved": True}
        assert body["items"][1] == off
        assert body["items"][3] == added | {"addedAt": "2026-02-25T06:13:20.000Z"}


class TestChanges:
    async def test_a_coin_is_added_in_any_spelling_and_told_with_the_list(self, rig: Any) -> None:
        answer = await add(rig, "doge/usdt:usdt")
        assert answer.status_code == 200
        CoinChangeResponse.model_validate_json(answer.content)
        body = answer.json()
        assert (body["changed"], body["didChange"], body["on"]) == ("DOGE", True, 4)
        again = (await add(rig, "DOGE")).json()
        assert (again["changed"], again["didChange"], again["items"]) == ("DOGE", False, body["items"])

    async def test_a_switch_flips_without_a_body_and_obeys_one(self, rig: Any) -> None:
        path = "/api/coins/eth/toggle"
        assert (await send(rig, "PATCH", path)).json()["items"][1]["on"] is False
        told = (await send(rig, "PATCH", path, json={"on": False})).json()
        assert (told["items"][1]["on"], told["didChange"]) == (False, False)
        assert (await send(rig, "PATCH", path, json={"on": True})).json()["items"][1]["on"] is True

    async def test_a_coin_of_the_configuration_can_be_removed_and_brought_back(self, rig: Any) -> None:
        body = (await send(rig, "DELETE", "/api/coins/remove/BTCUSDT")).json()
        assert (body["changed"], [item["symbol"] for item in body["items"]]) == ("BTC", ["ETH", "SOL"])
        assert (await add(rig, "btc")).json()["items"][0]["symbol"] == "BTC"

    async def test_a_change_that_is_in_memory_only_says_so(self, rig: Any) -> None:
        rig.coins.is_away = True
        body = (await add(rig, "DOGE")).json()
        assert body["items"][-1] | {"addedAt": None} == {
            "symbol": "DOGE",
            "on": True,
            "configured": False,
            "saved": False,
            "addedAt": None,
        }

    async def test_what_is_unknown_or_not_in_the_list_is_404(self, rig: Any) -> None:
        unknown = await add(rig, "PEPPE")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_symbol")
        assert unknown.json()["near"] == ["PEPE"]
        for method, path in (("DELETE", "/api/coins/remove/DOGE"), ("PATCH", "/api/coins/DOGE/toggle")):
            answer = await send(rig, method, path)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_watched")

    async def test_a_full_list_is_409(self, rig: Any) -> None:
        for number in range(MAX_COINS):
            rig.watchlist._configured[f"X{number}"] = None
        answer = await add(rig, "DOGE")
        assert (answer.status_code, answer.json()["code"]) == (409, "watchlist_full")

    @pytest.mark.parametrize(
        "body",
        [b"", b"{", b"[]", b"null", b"{}", b'{"symbol":1}', b'{"symbol":"BTC","x":1}', b'{"symbol":"../"}'],
    )
    async def test_a_body_that_names_no_coin_is_400(self, rig: Any, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        answer = await send(rig, "POST", "/api/coins/add", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")

    @pytest.mark.parametrize("body", ["{}", '{"on":"yes"}', '{"on":null}', '{"on":1}', "[]", "{"])
    async def test_a_switch_that_is_neither_on_nor_off_is_400(self, rig: Any, body: str) -> None:
        headers = {"Content-Type": "application/json"}
        answer = await send(rig, "PATCH", "/api/coins/BTC/toggle", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
        assert rig.watchlist.symbols() == ("BTC", "ETH", "SOL")


class TestWhoMay:
    @pytest.mark.parametrize(("method", "path"), WRITES)
    async def test_a_change_needs_the_scope_admin(self, make_rig: Any, method: str, path: str) -> None:
        keys = tuple(ApiKey.from_plain(name, f"{name}-key-of-a-test", [name]) for name in ("read", "admin"))
        rig = make_rig(api_keys=keys)
        body = {"symbol": "DOGE"} if method == "POST" else None
        statuses = {}
        for name in ("read", "admin", "nobody"):
            headers = {"Authorization": f"Bearer {name}-key-of-a-test"}
            statuses[name] = (await send(rig, method, path, json=body, headers=headers)).status_code
        assert statuses == {"read": 403, "admin": 200, "nobody": 401}
        readable = {"Authorization": "Bearer read-key-of-a-test"}
        for path_read in ("/api/coins", "/api/stats", "/api/candles/BTC"):
            assert (await rig.get(path_read, headers=readable)).status_code == 200
            assert (await rig.get(path_read)).status_code == 401

    @pytest.mark.parametrize("method", ["DELETE", "PATCH"])
    async def test_a_page_of_another_origin_is_not_told_that_it_may(self, make_rig: Any, method: str) -> None:
        rig = make_rig(cors_origins=("https://app.example.com",))
        headers = {"Origin": "https://app.example.com", "Access-Control-Request-Method": method}
        answer = await send(rig, "OPTIONS", "/api/coins/remove/BTC", headers=headers)
        assert answer.status_code == 400
        assert method not in answer.headers.get("access-control-allow-methods", "")

    async def test_other_methods_are_405_and_say_what_there_is(self, rig: Any) -> None:
        for path, allowed in (("/api/coins/add", "POST"), ("/api/coins/remove/BTC", "DELETE")):
            answer = await rig.get(path)
            assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


class TestStats:
    async def test_counts_are_told_flat(self, rig: Any) -> None:
        rig.track.counts = (SignalCount("BTC", "request", "balanced", "LONG", 3, 70.0, 1.0),)
        rig.alerts.rows = [
            stored(replace(alert(n), ts_event_ms=NOW_MS - HOUR_MS), drop_reason=reason)
            for n, reason in enumerate([None, DropReason.MUTED, DropReason.CONTEXT, DropReason.MUTED])
        ]
        answer = await rig.get("/api/stats")
        StatsResponse.model_validate_json(answer.content)
        body = answer.json()
        assert (body["coinsListed"], body["coinsOn"], body["liveClients"]) == (3, 3, 3)
        assert (body["signalsTotal"], body["signalsLong"], body["signalsShort"]) == (3, 3, 0)
        assert (body["alertsTotal"], body["alertsKept"]) == (4, 1)
        assert body["alertsDropped"] == [{"reason": "muted", "count": 2}, {"reason": "context", "count": 1}]
        assert (body["since"], body["storeState"], body["whyNull"]) == (
            "2026-02-24T06:13:20.000Z",
            "ok",
            None,
        )

    async def test_what_the_store_does_not_tell_is_null_and_not_zero(self, rig: Any) -> None:
        rig.track.is_down = True
        body = (await rig.get("/api/stats")).json()
        counts = ("signalsTotal", "signalsLong", "alertsTotal", "alertsKept", "alertsDropped")
        assert [body[name] for name in counts] == [None] * 5
        assert (body["coinsOn"], body["whyNull"]) == (3, "the database does not answer")


class TestCandles:
    async def test_the_newest_closed_candles_come_oldest_first(self, rig: Any) -> None:
        found = wavy_candles(NOW_MS, HOUR_MS)
        rig.liquidity.views[View.CANDLES] = reading(found, found.close_ms[-1])
        answer = await rig.get("/api/candles/btcusdt", params={"timeframe": "1h", "limit": 3})
        CandlesResponse.model_validate_json(answer.content)
        body = answer.json()
        assert (body["symbol"], body["source"], body["exchange"], body["missing"]) == (
            "BTC",
            "okx",
            "OKX",
            None,
        )
        assert [row["close"] for row in body["candles"]] == pytest.approx(found.close[-3:])
        assert body["candles"][-1]["time"] == body["asOf"] == "2026-02-25T06:00:00.000Z"
        assert (body["ageS"], body["timeframe"]) == (800.0, "1h")
        assert rig.liquidity.answers == []  # no chance was published
        assert (await rig.get("/api/candles/BTC")).json()["candles"][-3:] == body["candles"]

    async def test_a_candle_that_has_not_closed_is_left_out(self, rig: Any) -> None:
        ahead = wavy_candles(NOW_MS + 2 * HOUR_MS, HOUR_MS)
        rig.liquidity.views[View.CANDLES] = reading(ahead, ahead.close_ms[-1])
        body = (await rig.get("/api/candles/BTC")).json()
        assert body["candles"][-1]["time"] == "2026-02-25T06:00:00.000Z"
        assert (await rig.get("/api/candles/BTC", params={"limit": 1000})).json()["candles"][0]["time"]

    async def test_none_is_an_answer_that_says_why(self, rig: Any) -> None:
        rig.liquidity.views[View.CANDLES] = Missing(MissingReason.TIMEOUT, "okx: no answer within 2 s")
        answer = await rig.get("/api/candles/BTC", params={"timeframe": "4h"})
        assert answer.status_code == 200
        CandlesResponse.model_validate_json(answer.content)
        body = answer.json()
        assert (body["candles"], body["asOf"], body["ageS"], body["source"]) == ([], None, None, None)
        assert body["missing"] == {"reason": "timeout", "detail": "okx: no answer within 2 s"}

    async def test_older_spellings_of_a_size_work_and_nonsense_is_400(self, rig: Any) -> None:
        assert (await rig.get("/api/candles/BTC", params={"timeframe": "h4"})).json()["timeframe"] == "4h"
        for params in ({"timeframe": "2h"}, {"limit": 0}, {"limit": 1001}, {"limit": "x"}):
            assert (await rig.get("/api/candles/BTC", params=params)).status_code == 400
        assert (await rig.get("/api/candles/NOSUCH")).status_code == 404
