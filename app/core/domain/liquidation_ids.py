"""The idempotency key of a liquidation: the same event is the same number, in every process and for ever.

Python's own `hash` differs between processes; this one is BLAKE2b over the facts, 64 bit, signed because
databases have no unsigned integers.
"""

from __future__ import annotations

from hashlib import blake2b


def liquidation_id(
    source: str, exchange: str, pair: str, ts_event_ms: int, side: str, price: float, usd: float, nth: int
) -> int:
    """Signed 64-bit id.

    side: LONG or SHORT, the liquidated one. nth: 0 for the first event with exactly these facts in that
    millisecond, 1 for the second: two real fills can be equal in everything.
    Collisions: 5 million events in the same millisecond would share an id with probability 7e-7; the key of
    the table adds coin and time, so across time there are none.
    """
    facts = f"{source}\x1f{exchange}\x1f{pair}\x1f{ts_event_ms}\x1f{side}\x1f{price!r}\x1f{usd!r}\x1f{nth}"
    return int.from_bytes(blake2b(facts.encode(), digest_size=8).digest(), "big", signed=True)
