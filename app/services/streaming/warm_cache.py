"""Rolling aggregates of this process in its own memory: the warm cache of one process, and what is left of it
while Redis is out.

Owns nothing but bounded dictionaries. Written by the pipeline and the poller, read by `stream_source`, the
flow use case and the bot.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from app.core.domain.flow import FlowSnapshot
from app.core.domain.market import DAY_MS

MAX_SYMBOLS = 5_000
MAX_TEXTS = 256
MAX_TEXT_CHARS = 2_000_000


class MemoryWarmCache:
    """`core.stream_ports.WarmCache` of one process. The coin published longest ago falls out first.

    What was published more than a day ago is not told any more; how old the rest is, each value says itself.
    """

    def __init__(
        self,
        *,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        max_symbols: int = MAX_SYMBOLS,
    ) -> None:
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._max_symbols = max_symbols
        self._snapshots: OrderedDict[str, FlowSnapshot] = OrderedDict()
        self._texts: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self.evicted = 0
        self.refused_texts = 0

    async def publish(self, snapshots: Sequence[FlowSnapshot]) -> None:
        for snapshot in snapshots:
            known = self._snapshots.get(snapshot.symbol)
            if known is not None and known.as_of_ms > snapshot.as_of_ms:
                continue  # of two writers the later word holds
            self._snapshots[snapshot.symbol] = snapshot
            self._snapshots.move_to_end(snapshot.symbol)
        while len(self._snapshots) > self._max_symbols:
            self._snapshots.popitem(last=False)
            self.evicted += 1

    async def read(self, symbol: str) -> FlowSnapshot | None:
        found = self._snapshots.get(symbol)
        return found if found is not None and self._is_of_today(found) else None

    async def read_all(self) -> Sequence[FlowSnapshot]:
        """By symbol."""
        found = (one for one in self._snapshots.values() if self._is_of_today(one))
        return sorted(found, key=lambda one: one.symbol)

    async def put_text(self, key: str, value: str, *, keep_s: float) -> None:
        if len(value) > MAX_TEXT_CHARS:
            self.refused_texts += 1
            return
        self._texts[key] = (self._monotonic() + keep_s, value)
        self._texts.move_to_end(key)
        while len(self._texts) > MAX_TEXTS:
            self._texts.popitem(last=False)

    async def get_text(self, key: str) -> str | None:
        until_s, value = self._texts.get(key, (float("-inf"), ""))
        return value if self._monotonic() < until_s else None

    def _is_of_today(self, snapshot: FlowSnapshot) -> bool:
        return self._now_ms() - snapshot.as_of_ms <= DAY_MS
