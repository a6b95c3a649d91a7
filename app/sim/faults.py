"""Scripted faults: what goes wrong, for whom, how often. Says nothing about sockets (see fault_delivery).

Loaded from a JSON list (`--faults FILE`, `PUT /__sim__/faults`); read by the HTTP and WebSocket servers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

_WHOLE_KINDS = {"status", "truncate", "garbage", "html", "empty", "envelope", "nan", "body"}
_SOCKET_KINDS = {"hang", "drip", "stall", "drop", "endless", "gzip_bomb"}
HTTP_KINDS = frozenset(_WHOLE_KINDS | _SOCKET_KINDS)
STREAM_KINDS = frozenset(
    {"drop", "silence", "duplicates", "reorder", "garbage", "huge", "no_pong", "dialect", "skew", "replay"}
)
ALL_KINDS = HTTP_KINDS | STREAM_KINDS | {"latency", "freeze"}
_FIELDS = frozenset({"provider", "endpoint", "kind", "value", "count", "probability"})


@dataclass(slots=True)
class Fault:
    """One scripted fault.

    endpoint: glob on endpoint ids; streams are `ws` (coinglass), `ws_public` and `ws_business` (okx).
    value: depends on the kind. status: code or {"status","headers","body"}; latency: ms; drip: seconds per
    byte; hang: "before" where the call is to have no effect either; truncate, stall, drop: share of the body
    sent (0.5); garbage: bytes; gzip_bomb: MiB; nan: the text put for numbers; body: the body.
    On a stream: drop: {"after": frames, "code": close code}; silence: "data" leaves answers alone; huge: MiB
    of a frame before the real one; dialect: how frames are respelt, "envelope", "channel" or "rows"; skew: ms
    added to the times of events; replay: seconds of the past sent again when a connection is made.
    count: how many calls (frames on a stream) it hits, None = all. since_ms: market time when installed.
    """

    provider: str
    endpoint: str
    kind: str
    value: Any = None
    count: int | None = None
    probability: float = 1.0
    since_ms: int = 0

    def matches(self, provider: str, endpoint: str) -> bool:
        return (
            self.count != 0 and fnmatchcase(provider, self.provider) and fnmatchcase(endpoint, self.endpoint)
        )

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in sorted(_FIELDS)}


def parse_faults(items: object, now_ms: int) -> list[Fault]:
    """Read a JSON list of fault items.

    Raises:
        ValueError: not a list of objects, an unknown field or kind, a count or probability out of range.
    """
    if not isinstance(items, list):
        raise ValueError("faults: expected a JSON list")
    return [_parse_fault(item, now_ms) for item in items]


def _parse_fault(item: object, now_ms: int) -> Fault:
    if not isinstance(item, Mapping) or set(item) - _FIELDS:
        raise ValueError(f"fault: expected an object with only {sorted(_FIELDS)}, got {item!r}")
    kind, count = item.get("kind"), item.get("count")
    if kind not in ALL_KINDS:
        raise ValueError(f"fault kind: expected one of {sorted(ALL_KINDS)}, got {kind!r}")
    if count is not None and (not isinstance(count, int) or count < 0):
        raise ValueError(f"fault count: expected null or a number of calls, got {count!r}")
    probability = item.get("probability", 1.0)
    if not isinstance(probability, int | float) or not 0 <= probability <= 1:
        raise ValueError(f"fault probability: expected 0 to 1, got {probability!r}")
    return Fault(
        provider=str(item.get("provider", "*")),
        endpoint=str(item.get("endpoint", "*")),
        kind=str(kind),
        value=item.get("value"),
        count=count,
        probability=float(probability),
        since_ms=now_ms,
    )


class FaultPlan:
    """The faults in force; counts run down as they are taken."""

    def __init__(self, faults: Sequence[Fault], seed: int) -> None:
        self.faults = list(faults)
        self._random = random.Random(seed)

    def take(
        self,
        provider: str,
        endpoint: str,
        kinds: frozenset[str],
        is_due: Callable[[Fault], bool] = lambda fault: True,
    ) -> Fault | None:
        """The first fault of these kinds that hits this call and is due; uses up one of its count."""
        for fault in self.faults:
            if fault.kind not in kinds or not fault.matches(provider, endpoint) or not is_due(fault):
                continue
            if fault.probability < 1 and self._random.random() >= fault.probability:
                continue
            if fault.count is not None:
                fault.count -= 1
            return fault
        return None
