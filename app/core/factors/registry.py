"""The eight factors, in the order of the published table. Adding a factor: one file and one line here."""

from __future__ import annotations

from app.core.factors.base import Factor
from app.core.factors.fear_greed import FEAR_GREED
from app.core.factors.funding import FUNDING
from app.core.factors.liquidations import LIQUIDATIONS
from app.core.factors.long_short import LONG_SHORT
from app.core.factors.momentum import MOMENTUM
from app.core.factors.oi_trend import OI_TREND
from app.core.factors.smart_money import SMART_MONEY
from app.core.factors.social import SOCIAL

FACTORS: tuple[Factor, ...] = (
    LIQUIDATIONS,
    FUNDING,
    MOMENTUM,
    LONG_SHORT,
    SMART_MONEY,
    OI_TREND,
    SOCIAL,
    FEAR_GREED,
)
