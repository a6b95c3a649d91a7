"""How fast a destination may be written to, and who has to wait until when.

Owns windows and holds on a monotonic clock; sends nothing. Windows slide, as those of the servers do: a
bucket that refills would let more through within one minute than they take. Used by `delivery` only.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# Chats whose windows are remembered; a window is empty after a minute.
_MAX_CHATS = 500


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` within any `window_s` seconds."""

    most: int
    window_s: float


@dataclass(frozen=True, slots=True)
class Pace:
    """What one kind of destination takes: messages per chat, per group (ids that begin with `-` or `@`), of
    all together; and edits per chat, which are no messages but not free either."""

    chat: Limit
    group: Limit
    overall: Limit
    edits: Limit


# The published limits with a little air: a message sent late and one sent early must not meet in one window.
TELEGRAM_PACE = Pace(Limit(1, 1.05), Limit(20, 61.0), Limit(30, 1.05), Limit(1, 3.0))


def scheme_of(chat: str) -> str:
    """`telegram` of `telegram:-100123`."""
    return chat.partition(":")[0]


class _Window:
    """When the newest uses of one limit were."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._used_s: deque[float] = deque(maxlen=limit.most)

    def free_s(self) -> float:
        """From when on the next one may go; worked number: 2 in 10 s, used at 1 and 5: free at 11."""
        if len(self._used_s) < self._limit.most:
            return -math.inf
        return self._used_s[0] + self._limit.window_s

    def use(self, now_s: float) -> None:
        self._used_s.append(now_s)

    def is_used(self, now_s: float) -> bool:
        """Whether any use still counts."""
        return bool(self._used_s) and self._used_s[-1] + self._limit.window_s > now_s


class Pacer:
    """Says who may be written to now. Holds (`hold`) come on top of the limits."""

    def __init__(self, paces: Mapping[str, Pace], *, monotonic: Callable[[], float]) -> None:
        self._paces = paces
        self._monotonic = monotonic
        self._windows: dict[tuple[str, str], _Window] = {}
        self._holds_s: dict[str, float] = {}

    def is_paced(self, chat: str) -> bool:
        """People read there: several alerts at once are better one message."""
        return scheme_of(chat) in self._paces

    def took(self, chat: str, *, is_edit: bool) -> None:
        """A message or an edit goes out now."""
        now_s = self._monotonic()
        for key, limit in self._limits(chat, is_edit=is_edit):
            self._windows.setdefault(key, _Window(limit)).use(now_s)
        self._forget(now_s)

    def hold(self, chat_or_scheme: str, *, for_s: float) -> None:
        """Nothing to this chat, or to all of this scheme, for so long; `math.inf` for good."""
        until_s = self._monotonic() + for_s
        self._holds_s[chat_or_scheme] = max(until_s, self._holds_s.get(chat_or_scheme, until_s))

    def held(self) -> list[str]:
        """Chats and schemes that are to be left alone now."""
        now_s = self._monotonic()
        return sorted(name for name, until_s in self._waits().items() if until_s > now_s)

    def edit_wait_s(self, chat: str) -> float:
        """Seconds until a message there may be edited, 0 for now."""
        free_s = (self._free_s(key) for key, _ in self._limits(chat, is_edit=True))
        return max(0.0, max(free_s, default=0.0) - self._monotonic())

    def next_s(self) -> float | None:
        """Seconds until the next wait is over; None when nobody waits (or only for good)."""
        now_s = self._monotonic()
        waits = [until_s - now_s for until_s in self._waits().values() if now_s < until_s < math.inf]
        return min(waits, default=None)

    def held_for_s(self, chat: str) -> float:
        """Seconds until a new message may go to this chat, 0 for now, `math.inf` for never."""
        waits = self._waits()
        until_s = max(waits.get(chat, 0.0), waits.get(scheme_of(chat), 0.0))
        return max(0.0, until_s - self._monotonic())

    def _waits(self) -> dict[str, float]:
        """Until when, by chat or scheme: holds and full windows for new messages."""
        waits = dict(self._holds_s)
        for (kind, name), window in self._windows.items():
            if kind != "edits":
                waits[name] = max(waits.get(name, -math.inf), window.free_s())
        return waits

    def _limits(self, chat: str, *, is_edit: bool) -> list[tuple[tuple[str, str], Limit]]:
        scheme, _, address = chat.partition(":")
        pace = self._paces.get(scheme)
        if pace is None:
            return []
        limits = [(("overall", scheme), pace.overall)]
        if is_edit:
            return [*limits, (("edits", chat), pace.edits)]
        limits.append((("chat", chat), pace.chat))
        if address.startswith(("-", "@")):
            limits.append((("group", chat), pace.group))
        return limits

    def _free_s(self, key: tuple[str, str]) -> float:
        window = self._windows.get(key)
        return -math.inf if window is None else window.free_s()

    def _forget(self, now_s: float) -> None:
        """What is over needs no memory; looked at only when there is much of it."""
        if len(self._windows) > _MAX_CHATS:
            self._windows = {key: item for key, item in self._windows.items() if item.is_used(now_s)}
        if len(self._holds_s) > _MAX_CHATS:
            self._holds_s = {name: until_s for name, until_s in self._holds_s.items() if until_s > now_s}
