"""What a process needs for its data mode: live nothing, demo and replay a simulator of their own.

Shared by the commands that serve (`main`) and stream (`worker`).
"""

from __future__ import annotations

from contextlib import ExitStack

from app.core.clock import Clock, ReplayClock, SystemClock
from app.core.errors import ConfigurationError
from app.settings import Settings, load_settings
from app.simulator_child import SimulatorChild, provider_settings


def prepare(settings: Settings, stack: ExitStack) -> tuple[Clock, Settings]:
    """Clock and settings of the mode; a simulator lives as long as `stack`.

    Raises:
        ConfigurationError: a replay without a moment to start at, or a simulator that does not start.
    """
    if settings.data_mode == "live":
        return SystemClock(), settings
    if settings.data_mode == "demo":
        clock: Clock = SystemClock()
        args = ["--seed", str(settings.sim_seed), "--plan", settings.sim_plan]
    else:
        clock, args = _replay(settings)
    child = stack.enter_context(SimulatorChild(args))
    return clock, load_settings(data_mode=settings.data_mode, **provider_settings(child.base_url))


def _replay(settings: Settings) -> tuple[Clock, list[str]]:
    """One market clock for two processes: same start and speed, anchored on the shared monotonic clock."""
    if settings.replay_start_ms is None:
        raise ConfigurationError(
            "REPLAY_START: a replay needs a moment to start at, such as 2026-01-15T12:00Z"
        )
    clock = ReplayClock(start_ms=settings.replay_start_ms, speed=settings.replay_speed)
    args = ["--source", str(settings.replay_data), "--plan", settings.sim_plan]
    args += ["--start", str(settings.replay_start_ms), "--speed", str(settings.replay_speed)]
    return clock, [*args, "--anchor", repr(clock.anchor_s)]
