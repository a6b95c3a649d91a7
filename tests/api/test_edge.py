"""The edge: keys, scopes, rates, overload, body sizes, headers, CORS."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request

from app.api.options import ApiKey, ApiOptions
from app.api.request_context import request_names
from app.core.domain.context import DataMode
from app.core.errors import ConfigurationError, NoPriceAvailable

READ, DEBUG, ADMIN = "read-key-0123456789", "debug-key-0123456789", "admin-key-0123456789"
KEYS = (
    ApiKey.from_plain("reader", READ, ["read"]),
    ApiKey.from_plain("debugger", DEBUG, ["read", "debug"]),
    ApiKey.from_plain("operator", ADMIN, ["admin"]),
)
EVERY_PATH = ["/", "/health", "/health/ready", "/signals/BTC", "/signals?symbols=BTC", "/market/BTC"]
EVERY_PATH += [
    "/debug/premium/BTC",
    "/gpt/action-schema",
    "/docs",
    "/redoc",
    "/openapi.json",
    "/metrics",
    "/x",
]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@asynccontextmanager
async def held_answer(rig: Any, path: str = "/signals/ETH", **asked: Any) -> AsyncIterator[None]:
    """While one answer is under way."""
    is_asked, release = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        is_asked.set()
        await release.wait()

    rig.signals.gate = hold
    held = asyncio.create_task(rig.get(path, **asked))
    await is_asked.wait()
    try:
        yield
    finally:
        release.set()
        await held


class TestKeys:
    @pytest.mark.parametrize("path", EVERY_PATH)
    async def test_production_answers_nothing_without_a_key(self, make_rig: Any, path: str) -> None:
        rig = make_rig(env="prod", api_keys=KEYS)
        for headers in ({}, bearer("wrong"), {"Authorization": f"Basic {READ}"}, {"Authorization": READ}):
            answer = await rig.get(path, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.json()["code"] == "unauthorized"

    async def test_live_probe_needs_no_key(self, make_rig: Any) -> None:
        assert (await make_rig(env="prod", api_keys=KEYS).get("/health/live")).status_code == 200

    async def test_key_in_the_query_is_not_accepted(self, make_rig: Any) -> None:
        rig = make_rig(api_keys=KEYS)
        assert (await rig.get(f"/signals/BTC?api_key={READ}&key={READ}")).status_code == 401

    @pytest.mark.parametrize(
        "path, key, status",
        [
            ("/signals/BTC", READ, 200),
            ("/signals/BTC?debug=true", READ, 403),
            ("/signals/BTC?debug=true", DEBUG, 200),
            ("/debug/premium/BTC", READ, 403),
            ("/debug/premium/BTC", DEBUG, 200),
            ("/metrics", READ, 403),
            ("/metrics", ADMIN, 200),
            ("/signals/BTC", ADMIN, 403),
            ("/market/BTC", ADMIN, 403),
        ],
    )
    async def test_scopes_decide(self, make_rig: Any, path: str, key: str, status: int) -> None:
        answer = await make_rig(env="prod", api_keys=KEYS).get(path, headers=bearer(key))
        assert answer.status_code == status
        if status == 403:
            assert answer.json()["code"] == "missing_scope"

    async def test_without_keys_everything_is_open(self, kept_rig: Any) -> None:
        for path in ("/signals/BTC?debug=true", "/debug/premium/BTC", "/metrics"):
            assert (await kept_rig.get(path)).status_code == 200

    def test_options_never_show_a_key(self) -> None:
        assert READ not in repr(KEYS)

    def test_key_is_never_compared_with_equality(self) -> None:
        tree = ast.parse((Path(__file__).parents[2] / "app" / "api" / "auth.py").read_text("utf-8"))
        compared = [
            ast.unparse(node)
            for node in ast.walk(tree)
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops)
        ]
        assert not [text for text in compared if "digest" in text or "presented ==" in text]


class TestUnsafeOptions:
    @pytest.mark.parametrize(
        "change",
        [
            {"env": "prod"},
            {"env": "prod", "api_keys": KEYS, "cors_origins": ("*",)},
            {"rate_limit_per_minute": 0},
            {"trusted_proxy_hops": -1},
        ],
    )
    def test_are_refused(self, change: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError):
            ApiOptions(public_url="https://a.example", data_mode=DataMode.LIVE, version="1", **change)

    def test_unknown_scope_is_refused_without_showing_the_key(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            ApiKey.from_plain("x", READ, ["root"])
        assert READ not in str(caught.value)


class TestRate:
    async def test_over_the_limit_is_a_429_problem_with_retry_after(self, make_rig: Any) -> None:
        rig = make_rig(rate_limit_per_minute=3)
        statuses = [(await rig.get("/health")).status_code for _ in range(3)]
        refused = await rig.get("/health")
        assert statuses == [200, 200, 200]
        assert refused.status_code == 429
        assert refused.json()["code"] == "rate_limited"
        assert refused.headers["ratelimit-limit"] == "3"
        assert refused.headers["ratelimit-remaining"] == "0"
        rig.now_s += int(refused.headers["retry-after"])
        assert (await rig.get("/health")).status_code == 200

    async def test_forged_forwarded_for_gains_nothing(self, make_rig: Any) -> None:
        rig = make_rig(rate_limit_per_minute=2)
        headers = [{"X-Forwarded-For": f"198.51.100.{n}"} for n in range(4)]
        statuses = [(await rig.get("/health", headers=header)).status_code for header in headers]
        assert statuses == [200, 200, 429, 429]

    async def test_behind_a_proxy_the_right_most_entry_counts(self, make_rig: Any) -> None:
        rig = make_rig(rate_limit_per_minute=1, trusted_proxy_hops=1)
        forged = [{"X-Forwarded-For": f"198.51.100.{n}, 203.0.113.7"} for n in range(2)]
        assert [(await rig.get("/health", headers=h)).status_code for h in forged] == [200, 429]
        other = {"X-Forwarded-For": "203.0.113.7, 203.0.113.8"}
        assert (await rig.get("/health", headers=other)).status_code == 200

    async def test_each_key_has_its_own_allowance(self, make_rig: Any) -> None:
        rig = make_rig(rate_limit_per_minute=1, api_keys=KEYS)
        for key in (READ, DEBUG):
            assert (await rig.get("/health", headers=bearer(key))).status_code == 200
            assert (await rig.get("/health", headers=bearer(key))).status_code == 429

    async def test_guessing_keys_is_limited_by_address(self, make_rig: Any) -> None:
        rig = make_rig(rate_limit_per_minute=2, api_keys=KEYS)
        statuses = [(await rig.get("/", headers=bearer(f"guess{n}"))).status_code for n in range(3)]
        assert statuses == [401, 401, 429]

    async def test_live_probe_is_exempt(self, make_rig: Any) -> None:
        rig = make_rig(rate_limit_per_minute=1)
        assert {(await rig.get("/health/live")).status_code for _ in range(5)} == {200}


class TestOverload:
    async def test_one_request_too_many_is_refused_at_once(self, make_rig: Any) -> None:
        rig = make_rig(max_in_flight=2)
        release = asyncio.Event()
        rig.signals.gate = release.wait
        held = [asyncio.create_task(rig.get(f"/signals/C{n}")) for n in range(2)]
        for _ in held:
            await rig.signals.started.get()
        refused = await rig.get("/market/BTC")
        assert refused.status_code == 503
        assert refused.json()["code"] == "overloaded"
        assert refused.headers["retry-after"] in {"1", "2", "3"}
        for probe in ("/health/live", "/health", "/metrics"):
            assert (await rig.get(probe)).status_code == 200
        release.set()
        assert {(await task).status_code for task in held} == {200}
        assert (await rig.get("/market/BTC")).status_code == 200

    async def test_one_client_cannot_hold_every_slot(self, make_rig: Any) -> None:
        rig = make_rig(max_in_flight_per_client=1)
        release = asyncio.Event()
        rig.signals.gate = release.wait
        held = asyncio.create_task(rig.get("/signals/BTC"))
        await rig.signals.started.get()
        assert (await rig.get("/health")).status_code == 429
        assert (await rig.get("/health", address="198.51.100.9")).status_code == 200
        release.set()
        assert (await held).status_code == 200


class TestBody:
    async def test_declared_body_over_the_cap_is_413(self, kept_rig: Any) -> None:
        async with kept_rig.client() as client:
            answer = await client.post("/signals/BTC", content=b"x" * 65_537)
        assert answer.status_code == 413
        assert answer.json()["code"] == "body_too_large"

    async def test_chunked_body_over_the_cap_is_413(self, rig: Any) -> None:
        async def echo(request: Request) -> int:
            return len(await request.body())

        rig.app.add_api_route("/echo", echo, methods=["POST"])

        async def chunks() -> Any:
            for _ in range(70):
                yield b"x" * 1024

        async with rig.client() as client:
            assert (await client.post("/echo", content=chunks())).status_code == 413
            assert (await client.post("/echo", content=b"x" * 1024)).text == "1024"
        assert rig.counted.refusals == ["body"]


class TestHeaders:
    @pytest.mark.parametrize("path", [*EVERY_PATH, "/health/live"])
    async def test_every_answer_carries_them(self, kept_rig: Any, path: str) -> None:
        headers = (await kept_rig.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "content-security-policy" in headers
        assert len(headers["x-request-id"]) >= 8
        assert "server" not in headers
        assert ("ratelimit-limit" in headers) is (path != "/health/live")

    @pytest.mark.parametrize("mode", list(DataMode))
    async def test_every_answer_says_its_data_mode(self, make_rig: Any, mode: DataMode) -> None:
        rig = make_rig(data_mode=mode)
        for path in (*EVERY_PATH, "/health/live", "/signals/%3F"):
            assert (await rig.get(path)).headers["x-data-mode"] == mode.value

    async def test_refusals_and_crashes_say_their_data_mode(self, make_rig: Any) -> None:
        rig = make_rig(api_keys=KEYS, rate_limit_per_minute=2)
        rig.signals.error = RuntimeError("bug")
        answers = [
            await rig.get("/signals/BTC", headers=bearer(READ)),
            await rig.get("/signals/BTC"),
            await rig.get("/signals/BTC"),
            await rig.get("/signals/BTC"),
        ]
        assert [answer.status_code for answer in answers] == [500, 401, 401, 429]
        assert {answer.headers["x-data-mode"] for answer in answers} == {"demo"}

    async def test_only_listed_origins_may_read(self, make_rig: Any) -> None:
        rig = make_rig(cors_origins=("https://desk.example",), rate_limit_per_minute=1)
        good, limited = [await rig.get("/", headers={"Origin": "https://desk.example"}) for _ in range(2)]
        evil = await rig.get("/", headers={"Origin": "https://evil.example"}, address="198.51.100.1")
        assert good.headers["access-control-allow-origin"] == "https://desk.example"
        assert limited.status_code == 429
        assert limited.headers["access-control-allow-origin"] == "https://desk.example"
        assert "x-data-mode" in good.headers["access-control-expose-headers"].lower()
        assert "access-control-allow-origin" not in evil.headers
        assert "access-control-allow-credentials" not in good.headers


class TestHead:
    @pytest.mark.parametrize("path", [*EVERY_PATH, "/health/live"])
    async def test_is_get_without_the_body(self, kept_rig: Any, path: str) -> None:
        async with kept_rig.client() as client:
            got, head = await client.get(path), await client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        for name in ("content-type", "content-length", "x-data-mode"):
            assert head.headers[name] == got.headers[name]

    async def test_needs_a_key_where_get_does(self, make_rig: Any) -> None:
        async with make_rig(api_keys=KEYS).client() as client:
            answer = await client.head("/signals/BTC")
        assert (answer.status_code, answer.content) == (401, b"")

    async def test_reaches_the_server_with_its_own_method(self, rig: Any) -> None:
        # The server decides by the scope it made whether a body may follow.
        sent: list[Any] = []
        scope = {"type": "http", "method": "HEAD", "path": "/health/live", "headers": [], "query_string": b""}

        async def receive() -> Any:
            return {"type": "http.request"}

        async def send(message: Any) -> None:
            sent.append(message)

        await rig.app(scope, receive, send)
        assert scope["method"] == "HEAD"
        assert (sent[0]["status"], sent[1]["body"]) == (200, b"")
        assert rig.observed[-1]["method"] == "HEAD"


class TestRefusals:
    """Each is counted under its reason, once."""

    async def test_those_of_keys_scopes_and_origins(self, make_rig: Any) -> None:
        rig = make_rig(api_keys=KEYS)
        await rig.get("/signals/BTC")
        await rig.get("/metrics", headers=bearer(READ))
        async with rig.client() as client:
            evil = {**bearer(ADMIN), "Origin": "https://evil.example"}
            await client.post("/api/coins", headers=evil, json={})
        await rig.get("/signals/BTC", headers=bearer(READ))
        assert rig.counted.refusals == ["unauthorized", "scope", "origin"]

    async def test_those_of_rate_and_body(self, make_rig: Any) -> None:
        rig = make_rig(rate_limit_per_minute=2)
        async with rig.client() as client:
            await client.post("/api/coins", content=b"x" * 70_000)
        await rig.get("/health")
        await rig.get("/health")
        assert rig.counted.refusals == ["body", "rate_limit"]

    async def test_those_of_concurrency(self, make_rig: Any) -> None:
        for limits, reason in (
            ({"max_in_flight": 1}, "overload"),
            ({"max_in_flight_per_client": 1}, "client_concurrency"),
        ):
            rig = make_rig(**limits)
            async with held_answer(rig):
                await rig.get("/signals/ETH")  # probes have places of their own
            assert rig.counted.refusals == [reason]

    async def test_every_request_that_began_was_answered(self, make_rig: Any) -> None:
        rig = make_rig(api_keys=KEYS)
        rig.signals.error = RuntimeError("a bug")
        for path in ("/signals/BTC", "/health/live", "/nowhere"):
            await rig.get(path, headers=bearer(READ))
        await rig.get("/signals/BTC")
        assert rig.counted.begun_count == rig.counted.ended_count == len(rig.counted.answers) == 4

    async def test_a_scrape_is_an_answer_and_does_not_count_itself_as_under_way(self, make_rig: Any) -> None:
        rig = make_rig()
        assert (await rig.get("/metrics")).status_code == 200
        assert [one["route"] for one in rig.counted.answers] == ["/metrics"]
        assert (rig.counted.begun_count, rig.counted.ended_count) == (0, 0)


class TestLines:
    """What the edge writes about an answer: nothing, unless somebody should look at it."""

    async def test_good_and_refused_answers_write_none(self, make_rig: Any, caplog: Any) -> None:
        rig = make_rig(api_keys=KEYS, max_in_flight=1)
        await rig.get("/signals/BTC", headers=bearer(READ))
        await rig.get("/signals/BTC")
        async with held_answer(rig, "/signals/ETH", headers=bearer(READ)):
            assert (await rig.get("/market/BTC", headers=bearer(READ))).status_code == 503
        assert [record for record in caplog.records if record.name == "app.api.edge"] == []

    async def test_a_slow_one_writes_its_template_and_time(self, rig: Any, caplog: Any) -> None:
        async def take_long() -> None:
            rig.now_s += 2.5

        rig.signals.gate = take_long
        await rig.get("/signals/BTC?note=private")
        (record,) = [record for record in caplog.records if record.name == "app.api.edge"]
        assert (record.message, record.route, record.status, record.elapsedMs) == (
            "slow answer",
            "/signals/{symbol}",
            200,
            2_500,
        )
        assert "private" not in caplog.text

    async def test_a_503_writes_one(self, rig: Any, caplog: Any) -> None:
        rig.signals.error = NoPriceAvailable("BTC", ())
        await rig.get("/signals/BTC")
        (record,) = [record for record in caplog.records if record.name == "app.api.edge"]
        assert (record.message, record.route, record.status) == ("failed answer", "/signals/{symbol}", 503)


class TestWork:
    """The id of a request is that of the lines written while it is answered, and of no others."""

    async def test_the_id_is_there_within_and_gone_after(self, rig: Any) -> None:
        seen: list[dict[str, str]] = []

        async def look() -> None:
            seen.append(dict(request_names()))

        rig.signals.gate = look
        await rig.get("/signals/BTC", headers={"X-Request-ID": "abcdefgh-1"})
        assert seen == [{"requestId": "abcdefgh-1"}]
        assert request_names() == {}

    async def test_what_a_request_left_running_is_nobodys(self, rig: Any) -> None:
        is_over, seen = asyncio.Event(), []
        left: list[asyncio.Task[None]] = []

        async def linger() -> None:
            await is_over.wait()
            seen.append(dict(request_names()))

        async def leave_something() -> None:
            left.append(asyncio.create_task(linger()))

        rig.signals.gate = leave_something
        await rig.get("/signals/BTC")
        is_over.set()
        await left[0]
        assert seen == [{}]


async def test_answers_are_observed_by_route_template(rig: Any) -> None:
    await rig.get("/signals/BTC")
    await rig.get("/nowhere/secret")
    async with rig.client() as client:
        await client.request("BREW", "/signals/BTC")
    seen = [(item["method"], item["route"], item["status"]) for item in rig.observed]
    assert seen[:2] == [("GET", "/signals/{symbol}", 200), ("GET", "unrouted", 404)]
    assert (seen[2][0], seen[2][2]) == ("OTHER", 405)
