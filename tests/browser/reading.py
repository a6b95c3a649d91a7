"""Reads figures back from what a page shows, with how exactly they are shown."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TypeVar

from playwright.sync_api import Page

T = TypeVar("T")
GUARD_S = 30.0
_UNITS = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12, "%": 0.01}
_NUMBER = re.compile(
    r"(?P<sign>[−+-]?)\s*\$?(?P<digits>[0-9][0-9,]*(?:\.(?P<places>[0-9]+))?)(?P<unit>[KMBT%]?)"
)


def shown(text: str) -> tuple[float, float]:
    """(value, half of its last digit) of the first figure in a text.

    Worked numbers: "$84.7B" -> (84.7e9, 0.05e9); "−1.52% 24 h" -> (-0.0152, 0.00005).
    """
    found = _NUMBER.search(text)
    assert found is not None, f"no figure in {text!r}"
    unit = _UNITS[found["unit"]]
    value = float(found["digits"].replace(",", "")) * unit
    half = 0.5 * 10.0 ** -len(found["places"] or "") * unit
    return -value if found["sign"] in ("−", "-") else value, half


def is_shown(text: str, value: float) -> bool:
    """Whether the text shows this value, as exactly as its digits say."""
    figure, half = shown(text)
    return abs(figure - value) <= half * 1.001


def text_of(page: Page, test_id: str) -> str:
    return page.get_by_test_id(test_id).first.inner_text().strip()


def until(what: Callable[[], T], holds: Callable[[T], bool] = bool) -> T:
    """What is found as soon as it holds; two sides that change each in their time agree in between."""
    give_up_s = time.monotonic() + GUARD_S
    while True:
        found = what()
        if holds(found):
            return found
        assert time.monotonic() < give_up_s, f"never: {found!r}"
        time.sleep(0.1)
