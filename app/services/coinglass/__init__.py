"""CoinGlass adapter: derivatives data of all exchanges. Only bootstrap imports this package."""

from app.services.coinglass.build import build_provider
from app.services.coinglass.provider import CoinGlassProvider

__all__ = ["CoinGlassProvider", "build_provider"]
