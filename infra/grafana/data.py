"""Providers and data: who answers, how fast, at what price of budget, and how good the inputs are."""

from __future__ import annotations

from infra.grafana.panels import Query, Row, bars, lines, states, table

# Worse states have higher numbers: of several processes the worst is shown.
_STATES = ("not_configured", "unused", "ok", "degraded", "down", "auth_failed")
_COLORS = ("#808080", "#808080", "green", "orange", "red", "purple")


def data_rows() -> tuple[Row, ...]:
    """Providers, budget, inputs."""
    return (_providers(), _budget(), _inputs())


def _state_numbers() -> str:
    numbered = " or ".join(
        f'provider_state{{state="{state}"}} * {number}' for number, state in enumerate(_STATES)
    )
    return f"max by (provider) ({numbered})"


def _providers() -> Row:
    words = {number: (state.replace("_", " "), _COLORS[number]) for number, state in enumerate(_STATES)}
    return Row(
        "Providers",
        (
            states(
                "State of each provider",
                "degraded: the last call failed. down: left alone for a while. auth failed: the key is "
                "refused. not configured: no key, which is no fault.",
                words,
                Query(_state_numbers(), "{{provider}}"),
                width=12,
            ),
            lines(
                "Calls",
                "Calls a second to each provider, those without budget counted.",
                "reqps",
                Query("provider:upstream_calls:rate10m", "{{provider}}"),
                width=6,
            ),
            lines(
                "Failed calls",
                "Share of calls that ended without an answer that can be used. Spent budget is not counted "
                "here.",
                "percentunit",
                Query("provider:upstream_errors:ratio10m", "{{provider}}"),
                width=6,
                limits=(0.1, 0.3),
            ),
            lines(
                "Time of a call",
                "95 of 100 calls are faster, retries included.",
                "s",
                Query("provider:upstream_latency_seconds:p95", "{{provider}}"),
                limits=(2, 6),
            ),
            lines(
                "Last good answer",
                "Time since each provider last answered well, by the process that heard it last.",
                "s",
                Query("min by (provider) (provider_last_success_age_seconds)", "{{provider}}"),
            ),
            table(
                "What failed within the hour",
                "Calls that did not end well, the twenty most frequent.",
                Query(
                    "topk(20, sum by (provider, endpoint, outcome) "
                    '(increase(upstream_calls_total{outcome!~"ok|aborted"}[1h])) > 0)'
                ),
                ("provider", "endpoint", "outcome"),
                value="calls",
            ),
        ),
    )


def _budget() -> Row:
    return Row(
        "Budget",
        (
            bars(
                "Budget used",
                "Share of the calls of the present window that are spent. The planner leaves a tenth for "
                "questions.",
                "percentunit",
                Query("provider:quota_used:ratio", "{{provider}}"),
                high=1.0,
                limits=(0.92, 0.97),
            ),
            lines(
                "Calls left",
                "Calls left in the present window, as the process knows that knows of least.",
                "none",
                Query("min by (provider) (provider_quota_left_calls)", "{{provider}}"),
            ),
            lines(
                "Calls without budget",
                "Share of calls that found the budget spent, or were told so by the provider.",
                "percentunit",
                Query("provider:upstream_rate_limited:ratio10m", "{{provider}}"),
                limits=(0.05, 0.2),
            ),
            lines(
                "Answers from the cache",
                "Share of questions that needed no call. Higher is cheaper.",
                "percentunit",
                Query("provider:cache_answers:ratio5m", "{{provider}}"),
                high=1.0,
            ),
            lines(
                "Breakers",
                "1 while a provider is left alone after failing again and again.",
                "none",
                Query("max by (provider) (provider_breaker_open)", "{{provider}}"),
                high=1.0,
            ),
            lines(
                "Redis faults",
                "Commands a second that failed or were skipped; memory answered instead.",
                "ops",
                Query("sum by (role, reason) (rate(redis_faults_total[5m]))", "{{role}} {{reason}}"),
            ),
        ),
    )


def _inputs() -> Row:
    return Row(
        "Inputs of signals",
        (
            lines(
                "Age, most of them",
                "95 of 100 inputs were younger when a signal used them.",
                "s",
                Query("capability:signal_input_age_seconds:p95", "{{capability}}"),
            ),
            lines(
                "Too old",
                "Share of readings that were older than allowed, so that their factor counted as missing.",
                "percentunit",
                Query("capability:signal_inputs_stale:ratio15m", "{{capability}}"),
                limits=(0.1, 0.5),
            ),
            lines(
                "Missing",
                "Inputs that signals of the last hour had to do without, by input and why.",
                "none",
                Query("capability_reason:signal_inputs_missing:increase1h > 0", "{{capability}} {{reason}}"),
            ),
        ),
    )
