"""Goal: metrics carry what the figures say, under names and labels that stay few.

Method: figures made by hand, read back by Prometheus' own parser.
"""

import math

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streams.metrics import WorkerFigures, registry_of
from streams.pipeline import COUNTS
from tests.streams.test_health import partition, worker

UNITS = {"messages", "seconds", "bytes", "records", "letters", "subjects", "retries", "info"}
LABELS = {"partition", "reason", "version"}


def samples(figures: WorkerFigures) -> dict[str, dict[tuple[str, ...], float]]:
    text = generate_latest(registry_of(lambda: figures)).decode()
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def test_every_count_of_the_pipeline_is_a_counter() -> None:
    counts = {name: 10 + place for place, name in enumerate(COUNTS)}
    found = samples(worker(partition(3, counts=counts, checkpoint_bytes=4_096)))
    values = {value for name in found if name.endswith("_total") for value in found[name].values()}
    assert set(counts.values()) <= values
    assert (
        found["wakeline_refused_records_total"][("3", "no_consent")] == counts["no_consent_count"]
    )
    assert found["wakeline_checkpoint_written_bytes_total"] == {("3",): 4_096.0}


def test_gauges_are_given_by_partition_and_left_out_while_unknown() -> None:
    found = samples(worker(partition(0, clock_age_s=math.inf), partition(1, lag_messages=7)))
    assert found["wakeline_clock_age_seconds"] == {("1",): 2.0}
    assert found["wakeline_lag_messages"] == {("0",): 0.0, ("1",): 7.0}
    assert found["wakeline_results_lag_messages"] == {("0",): 3.0}
    assert found["wakeline_sink_retries_total"] == {(): 4.0}


def test_an_app_that_is_not_run_has_no_metrics() -> None:
    found = samples(WorkerFigures(process=None, results=worker().results))
    assert "wakeline_lag_messages" not in found
    assert "wakeline_sink_retries_total" in found
    assert list(found["wakeline_build_info"].values()) == [1.0]


def test_names_end_in_their_unit_and_labels_never_name_a_person() -> None:
    text = generate_latest(registry_of(lambda: worker(partition()))).decode()
    families = [f for f in text_string_to_metric_families(text) if f.name.startswith("wakeline_")]
    assert len(families) > 10
    assert [f.name for f in families if f.name.rsplit("_", maxsplit=1)[1] not in UNITS] == []
    assert {label for f in families for sample in f.samples for label in sample.labels} == LABELS
