"""Stream and alerts: sources, analysis, messages, and what is stored."""

from __future__ import annotations

from infra.grafana.panels import Query, Row, bars, lines, states

# Better states have higher numbers: of several processes the one that reads a source is shown.
_STATES = ("off", "connecting", "refused", "silent", "alarm", "standby", "live")
_COLORS = ("#808080", "orange", "purple", "orange", "red", "blue", "green")


def stream_rows() -> tuple[Row, ...]:
    """In the order in which events pass."""
    return (_sources(), _analysis(), _messages(), _store(), _feed())


def _state_numbers() -> str:
    numbered = " or ".join(
        f'stream_link_state{{state="{state}"}} * {number}' for number, state in enumerate(_STATES)
    )
    return f"max by (source) ({numbered})"


def _sources() -> Row:
    words = {number: (state, _COLORS[number]) for number, state in enumerate(_STATES)}
    return Row(
        "Sources",
        (
            states(
                "State of each stream",
                "live: data arrives and counts. standby: data arrives, in reserve. silent: connected and "
                "nothing comes. alarm: nothing of it can be read.",
                words,
                Query(_state_numbers(), "{{source}}"),
            ),
            lines(
                "Events",
                "Usable events a second from each source, prices included.",
                "cps",
                Query("source:stream_events:rate5m", "{{source}}"),
            ),
            lines(
                "Last data",
                "Time since anything came. More than a minute is a silent connection.",
                "s",
                Query("min by (source) (stream_last_data_age_seconds)", "{{source}}"),
                limits=(30, 60),
            ),
            lines(
                "Rejected",
                "Events a second that could not be used, by why.",
                "cps",
                Query("sum by (source, reason) (rate(stream_rejects_total[5m]))", "{{source}} {{reason}}"),
            ),
            lines(
                "Reconnects and gaps",
                "Within the hour before each moment. A gap is time of which nothing is known.",
                "none",
                Query("sum by (source) (increase(stream_reconnects_total[1h]))", "{{source}} reconnects"),
                Query("sum by (source) (increase(stream_gaps_total[1h]))", "{{source}} gaps"),
            ),
            lines(
                "Lag",
                "From the newest liquidation to its arrival. Alerts are at least that late.",
                "s",
                Query("max(stream_lag_seconds)", "lag"),
                limits=(5, 15),
            ),
        ),
    )


def _analysis() -> Row:
    return Row(
        "Analysis",
        (
            lines(
                "Analysed",
                "Events a second, by kind.",
                "cps",
                Query("kind:data_points:rate5m", "{{kind}}"),
            ),
            lines(
                "Unusual events",
                "Events a second that were known already, too late for detectors, or from the future.",
                "cps",
                Query("sum(rate(pipeline_duplicates_total[5m]))", "known"),
                Query("sum(rate(pipeline_late_events_total[5m]))", "late"),
                Query("sum(rate(pipeline_skewed_events_total[5m]))", "from the future"),
            ),
            lines(
                "Waiting for analysis",
                "Frames on the bus, where ingest and detect are processes of their own. Grows: add a detect "
                "process.",
                "none",
                Query("max(pipeline_backlog_frames)", "frames"),
                limits=(100, 500),
            ),
            lines(
                "Findings",
                "What detectors said, each minute. Most findings repeat a known episode and become no alert.",
                "cpm",
                Query("60 * sum(rate(pipeline_findings_total[5m]))", "findings"),
            ),
            lines(
                "Coins",
                "Coins with an event within a day.",
                "none",
                Query("sum(pipeline_symbols)", "coins"),
            ),
            lines(
                "Faults of the worker",
                "Parts that failed by a bug within the hour, and alarms the worker has now. Both should be "
                "empty.",
                "none",
                Query("sum by (stage) (increase(stage_faults_total[1h])) > 0", "{{stage}}"),
                Query("max by (role) (worker_alarms) > 0", "alarms {{role}}"),
            ),
        ),
    )


def _messages() -> Row:
    return Row(
        "Alerts",
        (
            lines(
                "Alerts by fate",
                "Within the hour before each moment. kept: told; edited: told again in place; the others "
                "say why nobody was told.",
                "none",
                Query("fate:alerts:increase1h > 0", "{{fate}}"),
                is_stacked=True,
            ),
            lines(
                "Messages",
                "Tries to deliver within the hour before each moment, by destination and outcome.",
                "none",
                Query("scheme_outcome:deliveries:increase1h > 0", "{{scheme}} {{outcome}}"),
                is_stacked=True,
            ),
            lines(
                "Time until delivered",
                "From learning of an alert to the answer of its destination, 95 of 100.",
                "s",
                Query(
                    "histogram_quantile(0.95, sum by (scheme, le) (rate(delivery_wait_seconds_bucket[1h])))",
                    "{{scheme}}",
                ),
            ),
            bars(
                "Outbox",
                "Messages by state. pending and sending wait; failed and uncertain are over.",
                "none",
                Query("max by (state) (outbox_depth)", "{{state}}"),
            ),
            lines(
                "Oldest in the outbox",
                "How long the oldest message has been due.",
                "s",
                Query("max(outbox_oldest_seconds)", "oldest"),
                limits=(30, 120),
            ),
            lines(
                "Not stored, not sent",
                "Alerts that the database has not taken yet, and alerts lost within the hour. Both should "
                "be 0.",
                "none",
                Query("max(alerts_waiting_for_store)", "waiting"),
                Query("sum(increase(alerts_lost_total[1h]))", "lost"),
                limits=(1, 1),
            ),
        ),
    )


def _store() -> Row:
    return Row(
        "Store",
        (
            lines(
                "Rows",
                "Rows a second, by what became of them. Duplicates are normal: providers repeat themselves.",
                "wps",
                Query("fate:store_rows:rate5m", "{{fate}}"),
            ),
            lines(
                "Rows that wait",
                "Rows in memory, not written yet; beyond 200,000 they are lost.",
                "none",
                Query('store_buffered_rows{role=~"$role"}', "{{role}} {{instance}}"),
                limits=(100_000, 200_000),
            ),
            lines(
                "Oldest row that waits",
                "A second is normal.",
                "s",
                Query('store_oldest_buffered_seconds{role=~"$role"}', "{{role}} {{instance}}"),
                limits=(10, 60),
            ),
            lines(
                "Time of a batch",
                "95 of 100 batches are written faster.",
                "s",
                Query("job:store_batch_seconds:p95", "{{job}}"),
                limits=(1, 5),
            ),
            lines(
                "Batches",
                "Batches a second written, and those to be tried again.",
                "wps",
                Query("sum(rate(store_batches_total[5m]))", "written"),
                Query("sum(rate(store_failed_batches_total[5m]))", "tried again"),
            ),
            bars(
                "Takes rows",
                "1 while the database takes rows of this process.",
                "none",
                Query('store_up{role=~"$role"}', "{{role}} {{backend}} {{state}}"),
                high=1.0,
            ),
        ),
    )


def _feed() -> Row:
    return Row(
        "Live feed",
        (
            lines(
                "Clients",
                "Pages and programs that listen, by kind of connection.",
                "none",
                Query("sum by (kind) (live_clients)", "{{kind}}"),
            ),
            lines(
                "Messages to them",
                "Messages a second.",
                "mps",
                Query("sum by (kind) (rate(live_messages_total[5m]))", "{{kind}}"),
            ),
            lines(
                "Slow or refused clients",
                "Updates a second that a slow client got within a later one, and clients refused.",
                "cps",
                Query("sum(rate(live_coalesced_total[5m]))", "coalesced"),
                Query("sum by (reason) (rate(live_refused_total[5m]))", "refused: {{reason}}"),
            ),
        ),
    )
