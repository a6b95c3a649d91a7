"""Words and figures of a conversation: one chat's language, the age of a fact, why something is missing.

Everything that comes from outside is cleaned, cut and escaped here (S08), so that markup in a name stays
text. Used by the parts of the conversation (`chat_*`); pure.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from app.core.alerting.bot_texts import phrase
from app.core.domain.alerts import Language
from app.core.domain.context import DataMode
from app.core.domain.quality import Missing, Reading
from app.core.domain.views import Part
from app.core.errors import (
    DeliveryError,
    InvalidParameter,
    InvariantViolation,
    NoPriceAvailable,
    ServiceError,
    StorageUnavailable,
    UnknownSymbol,
)
from app.core.stream_ports import Message

MAX_TEXT_CHARS = 3_900  # of 4,096: the mode and the footer always fit
MAX_CAPTION_CHARS = 1_000  # of 1,024
MAX_DETAIL_CHARS = 160
# C0, DEL, C1, and the bidirectional controls that can reorder what a reader sees.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_TAG = re.compile(r"<[^<>]*>")
_AGES = ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h"))
Buttons: TypeAlias = Sequence[Sequence[tuple[str, str]]]


class Markup(str):
    """Text that is escaped already; anything else is escaped when it is put into a phrase."""

    __slots__ = ()


def joined(*parts: Markup) -> Markup:
    """Pieces of markup in a row."""
    return Markup("".join(parts))


def escaped(value: object) -> str:
    """A value as markup: foreign text cleaned, cut and escaped once."""
    return value if isinstance(value, Markup) else html.escape(clean(str(value), 400), quote=False)


def clean(text: str, most: int = MAX_DETAIL_CHARS) -> str:
    """Foreign text as plain data: control characters become spaces, the rest is cut to `most` characters."""
    cleaned = _CONTROL.sub(" ", text).encode("utf-8", "replace").decode().strip()
    return cleaned if len(cleaned) <= most else cleaned[: most - 1] + "…"


def plain_of(markup: str) -> str:
    """The same without tags. What was escaped comes back as it was: `a &lt; b` -> `a < b`."""
    return html.unescape(_TAG.sub("", markup))


def message(
    lines: Iterable[Markup], *, footer: str = "", buttons: Buttons = (), png: bytes | None = None
) -> Message:
    """Lines of markup as one message; whole lines are left out where they do not fit, the footer never."""
    room = (MAX_TEXT_CHARS if png is None else MAX_CAPTION_CHARS) - len(plain_of(footer)) - 1
    kept: list[Markup] = []
    for line in lines:
        room -= len(plain_of(line)) + 1
        if room < 0:
            kept.append(Markup("…"))
            break
        kept.append(line)
    text = "\n".join([*kept, footer] if footer else kept)
    return Message(text, plain_of(text), tuple(tuple(row) for row in buttons), png)


@dataclass(frozen=True, slots=True)
class Voice:
    """How one chat is spoken to at one moment (market time, ms)."""

    language: Language
    data_mode: DataMode
    now_ms: int

    def say(self, key: str, **values: object) -> Markup:
        """The text of `key` as markup; values are cleaned and escaped. Raises: KeyError."""
        return Markup(phrase(self.language, key, {name: escaped(one) for name, one in values.items()}))

    def title(self, key: str, **values: object) -> Markup:
        """The first line; `[DEMO] ` stands before anything that is not the market of now."""
        is_live = self.data_mode is DataMode.LIVE
        tag = "" if is_live else f"[{self.data_mode.value.upper()}] "
        return Markup(tag + self.say(key, **values))

    def footer(self) -> Markup:
        return self.say("not_advice")

    def span(self, seconds: float) -> Markup:
        """95 -> `95 s` or `95 dtk`; 11,520 -> `3.2 h` or `3.2 jam`."""
        size_s = max(0.0, seconds)
        for limit_s, unit_s, unit in _AGES:
            if size_s < limit_s:
                decimals = 1 if unit == "h" else 0
                return Markup(f"{size_s / unit_s:.{decimals}f} {self.say(f'unit.{unit}')}")
        return Markup(f"{size_s / 86_400:.1f} {self.say('unit.d')}")

    def ago(self, at_ms: int) -> Markup:
        return self.say("ago", span=self.span((self.now_ms - at_ms) / 1000))

    def source(self, reading: Reading[object]) -> Markup:
        """Who said so and when it happened: `okx, 12 s ago`."""
        return self.say("source", provider=clean(reading.provider, 40), ago=self.ago(reading.ts_event_ms))

    def lacks(self, key: str, missing: Missing, plan: str | None = None) -> Markup:
        """One line that says what is not there and why."""
        why = self.say(f"missing.{missing.reason.value}")
        needed = self.say("missing.plan", plan=plan) if plan else Markup()
        return joined(self.say("lacks", what=self.say(key), why=why), needed)

    def part_note(self, part: Part) -> Markup:
        """Why a better source did not answer what was found; "" when the best one did."""
        if part.fell_back is None:
            return Markup()
        return self.say("fell_back", why=self.say(f"missing.{part.fell_back.reason.value}"))


def coin_name(voice: Voice, coin: str) -> str:
    """A coin as it is called; `*` in words."""
    return voice.say("every_coin") if coin == "*" else coin


def fault_text(voice: Voice, error: ServiceError) -> Markup | None:
    """What an expected failure is called; None for a bug of ours, which has no words for users."""
    if isinstance(error, UnknownSymbol):
        near = voice.say("error.near", near=", ".join(error.near)) if error.near else Markup()
        return joined(voice.say("error.unknown_symbol", symbol=clean(error.symbol, 20)), near)
    if isinstance(error, NoPriceAvailable):
        why = "; ".join(clean(reason, 80) for reason in error.reasons[:3])
        return voice.say("error.no_price", symbol=error.symbol, why=why or "-")
    if isinstance(error, StorageUnavailable):
        return voice.say("error.storage", why=clean(str(error)))
    if isinstance(error, InvalidParameter):
        return voice.say("error.invalid", name=error.parameter, expected=error.expected)
    if isinstance(error, InvariantViolation | DeliveryError):
        return None
    return voice.say("error.service", why=clean(str(error)))
