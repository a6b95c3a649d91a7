"""Which alert is being worked on: its id for every log line that is written meanwhile, messengers' included.

Set by the courier around a send, asked by the log chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice

# A digest holds hundreds; whoever looks for one finds the others beside it in the history.
_MOST = 5
_NOTHING: Mapping[str, str] = {}
_PRESENT: ContextVar[Mapping[str, str]] = ContextVar("alert", default=_NOTHING)


def alert_names() -> Mapping[str, str]:
    """`alertId` of what is being sent here; empty when nothing is."""
    return _PRESENT.get()


def told_ids(ids: Iterable[str]) -> str:
    """The first few of several alerts, for one line: `3f2a... 9b01...`."""
    return " ".join(islice(ids, _MOST))


@contextmanager
def about_alerts(ids: Iterable[str]) -> Iterator[None]:
    """Lines written inside are about these alerts."""
    token = _PRESENT.set({"alertId": told_ids(ids)})
    try:
        yield
    finally:
        _PRESENT.reset(token)
