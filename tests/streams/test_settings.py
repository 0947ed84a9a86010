"""Goal: settings come from options, environment and the site's file, in this order, or say no."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from detectors.cohort import load_cohort
from detectors.config import DetectionConfig
from streams.config import HOUR_S, PipelineConfig
from streams.errors import BadInput
from streams.settings import HEALTH_PORTS, Settings


def test_options_go_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAKELINE_BROKER", "one:9092")
    monkeypatch.setenv("WAKELINE_PARTITIONS", "12")
    settings = Settings.load(broker="other:9092", partitions=None)
    assert settings.broker == "other:9092"
    assert settings.partitions == 12


def test_pipeline_takes_the_site_file_and_then_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(
        "partitions = 8\ngrace_s = 60.0\n[detection]\nwarm_up_days = 21\n"
        '[[detection.limits]]\nname = "night_rest"\nwindow = "night"\n'
        'feature = "heart_rate_resting_bpm"\nabove = 100.0\n'
    )
    config = Settings.load(site_config=path, lateness_h=6.0).pipeline_config()
    assert config.partitions == 8
    assert config.grace_s == 60.0
    assert config.lateness_s == 6 * HOUR_S
    assert config.detection.warm_up_days == 21
    assert [limit.name for limit in config.detection.limits] == ["night_rest"]
    assert Settings.load(site_config=path, partitions=2).pipeline_config().partitions == 2


def test_a_project_says_only_what_it_decides_otherwise_than_the_site(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(
        "[detection]\nwarm_up_days = 21\nrefractory_h = 48\n"
        "[projects.north]\nbudget_per_month = 0.5\nrefractory_h = 336\n"
    )
    config = Settings.load(site_config=path).pipeline_config()
    site = DetectionConfig(warm_up_days=21, refractory_h=48.0)
    assert config.detection == site
    north = msgspec.structs.replace(site, budget_per_month=0.5, refractory_h=336.0)
    assert config.projects == {"north": north}


def test_the_file_in_the_documents_has_every_field_with_its_default(tmp_path: Path) -> None:
    text = Path("docs/DEPLOY.md").read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    path = tmp_path / "site.toml"
    path.write_text(text, encoding="utf-8")
    config = Settings.load(site_config=path).pipeline_config()
    own = DetectionConfig(budget_per_month=0.5, refractory_h=336.0)
    assert config == PipelineConfig(projects={"north": own})
    fields = {*PipelineConfig.__struct_fields__, *DetectionConfig.__struct_fields__}
    assert {name for name in fields if name not in text} == set()


def test_without_anything_set_the_defaults_of_the_pure_part_hold() -> None:
    assert Settings.load().pipeline_config() == PipelineConfig()


@pytest.mark.parametrize(("port", "tried"), [(None, HEALTH_PORTS), (7000, [7000]), (0, [])])
def test_health_page_has_its_port_or_one_of_several_or_none(
    port: int | None, tried: Sequence[int]
) -> None:
    settings = Settings.load(health_port=port)
    assert (settings.health_host, settings.health_ports()) == ("127.0.0.1", tried)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("partitions = 0", "does not fit.*>= 1"),
        ("partitons = 4", "does not fit.*partitons"),
        ("partitions = ", "does not fit"),
        ("[detection]\nwarm_up_days = 'x'", "does not fit.*detection"),
        ("[detection]\nlink_template = 'javascript:{userId}'", "does not fit.*link_template"),
        ("detection = 3", "does not fit.*detection"),
        ("projects = 3", "does not fit.*projects"),
        ("[projects]\nnorth = 3", "does not fit.*projects"),
        ("[projects.north]\nbudget = 3", "does not fit.*budget.*projects"),
        (
            "[[detection.limits]]\nname = 'x'\nwindow = 'night'\nfeature = 'sleep_durations_min'",
            "does not fit.*'x'.*'sleep_durations_min'; nearest: sleep_duration_min",
        ),
        (
            "[detection.concerns]\ncall_outgoing_count = 'down'",
            "does not fit.*'call_outgoing_count' is shown and not scored",
        ),
        ("[detection.concerns]\nstep_cuont = 'up'", "does not fit.*'step_cuont'; nearest: step_c"),
        ("[projects.a.concerns]\nstep_cuont = 'up'", "does not fit.*'step_cuont'; nearest: step_c"),
    ],
)
def test_site_file_that_does_not_fit_is_refused_with_the_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "site.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=reason):
        Settings.load(site_config=path).pipeline_config()


def test_missing_site_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.toml cannot be read: No such file"):
        Settings.load(site_config=tmp_path / "none.toml").pipeline_config()


@pytest.mark.parametrize(("name", "value"), [("up_port", "70000"), ("partitions", "many")])
def test_value_that_does_not_fit_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"WAKELINE_{name.upper()}", value)
    with pytest.raises(BadInput, match=f"WAKELINE_{name.upper()}.*cannot be '{value}'"):
        Settings.load()


def test_cohort_is_the_named_file_s_and_else_the_package_s(tmp_path: Path) -> None:
    shipped = Settings.load().loaded_cohort()
    assert shipped.cohort == load_cohort()
    path = tmp_path / "cohort.json"
    path.write_bytes(b'{"version": "v2", "source": "x", "priors": {}, "thresholds": {}}')
    named = Settings.load(cohort=path).loaded_cohort()
    assert named.cohort.version == "v2"
    assert named.digest == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert shipped.digest != named.digest
    path.write_bytes(b'{"version": "v2"}')
    with pytest.raises(BadInput, match="does not fit"):
        Settings.load(cohort=path).loaded_cohort()
    with pytest.raises(BadInput, match="cannot be read"):
        Settings.load(cohort=tmp_path / "none.json").loaded_cohort()
