"""The one place where inside values become outside ones: rounding, ISO times, clipped text.

Nothing upstream rounds. A number that is not finite is a bug of ours and stops the answer here, so no
client ever reads NaN. Called by the render modules only.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from app.core.errors import InvariantViolation

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# C0, DEL, C1, and the bidirectional controls that can reorder what a reader sees.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


def places(value: float, digits: int) -> float:
    """`value` rounded to `digits` decimals; -0.0 becomes 0.0. Raises: InvariantViolation unless finite."""
    return round(_finite(value), digits) + 0.0


def significant(value: float, digits: int = 9) -> float:
    """`value` to significant digits, so that 0.00001182345678 keeps its precision: -> 0.0000118234568.

    Raises: InvariantViolation unless finite.
    """
    return float(f"{_finite(value):.{digits - 1}e}") + 0.0


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise InvariantViolation("a number in an answer is not finite")
    return value


def iso_utc(epoch_ms: int) -> str:
    """0 -> `1970-01-01T00:00:00.000Z`. Raises: InvariantViolation outside the years 1 to 9999."""
    try:
        moment = _EPOCH + timedelta(milliseconds=epoch_ms)
    except OverflowError as error:
        raise InvariantViolation("a time in an answer is outside the calendar") from error
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def age_s(as_of_ms: int, event_ms: int) -> float:
    """Seconds from the event to `as_of_ms`, not below 0 (provider clocks run ahead at times)."""
    return places(max(0, as_of_ms - event_ms) / 1000, 3)


def clip(text: str, max_chars: int) -> str:
    """Foreign text as plain data: control characters become spaces, the rest is cut to `max_chars`."""
    cleaned = _CONTROL.sub(" ", text).encode("utf-8", "replace").decode()
    return cleaned if len(cleaned) <= max_chars else cleaned[: max_chars - 1] + "…"
