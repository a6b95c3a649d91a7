"""CoinAPI times: ISO 8601 in UTC with seven decimals, in answers and in headers. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

# Seven decimals are one more than a datetime holds: the rest is cut, not rounded.
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?Z", re.ASCII)


def epoch_ms(text: str) -> int:
    """Epoch ms of an ISO time with any number of decimals: 2024-06-09T12:32:05.1239999Z ends in .123.

    Raises:
        ValueError: not ISO 8601 in UTC, or a time that does not exist.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("the time is not ISO 8601 in UTC")
    moment = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1000 + int((match[2] or "0").ljust(6, "0")) // 1000
