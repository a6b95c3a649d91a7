"""The coins and exchanges of the synthetic world: scale of prices, contracts, volumes and moods.

Owns the table and nothing that moves. Figures are of realistic size, not quotes of any day.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from app.sim.market import Coin, Floats

# Share of the whole market's volume, open interest and liquidations; tilted per coin by `exchange_shares`.
EXCHANGE_WEIGHT: dict[str, float] = {
    "Binance": 0.36,
    "OKX": 0.17,
    "Bybit": 0.18,
    "Bitget": 0.11,
    "Gate": 0.07,
    "MEXC": 0.06,
    "Hyperliquid": 0.05,
}
EXCHANGES = tuple(EXCHANGE_WEIGHT)


@dataclass(frozen=True, slots=True)
class CoinModel:
    """One coin's character.

    price_usd: middle of its range; decimals: of the price step. beta: reaction to the market's return;
    noise_frac: own hourly volatility. oi_base: coins held open in all; volume_usd: per hour, all exchanges.
    galaxy: middle of its social score. key: number of its random streams, fixed by its name.
    """

    coin: Coin
    key: int
    price_usd: float
    decimals: int
    beta: float
    noise_frac: float
    oi_base: float
    volume_usd: float
    galaxy: float


# base, name, price USD, coins per OKX contract, price decimals, beta, own volatility % per hour,
# open interest M USD, volume per day M USD, supply M coins, galaxy score, hours between fundings
_TABLE = """
BTC   Bitcoin 92000 0.01 1 1.00 0.05 62000 70000 19.9 75 8
ETH   Ethereum 3200 0.1 2 1.25 0.25 34000 52000 120.7 71 8
SOL   Solana 155 1 2 1.40 0.45 9500 14000 560 70 8
XRP   XRP 2.2 100 4 1.20 0.50 5200 7500 60000 68 8
BNB   BNB 880 0.01 1 0.90 0.30 1900 2100 138 66 8
DOGE  Dogecoin 0.17 1000 5 1.50 0.55 2600 4300 152000 64 8
ADA   Cardano 0.55 100 4 1.35 0.50 1100 1500 36500 62 8
TRX   TRON 0.28 1000 5 0.60 0.25 420 350 94700 63 8
AVAX  Avalanche 17 1 3 1.45 0.55 720 900 427 60 8
LINK  Chainlink 15 1 3 1.40 0.50 800 1100 697 65 8
DOT   Polkadot 2.9 1 3 1.35 0.50 330 420 1640 57 8
LTC   Litecoin 95 1 2 1.10 0.40 520 800 76.6 59 8
BCH   Bitcoin-Cash 520 0.1 1 1.10 0.45 420 450 19.9 57 8
UNI   Uniswap 6.4 1 3 1.40 0.65 420 560 630 60 8
ATOM  Cosmos 2.8 1 3 1.30 0.50 150 170 480 54 8
ETC   Ethereum-Classic 15.5 10 3 1.25 0.45 190 180 154 52 8
FIL   Filecoin 1.7 0.1 3 1.40 0.60 230 320 720 53 8
NEAR  NEAR 2.1 10 3 1.45 0.60 320 430 1280 61 8
APT   Aptos 2.6 1 4 1.45 0.60 170 240 730 55 8
ARB   Arbitrum 0.24 10 4 1.45 0.60 250 310 5600 58 8
OP    Optimism 0.36 1 4 1.45 0.60 160 210 1900 56 8
SUI   Sui 1.9 1 4 1.50 0.60 1000 1700 3700 66 8
INJ   Injective 6.1 0.1 3 1.45 0.60 110 140 100 58 8
SEI   Sei 0.15 10 5 1.45 0.65 140 190 6400 57 8
TIA   Celestia 0.72 1 4 1.45 0.75 160 220 850 54 4
WLD   Worldcoin 0.68 1 4 1.45 0.75 260 390 2400 59 8
AAVE  Aave 185 0.1 2 1.35 0.55 330 380 15.2 63 8
MKR   Maker 1500 0.01 1 1.10 0.50 60 50 0.85 52 8
HYPE  Hyperliquid 36 0.1 3 1.30 0.80 1700 1600 335 69 4
PEPE  Pepe 0.0000058 10000000 10 1.60 0.85 520 1100 420690000 61 8
SHIB  Shiba-Inu 0.0000091 1000000 9 1.40 0.60 210 240 589000000 60 8
BONK  Bonk 0.0000118 100000 9 1.55 0.85 130 260 82000000 58 8
WIF   dogwifhat 0.42 1 4 1.60 0.95 190 370 999 57 4
FET   ASI-Alliance 0.26 10 4 1.50 0.75 120 190 2300 60 8
1INCH 1inch 0.19 1 4 1.30 0.60 40 50 1400 50 8
ICP   Internet-Computer 4.4 0.01 3 1.40 0.65 180 230 540 58 8
TON   Toncoin 2.1 1 4 1.05 0.45 170 160 2500 62 8
CRV   Curve 0.48 1 4 1.40 0.70 190 250 1400 55 8
LDO   Lido 0.72 1 4 1.45 0.65 110 130 890 53 8
ORDI  ORDI 4.6 0.1 3 1.50 0.85 90 160 21 51 4
GALA  Gala 0.0105 10 5 1.45 0.70 90 130 46000 52 8
FLOKI Floki 0.000058 100000 8 1.50 0.80 60 120 9650000 56 8
"""
# Smaller coins are not listed everywhere; Binance and OKX list them all.
_ABSENT_FROM = {"MKR": ("Hyperliquid",), "FLOKI": ("Bitget", "Hyperliquid"), "ORDI": ("Gate",)}
_BINANCE_MULTIPLIER = {"PEPE": 1000, "SHIB": 1000, "BONK": 1000, "FLOKI": 1000}


def _parse(line: str, rank: int) -> CoinModel:
    base, name, *numbers = line.split()
    price, contract, decimals, beta, noise_pct, oi, volume, supply, galaxy, hours = map(float, numbers)
    multiplier = _BINANCE_MULTIPLIER.get(base, 1)
    coin = Coin(
        base,
        name.replace("-", " "),
        rank,
        contract,
        multiplier,
        int(hours),
        float(f"1e-{int(decimals)}"),
        supply * 1e6,
        _ABSENT_FROM.get(base, ()),
    )
    return CoinModel(
        coin=coin,
        key=int.from_bytes(base.encode()),
        price_usd=price,
        decimals=int(decimals),
        beta=beta,
        noise_frac=noise_pct / 100,
        oi_base=oi * 1e6 / price,
        volume_usd=volume * 1e6 / 24,
        galaxy=galaxy,
    )


MODELS: dict[str, CoinModel] = {
    model.coin.base: model for model in map(_parse, _TABLE.split("\n")[1:-1], range(1, 1000))
}


@cache
def exchange_shares(base: str) -> Floats:
    """Each exchange's share of one coin, in the order of `EXCHANGES`; they sum to 1, unlisted is 0."""
    tilt = np.random.default_rng([MODELS[base].key, 1]).normal(0, 0.25, len(EXCHANGES))
    weights = np.array(list(EXCHANGE_WEIGHT.values())) * np.exp(tilt)
    weights[[name in MODELS[base].coin.absent_from for name in EXCHANGES]] = 0.0
    return np.asarray(weights / weights.sum())
