"""Single outcomes over HTTP: a scored trade, nulls with their reason, pages, refusals."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from app.api.openapi import ACTION_OPERATIONS
from app.api.options import ApiKey
from app.core.domain.trades import TradeQuery, TradeState
from tests.track_facts import OPEN_TRADE, SCORED_TRADE

PATH = "/track-record/outcomes"


async def ask(rig: Any, path: str = PATH) -> dict[str, Any]:
    answer = await rig.get(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_scored_trade_is_told_with_prices_costs_and_its_win(rig: Any) -> None:
    rig.track.trades_found = (SCORED_TRADE,)
    body = await ask(rig)
    assert body == {
        "timestamp": body["timestamp"],
        "dataMode": "demo",
        "asOf": "2026-02-25T06:13:19.000Z",
        "symbol": None,
        "horizon": "4h",
        "engineVersion": "1.1.0",
        "items": [
            {
                "id": "8d0f-17",
                "symbol": "BTC",
                "direction": "LONG",
                "score": 71.45,
                "evaluated": "2026-02-25T01:13:20.000Z",
                "ends": "2026-02-25T05:15:20.000Z",
                "state": "scored",
                "reason": None,
                "entered": "2026-02-25T01:15:20.000Z",
                "entry": 96000.1235,
                "target": 96500.0,
                "stop": 95500.0,
                "touched": "target",
                "exited": "2026-02-25T03:43:20.000Z",
                "exit": 96500.0,
                "grossFrac": 0.005207,
                "costFrac": 0.0016,
                "fundingFrac": None,
                "netFrac": 0.003607,
                "mfeFrac": 0.005207,
                "maeFrac": -0.0011,
                "win": True,
            }
        ],
        "next": None,
    }


@pytest.mark.parametrize("state", [TradeState.OPEN, TradeState.UNSCORABLE])
async def test_what_is_not_known_is_null_with_its_reason_and_no_zero(rig: Any, state: TradeState) -> None:
    rig.track.trades_found = (replace(OPEN_TRADE, state=state, why="x" * 200),)
    (item,) = (await ask(rig))["items"]
    assert (item["state"], len(item["reason"])) == (state.value, 160)
    known = {"id", "symbol", "direction", "score", "evaluated", "ends", "state", "reason"}
    assert {key for key, value in item.items() if value is not None} == known


async def test_the_question_reaches_the_use_case_as_it_was_asked(rig: Any) -> None:
    await ask(rig)
    rig.track.next_page = "WzEsIngiXQ"
    body = await ask(rig, f"{PATH}?symbol=eth/usdt&horizon=24h&limit=7&cursor=abc")
    assert rig.track.asked == [
        TradeQuery("1.1.0", "4h", None, 50, None),
        TradeQuery("1.1.0", "24h", "ETH", 7, "abc"),
    ]
    assert (body["symbol"], body["horizon"], body["next"]) == ("ETH", "24h", "WzEsIngiXQ")
    assert (await ask(rig, f"{PATH}?symbol=%20"))["symbol"] is None


async def test_it_is_not_taken_for_the_record_of_a_coin(rig: Any) -> None:
    assert "items" in await ask(rig)
    assert "horizons" in await ask(rig, "/track-record/BTC")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("horizon=2h", 400),
        ("limit=0", 400),
        ("limit=101", 400),
        ("symbol=!", 400),
        ("symbol=NOSUCHCOIN", 404),
        (f"cursor={'a' * 401}", 400),
    ],
)
async def test_a_malformed_question_is_refused(rig: Any, query: str, status: int) -> None:
    answer = await rig.get(f"{PATH}?{query}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_store_that_is_down_is_a_503(rig: Any) -> None:
    rig.track.is_down = True
    answer = await rig.get(PATH)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert "retry-after" in answer.headers


async def test_an_answer_is_reused_for_a_second_and_conditional_and_pages_are_not_mixed_up(rig: Any) -> None:
    first = await rig.get(PATH)
    again = await rig.get(PATH, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, len(rig.track.asked)) == (304, 1)
    for query in ("horizon=1h", "limit=5", "cursor=b", "symbol=BTC"):
        await ask(rig, f"{PATH}?{query}")
    assert len({str(one) for one in rig.track.asked}) == 5


async def test_it_needs_the_scope_read_where_keys_are_set(make_rig: Any) -> None:
    keys = tuple(ApiKey.from_plain(name, f"{name}-key-of-a-test", [name]) for name in ("read", "debug"))
    rig = make_rig(api_keys=keys)
    statuses = {}
    for name in ("read", "debug", "nobody"):
        answer = await rig.get(PATH, headers={"Authorization": f"Bearer {name}-key-of-a-test"})
        statuses[name] = answer.status_code
    assert statuses == {"read": 200, "debug": 403, "nobody": 401}
    assert len(rig.track.asked) == 1


async def test_a_number_that_is_none_never_reaches_a_client(rig: Any) -> None:
    rig.track.trades_found = (replace(SCORED_TRADE, net_frac=math.inf),)
    assert (await rig.get(PATH)).status_code == 500


def test_the_actions_of_assistants_do_not_grow_by_it() -> None:
    assert "listOutcomes" not in ACTION_OPERATIONS
