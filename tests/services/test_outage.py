"""A loop while the database is away: one line per outage, and only that error is survived."""

from __future__ import annotations

import logging

import pytest

from app.core.errors import StorageUnavailable
from app.services.outage import Outage


def rounds(outage: Outage, *went_well: bool) -> None:
    for well in went_well:
        with outage.survived():
            if not well:
                raise StorageUnavailable("no answer")


@pytest.mark.parametrize(
    ("went_well", "lines"),
    [((True, True), 0), ((False, False, False), 1), ((False, True, False, False), 2)],
)
def test_an_outage_is_told_once_however_long_it_lasts(
    caplog: pytest.LogCaptureFixture, went_well: tuple[bool, ...], lines: int
) -> None:
    rounds(Outage(logging.getLogger("a loop"), "work waits"), *went_well)
    assert caplog.messages == ["work waits"] * lines
    assert all("no answer" in record.__dict__["why"] for record in caplog.records)


def test_any_other_error_ends_the_loop() -> None:
    outage = Outage(logging.getLogger("a loop"), "work waits")
    with pytest.raises(ZeroDivisionError), outage.survived():
        _ = 1 / 0
