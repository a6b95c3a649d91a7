"""Messages out of phrases: cleaning and escaping of foreign text, plain fallback, and lengths that fit.

Provider text is data (S08): coin and exchange names lose control characters, are cut, and are escaped.
Telegram counts UTF-16 units. Used by the texts of this package only.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from app.core.alerting.catalogue import phrase
from app.core.domain.alerts import Language

TEXT_MAX = 4_096
CAPTION_MAX = 1_024
NAME_MAX = 24  # of a coin or a feed
_TAG = re.compile(r"</?[a-z]+>")


class Line(NamedTuple):
    """One line of markup. is_needed: never left out for want of room."""

    markup: str
    is_needed: bool = False


def clean(text: str, most: int = NAME_MAX) -> str:
    """Foreign text as one short line: control, format and private characters gone, cut to `most`.

    Format characters include those that reverse the reading order. Nothing left: `?`.
    """
    kept = "".join(char if unicodedata.category(char)[0] not in "CZ" else " " for char in text[: 8 * most])
    kept = " ".join(kept.split())
    return (kept if len(kept) <= most else kept[: most - 1] + "…") or "?"


def say(key: str, language: Language, /, **values: object) -> str:
    """A phrase as markup, its values escaped."""
    return fill(phrase(key, language), **values)


def fill(template: str, /, **values: object) -> str:
    return template.format(**{name: escape(str(value)) for name, value in values.items()})


def escape(text: str) -> str:
    """`<`, `>` and `&` for Telegram's HTML."""
    return html.escape(text, quote=False)


def plain_of(markup: str) -> str:
    """The same without tags; what was escaped is as it was: `<b>a &lt; b</b>` -> `a < b`."""
    return html.unescape(_TAG.sub("", markup))


def units(text: str) -> int:
    """Length as Telegram counts it: in UTF-16 units, so that most emoji are two."""
    return len(text.encode("utf-16-le")) // 2


def fit(lines: Sequence[Line], most: int) -> str:
    """The lines as one text of at most `most` UTF-16 units, markup included; the last that can be spared go
    first."""
    kept = [line for line in lines if line.markup]
    while units("\n".join(line.markup for line in kept)) > most:
        spare = [place for place, line in enumerate(kept) if not line.is_needed]
        if not spare:
            break
        del kept[spare[-1]]
    return "\n".join(line.markup for line in kept)


def span(seconds: float, language: Language) -> str:
    """A duration in its largest fitting unit: 30 -> `30 s`, 300 -> `5 min`, 5400 -> `1.5 h`."""
    seconds = max(0.0, seconds)
    for limit_s, unit_s, unit in ((119.5, 1, "s"), (7_170, 60, "min"), (172_620, 3_600, "h")):
        if seconds < limit_s:
            return say(f"span.{unit}", language, n=_short(seconds / unit_s))
    return say("span.d", language, n=_short(seconds / 86_400))


def mode_mark(data_mode: str) -> str:
    """`[DEMO] ` or `[REPLAY] ` in front of a text; nothing in live mode."""
    return "" if data_mode == "live" else f"[{escape(clean(data_mode).upper())}] "


def _short(number: float) -> str:
    """No decimals from 10 on or when whole, else one."""
    rounded = round(number, 1)
    return f"{number:.0f}" if rounded >= 10 or rounded == int(rounded) else f"{number:.1f}"
