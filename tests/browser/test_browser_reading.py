"""The reading of shown figures itself."""

from __future__ import annotations

import pytest

from tests.browser.reading import is_shown, shown


@pytest.mark.parametrize(
    ("text", "value", "half"),
    [
        ("$84.7B", 84.7e9, 0.05e9),
        ("−1.52% 24 h", -0.0152, 0.00005),
        ("+0.0050%", 0.00005, 0.0000005),
        ("$125,975 ▾", 125_975, 0.5),
        ("$0.00001182", 0.00001182, 0.000000005),
        ("64.9", 64.9, 0.05),
    ],
)
def test_a_figure_is_read_with_its_last_digit(text: str, value: float, half: float) -> None:
    assert shown(text) == (pytest.approx(value), pytest.approx(half))


def test_a_figure_that_is_off_by_a_digit_is_not_shown() -> None:
    assert is_shown("$84.7B", 84.74e9)
    assert not is_shown("$84.7B", 84.76e9)
    assert not is_shown("−1.52%", 0.0152)
