"""Merging findings of one coin: worked numbers, agreement, contradiction, bursts, mirror."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.alerting.merge import WEIGHTS, Candidate, is_echo, merge, weight_of
from app.core.domain.flow import AlertKind, Finding
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide
from tests.alert_facts import NOW_MS, finding

LONG, SHORT, NEUTRAL = Direction.LONG, Direction.SHORT, Direction.NEUTRAL
MIRROR = {
    LONG: SHORT,
    SHORT: LONG,
    NEUTRAL: NEUTRAL,
    AlertKind.ACCUMULATION: AlertKind.DISTRIBUTION,
    AlertKind.DISTRIBUTION: AlertKind.ACCUMULATION,
    AlertKind.WHALE_ACCUMULATION: AlertKind.WHALE_DISTRIBUTION,
    AlertKind.WHALE_DISTRIBUTION: AlertKind.WHALE_ACCUMULATION,
}


def say(
    kind: AlertKind, direction: Direction, confidence: float, burst: str = "", began_s: int = -120
) -> Finding:
    """Taker flow holds since two minutes before now unless told; a cascade began 20 s ago."""
    started_ms = NOW_MS + 1_000 * (-20 if kind is AlertKind.STOP_HUNT else began_s)
    return finding(
        kind=kind,
        direction=direction,
        confidence=confidence,
        burst=burst or kind,
        episode=kind,
        started_ms=started_ms,
    )


def hunt(direction: Direction = LONG, confidence: float = 80.0, burst: str = "") -> Finding:
    return say(AlertKind.STOP_HUNT, direction, confidence, burst)


class TestWorkedNumbers:
    def test_the_weights_are_a_half_a_third_and_the_rest(self) -> None:
        assert list(WEIGHTS.values()) == [0.50, 0.35, 0.15]

    def test_stop_hunt_and_order_flow_agree(self) -> None:
        both = merge([hunt(confidence=70), say(AlertKind.ACCUMULATION, LONG, 80)])
        assert both.confidence == pytest.approx((0.50 * 70 + 0.35 * 80) / 0.85 + 7.0)
        assert round(both.confidence, 1) == 81.1
        assert both.direction is LONG
        assert both.sources == (AlertKind.STOP_HUNT, AlertKind.ACCUMULATION)

    def test_a_weaker_source_that_agrees_confirms_and_does_not_dilute(self) -> None:
        assert merge([hunt(), say(AlertKind.WHALE_ACCUMULATION, LONG, 60)]).confidence == pytest.approx(83.0)

    def test_all_three_agreeing_earn_ten_points(self) -> None:
        three = [hunt(), say(AlertKind.ACCUMULATION, LONG, 80), say(AlertKind.WHALE_ACCUMULATION, LONG, 80)]
        assert merge(three).confidence == pytest.approx(90.0)

    def test_opposite_directions_cancel_and_say_so(self) -> None:
        opposed = merge([hunt(), say(AlertKind.DISTRIBUTION, SHORT, 70)])
        assert opposed.direction is NEUTRAL
        assert opposed.is_opposed
        assert round(opposed.confidence, 1) == 75.9
        assert dict(opposed.evidence) == {"opposed_long_confidence": 80, "opposed_short_confidence": 70}


class TestSources:
    def test_the_heaviest_source_is_the_alert(self) -> None:
        weak = hunt(confidence=51)
        assert merge([say(AlertKind.ACCUMULATION, LONG, 99), weak]).lead is weak

    def test_one_burst_is_one_source_however_many_saw_it(self) -> None:
        alone = merge([hunt(NEUTRAL, burst="b")])
        seen_often = merge(
            [
                hunt(NEUTRAL, burst="b"),
                say(AlertKind.LIQUIDATION_ZSCORE, NEUTRAL, 95, "b"),
                say(AlertKind.VOLUME_SPIKE, NEUTRAL, 95, "b"),
            ]
        )
        assert seen_often.confidence == alone.confidence
        assert len(seen_often.sources) == 3

    def test_two_detectors_of_one_class_are_one_source(self) -> None:
        one = merge([hunt(NEUTRAL), say(AlertKind.VOLUME_SPIKE, NEUTRAL, 90)])
        two = merge(
            [
                hunt(NEUTRAL),
                say(AlertKind.VOLUME_SPIKE, NEUTRAL, 90),
                say(AlertKind.LIQUIDATION_ZSCORE, NEUTRAL, 60),
            ]
        )
        assert two.confidence == one.confidence

    def test_one_burst_does_not_contradict_itself(self) -> None:
        alone = merge([hunt(burst="b"), say(AlertKind.DISTRIBUTION, SHORT, 90, "b")])
        assert (alone.direction, alone.confidence, alone.sources) == (LONG, 80, (AlertKind.STOP_HUNT,))

    @pytest.mark.parametrize(
        ("cascade", "flow"), [(LONG, AlertKind.DISTRIBUTION), (SHORT, AlertKind.ACCUMULATION)]
    )
    def test_what_a_cascade_sold_by_itself_is_no_witness_against_the_way_back(
        self, cascade: Direction, flow: AlertKind
    ) -> None:
        against = SHORT if cascade is LONG else LONG
        during = merge([hunt(cascade, 100), say(flow, against, 90, began_s=-19)])
        assert (during.direction, during.is_opposed, during.sources) == (
            cascade,
            False,
            (AlertKind.STOP_HUNT,),
        )
        assert merge([hunt(cascade, 100), say(flow, against, 90, began_s=-21)]).is_opposed

    def test_a_faint_voice_cancels_nothing(self) -> None:
        faint = merge([hunt(confidence=100), say(AlertKind.DISTRIBUTION, SHORT, 49.9)])
        assert (faint.direction, faint.confidence) == (LONG, 100)
        assert merge([hunt(confidence=100), say(AlertKind.DISTRIBUTION, SHORT, 50)]).is_opposed
        # Nor does a faint source cancel a sure one because it is the heavier of the two.
        light = say(AlertKind.WHALE_DISTRIBUTION, SHORT, 90)
        assert merge([say(AlertKind.ACCUMULATION, LONG, 30), light]).sources == (AlertKind.ACCUMULATION,)

    def test_a_dispute_is_no_surer_than_its_lead(self) -> None:
        assert merge([hunt(confidence=60), say(AlertKind.DISTRIBUTION, SHORT, 99)]).confidence == 60

    def test_flow_that_began_with_the_cascade_adds_nothing_to_it(self) -> None:
        both = merge([hunt(), say(AlertKind.ACCUMULATION, LONG, 90, began_s=-10)])
        assert (both.confidence, len(both.sources)) == (80, 2)

    def test_a_finding_without_direction_lends_none_and_takes_none(self) -> None:
        building = merge([hunt(NEUTRAL), say(AlertKind.ACCUMULATION, LONG, 90)])
        assert building.direction is NEUTRAL
        assert building.sources == (AlertKind.STOP_HUNT,)
        assert building.confidence == 80

    @pytest.mark.parametrize("kind", [AlertKind.WHALE_POSITION, AlertKind.FUNDING_EXTREME, AlertKind.HEATMAP])
    def test_polled_kinds_are_never_merged(self, kind: AlertKind) -> None:
        assert weight_of(kind) == 0
        both = merge([hunt(), say(kind, SHORT, 90)])
        assert (both.direction, both.confidence, both.sources) == (LONG, 80, (AlertKind.STOP_HUNT,))
        assert merge([say(kind, SHORT, 90)]).confidence == 90


KINDS = st.sampled_from(
    [
        (AlertKind.STOP_HUNT, LONG),
        (AlertKind.STOP_HUNT, SHORT),
        (AlertKind.STOP_HUNT, NEUTRAL),
        (AlertKind.ACCUMULATION, LONG),
        (AlertKind.DISTRIBUTION, SHORT),
        (AlertKind.WHALE_ACCUMULATION, LONG),
        (AlertKind.WHALE_DISTRIBUTION, SHORT),
        (AlertKind.VOLUME_SPIKE, NEUTRAL),
        (AlertKind.LIQUIDATION_ZSCORE, NEUTRAL),
    ]
)
VOICES = st.lists(st.tuples(KINDS, st.integers(0, 99), st.sampled_from("ab")), min_size=1, max_size=6)


def voices(drawn: list[tuple[tuple[AlertKind, Direction], int, str]]) -> list[Finding]:
    # Distinct confidences: which of two equal ones leads is decided by name, and names have no mirror.
    return [
        say(kind, direction, points + place / 100, burst)
        for place, ((kind, direction), points, burst) in enumerate(drawn)
    ]


def numbers(candidate: Candidate) -> tuple[object, ...]:
    return (candidate.direction, candidate.confidence, candidate.is_opposed, candidate.lead.episode)


class TestEchoes:
    """Longs were liquidated from 20 s ago for 30 s; the push is down."""

    @pytest.mark.parametrize(
        ("kind", "direction", "began_s", "now_s", "is_one"),
        [
            (AlertKind.DISTRIBUTION, SHORT, -20, 0, True),
            (AlertKind.WHALE_DISTRIBUTION, SHORT, 5, 309, True),
            (AlertKind.DISTRIBUTION, SHORT, 5, 310, False),  # its five minutes hold none of it any more
            (AlertKind.DISTRIBUTION, SHORT, -21, 0, False),  # held before
            (AlertKind.ACCUMULATION, LONG, -10, 0, False),  # takes the other side
            (AlertKind.VOLUME_SPIKE, NEUTRAL, -10, 0, True),
            (AlertKind.LIQUIDATION_ZSCORE, NEUTRAL, -10, 0, True),
            (AlertKind.STOP_HUNT, NEUTRAL, -10, 0, False),
            (AlertKind.FUNDING_EXTREME, SHORT, -10, 0, False),
        ],
    )
    def test_a_detector_that_sees_the_same_orders_again_is_one(
        self, kind: AlertKind, direction: Direction, began_s: int, now_s: int, is_one: bool
    ) -> None:
        seen = replace(
            say(kind, direction, 90, began_s=began_s),
            ts_event_ms=NOW_MS + 1_000 * now_s,
            window_s=300,
            side=None,
        )
        assert is_echo(hunt(NEUTRAL), seen) is is_one
        other = replace(seen, direction=MIRROR[direction], kind=MIRROR.get(kind, kind))  # type: ignore[arg-type]
        assert is_echo(replace(hunt(NEUTRAL), side=LiquidatedSide.SHORT), other) is is_one


class TestLaws:
    @given(VOICES)
    def test_it_is_mirrored_when_the_market_is(self, drawn: list) -> None:  # type: ignore[type-arg]
        found = voices(drawn)
        mirrored = merge(
            [
                replace(f, direction=MIRROR[f.direction], kind=MIRROR.get(f.kind, f.kind))  # type: ignore[arg-type]
                for f in found
            ]
        )
        plain = merge(found)
        assert mirrored.direction is MIRROR[plain.direction]
        assert mirrored.confidence == pytest.approx(plain.confidence)
        assert [MIRROR.get(kind, kind) for kind in mirrored.sources] == list(plain.sources)
        assert [value for _, value in mirrored.evidence] == [value for _, value in plain.evidence][::-1]

    @given(VOICES, st.randoms(use_true_random=False))
    def test_the_order_of_findings_does_not_matter(self, drawn: list, chance: object) -> None:  # type: ignore[type-arg]
        found = voices(drawn)
        shuffled = list(found)
        chance.shuffle(shuffled)  # type: ignore[attr-defined]
        assert numbers(merge(shuffled)) == numbers(merge(found))

    @given(VOICES)
    def test_confidence_stays_within_points_and_agreement_within_ten(self, drawn: list) -> None:  # type: ignore[type-arg]
        found = voices(drawn)
        candidate = merge(found)
        assert 0 <= candidate.confidence <= 100
        assert candidate.confidence <= max(finding.confidence for finding in found) + 10

    @given(VOICES)
    def test_the_confidence_rises_no_faster_than_that_of_its_lead(self, drawn: list) -> None:  # type: ignore[type-arg]
        """The desk lets an episode sleep on this."""
        found = voices(drawn)
        before = merge(found)
        surer = [replace(f, confidence=f.confidence + 5) if f is before.lead else f for f in found]
        after = merge(surer)
        assert after.lead.episode == before.lead.episode
        assert after.confidence <= before.confidence + 5 + 1e-9
