"""The idempotency key of a liquidation: the same event is the same number, in every process and for ever.

Python's own `hash` differs between processes. This one is the remainder of the packed facts, read as one long
integer, modulo a fixed prime: half the time of a cryptographic digest, and nobody gains from forging one.
Used by the stream and by the import of recorded files.
"""

from __future__ import annotations

from typing import Final

import msgspec

# MessagePack is fixed by its specification, so the bytes (and the id) are the same for ever: shortest form of
# integers, 64-bit floats.
pack = msgspec.msgpack.Encoder().encode
# The first prime from the golden ratio's 60 bits on: no structure that prices or times could share with it.
# Facts that differ within seven bytes (one more cent, one more millisecond) can never meet, since their
# difference is smaller than the prime; others meet once in 10^18. 60 bits, because such an integer takes 32
# bytes of memory and one of 64 bits 48: the stream remembers a hundred thousand.
PRIME: Final = 0x9E3779B97F4A7CD


def liquidation_id(
    source: str, exchange: str, pair: str, ts_event_ms: int, side: str, price: float, usd: float, nth: int
) -> int:
    """0 to 2^60, so it fits the signed 64 bits of a database.

    side: LONG or SHORT, the liquidated one. price and usd must be floats (1 and 1.0 pack differently). nth: 0
    for the first event with exactly these facts in that millisecond, 1 for the second: two real fills can be
    equal in everything.
    Worked number: ("coinglass", "Binance", "BTCUSDT", 1725416318379, "LONG", 56738.0, 3858.184, 0) is
    275,065,280,821,015,300. The key of the table adds coin and time: ids only have to differ within a
    millisecond of a coin.
    """
    facts = pack((source, exchange, pair, ts_event_ms, side, price, usd, nth))
    return int.from_bytes(facts, "big") % PRIME
