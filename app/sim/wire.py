"""What every provider server shares: the call, the reply, the endpoint table and fast JSON rows.

Owns no provider knowledge. Row answers are built with one `%` format over flat columns, because 1000-row
histories are the hot path of the simulator.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Protocol

import numpy as np

from app.sim.market import MarketSource

JSON_TYPE = "application/json"
BAD_KEY = "bad-key"  # any other non-empty key is accepted


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer; headers in addition to content type and length."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = JSON_TYPE


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a provider sees it.

    path: below the provider prefix; args: path parameters; headers: lower-case names.
    market, now_ms: the market this call sees (an earlier moment while a freeze fault holds).
    is_invented: figures that no market source holds (whales, estimated levels, social volume) may be made
    up; False on recorded data, where they answer "no data".
    """

    method: str
    path: str
    args: Mapping[str, str]
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    client: str
    market: MarketSource
    now_ms: int
    plan: str
    is_invented: bool


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of a provider's table.

    id: as in the provider contracts; path may hold `{name}` segments.
    cache_ms: market time for which one answer is repeated (the provider's own refresh period).
    required: parameters whose absence is refused before the handler runs.
    wait: held before the answer is made (long polls).
    has_effect: the call changes something; a fault that refuses it leaves everything as it was, one that
    loses the answer does not.
    """

    id: str
    path: str
    handler: Callable[[Call], Reply]
    required: tuple[str, ...] = ()
    cache_ms: int = 1000
    wait: Callable[[Call], Awaitable[None]] | None = None
    has_effect: bool = False


class ProviderServer(Protocol):
    """One provider below its prefix: refuse or answer, always as the real one would."""

    @property
    def name(self) -> str: ...

    @property
    def endpoints(self) -> Sequence[Endpoint]: ...

    def admit(self, call: Call, endpoint: Endpoint) -> Reply | None:
        """The refusal (method, key, quota, plan, parameters), or None when the call may pass."""
        ...

    def headers(self, call: Call) -> tuple[tuple[str, str], ...]:
        """Headers of every answer to an admitted call, such as the quota left."""
        ...

    def unknown(self, call: Call) -> Reply:
        """The answer to a path that does not exist."""
        ...

    def refuse(self, code: str, message: str) -> Reply:
        """A failure in the provider's own envelope (the `envelope` fault)."""
        ...


@dataclass(slots=True)
class Router:
    """Path to endpoint; exact paths first, then patterns segment by segment."""

    endpoints: Sequence[Endpoint]
    _exact: dict[str, Endpoint] = field(init=False)
    _patterns: list[tuple[list[str], Endpoint]] = field(init=False)

    def __post_init__(self) -> None:
        self._exact = {e.path: e for e in self.endpoints if "{" not in e.path}
        self._patterns = [(e.path.split("/"), e) for e in self.endpoints if "{" in e.path]

    def match(self, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        found = self._exact.get(path)
        if found is not None:
            return found, {}
        parts = path.split("/")
        for pattern, endpoint in self._patterns:
            args = _match_segments(pattern, parts)
            if args is not None:
                return endpoint, args
        return None


def _match_segments(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(parts):
        return None
    args: dict[str, str] = {}
    for want, have in zip(pattern, parts, strict=True):
        head, brace, name = want.partition("{")
        if not brace:
            if want != have:
                return None
        elif not have.startswith(head) or len(have) == len(head):
            return None
        else:
            args[name.rstrip("}")] = have[len(head) :]
    return args


def dumps(value: object) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


def json_reply(value: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return Reply(status, dumps(value), headers)


def format_rows(template: str, *columns: Any) -> bytes:
    """A JSON list with one `template` (old-style format) per row; columns of equal length."""
    lists = [c.tolist() if isinstance(c, np.ndarray) else list(c) for c in columns]
    count = len(lists[0])
    if count == 0:
        return b"[]"
    flat = tuple(chain.from_iterable(zip(*lists, strict=True)))
    return ("[" + ",".join([template] * count) % flat + "]").encode()


def decimals_of(step: float) -> int:
    """Decimal places of a price step. Worked: 0.1 -> 1; 1e-8 -> 8; 5 -> 0."""
    return max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 8


def plain(value: float, places: int = 10) -> str:
    """A number as text without exponent and trailing zeros. Worked: 0.50 -> "0.5"; 1e-8 -> "0.00000001"."""
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def hashed_unit(*parts: object) -> float:
    """A repeatable number in [0, 1) from anything printable: made-up figures that do not jump about."""
    return zlib.crc32("|".join(map(str, parts)).encode()) / 2**32
