"""Who may call what: every operation with the scope it needs, asked by every role there is.

A new route fails here until somebody decides who may call it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from fastapi.routing import APIRoute

from app.api.openapi import operations
from app.api.options import ApiKey, digest_of
from tests.api.conftest import Rig

# operation -> the scope it needs; "" for none: strangers are answered.
OPEN = ("getLive", "getSession", "openSession", "closeSession")
READ = (
    *("getIndex", "getActionSchema", "getHealth", "getReady", "getSignal", "getSignals", "getMarket"),
    *("getCoinMarkets", "getCoinMarket", "getPerpetualMarkets", "getLiquidations", "getLiquidationHeatmap"),
    *("getLongShortRatio", "getFundingRate", "getOpenInterest", "replayOpenInterest", "getHistory"),
    *("getSignalHistory", "listSignalHistory", "exportTable", "getDashboard", "listSupportedCoins"),
    *("listExchanges", "getWhaleAlerts", "getWhalePositions", "listCoinglassEndpoints"),
    *("callCoinglassEndpoint", "getCoinglassStatus", "getHeatmap", "getHeatmapImage", "getSmartMoneyZones"),
    *("getSmartMoneyChart", "getLiquidityMap", "getLiquidationClusters", "getMarketSentiment"),
    *("getConfluenceAnalysis", "getTradingOpportunities", "getLargestImbalances", "getLiquidationFlow"),
    *("getOrderFlow", "getStreamStatus", "listAlerts", "getAlert", "getTrackRecord", "getCoinTrackRecord"),
    *("verifyTrackRecord", "listOutcomes", "getSignalStats", "searchSymbols", "listCoins", "getStats"),
    *("listSignals", "streamEvents", "getCandles"),
)
DEBUG = ("debugPremium",)
ADMIN = ("getMetrics", "addCoin", "removeCoin", "toggleCoin", "listAuditEvents", "listKeys")
NEEDS: Mapping[str, str] = {
    **dict.fromkeys(OPEN, ""),
    **dict.fromkeys(READ, "read"),
    **dict.fromkeys(DEBUG, "debug"),
    **dict.fromkeys(ADMIN, "admin"),
}
# Outside of the document: files of the dashboard, and Telegram's own door (it checks a secret of its own).
UNLISTED = {"/dashboard", "/dashboard/{path:path}", "/telegram/webhook"}
# What any key that may do anything is answered: states and documents without data.
ANY_SCOPE = frozenset({"getHealth", "getReady", "getActionSchema"})

TOKEN = "a-token-of-the-dashboard"
KEYS = tuple(ApiKey.from_plain(name, f"{name}-key", [name]) for name in ("read", "debug", "admin"))
# What is required is given: a question that makes no sense is refused before anybody is asked who they are.
QUERIES = {"symbol": "BTC", "symbols": "BTC", "query": "btc"}
PATHS = {"alert_id": "0123456789abcdef", "endpoint": "none", "series": "candles", "name": "signals"}
BODIES: Mapping[str, Any] = {
    "addCoin": {"symbol": "BTC"},
    "openSession": {"token": TOKEN},
    "toggleCoin": {"on": True},
}


@pytest.fixture(scope="module")
def rig() -> Rig:
    return Rig(
        env="prod",
        api_keys=KEYS,
        dashboard_token_digest=digest_of(TOKEN),
        origins=("https://signals.example.com",),
        rate_limit_per_minute=1_000_000,
    )


def headers_of(rig: Rig, role: str) -> dict[str, str]:
    page = {"Origin": "https://signals.example.com"}
    if role == "session":
        return page | {"Cookie": rig.cookie_of(TOKEN)}
    return page if role == "none" else page | {"Authorization": f"Bearer {role}-key"}


async def statuses(rig: Rig, role: str) -> dict[str, int]:
    found = {}
    async with rig.client() as client:
        for path, method, operation in operations(rig.app.openapi()):
            name = operation["operationId"]
            url = re.sub(r"\{(\w+)\}", lambda part: PATHS.get(part[1], "BTC"), path)
            asked = {one["name"] for one in operation.get("parameters", ()) if one.get("required")}
            given = {
                key: value for key, value in QUERIES.items() if key in asked and f"{{{key}}}" not in path
            }
            # An answer without an end is asked for its head.
            method = "HEAD" if name == "streamEvents" else method
            answer = await client.request(
                method, url, headers=headers_of(rig, role), params=given, json=BODIES.get(name)
            )
            found[name] = answer.status_code
    return found


def test_every_operation_is_decided(rig: Rig) -> None:
    documented = {operation["operationId"] for _, _, operation in operations(rig.app.openapi())}
    assert documented == set(NEEDS)


def test_every_route_is_in_the_document_or_named_here(rig: Rig) -> None:
    documented = {path for path, _, _ in operations(rig.app.openapi())}
    routed = {route.path for route in rig.app.routes if isinstance(route, APIRoute)}
    assert routed - documented <= UNLISTED


@pytest.mark.parametrize("role", ["none", "read", "debug", "admin", "session"])
async def test_each_role_may_what_its_scope_says_and_nothing_else(rig: Rig, role: str) -> None:
    told = await statuses(rig, role)
    for name, needed in NEEDS.items():
        if role == "none" and needed:
            assert told[name] == 401, name
        elif not needed or role in {needed, "session"} or name in ANY_SCOPE:
            assert told[name] not in {401, 403}, (name, told[name])
        else:
            assert told[name] == 403, (name, told[name])


@pytest.mark.parametrize("role", ["read", "debug", "admin", "session"])
async def test_raw_inputs_of_a_signal_need_both_scopes(rig: Rig, role: str) -> None:
    answer = await rig.get("/signals/BTC?debug=true", headers=headers_of(rig, role))
    assert answer.status_code == (200 if role == "session" else 403)


async def test_documents_for_people_need_a_key_in_production(rig: Rig) -> None:
    for path in ("/docs", "/openapi.json", "/redoc", "/docs/oauth2-redirect"):
        assert (await rig.get(path)).status_code == 401
