"""Figures of the track record: the newest ones read, with how many trades stand behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from app.telemetry_labels import gauge


class HorizonFigures(Protocol):
    """The engine's trades at one horizon. trades: with an outcome; rates None without one."""

    @property
    def horizon(self) -> str: ...
    @property
    def trades(self) -> int: ...
    @property
    def win_rate_frac(self) -> float | None: ...
    @property
    def mean_return_frac(self) -> float | None: ...


class RecordCollector(Collector):
    """No sample where nothing is known: 0 would read as a rate."""

    def __init__(self, read: Callable[[], Sequence[HorizonFigures]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        trades = gauge("record_trades", "Trades of the engine that have an outcome.", "horizon")
        wins = gauge("record_win_rate_ratio", "Share of them that won; see record_trades.", "horizon")
        mean = gauge("record_mean_return_ratio", "Mean return of them after costs.", "horizon")
        for one in self._read():
            trades.add_metric([one.horizon], one.trades)
            if one.win_rate_frac is not None:
                wins.add_metric([one.horizon], one.win_rate_frac)
            if one.mean_return_frac is not None:
                mean.add_metric([one.horizon], one.mean_return_frac)
        yield from (trades, wins, mean)
