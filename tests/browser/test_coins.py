"""Coins are added, switched and removed in the page, and everything follows."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.reading import until
from tests.live_process import Service


def listed(service: Service) -> dict[str, bool]:
    return {coin["symbol"]: coin["on"] for coin in service.get("/api/coins").json()["items"]}


def open_dialog(page: Page) -> None:
    page.get_by_test_id("coins-manage").click()
    expect(page.get_by_test_id("coin-row-BTC")).to_be_visible()


def test_a_coin_comes_and_goes_without_a_restart(visit: Callable[..., Visit], demo: Service) -> None:
    opened = visit()
    page = opened.open()
    open_dialog(page)
    page.get_by_test_id("coin-add-input").fill("doge-usdt")
    page.get_by_test_id("coin-add-submit").click()
    expect(page.get_by_test_id("coin-row-DOGE")).to_be_visible()
    assert listed(demo)["DOGE"] is True
    page.get_by_test_id("coins-close").click()
    # Followed at once: scored, and its trades streamed.
    expect(page.get_by_test_id("card-DOGE-score")).to_contain_text(".")
    until(lambda: demo.get("/flow/DOGE").json()["price"] is not None)
    planned = demo.get("/coinglass/status").json()["resources"]
    assert any("DOGE" in row["params"] and row["watched"] for row in planned)

    open_dialog(page)
    page.get_by_test_id("coin-toggle-DOGE").click()
    expect(page.get_by_test_id("coin-toggle-DOGE")).to_have_attribute("aria-checked", "false")
    assert listed(demo)["DOGE"] is False
    page.get_by_test_id("coins-close").click()
    expect(page.get_by_test_id("card-DOGE")).to_have_count(0)

    open_dialog(page)
    page.get_by_test_id("coin-remove-DOGE").click()
    page.get_by_test_id("coin-remove-confirm-DOGE").click()
    expect(page.get_by_test_id("coin-row-DOGE")).to_have_count(0)
    assert "DOGE" not in listed(demo)
    assert opened.said.lines == []


def test_a_change_in_one_window_shows_in_another(visit: Callable[..., Visit], demo: Service) -> None:
    first, second = visit().open(), visit().open()
    expect(second.get_by_test_id("card-SOL")).to_be_visible()
    open_dialog(first)
    first.get_by_test_id("coin-toggle-SOL").click()
    expect(second.get_by_test_id("card-SOL")).to_have_count(0)
    first.get_by_test_id("coin-toggle-SOL").click()
    expect(second.get_by_test_id("card-SOL-price")).to_contain_text("$")
    assert listed(demo)["SOL"] is True


def test_a_coin_that_is_none_is_refused_with_what_was_meant(
    visit: Callable[..., Visit], demo: Service
) -> None:
    page = visit().open()
    open_dialog(page)
    before = listed(demo)
    page.get_by_test_id("coin-add-input").fill("DOGEE")
    page.get_by_test_id("coin-add-submit").click()
    expect(page.get_by_test_id("coin-fault")).to_contain_text("DOGE")
    expect(page.get_by_test_id("coin-near-DOGE")).to_be_visible()
    assert listed(demo) == before
