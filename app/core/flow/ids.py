"""The idempotency key of a liquidation: the same event is the same number, in every process and for ever.

Python's own `hash` differs between processes; this one is BLAKE2b over the packed facts, 64 bit, signed
because databases have no unsigned integers. Used by the stream and by the import of recorded files.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

# MessagePack is fixed by its specification, so the bytes (and the id) are the same for ever: shortest form of
# integers, 64-bit floats.
_pack = msgspec.msgpack.Encoder().encode


def liquidation_id(
    source: str, exchange: str, pair: str, ts_event_ms: int, side: str, price: float, usd: float, nth: int
) -> int:
    """Signed 64-bit id.

    side: LONG or SHORT, the liquidated one. price and usd must be floats (1 and 1.0 pack differently). nth: 0
    for the first event with exactly these facts in that millisecond, 1 for the second: two real fills can be
    equal in everything.
    Collisions: 5 million events in the same millisecond would share an id with probability 7e-7; the key of
    the table adds coin and time, so across time there are none.
    """
    facts = _pack((source, exchange, pair, ts_event_ms, side, price, usd, nth))
    return int.from_bytes(blake2b(facts, digest_size=8).digest(), "big", signed=True)
