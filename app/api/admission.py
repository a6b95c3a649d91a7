"""How many questions are let in: a bounded queue in front of a process that answers one at a time.

Pure: no loop, no clock, no socket. The door of the web server (`app.web_door`) asks before it takes a
question and tells when a round of answers begins and ends; the edge renders what needs more than fixed bytes.

A round is one turn of the event loop: what came in is read, then all of it is answered as far as it goes
without waiting for others. Whoever asks during a round waits for its end, so the length of a round is the
queue. Everyone is let in while the loop now and then finds nobody waiting, or rounds are short. Once somebody
was waiting every time for `patience_s` and questions made a round longer than `bearable_s`, those of each
round are limited so that it takes about `target_s`; each that finds nobody waiting opens the limit again.

Callers who ask again as soon as they were answered never leave nobody waiting, and need no limit if they are
few. So now and then a trial lets in more and more. Rounds become longer, and a longer one finds more of a
flood waiting: then the trial has failed. Callers who wait for their answers are no more than they were; once
none of them was refused for a while, the refusing ends.
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
PATIENCE_S: Final = 0.2
# A flood that drew breath is no new one: for so long after the refusing ended it begins again at once.
FLOODED_S: Final = 2.0
# Let in at once whatever was measured: a tenth of a second of work.
MOST: Final = 512
# Probes and figures for operators, on top of the limit; more of them in one round are a flood.
PROBES: Final = 32
PROBES_AGAIN: Final = 8
# The same while questions are refused. AGAIN: of strangers' connections that had one a moment ago, together.
PROBES_SHEDDING: Final = 8
PROBES_AGAIN_SHEDDING: Final = 2
# Between two trials; each that fails doubles it. A trial that went well for so long ends the refusing.
TRIAL_AFTER_S: Final = 1.0
TRIAL_AFTER_AT_MOST_S: Final = 3.0
PROVED_S: Final = 0.25
_MORE_TIMES: Final = 1.5
_SHRINK_AT_MOST: Final = 0.5
_GROWTH_FRAC: Final = 0.125
_REOPEN_FRAC: Final = 0.25
_WEIGHT: Final = 0.2


# Health, and the figures of operators, who want to see the flood.
PROBE_PATHS: Final = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})
# Where the door leaves in the ASGI scope what it knows: a `Visit`, and whether this question is one too many.
GUEST_KEY: Final = "guest"
SHED_KEY: Final = "shed"


@dataclass(slots=True)
class Visit:
    """One connection. is_known: its last question came with a key or a session, where those are asked for."""

    is_known: bool = False


class Guest(IntEnum):
    """Who asks, least important first. STRANGER: on a connection that has not proved who it is. PROBE_AGAIN:
    a probe on a connection of a stranger that had one answered a moment ago."""

    STRANGER = 0
    KNOWN = 1
    PROBE_AGAIN = 2
    PROBE = 3


class Admission:
    """The controller. `refused` counts since the start; `observe` is told how many at the end of a round."""

    def __init__(
        self,
        *,
        target_s: float = TARGET_S,
        bearable_s: float = BEARABLE_S,
        patience_s: float = PATIENCE_S,
        most: int = MOST,
        observe: Callable[[int], None] | None = None,
    ) -> None:
        self._target_s, self._bearable_s, self._patience_s = target_s, bearable_s, patience_s
        self._most = most
        self._observe = observe
        self._limit = float(most)
        self._let_in = self._probes_in = self._turned_away = self._probes_away = 0
        self._answering = self._answering_probes = 0
        self._begun_s = self._begun_worked_s = self._read_worked_s = 0.0
        self._busy_since_s: float | None = None
        self._is_odd = False
        self._cost_s = 0.0
        self._ended_s = -FLOODED_S
        self._trial = _Trial()
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
        limit = int(self._limit)
        is_shedding = self._limit < self._most
        if guest >= Guest.PROBE_AGAIN:
            seldom, again = (
                (PROBES_SHEDDING, PROBES_AGAIN_SHEDDING) if is_shedding else (PROBES, PROBES_AGAIN)
            )
            return self._probes_in >= (seldom if guest is Guest.PROBE else again)
        if guest is Guest.STRANGER and is_shedding and self._trial.begun_s is None:
            # The other half is for those who have been served before; the only place is theirs in turn.
            limit = (limit + self._is_odd) // 2
        return self._let_in >= limit

    def admit(self, guest: Guest) -> bool:
        """Take one question into the round that is being read, or refuse it; counted either way."""
        is_probe = guest >= Guest.PROBE_AGAIN
        if self.would_refuse(guest):
            if is_probe:
                self._probes_away += 1
            else:
                self._turned_away += 1
            return False
        if is_probe:
            self._probes_in += 1
        else:
            self._let_in += 1
        return True

    def turn_away(self) -> None:
        """One was refused before it asked anything: counted, and no sign of a long round."""
        self._count(1)

    def begin(self, now_s: float, worked_s: float) -> None:
        """What was let in is about to be answered. Monotonic seconds, and processor seconds of the thread:
        what neighbours take of the machine says nothing about how much there is to do."""
        self._begun_s, self._begun_worked_s = now_s, worked_s
        self._answering, self._answering_probes = self._let_in, self._probes_in
        refused = self._turned_away + self._probes_away
        self._let_in = self._probes_in = self._turned_away = self._probes_away = 0
        self._is_odd = not self._is_odd
        if refused:
            self._count(refused)

    def _count(self, refused: int) -> None:
        self.refused += refused
        if self._observe is not None:
            self._observe(refused)

    def read(self, worked_s: float) -> None:
        """All of it has been answered or waits for others, and somebody is there who came meanwhile."""
        self._read_worked_s = worked_s

    def end(self, now_s: float, worked_s: float) -> None:
        """Everybody who came meanwhile has been let in or refused."""
        if not self._let_in and not self._turned_away:
            self._busy_since_s = None
            self._trial.begun_s = None
            was_shedding = self.is_shedding
            self._limit = min(self._most, self._limit * (1 + _REOPEN_FRAC) + 1)
            if was_shedding and not self.is_shedding:
                self._ended_s = now_s
            return
        if self._busy_since_s is None:
            self._busy_since_s = self._begun_s
        answering_s, came = self._answering_s(), self._let_in + self._turned_away
        if not self.is_shedding:
            is_new = now_s - self._ended_s > FLOODED_S
            is_patient = is_new and now_s - self._busy_since_s < self._patience_s
            if is_patient or worked_s - self._begun_worked_s <= self._bearable_s:
                return
            if not self._is_too_much(max(came, self._answering)):
                return  # long for another reason
            self._trial = _Trial(due_s=now_s + TRIAL_AFTER_S)
        if self._trial.begun_s is not None:
            self._go_on_trying(now_s, came)
            return
        self._steer(answering_s, worked_s - self._read_worked_s)
        self._trial.usual += _WEIGHT * (came - self._trial.usual)
        if now_s >= self._trial.due_s:
            self._trial.begin(now_s, self._limit)

    def _answering_s(self) -> float:
        """Of the round, what went to questions: probes have a bound of their own."""
        whole_s = self._read_worked_s - self._begun_worked_s
        asked = self._answering + self._answering_probes
        if not asked:
            return whole_s
        cost_s = whole_s / asked
        self._cost_s += _WEIGHT * (cost_s - self._cost_s) if self._cost_s else cost_s
        return whole_s * self._answering / asked

    def _is_too_much(self, questions: float) -> bool:
        """Whether so many in one round would make a queue that is no longer bearable."""
        return questions * self._cost_s > self._bearable_s

    def _steer(self, answering_s: float, refusing_s: float) -> None:
        # However many there are to refuse, a third of the time goes to answers.
        target_s = max(self._target_s, refusing_s / 2)
        if answering_s > target_s:
            fitting = max(_SHRINK_AT_MOST, target_s / answering_s)
            self._limit = max(1.0, min(self._limit, self._answering) * fitting)
        else:
            self._limit = min(self._most, self._limit + max(1.0, self._limit * _GROWTH_FRAC))

    def _go_on_trying(self, now_s: float, came: int) -> None:
        trial = self._trial
        trial.came += _WEIGHT * (came - trial.came)
        bearable = self._bearable_s / max(self._cost_s, 1e-9)
        is_longer = trial.came > _MORE_TIMES * trial.usual + 2 or self._is_too_much(trial.came)
        if is_longer or (self._turned_away and self._limit >= bearable):
            self._limit = trial.fail(now_s)
        elif self._turned_away:
            trial.refused_s = now_s
            self._limit = min(self._limit * (1 + _GROWTH_FRAC) + 1, bearable, self._most - 1)
        elif now_s - trial.refused_s >= PROVED_S:
            self._limit, self._busy_since_s, trial.begun_s = float(self._most), None, None


@dataclass(slots=True)
class _Trial:
    """Whether the callers are few, found out by letting in more. begun_s: None while there is none; usual and
    came: how many came per round before it and in it; refused_s: when it last refused one."""

    due_s: float = 0.0
    begun_s: float | None = None
    wait_s: float = TRIAL_AFTER_S
    usual: float = 0.0
    came: float = 0.0
    refused_s: float = 0.0
    limit_before: float = 1.0

    def begin(self, now_s: float, limit: float) -> None:
        self.begun_s = self.refused_s = now_s
        self.came, self.limit_before = self.usual, limit

    def fail(self, now_s: float) -> float:
        """The limit to go back to; the next trial comes later."""
        self.wait_s = min(TRIAL_AFTER_AT_MOST_S, 2 * self.wait_s)
        self.begun_s, self.due_s = None, now_s + self.wait_s
        return self.limit_before
