"""The use cases behind the doors: a signal, the raw market, and the premium probes of one coin.

Resolves the user's spelling once, asks the context service, runs the engine. No HTTP, no provider names,
no caching of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from app.core.clock import Clock
from app.core.domain.answer import MarketAnswer, MarketExtra, ProbeResult, ProbeStatus, SignalAnswer
from app.core.domain.engine_config import EngineConfig
from app.core.domain.market import MarketReading
from app.core.domain.signal import Mode, Signal
from app.core.domain.symbol import Symbol, resolve_symbol
from app.core.errors import ProviderError, ProviderNotConfigured, ProviderPlanLimited
from app.core.ports import Fetched, Probe, Provider
from app.core.signal_engine import evaluate
from app.services.context_service import ContextService

# Called with every computed signal: telemetry now, the store later.
OnSignal = Callable[[Signal], None]


class SignalService:
    """Answers about one coin at a time."""

    def __init__(
        self,
        *,
        contexts: ContextService,
        providers: Sequence[Provider],
        engine: EngineConfig,
        clock: Clock,
        deadline_s: float,
        on_signal: OnSignal,
    ) -> None:
        self._contexts = contexts
        self._providers = providers
        self._engine = engine
        self._clock = clock
        self._deadline_s = deadline_s
        self._on_signal = on_signal

    def resolve(self, text: str) -> Symbol:
        """Any usual spelling to a known coin.

        Raises:
            InvalidParameter: not a symbol.
            UnknownSymbol: in no provider's list; names near matches.
        """
        known: frozenset[str] = frozenset().union(*(p.known_bases() for p in self._providers))
        return resolve_symbol(text, known)

    async def signal(self, text: str, mode: Mode) -> SignalAnswer:
        """Gather, score and explain.

        Raises:
            InvalidParameter, UnknownSymbol: see `resolve`.
            NoPriceAvailable: no provider has a usable price.
        """
        started_s = self._clock.monotonic_s()
        context = await self._contexts.gather(self.resolve(text))
        signal = evaluate(context, self._engine, mode)
        self._on_signal(signal)
        return SignalAnswer(signal, context, (self._clock.monotonic_s() - started_s) * 1000)

    async def market(self, text: str) -> MarketAnswer:
        """Raw readings of all providers: the engine's inputs and what else they know."""
        symbol = self.resolve(text)
        context, groups = await asyncio.gather(
            self._contexts.gather(symbol),
            asyncio.gather(*(self._extras(provider, symbol) for provider in self._providers)),
        )
        return MarketAnswer(symbol, context, tuple(extra for group in groups for extra in group))

    async def _extras(self, provider: Provider, symbol: Symbol) -> tuple[MarketExtra, ...]:
        try:
            async with asyncio.timeout(self._deadline_s):
                groups = await provider.market(symbol)
        except TimeoutError:
            return (_failed_group(provider.name, "market", "timeout", f"no answer in {self._deadline_s} s"),)
        except ProviderNotConfigured:
            return ()
        except ProviderError as error:
            return (_failed_group(provider.name, error.endpoint, error.code, error.detail),)
        return tuple(_extra(provider.name, name, found) for name, found in groups.items())

    async def probe_premium(self, text: str) -> tuple[ProbeResult, ...]:
        """Every premium capability of every provider, tried at once, each failing alone."""
        symbol = self.resolve(text)
        probes = [probe for provider in self._providers for probe in provider.probes()]
        return tuple(await asyncio.gather(*(self._probe(probe, symbol) for probe in probes)))

    async def _probe(self, probe: Probe, symbol: Symbol) -> ProbeResult:
        started_s = self._clock.monotonic_s()

        def result(status: ProbeStatus, error: str | None) -> ProbeResult:
            latency_ms = (self._clock.monotonic_s() - started_s) * 1000
            return ProbeResult(
                probe.name, probe.provider, probe.endpoint, status, latency_ms, error, (), None
            )

        try:
            async with asyncio.timeout(self._deadline_s):
                fetched = await probe.fetch(symbol)
        except TimeoutError:
            return result(ProbeStatus.FAILED, f"timeout: no answer in {self._deadline_s} s")
        except ProviderError as error:
            return result(_PROBE_STATES.get(type(error), ProbeStatus.FAILED), f"{error.code}: {error.detail}")
        latency_ms = (self._clock.monotonic_s() - started_s) * 1000
        return ProbeResult(
            probe.name,
            probe.provider,
            probe.endpoint,
            ProbeStatus.OK,
            latency_ms,
            None,
            fetched.value,
            fetched.ts_event_ms,
        )


_PROBE_STATES: Mapping[type[ProviderError], ProbeStatus] = {
    ProviderPlanLimited: ProbeStatus.NOT_IN_PLAN,
    ProviderNotConfigured: ProbeStatus.NOT_CONFIGURED,
}


def _failed_group(provider: str, group: str, code: str, detail: str) -> MarketExtra:
    return MarketExtra(provider, group, (), None, None, code, detail)


def _extra(
    provider: str, group: str, found: Fetched[tuple[MarketReading, ...]] | ProviderError
) -> MarketExtra:
    if isinstance(found, ProviderError):
        return _failed_group(provider, group, found.code, found.detail)
    return MarketExtra(provider, group, found.value, found.ts_event_ms, found.ts_init_ms, None, "")
