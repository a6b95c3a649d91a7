"""What readiness says of the upstream streams."""

from __future__ import annotations

import pytest

from app.core.domain.flow import LinkState, LinkStatus
from app.core.domain.status import DependencyState
from app.services.streaming.worker_state import START_S, stream_state


def link(state: LinkState, *, source: str = "coinglass", last_data_ms: int | None = None) -> LinkStatus:
    return LinkStatus(source, state, "", None, last_data_ms, 0, 0, {}, 0, 0)


@pytest.mark.parametrize("state", [LinkState.LIVE, LinkState.STANDBY])
def test_one_live_stream_is_enough(state: LinkState) -> None:
    found = stream_state([link(LinkState.REFUSED), link(state, source="okx")], 1e6)
    assert (found.state, found.detail) == (DependencyState.OK, "")


@pytest.mark.parametrize(
    ("age_s", "expected"), [(START_S - 1, DependencyState.STARTING), (START_S, DependencyState.DOWN)]
)
def test_the_first_minute_is_a_start_and_no_fault(age_s: float, expected: DependencyState) -> None:
    assert stream_state([link(LinkState.CONNECTING)], age_s).state is expected


@pytest.mark.parametrize("state", [LinkState.CONNECTING, LinkState.SILENT])
def test_a_stream_that_had_data_and_has_none_now_is_down_at_once(state: LinkState) -> None:
    found = stream_state([link(state, last_data_ms=1), link(LinkState.ALARM, source="okx")], 1.0)
    assert found.state is DependencyState.DOWN
    assert found.detail == f"coinglass: {state}; okx: alarm"


def test_a_format_that_nobody_can_read_is_no_start() -> None:
    assert stream_state([link(LinkState.ALARM)], 1.0).state is DependencyState.DOWN
