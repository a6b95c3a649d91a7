"""Rolling windows over HTTP: figures with their age, states instead of errors, sides never swapped."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from app.core.domain.flow import TradeWindow
from app.services.streaming.status_board import StatusBoard
from tests.flow_facts import CASCADE, NOW_MS, liquidations, mirrored, report, snapshot

LIQUIDATIONS, ORDER_FLOW = "/flow/BTC", "/api/orderflow/BTC"
MAX_NORMAL_CHARS = 8_000
MAX_WORST_CHARS = 90_000


async def board(rig: Any, *reports: Any) -> None:
    for one in reports:
        await StatusBoard(rig.warm, now_ms=lambda: NOW_MS).put(one)


class TestLiquidationFlow:
    async def test_every_window_says_which_side_was_forced_out_and_whether_it_is_whole(
        self, rig: Any
    ) -> None:
        await rig.warm.publish([snapshot(covered_since_ms=NOW_MS - 400_000, cascade=CASCADE)])
        answer = (await rig.get("/flow/btcusdt")).json()
        assert (answer["symbol"], answer["state"], answer["reason"]) == ("BTC", "live", None)
        assert [window["windowS"] for window in answer["windows"]] == [10, 30, 60, 300, 3_600, 86_400]
        assert [window["whole"] for window in answer["windows"]] == [True] * 4 + [False] * 2
        assert answer["windows"][1] == {
            "windowS": 30,
            "longUsd": 600_000.0,
            "shortUsd": 200_000.0,
            "longEvents": 6,
            "shortEvents": 2,
            "largestUsd": 150_000.0,
            "lowUsd": 95_000.0,
            "highUsd": 96_500.0,
            "dominantSide": "LONG",
            "dominantShareFrac": 0.75,
            "whole": True,
        }
        assert answer["thresholds"] == {
            "tier": 1,
            "cascadeUsd": 2_000_000.0,
            "largeUsd": 10_000.0,
            "absorptionUsd": 100_000.0,
        }
        assert answer["cascade"] == {
            "symbol": "BTC",
            "side": "LONG",
            "phase": "peak",
            "started": answer["cascade"]["started"],
            "ageS": 45.0,
            "usd": 2_600_000.0,
            "events": 41,
            "priceUsd": 95_100.0,
        }
        assert answer["price"] | {"asOf": ""} == {
            "priceUsd": 96_200.5,
            "exchange": "Binance",
            "asOf": "",
            "ageS": 2.0,
        }
        assert (answer["ageS"], answer["source"]) == (1.0, "coinglass")

    async def test_the_mirrored_market_gives_the_mirrored_answer(self, rig: Any) -> None:
        await rig.warm.publish([mirrored(snapshot())])
        windows = (await rig.get(LIQUIDATIONS)).json()["windows"]
        assert {window["dominantSide"] for window in windows} == {"SHORT"}
        assert (windows[0]["longUsd"], windows[0]["shortUsd"]) == (100_000.0, 300_000.0)

    async def test_an_old_snapshot_is_shown_as_stale_with_its_age(self, rig: Any) -> None:
        await rig.warm.publish([snapshot(as_of_ms=NOW_MS - 91_000)])
        answer = (await rig.get(LIQUIDATIONS)).json()
        assert (answer["state"], answer["ageS"]) == ("stale", 91.0)
        assert answer["reason"] == "the worker has not published this coin for 91 s"

    async def test_without_liquidations_no_stream_is_named(self, rig: Any) -> None:
        await rig.warm.publish([dataclasses.replace(snapshot(), source="")])
        assert (await rig.get(LIQUIDATIONS)).json()["source"] is None

    async def test_without_a_worker_the_answer_says_so_and_is_no_error(self, kept_rig: Any) -> None:
        found = await kept_rig.get(LIQUIDATIONS)
        assert found.status_code == 200
        assert (found.json()["state"], found.json()["windows"]) == ("no_worker", [])
        assert "no worker publishes" in found.json()["reason"]

    async def test_a_quiet_coin_of_a_running_worker_is_not_a_missing_worker(self, rig: Any) -> None:
        await board(rig, report())
        assert (await rig.get(LIQUIDATIONS)).json()["state"] == "no_events"

    async def test_an_unknown_coin_is_a_404_with_look_alikes(self, kept_rig: Any) -> None:
        found = await kept_rig.get("/flow/BTX")
        assert found.status_code == 404
        assert "BTC" in found.json()["near"]


class TestOrderFlow:
    async def test_one_sided_buying_is_accumulation_by_the_detectors_rule(self, rig: Any) -> None:
        await rig.warm.publish([snapshot()])
        answer = (await rig.get(ORDER_FLOW)).json()
        first, second = answer["windows"]
        assert (first["buyShareFrac"], first["verdict"], first["whyNone"]) == (0.7, "ACCUMULATION", None)
        assert (first["trades"], first["largeBuys"], first["largeSells"]) == (12, 3, 0)
        assert (second["verdict"], second["whyNone"]) == (None, "neither side has 65% of the volume")
        assert (first["whole"], second["whole"]) == (True, False)
        assert answer["largeUsd"] == 10_000.0

    async def test_one_sided_selling_is_distribution(self, rig: Any) -> None:
        await rig.warm.publish([mirrored(snapshot())])
        first = (await rig.get(ORDER_FLOW)).json()["windows"][0]
        assert (first["buyShareFrac"], first["verdict"]) == (0.3, "DISTRIBUTION")

    async def test_a_coin_without_streamed_trades_says_that_and_shows_no_zero_volume(self, rig: Any) -> None:
        await rig.warm.publish(
            [snapshot(trades_since_ms=None, trades=(TradeWindow(60, 0.0, 0.0, 0, 0, 0, 0),))]
        )
        answer = (await rig.get(ORDER_FLOW)).json()
        assert (answer["state"], answer["windows"]) == ("live", [])
        assert "trades of this coin are not streamed" in answer["reason"]


class TestTop:
    async def test_the_largest_imbalance_comes_first_whatever_its_side(self, rig: Any) -> None:
        await rig.warm.publish(
            [
                snapshot("BTC", windows=liquidations(900_000.0, 800_000.0)),
                mirrored(snapshot("ETH", windows=liquidations(500_000.0, 1.0))),
                snapshot("SOL", windows=liquidations(200_000.0, 0.0), cascade=CASCADE),
                snapshot("DOGE", windows=liquidations(9e9, 0.0), as_of_ms=NOW_MS - 95_000),
                snapshot("PEPE", windows=liquidations(0.0, 0.0)),
            ]
        )
        answer = (await rig.get("/flow/top?window=10")).json()
        assert [(item["symbol"], item["netUsd"]) for item in answer["items"]] == [
            ("ETH", -499_999.0),
            ("SOL", 200_000.0),
            ("BTC", 100_000.0),
        ]
        assert [item["dominantSide"] for item in answer["items"]] == ["SHORT", "LONG", "LONG"]
        assert answer["items"][0]["ratio"] == pytest.approx(500_001 / 2e6, rel=1e-5)
        assert (answer["coins"], answer["staleCoins"]) == (4, 1)
        assert [found["symbol"] for found in answer["cascades"]] == ["SOL"]

    async def test_a_limit_cuts_the_list(self, rig: Any) -> None:
        await rig.warm.publish([snapshot("BTC"), snapshot("ETH")])
        assert len((await rig.get("/flow/top?limit=1")).json()["items"]) == 1

    async def test_a_window_that_is_not_kept_is_refused(self, kept_rig: Any) -> None:
        found = await kept_rig.get("/flow/top?window=77")
        assert found.status_code == 400
        assert "10, 30, 60, 300, 3600, 86400" in found.json()["detail"]

    @pytest.mark.parametrize(("age_ms", "state"), [(1_000, "live"), (95_000, "stale"), (None, "no_worker")])
    async def test_it_says_whether_anybody_publishes(self, rig: Any, age_ms: int | None, state: str) -> None:
        if age_ms is not None:
            await rig.warm.publish([snapshot(as_of_ms=NOW_MS - age_ms)])
        assert (await rig.get("/flow/top")).json()["state"] == state


class TestStatus:
    async def test_every_worker_is_shown_as_it_said_itself(self, rig: Any) -> None:
        await rig.warm.publish([snapshot()])
        await board(rig, report("ingest"), dataclasses.replace(report("detect-1"), links=(), outbox=None))
        answer = (await rig.get("/stream/status")).json()
        assert [worker["worker"] for worker in answer["workers"]] == ["detect-1", "ingest"]
        ingest = answer["workers"][1]
        assert ingest["ageS"] == 2.0
        assert ingest["links"][0]["rejects"] == [
            {"name": "bad_price", "count": 5},
            {"name": "bad_side", "count": 2},
        ]
        assert (ingest["links"][0]["state"], ingest["links"][0]["lastDataAgeS"]) == ("live", 0.3)
        assert (ingest["links"][1]["state"], ingest["links"][1]["lastDataAgeS"]) == ("standby", None)
        assert [gap["reason"] for gap in ingest["gaps"]] == ["drop", "start"]
        assert ingest["outbox"] == {
            "pending": 1,
            "sending": 0,
            "failed": 2,
            "uncertain": 0,
            "oldestAgeS": 4.0,
        }
        assert ingest["pipeline"]["alerts"][0] == {"name": "low_confidence", "count": 9}
        assert (ingest["pipeline"]["lagS"], ingest["alarms"]) == (0.14, ["okx: nothing for 120 s"])
        assert (answer["state"], answer["coins"], answer["newestEventAgeS"]) == ("live", 1, 1.5)

    async def test_a_worker_that_fell_silent_is_told_as_stale(self, rig: Any) -> None:
        await board(rig, report(as_of_ms=NOW_MS - 200_000))
        answer = (await rig.get("/stream/status")).json()
        assert (answer["state"], answer["workers"][0]["ageS"]) == ("stale", 200.0)

    async def test_without_a_worker_the_list_is_empty_with_a_reason(self, kept_rig: Any) -> None:
        answer = (await kept_rig.get("/stream/status")).json()
        assert (answer["state"], answer["workers"]) == ("no_worker", [])


async def test_answers_stay_within_their_budgets(rig: Any) -> None:
    coins = [snapshot(f"C{n}", windows=liquidations(1e6 * (n + 1), 0.0), cascade=CASCADE) for n in range(80)]
    await rig.warm.publish([*coins, snapshot("BTC", cascade=CASCADE)])
    worst = await rig.get("/flow/top?limit=50")
    assert len(worst.text) <= MAX_WORST_CHARS
    for path in (LIQUIDATIONS, ORDER_FLOW, "/flow/top"):
        assert len((await rig.get(path)).text) <= MAX_NORMAL_CHARS, path


@pytest.mark.parametrize("path", [LIQUIDATIONS, ORDER_FLOW, "/flow/top", "/stream/status"])
async def test_a_second_question_in_the_same_second_is_answered_from_the_first(rig: Any, path: str) -> None:
    first = await rig.get(path)
    await rig.warm.publish([snapshot()])
    assert (await rig.get(path)).text == first.text
    again = await rig.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    rig.now_s += 1.5
    assert (await rig.get(path)).text != first.text
