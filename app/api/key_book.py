"""Every key that is accepted now: those of the environment, then those that the command made.

Asked synchronously for every request by the edge and the sessions. Where both have a key of one name, the
environment's is the one, because a name stands for one caller in limits, cookies and the audit log.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.api.auth import find_key
from app.api.deps import StoredKeys
from app.api.options import ApiKey, ApiOptions
from app.core.domain.access import StoredKey


class KeyBook:
    """One per process."""

    def __init__(self, options: ApiOptions, stored: StoredKeys | None = None) -> None:
        """stored: None where there are only those of the environment."""
        self._own = options.api_keys
        self._names = frozenset(key.name for key in options.api_keys)
        self._stored = stored
        self._of: tuple[StoredKey, ...] = ()
        self._accepted = self._own

    def accepted(self) -> tuple[ApiKey, ...]:
        """The same object until something changes."""
        if self._stored is not None:
            active = self._stored.active()
            if active is not self._of:
                self._of = active
                self._accepted = (*self._own, *(_key(one) for one in active if not self.is_shadowed(one)))
        return self._accepted

    def find(self, authorization: str | None) -> ApiKey | None:
        """The key behind an `Authorization` header, and a note that it was used; None for no key of ours."""
        if authorization is None:
            return None
        key = find_key(authorization, self.accepted())
        if key is not None and self._stored is not None and key.name not in self._names:
            self._stored.use(key.name)
        return key

    def is_shadowed(self, key: StoredKey) -> bool:
        """Whether the environment has a key of this name, and this one is therefore not accepted."""
        return key.name in self._names

    def own(self) -> tuple[ApiKey, ...]:
        """Those of the environment."""
        return self._own

    def stored(self) -> Sequence[StoredKey]:
        """Every key of the table, revoked and expired ones too."""
        return () if self._stored is None else self._stored.all()


def _key(stored: StoredKey) -> ApiKey:
    return ApiKey.from_digest(stored.name, stored.digest, stored.scopes)
