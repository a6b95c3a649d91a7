"""Stored alerts over HTTP: filters, pages, why somebody was not told, and no chat's id anywhere."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from app.core.domain.alerts import AlertQuery, DropReason, Severity
from app.core.domain.flow import AlertKind
from tests.flow_facts import NOW_MS, alert, delivery, stored

ALERT = f"/api/alerts/{1:016x}"


async def test_an_alert_of_the_list_says_what_it_was_and_what_became_of_it(rig: Any) -> None:
    rig.alerts.rows = [stored(alert(1)), stored(alert(2), drop_reason=DropReason.LOW_CONFIDENCE)]
    answer = (await rig.get("/api/alerts")).json()
    first, second = answer["items"]
    assert first | {"started": "", "asOf": ""} == {
        "id": "0000000000000001",
        "revision": 2,
        "kind": "STOP_HUNT",
        "symbol": "BTC",
        "direction": "LONG",
        "severity": "urgent",
        "side": "LONG",
        "phase": "reclaim",
        "started": "",
        "asOf": "",
        "ageS": 31.0,
        "learnedS": 0.15,
        "usd": 2_612_350.0,
        "ratio": 1.306,
        "windowS": 30,
        "priceUsd": 95_400.0,
        "percentileFrac": None,
        "confidence": 81.2,
        "baseConfidence": 76.2,
        "levels": {
            "entryUsd": 95_400.0,
            "stopUsd": 94_900.0,
            "stopDistancePct": -0.52,
            "targets": [
                {"priceUsd": 96_200.0, "distancePct": 0.84},
                {"priceUsd": 97_000.0, "distancePct": 1.68},
            ],
        },
        "final": False,
        "follows": None,
        "kept": True,
        "dropReason": None,
        "dataMode": "demo",
    }
    assert (second["kept"], second["dropReason"]) == (False, "low_confidence")
    assert answer["note"] is None


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/alerts", AlertQuery(limit=10)),
        ("/api/alerts?symbol=btc-usdt", AlertQuery(symbol="BTC", limit=10)),
        ("/api/alerts?kind=HEATMAP&limit=3", AlertQuery(kind=AlertKind.HEATMAP, limit=3)),
        ("/api/alerts?severity=watch", AlertQuery(severity=Severity.WATCH, limit=10)),
        ("/api/alerts?kept=kept", AlertQuery(is_kept=True, limit=10)),
        ("/api/alerts?kept=dropped", AlertQuery(is_kept=False, limit=10)),
        (
            f"/api/alerts?from={NOW_MS}&to=2026-02-25T06:14:20Z",
            AlertQuery(from_ms=NOW_MS, to_ms=NOW_MS + 60_000, limit=10),
        ),
    ],
)
async def test_filters_reach_the_store(rig: Any, path: str, query: AlertQuery) -> None:
    assert (await rig.get(path)).status_code == 200
    assert rig.alerts.queries == [query]


async def test_pages_go_on_where_the_last_one_ended(rig: Any) -> None:
    rig.alerts.rows = [stored(alert(n)) for n in range(1, 6)]
    seen, cursor = [], ""
    for _ in range(3):
        answer = (await rig.get(f"/api/alerts?limit=2&cursor={cursor}")).json()
        seen += [item["id"][-1] for item in answer["items"]]
        cursor = answer["next"]
    assert (seen, cursor) == (["1", "2", "3", "4", "5"], None)


@pytest.mark.parametrize(
    "query",
    ["kind=OTHER", "limit=0", "limit=51", "cursor=%00", "from=yesterday", "kept=yes", "severity=loud"],
)
async def test_what_makes_no_sense_is_refused(rig: Any, query: str) -> None:
    rig.alerts.rows = [stored(alert(1))]
    assert (await rig.get(f"/api/alerts?{query}")).status_code == 400


async def test_an_empty_list_says_why(kept_rig: Any) -> None:
    assert "no alert is stored" in (await kept_rig.get("/api/alerts")).json()["note"]
    assert (await kept_rig.get("/api/alerts?symbol=ETH")).json()["note"] == "no alert fits these filters"


async def test_one_alert_comes_with_evidence_context_record_and_fate(rig: Any) -> None:
    rig.alerts.rows = [stored(alert(1), deliveries=(delivery(), delivery("webhook")))]
    answer = (await rig.get(ALERT)).json()
    assert answer["alert"]["id"] == "0000000000000001"
    assert answer["sources"] == ["STOP_HUNT", "ACCUMULATION"]
    assert answer["evidence"][0] == {"name": "liquidated_30s_usd", "value": 2_600_000.0}
    assert answer["context"] == {
        "verdict": "FAVORABLE",
        "funding8hFrac": -0.0001,
        "fundingPercentileFrac": 0.04,
        "oiChange1hFrac": 0.012,
        "oiChangePercentileFrac": 0.7,
        "unknown": [],
    }
    assert (answer["record"]["scored"], answer["record"]["wins"]) == (40, 25)
    assert answer["dropped"] == [{"destination": "telegram", "reason": "muted", "count": 2}]
    assert [one["destination"] for one in answer["deliveries"]] == ["telegram", "webhook"]
    assert (answer["deliveries"][0]["state"], answer["deliveries"][0]["sentRevision"]) == ("pending", 1)


async def test_no_answer_holds_the_id_of_a_chat(rig: Any) -> None:
    error = "telegram:-100123: chat -100123 refused it"
    rig.alerts.rows = [stored(alert(1), deliveries=(delivery(error=error),))]
    for path in ("/api/alerts", ALERT):
        text = (await rig.get(path)).text
        assert "-100" not in text
    assert (await rig.get(ALERT)).json()["deliveries"][0]["error"] == "telegram: chat ... refused it"


@pytest.mark.parametrize("alert_id", ["00000000000000ff", "f" * 16])
async def test_an_alert_that_is_not_kept_is_a_404(kept_rig: Any, alert_id: str) -> None:
    found = await kept_rig.get(f"/api/alerts/{alert_id}")
    assert (found.status_code, found.json()["code"]) == (404, "unknown_alert")


@pytest.mark.parametrize("alert_id", ["1", "F" * 16, "g" * 16, "0" * 17, "%00" * 16])
async def test_what_is_no_id_is_refused(kept_rig: Any, alert_id: str) -> None:
    assert (await kept_rig.get(f"/api/alerts/{alert_id}")).status_code == 400


@pytest.mark.parametrize("path", ["/api/alerts", ALERT])
async def test_a_store_that_is_down_is_a_503_with_a_time_to_come_back(rig: Any, path: str) -> None:
    rig.alerts.is_down = True
    found = await rig.get(path)
    assert (found.status_code, found.json()["code"]) == (503, "storage_unavailable")
    assert int(found.headers["retry-after"]) > 0


async def test_the_largest_answers_stay_within_their_budgets(rig: Any) -> None:
    evidence = tuple((f"some_long_name_of_evidence_{n}_usd", 1234567.891 * n) for n in range(60))
    rig.alerts.rows = [
        stored(dataclasses.replace(alert(n, evidence=evidence), id=f"{n:016x}")) for n in range(1, 60)
    ]
    assert len((await rig.get("/api/alerts?limit=50")).text) <= 90_000
    assert len((await rig.get("/api/alerts")).text) <= 8_000
    one = (await rig.get(ALERT)).json()
    assert len(one["evidence"]) == 40
