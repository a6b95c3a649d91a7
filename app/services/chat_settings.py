"""Commands that change what one chat is told, as pure functions from settings to settings.

Owns their arguments and bounds. Saving is `chat_book`'s, words are the catalogue's. Called by `chat_service`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeVar

from app.core.domain.alerts import ChatSettings, FilterLevel, Language
from app.core.domain.formatting import format_usd_compact
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.symbol import Symbol
from app.core.errors import InputError

N = TypeVar("N", int, float)
ALL_COINS = "*"
MAX_COINS = 100  # per chat and kind of setting: settings are one JSON text
MAX_USD = 1e12
MAX_COOLDOWN_MIN = 1_440
MAX_MUTE_H = 720.0
DIGEST_MIN, DIGEST_MAX = 5, 1_440
_USD = re.compile(r"\$?(\d{1,12}(?:\.\d{1,6})?)([kmb]?)", re.IGNORECASE)
_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}
_QUIET = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)")


class Usage(InputError):
    """The arguments do not fit the command; its usage is the answer."""

    code = "usage"

    def __init__(self, command: str) -> None:
        super().__init__(f"the arguments do not fit the command {command}")
        self.command = command


class TooMany(InputError):
    """The chat has set as much of this kind as can be kept."""

    code = "too_many"

    def __init__(self, most: int) -> None:
        super().__init__(f"at most {most} coins")
        self.most = most


@dataclass(frozen=True, slots=True)
class Wish:
    """One command with its arguments. resolve: raises InvalidParameter, UnknownSymbol."""

    command: str
    args: tuple[str, ...]
    now_ms: int
    resolve: Callable[[str], Symbol]


@dataclass(frozen=True, slots=True)
class Change:
    """New settings and what to say of them.

    coin: the one it is about, `*` for all. watched: a coin that the service is to follow from now on.
    """

    settings: ChatSettings
    key: str
    coin: str = ALL_COINS
    values: Mapping[str, object] = field(default_factory=dict)
    watched: str | None = None


Changer: TypeAlias = Callable[[ChatSettings, Wish], Change]


def watch(settings: ChatSettings, wish: Wish) -> Change:
    """Hear of a coin again; a chat with a list of its own gets it added. The service follows its trades."""
    coin = _coin(wish)
    own = None if settings.watch is None else _more(settings.watch, coin)
    new = replace(settings, watch=own, unwatch=settings.unwatch - {coin})
    return Change(new, "set.watch", coin, watched=coin)


def unwatch(settings: ChatSettings, wish: Wish) -> Change:
    """Hear nothing of a coin any more."""
    coin = _coin(wish)
    own = None if settings.watch is None else settings.watch - {coin}
    new = replace(settings, watch=own, unwatch=_more(settings.unwatch, coin))
    return Change(new, "set.unwatch", coin)


def threshold(settings: ChatSettings, wish: Wish) -> Change:
    """Least USD of a coin or of all (`*`); 0 takes the threshold away."""
    if len(wish.args) != 2:
        raise Usage(wish.command)
    coin, usd = _coin_or_all(wish), _usd(wish.args[1], wish.command)
    if usd == 0:
        rest = {name: least for name, least in settings.thresholds.items() if name != coin}
        return Change(replace(settings, thresholds=rest), "set.threshold_off", coin)
    thresholds = _with(settings.thresholds, coin, usd)
    values = {"usd": format_usd_compact(usd)}
    return Change(replace(settings, thresholds=thresholds), "set.threshold", coin, values)


def cooldown(settings: ChatSettings, wish: Wish) -> Change:
    """Minutes before the same coin, kind and direction may be told again."""
    minutes = _whole(wish, 1, MAX_COOLDOWN_MIN)
    return Change(replace(settings, cooldown_s=minutes * 60), "set.cooldown", values={"minutes": minutes})


def mute(settings: ChatSettings, wish: Wish) -> Change:
    """Silence for a coin or for all, an hour unless it says how long."""
    if not 1 <= len(wish.args) <= 2:
        raise Usage(wish.command)
    coin = _coin_or_all(wish)
    hours = _hours(wish) if len(wish.args) == 2 else 1.0
    until_ms = wish.now_ms + round(hours * HOUR_MS)
    active = {name: end_ms for name, end_ms in settings.mute.items() if end_ms > wish.now_ms}
    new = replace(settings, mute=_with(active, coin, until_ms))
    return Change(new, "set.mute", coin, {"hours": f"{hours:g}"})


def unmute(settings: ChatSettings, wish: Wish) -> Change:
    """Take back every silence, or that of one coin."""
    if not wish.args:
        return Change(replace(settings, mute={}), "set.unmute_all")
    coin = _coin_or_all(wish)
    rest = {name: end_ms for name, end_ms in settings.mute.items() if name != coin}
    # A silence over all coins goes on; taking one coin out of it is not offered.
    key = "set.unmute_not_all" if rest.get(ALL_COINS, 0) > wish.now_ms else "set.unmute"
    return Change(replace(settings, mute=rest), key, coin)


def quiet(settings: ChatSettings, wish: Wish) -> Change:
    """Minutes of the UTC day between which only urgent alerts pass; the span may go over midnight."""
    text = "".join(wish.args).lower().replace("–", "-")
    if text == "off":
        return Change(replace(settings, quiet_from_min=None, quiet_to_min=None), "set.quiet_off")
    match = _QUIET.fullmatch(text)
    if match is None:
        raise Usage(wish.command)
    first_h, first_min, last_h, last_min = (int(part) for part in match.groups())
    start, end = first_h * 60 + first_min, last_h * 60 + last_min
    if start == end:
        raise Usage(wish.command)
    new = replace(settings, quiet_from_min=start, quiet_to_min=end)
    return Change(new, "set.quiet", values={"start": clock_text(start), "end": clock_text(end)})


def digest(settings: ChatSettings, wish: Wish) -> Change:
    """on, off: whether bursts become one message; a number: a summary every so many minutes besides."""
    if len(wish.args) != 1:
        raise Usage(wish.command)
    word = wish.args[0].lower()
    if word == "on":
        return Change(replace(settings, is_digest_on=True), "set.digest_on")
    if word == "off":
        return Change(replace(settings, is_digest_on=False, digest_every_min=None), "set.digest_off")
    minutes = _whole(wish, DIGEST_MIN, DIGEST_MAX)
    new = replace(settings, is_digest_on=True, digest_every_min=minutes)
    return Change(new, "set.digest_every", values={"minutes": minutes})


def level(settings: ChatSettings, wish: Wish) -> Change:
    """How much the market's context decides."""
    word = wish.args[0].lower() if len(wish.args) == 1 else ""
    if word not in {one.value for one in FilterLevel}:
        raise Usage(wish.command)
    return Change(replace(settings, level=FilterLevel(word)), f"set.level_{word}")


def language(settings: ChatSettings, wish: Wish) -> Change:
    """The language of answers and alerts of this chat."""
    word = wish.args[0].lower() if len(wish.args) == 1 else ""
    if word not in {one.value for one in Language}:
        raise Usage(wish.command)
    return Change(replace(settings, language=Language(word)), "set.language")


CHANGERS: Mapping[str, Changer] = {
    "watch": watch,
    "unwatch": unwatch,
    "threshold": threshold,
    "cooldown": cooldown,
    "mute": mute,
    "unmute": unmute,
    "quiet": quiet,
    "digest": digest,
    "level": level,
    "language": language,
}


def clock_text(minute: int) -> str:
    """Minute of the day as a clock shows it: 1350 -> `22:30`."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _coin(wish: Wish) -> str:
    if len(wish.args) != 1:
        raise Usage(wish.command)
    return wish.resolve(wish.args[0]).base


def _coin_or_all(wish: Wish) -> str:
    """The first argument: `*` (or a word for it), or a coin. Raises: InvalidParameter, UnknownSymbol.

    `ALL` in capitals is no such word: findings of the whole market go by that name, and so do their buttons.
    """
    text = wish.args[0]
    return ALL_COINS if text in {ALL_COINS, "all", "semua"} else wish.resolve(text).base


def _usd(text: str, command: str) -> float:
    """`250k` -> 250,000; `$1.5M` -> 1,500,000; `2,000,000`; `off` -> 0. Raises: Usage."""
    if text.lower() == "off":
        return 0.0
    match = _USD.fullmatch(text.replace(",", "").replace("_", ""))
    usd = float(match.group(1)) * _UNITS[match.group(2).lower()] if match else math.nan
    if not 0 <= usd <= MAX_USD:
        raise Usage(command)
    return usd


def _whole(wish: Wish, least: int, most: int) -> int:
    text = wish.args[0] if len(wish.args) == 1 else ""
    if not re.fullmatch(r"[0-9]{1,6}", text) or not least <= int(text) <= most:
        raise Usage(wish.command)
    return int(text)


def _hours(wish: Wish) -> float:
    match = re.fullmatch(r"([0-9]{1,4}(?:\.[0-9]{1,2})?)(h|d|j)?", wish.args[1].lower())
    if match is None:
        raise Usage(wish.command)
    hours = float(match.group(1)) * (DAY_MS / HOUR_MS if match.group(2) == "d" else 1.0)
    if not 0 < hours <= MAX_MUTE_H:
        raise Usage(wish.command)
    return hours


def _more(coins: frozenset[str], coin: str) -> frozenset[str]:
    more = coins | {coin}
    if len(more) > MAX_COINS:
        raise TooMany(MAX_COINS)
    return more


def _with(by_coin: Mapping[str, N], coin: str, value: N) -> dict[str, N]:
    """Raises: TooMany."""
    merged = {**by_coin, coin: value}
    if len(merged) > MAX_COINS:
        raise TooMany(MAX_COINS)
    return merged
