"""`/market`, `/debug/premium`, `/health*`, `/metrics`, `/` and the documents."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from app.api.schemas.health import BreakerState, HealthResponse
from app.api.schemas.market import MarketResponse
from app.core.domain.quality import MissingReason
from app.core.domain.status import DependencyState, DependencyStatus, ReadyStatus
from app.core.errors import ProviderError
from app.services.transport import circuit
from tests.dashboard_build import dashboard_files


async def test_market_shows_inputs_extras_and_their_errors(kept_rig: Any, capability_count: int) -> None:
    answer = await kept_rig.get("/market/btc-usdt-swap")
    assert answer.status_code == 200
    MarketResponse.model_validate_json(answer.content)
    body = answer.json()
    assert len(body["inputs"]) == capability_count
    assert "attempts" not in body["inputs"][0]
    assert body["extras"][0]["ageS"] == 1.0
    assert (body["extras"][3]["error"], body["extras"][3]["readings"]) == ("timeout", [])
    assert body["truncated"] is False
    assert len(answer.content) <= 8_000


async def test_market_with_too_many_figures_is_cut_and_says_so(rig: Any) -> None:
    rig.market.readings = 5_000
    answer = await rig.get("/market/BTC")
    assert answer.json()["truncated"] is True
    assert len(answer.content) <= 90_000


async def test_premium_probes_show_plan_refusals_as_states(kept_rig: Any) -> None:
    results = (await kept_rig.get("/debug/premium/BTC")).json()["results"]
    assert [item["status"] for item in results] == ["not_in_plan", "ok"]
    assert (results[0]["error"], results[0]["detail"]) == ("not_in_plan", "upgrade: x")
    assert (results[1]["error"], results[1]["detail"]) == (None, "")
    assert results[1]["readings"] == [{"name": "positions", "value": 3.0, "unit": "count"}]


async def test_premium_probes_name_the_coin_that_was_probed(kept_rig: Any) -> None:
    assert (await kept_rig.get("/debug/premium/FDUSD")).json()["symbol"] == "FDUSD"


def test_every_way_a_source_fails_has_a_public_word() -> None:
    codes = {error.code for error in ProviderError.__subclasses__()}
    assert codes == {reason.value for reason in MissingReason}


def test_every_breaker_state_has_a_public_word() -> None:
    assert set(get_args(circuit.BreakerState)) == {state.value for state in BreakerState}


@pytest.mark.parametrize("status", [ReadyStatus.OK, ReadyStatus.DEGRADED])
async def test_ready_is_200_while_a_price_can_be_served(rig: Any, status: ReadyStatus) -> None:
    rig.health.status = status
    answer = await rig.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, status.value)
    HealthResponse.model_validate_json(answer.content)


@pytest.mark.parametrize("state", DependencyState)
async def test_every_state_of_a_dependency_can_be_shown(rig: Any, state: DependencyState) -> None:
    rig.health.dependency = DependencyStatus("store", state, "why")
    body = (await rig.get("/health/ready")).json()
    assert body["dependencies"] == [{"name": "store", "state": state.value, "detail": "why"}]


async def test_ready_is_a_503_problem_without_a_price_and_live_stays_200(rig: Any) -> None:
    rig.health.status = ReadyStatus.UNAVAILABLE
    answer = await rig.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["code"] == "not_ready"
    assert "coinglass: down" in answer.json()["detail"]
    assert (await rig.get("/health")).json()["status"] == "unavailable"
    assert (await rig.get("/health/live")).json() == {"status": "ok"}


async def test_health_shows_plan_quota_and_last_success(kept_rig: Any) -> None:
    okx, coinglass = (await kept_rig.get("/health")).json()["providers"]
    assert okx["lastSuccess"] == "2026-02-25T06:13:20.000Z"
    assert (coinglass["plan"], coinglass["quotaLeft"], coinglass["quotaLimit"]) == ("standard", 12, 300)
    assert coinglass["notInPlan"] == ["heatmap"]


async def test_metrics_are_prometheus_text(kept_rig: Any) -> None:
    answer = await kept_rig.get("/metrics")
    assert answer.text == "signals_total 1\n"
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_index_lists_every_route(kept_rig: Any) -> None:
    body = (await kept_rig.get("/")).json()
    assert (body["version"], body["dataMode"]) == ("9.9", "demo")
    paths = {route["path"] for route in body["routes"]}
    assert {"/signals/{symbol}", "/market/{symbol}", "/gpt/action-schema", "/docs", "/health/ready"} <= paths


async def test_browsers_are_sent_to_the_dashboard_only_when_there_is_one(
    kept_rig: Any, make_rig: Any
) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    assert (await kept_rig.get("/", headers=browser)).status_code == 200
    with_dashboard = make_rig(dashboard=dashboard_files())
    answer = await with_dashboard.get("/", headers=browser)
    assert (answer.status_code, answer.headers["location"]) == (307, "/dashboard/")
    assert (await with_dashboard.get("/")).status_code == 200


async def test_documentation_pages_answer_html(kept_rig: Any) -> None:
    for path in ("/docs", "/redoc"):
        assert "text/html" in (await kept_rig.get(path)).headers["content-type"]
