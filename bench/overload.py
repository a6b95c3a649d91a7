"""BENCH overload: three times what a web process can answer, for a minute (R19), and cold beside warm coins.

The service is `python -m app.main` on one core; simulator and load generator share the other. Capacity is the
highest rate of the steps tried at which nothing was refused and 99 % were answered within the limit.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from bench.children import child, cores, free_port, provider_env, simulator, wait_until_answers
from bench.load_figures import BIN_S
from bench.report import Figure
from bench.start import resident_mb

# A process that is watched by neighbours is late without any load: that much is allowed on top.
P99_LIMIT_MS, NOISE_TIMES = 50.0, 2.0
LIGHT_RATE = 50.0
# The search for the capacity begins at this part of what sixteen callers without a pause get.
FIRST_FRAC, STEP_UP, STEP_DOWN, MAX_STEPS_DOWN = 0.7, 1.1, 0.8, 8
STEP_S = 4.0
USUAL_FRAC = 0.7
USUAL_S = 20.0
TIMES = 3
OVERLOAD_S = float(os.environ.get("OVERLOAD_S", "60"))
# The promise: as usual again within this.
RECOVERED_S = 5.0
AFTER_S = 15.0
CONNECTIONS = 400
# Coins asked for now and then, each of which needs a gather of its own.
COLD_COINS = (
    "LTC",
    "DOT",
    "UNI",
    "ATOM",
    "ETC",
    "FIL",
    "NEAR",
    "APT",
    "ARB",
    "OP",
    "INJ",
    "SUI",
    "AAVE",
    "TON",
)
COLD_FRAC = 0.02
PATHS = ("/signals/BTC@4@warm", "/signals/ETH@2@warm", "/market/BTC@1@warm", "/api/signals@1@warm")


def run() -> list[Figure]:
    """See docs/benchmarks.md for every figure."""
    server_core, other_core = cores()
    port = free_port()
    with simulator("--plan", "professional", core=other_core) as base:
        env = {**provider_env(base), "PORT": str(port), "HOST": "127.0.0.1"}
        with child("app.main", env=env, core=server_core) as process:
            url = f"http://127.0.0.1:{port}"
            wait_until_answers(f"{url}/health/ready", 60)
            wait_until_answers(f"{url}/signals/BTC", 60)
            service = Service(url, process.pid, other_core)
            return [*figures_of_overload(service), *_mixed(service)]


class Service:
    """The web process under load, and the generator beside it."""

    def __init__(self, url: str, pid: int, core: int) -> None:
        self._url, self.pid, self._core = url, pid, core

    def load(self, phases: Sequence[tuple[float, float]], paths: Sequence[str]) -> list[dict[str, Any]]:
        """The figures of each phase (rate, seconds)."""
        course = ",".join(f"{rate:g}x{seconds:g}" for rate, seconds in phases)
        return self._generate(paths, "--phases", course, "--connections", str(CONNECTIONS))

    def _generate(self, paths: Sequence[str], *more: str) -> list[dict[str, Any]]:
        args = ["--url", self._url, "--core", str(self._core), *more]
        args += [part for path in paths for part in ("--path", path)]
        done = subprocess.run([sys.executable, "-m", "bench.load", *args], stdout=subprocess.PIPE, check=True)
        found: list[dict[str, Any]] = json.loads(done.stdout)["phases"]
        return found

    def capacity(self, paths: Sequence[str]) -> tuple[float, float]:
        """The highest rate it holds, and the p99 allowed meanwhile.

        Raises:
            RuntimeError: it holds none; the machine has no time for this.
        """
        (light,) = self.load([(LIGHT_RATE, STEP_S)], paths)
        limit_ms = max(P99_LIMIT_MS, NOISE_TIMES * light["admitted"]["p99Ms"])

        def is_held(rate: float) -> bool:
            # A second try, because one stall of the machine is not its capacity.
            tries = (self.load([(rate, STEP_S)], paths)[0] for _ in range(2))
            return any(
                not phase["refused"]["count"] and not phase["lost"] and phase["admitted"]["p99Ms"] <= limit_ms
                for phase in tries
            )

        # Sixteen callers without a pause keep it busy and make no queue.
        (busy,) = self._generate(paths, "--clients", "16", "--seconds", str(STEP_S))
        rate = FIRST_FRAC * busy["admitted"]["perS"]
        for _ in range(MAX_STEPS_DOWN):
            if is_held(rate):
                break
            rate *= STEP_DOWN
        else:
            raise RuntimeError(f"it does not hold {rate:.0f} questions a second")
        while is_held(rate * STEP_UP):
            rate *= STEP_UP
        return rate, limit_ms


def figures_of_overload(service: Service) -> list[Figure]:
    """Capacity, the usual, three times the capacity, and after."""
    path = ("/signals/BTC",)
    capacity, limit_ms = service.capacity(path)
    usual_rate = USUAL_FRAC * capacity
    (usual,) = service.load([(usual_rate, USUAL_S)], path)
    before_mb = resident_mb(service.pid)
    phases = [(TIMES * capacity, OVERLOAD_S), (usual_rate, RECOVERED_S), (usual_rate, AFTER_S)]
    flooded, at_first, after = service.load(phases, path)
    growth_mb = resident_mb(service.pid) - before_mb
    usual_ms, admitted_ms = usual["admitted"]["p99Ms"], flooded["admitted"]["p99Ms"]
    asked = f"{TIMES} x capacity for {OVERLOAD_S:g} s, {flooded['admitted']['count']} admitted"
    asked += f", generator late by {flooded['generatorLateMs']['p99']:.1f} ms (p99)"
    recovered = f"over normal_p99_ms, from {RECOVERED_S:g} s after the flood on; aim < 2"
    goodput = flooded["admitted"]["perS"] / capacity
    values = (
        ("capacity_per_s", capacity, "1/s", f"warm signal, p99 <= {limit_ms:.0f} ms, nothing refused"),
        ("normal_p99_ms", usual_ms, "ms", f"at {USUAL_FRAC} x capacity for {USUAL_S:g} s"),
        ("overload_admitted_p99_ms", admitted_ms, "ms", asked),
        ("overload_p99_ratio", admitted_ms / max(usual_ms, 1e-9), "x", "over normal_p99_ms; aim < 2"),
        ("overload_goodput_frac", goodput, "of capacity", "admitted per second over capacity_per_s"),
        ("refused_p99_ms", flooded["refused"]["p99Ms"], "ms", f"{flooded['refused']['count']} refused"),
        (
            "refused_without_retry_after",
            _unmarked(flooded, at_first, after),
            "answers",
            "or no problem+json; aim 0",
        ),
        (
            "lost",
            flooded["lost"] + at_first["lost"] + after["lost"],
            "questions",
            "no answer within 10 s; aim 0",
        ),
        (
            "recovery_s",
            recovery_s(at_first, after),
            "s",
            "until nobody was refused or lost any more; aim <= 5",
        ),
        ("recovered_p99_ratio", after["admitted"]["p99Ms"] / max(usual_ms, 1e-9), "x", recovered),
        ("rss_growth_mb", growth_mb, "MB", "of the process, over both phases; aim flat"),
    )
    return [Figure("overload", name, value, unit, context) for name, value, unit, context in values]


def _mixed(service: Service) -> list[Figure]:
    """Warm questions at half of what they can have, and a few for coins that need a gather."""
    warm, _ = service.capacity(PATHS)
    cold = [f"/signals/{coin}@{8 * COLD_FRAC / len(COLD_COINS):.6f}@cold" for coin in COLD_COINS]
    rates = [(0.5 * warm, 15.0), (TIMES * warm, 20.0)]
    half, flooded = service.load(rates, [*PATHS, *cold])
    figures = []
    for name, phase in (("half", half), ("flooded", flooded)):
        for label in ("warm", "cold"):
            found = phase["byLabel"].get(label, {"p99Ms": math.nan, "count": 0})
            context = (
                f"{found['count']} answers, {phase['refused']['count']} of all refused; {COLD_FRAC:.0%} cold"
            )
            figures.append(Figure("overload", f"mixed_{name}_{label}_p99_ms", found["p99Ms"], "ms", context))
    return figures


def _unmarked(*phases: Mapping[str, Any]) -> int:
    return sum(phase["refusedWithoutRetryAfter"] + phase["refusedNotProblem"] for phase in phases)


def recovery_s(*phases: Mapping[str, Any]) -> float:
    """The end of the last quarter second in which somebody was refused or lost, over phases in a row."""
    passed_s = last_s = 0.0
    for phase in phases:
        for begun_s, _, refused, lost, _ in phase["course"]:
            if refused or lost:
                last_s = passed_s + begun_s + BIN_S
        passed_s += phase["seconds"]
    return last_s
