"""What a decoding error says about an answer: cut short on its way, or simply wrong.

Pure. Providers ask it when a body does not decode: one that ends early is worth another try.
"""

from __future__ import annotations

import re

# msgspec says "truncated", except inside some values, where it names the place it stopped at.
_STOPPED_AT = re.compile(r"invalid (?:number|character) \(byte (\d+)\)$")


def ends_early(error: Exception, body: bytes) -> bool:
    """True when the decoder accepted all it got and wanted more: `[1.` does, `[1.]` does not."""
    text = str(error)
    stopped_at = _STOPPED_AT.search(text)
    return "truncated" in text or (stopped_at is not None and int(stopped_at[1]) >= len(body))
