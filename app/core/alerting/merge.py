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

# Points that all other sources together can add by agreeing.
MAX_AGREEMENT = 10.0
# Weight of everything that can agree with a stop hunt: agreement of all of it earns MAX_AGREEMENT.
_FULL_SUPPORT = 0.5


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
    finding without direction neither supports nor opposes one that has a direction.

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
    return (lead.direction is Direction.NEUTRAL) == (other.direction is Direction.NEUTRAL)


def _independent(voices: Sequence[Finding]) -> list[Finding]:
    """The first of each burst and of each class of detectors."""
    heard: list[Finding] = []
    bursts: set[str] = set()
    classes: set[Source | None] = set()
    for finding in voices:
        source = SOURCE_OF.get(finding.kind)
        if finding.burst in bursts or source in classes:
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
