"""Runs the bundled market simulator as a child process for demo and replay, and ends it with the parent.

The child listens on a free loopback port and exits by itself when its stdin closes, so that not even a killed
parent leaves one behind. Used by `app.main` only; benchmarks and tests start their own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from app.core.errors import ConfigurationError

# As on the Builder plan, on both sides: a demo asks for many coins at once.
LUNARCRUSH_PER_MINUTE = 100
# The keys are accepted by the simulator like any non-empty key; they open nothing anywhere else.
_ACCOUNTS = {
    "COINGLASS_API_KEY": "simulated-coinglass",
    "LUNARCRUSH_API_KEY": "simulated-lunarcrush",
    "COINAPI_KEY": "simulated-coinapi",
    "LUNARCRUSH_PER_MINUTE": str(LUNARCRUSH_PER_MINUTE),
    # A demo talks to the simulated Telegram, whoever is configured: its messages must reach nobody real.
    "TELEGRAM_BOT_TOKEN": "1:simulated-telegram",
    "TELEGRAM_CHAT_ID": "-1001234567890",
}
_PREFIXES = {
    "COINGLASS_BASE_URL": "coinglass",
    "OKX_BASE_URL": "okx",
    "LUNARCRUSH_BASE_URL": "lunarcrush",
    "COINAPI_BASE_URL": "coinapi",
    "ALTERNATIVE_ME_BASE_URL": "alternative-me",
    "TELEGRAM_BASE_URL": "telegram",
}


def provider_settings(base_url: str) -> dict[str, str]:
    """Setting names and values that point every provider at the simulator under `base_url`."""
    sockets = base_url.replace("http://", "ws://", 1)
    streams = {
        "COINGLASS_WS_URL": f"{sockets}/coinglass/ws-api",
        "OKX_WS_URL": f"{sockets}/okx/ws/v5/public",
    }
    return {name: f"{base_url}/{prefix}" for name, prefix in _PREFIXES.items()} | streams | _ACCOUNTS


@dataclass
class SimulatorChild:
    """A running simulator; use as a context manager."""

    args: Sequence[str]
    base_url: str = ""
    _process: subprocess.Popen[str] | None = None

    def __enter__(self) -> SimulatorChild:
        command = [sys.executable, "-m", "app.sim", "--port", "0", "--exit-with-parent"]
        command += ["--lunarcrush-per-minute", str(LUNARCRUSH_PER_MINUTE), *self.args]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line.startswith("simulator ready "):
            self._end()
            raise ConfigurationError("the market simulator did not start; its own message stands above")
        self.base_url = line.split()[-1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        if self._process is None:
            return
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
