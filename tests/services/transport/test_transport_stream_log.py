"""What a stream writes to the log: each change once, samples seldom, and no secret in either."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from app.services.transport.stream_log import (
    MAX_REASONS,
    MOST_A_MINUTE,
    SAMPLE_EVERY_S,
    SILENT_AFTER_S,
    StreamLog,
)

NAME = "app.services.transport.stream_log"


class Rig:
    """A log whose clock is set by hand."""

    def __init__(self, caplog: pytest.LogCaptureFixture, **given: Any) -> None:
        caplog.set_level(logging.INFO, logger=NAME)
        self._caplog = caplog
        self.now_s = 1_000.0
        self.log = StreamLog("okx", monotonic=lambda: self.now_s, **given)

    def lines(self, *fields: str) -> list[tuple[Any, ...]]:
        found = [record for record in self._caplog.records if record.name == NAME]
        return [tuple(getattr(record, name) for name in fields) for record in found]

    def state(self, state: str, why: str = "", *, reconnects: int = 0) -> None:
        self.log.state(state, why, reconnects=reconnects)


@pytest.fixture
def rig(caplog: pytest.LogCaptureFixture) -> Rig:
    return Rig(caplog)


def test_each_change_of_the_link_is_one_line_that_says_from_where_and_why(rig: Rig) -> None:
    for state, why in [("live", ""), ("live", ""), ("connecting", "drop"), ("connecting", "unreachable")]:
        rig.state(state, why)
    rig.state("live", reconnects=1)
    assert rig.lines("levelname", "source", "old", "new", "why", "reconnects") == [
        ("INFO", "okx", "off", "live", "", 0),
        ("WARNING", "okx", "live", "connecting", "drop", 0),
        ("INFO", "okx", "connecting", "live", "", 1),
    ]


def test_the_first_connection_that_cannot_be_made_is_said(rig: Rig) -> None:
    rig.state("connecting", "unreachable")
    assert rig.lines("old", "new", "why") == [("off", "connecting", "unreachable")]


def test_silence_is_said_when_it_lasts(rig: Rig) -> None:
    rig.state("live")
    rig.state("silent")
    rig.now_s += SILENT_AFTER_S - 0.1
    rig.state("silent")
    assert len(rig.lines("new")) == 1
    rig.now_s += 0.1
    rig.state("silent")
    assert rig.lines("new")[-1] == ("silent",)


def test_a_link_that_flaps_fills_no_log_and_its_last_state_is_said_in_the_end(rig: Rig) -> None:
    for turn in range(200):
        rig.state("connecting" if turn % 2 else "live", reconnects=turn)
    rig.state("refused")
    assert len(rig.lines("new")) == MOST_A_MINUTE
    rig.now_s += 60.0
    rig.state("refused", reconnects=200)
    assert rig.lines("new", "reconnects")[MOST_A_MINUTE:] == [("refused", 200)]


def test_rejects_are_said_at_once_and_then_seldom_with_their_count(rig: Rig) -> None:
    rig.log.rejected({"bad_side": 2}, b'{"side":9}')
    for _ in range(300):
        rig.now_s += 1.0 if rig.now_s < 1_000.0 + SAMPLE_EVERY_S - 1 else 0.0
        rig.log.rejected({"bad_side": 1}, b"{}")
    rig.log.rejected({"bad_price": 1}, b"p")
    rig.now_s += 1.0
    rig.log.rejected({"bad_side": 1}, b"later")
    assert rig.lines("levelname", "source", "reason", "count", "sample") == [
        ("WARNING", "okx", "bad_side", 2, '{"side":9}'),
        ("WARNING", "okx", "bad_price", 1, "p"),
        ("WARNING", "okx", "bad_side", 301, "later"),
    ]


def test_reasons_are_bounded(rig: Rig) -> None:
    for number in range(5 * MAX_REASONS):
        rig.log.rejected({f"reason{number}": 1}, b"{}")
    assert len(rig.lines("reason")) == MAX_REASONS + 1
    assert rig.lines("reason")[-1] == ("other",)


def test_a_sample_is_one_short_line_without_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(caplog, secrets=("s3cretkey0123",))
    frame = b'{"a":"s3cretkey0123","url":"wss://x.example/a?cg-api-key=zzzz9999"}\r\n\x1b[31m\xff\xe2\x80\xae'
    rig.log.rejected({"not_json": 1}, frame + b"x" * 5_000_000)
    [(sample,)] = rig.lines("sample")
    assert len(sample) <= 160
    assert sample.isprintable()
    assert "s3cretkey" not in sample
    assert "zzzz9999" not in sample
    assert "x.example" not in sample


def test_what_is_usual_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(caplog, usual={"other_contract"})
    rig.log.rejected({"other_contract": 3, "bad_time": 1}, b"{}")
    assert rig.lines("reason") == [("bad_time",)]
