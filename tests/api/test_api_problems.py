"""Every failure is one problem+json, and says no more than it should."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.request_context import request_names
from app.api.schemas.problem import Problem


def assert_problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate_json(answer.content)
    assert problem.status == status
    assert problem.request_id == answer.headers["x-request-id"]
    body: dict[str, Any] = answer.json()
    return body


async def test_unknown_symbol_names_near_matches_in_a_kilobyte(kept_rig: Any) -> None:
    answer = await kept_rig.get("/signals/BTTC")
    body = assert_problem(answer, 404)
    assert body["code"] == "unknown_symbol"
    assert "BTT" in body["near"]
    assert len(answer.content) <= 1024


async def test_longest_unknown_symbol_still_fits_a_kilobyte(kept_rig: Any) -> None:
    answer = await kept_rig.get("/signals/" + "Ｚ" * 15)
    assert_problem(answer, 404)
    assert len(answer.content) <= 1024


@pytest.mark.parametrize(
    "path",
    [
        "/signals/%3F%3F",
        "/signals/" + "A" * 10_000,
        "/signals/BTC%00",
        "/signals/BTC%0d%0aX",
        "/signals/%F0%9F%98%80",
        "/signals/BTC?mode=wild",
        "/signals/BTC?debug=perhaps",
        "/market/-",
        "/debug/premium/..%2e",
    ],
)
async def test_malformed_input_is_400_and_never_422(kept_rig: Any, path: str) -> None:
    assert_problem(await kept_rig.get(path), 400)


async def test_error_text_does_not_repeat_what_was_sent(kept_rig: Any) -> None:
    answer = await kept_rig.get("/signals/BTC?mode=<script>alert(1)</script>")
    assert "script" not in assert_problem(answer, 400)["detail"]


async def test_unknown_route_and_method_are_problems(kept_rig: Any) -> None:
    assert_problem(await kept_rig.get("/nowhere"), 404)
    async with kept_rig.client() as client:
        answer = await client.post("/signals/BTC")
    assert assert_problem(answer, 405)["code"] == "method_not_allowed"
    assert answer.headers["allow"] == "GET, HEAD"


async def test_unexpected_error_is_a_500_without_its_text(rig: Any, caplog: Any) -> None:
    rig.signals.error = RuntimeError("secret host db.internal:5432")
    named: list[str] = []
    caplog.handler.addFilter(lambda _: bool(named.append(request_names().get("requestId", ""))) or True)
    with caplog.at_level(logging.WARNING):
        answer = await rig.get("/signals/BTC")
    body = assert_problem(answer, 500)
    assert "db.internal" not in answer.text
    assert body["code"] == "internal_error"
    assert "x-content-type-options" in answer.headers
    assert [record.message for record in caplog.records] == ["unhandled error", "failed answer"]
    assert named == [body["requestId"]] * 2


async def test_given_request_id_comes_back_and_an_unsafe_one_does_not(kept_rig: Any) -> None:
    answer = await kept_rig.get("/", headers={"X-Request-ID": "trace-0001.a_b"})
    assert answer.headers["x-request-id"] == "trace-0001.a_b"
    answer = await kept_rig.get("/", headers={"X-Request-ID": "<script>alert()</script>"})
    assert "script" not in answer.headers["x-request-id"]


@pytest.fixture
def patient_rig(make_rig: Any) -> Any:
    return make_rig(rate_limit_per_minute=1_000_000)


@given(text=st.text(min_size=1, max_size=60))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_no_symbol_text_makes_a_server_error(patient_rig: Any, text: str) -> None:
    async with patient_rig.client() as client:
        answer = await client.get("/signals", params={"symbols": text.encode("utf-8", "replace").decode()})
    assert answer.status_code in {200, 400}
