"""Decides what to write and what to delete: pure, given what is `Known` to be stored.

It keeps the promises of ``ResultSink`` just as `connectors.sqlite` does. InfluxDB unites fields
and knows a point by all its tags, so where a newer point would leave something of an older one
behind, the older one is deleted first.
"""

from collections.abc import Iterable

import msgspec

from connectors.influx import lines
from connectors.influx.hours import HourPlan
from connectors.influx.known import (
    ALERT,
    MINUTE,
    AlertPoint,
    Alerts,
    Anomalies,
    AnomalyPoint,
    CellKey,
    Known,
    Minutes,
    Rows,
    Stored,
    StoredAlert,
)
from connectors.influx.lines import HOUR_NS
from connectors.influx.work import Deletion, Work
from streams.events import (
    Alert,
    AlertStatus,
    Anomaly,
    FeatureRow,
    MinuteRows,
    Operation,
    Output,
    WindowKind,
)

_ANOMALY_KINDS = {window.value: f"anomaly/{window.value}" for window in WindowKind}


def key_of(output: Output) -> CellKey | None:
    """Give the cell of an output; None if it has none, for it is written without a look."""
    match output:
        case MinuteRows():
            at_ns = lines.time_ns(output.start)
            return CellKey(MINUTE, lines.label(output.user_id), at_ns - at_ns % HOUR_NS)
        case FeatureRow():
            at_ns, window = lines.row_time_ns(output), output.window._value_
            return CellKey(window, lines.label(output.user_id), at_ns)
        case Anomaly():
            at_ns, kind = lines.row_time_ns(output), _ANOMALY_KINDS[output.window._value_]
            return CellKey(kind, lines.label(output.user_id), at_ns)
        case Alert():
            return CellKey(ALERT, lines.label(output.user_id), lines.row_time_ns(output))
        case _:
            return None


def needs(keyed: Iterable[tuple[CellKey | None, Output]]) -> dict[CellKey, str]:
    """Give the cells that must be known before outputs are decided on, and their buckets."""
    needed: dict[CellKey, str] = {}
    for key, output in keyed:
        if key is None:
            continue
        match output:
            case MinuteRows():
                needed[key] = lines.minutes_bucket(output.project_id)
            case FeatureRow():
                needed[key] = lines.features_bucket(output.project_id)
                if output.settled:
                    needed[key._replace(kind=ALERT)] = lines.alerts_bucket(output.project_id)
            case Anomaly():
                needed[key] = lines.features_bucket(output.project_id)
            case Alert():
                needed[key] = lines.alerts_bucket(output.project_id)
                if not output.settled and output.window is not None:
                    row_key = key._replace(kind=output.window.value)
                    needed[row_key] = lines.features_bucket(output.project_id)
    return needed


class Decisions:
    """Takes outputs in order of arrival, and then says what is to be done about them.

    ``known`` must hold all cells that `needs` named; it is brought up to date as if what is to be
    done had been done.
    """

    def __init__(self, known: Known) -> None:
        self._known = known
        self._rows: dict[CellKey, tuple[Stored | None, FeatureRow]] = {}
        self._anomalies: dict[tuple[CellKey, AnomalyPoint], tuple[Stored | None, Anomaly]] = {}
        self._hours: dict[CellKey, HourPlan] = {}
        self._alerts: dict[tuple[CellKey, AlertPoint], tuple[StoredAlert | None, Alert]] = {}
        self._work = Work()

    def take(self, key: CellKey | None, output: Output) -> None:
        """Take an output and its cell; one that must not replace what is there changes nothing."""
        match output:
            case MinuteRows() if key is not None:
                self._take_minutes(key, output)
            case FeatureRow() if key is not None:
                self._take_row(key, output)
            case Anomaly() if key is not None:
                self._take_anomaly(key, output)
            case Alert() if key is not None:
                self._take_alert(key, output)
            case Operation():
                self._take_operation(output)

    def work(self) -> Work:
        """Say what is to be deleted and written."""
        self._withdraw_unsupported()
        for plan in self._hours.values():
            plan.add_to(self._work)
        for key, (before, row) in self._rows.items():
            self._add_row(key, before, row)
        gone: dict[CellKey, list[tuple[AnomalyPoint, Stored]]] = {}
        for (key, score), (scored, anomaly) in self._anomalies.items():
            bucket = lines.features_bucket(anomaly.project_id)
            self._work.write(bucket, [lines.anomaly_line(anomaly)], anomaly)
            after = self._known.cell(key, Anomalies).stored[score]
            if scored is not None and scored.leaves_behind(after):
                gone.setdefault(key, []).append((score, scored))
        for key, scores in gone.items():
            self._delete_anomalies(key, scores)
        for (key, point), (rang, alert) in self._alerts.items():
            self._add_alert(rang, alert, self._known.cell(key, Alerts).stored[point])
        return self._work

    def _take_minutes(self, key: CellKey, rows: MinuteRows) -> None:
        plan = self._hours.get(key)
        if plan is None:
            plan = self._hours[key] = HourPlan(key, self._known.cell(key, Minutes))
        plan.take(rows)

    def _take_row(self, key: CellKey, row: FeatureRow) -> None:
        cell, new = self._known.cell(key, Rows), _stored(row, lines.row_fields(row))
        kept = cell.stored
        if kept is not None and not kept.yields_to(new):
            return
        planned = self._rows.get(key)
        self._rows[key] = kept if planned is None else planned[0], row
        cell.stored = new

    def _take_anomaly(self, key: CellKey, anomaly: Anomaly) -> None:
        point = AnomalyPoint(lines.label(anomaly.detector), _feature(anomaly))
        cell = self._known.cell(key, Anomalies)
        new = _stored(anomaly, lines.anomaly_fields(anomaly))
        kept = cell.stored.get(point)
        if kept is not None and not kept.yields_to(new):
            return
        planned = self._anomalies.get((key, point))
        self._anomalies[key, point] = kept if planned is None else planned[0], anomaly
        cell.stored[point] = new

    def _take_alert(self, key: CellKey, alert: Alert) -> None:
        tags = lines.alert_tags(alert)
        point = AlertPoint(tags.kind, tags.rule, tags.window)
        cell = self._known.cell(key, Alerts)
        kept = cell.stored.get(point)
        if kept is not None and (alert.epoch, alert.revision) < kept[:2]:
            return
        planned = self._alerts.get((key, point))
        self._alerts[key, point] = kept if planned is None else planned[0], alert
        rings = alert.settled and alert.status is not AlertStatus.WITHDRAWN
        settled = alert.settled or (kept is not None and kept.settled)
        confirmed = rings or (kept is not None and kept.confirmed)
        cell.stored[point] = StoredAlert(
            alert.epoch,
            alert.revision,
            settled,
            confirmed,
            alert.status,
            alert.alert_id,
            alert.detected_at,
            tags.described,
            frozenset(lines.alert_field_texts(alert, settled=settled, confirmed=confirmed)),
        )

    def _take_operation(self, operation: Operation) -> None:
        bucket = lines.PIPELINE_BUCKET
        if lines.is_about_subject(operation):
            bucket = lines.features_bucket(operation.project_id)
        self._work.write(bucket, [lines.operation_line(operation)], operation)

    def _withdraw_unsupported(self) -> None:
        """Mark alerts WITHDRAWN that are still unsettled although their window has settled."""
        for key in self._rows:
            self._withdraw_at(key, self._known.look(key._replace(kind=ALERT), Alerts))
        for key, point in [*self._alerts]:
            if point.window:
                alerts = self._known.look(key, Alerts)
                self._withdraw_at(key._replace(kind=point.window), alerts)

    def _withdraw_at(self, key: CellKey, alerts: Alerts | None) -> None:
        if alerts is None:
            return
        row = self._known.look(key, Rows)
        if row is None or row.stored is None or not row.stored.settled:
            return
        for point, kept in [*alerts.stored.items()]:
            if point.window == key.kind and kept.is_pending:
                alerts.stored[point] = kept._replace(status=AlertStatus.WITHDRAWN)
                if (key._replace(kind=ALERT), point) not in self._alerts:
                    self._add_withdrawal(key, point, kept)

    def _add_withdrawal(self, key: CellKey, point: AlertPoint, kept: StoredAlert) -> None:
        tags = lines.AlertTags(key.subject, kept.described, *point)
        fields = lines.standing(AlertStatus.WITHDRAWN)
        feed_ns = lines.feed_time_ns(kept.detected_at, kept.alert_id)
        texts = [
            lines.alert_line("alert", tags, fields, key.at_ns),
            lines.alert_line("alert_feed", tags, fields, feed_ns),
        ]
        self._work.write(lines.alerts_bucket(kept.described.site), texts, None)

    def _add_row(self, key: CellKey, before: Stored | None, row: FeatureRow) -> None:
        if before is not None:
            after = self._known.cell(key, Rows).stored
            if after is None or before.leaves_behind(after):
                bucket = lines.features_bucket(before.described.site)
                self._work.delete(Deletion(bucket, key.kind, key.subject, key.at_ns, key.at_ns))
        self._work.write(lines.features_bucket(row.project_id), [lines.row_line(row)], row)

    def _delete_anomalies(self, key: CellKey, gone: list[tuple[AnomalyPoint, Stored]]) -> None:
        """Delete scores of a row: all at once where all that is there is written anew."""
        stored = self._known.cell(key, Anomalies).stored
        window = ("window", key.kind.partition("/")[2])
        is_all = all((key, score) in self._anomalies for score in stored)
        for score, before in gone:
            bucket = lines.features_bucket(before.described.site)
            tags = (window,) if is_all else (window, *score._asdict().items())
            self._work.delete(Deletion(bucket, "anomaly", key.subject, key.at_ns, key.at_ns, tags))

    def _add_alert(self, before: StoredAlert | None, alert: Alert, after: StoredAlert) -> None:
        shown = msgspec.structs.replace(alert, status=after.status)
        tags, at_ns = lines.alert_tags(shown), lines.row_time_ns(shown)
        feed_ns = lines.feed_time_ns(shown.detected_at, shown.alert_id)
        if before is not None:
            bucket = lines.alerts_bucket(before.described.site)
            named = (("kind", tags.kind), ("rule", tags.rule), ("window", tags.window))
            old_ns = lines.feed_time_ns(before.detected_at, before.alert_id)
            if before.leaves_behind(after):
                self._work.delete(Deletion(bucket, "alert", tags.subject, at_ns, at_ns, named))
            if before.leaves_behind(after) or old_ns != feed_ns:
                feed = Deletion(bucket, "alert_feed", tags.subject, old_ns, old_ns, named)
                self._work.delete(feed)
        fields = lines.alert_field_texts(shown, settled=after.settled, confirmed=after.confirmed)
        texts = [
            lines.alert_line("alert", tags, fields, at_ns),
            lines.alert_line("alert_feed", tags, lines.feed_field_texts(shown), feed_ns),
        ]
        self._work.write(lines.alerts_bucket(alert.project_id), texts, alert)


def _stored(output: FeatureRow | Anomaly, fields: frozenset[str]) -> Stored:
    described = lines.described(output)
    return Stored(output.epoch, output.settled, output.revision, described, fields)


def _feature(anomaly: Anomaly) -> str:
    return "" if anomaly.feature is None else lines.label(anomaly.feature)
