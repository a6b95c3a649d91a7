"""BENCH start: how soon the web process lives, and what it weighs when idle."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from bench.children import child, cores, free_port, provider_env, simulator, wait_until_answers
from bench.report import Figure

RUNS = 5
IDLE_S = 3.0  # the idle figure is taken after start-up work (plan, instruments) is over


def run() -> list[Figure]:
    """live_s: process start to /health/live 200, median of five; rss_mb: resident memory when idle."""
    server_core, other_core = cores()
    live_s: list[float] = []
    rss_mb = 0.0
    with simulator(core=other_core) as base:
        for _ in range(RUNS):
            port = free_port()
            env = {**provider_env(base), "PORT": str(port), "HOST": "127.0.0.1", "PLANNER": "on"}
            with child("app.main", env=env, core=server_core) as process:
                live_s.append(wait_until_answers(f"http://127.0.0.1:{port}/health/live"))
                wait_until_answers(f"http://127.0.0.1:{port}/health/ready")
                time.sleep(IDLE_S)
                rss_mb = max(rss_mb, resident_mb(process.pid))
    return [
        Figure("start", "live_s", statistics.median(live_s), "s", f"median of {RUNS}; aim <= 1.5"),
        Figure("start", "rss_mb", rss_mb, "MB", f"idle, after ready, worst of {RUNS}; aim <= 140"),
    ]


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS line in /proc status")
