"""Control routes, call log, latency, and faults that are whole answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.sim.faults import FaultPlan, parse_faults

TICKER = "/okx/api/v5/market/ticker"
BTC = {"instId": "BTC-USDT-SWAP"}


class TestControl:
    async def test_calls_are_logged_with_endpoint_params_and_status(self, sim: Any) -> None:
        await sim.get(TICKER, **BTC)
        await sim.get(TICKER)
        await sim.get("/coinapi/v1/exchangerate/BTC/USD", apikey="canary")
        log = (await sim.get("/__sim__/calls")).json()
        first = log["calls"][0] | {"atS": 0}
        assert log["total"] == 3
        assert first == {
            "atS": 0,
            "provider": "okx",
            "endpoint": "market_ticker",
            "path": "/api/v5/market/ticker",
            "params": BTC,
            "status": 200,
        }
        assert log["calls"][1]["status"] == 400
        assert "canary" not in json.dumps(log)

    async def test_reset_forgets_calls_faults_and_quota(self, sim: Any) -> None:
        await sim.faults({"provider": "okx", "kind": "empty"})
        await sim.coinglass("/api/futures/supported-coins")
        await sim.client.post("/__sim__/reset")
        state = (await sim.get("/__sim__/state")).json()
        assert (state["totalCalls"], state["faults"]) == (0, [])
        answer = await sim.coinglass("/api/futures/supported-coins")
        assert answer.headers["API-KEY-USE-LIMIT"] == "1"

    async def test_plan_changes_at_once(self, sim: Any) -> None:
        await sim.client.put("/__sim__/plan", json={"plan": "hobbyist"})
        answer = await sim.coinglass("/api/user/account/subscription")
        assert answer.json()["data"]["level"] == "HOBBYIST"

    async def test_clock_moves_market_time(self, sim: Any) -> None:
        wanted = sim.clock.now_ms() + 3_600_000
        await sim.client.put("/__sim__/clock", json={"nowMs": wanted})
        assert (await sim.okx("public/time"))["data"] == [{"ts": str(wanted)}]

    @pytest.mark.parametrize(
        ("route", "body"),
        [
            ("plan", {"plan": "gold"}),
            ("latency", {"ms": -1}),
            ("clock", {"nowMs": "soon"}),
            ("faults", [{"kind": "gremlins"}]),
            ("faults", {"kind": "hang"}),
        ],
    )
    async def test_settings_that_make_no_sense_are_400(self, sim: Any, route: str, body: Any) -> None:
        assert (await sim.client.put(f"/__sim__/{route}", json=body)).status_code == 400


class TestWholeAnswerFaults:
    async def test_status_with_headers_and_body(self, sim: Any) -> None:
        value = {"status": 429, "headers": {"Retry-After": "7"}, "body": {"code": "50011"}}
        await sim.faults({"provider": "okx", "endpoint": "market_*", "kind": "status", "value": value})
        answer = await sim.get(TICKER, **BTC)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
        assert (await sim.get("/okx/api/v5/public/time")).status_code == 200

    async def test_count_runs_out(self, sim: Any) -> None:
        await sim.faults({"provider": "okx", "kind": "status", "value": 503, "count": 2})
        statuses = [(await sim.get(TICKER, **BTC)).status_code for _ in range(3)]
        assert statuses == [503, 503, 200]

    async def test_envelope_fails_inside_http_200(self, sim: Any) -> None:
        await sim.faults({"provider": "coinglass", "kind": "envelope", "value": "500"})
        answer = await sim.coinglass("/api/futures/supported-coins")
        assert (answer.status_code, answer.json()["code"]) == (200, "500")

    async def test_nan_replaces_figures_but_not_times_and_codes(self, sim: Any) -> None:
        await sim.faults({"provider": "okx", "kind": "nan"})
        answer = (await sim.get(TICKER, **BTC)).json()
        assert answer["code"] == "0"
        assert answer["data"][0]["last"] == "NaN"
        assert answer["data"][0]["ts"].isdigit()

    async def test_truncated_json_does_not_parse(self, sim: Any) -> None:
        await sim.faults({"provider": "okx", "kind": "truncate", "value": 30})
        answer = await sim.get(TICKER, **BTC)
        assert len(answer.content) == 30
        with pytest.raises(ValueError):
            answer.json()

    @pytest.mark.parametrize(
        ("kind", "value", "start"), [("html", None, "<!doctype"), ("empty", None, ""), ("body", [1], "[1]")]
    )
    async def test_other_bodies(self, sim: Any, kind: str, value: Any, start: str) -> None:
        await sim.faults({"provider": "okx", "kind": kind, "value": value})
        answer = await sim.get(TICKER, **BTC)
        assert answer.status_code == 200
        assert answer.text.startswith(start)
        assert bool(answer.text) == bool(start)

    async def test_freeze_keeps_answering_with_old_market_time(self, sim: Any) -> None:
        frozen_ms = sim.clock.now_ms()
        await sim.faults({"provider": "okx", "kind": "freeze"})
        sim.clock.set(frozen_ms + 10 * 3_600_000)
        ticker = (await sim.okx("market/ticker", **BTC))["data"][0]
        newest = (await sim.okx("market/candles", **BTC, bar="1H"))["data"][0]
        unfrozen = await sim.coinglass("/api/user/account/subscription")
        assert frozen_ms - 60_000 <= int(ticker["ts"]) <= frozen_ms
        assert int(newest[0]) + 3_600_000 <= frozen_ms
        assert unfrozen.status_code == 200


def test_probability_hits_its_share_of_calls() -> None:
    plan = FaultPlan(parse_faults([{"kind": "empty", "probability": 0.25}], 0), seed=1)
    hits = sum(plan.take("okx", "x", frozenset({"empty"})) is not None for _ in range(4000))
    assert 900 < hits < 1100
