"""Goal: few deletions, of nothing else; lines know where they came from. Method: small cases."""

from connectors.influx.lines import HOUR_NS, MINUTE_NS
from connectors.influx.work import Deletion, Lines, index_of, merged
from streams.events import MinuteRows
from tests.connectors.runs import feature_row, minute_rows


def _hour(first: int, last: int | None = None, subject: str = "alder") -> Deletion:
    last = first if last is None else last
    return Deletion("b", "hour", subject, first * HOUR_NS, last * HOUR_NS)


def test_neighbouring_windows_are_deleted_at_once_and_no_window_between() -> None:
    found = [_hour(2), _hour(1), _hour(4), _hour(3, subject="birch"), _hour(2)]
    assert merged(found) == [_hour(1, 2), _hour(4), _hour(3, subject="birch")]


def test_alerts_and_other_scores_are_not_joined() -> None:
    rule = (("kind", "LIMIT"), ("rule", "a"), ("window", ""))
    alerts = [Deletion("b", "alert", "alder", at, at, rule) for at in (1, 2)]
    scores = [
        Deletion("b", "anomaly", "alder", at * HOUR_NS, at * HOUR_NS, (("window", window),))
        for at, window in ((1, "hour"), (2, "night"), (2, "hour"))
    ]
    assert merged(alerts) == alerts
    assert len(merged(scores)) == 2


def test_minutes_across_hours_are_one_run() -> None:
    one = Deletion("b", "minute", "alder", 58 * MINUTE_NS, 59 * MINUTE_NS)
    two = Deletion("b", "minute", "alder", 60 * MINUTE_NS, 61 * MINUTE_NS)
    assert merged([two, one]) == [one._replace(last_ns=61 * MINUTE_NS)]


def test_a_line_leads_to_its_output_and_to_the_minute_in_it() -> None:
    row, rows = feature_row(), minute_rows({3: 60.0, 5: 61.0})
    lines = Lines()
    lines.add(["day ... 1"], row)
    at_ns = [int(minute.start) * 10**9 for minute in rows.minutes]
    lines.add([f"minute v=1 {at}" for at in at_ns], rows)
    lines.add(["alert ... 1"], None)
    assert [lines.output_of(place) for place in range(4)] == [row, rows, rows, None]
    assert lines.outputs == [row, rows]
    assert [index_of(lines.texts[place], rows) for place in (1, 2)] == [0, 1]
    assert index_of(lines.texts[0], row) is None
    assert isinstance(lines.output_of(1), MinuteRows)
