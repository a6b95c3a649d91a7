"""Findings of one coin at one moment become one candidate for an alert.

Owns weights, agreement and contradiction of the detectors. Judges nothing (`policy`) and remembers nothing
(`desk`, who calls it). Polled kinds (whale positions, funding, open interest, heatmap) live on another
scale of time and are never merged: each is its own alert.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.core.domain.flow import AlertKind, Finding
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide

# Points that all other sources together can add by agreeing.
MAX_AGREEMENT = 10.0
# Weight of everything that can agree with a stop hunt: agreement of all of it earns MAX_AGREEMENT.
_FULL_SUPPORT = 0.5
# Below this a finding has not reached its own threshold: such a one cancels nothing.
MIN_OPPOSITION = 50.0


class Source(StrEnum):
    """Classes of detectors that look at the same thing; each class speaks once."""

    STOP_HUNT = "stop_hunt"
    ORDER_FLOW = "order_flow"
    EVENTS = "events"


WEIGHTS: Mapping[Source, float] = {Source.STOP_HUNT: 0.50, Source.ORDER_FLOW: 0.35, Source.EVENTS: 0.15}

SOURCE_OF: Mapping[AlertKind, Source] = {
    AlertKind.STOP_HUNT: Source.STOP_HUNT,
    AlertKind.ACCUMULATION: Source.ORDER_FLOW,
    AlertKind.DISTRIBUTION: Source.ORDER_FLOW,
    AlertKind.WHALE_ACCUMULATION: Source.EVENTS,
    AlertKind.WHALE_DISTRIBUTION: Source.EVENTS,
    AlertKind.VOLUME_SPIKE: Source.EVENTS,
    AlertKind.LIQUIDATION_ZSCORE: Source.EVENTS,
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """What all sources say together.

    lead: finding of the heaviest source: the alert is its kind and its episode. sources: detectors that were
    merged, heaviest first. is_opposed: they point in opposite directions; then the direction is NEUTRAL and
    `evidence` says how sure each side was.
    """

    lead: Finding
    direction: Direction
    confidence: float
    sources: tuple[AlertKind, ...]
    is_opposed: bool
    evidence: tuple[tuple[str, float], ...]


def weight_of(kind: AlertKind) -> float:
    """Weight of the source this detector belongs to; 0 for kinds that are never merged."""
    source = SOURCE_OF.get(kind)
    return 0.0 if source is None else WEIGHTS[source]


def merge(findings: Sequence[Finding]) -> Candidate:
    """Merge at least one finding of one coin.

    Confidence is the mean of the sources that speak, by weight, but never under what the heaviest one says
    alone (agreement confirms, it does not dilute); each further source that agrees adds 20 points times its
    weight. One burst is one source, however many detectors saw it, and so is one class of detectors. A
    finding without direction neither supports nor opposes one that has a direction. Opposite directions
    cancel only where both sides are sure (`MIN_OPPOSITION`) and neither is the other's own burst; otherwise
    the opposite finding is left out, to be judged by itself.

    Worked numbers: stop hunt 70 and order flow 80, both LONG: mean (0.50 * 70 + 0.35 * 80) / 0.85 = 74.1,
    agreement 0.35 * 20 = 7.0, together 81.1. Stop hunt 80 with whale window 60: the mean 75.4 gives way to
    80, agreement 3.0, together 83.0. Stop hunt LONG 80 against order flow SHORT 70: NEUTRAL at 75.9.
    """
    voices = sorted(findings, key=_rank)
    lead = voices[0]
    voices = [lead, *(finding for finding in voices[1:] if _speaks_with(lead, finding))]
    heard = _independent(voices)
    weights = [weight_of(finding.kind) for finding in heard]
    is_opposed = any(finding.direction is not lead.direction for finding in voices)
    confidence = _mean(heard, weights)
    if not is_opposed:
        agreement = min(MAX_AGREEMENT, MAX_AGREEMENT * sum(weights[1:]) / _FULL_SUPPORT)
        confidence = min(100.0, max(confidence, lead.confidence) + agreement)
    else:
        confidence = min(confidence, lead.confidence)  # nobody is surer of what is disputed
    return Candidate(
        lead=lead,
        direction=Direction.NEUTRAL if is_opposed else lead.direction,
        confidence=confidence,
        sources=tuple(dict.fromkeys(finding.kind for finding in voices)),
        is_opposed=is_opposed,
        evidence=_sides(voices) if is_opposed else (),
    )


def _rank(finding: Finding) -> tuple[float, bool, float, str, str]:
    """Heaviest first, then those with a direction, then the surest; names make it a total order."""
    has_none = finding.direction is Direction.NEUTRAL
    return (-weight_of(finding.kind), has_none, -finding.confidence, finding.kind, finding.episode)


def _speaks_with(lead: Finding, other: Finding) -> bool:
    if lead.kind not in SOURCE_OF or other.kind not in SOURCE_OF:
        return False
    if Direction.NEUTRAL in (lead.direction, other.direction) or lead.direction is other.direction:
        return lead.direction is other.direction
    is_sure = min(lead.confidence, other.confidence) >= MIN_OPPOSITION
    return is_sure and not _is_own_burst(lead, other)


def _is_own_burst(lead: Finding, other: Finding) -> bool:
    """Whether the two saw the same orders: named so, or taker flow that began with a cascade or after it.

    Forced orders are market orders, so the trades of a cascade are one-sided by themselves, and so are those
    of the way back. Flow that held before the first of them is a witness of its own.
    """
    began_with_it = lead.kind is AlertKind.STOP_HUNT and other.started_ms >= lead.started_ms
    return other.burst == lead.burst or began_with_it


def is_echo(cascade: Finding, finding: Finding) -> bool:
    """Whether a detector sees a cascade's own orders again: it began with the cascade or after it, its window
    still reaches back into it, and it says nothing that the cascade does not say.

    Worked numbers: longs liquidated from 100 to 130 s; sellers dominate since 110 s, in windows of 300 s: an
    echo up to 430 s. Buyers who dominate take the other side and are none.
    """
    if finding.kind is AlertKind.STOP_HUNT or finding.kind not in SOURCE_OF:
        return False
    ended_ms = cascade.started_ms + 1000 * cascade.window_s
    began_with_it = finding.started_ms >= cascade.started_ms
    looks_back = finding.ts_event_ms - 1000 * finding.window_s < ended_ms
    push = Direction.SHORT if cascade.side is LiquidatedSide.LONG else Direction.LONG
    goes_along = finding.direction in (Direction.NEUTRAL, push) and finding.side in (None, cascade.side)
    return began_with_it and looks_back and goes_along


def _independent(voices: Sequence[Finding]) -> list[Finding]:
    """The first of each burst and of each class of detectors."""
    heard: list[Finding] = []
    bursts: set[str] = set()
    classes: set[Source | None] = set()
    for finding in voices:
        source = SOURCE_OF.get(finding.kind)
        if finding.burst in bursts or source in classes or (heard and _is_own_burst(heard[0], finding)):
            continue
        heard.append(finding)
        bursts.add(finding.burst)
        classes.add(source)
    return heard


def _mean(heard: Sequence[Finding], weights: Sequence[float]) -> float:
    total = sum(weights)
    if total == 0.0:  # a kind that is never merged speaks for itself
        return heard[0].confidence
    return sum(weight * finding.confidence for weight, finding in zip(weights, heard, strict=True)) / total


def _sides(voices: Sequence[Finding]) -> tuple[tuple[str, float], ...]:
    """How sure the surest voice of each side is."""

    def surest(direction: Direction) -> float:
        return max(finding.confidence for finding in voices if finding.direction is direction)

    return (
        ("opposed_long_confidence", surest(Direction.LONG)),
        ("opposed_short_confidence", surest(Direction.SHORT)),
    )
