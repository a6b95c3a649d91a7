"""Prometheus' configuration and rules, by its own tools; every alert is tested both ways and explained."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml

from app.core.domain.context import Capability
from app.core.domain.engine_config import MaxAge
from app.core.domain.market import HOUR_MS
from app.settings import load_signals_config
from tests.prometheus_rig import FOLDER, ROOT, RULE_FILES, TEST_FILES, alerts, metrics_in, promtool, rules

RUNBOOK = ROOT / "docs" / "operations.md"
# What holds for every rule at once: no alert of any name.
ALL_QUIET = 'ALERTS{alertstate="firing", alertname!="Watchdog"}'
# Longest bar of any source; an hour where none is named.
LONGEST_BARS_MS = {Capability.FUNDING: 8 * HOUR_MS}


HOST_CONFIG = FOLDER / "prometheus.host.yml"


@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus.host.yml"])
def test_promtool_accepts_the_configuration(name: str, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("x")
    config = tmp_path / "prometheus.yml"
    text = (FOLDER / name).read_text("utf-8")
    config.write_text(re.sub(r"(?<=credentials_file: ).*", str(key), text))
    (tmp_path / "rules").symlink_to(FOLDER / "rules")
    assert f"{len(RULE_FILES)} rule files found" in promtool("check", "config", config)


@pytest.mark.parametrize("roles", [False, True], ids=["worker", "roles"])
def test_targets_of_a_host_have_the_labels_that_rules_ask_for(roles: bool) -> None:
    text = HOST_CONFIG.read_text("utf-8")
    if roles:  # as its comments say
        text = re.sub(r"(?m)^ +- targets: .*9101\]\n +labels: \{role: worker\}\n", "", text)
        text = re.sub(r"(?m)^( +)# (- targets|  labels)", r"\1\2", text)
    jobs = {job["job_name"]: job["static_configs"] for job in yaml.safe_load(text)["scrape_configs"]}
    assert jobs.pop("prometheus") == [{"targets": ["127.0.0.1:9090"]}]
    found = {name: [target["labels"]["role"] for target in targets] for name, targets in jobs.items()}
    assert found == {"web": ["web"], "worker": ["ingest", "detect", "deliver"] if roles else ["worker"]}
    asked = set(re.findall(r'job=~?"([a-z|]+)"', "\n".join(rule["expr"] for rule in rules())))
    # The proxy of such a host is none of ours.
    assert set("|".join(asked).split("|")) - {"prometheus", "proxy"} == set(jobs)


def test_promtool_accepts_the_rules() -> None:
    assert "SUCCESS" in promtool("check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)


@pytest.mark.parametrize("file", TEST_FILES, ids=lambda file: file.stem)
def test_rules_do_what_their_unit_tests_say(file: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", file)


def cases_of_alerts() -> Counter[tuple[str, bool]]:
    """How many unit tests each alert has, by whether it is expected to fire."""
    found: Counter[tuple[str, bool]] = Counter()
    for file in TEST_FILES:
        for case in yaml.safe_load(file.read_text("utf-8"))["tests"]:
            for check in case["promql_expr_test"]:
                if check["expr"] == ALL_QUIET:
                    assert case["name"].startswith("Nothing fires "), case["name"]
                    assert check["exp_samples"] == [], case["name"]
                    continue
                (name,) = re.findall(r'alertname="(\w+)"', check["expr"])
                assert case["name"].startswith(name), case["name"]
                found[name, bool(check["exp_samples"])] += 1
    return found


def test_every_alert_is_tested_to_fire_and_to_stay_silent() -> None:
    found = cases_of_alerts()
    assert {name for name, fires in found if fires} == set(alerts())
    # It never is silent: that is what it is for.
    assert {name for name, fires in found if not fires} == set(alerts()) - {"Watchdog"}


def test_what_is_well_and_looks_odd_is_tried_with_every_rule() -> None:
    healthy = yaml.safe_load((FOLDER / "tests" / "healthy.yml").read_text("utf-8"))
    assert {Path(file).name for file in healthy["rule_files"]} == {file.name for file in RULE_FILES}
    assert len(healthy["tests"]) >= 4


@pytest.mark.parametrize("name", alerts())
def test_an_alert_says_how_bad_it_is_what_to_do_and_where_to_read(name: str) -> None:
    rule = alerts()[name]
    assert "for" in rule
    assert set(rule["labels"]) == {"severity", "part"}
    assert rule["labels"]["severity"] in ({"none"} if name == "Watchdog" else {"urgent", "watch", "info"})
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    assert notes["runbook_url"] == f"docs/operations.md#{name.lower()}"
    assert len(notes["summary"]) <= 120
    assert notes["description"].count(". ") >= 1  # what is seen, then what to do
    assert "{{" not in notes["description"]


def labels_when_firing(name: str) -> set[str]:
    """Labels of the alert in its unit tests."""
    found = set()
    for file in TEST_FILES:
        for labels in re.findall(rf"'ALERTS{{(alertname=\"{name}\".*)}}'", file.read_text("utf-8")):
            found |= set(re.findall(r"(\w+)=", labels))
    return found


@pytest.mark.parametrize("name", alerts())
def test_a_text_names_only_labels_that_the_alert_has(name: str) -> None:
    named = set(re.findall(r"\$labels\.(\w+)", alerts()[name]["annotations"]["summary"]))
    assert named <= labels_when_firing(name)


def test_few_alerts_wake_somebody() -> None:
    urgent = [name for name, rule in alerts().items() if rule["labels"]["severity"] == "urgent"]
    assert 1 <= len(urgent) <= 10


def runbook_entries() -> dict[str, str]:
    text = RUNBOOK.read_text("utf-8").partition("\n## Runbook\n")[2].partition("\n## ")[0]
    parts = re.split(r"^### (\w+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_alert_has_a_runbook_entry_and_every_entry_an_alert() -> None:
    assert set(runbook_entries()) == set(alerts())


@pytest.mark.parametrize("name", alerts())
def test_a_runbook_entry_answers_what_somebody_woken_asks(name: str) -> None:
    entry = runbook_entries()[name]
    for question in ("**Means.**", "**Seen.**", "**Look.**", "**Do.**", "**Over**"):
        assert question in entry, question


def test_a_rule_reads_recorded_series_that_exist() -> None:
    known = {rule["record"] for rule in rules() if "record" in rule}
    for rule in rules():
        assert {name for name in metrics_in(rule["expr"]) if ":" in name} <= known


def test_an_input_is_stale_from_where_the_engine_leaves_it_out() -> None:
    (rule,) = (rule for rule in rules() if rule.get("record") == "capability:signal_inputs_stale:ratio15m")
    pairs = re.findall(r'capability=~?"([^"]+)",\s*le=~"(\d+)\(\[\.\]0\)\?"', rule["expr"])
    bounds_ms = {name: float(le) * 1000 for names, le in pairs for name in names.split("|")}
    max_age = MaxAge(**load_signals_config(ROOT / "config" / "signals.toml").max_age.model_dump())
    limits_ms = {
        item: max_age.limit_ms(item, LONGEST_BARS_MS.get(item, HOUR_MS))
        for item in Capability
        if item is not Capability.FEAR_GREED
    }
    assert set(bounds_ms) == set(limits_ms)
    for capability, allowed_ms in limits_ms.items():
        assert allowed_ms <= bounds_ms[capability] < 3 * allowed_ms, capability


def test_the_example_of_an_alertmanager_knows_our_alerts() -> None:
    config = yaml.safe_load((FOLDER / "alertmanager.example.yml").read_text("utf-8"))
    routes = [matcher for route in config["route"]["routes"] for matcher in route["matchers"]]
    assert routes == ['severity="urgent"', 'severity="watch"', 'alertname="Watchdog"']
    duties = re.findall(r'"duty", "([^"]+)"', alerts()["WorkerDown"]["expr"])
    known = {
        "alertname": set(alerts()),
        "duty": set(duties),
        "severity": {rule["labels"]["severity"] for rule in alerts().values()},
        "part": {rule["labels"]["part"] for rule in alerts().values()},
    }
    for rule in config["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            label, values = re.fullmatch(r'(\w+)=~?"([^"]+)"', matcher).groups()  # type: ignore[union-attr]
            assert set(values.split("|")) <= known[label], matcher


def inhibited_by(**source: str) -> set[str]:
    """Alerts of other parts that the example keeps quiet while this one fires."""
    config = yaml.safe_load((FOLDER / "alertmanager.example.yml").read_text("utf-8"))
    found: set[str] = set()
    for rule in config["inhibit_rules"]:
        if set(rule["source_matchers"]) == {f'{label}="{value}"' for label, value in source.items()}:
            ((label, values),) = re.findall(r'(\w+)=~?"([^"]+)"', " ".join(rule["target_matchers"]))
            assert label == "alertname", rule
            found |= set(values.split("|"))
    return found


def test_a_duty_that_nobody_does_keeps_quiet_what_follows_from_it_alone() -> None:
    by_duty = {
        duty: inhibited_by(alertname="WorkerDown", duty=duty)
        for duty in ("reading streams", "analysis", "sending")
    }
    assert "StreamDown" in by_duty["reading streams"]
    assert by_duty["sending"] == {"OutboxStuck"}
    assert not by_duty["analysis"] & {"StreamDown", "OutboxStuck", "NoMessageArrives", "AlertsLost"}
    assert not by_duty["reading streams"] & {"OutboxStuck", "NoMessageArrives", "AlertsLost"}
    assert "AlertsLost" not in inhibited_by(alertname="StoreDown")


def test_amtool_accepts_the_example_and_sends_each_alert_where_it_says() -> None:
    amtool = shutil.which("amtool")
    if amtool is None:
        pytest.skip("no amtool")
    file = FOLDER / "alertmanager.example.yml"
    subprocess.run([amtool, "check-config", file], check=True, capture_output=True, timeout=60)
    of_severity = {"urgent": "urgent", "watch": "watch", "info": "nobody", "none": "dead-man"}
    for name in ("StreamDown", "RestartsOfADay", "QuotaNearlyUsed", "Watchdog"):
        labels = {"alertname": name, **alerts()[name]["labels"]}
        given = [f"{label}={value}" for label, value in labels.items()]
        command = [amtool, "config", "routes", "test", f"--config.file={file}", *given]
        told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.split()
        assert told == [of_severity[labels["severity"]]], name


def test_the_limits_of_memory_are_those_of_the_stack() -> None:
    pairs = re.findall(r'role=~"([^"]+)"} > 0\.85 \* (\d+) \*', alerts()["MemoryNearLimit"]["expr"])
    known = {role: int(mebibytes) for roles, mebibytes in pairs for role in roles.split("|")}
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    of_the_stack = {}
    for role in ("web", "worker", "ingest", "detect", "deliver"):
        amount = services[role]["deploy"]["resources"]["limits"]["memory"]
        of_the_stack[role] = int(amount[:-1]) * {"M": 1, "G": 1024}[amount[-1]]
    assert known == of_the_stack


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('sum by (job) (rate(a_total{x=~"b|c"}[5m])) / (d:e:f > 0.5)', {"a_total", "d:e:f"}),
        ("x unless x offset 15m or vector(0)", {"x"}),
        ("time() - a > 8 * 3600 and b > 300e6 unless on () max(c)", {"a", "b", "c"}),
        ("histogram_quantile(0.9, sum by (le) (rate(h_bucket[1h])))", {"h_bucket"}),
    ],
)
def test_names_of_series_are_read_out_of_expressions(expression: str, names: set[str]) -> None:
    assert metrics_in(expression) == names
