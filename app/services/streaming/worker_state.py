"""How the parts of a worker do, in one word each, for readiness. Pure; asked by the worker and its door."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.domain.flow import LinkState, LinkStatus
from app.core.domain.status import DependencyState, DependencyStatus

# A stream connects within seconds; without any data after this something is wrong.
START_S = 60.0


def stream_state(links: Sequence[LinkStatus], age_s: float) -> DependencyStatus:
    """How the upstream streams do for readiness: down while none is live, but for the first minute.

    age_s: since the worker began.
    """
    if any(link.state in (LinkState.LIVE, LinkState.STANDBY) for link in links):
        return DependencyStatus("stream", DependencyState.OK, "")
    is_new = all(link.last_data_ms is None and link.state is not LinkState.ALARM for link in links)
    if is_new and age_s < START_S:
        return DependencyStatus("stream", DependencyState.STARTING, "no data yet")
    detail = "; ".join(f"{link.source}: {link.detail or link.state}" for link in links)
    return DependencyStatus("stream", DependencyState.DOWN, detail)


def start_state(*, is_ready: bool) -> DependencyStatus:
    """The worker itself: starting until its past is restored."""
    if is_ready:
        return DependencyStatus("worker", DependencyState.OK, "")
    return DependencyStatus("worker", DependencyState.STARTING, "its past is being restored")


def bus_state(*, is_up: bool) -> DependencyStatus:
    """What carries frames between roles."""
    if is_up:
        return DependencyStatus("bus", DependencyState.OK, "")
    return DependencyStatus("bus", DependencyState.DOWN, "Redis does not answer; frames wait")


def alarm_state(alarms: Sequence[str]) -> DependencyStatus:
    """What the worker says is wrong with it."""
    state = DependencyState.DOWN if alarms else DependencyState.OK
    return DependencyStatus("alarms", state, "; ".join(alarms))
