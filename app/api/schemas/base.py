"""What all answers share: camelCase names, no defaults, no unknown fields, only finite numbers.

Field types used by several schemas live here with their limits, so every limit is written once.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

NAME_CHARS = 60
DETAIL_CHARS = 160
SENTENCE_CHARS = 220
REASON_CHARS = 300

IsoTime = Annotated[
    str,
    Field(
        max_length=24,
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        json_schema_extra={"format": "date-time"},
    ),
]
Name = Annotated[str, Field(max_length=NAME_CHARS)]
Detail = Annotated[str, Field(max_length=DETAIL_CHARS)]
Near = Annotated[str, Field(max_length=20)]
Sentence = Annotated[str, Field(max_length=SENTENCE_CHARS)]
SymbolText = Annotated[
    str, Field(max_length=15, pattern=r"^[A-Z0-9]+$", description="Base asset in capitals, such as BTC.")
]
AgeS = Annotated[
    float,
    Field(
        ge=0,
        description="Age in seconds at `asOf`, counted from the bar's close or the event; higher is older.",
    ),
]


def to_camel(name: str) -> str:
    """`rate8h_frac` -> `rate8hFrac`: pydantic's own generator would write `rate8HFrac`."""
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


class ApiModel(BaseModel):
    """Base of every answer. A nullable field is always present."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
    )


class RawValue(ApiModel):
    """One raw figure with its unit."""

    name: Name = Field(description="What is measured.")
    value: float = Field(description="The figure, in `unit`.")
    unit: Name = Field(
        description="Unit, such as usd, base (coins), frac (0.01 = 1 %), frac_per_8h, score_0_100."
    )
