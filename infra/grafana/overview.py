"""The overview: one page for whoever was woken. What is wrong, what traders get, how the processes do."""

from __future__ import annotations

from infra.grafana.panels import Query, Row, bars, figure, lines, names, shares, table

_PROCESS = 'role=~"$role", job=~"web|worker"'
_LEGEND = "{{role}} {{instance}}"


def overview_rows() -> tuple[Row, ...]:
    """From what is urgent to what explains it."""
    return (_wrong_now(), _signals(), _answers(), _record(), _processes())


def _wrong_now() -> Row:
    return Row(
        "What is wrong now",
        (
            table(
                "Alerts that fire",
                "Empty is good. urgent wakes somebody. Each has an entry in docs/operations.md: what it "
                "means, how to look, what to do.",
                Query('ALERTS{alertstate="firing", severity!="none"}'),
                ("severity", "alertname", "part", "role", "provider", "source", "instance"),
                width=14,
            ),
            figure(
                "Urgent",
                "How many urgent alerts fire.",
                "none",
                Query('count(ALERTS{alertstate="firing", severity="urgent"}) or vector(0)', "urgent"),
                width=3,
                limits=(1, 1),
            ),
            names(
                "Data",
                "live is the market. demo is simulated, replay is the past.",
                Query("count by (data_mode) (service_info)", "{{data_mode}}"),
                width=3,
            ),
            bars(
                "Processes that answer",
                "How many of each answer Prometheus. A role that should be here and is not is down.",
                "none",
                Query('sum by (role) (up{job=~"web|worker"})', "{{role}}"),
                width=4,
            ),
        ),
    )


def _signals() -> Row:
    return Row(
        "What traders get",
        (
            lines(
                "Signals per hour",
                "Signals computed within the hour before each moment, by side. Every watched coin is "
                "evaluated once an hour, questions come on top.",
                "none",
                Query("direction:signals:increase1h", "{{direction}}"),
                is_stacked=True,
            ),
            shares(
                "Signal mix of a day",
                "Sides of all signals of the last 24 hours. All of one side for a day is worth a look.",
                "none",
                Query("sum by (direction) (increase(signals_total[24h]))", "{{direction}}"),
                width=4,
            ),
            lines(
                "Coverage",
                "Share of the weights that had data, mean of 15 minutes. Below 50 % a signal is NEUTRAL "
                "whatever happens.",
                "percentunit",
                Query("signals:coverage:mean15m", "coverage"),
                width=6,
                high=1.0,
            ),
            lines(
                "Freshness",
                "Age of the inputs as signals used them, median by input. Prices are seconds old, hourly "
                "bars up to an hour.",
                "s",
                Query("capability:signal_input_age_seconds:p50", "{{capability}}"),
                width=6,
            ),
        ),
    )


def _answers() -> Row:
    return Row(
        "Answers",
        (
            lines(
                "Requests",
                "Requests a second by route, the ten busiest.",
                "reqps",
                Query("topk(10, sum by (route) (job_route:http_requests:rate5m))", "{{route}}"),
            ),
            lines(
                "Time of an answer",
                "Half, 95 and 99 of 100 answers are faster than this. Sessions of assistants and exports "
                "are left out.",
                "s",
                Query('job:http_request_duration_seconds:p50{job="web"}', "half"),
                Query('job:http_request_duration_seconds:p95{job="web"}', "95 of 100"),
                Query('job:http_request_duration_seconds:p99{job="web"}', "99 of 100"),
                limits=(3, 8),
            ),
            lines(
                "Failed requests",
                "Share of requests answered with a status of 500 or above. 503 has its cause elsewhere, 500 "
                "is a bug.",
                "percentunit",
                Query('job:http_errors:ratio5m{job="web"}', "failed"),
                limits=(0.01, 0.05),
                width=4,
            ),
            lines(
                "Refused",
                "Requests a second refused at the door, by why. overload: add web processes; the others are "
                "the caller's.",
                "reqps",
                Query("reason:http_refused:rate5m", "{{reason}}"),
                width=4,
            ),
        ),
    )


def _record() -> Row:
    return Row(
        "Record",
        (
            bars(
                "Win rate",
                "Share of finished trades of the record that hit the target first, by horizon. Few trades "
                "say little: see beside.",
                "percentunit",
                Query("max by (horizon) (record_win_rate_ratio)", "{{horizon}}"),
                high=1.0,
            ),
            bars(
                "Mean return",
                "Mean return of a trade after costs, by horizon, of the amount put in.",
                "percentunit",
                Query("max by (horizon) (record_mean_return_ratio)", "{{horizon}}"),
                low=None,
            ),
            bars(
                "Trades behind it",
                "Finished trades, by horizon. Below 100 the two figures beside are mostly luck.",
                "none",
                Query("max by (horizon) (record_trades)", "{{horizon}}"),
            ),
        ),
    )


def _processes() -> Row:
    return Row(
        "Processes",
        (
            lines(
                "Standing still",
                "Longest time within 15 s in which a process did nothing else. A quarter of a second again "
                "and again is too much.",
                "s",
                Query(f"event_loop_lag_seconds{{{_PROCESS}}}", _LEGEND),
                limits=(0.25, 1),
            ),
            lines(
                "Memory",
                "What each process holds. It grows for some hours after a start, then stays.",
                "bytes",
                Query(f"process_resident_memory_bytes{{{_PROCESS}}}", _LEGEND),
            ),
            lines(
                "Processor",
                "Share of one processor. At 100 % a process can do no more: add another one.",
                "percentunit",
                Query(f"rate(process_cpu_seconds_total{{{_PROCESS}}}[5m])", _LEGEND),
                limits=(0.7, 0.95),
            ),
            lines(
                "Open files",
                "Share of the files and connections a process may have open.",
                "percentunit",
                Query(f"process_open_fds{{{_PROCESS}}} / process_max_fds", _LEGEND),
                limits=(0.6, 0.8),
            ),
            lines(
                "Requests under way",
                "Requests being answered at the moment of each reading.",
                "none",
                Query('http_requests_in_flight{role=~"$role"}', _LEGEND),
            ),
            lines(
                "Running for",
                "Time since the start. A fall to zero is a restart.",
                "s",
                Query(f"time() - process_start_time_seconds{{{_PROCESS}}}", _LEGEND),
            ),
        ),
    )
