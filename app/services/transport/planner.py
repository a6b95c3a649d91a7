"""The one owner of a key's call budget: asks ahead of the questions, as fresh as the plan allows.

Remembers what was asked for and how often, and spends the background share of the quota on the resource where
a call gains most (`polling`). Lists that answer for every coin win by themselves, since all their questions
add up. What nobody asks for is forgotten. Each process runs one; bodies and budget are shared over Redis, so
none asks what another just did. Started and stopped by the provider.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.core.errors import ProviderError
from app.services.transport.limits import background_calls
from app.services.transport.polling import Demand, ideal_periods_s, mean_age_s, urgency
from app.services.transport.resource import Resource

_log = logging.getLogger(__name__)

MAX_RESOURCES = 2_000
# A question of an hour ago weighs 1/64: below this nobody is thought to wait any more.
FORGOTTEN = 0.02
# Weight of a coin on the watchlist, as if somebody had asked a moment ago.
WATCHED = 1.0
MAX_AT_ONCE = 8
_LOOK_S = 0.25
_BACKOFF_S = 5.0
_MAX_BACKOFF_S = 600.0
# How many looks the running figure of efficiency remembers: five minutes of them.
_SAMPLES = 300
_SAMPLE_S = 1.0
# Before this many looks the figure says how young the process is, not how well the budget is spent.
_MIN_SAMPLES = 120


class Budget(Protocol):
    """The part of the quota the planner reads."""

    def limit(self) -> int | None: ...
    def background_left(self) -> int: ...


class Source(Protocol):
    """Where resources are fetched and how old the kept ones are."""

    async def renew(self, resource: Resource[Any], max_age_ms: int) -> Any: ...
    def key(self, resource: Resource[Any]) -> str: ...
    def age_ms(self, key: str) -> int | None: ...
    def fresh_for_ms(self, key: str) -> int: ...


@dataclass(slots=True)
class _Item:
    """One resource the planner knows."""

    resource: Resource[Any]
    min_period_s: float
    # A history of closed bars is due when the next bar is, a list when it is worth it.
    has_bars: bool
    since_s: float
    demand: Demand = field(default_factory=Demand)
    is_watched: bool = False
    failures: int = 0
    not_before_s: float = 0.0
    is_running: bool = False
    outcome: str = "waiting"

    def weight(self, now_s: float) -> float:
        return self.demand.read(now_s) + (WATCHED if self.is_watched else 0.0)


@dataclass(frozen=True, slots=True)
class PlannedResource:
    """One row of the plan. age_s: of the kept value, None without one. period_s: aimed at, None for bars.

    due_s: seconds until it may be asked again. params hold no secret: keys travel in headers.
    """

    endpoint: str
    params: str
    demand: float
    is_watched: bool
    age_s: float | None
    min_period_s: float
    period_s: float | None
    due_s: float
    outcome: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What the planner does. efficiency: ideal over achieved mean age of the last minutes, None before."""

    calls_per_minute: float
    efficiency: float | None
    next_poll_s: float | None
    resources: tuple[PlannedResource, ...]


class BudgetPlanner:
    """`asked` is called with every question, `watch` with what should always be warm."""

    def __init__(
        self,
        source: Source,
        budget: Budget,
        *,
        min_period_s: Callable[[str], float],
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._source = source
        self._budget = budget
        self._min_period_s = min_period_s
        self._monotonic = monotonic
        self._sleep = sleep
        self._items: dict[str, _Item] = {}
        self._polls: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None
        self._next_turn_s = 0.0
        self._samples: deque[tuple[float, float]] = deque(maxlen=_SAMPLES)
        self._sampled_s = float("-inf")

    def asked(self, resource: Resource[Any], key: str) -> None:
        """Somebody wants this resource now."""
        self._item(resource, key).demand.add(1.0, self._monotonic())

    def watch(self, resources: list[Resource[Any]]) -> None:
        """Keep exactly these warm whether anybody asks or not."""
        keys = {self._source.key(resource): resource for resource in resources}
        for key, item in self._items.items():
            item.is_watched = key in keys
        for key, resource in keys.items():
            self._item(resource, key).is_watched = True

    def start(self) -> None:
        """Run until `close`."""
        if self._loop is None:
            self._loop = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop asking; calls under way are cancelled."""
        running = [*self._polls, *([self._loop] if self._loop else [])]
        self._loop = None
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def plan(self) -> Plan:
        """What is kept fresh, how old it is and when it is asked for next; most wanted first."""
        now_s = self._monotonic()
        lists = [item for item in self._items.values() if not item.has_bars]
        periods = self._periods(lists, now_s)
        by_item = {id(item): period for item, period in zip(lists, periods, strict=True)}
        rows = [self._row(key, item, by_item.get(id(item)), now_s) for key, item in self._items.items()]
        rows.sort(key=lambda row: -row.demand)
        due = [row.due_s for row in rows]
        return Plan(
            calls_per_minute=60 * self._calls_per_s(),
            efficiency=self._efficiency(),
            next_poll_s=max(min(due), self._next_turn_s - now_s, 0.0) if due else None,
            resources=tuple(rows),
        )

    def _row(self, key: str, item: _Item, period_s: float | None, now_s: float) -> PlannedResource:
        age_ms = self._source.age_ms(key)
        params = "&".join(f"{name}={value}" for name, value in sorted(item.resource.params.items()))
        return PlannedResource(
            endpoint=item.resource.endpoint,
            params=params,
            demand=item.weight(now_s),
            is_watched=item.is_watched,
            age_s=None if age_ms is None else age_ms / 1000,
            min_period_s=item.min_period_s,
            period_s=period_s,
            due_s=max(0.0, -self._age_s(key, item), item.not_before_s - now_s),
            outcome=item.outcome,
        )

    async def _run(self) -> None:
        while True:
            wait_s = self._next_turn_s - self._monotonic() if self._turn() else _LOOK_S
            await self._sleep(min(max(wait_s, 0.0), _LOOK_S))

    def _turn(self) -> bool:
        """Ask for at most one resource, evenly over the minute; False when there was nothing to do."""
        now_s = self._monotonic()
        self._sample(now_s)
        rate = self._calls_per_s()
        if now_s < self._next_turn_s:
            return True
        if rate <= 0 or len(self._polls) >= MAX_AT_ONCE or self._budget.background_left() <= 0:
            return False
        best = self._best(now_s)
        if best is None:
            return False
        # Evenly, with a little patience for turns that came late.
        self._next_turn_s = max(self._next_turn_s + 1 / rate, now_s - 1 / rate)
        key, item = best
        item.is_running = True
        task = asyncio.create_task(self._poll(key, item))
        self._polls.add(task)
        task.add_done_callback(self._landed)
        return True

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._polls.discard(task)
        if not task.cancelled() and (bug := task.exception()) is not None:
            # A bug in one parser costs that resource's turn, never the loop; loudly.
            _log.error("asking ahead failed with a bug", exc_info=bug)

    def _best(self, now_s: float) -> tuple[str, _Item] | None:
        best: tuple[str, _Item] | None = None
        most, gone = 0.0, []
        for key, item in self._items.items():
            weight = item.weight(now_s)
            if weight < FORGOTTEN:
                gone.append(key)
                continue
            if item.is_running or now_s < item.not_before_s:
                continue
            gain = urgency(weight, max(0.0, self._age_s(key, item)) + 1e-3)
            if self._age_s(key, item) >= 0 and gain > most:
                best, most = (key, item), gain
        for key in gone:
            if not self._items[key].is_running:
                del self._items[key]
        return best

    def _age_s(self, key: str, item: _Item) -> float:
        """Seconds that count: of a list since it was fetched, once the provider may have renewed it; of bars
        since the next one is due. Below 0 while there is nothing to gain."""
        age_ms = self._source.age_ms(key)
        if age_ms is None:
            return _MAX_BACKOFF_S  # never fetched: as urgent as can be
        if item.has_bars:
            return -self._source.fresh_for_ms(key) / 1000
        age_s = age_ms / 1000
        return age_s if age_s >= item.min_period_s else age_s - item.min_period_s

    async def _poll(self, key: str, item: _Item) -> None:
        try:
            # Another process that asked half a period ago has done this for us.
            age_ms = self._source.age_ms(key) or 0
            await self._source.renew(item.resource, max(1, age_ms // 2))
        except ProviderError as error:
            self._failed(item, error)
        else:
            item.failures, item.outcome = 0, "ok"
        finally:
            item.is_running = False

    def _failed(self, item: _Item, error: ProviderError) -> None:
        """Leave it alone for as long as the provider says, or twice as long each time."""
        item.failures += 1
        item.outcome = error.code
        wait_s = error.retry_after_s
        if wait_s is None:
            wait_s = _MAX_BACKOFF_S if error.code in _FINAL else _BACKOFF_S * 2 ** min(item.failures - 1, 7)
        item.not_before_s = self._monotonic() + min(max(wait_s, 1.0), _MAX_BACKOFF_S)

    def _item(self, resource: Resource[Any], key: str) -> _Item:
        item = self._items.get(key)
        if item is None:
            if len(self._items) >= MAX_RESOURCES:
                self._drop_least(self._monotonic())
            has_bars = "interval" in resource.params
            item = _Item(resource, self._min_period_s(resource.endpoint), has_bars, self._monotonic())
            self._items[key] = item
        return item

    def _drop_least(self, now_s: float) -> None:
        del self._items[min(self._items, key=lambda key: self._items[key].weight(now_s))]

    def _calls_per_s(self) -> float:
        limit = self._budget.limit()
        return 0.0 if limit is None else background_calls(limit) / 60

    def _periods(self, lists: list[_Item], now_s: float) -> list[float]:
        weights = [item.weight(now_s) for item in lists]
        minimum = [max(item.min_period_s, 1.0) for item in lists]
        return ideal_periods_s(weights, minimum, self._calls_per_s())

    def _sample(self, now_s: float) -> None:
        """Note what mean age the lists have, and what it would be at best."""
        if now_s - self._sampled_s < _SAMPLE_S:
            return
        self._sampled_s = now_s
        kept = [(key, item) for key, item in self._items.items() if not item.has_bars]
        ages = [self._source.age_ms(key) for key, _ in kept]
        aimed = self._periods([item for _, item in kept], now_s)
        known = [
            (item, age / 1000)
            for (_, item), age, period_s in zip(kept, ages, aimed, strict=True)
            # Everything is young in its first period: not a sample of its age.
            if age is not None and now_s - item.since_s > 2 * max(item.min_period_s, period_s)
        ]
        weights = [item.weight(now_s) for item, _ in known]
        achieved = mean_age_s(weights, [age for _, age in known])
        periods = self._periods([item for item, _ in known], now_s)
        ideal = mean_age_s(weights, [period / 2 for period in periods])
        if achieved is not None and ideal is not None and ideal < float("inf"):
            self._samples.append((ideal, achieved))

    def _efficiency(self) -> float | None:
        """At most 1: calls of questions renew values beyond the share this plans with."""
        achieved = sum(sample[1] for sample in self._samples)
        if len(self._samples) < _MIN_SAMPLES:
            return None
        ideal = sum(sample[0] for sample in self._samples)
        return min(1.0, ideal / achieved) if achieved > 0 else None


# These do not pass by themselves: asking again soon would only repeat them.
_FINAL = frozenset({"not_in_plan", "auth_failed", "no_data", "bad_payload"})
