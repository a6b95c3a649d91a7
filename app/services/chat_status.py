"""What a chat is told about the service and about itself: /status, /list and /test.

Words only; the report comes from the composition root, the settings from the book. Called by `chat_service`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.core.chat_ports import ServiceReport
from app.core.domain.alerts import ChatSettings, OutboxDepth
from app.core.domain.flow import LinkState, LinkStatus, PipelineStatus
from app.core.domain.formatting import format_usd_compact
from app.core.domain.status import DependencyState, ProviderState
from app.core.stream_ports import Message
from app.services.chat_settings import clock_text
from app.services.chat_text import Buttons, Markup, Voice, coin_name, joined, message

MAX_LISTED = 12
# States of providers and dependencies that call for no word.
_NOT_DROPPED = {"kept", "edited"}  # fates of judgements: an edit shows more of an alert that was kept
_WELL = {ProviderState.OK, ProviderState.UNUSED, DependencyState.OK}


def status_text(
    voice: Voice, report: ServiceReport, settings: ChatSettings, unsaved: int, buttons: Buttons
) -> Message:
    """Data, streams, alerts and store in a few lines; what is well is not spelt out."""
    ready = report.ready
    lines = [voice.title("status.title", state=voice.say(f"ready.{ready.status.value}"))]
    lines.append(voice.say("status.mode", mode=ready.data_mode.value))
    parts: list[tuple[str, ProviderState | DependencyState, str]]
    parts = [(one.provider, one.state, one.last_error or "") for one in ready.providers]
    parts += [(one.name, one.state, one.detail) for one in ready.dependencies]
    lines += [_state(voice, name, state, why) for name, state, why in parts if state not in _WELL]
    lines += [_link(voice, link) for link in report.links if link.state is not LinkState.OFF]
    lines += _pipeline(voice, report.pipeline)
    lines += [voice.say("status.alarm", what=alarm) for alarm in report.alarms[:5]]
    if report.outbox is not None:
        lines.append(_outbox(voice, report.outbox))
    if unsaved:
        lines.append(voice.say("status.unsaved", n=unsaved))
    lines.append(voice.say("status.chat", summary=_summary(voice, settings)))
    return message(lines, buttons=buttons)


def list_text(voice: Voice, settings: ChatSettings, symbols: Sequence[str]) -> Message:
    """Everything this chat has set."""
    lines = [voice.title("list.title")]
    if settings.watch is None:
        lines.append(voice.say("list.watch_service", coins=_names(symbols)))
    else:
        lines.append(voice.say("list.watch_own", coins=_names(sorted(settings.watch))))
    if settings.unwatch:
        lines.append(voice.say("list.unwatch", coins=_names(sorted(settings.unwatch))))
    lines += [_muted(voice, coin, end) for coin, end in _active(settings.mute, voice.now_ms)]
    for coin, usd in sorted(settings.thresholds.items())[:MAX_LISTED]:
        name = coin_name(voice, coin)
        lines.append(voice.say("list.threshold", coin=name, usd=format_usd_compact(usd)))
    return message([*lines, _summary(voice, settings)])


def test_text(voice: Voice, settings: ChatSettings) -> Message:
    """Shows that messages arrive, with markup and characters that a broken sender would stumble over."""
    lines = [voice.title("test.title"), voice.say("test.body"), _summary(voice, settings)]
    return message(lines, footer=voice.footer())


def _state(voice: Voice, name: str, state: str, why: str) -> Markup:
    words = voice.say(f"state.{state}")
    line = voice.say("status.part", name=name, state=words)
    return joined(line, voice.say("status.why", why=why)) if why else line


def _link(voice: Voice, link: LinkStatus) -> Markup:
    newest = voice.say("status.no_data") if link.last_data_ms is None else voice.ago(link.last_data_ms)
    rejects = sum(link.rejects.values())
    return voice.say(
        "status.link",
        name=link.source,
        state=voice.say(f"link.{link.state.value}"),
        newest=newest,
        events=f"{link.events:,}",
        rejects=f"{rejects:,}",
        reconnects=link.reconnects,
    )


def _pipeline(voice: Voice, pipeline: PipelineStatus | None) -> list[Markup]:
    if pipeline is None:
        return [voice.say("status.no_pipeline")]
    lag = "-" if pipeline.lag_ms is None else f"{pipeline.lag_ms / 1000:.1f} s"
    kept = pipeline.alerts.get("kept", 0)
    dropped = sum(count for fate, count in pipeline.alerts.items() if fate not in _NOT_DROPPED)
    return [
        voice.say(
            "status.pipeline",
            span=voice.span((voice.now_ms - pipeline.started_ms) / 1000),
            events=f"{pipeline.events:,}",
            lag=lag,
            kept=kept,
            dropped=dropped,
        )
    ]


def _outbox(voice: Voice, depth: OutboxDepth) -> Markup:
    oldest = "-" if depth.oldest_ms is None else voice.ago(depth.oldest_ms)
    waiting = depth.pending + depth.sending
    lost = depth.failed + depth.uncertain
    return voice.say("status.outbox", waiting=waiting, oldest=oldest, lost=lost)


def _summary(voice: Voice, settings: ChatSettings) -> Markup:
    """Level, confidence, cooldown, quiet hours and digest in one line."""
    quiet = voice.say("off")
    if settings.quiet_from_min is not None and settings.quiet_to_min is not None:
        quiet = Markup(f"{clock_text(settings.quiet_from_min)}-{clock_text(settings.quiet_to_min)} UTC")
    digest = voice.say("on" if settings.is_digest_on else "off")
    if settings.digest_every_min is not None:
        digest = voice.say("list.every", minutes=settings.digest_every_min)
    severities = ", ".join(sorted(severity.value for severity in settings.severities))
    return voice.say(
        "list.summary",
        severities=severities,
        level=settings.level.value,
        confidence=f"{settings.min_confidence:g}",
        cooldown=f"{settings.cooldown_s / 60:g}",
        quiet=quiet,
        digest=digest,
        language=settings.language.value,
    )


def _active(mute: Mapping[str, int], now_ms: int) -> list[tuple[str, int]]:
    return sorted((coin, end) for coin, end in mute.items() if end > now_ms)[:MAX_LISTED]


def _muted(voice: Voice, coin: str, end_ms: int) -> Markup:
    return voice.say(
        "list.mute", coin=coin_name(voice, coin), span=voice.span((end_ms - voice.now_ms) / 1000)
    )


def _names(coins: Sequence[str]) -> str:
    shown = ", ".join(coins[:MAX_LISTED])
    more = len(coins) - MAX_LISTED
    return f"{shown} +{more}" if more > 0 else shown or "-"
