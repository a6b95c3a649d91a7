"""One coin's hourly history in the synthetic world: price, volume, open interest, funding, liquidations.

Owns how these hang together: a drop liquidates longs, forced orders shrink open interest, rising prices
crowd the funding, accounts lean against the move and top positions with it. Called by world only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.sim.market import Floats
from app.sim.world_coins import CoinModel
from app.sim.world_tide import CHUNK, PRICE_PHI, TIDE_VOL_FRAC, Decay, Tide, TideChunk, generator

_DAY_PHI = 1 - 1 / 24
_THREE_DAY_PHI = 1 - 1 / 72
_SLOW_PHI = 1 - 1 / 120
# Day trend, three-day trend, volume, open interest, funding, accounts, top accounts, positions, social.
_MOOD_PHIS = (_DAY_PHI, _THREE_DAY_PHI, 0.9, 1 - 1 / 400, 0.95, _SLOW_PHI, 0.97, _SLOW_PHI, _SLOW_PHI)
_FILTERS = Decay((PRICE_PHI, *_MOOD_PHIS))
_UNLEVER = Decay((_SLOW_PHI,))
_NOISES = 7  # the filters from volume on are driven by their own noise
# Stationary spread 1 for every filter but the price.
_SHOCK_SIZE = np.sqrt(1 - np.array(_MOOD_PHIS) ** 2)
# Trading by hour of the UTC day: quiet before Europe, busiest when the Americas open.
_BUSY = 1 + 0.3 * np.sin((np.arange(CHUNK) % 24 - 9) / 24 * 2 * np.pi)


@dataclass(frozen=True, slots=True)
class Hours:
    """Hourly columns from the world's first hour; values at the close of the hour.

    volume_base, buy_usd, sell_usd, long_usd, short_usd: whole market, in the hour (the latter two are
    liquidations). oi_base: coins. funding_frac: per 8 h. Shares are fractions; galaxy 0-100.
    """

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume_base: Floats
    buy_usd: Floats
    sell_usd: Floats
    oi_base: Floats
    funding_frac: Floats
    account_share: Floats
    top_account_share: Floats
    top_position_share: Floats
    galaxy: Floats
    long_usd: Floats
    short_usd: Floats


class CoinHours:
    """One coin's hours, made chunk by chunk; what was made never changes."""

    def __init__(self, model: CoinModel, tide: Tide, seed: int) -> None:
        self._model, self._tide, self._seed = model, tide, seed
        first = generator(seed, model.key, 0).normal(size=1 + _SHOCK_SIZE.size)
        self._typical_vol = float(np.hypot(TIDE_VOL_FRAC * model.beta, model.noise_frac))
        first[0] *= self._typical_vol / np.sqrt(1 - PRICE_PHI**2) * 0.7
        self._state: Floats = first
        self._unlevered: Floats = np.zeros(1)
        self._last_close = self._price(first[:1])[0]
        self._made: list[Floats] = []
        self._hours: Hours | None = None

    def until(self, hour: int) -> Hours:
        """All hours up to and including `hour` (more are made; callers cut at now)."""
        wanted = max(0, hour) // CHUNK + 1
        if self._hours is None or len(self._made) < wanted:
            while len(self._made) < wanted:
                index = len(self._made)
                self._made.append(self._make(index, self._tide.chunk(index)))
            self._hours = Hours(*np.concatenate(self._made, axis=1))
        return self._hours

    def _price(self, log_deviation: Floats) -> Floats:
        return np.asarray(np.round(self._model.price_usd * np.exp(log_deviation), self._model.decimals))

    def _make(self, index: int, tide: TideChunk) -> Floats:
        model = self._model
        rng = generator(self._seed, model.key, 1, index)
        ret = model.beta * tide.ret + model.noise_frac * tide.vol * rng.normal(size=CHUNK)
        moods = self._filter(rng, ret)
        price = self._candles(rng, moods[0], tide.vol)
        day, three_days, busy, lean, rate, crowd, top, position, social = moods[1:]
        volume_usd = (
            model.volume_usd * _BUSY * np.exp(0.35 * busy) * (0.45 + 0.7 * np.abs(ret) / self._typical_vol)
        )
        bought = np.clip(
            0.5 + 0.06 * np.tanh(ret / self._typical_vol) + rng.normal(0, 0.015, CHUNK), 0.2, 0.8
        )
        liquidated = _liquidated_fracs(rng, price)
        oi_base = model.oi_base * np.exp(0.08 * np.tanh(three_days) + 0.13 * lean - self._unlever(liquidated))
        oi_usd = oi_base * price[3]
        accounts = np.clip(0.61 - 0.07 * np.tanh(day) + 0.035 * crowd, 0.2, 0.88)
        return np.stack([
            *price,
            volume_usd / price[3],
            volume_usd * bought,
            volume_usd * (1 - bought),
            oi_base,
            np.clip(6e-5 + 7e-5 * three_days + 4e-5 * lean + 3e-5 * rate, -0.003, 0.003),
            np.round(accounts, 4),
            np.round(np.clip(accounts + 0.02 + 0.02 * top, 0.2, 0.9), 4),
            np.round(np.clip(0.53 + 0.03 * np.tanh(three_days) + 0.03 * position, 0.25, 0.8), 4),
            np.round(np.clip(model.galaxy + 1.5 * np.tanh(day) + 2.2 * social, 1, 99), 1),
            liquidated[0] * oi_usd,
            liquidated[1] * oi_usd,
        ])  # fmt: skip

    def _filter(self, rng: np.random.Generator, ret: Floats) -> Floats:
        shocks = np.empty((1 + _SHOCK_SIZE.size, CHUNK))
        shocks[0] = ret
        shocks[1:3] = ret / self._typical_vol
        shocks[3:] = rng.normal(size=(_NOISES, CHUNK))
        shocks[1:] *= _SHOCK_SIZE[:, None]
        moods = _FILTERS.run(shocks, self._state)
        self._state = moods[:, -1].copy()
        return moods

    def _candles(self, rng: np.random.Generator, log_deviation: Floats, vol: Floats) -> list[Floats]:
        """Open, high, low and close on the price step; each hour opens where the last one closed."""
        close = self._price(log_deviation)
        open_ = np.concatenate([[self._last_close], close[:-1]])
        self._last_close = close[-1]
        reach = 0.55 * self._typical_vol * vol * np.abs(rng.normal(size=(2, CHUNK)))
        step, decimals = self._model.coin.tick, self._model.decimals
        high = np.round(np.maximum(open_, close) * np.exp(reach[0]), decimals)
        low = np.round(np.minimum(open_, close) * np.exp(-reach[1]), decimals)
        return [open_, high, np.maximum(low, step), close]

    def _unlever(self, liquidated: Floats) -> Floats:
        """Log open interest missing because positions were closed by force; it comes back within days."""
        gone = _UNLEVER.run(2 * liquidated.sum(axis=0, keepdims=True), self._unlevered)
        self._unlevered = gone[:, -1].copy()
        return np.asarray(gone[0])


def _liquidated_fracs(rng: np.random.Generator, price: list[Floats]) -> Floats:
    """Share of open interest liquidated in each hour, rows (longs, shorts).

    Longs by the drop below the open, shorts by the rise above it, growing faster than the move because
    deeper prices meet more stops. Worked number without noise: a drop of 1 % -> 0.4 * 0.01 ** 1.5 = 0.04 %.
    """
    open_, high, low, _ = price
    moves = np.stack([np.log(open_ / low), np.log(high / open_)])
    noise = np.exp(0.4 * rng.normal(size=moves.shape))
    return np.asarray(np.minimum(noise * (2e-6 + 0.4 * np.maximum(moves, 0) ** 1.5), 0.05))
