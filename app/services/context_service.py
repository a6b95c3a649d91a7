"""Gathers everything known about one coin into an `EnhancedSignalContext`, at once and under one deadline.

One task per capability, each walking its sources in the configured order. This is the one place where a
provider failure becomes `Missing(reason)`; nothing above it sees a provider exception. It does not score.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from app.core.clock import Clock
from app.core.domain.context import Capability, DataMode, EnhancedSignalContext
from app.core.domain.market import Price, PriceKind
from app.core.domain.quality import Attempt, Missing, MissingReason, Reading
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderError
from app.core.ports import Askable, Fetched, Source

_log = logging.getLogger(__name__)
T = TypeVar("T")

# Decides whether a fetched value is young enough to stop looking: (capability, fetched, now_ms) -> bool.
IsFresh = Callable[[Capability, Fetched[object], int], bool]


@dataclass(frozen=True, slots=True)
class SourceOrder:
    """Who is asked for what, in which order, and which of them can be asked at all."""

    order: Mapping[Capability, tuple[str, ...]]
    available: Mapping[tuple[Capability, str], Source]

    @classmethod
    def build(cls, order: Mapping[Capability, tuple[str, ...]], sources: Sequence[Source]) -> SourceOrder:
        """Index `sources` by capability and provider; providers named in `order` without one are unset."""
        return cls(order, {(source.capability, source.provider): source for source in sources})


class ContextService:
    """Builds contexts. Holds no state of its own: caches and breakers live in the adapters."""

    def __init__(
        self,
        *,
        sources: SourceOrder,
        clock: Clock,
        data_mode: DataMode,
        deadline_s: float,
        is_fresh: IsFresh,
    ) -> None:
        self._sources = sources
        self._clock = clock
        self._data_mode = data_mode
        self._deadline_s = deadline_s
        self._is_fresh = is_fresh

    async def gather(self, symbol: Symbol) -> EnhancedSignalContext:
        """Everything about `symbol`, complete within the deadline; what failed is `Missing`.

        Never raises a provider error. Total time is bounded by the deadline: a capability with k sources
        gives each an equal share of what is left, so a hanging first choice still leaves time to fall back.
        """
        deadline_at_s = self._clock.monotonic_s() + self._deadline_s
        # A replay may run an hour in a minute: there, what waiting adds must not make the inputs look old.
        as_of_ms = self._clock.now_ms()
        capabilities = tuple(Capability)
        answers = await asyncio.gather(
            *(self._obtain(capability, symbol, deadline_at_s) for capability in capabilities)
        )
        by_name: dict[str, Any] = {
            capability.value: answer for capability, answer in zip(capabilities, answers, strict=True)
        }
        by_name["open_interest_usd"] = await self._beside_liquidations(
            by_name["liquidations"], by_name["open_interest_usd"], symbol, deadline_at_s
        )
        if self._data_mode is DataMode.REPLAY:
            by_name["price"] = _as_last_close(by_name["price"])
        else:
            as_of_ms = self._clock.now_ms()
        return EnhancedSignalContext(symbol=symbol, as_of_ms=as_of_ms, data_mode=self._data_mode, **by_name)

    async def price(self, symbol: Symbol, deadline_s: float) -> Reading[object] | Missing:
        """The price alone."""
        return await self._obtain(Capability.PRICE, symbol, self._clock.monotonic_s() + deadline_s)

    async def _beside_liquidations(
        self,
        liquidations: Reading[object] | Missing,
        interest: Reading[object] | Missing,
        symbol: Symbol,
        deadline_at_s: float,
    ) -> Reading[object] | Missing:
        """Open interest of the provider that the liquidations came from.

        The factor divides one by the other: after a fallback of only one of them it would hold one exchange's
        forced orders against the whole market's positions. Rare, so it costs a second call only then.
        """
        if isinstance(liquidations, Missing) or isinstance(interest, Missing):
            return interest
        source = self._sources.available.get((Capability.OPEN_INTEREST_USD, liquidations.provider))
        if source is None or liquidations.provider == interest.provider:
            return interest
        fetched, attempt = await ask(source, symbol, deadline_at_s - self._clock.monotonic_s(), self._clock)
        if fetched is None:
            return interest
        return _reading(fetched, source.provider, [*interest.attempts, attempt])

    async def _obtain(
        self, capability: Capability, symbol: Symbol, deadline_at_s: float
    ) -> Reading[object] | Missing:
        """Ask the sources of one capability in order until one is fresh; keep the best stale one."""
        names = self._sources.order.get(capability, ())
        attempts: list[Attempt] = []
        best_stale: Fetched[object] | None = None
        stale_provider = ""
        left = sum((capability, name) in self._sources.available for name in names)
        for name in names:
            source = self._sources.available.get((capability, name))
            if source is None:
                attempts.append(Attempt(name, "", MissingReason.NOT_CONFIGURED, 0.0, None, "no key set"))
                continue
            # Only sources that can be asked share the time.
            share_s = (deadline_at_s - self._clock.monotonic_s()) / left
            left -= 1
            fetched, attempt = await ask(source, symbol, share_s, self._clock)
            attempts.append(attempt)
            if fetched is None:
                continue
            if self._is_fresh(capability, fetched, self._clock.now_ms()):
                return _reading(fetched, name, attempts)
            if best_stale is None or fetched.ts_event_ms > best_stale.ts_event_ms:
                best_stale, stale_provider = fetched, name
        if best_stale is not None:
            # Too old for every source: handed on as it is; the engine flags it stale and does not count it.
            return _reading(best_stale, stale_provider, attempts)
        return _missing(attempts)


async def ask(
    source: Askable[T], symbol: Symbol, share_s: float, clock: Clock
) -> tuple[Fetched[T] | None, Attempt]:
    """One source, one attempt, one share of the deadline; every failure becomes an `Attempt`.

    The named boundary: a bug in one adapter costs one input, never the answer, and is logged loudly.
    """
    started_s = clock.monotonic_s()

    def attempt(outcome: str, detail: str = "", fetched: Fetched[T] | None = None) -> Attempt:
        latency_ms = (clock.monotonic_s() - started_s) * 1000
        cache = fetched.cache if fetched else None
        return Attempt(source.provider, source.endpoint, outcome, latency_ms, cache, detail)

    try:
        async with asyncio.timeout(max(share_s, 0.0)):
            fetched = await source.fetch(symbol)
    except ProviderError as error:
        return None, attempt(error.code, error.detail)
    except TimeoutError:
        within = f"within {share_s:.1f} s" if share_s > 0.0 else "at once, and no time was left to wait"
        return None, attempt(MissingReason.TIMEOUT, f"no answer {within}")
    except Exception:  # noqa: BLE001 - named boundary
        _log.exception("adapter failed", extra={"provider": source.provider, "endpoint": source.endpoint})
        return None, attempt(MissingReason.BAD_PAYLOAD, "internal error in the adapter")
    return fetched, attempt("ok", "", fetched)


def _reading(fetched: Fetched[object], provider: str, attempts: Sequence[Attempt]) -> Reading[object]:
    return Reading(
        value=fetched.value,
        provider=provider,
        endpoint=fetched.endpoint,
        ts_event_ms=fetched.ts_event_ms,
        ts_init_ms=fetched.ts_init_ms,
        cache=fetched.cache,
        attempts=tuple(attempts),
    )


def _as_last_close(price: Reading[Price] | Missing) -> Reading[Price] | Missing:
    """Recorded markets know closes, not trades: what their tickers call "last" is the last closed close."""
    if isinstance(price, Missing):
        return price
    return replace(price, value=replace(price.value, kind=PriceKind.LAST_CLOSE))


def _missing(attempts: Sequence[Attempt]) -> Missing:
    """The reason a trader should act on: a fault of a configured source before "no key set"."""
    if not attempts:
        return Missing(MissingReason.NOT_CONFIGURED, "no source is configured for this input")
    faults = [a for a in attempts if a.outcome != MissingReason.NOT_CONFIGURED]
    told = (faults or list(attempts))[-1]
    detail = "; ".join(dict.fromkeys(f"{a.provider}: {a.detail or a.outcome}" for a in attempts))
    return Missing(MissingReason(told.outcome), detail, tuple(attempts))
