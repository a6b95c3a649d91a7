"""How many questions are let in: a bounded queue in front of a process that answers one at a time.

Pure: no loop, no clock, no socket. The door of the web server (`app.web_door`) asks before it takes a
question and tells when a round of answers begins and ends; the edge renders what needs more than fixed bytes.

A round is one turn of the event loop: what came in is read, then all of it is answered as far as it goes
without waiting for others. Whoever asks during a round waits for its end, so the length of a round is the
queue. Everyone is let in while the loop now and then finds nobody waiting, or rounds are short. Once somebody
was waiting every time for `patience_s` and a round took more than `bearable_s`, the questions of each round
are limited so that it takes about `target_s`; each round that finds nobody waiting opens the limit again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

# Short: whatever else the process does takes its turns between rounds, an answer made anew some fifteen.
TARGET_S: Final = 0.001
# The queue of fifty callers without a pause, who are served rather than refused.
BEARABLE_S: Final = 0.015
PATIENCE_S: Final = 0.1
# Let in at once whatever was measured: a tenth of a second of work.
MOST: Final = 512
# Probes and figures for operators, on top of the limit; more of them in one round are a flood.
PROBES: Final = 32
_SHRINK_AT_MOST: Final = 0.5
_GROWTH_FRAC: Final = 0.125
_REOPEN_FRAC: Final = 0.25


# Health, and the figures of operators, who want to see the flood.
PROBE_PATHS: Final = ("/health", "/metrics")
# Where the door leaves in the ASGI scope what it knows: a `Visit`, and whether this question is one too many.
GUEST_KEY: Final = "guest"
SHED_KEY: Final = "shed"


@dataclass(slots=True)
class Visit:
    """One connection. is_known: its last question came with a key or a session, where those are asked for."""

    is_known: bool = False


class Guest(IntEnum):
    """Who asks, least important first. STRANGER: on a connection that has not proved who it is."""

    STRANGER = 0
    KNOWN = 1
    PROBE = 2


class Admission:
    """The controller. `refused` counts since the start; `observe` is told how many at the end of a round."""

    def __init__(
        self,
        *,
        target_s: float = TARGET_S,
        bearable_s: float = BEARABLE_S,
        patience_s: float = PATIENCE_S,
        most: int = MOST,
        probes: int = PROBES,
        observe: Callable[[int], None] | None = None,
    ) -> None:
        self._target_s, self._bearable_s, self._patience_s = target_s, bearable_s, patience_s
        self._most, self._probes = most, probes
        self._observe = observe
        self._limit = float(most)
        self._let_in = self._probes_in = self._turned_away = self._answering = 0
        self._begun_s = self._begun_worked_s = self._read_worked_s = 0.0
        self._busy_since_s: float | None = None
        self.refused = 0

    @property
    def limit(self) -> int:
        """Questions of the next round."""
        return int(self._limit)

    @property
    def is_shedding(self) -> bool:
        """Whether the limit was measured, not just the bound of everything."""
        return self._limit < self._most

    def would_refuse(self, guest: Guest) -> bool:
        """Whether one more of this kind is one too many now."""
        if guest is Guest.PROBE:
            return self._probes_in >= self._probes
        limit = int(self._limit)
        if guest is Guest.STRANGER and self._limit < self._most:
            limit -= limit // 2  # the other half is for those who have been served before
        return self._let_in >= limit

    def admit(self, guest: Guest) -> bool:
        """Take one question into the round that is being read, or refuse it; counted either way."""
        if self.would_refuse(guest):
            self._turned_away += 1
            return False
        if guest is Guest.PROBE:
            self._probes_in += 1
        else:
            self._let_in += 1
        return True

    def begin(self, now_s: float, worked_s: float) -> None:
        """What was let in is about to be answered. Monotonic seconds, and processor seconds of the thread:
        what neighbours take of the machine says nothing about how much there is to do."""
        self._begun_s, self._begun_worked_s = now_s, worked_s
        self._answering = self._let_in
        refused = self._turned_away
        self._let_in = self._probes_in = self._turned_away = 0
        self.refused += refused
        if refused and self._observe is not None:
            self._observe(refused)

    def read(self, worked_s: float) -> None:
        """All of it has been answered or waits for others, and somebody is there who came meanwhile."""
        self._read_worked_s = worked_s

    def end(self, now_s: float, worked_s: float) -> None:
        """Everybody who came meanwhile has been let in or refused."""
        if not self._let_in and not self._turned_away:
            self._busy_since_s = None
            self._limit = min(self._most, self._limit * (1 + _REOPEN_FRAC) + 1)
            return
        if self._busy_since_s is None:
            self._busy_since_s = self._begun_s
        if not self.is_shedding:
            is_patient = now_s - self._busy_since_s < self._patience_s
            if is_patient or worked_s - self._begun_worked_s <= self._bearable_s:
                return
        answering_s = self._read_worked_s - self._begun_worked_s
        # However many there are to refuse, a third of the time goes to answers.
        target_s = max(self._target_s, (worked_s - self._read_worked_s) / 2)
        if answering_s > target_s:
            fitting = max(_SHRINK_AT_MOST, target_s / answering_s)
            self._limit = max(1.0, min(self._limit, self._answering) * fitting)
        else:
            self._limit = min(self._most, self._limit + max(1.0, self._limit * _GROWTH_FRAC))
