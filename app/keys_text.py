"""What the command for keys shows: rows of its list, one key in words, and how keys are changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from app.core.domain.access import KeyState, StoredKey
from app.settings import Settings

KEYS_EPILOG = """\
Changing a key without an outage:
  1. python -m app.keys create bot-2 --scopes read     a second key beside the old one
  2. give it to the client and see it used:            python -m app.keys list
  3. python -m app.keys revoke bot-1                   refused within seconds, everywhere
A key of API_KEYS is changed by adding a second entry, restarting, switching the client, and taking the first
one out. `hash` makes an entry that holds no key: NAME:sha256$HEX:SCOPES.
"""


def describe(key: StoredKey, now_ms: int) -> str:
    """`bot (read), never expires`."""
    until = "never expires" if key.expires_ms is None else f"expires {_time(key.expires_ms)}"
    return f"{key.name} ({'+'.join(sorted(key.scopes))}), {key.state(now_ms)}, {until}"


def rows_of(settings: Settings, keys: Sequence[StoredKey], now_ms: int) -> list[dict[str, str | None]]:
    """Keys of API_KEYS first; one of the database that has the name of one of these is shadowed by it."""
    own = [_row(key.name, "environment", KeyState.ACTIVE, key.scopes) for key in settings.api_keys]
    names = {key.name for key in settings.api_keys}
    return own + [_stored(key, key.name in names, now_ms) for key in keys]


def _stored(key: StoredKey, is_shadowed: bool, now_ms: int) -> dict[str, str | None]:
    state = key.state(now_ms)
    if state is KeyState.ACTIVE and is_shadowed:
        state = KeyState.SHADOWED
    return _row(key.name, "database", state, key.scopes) | {
        "created": _time(key.created_ms),
        "expires": _time(key.expires_ms),
        "revoked": _time(key.revoked_ms),
        "lastUsed": _time(key.last_used_ms),
    }


def _row(name: str, source: str, state: KeyState, scopes: frozenset[str]) -> dict[str, str | None]:
    nothing = dict.fromkeys(("created", "expires", "revoked", "lastUsed"))
    return {
        "name": name,
        "source": source,
        "state": state.value,
        "scopes": "+".join(sorted(scopes)),
        **nothing,
    }


def _time(ms: int | None) -> str | None:
    return None if ms is None else f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%dT%H:%MZ}"
