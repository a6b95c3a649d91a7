"""Counts of what the service holds and made lately. Times UTC epoch milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.core.domain.alerts import DropReason
from app.core.domain.signal import Direction
from app.core.domain.stored import StoreStatus


@dataclass(frozen=True, slots=True)
class ServiceStats:
    """Counts are not outcomes. since_ms: where the counts of signals and alerts begin.

    signals: stored ones by direction, asked for or scheduled. alerts: by why nobody was told, under None
    those that were kept. Both None while the store cannot be asked, and `why_none` says why then.
    live_clients: connections of this process; store: of this process, too.
    """

    as_of_ms: int
    since_ms: int
    coins_listed: int
    coins_on: int
    signals: Mapping[Direction, int] | None
    alerts: Mapping[DropReason | None, int] | None
    why_none: str | None
    live_clients: int
    store: StoreStatus
