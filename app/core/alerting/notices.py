"""Messages that are about the service and not about a coin: a feed went silent or came back, and when the
next summary is due.

Pure; sent by the delivery beside the outbox.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.alerting.markup import clean, mode_mark, plain_of, say, span
from app.core.domain.alerts import ChatSettings, Language
from app.core.domain.formatting import format_moment
from app.core.stream_ports import Message

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class FeedNotice:
    """A feed without data from `from_ms` on. to_ms: first data after it, None while it is silent."""

    source: str
    from_ms: int
    to_ms: int | None


def render_notice(notice: FeedNotice, language: Language, *, now_ms: int, data_mode: str) -> Message:
    """That a feed is silent, or that it is back and for which time events may be missing."""
    values = {"source": clean(notice.source), "since": format_moment(notice.from_ms, now_ms)}
    if notice.to_ms is None:
        text = say("notice.lost", language, **values)
    else:
        length = span((notice.to_ms - notice.from_ms) / 1000, language)
        until = format_moment(notice.to_ms, now_ms)
        text = say("notice.recovered", language, until=until, span=length, **values)
    text = mode_mark(data_mode) + text
    return Message(html=text, plain=plain_of(text))


def summary_since_ms(chat: ChatSettings, *, last_ms: int | None, now_ms: int) -> int | None:
    """From when on the summary that is due now reaches, or None when none is due.

    Summaries come at whole multiples of the interval since the epoch (every 60 min: on the hour), so that a
    restart moves none. last_ms: when the last was sent; None, and after a long pause, one interval is told.
    Worked numbers, every 60 min: last 10:00, now 10:59 -> None; now 11:00:05 -> 10:00.
    """
    if not chat.digest_every_min or chat.is_disabled:
        return None
    every_ms = chat.digest_every_min * _MINUTE_MS
    due_ms = now_ms // every_ms * every_ms
    if last_ms is not None and last_ms >= due_ms:
        return None
    return due_ms - every_ms
