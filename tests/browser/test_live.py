"""The page lives: figures change by themselves, and come back after a sleep and after a restarted service."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
from playwright.sync_api import Browser, BrowserContext, WebSocket, expect

from app.services.transport.connection import tls_context
from tests.browser.conftest import SETTINGS, Said, Visit
from tests.browser.reading import text_of, until
from tests.live_process import Service, running
from tests.live_rig import closed_port


def simulator_of(service: Service) -> str:
    """Where the demo's simulator takes events, as the service printed it."""
    found = re.search(r"POST (http://\S+/__sim__)/events", service.output.read_text())
    assert found is not None
    return found[1]


def post_events(service: Service, **body: object) -> None:
    with httpx2.Client(verify=tls_context(), timeout=30) as client:
        client.post(f"{simulator_of(service)}/events", json=body).raise_for_status()


def test_prices_change_without_a_reload(visit: Callable[..., Visit]) -> None:
    opened = visit()
    page = opened.open()
    expect(page.get_by_test_id("card-BTC-price")).to_contain_text("$")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    first = text_of(page, "card-BTC-price")
    until(lambda: text_of(page, "card-BTC-price"), lambda text: text != first)
    assert not [url for url in asked if url.endswith("/dashboard/")]
    assert opened.said.lines == []


def test_a_cascade_shows_while_it_happens_with_the_side_that_was_closed(
    visit: Callable[..., Visit], demo: Service
) -> None:
    page = visit().open()
    expect(page.get_by_test_id("live-state")).to_have_attribute("data-state", "live")
    order = {"base": "ETH", "exchange": "Binance", "liquidated": "long", "price_usd": 4000}
    post_events(
        demo,
        prices={"ETH": 4000},
        liquidations=[{**order, "usd": 4e6}, {**order, "usd": 5e6}, {**order, "usd": 6e6, "exchange": "OKX"}],
    )
    expect(page.get_by_test_id("card-ETH-cascade")).to_contain_text("longs")
    page.get_by_test_id("nav-flow").click()
    cascades = page.get_by_test_id("cascades")
    expect(cascades).to_contain_text("ETH")
    expect(cascades).to_contain_text("longs")
    # The alert that it becomes is in the feed, and none of shorts is.
    page.get_by_test_id("nav-overview").click()
    expect(page.get_by_test_id("feed")).to_contain_text(re.compile("stop hunt|cascade", re.I))


def test_after_a_sleep_the_page_goes_on_where_it_was(visit: Callable[..., Visit]) -> None:
    opened = visit()
    page = opened.page
    sent: list[dict[str, Any]] = []
    heard: list[list[dict[str, Any]]] = []

    def note(socket: WebSocket) -> None:
        came: list[dict[str, Any]] = []
        heard.append(came)
        socket.on("framesent", lambda frame: sent.append(json.loads(frame)))
        socket.on("framereceived", lambda frame: came.append(json.loads(frame)))

    page.on("websocket", note)
    page.clock.install()
    opened.open()
    expect(page.get_by_test_id("live-state")).to_have_attribute("data-state", "live")
    # The lid is closed for a minute: no timer ran meanwhile, and all that are due are due now.
    page.clock.fast_forward(60_000)
    until(lambda: page.get_by_test_id("live-state").get_attribute("data-state") == "live" and len(sent) == 2)
    until(lambda: len(heard) == 2 and bool(heard[1]))
    assert sent[0]["resume"] is None
    assert sent[1]["resume"]["hub"] == heard[0][0]["hub"]
    assert [heard[0][0]["type"], heard[1][0]["type"]] == ["snapshot", "delta"]
    first = text_of(page, "card-BTC-price")
    until(lambda: text_of(page, "card-BTC-price"), lambda text: text != first)


def test_a_restarted_service_is_found_again_with_its_coins(
    browser: Browser, context_of: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    settings = {**SETTINGS, "PORT": str(closed_port())}
    page = context_of().new_page()
    said = Said()
    page.on("pageerror", lambda error: said.lines.append(str(error)))
    with running("--demo", folder=tmp_path, settings=settings) as service:
        page.goto(f"{service.url}/dashboard/")
        state = page.get_by_test_id("live-state")
        expect(state).to_have_attribute("data-state", "live")
        page.get_by_test_id("coins-manage").click()
        page.get_by_test_id("coin-add-input").fill("XRP")
        page.get_by_test_id("coin-add-submit").click()
        expect(page.get_by_test_id("coin-row-XRP")).to_be_visible()
        page.get_by_test_id("coins-close").click()
        expect(page.get_by_test_id("card-XRP-price")).to_contain_text("$")
        assert service.terminate() == 0
    expect(state).not_to_have_attribute("data-state", "live")
    # What was heard last stays, with its age.
    expect(page.get_by_test_id("card-BTC-price")).to_contain_text("$")
    with running("--demo", folder=tmp_path, settings=settings):
        expect(state).to_have_attribute("data-state", "live")
        first = text_of(page, "card-XRP-price")
        until(lambda: text_of(page, "card-XRP-price"), lambda text: text != first)
    assert said.lines == []
