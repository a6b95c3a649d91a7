"""What the figures of the scale demo mean: pure judgement of calls, leases, sums and messages.

Each `judge_*` answers one verdict with the numbers that decided it. No I/O; called by `scale_acts`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

WINDOW_S = 60.0
# A lease of eight seconds, and as much again for a busy machine to notice and to fill windows.
TAKE_OVER_S = 8.0
SLACK_S = 8.0
# A plan that is not nearly spent proves nothing.
PRESSED = 0.8
_LEASE = re.compile(r"lease:partition-(\d+)$")
_WORKER = re.compile(r"detect-(\d+)-")

Call: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the end. detail: the figures behind it."""

    name: str
    passed: bool
    detail: str

    def line(self) -> str:
        return f"{'PASS' if self.passed else 'FAIL'}  {self.name:<7} {self.detail}"


def busiest_window(times_s: Iterable[float], window_s: float = WINDOW_S) -> int:
    """The most of these moments within any half-open window: [0, 59.9, 60] of 60 s -> 2."""
    ordered = sorted(times_s)
    most = first = 0
    for last, at_s in enumerate(ordered):
        while at_s - ordered[first] >= window_s:
            first += 1
        most = max(most, last - first + 1)
    return most


def calls_about(calls: Iterable[Call], coins: Collection[str]) -> list[Call]:
    """Calls whose path or parameters name one of these coins: `LINK`, `LINKUSDT`, `LINK-USDT-SWAP`."""
    named = re.compile(rf"(?:^|[/,])(?:{'|'.join(map(re.escape, coins))})(?:$|[-_/,]|USD)")
    return [
        call
        for call in calls
        if named.search(str(call["path"]))
        or any(named.search(str(value)) for value in call["params"].values())
    ]


def per_resource(calls: Iterable[Call]) -> Counter[tuple[Any, ...]]:
    """How often each upstream resource was asked for."""
    return Counter((call["provider"], call["path"], *sorted(call["params"].items())) for call in calls)


def holders(leases: Mapping[str, str], names: Mapping[int, str]) -> dict[str, list[int]]:
    """Partitions by the process that holds them. leases: key -> token; names: process id -> name."""
    found: dict[str, list[int]] = {name: [] for name in names.values()}
    for key, token in leases.items():
        partition, owner = _LEASE.search(key), _WORKER.match(token)
        if partition and owner:
            found.setdefault(names.get(int(owner[1]), "gone"), []).append(int(partition[1]))
    return {name: sorted(numbers) for name, numbers in found.items() if numbers or name != "gone"}


def is_shared(held: Mapping[str, Sequence[int]], among: Collection[str], partitions: int) -> bool:
    """Every partition has an owner among these, and nobody holds more than the fair share."""
    share = -(-partitions // len(among))
    counts = {name: len(numbers) for name, numbers in held.items() if numbers}
    return (
        counts.keys() == set(among) and sum(counts.values()) == partitions and max(counts.values()) <= share
    )


def judge_quota(
    calls: Sequence[Call], *, limit: int, states: Mapping[int, int], signals: Mapping[int, int]
) -> Verdict:
    """Calls at CoinGlass of the whole run against the plan, nearly spent and none refused; every signal was
    answered, and no question failed. states, signals: answers by HTTP status."""
    own = [call for call in calls if call["provider"] == "coinglass" and call["endpoint"] != "ws"]
    most = busiest_window(call["atS"] for call in own)
    refused = sum(call["status"] == 429 for call in own)
    text = f"at most {most} calls in any {WINDOW_S:.0f} s of a plan of {limit}, {refused} refused"
    text += f"; {signals.get(200, 0)} of {sum(signals.values())} cold signals answered"
    is_kept = limit * PRESSED <= most <= limit and not refused
    return Verdict("quota", is_kept and signals.keys() == {200} and states.keys() <= {200, 429, 503}, text)


def judge_cache(
    together: Counter[tuple[Any, ...]], *, further: int, first: Mapping[str, Any], second: Mapping[str, Any]
) -> Verdict:
    """together: calls of both at once; further: calls of the second process's question after the first's;
    first, second: as-of time by input as each process told it."""
    most = max(together.values(), default=0)
    apart = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    text = f"{len(together)} resources asked for by two processes at once, at most {most} call each; "
    text += f"then {further} further calls for the other process, {len(first)} inputs of the same times"
    if apart:
        text += f" but {', '.join(apart)}"
    return Verdict("cache", most == 1 and not further and bool(first) and not apart, text)


def judge_stream(
    *, sockets: int, sent: int, stored: int, moved_s: float | None, shared_again_s: float | None, same: bool
) -> Verdict:
    """sockets: opened upstream in the whole run; same: whether both web processes tell what was sent."""
    text = f"{sockets} upstream socket, {stored} of {sent} events stored, "
    text += "sums as sent" if same else "sums NOT as sent"
    text += f"; after kill -9 all partitions at the other in {_seconds(moved_s)}"
    text += f", shared again {_seconds(shared_again_s)} after its return"
    in_time = moved_s is not None and moved_s <= TAKE_OVER_S + SLACK_S and shared_again_s is not None
    return Verdict("stream", sockets == 1 and sent == stored and same and in_time, text)


def judge_outbox(*, messages: int, stored: int, feeds: int, listed: int, delivers: int) -> Verdict:
    """messages: that name the coin in the chat; stored: rows of its alerts in the outbox; feeds, listed: web
    processes whose live feed and whose list have it."""
    text = f"{messages} Telegram message with {delivers} deliver processes, {stored} row in the outbox; "
    text += f"heard on {feeds} of 2 live feeds, listed by {listed} of 2 web processes"
    return Verdict("outbox", (messages, stored, feeds, listed) == (1, 1, 2, 2), text)


def judge_web(answers: Mapping[str, Collection[str]], *, alone: int, asked: int, status: int) -> Verdict:
    """answers: what each web process said (signal and score) in turns; alone: answers of 200 of the one that
    stayed, of `asked`; status: exit status of the one that was stopped."""
    said = {text for texts in answers.values() for text in texts}
    text = f"{len(answers)} processes in turns said {', '.join(sorted(said)) or 'nothing'}"
    text += f"; one stopped (status {status}), the other answered {alone} of {asked}"
    return Verdict("web", len(answers) == 2 and len(said) == 1 and alone == asked and status == 0, text)


def judge_end(*, listening: Collection[int], left: Collection[int]) -> Verdict:
    """Ports on which something still listens and children that are still there."""
    text = "every port is free and no child is left"
    if listening or left:
        text = f"ports in use: {sorted(listening)}; children left: {sorted(left)}"
    return Verdict("end", not listening and not left, text)


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"
