"""A protected service: nothing is shown before the token, and a token opens what its scopes allow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import SETTINGS, Said
from tests.live_process import Service, running
from tests.signals_file import with_thresholds

TOKEN = "d4shb0ard-7fQ2kX9vLm3T"
READER = "r3ad0nly-5hW8nB1cYp6Z"
THRESHOLDS = {"conservative": (83, 11), "balanced": (72, 21), "aggressive": (61, 31)}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("guarded")
    settings = {**SETTINGS, "DASHBOARD_TOKEN": TOKEN, "API_KEYS": f"reader:{READER}:read"}
    settings["SIGNALS_CONFIG"] = str(with_thresholds(folder, THRESHOLDS))
    with running("--demo", folder=folder, settings=settings, path="/health/live") as service:
        yield service


@pytest.fixture
def page(context_of: Callable[..., BrowserContext]) -> Page:
    return context_of().new_page()


def sign_in(page: Page, service: Service, token: str) -> None:
    page.goto(f"{service.url}/dashboard/")
    page.get_by_test_id("login-token").fill(token)
    page.get_by_test_id("login-submit").click()


def test_nothing_but_the_question_for_a_token_is_shown(guarded: Service, page: Page) -> None:
    for path in ("", "coin/BTC", "status"):
        page.goto(f"{guarded.url}/dashboard/{path}")
        expect(page.get_by_test_id("login")).to_be_visible()
        assert "$" not in page.inner_text("main")
    assert guarded.get("/api/signals").status_code == 401


def test_a_wrong_token_is_refused_in_words(guarded: Service, page: Page) -> None:
    sign_in(page, guarded, "wrong-token-of-nobody")
    expect(page.get_by_test_id("login-fault")).to_be_visible()
    expect(page.get_by_test_id("cards")).to_have_count(0)


def test_the_dashboard_token_opens_everything_and_no_script_can_read_the_session(
    guarded: Service, page: Page
) -> None:
    said = Said()
    sign_in(page, guarded, TOKEN)
    said.listen(page)
    expect(page.get_by_test_id("card-BTC-price")).to_contain_text("$")
    expect(page.get_by_test_id("live-state")).to_have_attribute("data-state", "live")
    page.get_by_test_id("coins-manage").click()
    expect(page.get_by_test_id("coin-add-input")).to_be_visible()
    page.get_by_test_id("coin-add-input").fill("LTC")
    page.get_by_test_id("coin-add-submit").click()
    expect(page.get_by_test_id("coin-row-LTC")).to_be_visible()
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")
    kept = page.evaluate(
        "[document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage), location.href]"
    )
    assert not any(TOKEN in text or cookie["value"] in text for text in kept)
    assert TOKEN not in cookie["value"]
    # A reload keeps the session, signing out ends it.
    page.reload()
    expect(page.get_by_test_id("card-BTC-price")).to_contain_text("$")
    page.get_by_test_id("sign-out").click()
    expect(page.get_by_test_id("login")).to_be_visible()
    assert page.context.cookies() == []
    assert said.lines == []


def test_a_key_that_may_only_read_looks_but_changes_nothing(guarded: Service, page: Page) -> None:
    sign_in(page, guarded, READER)
    expect(page.get_by_test_id("card-BTC-price")).to_contain_text("$")
    page.get_by_test_id("coins-manage").click()
    expect(page.get_by_test_id("coins-readonly")).to_be_visible()
    expect(page.get_by_test_id("coin-add-input")).to_have_count(0)
    status = page.evaluate(
        """async () => (await fetch('/api/coins/add', {
          method: 'POST', headers: {'content-type': 'application/json'}, body: '{"symbol": "DOGE"}',
        })).status"""
    )
    assert status == 403
    # Without the scope debug a coin still shows its factors.
    page.get_by_test_id("coins-close").click()
    page.goto(f"{guarded.url}/dashboard/coin/BTC")
    expect(page.get_by_test_id("factor-funding")).to_contain_text("funding")


def test_a_page_of_another_origin_gets_nothing(guarded: Service, page: Page) -> None:
    sign_in(page, guarded, TOKEN)
    expect(page.get_by_test_id("card-BTC-price")).to_contain_text("$")
    other = page.context.new_page()
    # The same machine by another name is another site: its pages carry no session, and no socket opens.
    other.route(
        "http://evil.example/**", lambda route: route.fulfill(body="<p>evil</p>", content_type="text/html")
    )
    other.goto("http://evil.example/")
    ended = other.evaluate(
        """(url) => new Promise((done) => {
          const socket = new WebSocket(url);
          socket.onopen = () => done('open');
          socket.onclose = () => done('closed');
        })""",
        guarded.url.replace("http", "ws") + "/ws",
    )
    assert ended == "closed"
    read = other.evaluate(
        "(url) => fetch(url, {credentials: 'include'}).then((a) => a.text(), () => 'refused')",
        f"{guarded.url}/api/coins",
    )
    assert read == "refused"


def test_gauges_are_marked_where_this_service_says_long_and_short(guarded: Service, page: Page) -> None:
    sign_in(page, guarded, READER)
    expect(page.get_by_test_id("card-BTC-score")).to_contain_text(".")
    assert marks_of(page, "card-BTC") == [21, 72]
    page.goto(f"{guarded.url}/dashboard/coin/BTC")
    for mode, (long, short) in THRESHOLDS.items():
        page.get_by_test_id("coin-mode").get_by_text(mode.capitalize()).click()
        expect(page.get_by_test_id("coin-head").get_by_role("img")).to_have_attribute(
            "title", re.compile(rf"short up to {short}, long from {long}$")
        )
        assert marks_of(page, "coin-head") == [short, long]


def marks_of(page: Page, part: str) -> list[float]:
    """Where the marks of the gauge in this part stand, in points."""
    marks = page.get_by_test_id(part).locator(".mark.threshold")
    return [
        float(style.split("left:")[1].strip(" ;%"))
        for style in marks.evaluate_all("them => them.map(it => it.getAttribute('style'))")
    ]
