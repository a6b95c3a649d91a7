"""alternative.me Fear & Greed, simulated: every figure is text, newest first, one value per UTC day.

`time_until_update` stands on the first row only, in seconds. Source: api.alternative.me/fng.
"""

from __future__ import annotations

from datetime import UTC, datetime

from app.sim.quotas import FixedWindows
from app.sim.wire import Call, Endpoint, Reply, json_reply

_DAY_MS = 86_400_000
_PER_MINUTE = 60
_DATE_FORMATS = {"us": "%m-%d-%Y", "cn": "%Y-%m-%d", "kr": "%Y-%m-%d", "world": "%d-%m-%Y"}
# Upper ends of the named bands.
_BANDS = ((24, "Extreme Fear"), (46, "Fear"), (54, "Neutral"), (75, "Greed"), (100, "Extreme Greed"))


class AlternativeMeServer:
    """The REST side below `/alternative-me`."""

    name = "alternative.me"

    def __init__(self, quota: FixedWindows) -> None:
        self._quota = quota
        self.endpoints = (Endpoint("fng", "/fng/", _fng), Endpoint("fng", "/fng", _fng))

    def admit(self, call: Call, endpoint: Endpoint) -> Reply | None:
        if not self._quota.take(call.client, _PER_MINUTE):
            return json_reply({"metadata": {"error": "Too many requests"}}, 429)
        return None

    def headers(self, call: Call) -> tuple[tuple[str, str], ...]:
        return ()

    def unknown(self, call: Call) -> Reply:
        return json_reply({"metadata": {"error": "Not found"}}, 404)

    def refuse(self, code: str, message: str) -> Reply:
        return json_reply({"name": "Fear and Greed Index", "data": [], "metadata": {"error": message}})


def classify(value: int) -> str:
    """The band's name. Worked: 24 -> Extreme Fear, 50 -> Neutral, 72 -> Greed."""
    return next(name for top, name in _BANDS if value <= top)


def _fng(call: Call) -> Reply:
    text = call.params.get("limit", "1")
    limit = int(text) if text.isdigit() else 1
    start_ms = 0 if limit == 0 else call.now_ms - (limit + 1) * _DAY_MS
    index = call.market.fear_greed(start_ms, call.now_ms + 1)
    rows = list(zip(index.open_ms.tolist(), index.values.tolist(), strict=True))[::-1]
    if limit:
        rows = rows[:limit]
    dates = _DATE_FORMATS.get(call.params.get("date_format", ""))
    data = [_row(round(value), at_ms, dates) for at_ms, value in rows]
    if data:
        data[0]["time_until_update"] = str((_DAY_MS - call.now_ms % _DAY_MS) // 1000)
    return json_reply({"name": "Fear and Greed Index", "data": data, "metadata": {"error": None}})


def _row(value: int, at_ms: int, dates: str | None) -> dict[str, str]:
    day = datetime.fromtimestamp(at_ms / 1000, tz=UTC)
    stamp = day.strftime(dates) if dates else str(at_ms // 1000)
    return {"value": str(value), "value_classification": classify(value), "timestamp": stamp}
