"""Every CoinGlass endpoint of the simulator: all families in one tuple. Read by `coinglass` and tests."""

from __future__ import annotations

from app.sim.coinglass_etf import ETF_ENDPOINTS
from app.sim.coinglass_flow import FLOW_ENDPOINTS
from app.sim.coinglass_forced_orders import FORCED_ORDER_ENDPOINTS
from app.sim.coinglass_funding import FUNDING_ENDPOINTS
from app.sim.coinglass_grayscale import GRAYSCALE_ENDPOINTS
from app.sim.coinglass_history import HISTORY_ENDPOINTS
from app.sim.coinglass_hyperliquid import HYPERLIQUID_ENDPOINTS
from app.sim.coinglass_indexes import INDEX_ENDPOINTS
from app.sim.coinglass_indicator_lists import INDICATOR_LIST_ENDPOINTS
from app.sim.coinglass_indicators import INDICATOR_ENDPOINTS
from app.sim.coinglass_levels import LEVEL_ENDPOINTS
from app.sim.coinglass_lists import LIST_ENDPOINTS
from app.sim.coinglass_netflow import NETFLOW_ENDPOINTS
from app.sim.coinglass_onchain import CHAIN_ENDPOINTS
from app.sim.coinglass_options import OPTION_ENDPOINTS
from app.sim.coinglass_orderbook import ORDERBOOK_ENDPOINTS
from app.sim.coinglass_orders import ORDER_ENDPOINTS
from app.sim.coinglass_other import OTHER_ENDPOINTS
from app.sim.coinglass_positions import POSITION_ENDPOINTS
from app.sim.coinglass_spot import SPOT_ENDPOINTS
from app.sim.coinglass_spot_markets import SPOT_MARKET_ENDPOINTS
from app.sim.coinglass_tokens import TOKEN_ENDPOINTS
from app.sim.coinglass_wallets import WALLET_ENDPOINTS
from app.sim.coinglass_wire import CoinglassEndpoint

ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    *HISTORY_ENDPOINTS,
    *LIST_ENDPOINTS,
    *LEVEL_ENDPOINTS,
    *FLOW_ENDPOINTS,
    *NETFLOW_ENDPOINTS,
    *FUNDING_ENDPOINTS,
    *POSITION_ENDPOINTS,
    *SPOT_ENDPOINTS,
    *SPOT_MARKET_ENDPOINTS,
    *ORDERBOOK_ENDPOINTS,
    *ORDER_ENDPOINTS,
    *INDICATOR_ENDPOINTS,
    *INDICATOR_LIST_ENDPOINTS,
    *HYPERLIQUID_ENDPOINTS,
    *WALLET_ENDPOINTS,
    *FORCED_ORDER_ENDPOINTS,
    *INDEX_ENDPOINTS,
    *ETF_ENDPOINTS,
    *GRAYSCALE_ENDPOINTS,
    *OPTION_ENDPOINTS,
    *CHAIN_ENDPOINTS,
    *TOKEN_ENDPOINTS,
    *OTHER_ENDPOINTS,
)
