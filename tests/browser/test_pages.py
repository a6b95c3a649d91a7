"""Every page on a desk and on a phone, dark and light: no error, no overflow, no barrier."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Visit, axe_source

# Path of each page, and what stands there once it has its figures.
PAGES = {
    "overview": ("", "card-BTC-price", re.compile(r"\$[0-9]")),
    "coin": ("coin/BTC", "coin-price", re.compile(r"\$[0-9]")),
    "flow": ("flow", "whale-positions", re.compile(r"LONG")),
    "record": ("record", "record-summary", re.compile(r"[a-z]{3}")),
    "status": ("status", "provider-coinglass", re.compile(r"standard")),
}
_OVERFLOW = """() => {
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= wide) return [];
  return [...document.querySelectorAll('body *')]
    .filter((one) => one.getBoundingClientRect().right > wide + 1)
    .slice(0, 8).map((one) => `${one.tagName}.${one.className}`);
}"""
_AXE = """async () => {
  const found = await axe.run(document, {resultTypes: ['violations']});
  const where = (one) => one.nodes.slice(0, 4).map((node) => node.target).join(' | ');
  return found.violations.map((one) => `${one.id}: ${where(one)}`);
}"""


def wait_for_figures(page: Page, name: str) -> None:
    _, test_id, text = PAGES[name]
    expect(page.get_by_test_id(test_id).first).to_contain_text(text)
    expect(page.get_by_test_id("live-state")).to_have_attribute("data-state", "live")
    # What is still being asked for would change the page under the checks.
    page.wait_for_load_state("networkidle")


def scroll_through(page: Page) -> None:
    """Panels below the fold load when they come into sight."""
    page.evaluate(
        """async () => {
          for (let at = 0; at < document.documentElement.scrollHeight; at += innerHeight / 2) {
            scrollTo(0, at);
            await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          }
          scrollTo(0, 0);
        }"""
    )
    page.wait_for_load_state("networkidle")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_page_has_no_error_no_overflow_and_no_barrier(
    visit: Callable[..., Visit], name: str, size: dict[str, int]
) -> None:
    opened = visit(viewport=size, color_scheme="dark", reduced_motion="reduce")
    page = opened.open(PAGES[name][0])
    wait_for_figures(page, name)
    scroll_through(page)
    assert page.evaluate(_OVERFLOW) == []
    page.evaluate(axe_source())
    barriers: dict[str, Any] = {}
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        barriers[scheme] = page.evaluate(_AXE)
    assert barriers == {"dark": [], "light": []}
    expect(page.get_by_test_id("mode-banner")).to_contain_text("DEMO")
    assert opened.said.lines == []
    assert opened.said.answers == []


def test_the_smallest_phone_has_no_overflow_either(visit: Callable[..., Visit]) -> None:
    opened = visit(viewport={"width": 360, "height": 640})
    for name, (path, _, _) in PAGES.items():
        page = opened.open(path)
        wait_for_figures(page, name)
        assert page.evaluate(_OVERFLOW) == [], name
    assert opened.said.lines == []


def test_an_address_that_is_none_says_so_and_leads_back(visit: Callable[..., Visit]) -> None:
    page = visit().open("nowhere/at/all")
    expect(page.get_by_role("main")).to_contain_text("no such page")
    page.get_by_test_id("nav-overview").click()
    expect(page.get_by_test_id("cards")).to_be_visible()


def test_times_are_local_and_in_utc_on_hover(visit: Callable[..., Visit]) -> None:
    page = visit(timezone_id="Asia/Jakarta").open("record")
    wait_for_figures(page, "record")
    titles = page.evaluate("[...document.querySelectorAll('[title]')].map((one) => one.title)")
    assert any(re.fullmatch(r".*\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC.*", title) for title in titles)
