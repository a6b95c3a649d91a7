"""An event loop on paper: a process that reads, answers and refuses in virtual time, for tests of admission.

Its turns are those of the real one: read what has come (refusing at once what is too much), then answer what
was let in; some questions need an answer that is made anew once a second, a piece in each turn, and wait.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from app.api.admission import Admission, Guest

READ_S, ANSWER_S, REFUSE_S, TURN_S = 40e-6, 140e-6, 20e-6, 10e-6
PIECES, PIECE_S = 15, 0.5e-3
CAPACITY_PER_S = 1 / (READ_S + ANSWER_S)


@dataclass
class Loop:
    """One process and its questions. rate_at: questions per second at a time."""

    admission: Admission
    rate_at: Callable[[float], float]
    seed: int = 1
    guest: Callable[[random.Random], Guest] = lambda _: Guest.KNOWN
    now_s: float = 0.0
    worked_s: float = 0.0
    answered: list[tuple[float, float]] = field(default_factory=list)
    refused: list[tuple[float, float]] = field(default_factory=list)
    fates: Counter[tuple[Guest, bool]] = field(default_factory=Counter)
    most_in_a_round: int = 0
    _fresh_until_s: float = -1.0
    _pieces_left: int = 0
    _waiting: list[float] = field(default_factory=list)

    def run(self, until_s: float) -> None:
        draw = random.Random(self.seed)
        due_s = self._next(draw, self.now_s)
        while self.now_s < until_s:
            if due_s > self.now_s and not self._pieces_left:
                self.now_s = due_s  # idle
            let_in, is_first = [], True
            read_from_s = self.now_s
            while due_s <= read_from_s:
                if is_first:
                    self.admission.read(self.worked_s)
                    is_first = False
                guest = self.guest(draw)
                is_let_in = self.admission.admit(guest)
                self._work(READ_S if is_let_in else REFUSE_S)
                self.fates[guest, is_let_in] += 1
                if is_let_in:
                    let_in.append(due_s)
                else:
                    self.refused.append((due_s, self.now_s - due_s))
                due_s = self._next(draw, due_s)
            if self._has_round:
                self.admission.end(self.now_s, self.worked_s)
            self._has_round = not is_first
            if self._has_round:
                self.admission.begin(self.now_s, self.worked_s)
            self.most_in_a_round = max(self.most_in_a_round, len(let_in))
            self._answer(let_in)

    _has_round: bool = False

    def _answer(self, let_in: list[float]) -> None:
        if self._pieces_left:
            self._work(PIECE_S)
            self._pieces_left -= 1
            if not self._pieces_left:
                self._fresh_until_s = self.now_s + 1.0
                for due_s in self._waiting:
                    self._work(ANSWER_S / 2)
                    self.answered.append((due_s, self.now_s - due_s))
                self._waiting.clear()
        for due_s in let_in:
            if self.now_s > self._fresh_until_s:
                self._pieces_left = self._pieces_left or PIECES
            if self.now_s > self._fresh_until_s and not self.admission.is_shedding:
                self._work(ANSWER_S / 2)
                self._waiting.append(due_s)
            else:
                self._work(ANSWER_S)
                self.answered.append((due_s, self.now_s - due_s))
        self._work(TURN_S)

    def _work(self, seconds: float) -> None:
        self.now_s += seconds
        self.worked_s += seconds

    def _next(self, draw: random.Random, after_s: float) -> float:
        return after_s + draw.expovariate(self.rate_at(after_s))


def between(facts: list[tuple[float, float]], begin_s: float, end_s: float) -> list[float]:
    """Latencies of what was due in between."""
    return sorted(took_s for due_s, took_s in facts if begin_s <= due_s < end_s)
