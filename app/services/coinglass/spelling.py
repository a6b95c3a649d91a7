"""What a caller wrote, in CoinGlass's own spelling: exchanges, coins, pairs, choices, bar sizes. Pure.

CoinGlass answers a name it does not know with nothing, and a list of exchanges with the sum over those it
does. So case and spaces are mended here, and what stays unknown is refused. Called by `validate`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.core.domain.symbol import strip_multiplier
from app.core.errors import InvalidParameter
from app.services.coinglass.catalog import INTERVALS

# The futures_supported_exchanges page; the spot pages show the same spellings and these few more.
_FUTURES = (
    "Binance OKX Bybit Bitget Gate Hyperliquid HTX Bitmex Bitfinex Deribit Kraken KuCoin CME dYdX CoinEx "
    "BingX Coinbase Gemini Crypto.com Bitunix MEXC WhiteBIT Aster Lighter EdgeX Drift Paradex Extended"
)
EXCHANGES = (*_FUTURES.split(), "ApeX Omni")
_SPOT_ONLY = ("Bitstamp", "Upbit", "Bithumb", "LBank", "Bitkub", "Bitso")
_BY_FOLD = {name.lower(): name for name in (*EXCHANGES, *_SPOT_ONLY)}
# Groups whose exchanges are these; wallets and assets on chain belong to many more.
_CHECKED_GROUPS = ("futures", "spot", "options")
# Their pairs are spelt like coins.
_COIN_LIKE = frozenset({"Hyperliquid", "Lighter", "CME", "EdgeX"})
_ALWAYS_COINS = frozenset({"BTC", "ETH", "SOL", "XRP", "DOGE", "BNB"})

_COIN = re.compile(r"[A-Za-z0-9]{1,15}(?:\([A-Za-z0-9]{1,10}\))?")
_QUOTED = re.compile(r"[A-Z0-9]{2,}(?:USDT|USDC|USD|PERP)", re.IGNORECASE)
_PAIR = re.compile(r"[A-Za-z0-9]{1,20}(?:[-_:][A-Za-z0-9]{1,10}){0,3}")
# Hyperliquid's kPEPE and Bitfinex's tBTCF0:USTF0: the small letter belongs to the name.
_SMALL_FIRST = re.compile(r"[kt][A-Z0-9:_-]+")
# Coins that end like a quote currency: FDUSD is a coin, BTCUSD a pair.
_COINS_LIKE_PAIRS = frozenset(
    {"FDUSD", "PYUSD", "TUSD", "BUSD", "SUSD", "GUSD", "CRVUSD", "LUSD", "USDT", "USDC"}
)
_OLD_SPELLINGS = {f"{name[-1]}{name[:-1]}": name for name in INTERVALS}
_MONTHS = re.compile(r"\d+M")


@dataclass(frozen=True, slots=True)
class Held:
    """Names this service holds by the provider's lists; empty while no list could be loaded."""

    exchanges: frozenset[str] = frozenset()
    coins: frozenset[str] = frozenset()
    # (exchange, pair in small letters) -> the pair as the exchange spells it.
    pairs: Mapping[tuple[str, str], str] = field(default_factory=dict)


NOTHING_HELD = Held()


def exchange(parameter: str, text: str, group: str, held: Held) -> str:
    """`binance` -> `Binance`. Raises: InvalidParameter for a name nobody lists."""
    known = (*EXCHANGES, *(_SPOT_ONLY if group.startswith("spot") else ()), *held.exchanges)
    by_fold = {name.lower(): name for name in known}
    found = by_fold.get(text.lower())
    if found is None and group.startswith(_CHECKED_GROUPS):
        listed = ", ".join(sorted(by_fold.values(), key=str.lower))
        raise InvalidParameter(parameter, f"no exchange is called {text[:20]!r}; there are {listed}")
    return found or text


def usual_name(text: str) -> str:
    """An exchange of an answer as the lists spell it: BINANCE -> Binance; unknown ones as they came."""
    return _BY_FOLD.get(text.lower(), text)


def exchange_list(parameter: str, text: str, group: str, held: Held) -> str:
    """`binance, OKX` -> `Binance,OKX`, each once; ALL where the page names it."""
    names = [name for part in text.split(",") if (name := part.strip())]
    if not names:
        raise InvalidParameter(parameter, f"names of exchanges: send {parameter}=Binance,OKX,Bybit")
    if group.endswith("order-book") and [name.upper() for name in names] == ["ALL"]:
        return "ALL"
    return ",".join(dict.fromkeys(exchange(parameter, name, group, held) for name in names))


def coin(parameter: str, text: str) -> str:
    """`btc` -> `BTC`. Raises: InvalidParameter for a pair."""
    is_pair = _QUOTED.fullmatch(text) is not None and text.upper() not in _COINS_LIKE_PAIRS
    if is_pair or _COIN.fullmatch(text) is None:
        raise InvalidParameter(parameter, "a coin such as BTC, not a pair: send symbol=BTC")
    return _upper(text)


def pair(parameter: str, text: str, on_exchange: str | None, held: Held) -> str:
    """`btcusdt` -> `BTCUSDT`. Raises: InvalidParameter for a coin, save on exchanges that spell pairs so."""
    listed = held.pairs.get((on_exchange or "", text.lower()))
    if listed is not None and _PAIR.fullmatch(listed) is not None:
        return listed
    upper = text.upper()
    is_coin = _QUOTED.fullmatch(text) is None and (
        upper in _ALWAYS_COINS or upper in held.coins or strip_multiplier(upper) in held.coins
    )
    if _PAIR.fullmatch(text) is None or (is_coin and on_exchange not in _COIN_LIKE):
        example = f"{upper}USDT" if is_coin else "BTCUSDT"
        told = f"a pair as the exchange spells it, not a coin: send exchange=Binance&symbol={example}"
        raise InvalidParameter(parameter, told)
    return _upper(text)


def choice(parameter: str, text: str, choices: Iterable[str]) -> str:
    """The choice with these letters, old bar sizes (`h4`) included.

    Capital M stays what it is: `1M` means a month elsewhere, and a minute is no answer to that.

    Raises:
        InvalidParameter: none of them.
    """
    by_fold = {one.lower(): one for one in choices}
    if text in by_fold.values():
        return text
    folded = text.lower()
    found = by_fold.get(folded) or by_fold.get(_OLD_SPELLINGS.get(folded, ""))
    if found is None or _MONTHS.fullmatch(text) is not None:
        raise InvalidParameter(parameter, f"one of {', '.join(by_fold.values())}")
    return found


def unit(parameter: str, text: str, of_coin: str | None) -> str:
    """`usd` -> `USD`; else the coin of `symbol`. Raises: InvalidParameter for anything else."""
    upper = text.upper()
    if upper not in ("USD", of_coin or upper):
        raise InvalidParameter(parameter, f"USD or the coin of symbol: send unit=USD or unit={of_coin}")
    return upper


def _upper(text: str) -> str:
    return text if _SMALL_FIRST.fullmatch(text) is not None else text.upper()
