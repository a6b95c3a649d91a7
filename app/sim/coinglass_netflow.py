"""CoinGlass net flow of futures and spot: taker buys minus sells over windows that end now.

Sums of the same bars as the taker histories: five-minute ones for windows up to a day, hours beyond. The page
of one coin sends volumes as text, the list as numbers. Source: API v4 pages, checked 2026-01.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from app.sim.coin_view import DAY_MS, HOUR_MS, MINUTE_MS
from app.sim.coinglass_kinds import FUTURES, SPOT, Kind
from app.sim.coinglass_plans import Gate
from app.sim.coinglass_wire import SUCCESS_TRUE, CoinglassEndpoint, asked_market, listed, page_of
from app.sim.market import Floats, Int64s
from app.sim.wire import Call

_COIN_WINDOWS = (
    *("5m", "15m", "30m", "1h", "4h", "8h", "12h", "24h", "3d", "5d", "7d", "10d", "15d", "30d"),
    *("40d", "50d", "60d", "90d", "120d", "150d", "180d", "1y"),
)
_SPOT_LIST_WINDOWS = (
    *("5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "24h", "3d", "7d", "15d", "30d"),
)
_LIST_WINDOWS = (*_SPOT_LIST_WINDOWS, "40d", "50d", "60d", "90d", "120d")
_STEP_MS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS, "y": 365 * DAY_MS}


def length_ms(window: str) -> int:
    """Worked: "15m" -> 900,000."""
    return int(window[:-1]) * _STEP_MS[window[-1]]


class TakerSums:
    """Bought and sold USD of one coin in any window that ends now: five-minute bars, then hours."""

    def __init__(self, call: Call, kind: Kind, base: str, names: Sequence[str], longest_ms: int) -> None:
        self._now_ms = call.now_ms
        end_ms = call.now_ms + 1
        self._fine = self._load(call, kind, base, names, (5 * MINUTE_MS, call.now_ms - 2 * DAY_MS, end_ms))
        self._coarse = self._load(
            call, kind, base, names, (HOUR_MS, call.now_ms - longest_ms - HOUR_MS, end_ms)
        )

    @staticmethod
    def _load(
        call: Call, kind: Kind, base: str, names: Sequence[str], window: tuple[int, int, int]
    ) -> tuple[Int64s, Floats]:
        """(bar opens, running sums with a zero in front; rows bought and sold)."""
        parts = [kind.taker(call, base, name, window) for name in names]
        if not parts:
            return np.empty(0, np.int64), np.zeros((2, 1))
        sides = np.stack([sum((p[side].values for p in parts), np.zeros(1)) for side in (0, 1)])
        return parts[0][0].open_ms, np.cumsum(np.pad(sides, ((0, 0), (1, 0))), axis=1)

    @property
    def is_empty(self) -> bool:
        return not self._coarse[0].size

    def between(self, back_ms: int, until_ms: int = 0) -> tuple[float, float]:
        """(bought, sold) from `back_ms` ago until `until_ms` ago."""
        opens, sums = self._fine if back_ms <= 2 * DAY_MS else self._coarse
        first, stop = np.searchsorted(opens, [self._now_ms - back_ms, self._now_ms - until_ms])
        bought, sold = sums[:, stop] - sums[:, first]
        return float(bought), float(sold)


def _coin_netflow(kind: Kind) -> Callable[[Call], object]:
    def build(call: Call) -> object:
        coin, names = asked_market(call)
        known = call.market.last_price(coin.base) if coin else None
        if coin is None or known is None or not names:
            return []
        sums = TakerSums(call, kind, coin.base, names, 2 * length_ms("1y"))
        if sums.is_empty:
            return []
        row: dict[str, Any] = {"symbol": coin.base}
        for name in _COIN_WINDOWS:
            row |= _netflow_window(sums, name, known[0] * coin.circulating)
        return row

    return build


def _netflow_window(sums: TakerSums, name: str, cap_usd: float) -> dict[str, Any]:
    """Volumes as whole USD in text; the change against the window before; the cap ratio in percent."""
    ms = length_ms(name)
    (bought, sold), (bought_before, sold_before) = sums.between(ms), sums.between(2 * ms, ms)
    net, before = bought - sold, bought_before - sold_before
    return {
        f"taker_buy_volume_usd_{name}": f"{bought:.0f}",
        f"taker_sell_volume_usd_{name}": f"{sold:.0f}",
        f"net_flow_usd_{name}": f"{net:.0f}",
        f"net_flow_usd_change_percent_{name}": round((net - before) / abs(before) * 100, 2) if before else 0,
        f"net_flow_usd_{name}_market_cap_ratio": round(net / cap_usd * 100, 6),
    }


def _netflow_list(kind: Kind, windows: tuple[str, ...], net_name: Callable[[str], str]) -> Any:
    longest_ms = max(map(length_ms, windows))

    def build(call: Call) -> object:
        rows = []
        for coin in page_of(call, call.market.coins()):
            known = call.market.last_price(coin.base)
            sums = TakerSums(call, kind, coin.base, ("All",), longest_ms)
            if known is None or sums.is_empty:
                continue
            row: dict[str, Any] = {"symbol": coin.base, "market_cap": known[0] * coin.circulating}
            for name in windows:
                bought, sold = sums.between(length_ms(name))
                row[f"taker_buy_volume_usd_{name}"] = round(bought, 4)
                row[f"taker_sell_volume_usd_{name}"] = round(sold, 4)
                row[f"net_flow_usd_{net_name(name)}"] = round(bought - sold, 4)
            rows.append(row)
        return rows

    return build


def _family(kind: Kind, netflow_list: Callable[[Call], object]) -> tuple[CoinglassEndpoint, ...]:
    return (
        CoinglassEndpoint(
            f"{kind.id_prefix}coin_netflow",
            f"{kind.path}coin/netflow",
            listed(_coin_netflow(kind), SUCCESS_TRUE),
            ("symbol", "exchange_list"),
            gate=Gate.STARTUP,
            cache_ms=5000,
        ),
        CoinglassEndpoint(
            f"{kind.id_prefix}netflow_list",
            f"{kind.path}netflow-list",
            listed(netflow_list),
            gate=Gate.STARTUP,
            cache_ms=10_000,
        ),
    )


NETFLOW_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    *_family(FUTURES, _netflow_list(FUTURES, _LIST_WINDOWS, str)),
    # The spot page calls the week 7d in the volumes and 1w in the net flow.
    *_family(SPOT, _netflow_list(SPOT, _SPOT_LIST_WINDOWS, lambda name: "1w" if name == "7d" else name)),
)
