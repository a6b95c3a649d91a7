"""S07: the session is a cookie no script can read; pages run nothing inline and hold no secret.

The whole service with a built dashboard and planted secrets; everything it serves is read.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.options import digest_of
from app.bootstrap import WEB_DIST
from tests.dashboard_build import FILES, write_build
from tests.live_rig import LiveApp, RigClock, live_app, live_simulator

PUBLIC = "https://signals.test"
SECRETS = {
    "dashboard token": "dtcanary-8Wk4Ru27zQe1Xo5M",
    "reader key": "rdcanary-2Lp6Ya18mSo9Ei3T",
    "owner key": "owcanary-6Hd4Xc52kUj7Bn0Q",
    "provider key": "cgcanary-7Kx1Qz93vLw2",
}
GUARDED = {
    "ENV": "prod",
    "ALLOW_DEMO_IN_PROD": "true",
    "PUBLIC_URL": PUBLIC,
    "DASHBOARD_TOKEN": SECRETS["dashboard token"],
    "API_KEYS": f"reader:{SECRETS['reader key']}:read,owner:{SECRETS['owner key']}:read+debug+admin",
    "COINGLASS_API_KEY": SECRETS["provider key"],
}
DATA_ROUTES = ("/", "/signals/BTC?debug=true", "/market/BTC", "/health/ready", "/metrics", "/openapi.json")
PAGES = ("", "coin/BTC", "flow", "record", "status", "nothing.js", "assets/", ".env")
# Where a session could be looked for, and never is.
QUERY_NAMES = ("token", "session", "key", "api_key", "apikey", "access_token", "auth", "authorization", "t")


@pytest_asyncio.fixture
async def service(tmp_path: Path) -> AsyncIterator[LiveApp]:
    clock = RigClock()
    async with live_simulator(clock) as sim:
        folder = write_build(tmp_path / "web_dist")
        async with live_app(sim, clock, GUARDED, web_dist=folder) as app:
            yield app


async def log_in(service: LiveApp, token: str = SECRETS["dashboard token"]) -> httpx2.Response:
    service.client.cookies.clear()
    answer = await service.client.post("/api/session", json={"token": token}, headers={"Origin": PUBLIC})
    service.client.cookies.clear()
    return answer


async def cookie_of(service: LiveApp, token: str = SECRETS["dashboard token"]) -> str:
    answer = await log_in(service, token)
    assert answer.status_code == 200, answer.text
    return answer.headers["set-cookie"].partition(";")[0]


def disguises(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield base64.b64encode(secret.encode()).decode().rstrip("=")
    yield base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")
    # What would do as well as the secret itself.
    yield digest_of(secret).hex()
    yield base64.b64encode(digest_of(secret)).decode().rstrip("=")
    yield base64.urlsafe_b64encode(digest_of(secret)).decode().rstrip("=")


def policy_of(answer: httpx2.Response) -> dict[str, list[str]]:
    """Content-Security-Policy, parsed: sources by directive."""
    (header,) = answer.headers.get_list("content-security-policy")
    parts = [part.split() for part in header.split(";") if part.strip()]
    assert len({part[0] for part in parts}) == len(parts)
    return {name: sources for name, *sources in parts}


async def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_http(service: LiveApp) -> None:
    (cookie,) = (await log_in(service)).headers.get_list("set-cookie")
    pair, *attributes = cookie.split("; ")
    assert re.fullmatch(r"session=[A-Za-z0-9._-]+", pair)
    assert sorted(attributes) == ["HttpOnly", "Max-Age=43200", "Path=/", "SameSite=Strict", "Secure"]


async def test_no_secret_is_in_anything_that_is_served(capfd: Any, service: LiveApp) -> None:
    cookie = await cookie_of(service)
    shown = []
    callers = ({}, {"Cookie": cookie}, {"Authorization": f"Bearer {SECRETS['owner key']}"})
    paths = [*DATA_ROUTES, *(f"/dashboard/{name}" for name in (*FILES, *PAGES)), "/api/session"]
    for path in paths:
        for headers in callers:
            answer = await service.client.get(path, headers={"Accept-Encoding": "gzip", **headers})
            shown.append(f"{path} {answer.status_code} {answer.headers} {answer.text}")
    for token in (*SECRETS.values(), SECRETS["dashboard token"] + "x"):
        answer = await log_in(service, token)
        shown.append(f"login {answer.status_code} {answer.headers} {answer.text}")
    out, err = capfd.readouterr()
    assert "a login with a wrong token was refused" in err  # the log was really read
    assert any("getElementById" in text for text in shown)
    for name, secret in SECRETS.items():
        for disguise in disguises(secret):
            for text in (*shown, out, err):
                assert disguise not in text, f"{name} in {text[:200]}"


async def test_pages_run_and_load_nothing_but_what_comes_from_here(service: LiveApp) -> None:
    for name in (*FILES, *PAGES):
        answer = await service.client.get(f"/dashboard/{name}")
        policy = policy_of(answer)
        assert policy["default-src"] == ["'none'"]
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"]
        assert policy["base-uri"] == policy["frame-ancestors"] == ["'none'"]
        assert policy["form-action"] == ["'self'"]
        allowed = {source for sources in policy.values() for source in sources}
        assert allowed == {"'none'", "'self'", "data:"}  # so no unsafe-inline, unsafe-eval, host or wildcard
        assert [directive for directive, sources in policy.items() if "data:" in sources] == ["img-src"]


async def test_json_may_load_nothing_at_all(service: LiveApp) -> None:
    for path in ("/signals/BTC", "/api/session", "/nowhere"):
        assert policy_of(await service.client.get(path)) == {
            "default-src": ["'none'"],
            "frame-ancestors": ["'none'"],
        }


@pytest.mark.parametrize("secret", ["dashboard token", "owner key"])
async def test_nothing_in_an_address_lets_anybody_in(service: LiveApp, secret: str) -> None:
    cookie = await cookie_of(service, SECRETS[secret])
    for value in (SECRETS[secret], cookie, cookie.removeprefix("session=")):
        query = "&".join(f"{name}={quote(value, safe='')}" for name in QUERY_NAMES)
        for path in ("/signals/BTC", "/health/ready", "/api/alerts"):
            assert (await service.client.get(f"{path}?{query}")).status_code == 401
        assert (await service.client.get(f"/api/session?{query}")).json()["signedIn"] is False
        answer = await service.client.post(f"/api/session?{query}", headers={"Origin": PUBLIC})
        assert answer.status_code == 400
        assert "set-cookie" not in answer.headers


async def test_a_session_reads_what_its_scopes_allow(service: LiveApp) -> None:
    expected = {
        "dashboard token": (200, 200, 200),
        "reader key": (200, 403, 403),
        "owner key": (200, 200, 200),
    }
    for name, statuses in expected.items():
        headers = {"Cookie": await cookie_of(service, SECRETS[name])}
        paths = ("/signals/BTC", "/signals/BTC?debug=true", "/metrics")
        got = [(await service.client.get(path, headers=headers)).status_code for path in paths]
        assert tuple(got) == statuses, name


async def test_another_site_changes_nothing_with_a_viewers_cookie(service: LiveApp) -> None:
    cookie = await cookie_of(service)
    for origin in ("https://evil.example", "null", "http://signals.test", f"{PUBLIC}:8443", None):
        headers = {"Cookie": cookie} | ({} if origin is None else {"Origin": origin})
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = await service.client.request(method, "/api/session", headers=headers, json={})
            assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")


async def test_a_cookie_of_another_deployment_is_nobodys(service: LiveApp, tmp_path: Path) -> None:
    foreign = {**GUARDED, "DASHBOARD_TOKEN": "otcanary-3Jn7Gs61yVb9Td2K"}
    clock = RigClock()
    async with live_simulator(clock) as sim, live_app(sim, clock, foreign) as other:
        answer = await log_in(other, foreign["DASHBOARD_TOKEN"])
        cookie = answer.headers["set-cookie"].partition(";")[0]
        assert (await other.client.get("/signals/BTC", headers={"Cookie": cookie})).status_code == 200
    assert (await service.client.get("/signals/BTC", headers={"Cookie": cookie})).status_code == 401


_COOKIES = st.lists(
    st.sampled_from(["session", "=", "v1", ".", ";", "ZGFzaGJvYXJk", "9999999999", '"', "%00", ","])
    | st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=12),
    max_size=20,
).map("".join)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(header=_COOKIES)
async def test_no_cookie_that_was_not_given_out_lets_anybody_in(service: LiveApp, header: str) -> None:
    headers = {"Cookie": header.strip().encode("latin-1")}
    answer = await service.client.get("/stream/status", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


@pytest.mark.skipif(not (WEB_DIST / "index.html").is_file(), reason="the dashboard is not built")
def test_the_built_document_keeps_its_policy() -> None:
    text = (WEB_DIST / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", text)
    assert not re.search(r"<style\b|\sstyle=|\son\w+=", text)
    loaded = re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    assert loaded
    assert [path for path in loaded if not path.startswith("/dashboard/")] == []
    json.loads(next(WEB_DIST.glob("*.webmanifest")).read_text("utf-8"))
