"""Hash chains: each stored row carries the hash of the one before it, so that nobody can change the past.

Pure arithmetic over plain values; the store decides what is in a row. Changing, removing or inserting a row
anywhere but at the newest end of a chain breaks every hash after it. A chain's first row carries the hash of
the newest row that existed when the chain began (or `GENESIS`), which ties the chains of a service together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import TypeAlias

Facts: TypeAlias = Mapping[str, str | int | float | None]
GENESIS = "0" * 64


def link(prev_hash: str, facts: Facts) -> str:
    """SHA-256 (hex) of the previous hash and the facts in canonical JSON.

    Worked number: link(GENESIS, {"a": 1}) =
    f21735afd2cd6af4fc5804b0045cebfd545aef8396d29d030c39cb8880b45b7f.

    Raises:
        ValueError, TypeError: a fact is not finite, or is no fact.
    """
    return sha256(f"{prev_hash}\n{_canonical(facts)}".encode()).hexdigest()


def digest(facts: Facts) -> str:
    """SHA-256 (hex) of the facts alone. Raises: as `link`.

    Worked number: digest({"a": 1}) = 015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862.
    """
    return sha256(_canonical(facts).encode()).hexdigest()


def _canonical(facts: Facts) -> str:
    """JSON with sorted keys and no spaces."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
