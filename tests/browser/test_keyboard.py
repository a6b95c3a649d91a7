"""Everything can be reached and done without a mouse, and the place of the focus can be seen."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit

_FOCUSED = """() => {
  const one = document.activeElement;
  const style = getComputedStyle(one);
  return {
    id: one.dataset.testid ?? one.id ?? '',
    text: one.textContent.trim().slice(0, 40),
    ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0,
  };
}"""


def tab_to(page: Page, test_id: str, limit: int = 80) -> None:
    """Press Tab until the element has the focus; everything on the way shows that it has it."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        focused = page.evaluate(_FOCUSED)
        assert focused["ring"], f"no visible focus on {focused}"
        if focused["id"] == test_id:
            return
    raise AssertionError(f"{test_id} cannot be reached")


def test_the_first_stop_skips_to_the_content(visit: Callable[..., Visit]) -> None:
    page = visit().open()
    expect(page.get_by_test_id("cards")).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate(_FOCUSED)["text"] == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_pages_are_walked_by_keys(visit: Callable[..., Visit]) -> None:
    page = visit().open()
    expect(page.get_by_test_id("cards")).to_be_visible()
    tab_to(page, "nav-status")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Status")


def test_a_coin_is_added_and_removed_by_keys_and_the_focus_comes_back(visit: Callable[..., Visit]) -> None:
    page = visit().open()
    expect(page.get_by_test_id("cards")).to_be_visible()
    tab_to(page, "coins-manage")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("coin-row-BTC")).to_be_visible()
    # The dialog begins in the field of a new coin.
    expect(page.get_by_test_id("coin-add-input")).to_be_focused()
    page.keyboard.type("avax")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("coin-row-AVAX")).to_be_visible()
    tab_to(page, "coin-remove-AVAX")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("coin-remove-confirm-AVAX")).to_be_visible()
    tab_to(page, "coin-remove-confirm-AVAX")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("coin-row-AVAX")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("coins-dialog")).to_be_hidden()
    assert page.evaluate(_FOCUSED)["id"] == "coins-manage"


def test_the_choice_of_colours_is_kept(visit: Callable[..., Visit]) -> None:
    page = visit(color_scheme="dark").open()
    shade = "getComputedStyle(document.documentElement).backgroundColor"
    expect(page.get_by_test_id("cards")).to_be_visible()
    dark = page.evaluate(shade)
    for _ in range(3):
        page.get_by_test_id("theme-toggle").click()
        if page.evaluate(shade) != dark:
            break
    light = page.evaluate(shade)
    assert light != dark
    page.reload()
    expect(page.get_by_test_id("cards")).to_be_visible()
    assert page.evaluate(shade) == light
