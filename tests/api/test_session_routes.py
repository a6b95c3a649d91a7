"""Login, logout and the rule that no other site changes anything, through the whole app."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import Request

from app.api.auth import require_scope
from app.api.options import ApiKey, Scope, digest_of
from app.api.origins import allowed_origins
from app.api.schemas.session import SessionResponse
from app.api.session import SESSION_S
from app.bootstrap import build
from app.core.domain.engine_config import Thresholds
from app.core.domain.signal import Mode
from app.settings import load_settings
from tests.live_rig import forget_logging
from tests.signals_file import with_thresholds

TOKEN, READ, ADMIN = "Qd7xLk2vRm9TzWb4Ns", "Hk3vT8wQz1mNp5Lc", "Zt6aE0uKo3iWm8Xb"
PUBLIC = "https://signals.example.com"
EVIL = "https://evil.example"
KEYS = (ApiKey.from_plain("reader", READ, ["read"]), ApiKey.from_plain("owner", ADMIN, ["read", "admin"]))
# Nothing without a login, and changes from pages of the public address alone.
GUARDED = {
    "dashboard_token_digest": digest_of(TOKEN),
    "origins": allowed_origins(PUBLIC, (), local=False),
}
# Thresholds of an operator, and how they are told.
MINE = {
    Mode.CONSERVATIVE: Thresholds(81.5, 12),
    Mode.BALANCED: Thresholds(71, 22),
    Mode.AGGRESSIVE: Thresholds(61, 32),
}
TOLD = {
    "conservative": {"long": 81.5, "short": 12.0},
    "balanced": {"long": 71.0, "short": 22.0},
    "aggressive": {"long": 61.0, "short": 32.0},
}


@pytest.fixture
def rig(make_rig: Any) -> Any:
    return make_rig(api_keys=KEYS, **GUARDED)


@pytest.fixture
def open_rig(make_rig: Any) -> Any:
    """Where nobody has to log in, as in the demo."""
    return make_rig(origins=allowed_origins(PUBLIC, (), local=True))


async def ask(
    rig: Any, method: str, path: str = "/api/session", *, address: str = "127.0.0.1", **sent: Any
) -> httpx2.Response:
    """One request of a client without a memory; `cookie`, `origin` and `host` are headers unless None."""
    headers = {name: value for name in ("cookie", "origin", "host") if (value := sent.pop(name, None))}
    headers |= sent.pop("headers", {})
    async with rig.client(address) as client:
        answer: httpx2.Response = await client.request(method, path, headers=headers, **sent)
    return answer


async def log_in(rig: Any, token: str = TOKEN) -> str:
    """The `Cookie` header of a browser that has logged in."""
    answer = await ask(rig, "POST", json={"token": token}, origin=PUBLIC)
    assert answer.status_code == 200, answer.text
    return answer.headers["set-cookie"].partition(";")[0]


def add_changing_route(rig: Any) -> list[str]:
    """A route that only admins may call; the list tells which method was let through."""
    seen: list[str] = []

    async def change(request: Request) -> str:
        require_scope(request, rig.options, Scope.ADMIN)
        seen.append(request.method)
        return "done"

    rig.app.add_api_route("/change", change, methods=["POST", "PUT", "PATCH", "DELETE"])
    return seen


class TestWhoIsAsking:
    async def test_a_stranger_is_told_that_a_login_is_needed_and_is_not_refused(self, rig: Any) -> None:
        answer = await ask(rig, "GET", host="signals.example.com")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-data-mode"] == "demo"
        assert answer.json() == {
            "signedIn": False,
            "loginRequired": True,
            "name": None,
            "scopes": [],
            "dataMode": "demo",
            "version": "9.9",
            "live": True,
            "liveReason": None,
            "thresholds": None,
        }

    async def test_where_no_login_is_needed_everybody_may_do_everything(self, open_rig: Any) -> None:
        body = (await ask(open_rig, "GET")).json()
        assert (body["signedIn"], body["loginRequired"], body["name"]) == (True, False, None)
        assert body["scopes"] == ["read", "debug", "admin"]

    async def test_a_wrong_key_or_cookie_is_a_stranger_there(self, rig: Any) -> None:
        for sent in ({"headers": {"Authorization": "Bearer wrong"}}, {"cookie": "session=v1.a.1.b"}):
            answer = await ask(rig, "GET", **sent)
            assert (answer.status_code, answer.json()["signedIn"]) == (200, False)

    async def test_a_key_is_told_what_it_may(self, rig: Any) -> None:
        body = (await ask(rig, "GET", headers={"Authorization": f"Bearer {ADMIN}"})).json()
        assert (body["signedIn"], body["name"], body["scopes"]) == (True, "owner", ["read", "admin"])

    @pytest.mark.parametrize(
        "name", ["testserver", "10.0.0.5:8000", "evil.example", "signals.example.com:81"]
    )
    async def test_an_address_that_is_not_the_public_one_is_told_which_setting_decides(
        self, rig: Any, name: str
    ) -> None:
        body = (await ask(rig, "GET", host=name)).json()
        assert body["live"] is False
        assert "PUBLIC_URL" in body["liveReason"]
        assert name not in body["liveReason"]

    async def test_behind_a_proxy_the_name_it_was_asked_under_counts(self, make_rig: Any) -> None:
        origins = allowed_origins(PUBLIC, (), local=False)
        forwarded = {"X-Forwarded-Host": "signals.example.com"}
        for hops, live in ((0, False), (1, True)):
            rig = make_rig(trusted_proxy_hops=hops, origins=origins)
            assert (await ask(rig, "GET", host="app:8000", headers=forwarded)).json()["live"] is live


class TestThresholds:
    """The pages mark what the service decides by; a stranger is told nothing of it."""

    @pytest.fixture
    def silent_after(self) -> Iterator[None]:
        yield
        forget_logging()

    async def test_who_may_read_is_told_them_and_nobody_else(self, make_rig: Any) -> None:
        rig = make_rig(api_keys=KEYS, thresholds=MINE, **GUARDED)
        assert (await ask(rig, "GET")).json()["thresholds"] is None
        answer = await ask(rig, "GET", headers={"Authorization": f"Bearer {READ}"})
        assert answer.json()["thresholds"] == TOLD
        login = await ask(rig, "POST", json={"token": TOKEN}, origin=PUBLIC)
        assert login.json()["thresholds"] == TOLD

    @pytest.mark.usefixtures("silent_after")
    async def test_they_are_those_of_the_signals_file(self, tmp_path: Path) -> None:
        pairs = {mode.value: (pair.long, pair.short) for mode, pair in MINE.items()}
        changed = with_thresholds(tmp_path, pairs)
        application = build(load_settings({"ENV": "dev", "SIGNALS_CONFIG": str(changed)}))
        transport = httpx2.ASGITransport(app=application.api)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
            answer = await client.get("/api/session")
        assert answer.json()["thresholds"] == TOLD


class TestLogin:
    async def test_the_token_opens_a_session_that_no_script_can_read(self, rig: Any) -> None:
        answer = await ask(rig, "POST", json={"token": TOKEN}, origin=PUBLIC)
        body = SessionResponse.model_validate_json(answer.content)
        assert (body.signed_in, body.name, body.scopes) == (True, "dashboard", list(Scope))
        assert answer.headers["cache-control"] == "no-store"
        _, *attributes = answer.headers["set-cookie"].split("; ")
        assert sorted(attributes) == ["HttpOnly", "Max-Age=43200", "Path=/", "SameSite=Strict", "Secure"]

    async def test_the_cookie_is_enough_to_be_answered(self, rig: Any) -> None:
        cookie = await log_in(rig)
        assert (await ask(rig, "GET", "/signals/BTC?debug=true")).status_code == 401
        assert (await ask(rig, "GET", "/signals/BTC?debug=true", cookie=cookie)).status_code == 200
        assert (await ask(rig, "GET", cookie=cookie)).json()["name"] == "dashboard"

    async def test_it_is_found_when_a_proxy_has_split_the_header(self, rig: Any) -> None:
        cookie = await log_in(rig)
        async with rig.client() as client:
            answer = await client.get("/signals/BTC", headers=[("Cookie", "a=b"), ("Cookie", cookie)])
        assert answer.status_code == 200

    async def test_the_password_of_a_proxy_beside_it_does_no_harm(self, rig: Any) -> None:
        headers = {"Authorization": "Basic b3duZXI6aHVudGVyMg=="}
        answer = await ask(rig, "GET", "/signals/BTC", cookie=await log_in(rig), headers=headers)
        assert answer.status_code == 200

    async def test_an_api_key_opens_one_with_its_scopes(self, rig: Any) -> None:
        cookie = await log_in(rig, READ)
        assert (await ask(rig, "GET", "/signals/BTC", cookie=cookie)).status_code == 200
        assert (await ask(rig, "GET", "/metrics", cookie=cookie)).status_code == 403
        assert (await ask(rig, "GET", cookie=cookie)).json()["scopes"] == ["read"]

    @pytest.mark.parametrize("token", ["wrong", TOKEN[:-1], TOKEN.lower(), "x" * 200])
    async def test_a_wrong_token_is_a_401_without_a_cookie(self, rig: Any, token: str) -> None:
        answer = await ask(rig, "POST", json={"token": token})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert "set-cookie" not in answer.headers
        assert token not in answer.text

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"[]",
            b"{",
            b'{"token": null}',
            b'{"token": 7}',
            b'{"token": ""}',
            b'{"token": "a b"}',
            b'{"token": "\\ud800"}',
            json.dumps({"token": "x" * 201}).encode(),
            json.dumps({TOKEN: TOKEN}).encode(),
            b'\xff{"token": "x"}',
        ],
    )
    async def test_what_is_no_token_is_a_400_that_repeats_nothing(self, rig: Any, content: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        answer = await ask(rig, "POST", content=content, headers=headers)
        assert answer.status_code == 400
        assert answer.json()["code"] in {"invalid_parameter", "invalid_request"}
        assert TOKEN not in answer.text
        assert "x" * 20 not in answer.text

    async def test_the_token_opens_nothing_elsewhere(self, rig: Any) -> None:
        for path in (f"/signals/BTC?token={TOKEN}", f"/api/session?token={TOKEN}&session={TOKEN}"):
            answer = await ask(rig, "GET", path, cookie=f"session={TOKEN}; token={TOKEN}")
            assert answer.status_code == 401 or answer.json()["signedIn"] is False
        answer = await ask(rig, "GET", "/signals/BTC", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 401
        assert (await ask(rig, "POST", f"/api/session?token={TOKEN}", json={})).status_code == 400

    async def test_where_no_login_is_needed_there_is_none(self, open_rig: Any) -> None:
        assert (await ask(open_rig, "POST", json={"token": TOKEN})).status_code == 401

    async def test_guesses_are_limited_by_address(self, make_rig: Any) -> None:
        rig = make_rig(rate_limit_per_minute=2, **GUARDED)
        statuses = [(await ask(rig, "POST", json={"token": f"guess{n}"})).status_code for n in range(3)]
        assert statuses == [401, 401, 429]
        assert (await ask(rig, "POST", json={"token": TOKEN})).status_code == 429
        assert (await ask(rig, "POST", json={"token": TOKEN}, address="198.51.100.9")).status_code == 200

    async def test_viewers_who_share_a_token_have_an_allowance_each(self, make_rig: Any) -> None:
        rig = make_rig(rate_limit_per_minute=2, **GUARDED)
        cookie = await log_in(rig)
        near, far = "192.0.2.1", "192.0.2.2"
        seen = [
            (await ask(rig, "GET", "/health", cookie=cookie, address=where)).status_code
            for where in (near, near, near, far)
        ]
        assert seen == [200, 200, 429, 200]

    async def test_one_viewer_cannot_hold_every_slot(self, make_rig: Any) -> None:
        rig = make_rig(max_in_flight_per_client=1, **GUARDED)
        cookie = await log_in(rig)
        release = asyncio.Event()
        rig.signals.gate = release.wait
        held = asyncio.create_task(ask(rig, "GET", "/signals/BTC", cookie=cookie))
        await rig.signals.started.get()
        assert (await ask(rig, "GET", "/dashboard/", cookie=cookie)).status_code == 429
        assert (await ask(rig, "GET", "/health", cookie=cookie, address="192.0.2.9")).status_code == 200
        release.set()
        assert (await held).status_code == 200


class TestLogout:
    async def test_it_clears_the_cookie_in_the_browser(self, rig: Any) -> None:
        answer = await ask(rig, "DELETE", cookie=await log_in(rig), origin=PUBLIC)
        assert answer.status_code == 200
        assert (answer.json()["signedIn"], answer.json()["scopes"]) == (False, [])
        assert answer.headers["set-cookie"].startswith("session=; Max-Age=0; Path=/; HttpOnly")
        assert answer.headers["cache-control"] == "no-store"

    async def test_a_browser_is_a_stranger_after_it(self, rig: Any) -> None:
        origin = {"Origin": PUBLIC}
        transport = httpx2.ASGITransport(rig.app, client=("127.0.0.1", 1))
        async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC) as browser:
            await browser.post("/api/session", json={"token": TOKEN}, headers=origin)
            assert (await browser.get("/signals/BTC")).status_code == 200
            await browser.delete("/api/session", headers=origin)
            assert (await browser.get("/signals/BTC")).status_code == 401

    async def test_it_is_no_fault_to_log_out_twice(self, rig: Any, open_rig: Any) -> None:
        assert (await ask(rig, "DELETE")).status_code == 200
        assert (await ask(open_rig, "DELETE")).json()["signedIn"] is True

    async def test_a_session_that_has_ended_is_a_stranger(self, rig: Any, make_rig: Any) -> None:
        cookie = await log_in(rig)
        later = make_rig(
            wall_ms=lambda: rig.wall_ms() + SESSION_S * 1000, dashboard_token_digest=digest_of(TOKEN)
        )
        assert (await ask(later, "GET", "/signals/BTC", cookie=cookie)).status_code == 401

    async def test_a_session_ends_with_its_token(self, rig: Any, make_rig: Any) -> None:
        cookie = await log_in(rig)
        changed = make_rig(dashboard_token_digest=digest_of("Another2vRm9TzWb4Ns"))
        assert (await ask(changed, "GET", "/signals/BTC", cookie=cookie)).status_code == 401


METHODS = ["POST", "PUT", "PATCH", "DELETE"]


class TestChanges:
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize(
        "origin", [EVIL, "null", None, f"{PUBLIC}.evil.example", "http://localhost:8000"]
    )
    async def test_a_cookie_alone_changes_nothing(self, rig: Any, method: str, origin: str | None) -> None:
        seen = add_changing_route(rig)
        answer = await ask(rig, method, "/change", cookie=await log_in(rig), origin=origin)
        assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")
        assert seen == []

    @pytest.mark.parametrize("method", METHODS)
    async def test_a_page_of_ours_may(self, rig: Any, method: str) -> None:
        seen = add_changing_route(rig)
        answer = await ask(rig, method, "/change", cookie=await log_in(rig), origin=PUBLIC)
        assert (answer.status_code, seen) == (200, [method])

    async def test_a_session_may_do_no_more_than_its_key(self, rig: Any) -> None:
        seen = add_changing_route(rig)
        answer = await ask(rig, "POST", "/change", cookie=await log_in(rig, READ), origin=PUBLIC)
        assert (answer.status_code, answer.json()["code"], seen) == (403, "missing_scope", [])
        assert (
            await ask(rig, "POST", "/change", cookie=await log_in(rig, ADMIN), origin=PUBLIC)
        ).status_code == 200

    async def test_a_key_needs_no_origin_but_may_not_come_from_another_page(self, rig: Any) -> None:
        seen = add_changing_route(rig)
        headers = {"Authorization": f"Bearer {ADMIN}"}
        assert (await ask(rig, "POST", "/change", headers=headers)).status_code == 200
        assert (await ask(rig, "POST", "/change", headers=headers, origin=EVIL)).status_code == 403
        assert seen == ["POST"]

    @pytest.mark.parametrize("origin", [EVIL, "null", "http://evil.example:8000"])
    async def test_where_everything_is_open_other_pages_change_nothing_either(
        self, open_rig: Any, origin: str
    ) -> None:
        seen = add_changing_route(open_rig)
        assert (await ask(open_rig, "POST", "/change", origin=origin)).status_code == 403
        assert (await ask(open_rig, "POST", "/change")).status_code == 200
        assert (await ask(open_rig, "POST", "/change", origin="http://localhost:5173")).status_code == 200
        assert seen == ["POST", "POST"]

    @pytest.mark.parametrize("method", ["POST", "DELETE"])
    async def test_another_page_neither_logs_in_nor_out(self, rig: Any, method: str) -> None:
        answer = await ask(rig, method, json={"token": TOKEN}, origin=EVIL)
        assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")
        assert "set-cookie" not in answer.headers

    async def test_reading_asks_for_no_origin(self, rig: Any) -> None:
        cookie = await log_in(rig)
        assert (await ask(rig, "GET", "/signals/BTC", cookie=cookie, origin=EVIL)).status_code == 200

    async def test_a_form_of_another_site_is_no_login(self, rig: Any) -> None:
        headers = {"Content-Type": "text/plain"}
        body = json.dumps({"token": TOKEN}).encode()
        assert (await ask(rig, "POST", content=body, headers=headers, origin=EVIL)).status_code == 403
        assert (await ask(rig, "POST", content=body, headers=headers, origin=PUBLIC)).status_code == 400


async def test_in_production_it_is_open_and_everything_else_is_not(make_rig: Any) -> None:
    rig = make_rig(env="prod", api_keys=KEYS, dashboard_token_digest=digest_of(TOKEN))
    assert (await ask(rig, "GET")).status_code == 200
    for path in ("/api/sessions", "/api/session/", "/api/session/x", "/API/SESSION", "/signals/BTC"):
        assert (await ask(rig, "GET", path)).status_code == 401
