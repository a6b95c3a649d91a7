"""config/alerts.toml: what is shipped, and what is refused by name."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from app.alerts_config import AlertsConfig, load_alerts_config
from app.core.alerting.policy import GateRules
from app.core.alerting.severity import URGENT_RATIO
from app.core.domain.alerts import ChatSettings, FilterLevel
from app.core.domain.flow_config import FlowConfig, Tier
from app.settings import load_settings
from app.settings_values import SettingsError

TOML = Path(__file__).parents[1] / "config" / "alerts.toml"


@pytest.fixture
def config() -> AlertsConfig:
    return load_alerts_config(load_settings({}).alerts_config)


class TestShippedFile:
    def test_it_says_what_the_detectors_are_built_with(self, config: AlertsConfig) -> None:
        tiers = config.tiers
        assert (
            FlowConfig(
                tier_1=Tier(**tiers.tier_1.model_dump()),
                tier_2=Tier(**tiers.tier_2.model_dump()),
                tier_3=Tier(**tiers.tier_3.model_dump()),
                tier_1_coins=frozenset(tiers.tier_1_coins),
                tier_2_coins=frozenset(tiers.tier_2_coins),
                **config.detectors.model_dump(),
            )
            == FlowConfig()
        )

    def test_it_names_every_number_of_the_detectors(self, config: AlertsConfig) -> None:
        named = {*type(config.detectors).model_fields, *type(config.tiers).model_fields}
        assert named == {field.name for field in fields(FlowConfig)}

    def test_it_says_what_the_gate_is_built_with(self, config: AlertsConfig) -> None:
        rules = config.gate.model_dump()
        assert rules.pop("urgent_ratio") == URGENT_RATIO
        assert GateRules(**rules) == GateRules()

    def test_it_says_where_a_chat_starts(self, config: AlertsConfig) -> None:
        given = config.chat.model_dump()
        given["level"] = FilterLevel(given["level"])
        assert ChatSettings(chat="x", **given) == ChatSettings(chat="x")


class TestRefusals:
    def refuse(self, tmp_path: Path, text: str) -> str:
        path = tmp_path / "alerts.toml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(SettingsError) as caught:
            load_alerts_config(path)
        return str(caught.value)

    @pytest.mark.parametrize(
        ("pattern", "replacement", "named"),
        [
            (r"cascade_usd = 200_000", "cascade_usd = 3_000_000", "tiers: cascade_usd must not rise"),
            (r"large_usd = 2_000", "large_usd = 0", "tiers.tier_3.large_usd"),
            (r'"SOL"', '"ETH"', "tiers: in two tiers: ETH"),
            (r'\["BTC", "ETH"\]', "[]", "tiers.tier_1_coins"),
            (r'"SOL"', '"S/L"', "tiers.tier_2_coins.0"),
            (r"cascade_side_share = 0.65", "cascade_side_share = 65", "detectors.cascade_side_share"),
            (r"cascade_side_share = 0.65", "cascade_side_share = 0.5", "detectors.cascade_side_share"),
            (r"cascade_verdict_s = 900", "cascade_verdict_s = 30", "detectors: cascade_verdict_s must be"),
            (r"spike_ratio = 3.0", "spike_ratio = nan", "detectors.spike_ratio"),
            (r"zscore_min = 3.0", "zscores_min = 3.0", "detectors.zscores_min"),
            (r"zscore_min = 3.0", "", "detectors.zscore_min"),
            (r"change_factor = 2.0", "change_factor = 1.0", "gate.change_factor"),
            (r"urgent_ratio = 5.0", "urgent_ratio = inf", "gate.urgent_ratio"),
            (r"forget_s = 3_600", "forget_s = 60", "gate.forget_s must not be smaller"),
            (r'"normal"', '"loose"', "chat.level"),
            (r"min_confidence = 70.0", "min_confidence = 170", "chat.min_confidence"),
            (r"hourly_cap = 50", "hourly_cap = -1", "chat.hourly_cap"),
            (r"\n\[chat\]", "\n[chats]", "chats"),
        ],
    )
    def test_a_key_that_makes_no_sense_is_named(
        self, tmp_path: Path, pattern: str, replacement: str, named: str
    ) -> None:
        text = TOML.read_text("utf-8")
        changed = re.sub(pattern, replacement, text, count=1)
        assert changed != text
        problem = self.refuse(tmp_path, changed)
        assert "alerts.toml: " in problem
        assert named in problem

    def test_a_broken_or_absent_file_is_named(self, tmp_path: Path) -> None:
        assert "not valid TOML" in self.refuse(tmp_path, "[gate\n")
        with pytest.raises(SettingsError, match="ALERTS_CONFIG: cannot read"):
            load_alerts_config(tmp_path / "absent.toml")

    def test_it_cannot_be_changed(self, config: AlertsConfig) -> None:
        with pytest.raises(ValueError, match="frozen"):
            config.gate.flip_s = 1  # type: ignore[misc]
