"""Call budget of one provider: never more than N calls in any window of W seconds, and a pause on demand.

Owns the counting in this process; `shared_limits.SharedQuota` counts in Redis for several processes.
`http.UpstreamClient` takes a slot per HTTP request. Time is process time.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from app.core.errors import ProviderRateLimited

# Windows end this much later than stated, so that clocks that tick differently cannot break the budget.
MARGIN_S = 0.05
# A larger "limit" in a header is a fault of the sender; no plan is anywhere near.
MAX_CALLS = 100_000
ALL = "all"
BACKGROUND = "background"
# Of a plan's calls this share is used at all, the rest is for clocks that disagree and for other programs;
# of these, this share is kept for questions that somebody is waiting for.
USABLE_SHARE = 0.9
RESERVED_SHARE = 0.1


def usable_calls(calls: int) -> int:
    """Where calls made ahead of questions stop, whoever made the others. Worked number: of 300, 270."""
    return math.floor(calls * USABLE_SHARE)


def background_calls(calls: int) -> int:
    """How many of a window's calls may be made ahead of any question. Worked number: of 300, 240."""
    return max(0, usable_calls(calls) - math.floor(calls * RESERVED_SHARE))


@dataclass(frozen=True, slots=True)
class EndpointLimit:
    """`calls` in any `window_s` seconds for some endpoints, besides the provider-wide limit.

    endpoints: our ids, empty means every endpoint. shared: all of them together; otherwise each one alone.
    """

    calls: int
    window_s: float
    endpoints: frozenset[str] = frozenset()
    shared: bool = False

    def covers(self, endpoint: str) -> bool:
        return not self.endpoints or endpoint in self.endpoints


@dataclass(frozen=True, slots=True)
class Slot:
    """The right to send one request; give it back with `Quota.release`. `token` names it in Redis."""

    windows: tuple[str, ...]
    token: str = ""


class Window:
    """One sliding window. A slot is busy from taking it until `window_s` after the answer.

    Counting from the answer, not from sending, keeps the promise as the provider sees it: a request sent at
    0 s and received at 1 s is still inside the provider's window at 60.5 s. Worked numbers: 2 calls per
    10 s, taken at 0 s and answered at 1 s -> the third may be sent at 11.05 s.
    """

    def __init__(self, calls: int | None, window_s: float) -> None:
        self.calls = calls
        self.window_s = window_s
        self.waiting = 0
        self._in_flight = 0
        self._free_at_s: deque[float] = deque()

    def used(self, now_s: float) -> int:
        """Slots that are busy at `now_s`."""
        while self._free_at_s and self._free_at_s[0] <= now_s:
            self._free_at_s.popleft()
        return self._in_flight + len(self._free_at_s)

    def wait_s(self, now_s: float, ahead: int = 0) -> float:
        """Earliest moment a slot can be free, seconds from now, with `ahead` callers before us; 0 = now."""
        if self.calls is None:
            return 0.0
        over = self.used(now_s) + ahead - self.calls
        if over < 0:
            return 0.0
        if over < len(self._free_at_s):
            return self._free_at_s[over] - now_s
        hold_s = self.window_s + MARGIN_S
        if over < len(self._free_at_s) + self._in_flight:
            return hold_s  # a request still under way frees its slot later than this
        # Those before us take every slot that frees first, and hold it for a window.
        return hold_s + (self._free_at_s[0] - now_s if self._free_at_s else hold_s)

    def take(self) -> None:
        self._in_flight += 1

    def give(self, now_s: float, *, sent: bool) -> None:
        """End a request; one that was never sent frees its slot at once."""
        self._in_flight -= 1
        if sent:
            self._free_at_s.append(now_s + self.window_s + MARGIN_S)

    def fill_to(self, used: int, now_s: float) -> None:
        """Others used the same key: count their calls as made now (when they were made is not known).

        Never more than the limit; nothing while there is none.
        """
        missing = min(used, self.calls or 0) - self.used(now_s)
        self._free_at_s.extend([now_s + self.window_s + MARGIN_S] * max(0, missing))


class Quota:
    """The budget of one provider in this process.

    calls, window_s: the provider-wide limit, the one usage headers speak of; None = not known (yet).
    classes: further limits on some endpoints; a call needs a free slot in every window that covers it.
    """

    def __init__(
        self,
        provider: str,
        *,
        calls: int | None = None,
        window_s: float = 60.0,
        classes: Sequence[EndpointLimit] = (),
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.provider = provider
        self._monotonic = monotonic
        self._sleep = sleep
        self._classes = tuple(classes)
        self._all = Window(calls, window_s)
        self._ahead = Window(None if calls is None else background_calls(calls), window_s)
        self._windows: dict[str, Window] = {ALL: self._all, BACKGROUND: self._ahead}
        self._paused_until_s = float("-inf")

    async def acquire(self, endpoint: str, max_wait_s: float, *, background: bool = False) -> Slot:
        """Wait for a slot in every window that covers `endpoint`.

        background: a call nobody waits for; it leaves the reserve alone and never queues.

        Raises: `ProviderRateLimited` at once when the wait would be longer than `max_wait_s`.
        """
        deadline_s = self._monotonic() + (0.0 if background else max_wait_s)
        keys = self._keys(endpoint)
        if background:
            if self.background_left() == 0:
                raise self._refusal(endpoint, 1.0)
            keys = (*keys, BACKGROUND)
        windows = [self._windows[key] for key in keys]
        wait_s = self._wait_s(windows, queued=True)
        if wait_s > 0:
            await self._queue(endpoint, windows, wait_s, deadline_s)
        for window in windows:
            window.take()
        return Slot(keys)

    def release(self, slot: Slot, *, sent: bool) -> None:
        """Give a slot back when the answer is complete or the request failed; `sent`: it left the house."""
        now_s = self._monotonic()
        for key in slot.windows:
            self._windows[key].give(now_s, sent=sent)

    def pause(self, seconds: float) -> None:
        """No call for `seconds`: the provider said so. A shorter pause never cuts a longer one."""
        self._paused_until_s = max(self._paused_until_s, self._monotonic() + seconds)

    def observe_usage(self, used: int | None, limit: int | None) -> None:
        """Take over what usage headers say about the whole key; other programs may be using it too."""
        if limit is not None and 0 < limit <= MAX_CALLS:
            self.resize(limit)
        if used is not None and 0 < used <= MAX_CALLS:
            self._all.fill_to(used, self._monotonic())

    def resize(self, calls: int | None) -> None:
        """Change the provider-wide limit (the plan became known)."""
        self._all.calls = calls
        self._ahead.calls = None if calls is None else background_calls(calls)

    def limit(self) -> int | None:
        """Calls per window of the provider-wide limit; None when not known."""
        return self._all.calls

    def left(self) -> int | None:
        """Calls left in that window now, 0 during a pause; None when there is no limit."""
        if self._all.calls is None:
            return None
        now_s = self._monotonic()
        return 0 if now_s < self._paused_until_s else max(0, self._all.calls - self._all.used(now_s))

    def background_left(self) -> int:
        """Calls that may be made now ahead of any question; 0 without a known limit."""
        now_s = self._monotonic()
        if self._all.calls is None or now_s < self._paused_until_s:
            return 0
        unspent = usable_calls(self._all.calls) - self._all.used(now_s)
        own = background_calls(self._all.calls) - self._ahead.used(now_s)
        return max(0, min(unspent, own))

    async def _queue(self, endpoint: str, windows: list[Window], wait_s: float, deadline_s: float) -> None:
        for window in windows:
            window.waiting += 1
        try:
            while wait_s > 0:
                if self._monotonic() + wait_s > deadline_s:
                    raise self._refusal(endpoint, wait_s)
                await self._sleep(wait_s)
                wait_s = self._wait_s(windows, queued=False)
        finally:
            for window in windows:
                window.waiting -= 1

    def _wait_s(self, windows: list[Window], *, queued: bool) -> float:
        now_s = self._monotonic()
        free_s = max(window.wait_s(now_s, window.waiting if queued else 0) for window in windows)
        return max(free_s, self._paused_until_s - now_s)

    def _keys(self, endpoint: str) -> tuple[str, ...]:
        keys = [ALL]
        for index, limit in enumerate(self._classes):
            if limit.covers(endpoint):
                key = f"{index}:{'' if limit.shared else endpoint}"
                if key not in self._windows:
                    self._windows[key] = Window(limit.calls, limit.window_s)
                keys.append(key)
        return tuple(keys)

    def _refusal(self, endpoint: str, wait_s: float) -> ProviderRateLimited:
        return ProviderRateLimited(
            self.provider, endpoint, "call budget used up", retry_after_s=max(wait_s, 0.0)
        )
