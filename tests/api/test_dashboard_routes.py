"""`/dashboard/...` through the whole app: who may have it, how it is sent, where no path leads."""

from __future__ import annotations

import gzip
import random
from typing import Any

import httpx2
import pytest

from app.api.options import ApiKey
from tests.dashboard_build import FILES, INDEX_HTML, SCRIPT, dashboard_files

KEYS = (ApiKey.from_plain("reader", "Hk3vT8wQz1mNp5Lc", ["read"]),)
SCRIPT_PATH = "/dashboard/assets/app-1a2b.js"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
BUILD = dashboard_files()


@pytest.fixture
def rig(make_rig: Any) -> Any:
    return make_rig(env="prod", api_keys=KEYS, dashboard=BUILD)


async def get(rig: Any, path: str, **headers: str) -> httpx2.Response:
    sent = {"Accept-Encoding": "identity", **{name.replace("_", "-"): text for name, text in headers.items()}}
    answer: httpx2.Response = await rig.get(path, headers=sent)
    return answer


class TestWithoutAKey:
    @pytest.mark.parametrize(
        "path", ["/dashboard/", "/dashboard/coin/BTC", SCRIPT_PATH, "/dashboard/icon.svg"]
    )
    async def test_files_are_given_to_strangers(self, rig: Any, path: str) -> None:
        assert (await get(rig, path)).status_code == 200

    @pytest.mark.parametrize(
        "path",
        ["/dashboardx", "/Dashboard/", "/dashboard.html", "/x/dashboard/", "//dashboard/", "/signals/BTC"],
    )
    async def test_nothing_beside_them_is(self, rig: Any, path: str) -> None:
        assert (await rig.get(path)).status_code == 401

    async def test_a_browser_is_led_there_from_the_index_and_reads_nothing_of_it(self, rig: Any) -> None:
        answer = await rig.get("/", headers=BROWSER)
        assert (answer.status_code, answer.headers["location"], answer.content) == (307, "/dashboard/", b"")
        assert (await rig.get("/")).status_code == 401
        assert (await rig.get("/", headers={"Accept": "application/json, text/html"})).status_code == 401

    async def test_without_a_dashboard_the_index_stays_shut(self, make_rig: Any) -> None:
        assert (await make_rig(api_keys=KEYS).get("/", headers=BROWSER)).status_code == 401

    async def test_the_index_as_json_needs_the_scope_read(self, make_rig: Any) -> None:
        keys = (*KEYS, ApiKey.from_plain("operator", "Zt6aE0uKo3iWm8Xb", ["admin"]))
        rig = make_rig(api_keys=keys, dashboard=BUILD)
        statuses = [
            (await rig.get("/", headers={"Authorization": f"Bearer {key}"})).status_code
            for key in ("Hk3vT8wQz1mNp5Lc", "Zt6aE0uKo3iWm8Xb")
        ]
        assert statuses == [200, 403]

    async def test_the_way_in_leads_to_the_folder(self, rig: Any) -> None:
        answer = await rig.get("/dashboard")
        assert (answer.status_code, answer.headers["location"]) == (307, "/dashboard/")


class TestHowItIsSent:
    async def test_a_page_may_load_from_here_only_and_run_nothing_inline(self, rig: Any) -> None:
        for path in ("/dashboard/", "/dashboard/coin/BTC", SCRIPT_PATH, "/dashboard/nothing.js"):
            headers = (await get(rig, path)).headers
            assert headers["content-security-policy"] == (
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                "font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; "
                "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
            )
            assert headers["referrer-policy"] == "same-origin"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["x-data-mode"] == "demo"
            assert "strict-transport-security" in headers

    async def test_policies_elsewhere_are_what_they_were(self, make_rig: Any) -> None:
        rig = make_rig(dashboard=BUILD)
        answer = await rig.get("/signals/BTC")
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "cdn.jsdelivr.net" in (await rig.get("/docs")).headers["content-security-policy"]

    async def test_a_file_is_sent_compressed_to_who_can_read_that(self, rig: Any) -> None:
        plain = await get(rig, SCRIPT_PATH)
        packed = await get(rig, SCRIPT_PATH, Accept_Encoding="br, gzip")
        assert (plain.content, packed.content) == (SCRIPT, SCRIPT)  # the client unpacks
        assert int(packed.headers["content-length"]) == len(FILES["assets/app-1a2b.js.gz"]) < len(SCRIPT)
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
        assert gzip.decompress(FILES["assets/app-1a2b.js.gz"]) == SCRIPT

    @pytest.mark.parametrize(
        ("accepted", "is_packed"),
        [
            ("gzip", True),
            ("GZIP;q=0.5", True),
            ("deflate, x-gzip;q=1.0", True),
            ("gzip;q=0", False),
            ("gzip; q=0.000", False),
            ("gzipped", False),
            ("br", False),
            ("", False),
            ("gzip;q=x", False),
        ],
    )
    async def test_what_counts_as_reading_it(self, rig: Any, accepted: str, is_packed: bool) -> None:
        answer = await get(rig, SCRIPT_PATH, Accept_Encoding=accepted)
        assert ("content-encoding" in answer.headers) is is_packed

    async def test_a_browser_that_has_it_is_told_so(self, rig: Any) -> None:
        for path, encoding in (("/dashboard/", "gzip"), (SCRIPT_PATH, "gzip"), (SCRIPT_PATH, "identity")):
            first = await get(rig, path, Accept_Encoding=encoding)
            again = await get(
                rig, path, Accept_Encoding=encoding, If_None_Match=f'"x", W/{first.headers["etag"]}'
            )
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == first.headers["etag"]
            assert again.headers["cache-control"] == first.headers["cache-control"]

    async def test_the_packed_and_the_plain_one_are_not_taken_for_each_other(self, rig: Any) -> None:
        plain = await get(rig, SCRIPT_PATH)
        answer = await get(rig, SCRIPT_PATH, Accept_Encoding="gzip", If_None_Match=plain.headers["etag"])
        assert answer.status_code == 200

    async def test_head_says_the_same_without_the_body(self, rig: Any) -> None:
        async with rig.client() as client:
            for path in ("/dashboard/", SCRIPT_PATH):
                got, head = await client.get(path), await client.head(path)
                assert (head.status_code, head.content) == (200, b"")
                for name in ("content-type", "content-length", "etag", "cache-control"):
                    assert head.headers[name] == got.headers[name]

    async def test_files_do_not_use_up_the_allowance(self, make_rig: Any) -> None:
        rig = make_rig(rate_limit_per_minute=2, dashboard=BUILD)
        assert {(await get(rig, SCRIPT_PATH)).status_code for _ in range(5)} == {200}
        assert [(await rig.get("/health")).status_code for _ in range(3)] == [200, 200, 429]
        assert (await get(rig, SCRIPT_PATH)).status_code == 200

    async def test_they_are_observed_as_one_route(self, rig: Any) -> None:
        await get(rig, SCRIPT_PATH)
        assert rig.observed[-1]["route"] == "/dashboard/{path:path}"

    async def test_they_take_no_changes(self, rig: Any) -> None:
        async with rig.client() as client:
            assert (await client.post("/dashboard/", json={})).status_code == 405


class TestWhatIsNotThere:
    async def test_an_unknown_file_is_a_problem_and_no_page(self, rig: Any) -> None:
        answer = await get(rig, "/dashboard/assets/app-0000.js")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert answer.headers["cache-control"] == "no-store"

    @pytest.mark.parametrize("path", ["/dashboard/", "/dashboard/coin/BTC", SCRIPT_PATH])
    async def test_without_a_build_it_says_how_to_make_one(self, make_rig: Any, path: str) -> None:
        answer = await make_rig().get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "no_dashboard")
        assert "make web" in answer.json()["detail"]


_WAYS = (
    "..",
    ".",
    "%2e%2e",
    "..%2f",
    "%2F",
    "\\",
    "%5c",
    "%00",
    "//",
    "/",
    "etc",
    "passwd",
    "app",
    "settings.py",
)
_WAYS += (
    "index.html",
    "assets",
    "~root",
    "C:",
    "%c0%ae",
    "%252e",
    ";",
    "?",
    "#",
    ".env",
    "\u202e",
    " ",
    "%0d%0a",
)


async def test_ten_thousand_odd_paths_lead_to_no_other_file(make_rig: Any) -> None:
    """S01 for the files: the answer is a file of the build, the document or a refusal."""
    rig, chance = make_rig(dashboard=BUILD), random.Random(8)
    allowed = {INDEX_HTML, *FILES.values()}
    for _ in range(10_000):
        odd = "".join(chance.choice(_WAYS) + chance.choice(("", "/")) for _ in range(chance.randint(1, 8)))
        status, body = await _raw(rig, f"/dashboard/{odd}")
        assert status in {200, 404}, odd
        assert body in allowed if status == 200 else b'"not_found"' in body, odd


async def _raw(rig: Any, path: str) -> tuple[int, bytes]:
    """One ASGI request with the path as it stands: a client would tidy it."""
    sent: list[Any] = []
    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    await rig.app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])
