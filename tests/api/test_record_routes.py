"""Stored signals over HTTP: newest first, filtered, paged, and bounded in length."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from app.core.domain.stored import Trigger
from tests.stored_facts import signal_row

ROUTES = ("/signals/BTC/history", "/api/signals/history")


def fill(rig: Any) -> None:
    for n in range(12):
        symbol = "ETH" if n % 3 == 0 else "BTC"
        trigger = Trigger.SCHEDULE if n % 2 else Trigger.REQUEST
        rig.store.kept.append(signal_row(n, symbol=symbol, trigger=trigger))


async def test_a_stored_signal_is_shown_with_its_place_in_the_chain(rig: Any) -> None:
    rig.store.kept = [signal_row(3)]
    answer = (await rig.get("/signals/btcusdt/history")).json()
    assert answer["items"] == [
        {
            "id": "01JD0000000000000000000003",
            "symbol": "BTC",
            "asOf": answer["items"][0]["asOf"],
            "dataMode": "demo",
            "trigger": "request",
            "direction": "SHORT",
            "mode": "balanced",
            "score": 34.57,
            "confidence": 61.23,
            "coverage": 0.9,
            "price": 0.0000118234568,
            "reason": "SHORT 35/100: crowded longs",
            "engineVersion": "1.0.0",
            "contextDigest": "ab" * 32,
            "chain": "8d0f6c1e-6c43-4f4e-9d43-2c1a6f1f2b7d",
            "seq": 3,
            "prevHash": "cd" * 32,
            "hash": "ef" * 32,
        }
    ]
    assert (answer["symbol"], answer["trigger"], answer["next"], answer["dataMode"]) == (
        "BTC",
        None,
        None,
        "demo",
    )


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("/signals/BTC/history", 8),
        ("/signals/eth/history?trigger=schedule", 2),
        ("/api/signals/history?limit=100", 12),
        ("/api/signals/history?symbol=ETH/USDT:USDT", 4),
        ("/api/signals/history?trigger=request&limit=100", 6),
    ],
)
async def test_pages_hold_what_was_asked_for_newest_first(rig: Any, path: str, count: int) -> None:
    fill(rig)
    seen: list[int] = []
    cursor = ""
    glue = "&" if "?" in path else "?"
    while True:
        page = (await rig.get(f"{path}{glue}limit=5&cursor={cursor}" if "limit" not in path else path)).json()
        seen += [item["seq"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == count
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("path", ROUTES)
async def test_nothing_stored_is_an_empty_page(kept_rig: Any, path: str) -> None:
    answer = await kept_rig.get(path)
    assert (answer.status_code, answer.json()["items"]) == (200, [])


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("query", ["limit=0", "limit=101", "trigger=whim", "cursor=%25"])
async def test_a_malformed_question_is_a_400(kept_rig: Any, path: str, query: str) -> None:
    answer = await kept_rig.get(f"{path}?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/signals/BTCC/history", "/api/signals/history?symbol=BTCC"])
async def test_an_unknown_coin_is_a_404_with_look_alikes(kept_rig: Any, path: str) -> None:
    answer = await kept_rig.get(path)
    assert answer.status_code == 404
    assert "BTC" in answer.json()["near"]


@pytest.mark.parametrize("path", ROUTES)
async def test_a_store_that_is_down_is_a_503(rig: Any, path: str) -> None:
    rig.store.is_down = True
    assert (await rig.get(path)).json()["code"] == "storage_unavailable"


@pytest.mark.parametrize("path", ROUTES)
async def test_the_longest_page_stays_under_what_an_assistant_reads(rig: Any, path: str) -> None:
    rig.store.kept = [dataclasses.replace(signal_row(n), reason="x" * 400) for n in range(120)]
    answer = await rig.get(f"{path}?limit=100")
    assert len(answer.json()["items"]) == 100
    assert len(answer.content) <= 90_000
    rig.store.kept = [dataclasses.replace(signal_row(n), reason="x" * 180) for n in range(120)]
    assert len((await rig.get(path)).content) <= 8_000
