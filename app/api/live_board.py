"""The state that live clients see, as encoded JSON: every entry with the version since which it has been so.

A client is a version and nothing else: whatever it missed, `since` makes one merged delta of it, encoded once
for all who stand at the same version. Memory is bounded by what is shown, not by who looks or how slowly.
Knows no domain value and no client.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

# Parts that are replaced whole, with what stands there before anything is known.
WHOLE_PARTS = {
    "coins": "[]",
    "market": "null",
    "top": "[]",
    "cascades": "[]",
    "stream": "null",
    "errors": "{}",
}
# Parts by coin: an entry is replaced whole, null takes it away.
COIN_PARTS = ("quotes", "cards")
# Parts that grow at their new end: entries by id, newest first.
NEWEST_PARTS = ("alerts", "signals")

NEWEST = 50
MAX_GONE = 512
MAX_ENCODED = 32
_NULL = "null"


class _Entry(NamedTuple):
    version: int
    text: str


class _Item(NamedTuple):
    version: int
    text: str
    order: tuple[int, str]


class LiveBoard:
    """version: counts changes, 0 before the first. on_change: called after each one."""

    def __init__(self, on_change: Callable[[], None] | None = None, *, max_gone: int = MAX_GONE) -> None:
        self.version = 0
        self._on_change = on_change
        self._max_gone = max_gone
        self._whole = {name: _Entry(0, text) for name, text in WHOLE_PARTS.items()}
        self._coins: dict[str, dict[str, _Entry]] = {name: {} for name in COIN_PARTS}
        self._newest: dict[str, dict[str, _Item]] = {name: {} for name in NEWEST_PARTS}
        self._gone: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._floor = 0
        self._encoded: OrderedDict[int | None, str] = OrderedDict()

    def put(self, part: str, text: str) -> None:
        """Replace a whole part."""
        if self._whole[part].text != text:
            self._whole[part] = _Entry(self._next(), text)
            self._changed()

    def put_coin(self, part: str, coin: str, text: str) -> None:
        """Replace the entry of one coin."""
        entries = self._coins[part]
        known = entries.get(coin)
        if known is None or known.text != text:
            self._gone.pop((part, coin), None)
            entries[coin] = _Entry(self._next(), text)
            self._changed()

    def drop_coin(self, part: str, coin: str) -> None:
        """Take the entry of one coin away; clients that have it are told."""
        if self._coins[part].pop(coin, None) is None:
            return
        self._gone[part, coin] = self._next()
        while len(self._gone) > self._max_gone:
            # Who has not heard of it by now starts anew.
            self._floor = self._gone.popitem(last=False)[1]
        self._changed()

    def put_newest(self, part: str, key: str, order: tuple[int, str], text: str) -> None:
        """Add or replace one item of a list of the newest; `order` grows with time. The oldest fall off."""
        items = self._newest[part]
        known = items.get(key)
        if known is not None and known.text == text:
            return
        if known is None and len(items) >= NEWEST and order < min(item.order for item in items.values()):
            return
        items[key] = _Item(self._next(), text, order)
        if len(items) > NEWEST:
            del items[min(items, key=lambda one: items[one].order)]
        self._changed()

    def coins(self, part: str) -> frozenset[str]:
        """Coins that have an entry."""
        return frozenset(self._coins[part])

    def can_resume(self, version: int) -> bool:
        """Whether `since(version)` tells all that has changed since then."""
        return self._floor <= version <= self.version

    def since(self, version: int | None) -> str:
        """What changed after `version`, as members of a JSON object, each with a comma before it.

        None: everything, empty parts too.
        """
        found = self._encoded.get(version)
        if found is None:
            found = self._encoded[version] = "".join(self._members(version))
            if len(self._encoded) > MAX_ENCODED:
                self._encoded.popitem(last=False)
        return found

    def _members(self, version: int | None) -> list[str]:
        after = -1 if version is None else version
        members = [f',"{name}":{one.text}' for name, one in self._whole.items() if one.version > after]
        for name in COIN_PARTS:
            entries = [
                f"{json.dumps(coin)}:{one.text}"
                for coin, one in self._coins[name].items()
                if one.version > after
            ]
            if version is not None:
                entries += [
                    f"{json.dumps(coin)}:{_NULL}"
                    for (part, coin), at in self._gone.items()
                    if part == name and at > after
                ]
            if entries or version is None:
                members.append(f',"{name}":{{{",".join(entries)}}}')
        for name in NEWEST_PARTS:
            items = [one for one in self._newest[name].values() if one.version > after]
            if items or version is None:
                items.sort(key=lambda one: one.order, reverse=True)
                members.append(f',"{name}":[{",".join(one.text for one in items)}]')
        return members

    def _next(self) -> int:
        self.version += 1
        return self.version

    def _changed(self) -> None:
        self._encoded.clear()
        if self._on_change is not None:
            self._on_change()
