"""What `debug=true` adds: raw inputs with units, every sub-computation, timing, cache and error text."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.api.schemas.base import AgeS, ApiModel, Detail, IsoTime, Name, RawValue, Sentence
from app.core.domain.context import Capability
from app.core.domain.quality import CacheState, MissingReason
from app.core.domain.signal import Basis, FactorName


class AttemptItem(ApiModel):
    """One source that was asked for one input."""

    provider: Name = Field(description="Who was asked.")
    endpoint: Name = Field(description="Our name of the upstream resource.")
    outcome: Literal["ok"] | MissingReason = Field(description="ok, or why it has no data.")
    latency_ms: float = Field(
        ge=0, description="Milliseconds from ask to answer, cache included; higher is slower."
    )
    cache: CacheState | None = Field(description="miss, hit or stale; null when it failed.")
    detail: Detail = Field(description="Error text, empty when ok.")


class InputItem(ApiModel):
    """One input: the newest values with source and age, or why there are none."""

    input: Capability = Field(description="Which input.")
    provider: Name | None = Field(description="Who answered; null when nobody did.")
    endpoint: Name | None = Field(description="Our name of the upstream resource; null when nobody answered.")
    label: Detail = Field(description="What exactly was measured, in words.")
    as_of: IsoTime | None = Field(description="Close of the newest bar or time of the event, UTC.")
    age_s: AgeS | None
    cache: CacheState | None = Field(description="miss, hit or stale; null when nobody answered.")
    points: int = Field(ge=0, description="Number of bars of history.")
    values: list[RawValue] = Field(max_length=6, description="The newest figures.")
    missing: MissingReason | None = Field(description="Why it is missing; null when it is there.")
    detail: Detail = Field(description="Why it is missing, in words; empty when it is there.")


class TracedInput(InputItem):
    """An input together with every source that was asked for it."""

    attempts: list[AttemptItem] = Field(max_length=8, description="Sources in the order they were asked.")


class Metric(ApiModel):
    """One step of a factor's computation."""

    name: Name = Field(description="Name of the step, with its unit.")
    value: float = Field(description="The result, in the unit that `name` says.")


class FactorDebug(ApiModel):
    """How one factor came to its score."""

    name: FactorName = Field(description="Which factor.")
    v: float = Field(ge=-1, le=1, description="Signed fraction: -1 bearish, 0 neutral, +1 bullish.")
    basis: Basis | None = Field(description="rank in own history, or absolute scale; null when not ok.")
    evidence: float | None = Field(
        description="What was measured, in `evidenceUnit`. Of liquidations, momentum and oi_trend the sign "
        "counts: positive is bullish, negative bearish."
    )
    evidence_unit: Name = Field(description="Unit of the evidence.")
    percentile: float | None = Field(
        ge=0,
        le=1,
        description="Fraction, 0 to 1, of the factor's own earlier values that lie below `evidence`; higher "
        "is nearer to its highest value. The percentile in `sentence` is the same, except for liquidations, "
        "momentum and oi_trend, where it ranks by size and leaves the sign aside.",
    )
    history_n: int = Field(ge=0, description="Number of earlier points ranked against.")
    detail: Detail = Field(description="Why it is stale or missing; empty when ok.")
    sentence: Sentence = Field(description="The factor in words; empty when not ok.")
    metrics: list[Metric] = Field(max_length=40, description="Every step of the computation.")


class SignalDebug(ApiModel):
    """Everything behind one signal."""

    elapsed_ms: float = Field(ge=0, description="Milliseconds from question to answer; higher is slower.")
    agreement: float = Field(
        ge=0,
        le=1,
        description="Fraction, 0 to 1: how far the factors point one way; higher is more agreement.",
    )
    strength: float = Field(
        ge=0,
        le=1,
        description="Fraction, 0 to 1: distance of the score from 50, full at 25 points; higher is stronger.",
    )
    factors: list[FactorDebug] = Field(max_length=8, description="All factors.")
    inputs: list[TracedInput] = Field(max_length=12, description="All inputs.")
