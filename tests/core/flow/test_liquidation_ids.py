"""The idempotency key of a liquidation."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter

from app.core.flow.ids import PRIME, liquidation_id

FACTS = ("coinglass", "Binance", "BTCUSDT", 1_725_416_318_379, "LONG", 56_738.0, 3_858.184)


class TestLiquidationId:
    def test_the_worked_number(self) -> None:
        assert liquidation_id(*FACTS, 0) == 275_065_280_821_015_300

    def test_every_fact_and_the_count_make_another_id(self) -> None:
        others = [
            ("okx", "OKX", "BTCUSDC", 1_725_416_318_380, "SHORT", 56_738.1, 3_858.185)[k] for k in range(7)
        ]
        changed = [(*FACTS[:k], other, *FACTS[k + 1 :]) for k, other in enumerate(others)]
        ids = {liquidation_id(*FACTS, 0), liquidation_id(*FACTS, 1)}
        ids |= {liquidation_id(*facts, 0) for facts in changed}  # type: ignore[arg-type]
        assert len(ids) == 9

    def test_a_hundred_thousand_events_of_one_second_do_not_meet(self) -> None:
        draw = random.Random(3)
        facts = {
            ("coinglass", "OKX", "BTCUSDT", 1_764_000_000_000 + k % 1000, "LONG", 90_000.0 + k // 1000, usd)
            for k in range(100_000)
            for usd in (round(draw.uniform(1, 5_000), 2),)
        }
        ids = {liquidation_id(*fact, 0) for fact in facts}
        assert len(ids) == len(facts)
        assert all(0 <= number < 2**60 for number in ids)
        tenths = Counter(number * 10 // PRIME for number in ids)
        assert all(9_500 < tenths[k] < 10_500 for k in range(10))

    def test_another_process_gives_the_same(self) -> None:
        code = f"from app.core.flow.ids import liquidation_id; print(liquidation_id(*{FACTS!r}, 0))"
        env = {"PYTHONHASHSEED": "12345", "PYTHONPATH": "."}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
        assert int(done.stdout) == liquidation_id(*FACTS, 0)
