"""The CoinGlass catalogue at work: every endpoint described, checked, called and cut to size.

Implements `core.ports.EndpointCatalog`. Parameters are checked by `validate`, answers spelt by `normalise`.
Answers are kept in a small cache of their own: they are large and rarely the same. Built by `build`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.core.domain.catalog import CatalogAnswer, EndpointInfo, EndpointParameter
from app.core.domain.market import DAY_MS
from app.core.domain.quality import CacheState
from app.core.errors import (
    PlanTooLow,
    ProviderNotConfigured,
    ProviderPlanLimited,
    UnknownEndpoint,
)
from app.services.coinglass.access import Access
from app.services.coinglass.catalog import (
    ENDPOINTS,
    Endpoint,
    Parameter,
    Plan,
    PlanRule,
    cheapest_plan,
    min_period_s,
)
from app.services.coinglass.client import CoinGlassClient
from app.services.coinglass.normalise import normalise, plain, read_data
from app.services.coinglass.paging import page
from app.services.coinglass.parse import PROVIDER
from app.services.coinglass.spelling import Held
from app.services.coinglass.validate import example, must_be_sent, validate
from app.services.transport.cache import Freshness

# Daily figures come at no stated minute: looking every ten minutes is soon enough.
_LONGEST_S = 600.0


@dataclass(frozen=True, slots=True)
class _Read:
    """One answer as it was sent, its texts plain, and in our spelling."""

    raw: Any
    normal: Any


class Explorer:
    """`client` and `access` are None without a key: then endpoints are described and calls refused."""

    def __init__(
        self, client: CoinGlassClient | None, access: Access | None, held: Callable[[], Held] = Held
    ) -> None:
        """held: names of exchanges and coins this service knows by now, for the checks."""
        self._client = client
        self._access = access
        self._held = held

    def endpoints(self) -> tuple[EndpointInfo, ...]:
        """All endpoints in the order of the catalogue."""
        refused = frozenset(self._access.not_in_plan()) if self._access is not None else frozenset()
        return tuple(self._info(endpoint, refused) for endpoint in ENDPOINTS.values())

    async def call(
        self, endpoint: str, params: Mapping[str, str], *, is_raw: bool, cursor: str
    ) -> CatalogAnswer:
        """Check, ask (or answer from the cache), spell and cut.

        Raises:
            UnknownEndpoint, InvalidParameter, PlanTooLow: without a call.
            ProviderError: not configured, or what the provider did.
        """
        row = ENDPOINTS.get(endpoint)
        if row is None:
            raise UnknownEndpoint(endpoint, tuple(difflib.get_close_matches(endpoint, ENDPOINTS, n=5)))
        plan = self._access.plan if self._access is not None else None
        sent = validate(row, params, plan, self._held())
        if self._client is None:
            needed = _needed(row)
            where = f"; this is in the plan {needed} and above" if needed else ""
            raise ProviderNotConfigured(PROVIDER, endpoint, f"no key set{where}")
        try:
            cached = await self._client.fetch(
                endpoint,
                sent,
                parse=partial(_read, row, str(sent.get("unit", "usd"))),
                freshness=_freshness(row),
            )
        except ProviderPlanLimited as error:
            raise PlanTooLow(endpoint, str(plan or "not known"), _needed(row)) from error
        whole = cached.value.raw if is_raw else cached.value.normal
        shown = page(whole, cached.value.normal, cursor)
        return CatalogAnswer(
            endpoint=endpoint,
            provider=PROVIDER,
            plan=None if plan is None else plan.value,
            ts_init_ms=cached.fetched_ms,
            cache=CacheState(cached.state),
            is_raw=is_raw,
            data=shown.data,
            rows=shown.rows,
            next_cursor=shown.following,
            newest_ms=shown.newest_ms,
        )

    def _info(self, row: Endpoint, refused: frozenset[str]) -> EndpointInfo:
        why = None
        if self._client is None:
            why = "not_configured"
        elif row.id in refused:
            why = "not_in_plan"
        return EndpointInfo(
            id=row.id,
            group=row.group,
            about=row.about,
            parameters=tuple(
                EndpointParameter(
                    p.name, p.type, must_be_sent(p), p.form, p.enum, p.max, p.default, _hint(row, p)
                )
                for p in row.params
            ),
            plans={plan.value: plan_words(rule) for plan, rule in row.plans.items() if plan in _NAMED},
            cheapest_plan=_needed(row),
            update_s=row.update_s,
            units=units_of(row.answer),
            is_available=why is None,
            why_not=why,
        )


_NAMED = (Plan.HOBBYIST, Plan.STARTUP, Plan.STANDARD, Plan.PROFESSIONAL)


def plan_words(rule: PlanRule) -> str:
    """A plan's rule in words: yes, no, from 4h, not stated."""
    if isinstance(rule, str):
        return f"from {rule.removeprefix('>=')}"
    return {True: "yes", False: "no", None: "not stated"}[rule]


def units_of(shape: Any) -> tuple[str, ...]:
    """The kinds of figures in a shape, sorted; words left out."""
    words = ("text", "symbol", "exchange", "id", "flag", "object", "time")
    return tuple(sorted({kind for kind in _kinds(shape) if kind not in words}))


def _hint(row: Endpoint, parameter: Parameter) -> str:
    if parameter.name == "unit" and not parameter.enum:
        return "unit=USD, or the coin of symbol: unit=BTC"
    return example(row, parameter)


def _kinds(shape: Any) -> Iterator[str]:
    if isinstance(shape, str):
        yield shape.rstrip("#?")
    elif isinstance(shape, list):
        yield from _kinds(shape[0])
    elif "@row" in shape:
        for _, kind in shape["@row"]:
            yield from _kinds(kind)
    else:
        for child in shape.values():
            yield from _kinds(child)


def _needed(row: Endpoint) -> str | None:
    plan = cheapest_plan(row.id)
    return None if plan is None else plan.value


def _read(row: Endpoint, unit: str, body: bytes) -> _Read:
    data = read_data(body, row.id)
    normal = normalise(
        data, row.answer, endpoint=row.id, unit=unit
    )  # first: refuses what is nested too deeply
    return _Read(plain(data), normal)


def _freshness(row: Endpoint) -> Callable[[object, int], Freshness]:
    """As long as the provider takes to renew it, between 5 s and 10 min; an old one longer on failure."""
    fresh_ms = int(min(min_period_s(row.id), _LONGEST_S) * 1000)
    kept = Freshness(fresh_ms, 0, min(10 * fresh_ms, DAY_MS))
    return lambda _value, _fetched_ms: kept
