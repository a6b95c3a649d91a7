"""What is gathered, on the board: rendered as the routes render it, and only what changed."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from app.api.live_board import LiveBoard
from app.api.live_events import read_position
from app.api.live_feed import BoardSink
from app.api.live_hub import Position
from app.api.options import ApiKey
from app.core.clock import ManualClock
from app.core.domain.alerts import DropReason
from app.core.domain.context import DataMode
from app.core.domain.flow_config import FlowConfig
from app.core.domain.live import LiveCard, LiveFault
from app.core.domain.symbol import Symbol
from app.services.flow_service import FlowService
from app.services.live_flow import quotes
from app.services.streaming.warm_cache import MemoryWarmCache
from tests.api.conftest import make_signal
from tests.flow_facts import CASCADE, NOW_MS, alert, mirrored, report, snapshot, stored
from tests.stored_facts import signal_row

HOSTILE = "<script>alert(1)</script>\u202e\x00"


class Rig:
    def __init__(self) -> None:
        self.now_ms = NOW_MS
        self.board = LiveBoard()
        self.sink = BoardSink(self.board, data_mode=DataMode.DEMO, now_ms=lambda: self.now_ms)
        self.sink.coins([("BTC", True), ("ETH", True), ("SOL", False)])

    def shown(self, after: int | None = None) -> dict[str, Any]:
        found: dict[str, Any] = json.loads("{" + self.board.since(after).removeprefix(",") + "}")
        return found

    def quote(self, *found: Any) -> None:
        config = FlowConfig()
        self.sink.quotes(quotes(["BTC", "ETH"], found, config, now_ms=self.now_ms, speed=1.0))


@pytest.fixture
def live() -> Rig:
    return Rig()


def card(symbol: str = "BTC", **change: Any) -> LiveCard:
    signal = dataclasses.replace(make_signal(symbol), **change)
    return LiveCard(symbol, signal, -0.0123456789, NOW_MS - 60_000, None)


def test_quotes_are_rounded_named_by_side_and_null_where_nothing_is_known(live: Rig) -> None:
    live.quote(snapshot(cascade=CASCADE))
    shown = live.shown()["quotes"]
    assert shown["ETH"] is None
    assert shown["BTC"]["priceUsd"] == 96_200.5
    assert shown["BTC"]["liq1h"] == {"longUsd": 1_500_000.0, "shortUsd": 500_000.0, "whole": True}
    assert shown["BTC"]["flow5m"]["buyUsd"] == 120_000.0
    assert shown["BTC"]["cascade"] == {
        "side": "LONG",
        "phase": "peak",
        "started": "2026-02-25T06:12:35.000Z",
        "usd": 2_600_000.0,
        "events": 41,
    }
    live.quote(mirrored(snapshot()))
    assert live.shown()["quotes"]["BTC"]["liq1h"] == {
        "longUsd": 500_000.0,
        "shortUsd": 1_500_000.0,
        "whole": True,
    }
    assert live.shown()["quotes"]["BTC"]["flow5m"]["sellUsd"] == 120_000.0


def test_a_coin_that_is_no_longer_watched_is_taken_away(live: Rig) -> None:
    live.quote(snapshot("BTC"), snapshot("ETH"))
    live.sink.card(card("BTC"))
    live.sink.card(card("SOL"))  # an evaluation that was under way when it was switched off
    assert set(live.shown()["cards"]) == {"BTC"}
    version = live.board.version
    live.sink.coins([("BTC", False), ("ETH", True)])
    live.sink.quotes({"ETH": None})
    assert live.shown(version)["cards"] == {"BTC": None}
    assert live.shown(version)["quotes"] == {"ETH": None, "BTC": None}


def test_a_card_is_the_signal_answer_in_short(live: Rig) -> None:
    live.sink.card(card())
    shown = live.shown()["cards"]["BTC"]
    assert (shown["signal"], shown["score"], shown["confidence"]) == ("SHORT", 34.57, "high")
    assert (shown["priceUsd"], shown["priceStatus"]) == (0.0000118234568, "ok")
    assert (shown["change24hFrac"], shown["missing"], shown["error"]) == (-0.012346, ["social"], None)
    live.sink.card(LiveCard("BTC", None, None, None, LiveFault("no_price", "nobody has one")))
    shown = live.shown()["cards"]["BTC"]
    assert shown["error"] == {"code": "no_price", "detail": "nobody has one"}
    assert all(
        value is None or value == [] for name, value in shown.items() if name not in {"symbol", "error"}
    )


def test_texts_of_others_stay_short_and_without_controls(live: Rig) -> None:
    live.sink.card(card(reason=HOSTILE * 100, reasons=(HOSTILE * 100,)))
    shown = live.shown()["cards"]["BTC"]
    assert len(shown["reason"]) <= 300
    assert "\u202e" not in shown["reason"]
    assert "\x00" not in shown["reasons"][0]
    assert shown["reason"].startswith("<script>")  # text, for a reader that shows it as text


def test_alerts_are_told_when_they_are_new_or_have_changed_and_not_as_they_age(live: Rig) -> None:
    rows = [stored(alert(number)) for number in (1, 2, 3)]
    live.sink.alerts(rows)
    assert [item["id"] for item in live.shown()["alerts"]] == [row.alert.id for row in rows]
    version = live.board.version
    live.now_ms += 60_000
    live.sink.alerts(rows)
    assert live.board.version == version
    grown = dataclasses.replace(rows[1].alert, revision=3, usd=9e6)
    live.sink.alerts([rows[0], dataclasses.replace(rows[1], alert=grown), rows[2]])
    assert [(item["id"], item["usd"]) for item in live.shown(version)["alerts"]] == [(grown.id, 9e6)]
    version = live.board.version
    dropped = dataclasses.replace(rows[0], drop_reason=DropReason.MUTED)
    live.sink.alerts([dropped, dataclasses.replace(rows[1], alert=grown), rows[2]])
    assert [item["dropReason"] for item in live.shown(version)["alerts"]] == ["muted"]


def test_signals_are_told_once(live: Rig) -> None:
    live.sink.signals([signal_row(2), signal_row(1)])
    assert [item["id"] for item in live.shown()["signals"]] == [signal_row(2).id, signal_row(1).id]
    version = live.board.version
    live.sink.signals([signal_row(3), signal_row(2), signal_row(1)])
    assert [item["id"] for item in live.shown(version)["signals"]] == [signal_row(3).id]
    assert live.shown()["signals"][0].keys() == {
        *("id", "symbol", "direction", "mode", "trigger", "score", "confidence"),
        *("coverage", "priceUsd", "asOf", "reason"),
    }


async def test_the_ranking_and_the_stream_are_those_of_their_routes(live: Rig) -> None:
    clock = ManualClock(NOW_MS)
    warm = MemoryWarmCache(now_ms=clock.now_ms, monotonic=clock.monotonic_s)
    flow = FlowService(warm, resolve=Symbol, config=FlowConfig(), clock=clock)
    await warm.publish([snapshot(cascade=CASCADE)])
    live.sink.top(await flow.top(300, 10))
    (row,) = live.shown()["top"]
    assert (row["symbol"], row["netUsd"], row["dominantSide"]) == ("BTC", 800_000.0, "LONG")
    assert row["asOf"] == "2026-02-25T06:13:19.000Z"
    assert [item["symbol"] for item in live.shown()["cascades"]] == ["BTC"]
    version = live.board.version
    clock.tick(5)
    live.sink.top(await flow.top(300, 10))
    assert live.board.version == version  # only its age is another
    live.sink.stream(dataclasses.replace(await flow.status(), reports=(report(),)))
    shown = live.shown()["stream"]
    assert (shown["workers"], shown["alarms"]) == (1, ["okx: nothing for 120 s"])


async def test_nothing_on_the_board_has_an_age_because_it_would_stand_still(live: Rig) -> None:
    clock = ManualClock(NOW_MS)
    warm = MemoryWarmCache(now_ms=clock.now_ms, monotonic=clock.monotonic_s)
    await warm.publish([snapshot(cascade=CASCADE)])
    flow = FlowService(warm, resolve=Symbol, config=FlowConfig(), clock=clock)
    live.quote(snapshot(cascade=CASCADE))
    live.sink.card(card())
    live.sink.alerts([stored(alert())])
    live.sink.signals([signal_row(1)])
    live.sink.top(await flow.top(300, 10))
    live.sink.stream(dataclasses.replace(await flow.status(), reports=(report(),)))
    shown = live.shown()
    assert shown["alerts"][0]["asOf"]
    assert shown["top"][0]["asOf"]
    assert "ages" not in json.dumps(shown).lower()


def test_a_fault_is_told_and_taken_back(live: Rig) -> None:
    live.sink.fault("alerts", LiveFault("storage_unavailable", "away"))
    assert live.shown()["errors"] == {"alerts": {"code": "storage_unavailable", "detail": "away"}}
    live.sink.fault("alerts", None)
    assert live.shown()["errors"] == {}


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("a1b2:41", Position("a1b2", 41)),
        *((text, None) for text in (None, "", "a1b2", ":1", "a1b2:", "a1b2:-1", "a1b2:x", "a:\u0661")),
        ("a" * 5000 + ":1", None),
    ],
)
def test_the_id_of_an_event_says_where_a_client_stands(text: str | None, position: Position | None) -> None:
    assert read_position(text) == position


async def test_the_route_shows_every_card_and_needs_no_listener(rig: Any) -> None:
    rig.live.shown = (card(), LiveCard("ETH", None, None, None, LiveFault("no_price", "nobody")))
    answer = await rig.get("/api/signals")
    assert answer.status_code == 200
    items = answer.json()["items"]
    assert [(item["symbol"], item["signal"]) for item in items] == [("BTC", "SHORT"), ("ETH", None)]
    again = await rig.get("/api/signals", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


async def test_events_want_the_scope_to_read_and_no_query(make_rig: Any) -> None:
    keys = (make_key("me", "read"), make_key("tools", "debug"))
    rig = make_rig(api_keys=keys)
    rig.app.state.live.close()

    async def status(key: str | None, query: str = "") -> int:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        found: int = (await rig.get(f"/events{query}", headers=headers)).status_code
        return found

    assert await status(None) == 401
    assert await status("tools-key-0123456789") == 403
    assert await status("me-key-0123456789", "?token=x") == 400
    assert await status("me-key-0123456789") == 200


def make_key(name: str, scope: str) -> Any:
    return ApiKey.from_plain(name, f"{name}-key-0123456789", [scope])
