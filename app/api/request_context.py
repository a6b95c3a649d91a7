"""Which request is being answered: the id for every log line that is written meanwhile.

Set by the edge, asked by the log chain. Tasks that a request starts inherit it; once the request is over they
are nobody's, however long they live.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar, Token

_NOTHING: Mapping[str, str] = {}


class Answering:
    """One request while it is answered: `begin`, then `end` in the same task."""

    __slots__ = ("_token", "names")

    def __init__(self, request_id: str) -> None:
        self.names: Mapping[str, str] = {"requestId": request_id}
        self._token: Token[Answering | None] | None = None

    def begin(self) -> None:
        self._token = _PRESENT.set(self)

    def end(self) -> None:
        self.names = _NOTHING
        if self._token is not None:
            _PRESENT.reset(self._token)


_PRESENT: ContextVar[Answering | None] = ContextVar("answering", default=None)


def request_names() -> Mapping[str, str]:
    """`requestId` of the request that is being answered here; empty outside of one."""
    present = _PRESENT.get()
    return _NOTHING if present is None else present.names
