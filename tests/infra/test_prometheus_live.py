"""The real Prometheus reads the running demo: names exist, panels show something, and all is quiet.

Rules are unit-tested elsewhere on made-up series; here the series are those of the service.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from tests.live_process import Service, running
from tests.live_rig import closed_port
from tests.prometheus_rig import (
    FOLDER,
    RULE_FILES,
    Json,
    exposed_names,
    metrics_in,
    panel_expressions,
    program,
    recorded,
    rules,
)

WAIT_S = 30.0
# What Prometheus makes itself.
OWN = {"up", "ALERTS"}
# Families of others, and why each is needed. Prometheus shows its own below; no test runs Caddy (2.11).
OF_PROMETHEUS = {
    "prometheus_rule_evaluation_failures_total": "a rule that fails is an alert that never comes",
    "prometheus_notifications_dropped_total": "an alert that fires and is told to nobody",
    "prometheus_notifications_alertmanagers_discovered": "without one, dropped is normal",
    "prometheus_config_last_reload_successful": "a changed file that is not in force",
}
OF_CADDY = {
    "caddy_http_request_duration_seconds_count": "502 is the word of the proxy, no process of ours counts it",
}
# What a single process does not have.
OF_ROLES = {"pipeline_backlog_frames"}
# What a healthy process of a few seconds has nothing of: faults, what takes minutes, what nobody did.
MAY_BE_EMPTY = {
    "overview.json: Win rate",
    "overview.json: Mean return",
    "overview.json: Trades behind it",
    "overview.json: Alerts that fire",
    "data.json: What failed within the hour",
    "data.json: Redis faults",
    "data.json: Missing",
    "stream.json: Rejected",
    "stream.json: Lag",
    "stream.json: Waiting for analysis",
    "stream.json: Faults of the worker",
    "stream.json: Alerts by fate",
    "stream.json: Messages",
    "stream.json: Time until delivered",
    "stream.json: Clients",
    "stream.json: Messages to them",
    "stream.json: Slow or refused clients",
}

# What tests beside this one may cause.
OF_A_BUSY_HOST = {"EventLoopStalls", "AnswersSlow"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    program("prometheus")
    with running("--demo", folder=tmp_path_factory.mktemp("demo")) as service:
        yield service


def loopback_config(port: int, own_port: int) -> str:
    """Our configuration with the demo in place of the stack, read ten times as often and by no key."""
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(file) for file in RULE_FILES]
    del config["alerting"]
    (web,) = (job for job in config["scrape_configs"] if job["job_name"] == "web")
    (itself,) = (job for job in config["scrape_configs"] if job["job_name"] == "prometheus")
    itself["static_configs"] = [{"targets": [f"127.0.0.1:{own_port}"]}]
    for of_the_stack in ("authorization", "dns_sd_configs", "relabel_configs"):
        del web[of_the_stack]
    web["static_configs"] = [{"targets": [f"127.0.0.1:{port}"], "labels": {"role": "web"}}]
    return yaml.safe_dump(config | {"scrape_configs": [web, itself]})


def answer(url: str, path: str, **query: str) -> Any:
    with urllib.request.urlopen(f"{url}{path}?{urlencode(query)}", timeout=10) as response:  # noqa: S310
        body = json.load(response)
    assert body["status"] == "success", body
    return body["data"]


@pytest.fixture(scope="module")
def prometheus(demo: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address, once it has read the demo several times and evaluated every rule."""
    folder = tmp_path_factory.mktemp("prometheus")
    config = folder / "prometheus.yml"
    own_port = closed_port()
    config.write_text(loopback_config(int(demo.url.rpartition(":")[2]), own_port))
    url = f"http://127.0.0.1:{own_port}"
    command = [program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address={url.removeprefix('http://')}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        demo.get("/signals/BTC")
        _wait_for(lambda: _samples(url, 'up{job="web"} == 1'))
        demo.get("/signals/ETH")  # between two readings, so that there is a rate
        # The last shares to come: they need two readings with signals and calls, and then an evaluation.
        _wait_for(lambda: _samples(url, "signals:coverage:mean15m"))
        _wait_for(lambda: _samples(url, "provider:upstream_errors:ratio10m"))
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _samples(url: str, expression: str) -> list[Json]:
    found: list[Json] = answer(url, "/api/v1/query", query=expression)["result"]
    return found


def _wait_for(what: Callable[[], object]) -> None:
    give_up_s = time.monotonic() + WAIT_S
    while time.monotonic() < give_up_s:
        try:
            if what():
                return
        except OSError:
            pass  # it has not opened its port
        time.sleep(0.2)
    raise AssertionError(f"not within {WAIT_S} s")


def test_every_series_that_is_read_is_one_the_service_shows(demo: Service) -> None:
    read = {name for rule in rules() for name in metrics_in(rule["expr"])}
    read |= {name for found in panel_expressions().values() for one in found for name in metrics_in(one)}
    shown = recorded() | OWN | OF_ROLES | set(OF_PROMETHEUS) | set(OF_CADDY)
    # The outbox is looked at some seconds after the start.
    _wait_for(lambda: "outbox_depth" in exposed_names(demo.get("/metrics").text))
    assert read - shown - exposed_names(demo.get("/metrics").text) == set()


def test_the_figures_of_others_are_all_read_and_prometheus_shows_its_own(prometheus: str) -> None:
    read = {name for rule in rules() for name in metrics_in(rule["expr"])}
    assert {name for name in read if name.startswith(("prometheus_", "caddy_"))} == {
        *OF_PROMETHEUS,
        *OF_CADDY,
    }
    _wait_for(lambda: _samples(prometheus, 'up{job="prometheus"} == 1'))
    for name in OF_PROMETHEUS:
        _wait_for(lambda name=name: _samples(prometheus, f'{name}{{job="prometheus"}}'))


def test_every_panel_of_a_healthy_demo_shows_something(prometheus: str) -> None:
    empty = {
        title
        for title, expressions in panel_expressions().items()
        if not any(_samples(prometheus, expression) for expression in expressions)
    }
    assert empty <= MAY_BE_EMPTY


def test_every_rule_can_be_evaluated_on_what_the_service_shows(prometheus: str) -> None:
    groups = answer(prometheus, "/api/v1/rules")["groups"]
    found = [rule for group in groups for rule in group["rules"]]
    assert len(found) == len(rules())
    assert {rule["name"]: rule.get("lastError") for rule in found if rule["health"] != "ok"} == {}


def test_a_healthy_demo_has_one_alert_that_it_is_a_demo(prometheus: str) -> None:
    def found() -> dict[str, str]:
        alerts = answer(prometheus, "/api/v1/alerts")["alerts"]
        named = {alert["labels"]["alertname"]: alert["annotations"]["summary"] for alert in alerts}
        assert named.pop("Watchdog", None) is not None
        return named

    def is_calm() -> bool:
        """One reading that came late on a busy host begins an alert, and the next one ends it."""
        return found().keys() - OF_A_BUSY_HOST == {"DemoDataInProduction"}

    _wait_for(is_calm)
    assert found()["DemoDataInProduction"] == "A process serves demo data, not the market"


def test_the_targets_of_the_stack_are_looked_up_and_asked_with_a_key() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert set(jobs) == {"web", "worker", "proxy", "prometheus"}
    ours = {name: jobs[name] for name in ("web", "worker")}
    for job in ours.values():
        assert job["authorization"]["credentials_file"] == "/run/secrets/metrics_key"
        assert job["relabel_configs"] == [{"source_labels": ["__meta_dns_name"], "target_label": "role"}]
    names = {
        name: lookup["port"]
        for job in ours.values()
        for lookup in job["dns_sd_configs"]
        for name in lookup["names"]
    }
    assert names == {"web": 8000, "worker": 9100, "ingest": 9100, "detect": 9100, "deliver": 9100}
    fixed = {name: jobs[name]["static_configs"] for name in ("proxy", "prometheus")}
    assert fixed == {"proxy": [{"targets": ["proxy:2020"]}], "prometheus": [{"targets": ["localhost:9090"]}]}
