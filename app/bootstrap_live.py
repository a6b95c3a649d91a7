"""What the stream says and what the dashboard shows of it, put together. A part of `bootstrap_use_cases`."""

from __future__ import annotations

from collections.abc import Callable

from app.bootstrap_base import Base
from app.core.domain.symbol import Symbol
from app.core.stream_ports import WarmCache
from app.services.alert_service import AlertService
from app.services.flow_service import NO_WORKER, FlowService
from app.services.live_cards import CardShelf
from app.services.live_service import LiveParts, LiveService
from app.services.live_warm import SharedReading
from app.services.record_service import RecordService
from app.services.signal_service import SignalService
from app.settings import Settings

# Seconds between two readings of all coins: in memory, and over Redis or the database.
MEMORY_EVERY_S, SHARED_EVERY_S = 0.5, 1.0


def flow_of(base: Base, warm: WarmCache, resolve: Callable[[str], Symbol]) -> FlowService:
    """The flow use case over `warm`."""
    return FlowService(
        warm,
        resolve=resolve,
        config=base.flow,
        clock=base.clock,
        no_worker=_no_worker(base.settings),
        speed=base.settings.market_speed(),
    )


def live_of(base: Base, signals: SignalService, alerts: AlertService, record: RecordService) -> LiveService:
    """What the dashboard shows."""
    settings, clock = base.settings, base.clock
    is_memory = base.redis is None and settings.runs_worker_embedded()
    read_every_s = MEMORY_EVERY_S if is_memory else SHARED_EVERY_S
    warm = SharedReading(base.warm, keep_s=0.9 * read_every_s, monotonic=clock.monotonic_s)
    return LiveService(
        LiveParts(
            coins=lambda: [(coin.symbol, coin.is_on) for coin in base.watchlist.all()],
            warm=warm,
            flow=flow_of(base, warm, signals.resolve),
            config=base.flow,
            cards=CardShelf(evaluate=signals.untold, monotonic=clock.monotonic_s),
            alerts=alerts,
            signals=record,
            clock=clock,
            read_every_s=read_every_s,
            speed=settings.market_speed(),
        )
    )


def _no_worker(settings: Settings) -> str:
    """A worker beside this process may well run, and publish where this one does not look."""
    if settings.runs_worker_embedded():
        return NO_WORKER
    where = "DATABASE_URL, without REDIS_URL," if settings.redis_url is None else "REDIS_URL"
    return (
        "no worker publishes: run `python -m app.worker` with the same "
        f"{where} as this process, or set WORKER=embedded"
    )
