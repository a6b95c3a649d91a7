"""What a loop of the service does while the database is away: it says so once and goes on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from app.core.errors import StorageUnavailable


class Outage:
    """Of one loop: one line in the log per outage, however many rounds it lasts."""

    def __init__(self, log: logging.Logger, waits: str) -> None:
        """waits: what the line says, such as "evaluations wait for the database"."""
        self._log = log
        self._waits = waits
        self._is_on = False

    @contextmanager
    def survived(self) -> Iterator[None]:
        """Around one round: `StorageUnavailable` ends the round, any other error goes on."""
        try:
            yield
        except StorageUnavailable as error:
            if not self._is_on:
                self._log.warning(self._waits, extra={"why": str(error)})
            self._is_on = True
        else:
            self._is_on = False
