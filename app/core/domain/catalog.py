"""A provider's own endpoints as this service describes them, and what one of them answered.

Shapes only; built by the adapter that knows the catalogue, rendered by `app.api`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.core.domain.quality import CacheState


@dataclass(frozen=True, slots=True)
class EndpointParameter:
    """One parameter. form: `coin` (BTC) or `pair` (BTCUSDT) for symbols, else None. example: `symbol=BTC`."""

    name: str
    type: str
    is_required: bool
    form: str | None
    choices: tuple[str, ...]
    maximum: int | None
    default: str | None
    example: str


@dataclass(frozen=True, slots=True)
class EndpointInfo:
    """One endpoint of the catalogue.

    plans: plan -> `yes`, `no`, `from 4h`, `not stated`. update_s: how often the provider renews it, 0 for
    "real time", None when it does not say. units: kinds of figures it answers. is_available: whether this
    service's key may ask for it now; why_not says why it may not.
    """

    id: str
    group: str
    about: str
    parameters: tuple[EndpointParameter, ...]
    plans: Mapping[str, str]
    cheapest_plan: str | None
    update_s: float | None
    units: tuple[str, ...]
    is_available: bool
    why_not: str | None


@dataclass(frozen=True, slots=True)
class CatalogAnswer:
    """What one endpoint answered: plain JSON values, cut to the size an answer may have.

    data: normalised (numbers as numbers, times ISO and ms, units in names), or as the provider sent it when
    `is_raw`. rows: length of the list that was cut, 0 for none. next_cursor: where the rest begins, older
    rows where they carry a time. newest_ms: the newest row's own time (of bars their open), None without.
    """

    endpoint: str
    provider: str
    plan: str | None
    ts_init_ms: int
    cache: CacheState
    is_raw: bool
    data: object
    rows: int
    next_cursor: str | None
    newest_ms: int | None
