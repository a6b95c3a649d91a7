"""What providers write is text: a script for a name is shown as its letters and runs nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Visit

COIN = '<script>window.ran="coin"</script>'
EXCHANGE = "<img src=x onerror=\"window.ran='exchange'\">"
_ASKED = (
    "/api/",
    "/coinglass/",
    "/signals/",
    "/flow",
    "/advanced/",
    "/smc/",
    "/health",
    "/stream/",
    "/track-record",
)
PAGES = (
    ("", "cards"),
    ("coin/BTC", "panel-exchanges"),
    ("flow", "whale-positions"),
    ("record", "record-summary"),
    ("status", "health"),
)
_FOUND = """() => ({
  ran: window.ran ?? null,
  made: document.querySelectorAll('img[src="x"], body script, [onerror]').length,
  text: document.body.innerText,
})"""


def renamed(text: str) -> str:
    """The same answer of a market in which SOL and Binance have names that are scripts."""
    return text.replace('"SOL"', json.dumps(COIN)).replace('"Binance"', json.dumps(EXCHANGE))


# The same for what comes over the socket, between the wire and the page.
_FEED = """([names]) => {
  const renamed = (text) => names.reduce((done, [plain, name]) => done.replaceAll(plain, name), text);
  window.WebSocket = class extends WebSocket {
    set onmessage(heard) {
      super.onmessage = heard && ((event) => heard(new MessageEvent('message', {data: renamed(event.data)})));
    }
  };
}"""


def _is_page(url: str) -> bool:
    return urlsplit(url).path.startswith("/dashboard/")


def rename(page: Page) -> None:
    def answer(route: Route) -> None:
        found = route.fetch()
        route.fulfill(response=found, body=renamed(found.text()))

    page.route(lambda url: not _is_page(url) and any(part in url for part in _ASKED), answer)
    names = json.dumps([[['"SOL"', json.dumps(COIN)], ['"Binance"', json.dumps(EXCHANGE)]]])
    page.add_init_script(f"({_FEED})({names})")


def test_scripts_as_names_stay_text_on_every_page(visit: Callable[..., Visit]) -> None:
    opened = visit()
    page = opened.page
    rename(page)
    seen = ""
    for path, test_id in (
        ("", "cards"),
        ("coin/BTC", "panel-exchanges"),
        ("flow", "whale-positions"),
        ("status", "health"),
    ):
        opened.open(path)
        expect(page.get_by_test_id(test_id)).to_be_visible()
        expect(page.get_by_test_id("live-state")).to_have_attribute("data-state", "live")
        page.get_by_test_id(test_id).scroll_into_view_if_needed()
        page.wait_for_load_state("networkidle")
        found = page.evaluate(_FOUND)
        assert (found["ran"], found["made"]) == (None, 0), path
        seen += found["text"]
    # Both were really shown, letter by letter.
    assert COIN in seen
    assert EXCHANGE in seen
    assert [line for line in opened.said.lines if "exception" in line] == []
