"""Texts of alerts for people: one alert, several in one message, and a summary on a schedule.

Each as HTML for Telegram and as plain text, in English or Indonesian. A trader sees at once what, on which
side, how much, at what price, how sure and how old. Decides nothing; called by the delivery and the chat.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.core.alerting.markup import (
    CAPTION_MAX,
    TEXT_MAX,
    Line,
    fit,
    mode_mark,
    plain_of,
    say,
    span,
    units,
)
from app.core.alerting.phrases import (
    coin_name,
    confidence_line,
    context_line,
    direction_line,
    headline,
    icon,
    levels_line,
    origin_line,
    percentile_line,
    phase_line,
    price_line,
    ratio_note,
    sources_line,
)
from app.core.alerting.policy import MARKET
from app.core.alerting.severity import RANK
from app.core.domain.alerts import Alert, Language
from app.core.domain.signal import Direction
from app.core.stream_ports import Message

DIGEST_LINES = 30
_BUTTON_SYMBOL = re.compile(r"[A-Z0-9]{1,15}")


def render_alert(
    alert: Alert,
    language: Language,
    *,
    now_ms: int,
    data_mode: str,
    repeat: bool = False,
    dashboard_url: str | None = None,
    is_caption: bool = False,
) -> Message:
    """One alert. repeat: it may have arrived before; is_caption: it goes under a picture (1,024 characters).

    data_mode: of the service; an alert that was made in another mode keeps its own mark.
    """
    mark = mode_mark(alert.data_mode if data_mode == "live" else data_mode)
    lines = [
        Line(mark + _title(alert, language), is_needed=True),
        Line(say("repeat", language) if repeat else "", is_needed=True),
        Line(phase_line(alert, language)),
        Line(direction_line(alert, language), is_needed=True),
        Line(price_line(alert, language), is_needed=True),
        Line(levels_line(alert, language), is_needed=True),
        Line(percentile_line(alert, language)),
        Line(context_line(alert, language)),
        Line(confidence_line(alert, language), is_needed=True),
        Line(sources_line(alert, language)),
        Line(origin_line(alert, language, now_ms=now_ms), is_needed=True),
        Line(say("advice", language), is_needed=True),
    ]
    text = fit(lines, CAPTION_MAX if is_caption else TEXT_MAX)
    return Message(html=text, plain=plain_of(text), buttons=_buttons(alert, language, dashboard_url))


def render_digest(
    alerts: Sequence[Alert], language: Language, *, now_ms: int, data_mode: str, repeat: bool = False
) -> Message:
    """Several alerts of one burst or storm in one message: urgent first, then the largest."""
    coins = len({alert.symbol for alert in alerts})
    title = say("digest.title", language, alerts=len(alerts), coins=coins)
    head = [f"<b>{title}</b>", *([say("repeat", language)] if repeat else [])]
    return _listing(head, alerts, language, now_ms=now_ms, data_mode=data_mode)


def render_summary(
    alerts: Sequence[Alert], language: Language, *, since_ms: int, now_ms: int, data_mode: str
) -> Message:
    """What a chat gets on a schedule: the alerts since `since_ms`, or that there were none."""
    length = span((now_ms - since_ms) / 1000, language)
    if not alerts:
        text = mode_mark(data_mode) + say("summary.none", language, span=length)
        return Message(html=text, plain=plain_of(text), is_silent=True)
    coins = len({alert.symbol for alert in alerts})
    title = say("summary.title", language, span=length, alerts=len(alerts), coins=coins)
    message = _listing([f"<b>{title}</b>"], alerts, language, now_ms=now_ms, data_mode=data_mode)
    return Message(html=message.html, plain=message.plain, is_silent=True)


def _listing(
    head: Sequence[str], alerts: Sequence[Alert], language: Language, *, now_ms: int, data_mode: str
) -> Message:
    order = sorted(alerts, key=lambda alert: (-RANK[alert.severity], -alert.ratio, alert.symbol, alert.id))
    items = [_item(alert, language, now_ms=now_ms) for alert in order[:DIGEST_LINES]]

    def text_of(shown: int) -> str:
        more = len(order) - shown
        last = [say("digest.more", language, more=more)] if more else []
        return mode_mark(data_mode) + "\n".join([*head, *items[:shown], *last, say("advice", language)])

    shown = len(items)
    while shown and units(text_of(shown)) > TEXT_MAX:
        shown -= 1  # the number of those left out is part of the text, so it is worded anew
    text = text_of(shown)
    return Message(html=text, plain=plain_of(text))


def _item(alert: Alert, language: Language, *, now_ms: int) -> str:
    """One line of a list: icon, coin, what, direction, confidence, age."""
    side = "" if alert.direction is Direction.NEUTRAL else f" · {alert.direction}"
    age = span((now_ms - alert.ts_event_ms) / 1000, language)
    name, what = coin_name(alert, language), headline(alert, language)
    return f"{icon(alert)} {name}: {what}{side} · {alert.confidence:.0f}/100 · {age}"


def _title(alert: Alert, language: Language) -> str:
    name, note = coin_name(alert, language), ratio_note(alert, language)
    return f"{icon(alert)} <b>{name}: {headline(alert, language)}</b>{' ' if note else ''}{note}"


def _buttons(
    alert: Alert, language: Language, dashboard_url: str | None
) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Mute for an hour, details, the coin in the dashboard. A name that is no plain symbol has no button and
    no page: it would not fit into the 64 bytes a button may hold, or mean something else there."""
    row = [(plain_of(say("button.details", language)), f"details:{alert.id}")]
    if _BUTTON_SYMBOL.fullmatch(alert.symbol):
        text = plain_of(say("button.mute", language, symbol=alert.symbol))
        row.insert(0, (text, f"mute:{alert.symbol}:1"))
    rows = [tuple(row)]
    if dashboard_url:
        rows.append(((plain_of(say("button.dashboard", language)), _page(alert, dashboard_url)),))
    return tuple(rows)


def _page(alert: Alert, dashboard_url: str) -> str:
    """Worked example: BTC, `https://a.example/dashboard/` -> `https://a.example/dashboard/coin/BTC`."""
    is_coin = _BUTTON_SYMBOL.fullmatch(alert.symbol) and alert.symbol != MARKET
    return f"{dashboard_url.rstrip('/')}/coin/{alert.symbol}" if is_coin else dashboard_url
