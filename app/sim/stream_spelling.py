"""Frames of a simulated stream as they must not be: other spellings, other clocks, noise. Pure.

Called by `streams` for the faults `dialect`, `skew`, `garbage` and `huge`.
"""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

from app.sim.faults import Fault

_MIB = 1024 * 1024
# The time of an event, as CoinGlass (a number) and OKX (text) write it.
_TIME = re.compile(r'("(?:time|ts)":"?)(\d{13})')


def garbage(fault: Fault) -> str:
    """Noise: `value` bytes, or MiB when the fault is `huge`."""
    if fault.kind == "huge":
        return "0" * (int(fault.value or 64) * _MIB)
    return secrets.token_hex(max(1, int(fault.value or 64) // 2))


def respell(frame: str, fault: Fault) -> str:
    """The frame in another dialect, or with another clock."""
    if fault.kind == "skew":
        skew_ms = int(fault.value or 0)
        return _TIME.sub(lambda found: f"{found.group(1)}{int(found.group(2)) + skew_ms}", frame)
    return json.dumps(_in_dialect(json.loads(frame), fault.value), separators=(",", ":"))


def _in_dialect(frame: dict[str, Any], dialect: object) -> dict[str, Any]:
    """`channel`: an unknown name; `rows`: lists instead of objects; else another envelope."""
    if dialect == "channel":
        named = {"channel": "orders_v9"} if "channel" in frame else {"arg": {"channel": "orders-v9"}}
        return {**frame, **named}
    if dialect == "rows":
        return {**frame, "data": [list(row.values()) for row in frame["data"]]}
    return {"topic": frame.get("channel", "okx"), "payload": frame["data"]}
