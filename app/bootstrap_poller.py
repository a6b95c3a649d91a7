"""The poller of the worker, put together over the use cases of its process. A part of `bootstrap`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.bootstrap_base import Base
from app.bootstrap_use_cases import UseCases, engine_config
from app.core.domain.flow_config import FlowConfig
from app.core.domain.liquidity_answer import LiquidityAnswer
from app.core.domain.symbol import Symbol
from app.services.charts.zones_png import ZonePngPainter
from app.services.derivatives_service import DerivativesService
from app.services.liquidity_service import LiquidityService
from app.services.streaming.poller import FindingSink, LevelSink, Poller


def build_poller(
    base: Base,
    use_cases: UseCases,
    *,
    config: FlowConfig,
    watched: Callable[[], Sequence[Symbol]],
    on_findings: FindingSink,
    on_levels: LevelSink,
) -> Poller:
    """What the worker polls, over the same providers, cache and budget as every answer."""
    upstream = DerivativesService(
        # Providers alone: the poller fills what the shortcuts read.
        sources=[source for provider in base.providers for source in provider.views()],
        resolve=use_cases.resolve,
        clock=base.clock,
        deadline_s=base.settings.request_deadline_seconds,
    )
    return Poller(
        upstream=upstream,
        contexts=use_cases.contexts,
        liquidity=LiquidityService(
            contexts=use_cases.contexts,
            derivatives=upstream,
            resolve=use_cases.resolve,
            engine=engine_config(base.signals),
            painter=ZonePngPainter(),
            clock=base.clock,
            on_answer=_keep_nothing,
        ),
        composites=use_cases.heatmap,
        warm=base.warm,
        writer=base.store.market,
        bars=base.store.bars,
        config=config,
        watched=watched,
        on_findings=on_findings,
        on_levels=on_levels,
        clock=base.clock,
        interval_s=base.settings.fetch_interval_seconds,
    )


def _keep_nothing(_answer: LiquidityAnswer) -> None:
    """Levels that nobody is shown are no published chances."""
