"""schemathesis over the whole interface: no 500, no undocumented status, every body as documented."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.api.openapi import operations
from app.core.domain.track_record import SignalCount
from app.core.errors import NoPriceAvailable
from tests.api.conftest import Rig
from tests.flow_facts import alert, delivery, stored
from tests.track_facts import OPEN_TRADE, SCORED_TRADE

CHECKS = [
    not_a_server_error,
    response_headers_conformance,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
OPERATIONS = [
    "getIndex",
    "getActionSchema",
    "getHealth",
    "getLive",
    "getReady",
    "getMetrics",
    "getSignal",
    "getSignals",
    "getMarket",
    "debugPremium",
    "getCoinMarkets",
    "getCoinMarket",
    "getPerpetualMarkets",
    "getLiquidations",
    "getLiquidationHeatmap",
    "getLongShortRatio",
    "getFundingRate",
    "getOpenInterest",
    "replayOpenInterest",
    "getHistory",
    "getSignalHistory",
    "listSignalHistory",
    "exportTable",
    "getDashboard",
    "listSupportedCoins",
    "listExchanges",
    "getWhaleAlerts",
    "getWhalePositions",
    "listCoinglassEndpoints",
    "callCoinglassEndpoint",
    "getCoinglassStatus",
    "getHeatmap",
    "getHeatmapImage",
    "getSmartMoneyZones",
    "getSmartMoneyChart",
    "getLiquidityMap",
    "getLiquidationClusters",
    "getMarketSentiment",
    "getConfluenceAnalysis",
    "getTradingOpportunities",
    "getLargestImbalances",
    "getLiquidationFlow",
    "getOrderFlow",
    "getStreamStatus",
    "listAlerts",
    "getAlert",
    "getTrackRecord",
    "getCoinTrackRecord",
    "verifyTrackRecord",
    "listOutcomes",
    "getSignalStats",
    "searchSymbols",
    "listCoins",
    "addCoin",
    "removeCoin",
    "toggleCoin",
    "getStats",
    "listAuditEvents",
    "listKeys",
    "getCandles",
    "getSession",
    "openSession",
    "closeSession",
    "listSignals",
    "streamEvents",
]
# Where everything is open there is no token to log in with; that a login succeeds is test_session_routes'.
NEVER_SUCCEEDS = {"openSession"}
# What one asks changes what the next finds: these have an app of their own.
CHANGING = {"addCoin", "removeCoin", "toggleCoin"}

_ONE_COIN = {"path_parameters": {"symbol": "BTC"}}
VALID: dict[str, dict[str, Any]] = {
    **{
        name: _ONE_COIN
        for name in (
            "getCoinMarket",
            "getPerpetualMarkets",
            "getLiquidations",
            "getLiquidationHeatmap",
            "getLongShortRatio",
            "getFundingRate",
            "getOpenInterest",
            "replayOpenInterest",
            "getDashboard",
            "getHeatmap",
            "getHeatmapImage",
            "getSmartMoneyZones",
            "getSmartMoneyChart",
            "getLiquidationFlow",
            "getOrderFlow",
            "getCoinTrackRecord",
            "removeCoin",
            "toggleCoin",
            "getCandles",
        )
    },
    "addCoin": {"body": {"symbol": "DOGE"}, "media_type": "application/json"},
    **{
        name: {"query": {"symbol": "BTC"}}
        for name in (
            "getLiquidityMap",
            "getLiquidationClusters",
            "getMarketSentiment",
            "getConfluenceAnalysis",
            "getTradingOpportunities",
        )
    },
    "getAlert": {"path_parameters": {"alert_id": f"{1:016x}"}},
    "getSignal": _ONE_COIN,
    "getMarket": _ONE_COIN,
    "debugPremium": _ONE_COIN,
    "getSignals": {"query": {"symbols": "BTC,ETH"}},
    "searchSymbols": {"query": {"query": "BTC"}},
    "getHistory": {"path_parameters": {"series": "candles", "symbol": "BTC"}},
    "getSignalHistory": _ONE_COIN,
    "exportTable": {"path_parameters": {"name": "signals"}},
    "callCoinglassEndpoint": {"path_parameters": {"endpoint": "futures_supported_coins"}},
}


def document_of(rig: Any) -> Any:
    """What the app documents, to ask that app by."""
    return schemathesis.openapi.from_asgi("/openapi.json", rig.app)


def answering_app() -> Any:
    """The document of an app in which every well-formed symbol is a coin, so that answers are seen too."""
    rig = Rig(rate_limit_per_minute=1_000_000)
    rig.app.state.live.close()  # a stream of events ends as it begins
    rig.signals.known = rig.derivatives.known = rig.heatmap.known = rig.track.known = frozenset()
    rig.alerts.rows = [stored(alert(n), deliveries=(delivery(),)) for n in range(1, 4)]
    rig.track.trades_found = (OPEN_TRADE, SCORED_TRADE)
    rig.track.counts = (SignalCount("BTC", "schedule", "balanced", "LONG", 3, 66.5, 0.9),)
    return document_of(rig)


@pytest.fixture(scope="module")
def answering() -> Any:
    return answering_app()


@pytest.fixture(scope="module")
def without_price() -> Any:
    """The document of an app that finds a price nowhere."""
    rig = Rig(rate_limit_per_minute=1_000_000)
    rig.signals.error = NoPriceAvailable("BTC", ("okx: timeout",))
    return document_of(rig)


def fuzz(schema: Any, operation_id: str, checks: list[Any], valid: dict[str, Any] | None = None) -> None:
    """Send generated requests for one operation, valid and invalid, and hold every answer to the document."""
    operation = schema.find_operation_by_id(operation_id)

    def send(case: Case[Any]) -> None:
        answer = case.call()
        case.validate_response(answer, checks=checks)
        assert answer.status_code != 500
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == ["application/problem+json"]

    if valid is not None:
        # Drawn symbols rarely are coins, so one request that must succeed stands beside them.
        case = operation.Case(**valid)
        answer = case.call()
        case.validate_response(answer, checks=checks)
        assert answer.status_code == 200
    quiet = settings(max_examples=12, derandomize=True, suppress_health_check=list(HealthCheck))
    quiet(_given(operation)(send))()


def _given(operation: Any) -> Any:
    """Valid and invalid requests of one operation, mixed."""
    modes = schemathesis.GenerationMode
    strategy = st.one_of(
        operation.as_strategy(generation_mode=modes.POSITIVE),
        operation.as_strategy(generation_mode=modes.NEGATIVE),
    )
    return given(case=strategy)


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_every_answer_is_documented(answering: Any, operation_id: str) -> None:
    schema = answering_app() if operation_id in CHANGING else answering
    valid = None if operation_id in NEVER_SUCCEEDS else VALID.get(operation_id, {})
    fuzz(schema, operation_id, CHECKS, valid)


def test_documented_operations_are_all_fuzzed(answering: Any) -> None:
    documented = {operation["operationId"] for _, _, operation in operations(answering.raw_schema)}
    assert documented == set(OPERATIONS)


@pytest.mark.parametrize("operation_id", ["getSignal", "getSignals"])
def test_503_appears_only_as_documented_when_nobody_has_a_price(
    without_price: Any, operation_id: str
) -> None:
    fuzz(without_price, operation_id, CHECKS[1:])
