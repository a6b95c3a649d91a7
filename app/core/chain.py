"""Hash chains: each stored signal carries the hash of the one before it, so that nobody can change the past.

Pure arithmetic over plain values; the store decides what is in a row. Changing, removing or inserting a row
anywhere but at the newest end of a chain breaks every hash after it. A chain's first row carries the hash of
the newest row that existed when the chain began (or `GENESIS`), which ties the chains of a service together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256

GENESIS = "0" * 64


def link(prev_hash: str, facts: Mapping[str, str | int | float | None]) -> str:
    """SHA-256 (hex) of the previous hash and the facts in canonical JSON (sorted keys, no spaces, UTF-8).

    Worked number: link(GENESIS, {"a": 1}) =
    f21735afd2cd6af4fc5804b0045cebfd545aef8396d29d030c39cb8880b45b7f.
    """
    body = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return sha256(f"{prev_hash}\n{body}".encode()).hexdigest()
